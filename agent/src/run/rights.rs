//! What the hub's keeper reports: rights that come, change and end, and what hangs on them.
//! A newcomer would let the keeper publish rights itself: then they outlive it by whatever waits in its queue.

use std::sync::Arc;

use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::mpsc;

use super::account::Input;
use super::owner::{HubTask, Owner};
use super::state::{Door, Task};
use crate::circuit::Asks;
use crate::hub::access::Access;
use crate::hub::keeper::HubKeeper;
use crate::hub::report::{HubReport, Learned};
use crate::signin::tokens::Session;
use crate::snapshot::HubState;

impl Owner {
    /// Starts the task that keeps this session let in.
    pub(super) fn keep_hub(&mut self, session: Arc<Session>) {
        self.mark_signed_out(false);
        let Some(home) = &self.state.home else { return };
        let Some(identity) = home.identity.clone() else {
            return;
        };
        let (reports, receiver) = mpsc::channel(32);
        let keeper = HubKeeper {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            identity,
            vault: self.tools.kit.vault.clone(),
            refresh_lock: self.disk.refresh_lock(),
            clock: self.tools.kit.clock.clone(),
            trust: home.membership.trust.clone(),
            chain: home.membership.chain.clone(),
            circuits: Arc::clone(&home.circuits),
            reports,
        };
        self.work.greeting = None;
        self.state.hub = HubState::Connecting;
        self.work.hub = Some(HubTask {
            task: Task::spawn(keeper.run(session)),
            reports: receiver,
        });
    }

    /// Waits until it is gone, and forgets what it had still to say.
    pub(super) async fn stop_hub(&mut self) {
        if let Some(hub) = self.work.hub.take() {
            hub.task.end().await;
        }
        if let Some(greeting) = self.work.greeting.take() {
            greeting.end().await;
        }
    }

    pub(super) async fn on_hub(&mut self, report: HubReport) {
        match report {
            HubReport::State(state) => {
                self.state.hub = state;
                if matches!(state, HubState::Away { .. }) {
                    self.happens(Input::HubAway).await;
                }
            }
            HubReport::Trouble(problem) => self.trouble(problem),
            HubReport::Better(codes) => self.better(codes),
            HubReport::Granted(access) => self.happens(Input::Granted(access)).await,
            HubReport::Withheld(why) => self.happens(Input::Withheld(why)).await,
            HubReport::Introductions(seen) => self.on_introductions(seen),
            HubReport::Requests(turn, requests) => {
                self.on_requests(requests, |heard| heard.takes_event(turn));
            }
            HubReport::Devices(devices) => self.on_devices(Ok(devices)),
            HubReport::Learned(learned) => self.learned(*learned),
            HubReport::Ended(problem) => self.happens(Input::Ended(problem)).await,
        }
    }

    /// New rights: the catalogue may have changed, and whoever waited for sign-in goes on.
    pub(super) fn use_rights(&mut self, access: &Arc<Access>) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        home.catalogue.clone_from(&access.catalogue);
        home.askable.clone_from(&access.askable);
        self.keep_promises();
        self.state.list_ports();
        self.close_vanished();
        self.open_wanted();
    }

    /// The catalogue has spoken: what the ticket named and it does not hold disappears with a word.
    fn keep_promises(&mut self) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        if home.membership.promised.is_empty() {
            return;
        }
        let broken: Vec<_> = home.promised().map(|one| one.service.clone()).collect();
        home.membership.promised.clear();
        self.keep();
        for service in broken {
            let problem = self.not_available(&service);
            self.trouble(problem);
        }
    }

    /// A service that the catalogue no longer lists is not open any more.
    fn close_vanished(&mut self) {
        let doors = self
            .state
            .doors
            .iter()
            .filter(|(_, door)| !matches!(door, Door::Wanted));
        let vanished: Vec<_> = doors
            .map(|(service, _)| service.clone())
            .filter(|s| !self.is_listed(s))
            .collect();
        for service in vanished {
            let Some(door) = self.state.doors.remove(&service) else {
                continue;
            };
            let why = Problem::new(Code::PolicyChanged).service(&service);
            if door.handle().is_some() {
                self.trouble(why.clone());
            }
            self.close_door(&service, door, &why, false);
        }
    }

    fn learned(&mut self, learned: Learned) {
        let name = self
            .state
            .session()
            .map(|session| session.claims.name.clone());
        let Some(home) = &mut self.state.home else {
            return;
        };
        home.membership.trust = learned.trust;
        home.membership.root_key = Some(learned.root);
        home.membership.services = learned.services;
        home.idp = Some(learned.idp);
        home.membership.last = name.or(home.membership.last.take());
        self.keep();
    }

    /// Ends everything that needs a signed-in person. `shown`: the person did not ask for it and must see why.
    pub(super) fn end_rights(&mut self, why: &Problem, shown: bool) {
        self.unwant(shown.then_some(why));
        self.close_all_doors(why, shown);
        if shown {
            self.trouble(why.clone());
        }
        if let Some(home) = &mut self.state.home {
            home.requests.clear();
            home.devices.clear();
            home.asked.clear();
            home.heard.forget();
            home.askable.clear();
            home.held.clear();
            home.fetching.clear();
            home.printed.clear();
        }
        if let Some(home) = &self.state.home {
            home.circuits.warm.drop_spares();
            home.circuits.asks.send_replace(Asks::default());
            // Doors end their own portals, after a last word to the programs.
            let has_door = |service: &ServiceName| {
                let door = self.state.doors.get(service);
                door.is_some_and(|door| door.handle().is_some())
            };
            let live = &home.circuits.live;
            live.end(|service| !has_door(service), why.code);
            home.circuits.leave_behind();
            self.farewells
                .spawn(Arc::clone(&home.circuits).end_parting());
            self.farewells.spawn(home.circuits.links.end());
        }
        self.forget_session(why.code);
    }

    /// Connects that waited for sign-in do not wait any more.
    pub(super) fn unwant(&mut self, why: Option<&Problem>) {
        for service in self.state.wanted() {
            match why {
                Some(problem) => {
                    let failed = Door::Failed(problem.clone().service(&service));
                    self.state.doors.insert(service, failed);
                }
                None => drop(self.state.doors.remove(&service)),
            }
        }
    }
}
