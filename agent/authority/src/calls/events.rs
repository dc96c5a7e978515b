//! `GET /v1/events`: server-sent events for a caller that has proved itself on this connection.
//! Who listens late misses nothing: each event says how things are, not what happened.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use futures_util::stream;
use http::header;
use tidegate_proto::{
    api::{devices::Introduction, event},
    identity::VerifyKey,
    principal::Principal,
    sse::MAX_LINE,
    time::UnixTime,
};
use tokio::sync::watch;

use super::{Connection, Shared};
use crate::{
    access::{Told, told_to},
    caller::{Caller, Who},
    core::Core,
    in_force::InForce,
    refusal::Refusal,
    signs::Signs,
};

pub(super) async fn events(
    State(core): Shared,
    Extension(caller): Connection,
) -> Result<Response, Refusal> {
    let who = caller.who().ok_or(Refusal::NoIdentity)?;
    caller.streaming.send_replace(true);
    let listener = Listener::new(core, caller, who);
    let events = stream::unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from_stream(events));
    Ok(response.expect("the headers are constants"))
}

/// Rules know hours and weekdays: who may decide is asked again so often, in seconds.
const RULES_AGAIN: u64 = 60;

/// One stream of events.
struct Listener {
    core: Arc<Core>,
    /// Keeps the connection marked as streaming while we send.
    caller: Arc<Caller>,
    who: Who,
    signs: watch::Receiver<Arc<Signs>>,
    in_force: watch::Receiver<Arc<InForce>>,
    introductions: watch::Receiver<u64>,
    shut_out: watch::Receiver<Arc<BTreeSet<String>>>,
    accesses: watch::Receiver<u64>,
    /// What an agent was told about access last, and when time will have changed that.
    told: Option<String>,
    look_again: UnixTime,
    /// What an outlet was told about grants.
    news: Told,
    /// What was said about introductions last.
    introduced: Vec<Introduction>,
    over: bool,
}

impl Listener {
    fn new(core: Arc<Core>, caller: Arc<Caller>, who: Who) -> Self {
        let mut signs = core.signs.subscribe();
        signs.mark_changed(); // the first beacon at once
        let in_force = core.in_force.subscribe();
        let mut introductions = core.introductions.subscribe();
        introductions.mark_changed(); // those that are open already
        let mut shut_out = core.shut_out.subscribe();
        shut_out.mark_changed(); // those since the answer
        let mut accesses = core.accesses.subscribe();
        accesses.mark_changed();
        Self {
            core,
            caller,
            who,
            signs,
            in_force,
            introductions,
            shut_out,
            accesses,
            told: None,
            look_again: UnixTime(0),
            news: Told::default(),
            introduced: Vec::new(),
            over: false,
        }
    }

    /// The next event; `None` when there will be no more.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over || self.has_expired() {
            return None;
        }
        // All senders live in `core`, which we hold: `changed` cannot fail.
        loop {
            tokio::select! {
                biased;
                () = self.core.draining.cancelled() => return None,
                _ = self.shut_out.changed(), if matches!(self.who, Who::Relay { .. }) => {
                    return self.shut_out();
                }
                _ = self.signs.changed() => {
                    // Time passes: what was waiting may have run out.
                    if self.look_again <= self.core.now() {
                        self.accesses.mark_changed();
                    }
                    return Some(self.beacon());
                }
                _ = self.in_force.changed() => {
                    self.in_force.mark_unchanged();
                    // Other rules, other people who decide.
                    self.accesses.mark_changed();
                    return self.changed();
                }
                _ = self.introductions.changed() => {
                    self.introductions.mark_unchanged();
                    if let Some(event) = self.introductions() {
                        return Some(event);
                    }
                }
                _ = self.accesses.changed() => {
                    self.accesses.mark_unchanged();
                    if let Some(event) = self.accesses() {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// Those that concern the listener, if they have changed.
    fn introductions(&mut self) -> Option<Bytes> {
        if self.has_expired() {
            return None;
        }
        let (all, now) = (&self.core.introductions, self.core.now());
        let mine = match &self.who {
            Who::Agent { sub, .. } => all.of_person(sub, now),
            Who::Newcomer { key, .. } => all.of_newcomer(key, now),
            Who::Outlet { .. } | Who::Relay { .. } => return None,
        };
        if mine == self.introduced {
            return None;
        }
        let data = serde_json::to_string(&mine).ok()?;
        self.introduced = mine;
        Some(line(event::INTRODUCTIONS, &data))
    }

    /// What concerns the listener of requests and grants, if it has changed.
    fn accesses(&mut self) -> Option<Bytes> {
        match self.who.clone() {
            Who::Agent { principal, .. } if !self.has_expired() => self.views(&principal),
            Who::Outlet { identity } => self.grants(&identity),
            Who::Agent { .. } | Who::Relay { .. } | Who::Newcomer { .. } => None,
        }
    }

    fn views(&mut self, principal: &Principal) -> Option<Bytes> {
        let told = told_to(&self.core, principal);
        let now = told.now;
        let turns = told.all.iter().filter_map(|access| access.turns(now)).min();
        let by_rules = now.plus(RULES_AGAIN);
        self.look_again = turns.map_or(by_rules, |at| at.min(by_rules));
        let data = serde_json::to_string(&told.requests).ok()?;
        if self.told.as_ref() == Some(&data) || (self.told.is_none() && told.requests.is_empty()) {
            return None;
        }
        let (name, turn) = (event::ACCESS, told.turn);
        let event = format!("id: {turn}\nevent: {name}\ndata: {data}\n\n");
        self.told = Some(data);
        Some(event.into())
    }

    /// What the outlet was not told yet on this connection, a piece at a time.
    fn grants(&mut self, identity: &VerifyKey) -> Option<Bytes> {
        let in_force = self.core.in_force.borrow().clone();
        let serves = |service: &_| {
            let entry = in_force.entry(service);
            entry.is_some_and(|entry| entry.served_by(identity))
        };
        let now = self.core.now();
        self.look_again = now.plus(RULES_AGAIN);
        let news = self.core.accesses.news_for(serves, now);
        let piece = self.news.next(&news)?;
        // There may be more.
        self.accesses.mark_changed();
        let data = serde_json::to_string(&piece).ok()?;
        Some(line(event::GRANTS, &data))
    }

    fn beacon(&mut self) -> Bytes {
        let signs = self.signs.borrow_and_update().clone();
        // Whoever was shut out learns that, and nothing more.
        self.over = match &self.who {
            Who::Agent { epoch, .. } => signs.shuts_out(&self.who, *epoch),
            Who::Outlet { .. } | Who::Relay { .. } | Who::Newcomer { .. } => false,
        };
        line(event::BEACON, &signs.for_caller(&self.core.keys, &self.who))
    }

    fn changed(&mut self) -> Option<Bytes> {
        let in_force = self.core.in_force.borrow().clone();
        // One that left the catalogue must ask again, and will be refused.
        self.over = match &self.who {
            Who::Outlet { identity } => !in_force.entries.iter().any(|e| e.served_by(identity)),
            Who::Relay { noise } => in_force.entries_through(noise).next().is_none(),
            Who::Agent { .. } | Who::Newcomer { .. } => false,
        };
        Some(line(event::CHANGED, ""))
    }

    fn has_expired(&self) -> bool {
        match &self.who {
            Who::Agent { until, .. } | Who::Newcomer { until, .. } => *until <= self.core.now(),
            Who::Outlet { .. } | Who::Relay { .. } => false,
        }
    }

    /// A list that is too long for one line sends its reader to ask again.
    fn shut_out(&mut self) -> Option<Bytes> {
        let listed = self.shut_out.borrow_and_update().clone();
        let data = serde_json::to_string(&*listed).ok()?;
        Some(match data.len() <= MAX_LINE {
            true => line(event::SHUT_OUT, &data),
            false => line(event::CHANGED, ""),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.caller.streaming.send_replace(false);
    }
}

fn line(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
