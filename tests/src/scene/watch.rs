//! What the end of a session must look like from all sides, measured against one second.
//! A query runs while the door closes: the program, the port, the database and the record all have to say so.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Desk, World};
use crate::company::SERVICE_PORT;
use crate::ground::Site;
use crate::narrator::Narrator;
use crate::process::Process;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;
use crate::warehouse::DATABASE;

pub(super) const SOON: Duration = Duration::from_secs(10);
/// What the scene promises.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A query that would run for minutes, seen running in the database.
pub(super) struct RunningQuery(Process);

impl RunningQuery {
    pub(super) async fn start(world: &World, desk: &Desk) -> Outcome<Self> {
        let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
        let query = "select count(*) from flights a, flights b where a.dep_delay < b.arr_delay";
        // PostgreSQL hears of no cancel while it compiles a query, which for this one takes up to half a second:
        // that is its time and not the door's. It is interpreted instead.
        let psql = desk
            .laptop
            .program("query", "psql")
            .args(["-X", "-c", "set jit = off", "-c", query, &url])
            .start(&world.stage)?;
        let until = Instant::now() + SOON;
        while world.warehouse.running_queries().await? == 0 {
            if Instant::now() > until {
                return Err(Trouble::new(format!(
                    "the query never ran: {}",
                    psql.stderr()
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self(psql))
    }

    /// Watches the door close, from `since` on.
    pub(super) async fn ends(
        mut self,
        narrator: &Narrator,
        world: &World,
        since: Instant,
        code: &str,
    ) -> Outcome<()> {
        let port = refuses(world, since).await?;
        narrator.say(format!("the port refuses after {} ms", port.as_millis()));
        self.0
            .ended(AT_ONCE.saturating_sub(since.elapsed()))
            .await
            .doing("end the query")?;
        let said = self.0.stderr();
        let fatal = said
            .lines()
            .find(|line| line.contains("FATAL"))
            .doing(format!("find a FATAL in `{said}`"))?;
        narrator.say(format!("psql: {fatal}"));
        if !said.contains(code) {
            return Err(Trouble::new(format!(
                "the FATAL does not carry {code}: {said}"
            )));
        }
        let rest = AT_ONCE.saturating_sub(since.elapsed());
        world.warehouse.is_left_alone(rest).await?;
        narrator.say(format!(
            "the database's session is gone after {} ms",
            since.elapsed().as_millis()
        ));
        Ok(())
    }
}

/// The outlet's record of the last portal that was closed, which has to be there within the same second.
pub(super) async fn closed_portal(world: &World, already: usize, since: Instant) -> Outcome<Value> {
    let until = since + AT_ONCE;
    loop {
        let all: Vec<Value> = world
            .company
            .outlet
            .events()?
            .into_iter()
            .filter(is_closed)
            .collect();
        if let Some(last) = all.get(already..).and_then(<[Value]>::last) {
            return Ok(last.clone());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!(
                "no portal was closed in the audit since; there are {already}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn closed_portals(world: &World) -> Outcome<usize> {
    Ok(world
        .company
        .outlet
        .events()?
        .iter()
        .filter(|event| is_closed(event))
        .count())
}

fn is_closed(event: &Value) -> bool {
    event["what"]["kind"] == "portal-closed"
}

/// How long after `since` the inlet's port began to refuse.
async fn refuses(world: &World, since: Instant) -> Outcome<Duration> {
    door_closed(world, AT_ONCE.saturating_sub(since.elapsed())).await?;
    Ok(since.elapsed())
}

/// Waits until the inlet's port refuses Ana herself.
pub(super) async fn door_closed(world: &World, limit: Duration) -> Outcome<()> {
    let port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SERVICE_PORT);
    let (ana, until) = (
        world.stage.run().real_uid(User::Analyst),
        Instant::now() + limit,
    );
    // Each look is a connection: while a person thinks, look rarely.
    let pause = if limit > SOON {
        Duration::from_millis(500)
    } else {
        Duration::from_millis(10)
    };
    loop {
        let tried =
            world
                .stage
                .ground()
                .connect_as(ana, Site::Cafe, port, Duration::from_millis(300));
        if tried.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!(
                "the port is still open {} ms later",
                limit.as_millis()
            )));
        }
        tokio::time::sleep(pause).await;
    }
}
