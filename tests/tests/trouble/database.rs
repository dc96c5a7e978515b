//! The database is away: while she is connected, and when she wants to connect.
//! A quarter of a second, the way to the café and back included, is what a person takes for at once.

use std::time::Duration;

use tidegate_tests::Process;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};

use super::ana::{Ana, must_say};

pub(crate) const AT_ONCE: Duration = Duration::from_millis(250);

pub(crate) async fn closed(world: &mut World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    ana.query(world, "select 1")
        .await?
        .answer
        .map_err(Trouble::new)?;
    world.warehouse.pause().await?;
    let told = while_it_is_closed(world, ana, agent).await;
    world.warehouse.resume().await?;
    told?;

    let agent = ana.connect(world).await?;
    let answer = ana
        .query(world, "select 42")
        .await?
        .answer
        .map_err(Trouble::new)?;
    drop(agent);
    if answer == "42" {
        Ok(())
    } else {
        Err(Trouble::new(format!("it does not come back: {answer}")))
    }
}

async fn while_it_is_closed(world: &World, ana: &Ana, agent: Process) -> Outcome<()> {
    let told = ana.is_refused(world, "TG-5001", AT_ONCE).await?;
    println!("  program {told}");
    drop(agent);
    let said = ana.fails_to_connect(world, "connect-closed").await?;
    println!("  {}", said.trim());
    must_say(&said, &["TG-5001", "warehouse"])
}
