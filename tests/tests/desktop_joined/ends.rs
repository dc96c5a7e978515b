//! How a desktop ends under an open door: by its session manager's word, and by a screen that is gone from one moment to the next.
//! Each time a program is in the middle of a query: it must read why, the port must be free, and the next start must find nothing stale.

use std::time::{Duration, Instant};

use tidegate_tests::company::SERVICE;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::{Laptop, Process};
use tokio::sync::mpsc;
use zbus::Connection;
use zbus::zvariant::ObjectPath;

use super::desk::Desk;

const CLIENT: &str = "/org/gnome/SessionManager/Client7";
/// Of a program that is not ours: the accessibility registry and the keyring register too, and answer as politely.
const OTHER: &str = "/org/gnome/SessionManager/Client8";
const APP: &str = "dev.tidegate.app";
/// The app promises to be gone by then, whatever hangs.
const GONE: Duration = Duration::from_secs(5);
const QUITTING: &str = "TG-7005";

pub(crate) async fn play(
    narrator: &Narrator,
    world: &World,
    session: SessionManager,
    ana: &mut Desk,
) {
    let _ = narrator
        .step(
            "the end of the session ends a query with words and is not held up",
            session.ends(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "killed_in_the_middle_of_a_query_the_app_leaves_nothing_and_starts_clean",
            killed(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a lost display ends a query with words, and the next start is a clean one",
            display_lost(narrator, world, ana),
        )
        .await;
}

/// As GNOME's: clients register, and are asked before the session ends.
pub(crate) struct SessionManager {
    bus: Connection,
    clients: mpsc::Receiver<String>,
    answers: mpsc::Receiver<bool>,
}

struct Register(mpsc::Sender<String>);

#[zbus::interface(name = "org.gnome.SessionManager")]
impl Register {
    async fn register_client(
        &self,
        app: String,
        _started_as: String,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) -> ObjectPath<'static> {
        let who = header.sender().map(ToString::to_string).unwrap_or_default();
        println!("  {app} registers for the end of the session");
        if app != APP {
            return ObjectPath::from_static_str_unchecked(OTHER);
        }
        let _ = self.0.send(who).await;
        ObjectPath::from_static_str_unchecked(CLIENT)
    }
}

struct Client(mpsc::Sender<bool>);

#[zbus::interface(name = "org.gnome.SessionManager.ClientPrivate")]
impl Client {
    async fn end_session_response(&self, is_ok: bool, _reason: String) {
        let _ = self.0.send(is_ok).await;
    }
}

impl SessionManager {
    pub(crate) async fn start(laptop: &Laptop) -> Outcome<Self> {
        let (registered, clients) = mpsc::channel(8);
        let (answered, answers) = mpsc::channel(8);
        let bus = laptop
            .bus_builder()?
            .name("org.gnome.SessionManager")?
            .serve_at("/org/gnome/SessionManager", Register(registered))?
            .serve_at(CLIENT, Client(answered))?
            .build()
            .await?;
        Ok(Self {
            bus,
            clients,
            answers,
        })
    }

    /// Logs out while a query runs.
    async fn ends(mut self, world: &World, ana: &mut Desk) -> Outcome<()> {
        let mut app = self.clients.try_recv().doing("see the app register")?;
        // Each start registers anew; the last one runs.
        while let Ok(newer) = self.clients.try_recv() {
            app = newer;
        }
        goes_on(ana).await?;
        let query = ana.long_query(world).await?;
        let say = async |what: &str| {
            let interface = "org.gnome.SessionManager.ClientPrivate";
            self.bus
                .emit_signal(Some(app.as_str()), CLIENT, interface, what, &0_u32)
                .await
        };
        say("QueryEndSession").await?;
        let answer = tokio::time::timeout(Duration::from_secs(1), self.answers.recv()).await;
        if answer.doing("get an answer within a second")? != Some(true) {
            return Err(Trouble::new("the app stands in the way of a log-out"));
        }
        say("EndSession").await?;
        if let Err(trouble) = told_why(query, "log-out").await {
            println!("{}", ana.window.log());
            return Err(trouble);
        }
        let took = ana.gone().await?;
        println!("  gone {} ms after that", took.as_millis());
        nothing_open(world, ana).await?;
        ana.start_again(world, &[]).await?;
        clean_start(ana).await
    }
}

/// The X server dies under the app.
async fn display_lost(narrator: &Narrator, world: &World, ana: &mut Desk) -> Outcome<()> {
    let query = ana.long_query(world).await?;
    let unplug = "kill -9 $(\"$MINE\" Xvfb)";
    ana.laptop.terminal("unplug", "sh", &["-c", unplug]).await?;
    told_why(query, "the lost display").await?;
    let took = ana.gone().await?;
    println!("  gone {} ms after that", took.as_millis());
    nothing_open(world, ana).await?;

    let _screen = new_screen(world, ana)?;
    ana.start_again(world, &[]).await?;
    clean_start(ana).await?;
    ana.look(narrator, "ends-1-after-a-lost-display").await
}

/// Nothing in it has a last word.
async fn killed(world: &World, ana: &mut Desk) -> Outcome<()> {
    goes_on(ana).await?;
    let mut query = ana.long_query(world).await?;
    let kill = "kill -9 $(\"$MINE\" tidegate-deskto)";
    ana.laptop.terminal("kill", "sh", &["-c", kill]).await?;
    query.ended(GONE).await.doing("end the query")?;
    ana.gone().await?;
    ports_closed(ana).await?;
    // What it left behind waits for it, and is given up as soon as it is back and at work.
    ana.start_again(world, &[]).await?;
    clean_start(ana).await?;
    world.warehouse.is_left_alone(Duration::from_secs(2)).await
}

/// With the display's old number, as after a crash of the display's manager.
fn new_screen(world: &World, ana: &Desk) -> Outcome<Vec<Process>> {
    let display = "rm -f /tmp/.X${DISPLAY#:}-lock; exec Xvfb $DISPLAY -screen 0 1280x860x24 -nolisten tcp -noreset";
    let screen = ana
        .laptop
        .program("screen-again", "sh")
        .args(["-c", display])
        .start(&world.stage)?;
    let desktop = "until xdotool getdisplaygeometry; do sleep 0.1; done; openbox & exec xfce4-panel --disable-wm-check";
    let desktop = ana
        .laptop
        .program("desktop-again", "sh")
        .args(["-c", desktop])
        .start(&world.stage)?;
    Ok(vec![screen, desktop])
}

async fn told_why(mut query: Process, what: &str) -> Outcome<()> {
    let since = Instant::now();
    query.ended(GONE).await.doing("end the query")?;
    let said = query.stderr();
    println!(
        "  {} ms after {what}: {}",
        since.elapsed().as_millis(),
        said.trim()
    );
    if said.contains(QUITTING) {
        return Ok(());
    }
    Err(Trouble::new(format!(
        "{what}: the program reads `{said}`, not {QUITTING}"
    )))
}

/// Neither in the database nor on her ports.
async fn nothing_open(world: &World, ana: &Desk) -> Outcome<()> {
    world
        .warehouse
        .is_left_alone(Duration::from_secs(2))
        .await?;
    ports_closed(ana).await
}

/// A process that was killed is gone from the list a moment before its last socket is.
async fn ports_closed(ana: &Desk) -> Outcome<()> {
    let ports = "ss -ltnH 'sport >= :15400 and sport <= :15800'";
    let until = Instant::now() + Duration::from_secs(2);
    loop {
        let open = ana.laptop.terminal("ports", "sh", &["-c", ports]).await?;
        if open.trim().is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!("ports are still open: {open}")));
        }
    }
}

/// Still signed in, nothing connected by itself, and one click from open.
async fn clean_start(ana: &Desk) -> Outcome<()> {
    ana.window.shows("page-signed_in").await?;
    let connect = format!("connect-{}", tag(ana).await);
    ana.window
        .shows(&connect)
        .await
        .doing("find nothing stale")?;
    goes_on(ana).await
}

/// Connected, if it was not.
pub(crate) async fn goes_on(ana: &Desk) -> Outcome<()> {
    let tag = tag(ana).await;
    if ana.window.has(&format!("disconnect-{tag}")).await {
        return Ok(());
    }
    let took = ana.connect(&tag, &tag).await?;
    println!("  connected after {} ms", took.as_millis());
    Ok(())
}

/// With several orgs everything is called by its org too.
async fn tag(ana: &Desk) -> String {
    let several = ana.window.has("org-beta").await;
    if several {
        format!("acme/{SERVICE}")
    } else {
        SERVICE.to_owned()
    }
}
