//! Programs that people really use, each asked twice: straight to the database, and through a portal. The answers must be the same.
//! On plain loopback: an emulated road would only make ten thousand questions slow. Who comes through has no password.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidegate_tests::ca::CertificateAuthority;
use tidegate_tests::company::{Blueprint, Company, SERVICE_PORT};
use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::provider::Provider;
use tidegate_tests::trouble::{Outcome, Trouble};
use tidegate_tests::warehouse::{DATABASE, LOGIN, Warehouse};
use tidegate_tests::{Laptop, Process, Stage, User};

const START: Duration = Duration::from_secs(60);
/// Ends a suite that hangs.
const SUITE: Duration = Duration::from_secs(600);
/// The driver of Debian's `libpostgresql-jdbc-java`.
const DRIVER: &str = "/usr/share/java/postgresql.jar";
const POSTGRES: &str = "/usr/lib/postgresql/15/bin";

fn main() -> ExitCode {
    perform_if_asked("clients", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let road = narrator.step("the stage is set", Road::build()).await?;
    narrator
        .step(
            "every_driver_gets_the_same_answers_through_a_portal",
            drivers(&road),
        )
        .await?;
    narrator
        .step(
            "a_program_of_java_gets_the_same_answers_by_the_address_that_is_copied",
            java(&road),
        )
        .await?;
    narrator
        .step("pgbench_counts_the_same_through_a_portal", pgbench(&road))
        .await?;
    narrator
        .step(
            "the_suite_for_dialects_has_the_same_result_through_a_portal",
            dialect(&road),
        )
        .await?;
    narrator
        .step(
            "what_was_asked_through_portals_is_on_record",
            recorded(&road),
        )
        .await?;
    narrator.step("nothing is left", road.end()).await
}

/// A company and a laptop on one machine, connected.
struct Road {
    stage: Arc<Stage>,
    provider: Provider,
    warehouse: Warehouse,
    company: Company,
    laptop: Laptop,
    agent: Process,
}

/// By which way a program comes to the database.
#[derive(Clone, Copy)]
enum Way {
    Straight,
    Portal,
}

impl Road {
    async fn build() -> Outcome<Self> {
        let stage = Stage::set_on_loopback("thousands of questions need a road without delay")?;
        let ca = CertificateAuthority::new("Acme CA")?;
        let provider = Provider::start(&stage, &ca).await?;
        let warehouse = Warehouse::start(&stage, &ca).await?;
        // The suites make tables; what they make belongs to a schema of its own.
        let owner = format!("alter database {DATABASE} owner to {LOGIN}");
        let place = format!("alter role {LOGIN} set search_path = suite");
        warehouse.order(&format!("{owner}; {place}")).await?;
        let plan = Blueprint::new(&provider, &warehouse, &ca).where_statements_are_recorded();
        let company = Company::found(&stage, &plan).await?;
        let laptop = Laptop::switch_on(&stage, &ca).await?;
        let roots = laptop.home().join("acme-ca.pem");
        stage.run().private_file(User::Analyst, &roots, ca.pem())?;
        let agent = laptop.arrive(&company, &provider.ana).await?;
        let road = Self {
            stage,
            provider,
            warehouse,
            company,
            laptop,
            agent,
        };
        let schemas = "create schema suite; create schema test_schema";
        road.run(Way::Straight, "psql", &["-qX", "-c", schemas])
            .await?;
        Ok(road)
    }

    /// What libpq and its like read from the environment.
    fn place(&self, way: Way) -> Vec<(OsString, OsString)> {
        let (warehouse, home) = (&self.warehouse, self.laptop.home());
        let pairs: Vec<(&str, OsString)> = match way {
            Way::Straight => vec![
                ("PGHOST", warehouse.host.as_str().into()),
                ("PGPORT", warehouse.address.port().to_string().into()),
                ("PGUSER", LOGIN.into()),
                ("PGPASSWORD", warehouse.password.as_str().into()),
                ("PGSSLMODE", "verify-full".into()),
                ("PGSSLROOTCERT", home.join("acme-ca.pem").into()),
            ],
            Way::Portal => vec![
                ("PGHOST", "localhost".into()),
                ("PGPORT", SERVICE_PORT.to_string().into()),
                ("PGUSER", "ana".into()),
            ],
        };
        let all = pairs.into_iter().chain([
            ("PGDATABASE", DATABASE.into()),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ]);
        all.map(|(name, value)| (name.into(), value)).collect()
    }

    async fn run(&self, way: Way, program: impl Into<OsString>, words: &[&str]) -> Outcome<String> {
        let program = program.into();
        let name = match way {
            Way::Straight => "straight",
            Way::Portal => "through-a-portal",
        };
        let asked = self.laptop.program(name, program).args(words);
        asked
            .envs(&self.place(way))
            .output(&self.stage, SUITE)
            .await
    }

    async fn end(self) -> Outcome<()> {
        self.agent.stop(START).await?;
        self.warehouse.is_left_alone(START).await?;
        drop(self.laptop);
        self.company.stop().await?;
        drop((self.warehouse, self.provider));
        self.stage.close()
    }
}

/// Both outputs line by line; says the first two that differ.
fn same(straight: &str, portal: &str, least: usize) -> Outcome<()> {
    let count = straight.lines().count();
    println!("  {count} answers");
    if count < least {
        return Err(Trouble::new(format!("only {count} answers:\n{straight}")));
    }
    let other = straight.lines().zip(portal.lines()).find(|(a, b)| a != b);
    match other {
        Some((a, b)) => Err(Trouble::new(format!("straight: {a}\nportal:   {b}"))),
        None if count == portal.lines().count() => Ok(()),
        None => Err(Trouble::new(format!(
            "not as many answers came through the portal:\n{portal}"
        ))),
    }
}

async fn drivers(road: &Road) -> Outcome<()> {
    let script = road.stage.checkout().join("tests/clients/drivers.py");
    let script = script.display().to_string();
    let python = road.stage.python();
    let straight = road.run(Way::Straight, &python, &[&script]).await?;
    let portal = road.run(Way::Portal, &python, &[&script]).await?;
    same(&straight, &portal, 60)
}

/// Through the portal by exactly what the window copies for JDBC.
async fn java(road: &Road) -> Outcome<()> {
    let script = road.stage.checkout().join("tests/clients/Jdbc.java");
    let script = script.display().to_string();
    let (host, port) = (&road.warehouse.host, road.warehouse.address.port());
    let straight = format!("jdbc:postgresql://{host}:{port}/{DATABASE}?sslmode=verify-full");
    let copied = format!(
        "jdbc:postgresql://localhost:{SERVICE_PORT}/{DATABASE}?user=tidegate&sslmode=disable"
    );
    let asked = |address| ["-cp", DRIVER, &script, address];
    let straight = road.run(Way::Straight, "java", &asked(&straight)).await?;
    let portal = road.run(Way::Portal, "java", &asked(&copied)).await?;
    same(&straight, &portal, 50)
}

async fn pgbench(road: &Road) -> Outcome<()> {
    let straight = benched(road, Way::Straight).await?;
    let portal = benched(road, Way::Portal).await?;
    same(&straight, &portal, 20)
}

/// What pgbench counted, and what its tables hold afterwards. Its seed is fixed, so both must come out the same.
async fn benched(road: &Road, way: Way) -> Outcome<String> {
    let pgbench = format!("{POSTGRES}/pgbench");
    road.run(way, &pgbench, &["-i", "-q"]).await?;
    let mut told = String::new();
    for script in ["tpcb-like", "simple-update", "select-only"] {
        for mode in ["simple", "extended", "prepared"] {
            let words = [
                "-n",
                "-c4",
                "-t50",
                "--random-seed=42",
                "-b",
                script,
                "-M",
                mode,
            ];
            let out = road.run(way, &pgbench, &words).await?;
            let counted = out
                .lines()
                .filter(|line| line.contains("processed:") || line.contains("failed"));
            counted.for_each(|line| told.push_str(&format!("{script} {mode} {line}\n")));
        }
    }
    let sums = "select sum(abalance) from pgbench_accounts union all select count(*) from pgbench_history \
                union all select sum(delta) from pgbench_history";
    told.push_str(&road.run(way, "psql", &["-XAt", "-c", sums]).await?);
    Ok(told)
}

/// One statement of each way to ask: simple, prepared by a driver, in a pipeline, of the suite.
async fn recorded(road: &Road) -> Outcome<()> {
    for text in [
        "select sum(abalance) from pgbench_accounts",
        "select $1::int * 2",
        "copy kept to stdout",
        "CREATE TABLE",
        "notify news",
    ] {
        let fits = |line: &Value| line["what"]["said"].to_string().contains(text);
        road.company.outlet.statement(text, START, fits).await?;
    }
    Ok(())
}

/// What SQLAlchemy expects of a dialect it says in its own tests; some of that PostgreSQL does not do, straight or not.
async fn dialect(road: &Road) -> Outcome<()> {
    let straight = tested(road, Way::Straight).await?;
    let portal = tested(road, Way::Portal).await?;
    let passed = straight.matches("PASSED ").count();
    println!("  {passed} of them passed");
    if passed < 900 {
        return Err(Trouble::new(format!("only {passed} passed")));
    }
    same(&straight, &portal, 900)
}

async fn tested(road: &Road, way: Way) -> Outcome<String> {
    let folder = road.stage.checkout().join("tests/clients/dialect");
    let python = road.stage.python();
    // A test that fails is a result here; what pytest cannot do at all ends with 2 and more.
    let line = "cd \"$0\" && \"$1\" -m pytest -rA --dburi postgresql+psycopg:// || [ $? = 1 ]";
    let (folder, python) = (folder.display().to_string(), python.display().to_string());
    let out = road.run(way, "sh", &["-c", line, &folder, &python]).await?;
    let told: BTreeSet<&str> = out
        .lines()
        .filter(|line| {
            ["PASSED ", "FAILED ", "ERROR "]
                .iter()
                .any(|word| line.starts_with(word))
        })
        .map(|line| line.split(" - ").next().unwrap_or(line))
        .collect();
    Ok(told.into_iter().map(|line| format!("{line}\n")).collect())
}
