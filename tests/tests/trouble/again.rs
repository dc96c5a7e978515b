//! She comes again: the second connection travels the first one's circuit, and costs one round trip to be ready.
//! Round trips are counted, not milliseconds: the line is stretched until one takes a second, and nothing else does.

use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate_tests::ground::Quality;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::ana::Ana;

const LIMIT: Duration = Duration::from_secs(10);
/// A circuit is back when its last word has crossed the café's line: who comes sooner takes a spare.
const VISITS: usize = 5;
const ROUND_TRIP: Duration = Duration::from_secs(1);

pub(crate) async fn same_circuit(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let mut before: Vec<Value> = Vec::new();
    let mut shared = false;
    for _ in 0..VISITS {
        let visit = visit(world, ana).await?;
        // The latest may still be on its way home: then an earlier one's carries this.
        shared |= before.iter().any(|before| {
            before["channel"] == visit["channel"] && before["portal"] != visit["portal"]
        });
        before.push(visit);
    }
    if !shared {
        return Err(Trouble::new(
            "each connection had a circuit of its own in the outlet's record",
        ));
    }
    if let Some(network) = world.stage.ground().network() {
        let link = network.line().doing("find the café's line")?;
        let usual = link.quality();
        link.set(Quality {
            delay: ROUND_TRIP / 2,
            ..usual
        });
        let ready = ana.becomes_ready(world).await;
        link.set(usual);
        let trips = ready?.as_secs() / ROUND_TRIP.as_secs();
        println!("  ready after {trips} round trip");
        if trips != 1 {
            return Err(Trouble::new(format!("it took {trips} round trips")));
        }
    }
    drop(agent);
    Ok(())
}

/// One connection with one query, to the end of its record; gives how the record began.
async fn visit(world: &World, ana: &Ana) -> Outcome<Value> {
    let before = of_kind(world, "portal-closed")?.len();
    ana.query(world, "select 1")
        .await?
        .answer
        .map_err(Trouble::new)?;
    let until = Instant::now() + LIMIT;
    while of_kind(world, "portal-closed")?.len() == before {
        if Instant::now() > until {
            return Err(Trouble::new("the portal's record was never closed"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let opened = of_kind(world, "portal-opened")?;
    Ok(opened
        .last()
        .doing("find the record of the portal")?
        .clone())
}

fn of_kind(world: &World, kind: &str) -> Outcome<Vec<Value>> {
    let events = world.company.outlet.events()?.into_iter();
    Ok(events
        .map(|event| event["what"].clone())
        .filter(|what| what["kind"] == kind)
        .collect())
}
