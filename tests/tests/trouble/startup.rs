//! The longest startup that a program may send through the inlet, and what a program with a longer one is told.
//! The outlet puts its own names into it, so what PostgreSQL takes from a program directly may be too much here.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tidegate_tests::company::SERVICE_PORT;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Site, User};

use super::ana::{Ana, must_say};

const LIMIT: Duration = Duration::from_secs(5);
/// Room for what the outlet puts in: its user, and the name under which the database lists her.
const COMES_THROUGH: usize = 9_900;
/// PostgreSQL's own limit.
const LONGEST: usize = 10_004;

pub(crate) async fn longest(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let through = answer_to(world, COMES_THROUGH)?;
    if !through.contains("Z\0\0\0\u{5}I") {
        return Err(Trouble::new(format!("it did not come through: {through}")));
    }
    // The outlet says so of the one, the inlet itself of the other.
    for (length, code) in [(LONGEST, "TG-5008"), (LONGEST + 1, "")] {
        let told = answer_to(world, length)?;
        println!("  {length} bytes: {}", told.replace('\0', " "));
        must_say(&told, &["FATAL", "10,000 bytes", code])?;
    }
    drop(agent);
    Ok(())
}

/// What comes back for a startup of so many bytes, up to `ReadyForQuery` or the end.
fn answer_to(world: &World, length: usize) -> Outcome<String> {
    let inlet = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SERVICE_PORT);
    let her = world.stage.run().real_uid(User::Analyst);
    let mut program = world
        .stage
        .ground()
        .connect_as(her, Site::Cafe, inlet, LIMIT)?;
    program.set_read_timeout(Some(LIMIT))?;
    program.write_all(&startup_of(length)?)?;
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while !heard.ends_with(b"Z\0\0\0\x05I") {
        match program.read(&mut buffer)? {
            0 => break,
            count => heard.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

fn startup_of(length: usize) -> Outcome<Vec<u8>> {
    let named = format!("user\0ana\0database\0{DATABASE}\0own.words\0");
    let words = "x".repeat(length - 4 - 4 - named.len() - 2);
    let mut startup = u32::try_from(length)?.to_be_bytes().to_vec();
    startup.extend([0, 3, 0, 0]);
    startup.extend(format!("{named}{words}\0\0").into_bytes());
    Ok(startup)
}
