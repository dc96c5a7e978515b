//! A desk in the café: a laptop with the app on it, its tray and its window, and what hands do there all the time.
//! The second company stands on the same wires with a hub, an outlet and a root key of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tidegate_tests::company::{Blueprint, Company, Firm, SERVICE, SERVICE_PORT, TcpService};
use tidegate_tests::laptop::{Tray, Window};
use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::provider::Person;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{CertificateAuthority, Laptop, Process, Provider, Stage, User, Warehouse};

use super::nothing_cut::nothing_cut;

pub(crate) const LIMIT: Duration = Duration::from_secs(40);

pub(crate) struct Worlds {
    pub(crate) acme: World,
    pub(crate) beta: Company,
}

pub(crate) async fn found(narrator: &Narrator) -> Outcome<Worlds> {
    let stage = Stage::set()?;
    let ca = CertificateAuthority::new("Acme internal CA")?;
    let provider = Provider::start(&stage, &ca).await?;
    let warehouse = Warehouse::start(&stage, &ca).await?;
    let plan = |firm: Firm, names: [&str; 2], port: u16| {
        let also = names
            .into_iter()
            .zip(port..)
            .map(|(name, port)| TcpService {
                name: name.to_owned(),
                target: warehouse.address,
                also_low: false,
                port,
            });
        let plan = Blueprint::new(&provider, &warehouse, &ca).of(firm);
        also.fold(plan, Blueprint::with)
    };
    let company = Company::found(&stage, &plan(Firm::Acme, ["archive", "billing"], 15601)).await?;
    let beta = Company::found(&stage, &plan(Firm::Beta, ["grafana", "ledger"], 15701)).await?;
    narrator.say(format!(
        "hubs: {} and {}",
        company.hub.address, beta.hub.address
    ));
    let acme = World {
        stage,
        ca,
        provider,
        warehouse,
        company,
    };
    Ok(Worlds { acme, beta })
}

impl Worlds {
    pub(crate) async fn end(self) -> Outcome<()> {
        self.beta.stop().await?;
        self.acme.end().await
    }
}

pub(crate) struct Desk {
    // The window goes first: its driver runs on the laptop.
    pub(crate) window: Window,
    pub(crate) tray: Tray,
    pub(crate) laptop: Laptop,
}

impl Desk {
    /// Ana's first laptop, joined with a ticket that names no service, and signed in.
    pub(crate) async fn arrive(narrator: &Narrator, world: &World) -> Outcome<Self> {
        let desk = Self::arrive_as(world, User::Analyst, &world.provider.ana).await?;
        desk.look(narrator, "joined-1-signed-in").await?;
        Ok(desk)
    }

    /// The same for anybody, at any laptop.
    pub(crate) async fn arrive_as(world: &World, user: User, person: &Person) -> Outcome<Self> {
        let desk = Self::sit_down(world, user, &[]).await?;
        desk.window.shows("page-not_joined").await?;
        let link = world.company.admin.ticket(person).await?;
        desk.window.write("join-link", &link).await?;
        desk.window.click("join-button").await?;
        desk.window.shows("page-signed_out").await?;
        desk.sign_in_as(person, "page-signed_in").await?;
        desk.window.shows(&format!("connect-{SERVICE}")).await?;
        Ok(desk)
    }

    /// Switches a laptop on and starts the app with this in its environment.
    pub(crate) async fn sit_down(world: &World, user: User, env: &[(&str, &str)]) -> Outcome<Self> {
        let laptop = Laptop::switch_on_for(&world.stage, &world.ca, user, Hands::Driver).await?;
        let (window, tray) = start(&laptop, world, env).await?;
        Ok(Self {
            window,
            tray,
            laptop,
        })
    }

    /// Quits from the tray, and starts again.
    pub(crate) async fn restart(&mut self, world: &World) -> Outcome<()> {
        self.tray.click("Quit Tidegate").await?;
        self.gone().await?;
        self.start_again(world, &[]).await
    }

    pub(crate) async fn start_again(&mut self, world: &World, env: &[(&str, &str)]) -> Outcome<()> {
        (self.window, self.tray) = start(&self.laptop, world, env).await?;
        Ok(())
    }

    /// Waits until no process of the app is left.
    pub(crate) async fn gone(&self) -> Outcome<Duration> {
        let since = Instant::now();
        let look = "timeout 10 sh -c 'while \"$MINE\" tidegate-deskto; do sleep 0.05; done'";
        let gone = self.laptop.terminal("gone", "sh", &["-c", look]).await;
        gone.doing("see the app go")?;
        Ok(since.elapsed())
    }

    /// One click on Sign in, and the form where the provider still asks for it; until the window shows `then`.
    pub(crate) async fn sign_in(&self, world: &World, then: &str) -> Outcome<()> {
        self.sign_in_as(&world.provider.ana, then).await
    }

    async fn sign_in_as(&self, person: &Person, then: &str) -> Outcome<()> {
        self.window.click("sign-in").await?;
        let browser = self.laptop.browser().await?;
        tokio::select! {
            shown = self.window.shows(then) => shown?,
            typed = browser.sign_in(person, None) => {
                typed?;
                self.window.shows(then).await?;
            }
        }
        browser.let_go().await
    }

    /// Clicks Connect in the tray, and waits until the window says so.
    pub(crate) async fn connect(&self, label: &str, tag: &str) -> Outcome<Duration> {
        let since = Instant::now();
        self.tray.click(&format!("Connect {label}")).await?;
        self.window
            .says(&format!("state-{tag}"), "Connected")
            .await?;
        Ok(since.elapsed())
    }

    /// A picture of the window and of the whole screen with the tray's menu; and nothing in the window is cut off.
    pub(crate) async fn look(&self, narrator: &Narrator, name: &str) -> Outcome<()> {
        self.window.picture(&narrator.picture(name)).await?;
        nothing_cut(&self.window, name).await
    }

    pub(crate) async fn look_at_the_screen(&self, narrator: &Narrator, name: &str) -> Outcome<()> {
        self.laptop
            .picture_of_tray(&narrator.picture(&format!("{name}-screen")))
            .await
    }

    /// What `psql` prints.
    pub(crate) async fn psql(&self, to: &str, query: &str) -> Outcome<String> {
        let words = ["-X", "-A", "-t", "-c", query, to];
        let said = self.laptop.terminal("psql", "psql", &words).await?;
        Ok(said.trim().to_owned())
    }

    /// A query that would run for minutes, seen running in the database.
    pub(crate) async fn long_query(&self, world: &World) -> Outcome<Process> {
        let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
        let query = "select count(*) from flights a, flights b where a.dep_delay < b.arr_delay";
        let until = Instant::now() + LIMIT;
        // What an app that was killed left running would pass for this one.
        while world.warehouse.running_queries().await? > 0 {
            if Instant::now() > until {
                return Err(Trouble::new("a query from before still runs"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let psql = self
            .laptop
            .program("query", "psql")
            .args(["-X", "-c", query, &url])
            .start(&world.stage)?;
        let until = Instant::now() + LIMIT;
        while world.warehouse.running_queries().await? == 0 {
            if Instant::now() > until {
                let said = psql.stderr();
                return Err(Trouble::new(format!("the query never ran: {said}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(psql)
    }
}

async fn start(laptop: &Laptop, world: &World, env: &[(&str, &str)]) -> Outcome<(Window, Tray)> {
    let binary: PathBuf = world.stage.binary("tidegate-desktop")?;
    laptop
        .start_app_with(env, &binary, Duration::from_secs(30), laptop.tray())
        .await
}
