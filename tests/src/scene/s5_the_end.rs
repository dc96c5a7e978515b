//! Step 5: the door closes, by her own click and by the administrator's word, under a running query each time.
//! Within a second the port refuses, the query has ended with the reason, and the record is closed.

use std::time::{Duration, Instant};

use super::watch::{RunningQuery, closed_portal, closed_portals, door_closed};
use super::{Desk, World, s3_connect};
use crate::company::SERVICE;
use crate::narrator::{Hands, Narrator};
use crate::trouble::{Outcome, Trouble};

const BY_YOU: &str = "TG-7001";
const BY_ADMIN: &str = "TG-7002";
/// For a person, before something happens that nobody clicked.
const TO_LOOK: Duration = Duration::from_secs(10);

pub(super) async fn disconnect(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let query = RunningQuery::start(world, desk).await?;
    let already = closed_portals(world)?;
    if narrator.hands == Hands::Person {
        let click = format!("click Disconnect {SERVICE} in the tray");
        let closed = door_closed(world, narrator.patience());
        narrator.ask(&click, closed).await?;
    } else {
        desk.tray.click(&format!("Disconnect {SERVICE}")).await?;
    }
    let since = Instant::now();
    query.ends(narrator, world, since, BY_YOU).await?;
    record(narrator, world, (already, since), BY_YOU).await?;
    desk.window.shows(&format!("connect-{SERVICE}")).await?;
    desk.window
        .picture(&narrator.picture("window-9-disconnected"))
        .await
}

pub(super) async fn revoke(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    s3_connect::connect(narrator, desk).await?;
    let query = RunningQuery::start(world, desk).await?;
    let already = closed_portals(world)?;
    let (admin, hub) = (&world.company.admin, &world.company.hub.address);
    if narrator.hands == Hands::Person {
        narrator.say(format!(
            "look at the tray and the window: in {} s the administrator revokes her",
            TO_LOOK.as_secs()
        ));
        tokio::time::sleep(TO_LOOK).await;
    }

    // What opening the root key costs is the administrator's own; the second begins when her command has ended.
    let typed = Instant::now();
    let said = admin
        .revoke(&world.provider.ana, hub, "laptop lost")
        .await?;
    let since = Instant::now();
    narrator.say(format!(
        "tidegate revoke: {}, after {} ms",
        said.trim(),
        typed.elapsed().as_millis()
    ));
    query.ends(narrator, world, since, BY_ADMIN).await?;
    record(narrator, world, (already, since), BY_ADMIN).await?;
    desk.window
        .picture(&narrator.picture("window-10-revoked"))
        .await?;
    desk.laptop
        .picture_of_tray(&narrator.picture("tray-3-revoked"))
        .await?;
    narrator.say(format!(
        "window: {}",
        desk.window.text().await?.replace('\n', " · ")
    ));
    Ok(())
}

/// The outlet's record of the portal is closed with bytes and reason, and the chain holds.
async fn record(
    narrator: &Narrator,
    world: &World,
    (already, since): (usize, Instant),
    code: &str,
) -> Outcome<()> {
    let event = closed_portal(world, already, since).await?;
    let what = &event["what"];
    narrator.say(format!(
        "audit: portal closed, {} bytes sent, {} received, reason {}",
        what["sent"], what["received"], what["reason"]
    ));
    let complete = what["sent"].as_u64() > Some(0)
        && what["received"].as_u64() > Some(0)
        && what["reason"].to_string().contains(&code[3..]);
    if !complete {
        return Err(Trouble::new(format!(
            "the record of the portal lacks its bytes or the reason {code}: {event}"
        )));
    }
    let verdict = world.company.outlet.verify_audit().await?;
    narrator.say(format!("tidegate audit verify: {}", verdict.trim()));
    Ok(())
}
