//! The app's own figures: how soon it is there, how soon she is connected, what it costs to have it.
//! Times are seen from outside, as she would: an icon, a window, a line in the tray, the answer to a query.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::START;
use crate::ca::CertificateAuthority;
use crate::company::{Blueprint, Company, SERVICE, SERVICE_PORT};
use crate::laptop::{Cost, Laptop, Tray};
use crate::process::Process;
use crate::provider::Provider;
use crate::stage::Stage;
use crate::trouble::{Outcome, Trouble};
use crate::warehouse::{DATABASE, Warehouse};

const STARTS: usize = 5;
const CLICKS: usize = 10;
const IDLE: Duration = Duration::from_secs(60);
/// What a start, a click or a close leaves to do is over by then.
const SETTLED: Duration = Duration::from_secs(5);

/// Measures the app on a laptop in the café, and prints it.
///
/// # Errors
/// When a part does not come up; figures themselves are never an error.
pub async fn measure() -> Outcome<()> {
    let stage = Stage::set()?;
    let ca = CertificateAuthority::new("Acme figures CA")?;
    let provider = Provider::start(&stage, &ca).await?;
    let warehouse = Warehouse::start(&stage, &ca).await?;
    let company = Company::found(&stage, &Blueprint::new(&provider, &warehouse, &ca)).await?;
    let laptop = Laptop::switch_on(&stage, &ca).await?;
    let binary = stage.binary("tidegate-desktop")?;
    println!("| the app | median (least to most) |\n|---|---|");

    cold_start(&laptop, &binary).await?;
    starts(&laptop, &binary).await?;
    let (app, tray, _) = started(&laptop, &binary).await?;
    weight(&laptop, &tray).await?;
    let link = company
        .admin
        .ticket_naming(&provider.ana, &[SERVICE])
        .await?;
    laptop.join(&link).await?;
    first_query(&laptop, &tray, &provider).await?;
    clicks(&tray).await?;
    idle_minute(&laptop).await?;

    app.stop(START).await?;
    drop(laptop);
    company.stop().await?;
    drop((warehouse, provider));
    stage.close()
}

/// As after switching the laptop on: the program and its libraries come from the disk. Most of it passes before the first line of ours.
async fn cold_start(laptop: &Laptop, binary: &Path) -> Outcome<()> {
    let files = linked(binary)?;
    for file in &files {
        let file = std::fs::File::open(file)?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    let (app, _, took) = started(laptop, binary).await?;
    app.stop(START).await?;
    times(
        &format!(
            "cold start to icon: {} files come from the disk",
            files.len()
        ),
        &mut [took],
    );
    Ok(())
}

/// The program and every library that the loader opens for it.
fn linked(binary: &Path) -> Outcome<Vec<PathBuf>> {
    let told = std::process::Command::new("ldd").arg(binary).output()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let paths = told
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let libraries = paths.filter_map(|path| std::fs::canonicalize(path).ok());
    Ok(libraries.chain([binary.to_owned()]).collect())
}

/// To the icon, and with a window asked for to the window.
async fn starts(laptop: &Laptop, binary: &Path) -> Outcome<()> {
    let (mut to_tray, mut to_window) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (app, _, took) = started(laptop, binary).await?;
        to_tray.push(took);
        app.stop(START).await?;
        let since = Instant::now();
        let app = laptop.program("app", binary).start(laptop.stage())?;
        until_windows(laptop, 1).await?;
        to_window.push(since.elapsed());
        app.stop(START).await?;
    }
    times("start to icon in the tray", &mut to_tray);
    times("start to window on the screen", &mut to_window);
    Ok(())
}

async fn started(laptop: &Laptop, binary: &Path) -> Outcome<(Process, Tray, Duration)> {
    let since = Instant::now();
    let app = laptop
        .program("app", binary)
        .arg("--hidden")
        .start(laptop.stage())?;
    let tray = laptop.tray().await?;
    Ok((app, tray, since.elapsed()))
}

async fn weight(laptop: &Laptop, tray: &Tray) -> Outcome<()> {
    tokio::time::sleep(SETTLED).await;
    let in_tray = laptop.cost().await?;
    let since = Instant::now();
    tray.click("Open Tidegate").await?;
    until_windows(laptop, 1).await?;
    times("click on Open to window", &mut [since.elapsed()]);
    tokio::time::sleep(SETTLED).await;
    let with_window = laptop.cost().await?;
    laptop
        .terminal("close", "wmctrl", &["-c", "Tidegate"])
        .await?;
    until_windows(laptop, 0).await?;
    tokio::time::sleep(SETTLED).await;
    let closed = laptop.cost().await?;
    let mib = |cost: Cost| cost.memory / 1024;
    println!(
        "| memory (PSS) in the tray, with its window, after closing it | {}, {}, {} MiB |",
        mib(in_tray),
        mib(with_window),
        mib(closed)
    );
    Ok(())
}

/// From her click, through the provider's form, to an answer of the database. The form is filled in by a robot.
async fn first_query(laptop: &Laptop, tray: &Tray, provider: &Provider) -> Outcome<()> {
    let since = Instant::now();
    tray.click(&format!("Connect {SERVICE}")).await?;
    let browser = laptop.browser().await?;
    browser.sign_in(&provider.ana, None).await?;
    tray.find(&format!("localhost:{SERVICE_PORT}"), START)
        .await?;
    let connected = since.elapsed();
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let query = ["-X", "-A", "-t", "-c", "select 42", &url];
    let answer = laptop.terminal("psql", "psql", &query).await?;
    if answer.trim() != "42" {
        return Err(Trouble::new(format!("the first query says {answer}")));
    }
    times(
        "cold click to connected, browser and sign-in included",
        &mut [connected],
    );
    times(
        "cold click to the first query's answer",
        &mut [since.elapsed()],
    );
    browser.let_go().await
}

async fn clicks(tray: &Tray) -> Outcome<()> {
    let mut took = Vec::new();
    for _ in 0..CLICKS {
        tray.click(&format!("Disconnect {SERVICE}")).await?;
        tray.find(&format!("Connect {SERVICE}"), START).await?;
        let since = Instant::now();
        tray.click(&format!("Connect {SERVICE}")).await?;
        tray.find(&format!("localhost:{SERVICE_PORT}"), START)
            .await?;
        took.push(since.elapsed());
    }
    times("click to connected, signed in", &mut took);
    Ok(())
}

/// Joined, signed in, connected; nobody does anything.
async fn idle_minute(laptop: &Laptop) -> Outcome<()> {
    tokio::time::sleep(SETTLED).await;
    let before = laptop.cost().await?;
    tokio::time::sleep(IDLE).await;
    let after = laptop.cost().await?;
    println!(
        "| processor in an idle minute, connected | {} ms |",
        (after.time - before.time) * 10
    );
    Ok(())
}

async fn until_windows(laptop: &Laptop, wanted: usize) -> Outcome<()> {
    let until = Instant::now() + START;
    while laptop.windows().await? != wanted {
        if Instant::now() > until {
            return Err(Trouble::new(format!("there are never {wanted} windows")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn times(what: &str, took: &mut [Duration]) {
    took.sort();
    let millis = |place: usize| took.get(place).map_or(0, Duration::as_millis);
    let median = millis(took.len() / 2);
    if took.len() == 1 {
        return println!("| {what} | {median} ms |");
    }
    println!(
        "| {what} | {median} ms ({} to {}) |",
        millis(0),
        millis(took.len() - 1)
    );
}
