//! Connect and Disconnect, and what the doors report about services.
//! Unknown and forbidden look the same here as everywhere: one code, one sentence.

use std::sync::Arc;

use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};

use super::account::{Account, SignInWay};
use super::door::{DoorHandle, DoorNews, DoorParts, DoorReport};
use super::owner::Owner;
use super::state::{After, Door, closes_the_door, is_cured_by_a_portal};
use crate::ServiceRef;
use crate::inlet::visit::VisitEnd;
use crate::snapshot::ConnectStep;

impl Owner {
    pub(super) async fn connect(&mut self, service: &ServiceName) -> Result<(), Problem> {
        match self.state.doors.get_mut(service) {
            Some(Door::Opening { .. } | Door::Open { .. }) => return Ok(()),
            Some(Door::Closing { after, .. }) => {
                *after = After::Again;
                return Ok(());
            }
            Some(Door::Wanted | Door::Failed(_)) | None => {}
        }
        self.state.forget_about(service);
        self.state.others.remove(service);
        self.state.doors.remove(service);
        match &self.state.account {
            Account::SignedOut { .. } | Account::Locked { .. } | Account::Waking { .. } => {
                self.sign_in(SignInWay::Browser).await?;
            }
            Account::SignedIn { .. } if self.is_catalogue_fresh() => {
                return self.open_door(service);
            }
            Account::SignedIn { .. }
            | Account::Arriving { .. }
            | Account::SigningIn { .. }
            | Account::Introducing { .. } => {}
        }
        self.state.doors.insert(service.clone(), Door::Wanted);
        Ok(())
    }

    pub(super) fn disconnect(&mut self, service: &ServiceName) -> Result<(), Problem> {
        let Some(door) = self.state.doors.remove(service) else {
            // Nothing is open, which is what was asked for.
            let is_known = self.is_listed(service);
            return if is_known {
                Ok(())
            } else {
                Err(self.not_available(service))
            };
        };
        let why = Problem::new(Code::DisconnectedByYou).service(service);
        self.close_door(service, door, &why, false);
        Ok(())
    }

    /// A port of the person's own choice, or the catalogue's again. What is open moves there.
    pub(super) fn set_port(
        &mut self,
        service: &ServiceRef,
        port: Option<u16>,
    ) -> Result<(), Problem> {
        let name = &service.service;
        let Some(before) = self.state.port(name) else {
            return Err(Problem::new(Code::NotAvailable).service(name));
        };
        self.state.ports.choose(service, port)?;
        if self.state.port(name) == Some(before) {
            return Ok(());
        }
        match self.state.doors.remove(name) {
            Some(Door::Failed(problem)) if problem.code == Code::PortTaken => {
                self.state.doors.insert(name.clone(), Door::Wanted);
                if self.is_catalogue_fresh() {
                    self.open_wanted();
                }
            }
            Some(Door::Opening { handle, .. } | Door::Open { handle, .. }) => {
                handle.close(self.moved(name));
                let after = After::Again;
                let door = Door::Closing { handle, after };
                self.state.doors.insert(name.clone(), door);
            }
            Some(other) => drop(self.state.doors.insert(name.clone(), other)),
            None => {}
        }
        Ok(())
    }

    /// What its programs hear: the way they know is gone, but not the service.
    fn moved(&self, name: &ServiceName) -> Problem {
        let moved = Problem::new(Code::DisconnectedByYou).service(name);
        match self.state.port(name) {
            Some(port) => moved.said(&format!("you moved it to port {port}: connect there")),
            None => moved,
        }
    }

    /// Whether the catalogue is the hub's word in this session and not a memory.
    fn is_catalogue_fresh(&self) -> bool {
        self.state.account.access().is_some()
    }

    pub(super) fn is_listed(&self, service: &ServiceName) -> bool {
        self.state
            .home
            .as_ref()
            .is_some_and(|home| home.lists(service))
    }

    pub(super) fn not_available(&self, service: &ServiceName) -> Problem {
        let problem = Problem::new(Code::NotAvailable).service(service);
        self.tools.circuits.explained(problem)
    }

    fn open_door(&mut self, service: &ServiceName) -> Result<(), Problem> {
        let attempt = self.attempt();
        let home = self.state.home.as_ref();
        let listed =
            home.and_then(|home| Some((home, home.catalogue.get(service)?.statement.kind)));
        let (Some((home, kind)), Some(port)) = (listed, self.state.port(service)) else {
            return Err(self.not_available(service));
        };
        let parts = DoorParts {
            service: service.clone(),
            attempt,
            kind,
            port,
            socket: self.state.socket(service, kind, port),
            circuits: Arc::clone(&home.circuits),
            front: Arc::clone(&self.tools.kit.front),
            awaited: self.awaited.subscribe(),
            max_connections: self.tools.kit.max_connections,
            reports: self.tools.door_reports.clone(),
        };
        let door = Door::Opening {
            step: ConnectStep::OpeningPort,
            handle: DoorHandle::open(parts),
        };
        self.state.doors.insert(service.clone(), door);
        Ok(())
    }

    /// Starts closing whatever the door is; `shown`: the reason stays in its place.
    pub(super) fn close_door(
        &mut self,
        service: &ServiceName,
        door: Door,
        why: &Problem,
        shown: bool,
    ) {
        let after = if shown {
            After::Failed(why.clone().service(service))
        } else {
            After::Nothing
        };
        let next = match door.into_handle() {
            Some(handle) => {
                handle.close(why.clone());
                Some(Door::Closing { handle, after })
            }
            None => match after {
                After::Failed(problem) => Some(Door::Failed(problem)),
                After::Nothing | After::Again => None,
            },
        };
        if let Some(next) = next {
            self.state.doors.insert(service.clone(), next);
        }
    }

    pub(super) fn close_all_doors(&mut self, why: &Problem, shown: bool) {
        for (service, door) in std::mem::take(&mut self.state.doors) {
            if door.handle().is_some() {
                self.close_door(&service, door, why, shown);
            } else {
                self.state.doors.insert(service, door);
            }
        }
    }

    pub(super) async fn on_door(&mut self, report: DoorReport) {
        let DoorReport {
            service,
            attempt,
            news,
        } = report;
        let is_current = |door: &Door| {
            door.handle()
                .is_some_and(|handle| handle.attempt == attempt)
        };
        let Some(door) = self
            .state
            .doors
            .get_mut(&service)
            .filter(|door| is_current(door))
        else {
            return;
        };
        match (door, news) {
            (Door::Opening { step, .. }, DoorNews::Step(new)) => *step = new,
            (Door::Opening { .. }, DoorNews::Connected) => self.door_opened(&service),
            (Door::Opening { .. } | Door::Open { .. }, DoorNews::Visit(end)) => {
                self.visit_ended(&service, end);
            }
            (Door::Opening { .. } | Door::Open { .. }, DoorNews::Trouble(problem)) => {
                self.trouble(problem);
            }
            (Door::Opening { .. } | Door::Open { .. }, DoorNews::Failed(problem)) => {
                if problem.code == Code::PortTaken {
                    self.suggest_another(&service);
                }
                self.state.doors.insert(service, Door::Failed(problem));
            }
            (Door::Closing { after, .. }, DoorNews::Failed(_) | DoorNews::Closed) => {
                let after = std::mem::replace(after, After::Nothing);
                self.door_closed(&service, after).await;
            }
            // Nobody told it to: what is not open is not shown as open.
            (Door::Opening { .. } | Door::Open { .. }, DoorNews::Closed) => {
                self.door_closed(&service, After::Nothing).await;
            }
            // Told to close, it has said its last interesting word; the others have no door that speaks.
            (
                Door::Closing { .. },
                DoorNews::Step(_) | DoorNews::Connected | DoorNews::Visit(_) | DoorNews::Trouble(_),
            )
            | (Door::Open { .. }, DoorNews::Step(_) | DoorNews::Connected)
            | (Door::Wanted | Door::Failed(_), _) => {}
        }
    }

    /// Somebody else has its port: there is one that nobody has.
    fn suggest_another(&mut self, service: &ServiceName) {
        let Some(home) = &self.state.home else { return };
        let reference = ServiceRef::new(&home.membership.org, service);
        if let Some(other) = self.state.ports.other(&reference) {
            self.state.others.insert(service.clone(), other);
        }
    }

    async fn door_closed(&mut self, service: &ServiceName, after: After) {
        self.state.doors.remove(service);
        match after {
            After::Nothing => {}
            After::Failed(problem) => drop(
                self.state
                    .doors
                    .insert(service.clone(), Door::Failed(problem)),
            ),
            After::Again => {
                if let Err(problem) = self.connect(service).await {
                    self.trouble(problem);
                }
            }
        }
    }

    fn door_opened(&mut self, service: &ServiceName) {
        let since = self.tools.kit.clock.now();
        if let Some(handle) = self.state.doors.remove(service).and_then(Door::into_handle) {
            self.state.doors.insert(
                service.clone(),
                Door::Open {
                    since,
                    handle,
                    over: None,
                },
            );
        }
    }

    fn visit_ended(&mut self, service: &ServiceName, end: VisitEnd) {
        self.recount();
        match end {
            VisitEnd::Finished => self.close_if_over(service),
            VisitEnd::Refused(problem) | VisitEnd::Ended(problem) => {
                self.visit_troubled(service, problem);
            }
        }
    }

    fn visit_troubled(&mut self, service: &ServiceName, problem: Problem) {
        if !closes_the_door(problem.code) {
            self.trouble(problem);
            return self.close_if_over(service);
        }
        // What runs when the time is over may finish; the last one to do so closes the door, however that one ends.
        if problem.code == Code::GrantEnded && self.has_portals(service) {
            if let Some(Door::Open { over, .. }) = self.state.doors.get_mut(service) {
                *over = Some(problem);
            }
            return;
        }
        if let Some(door) = self.state.doors.remove(service) {
            self.close_door(service, door, &problem, true);
        }
    }

    fn close_if_over(&mut self, service: &ServiceName) {
        let Some(Door::Open { over, .. }) = self.state.doors.get(service) else {
            return;
        };
        if let Some(problem) = over.clone().filter(|_| !self.has_portals(service))
            && let Some(door) = self.state.doors.remove(service)
        {
            self.close_door(service, door, &problem, true);
        }
    }

    fn has_portals(&self, service: &ServiceName) -> bool {
        let home = self.state.home.as_ref();
        home.is_some_and(|home| home.circuits.live.tally(service).portals > 0)
    }

    /// Bytes are counted anew; a portal that was opened cures what was said about the way to it.
    pub(super) fn recount(&mut self) {
        let Some(home) = &self.state.home else { return };
        for service in home.catalogue.keys() {
            if home.circuits.live.take_opened(service) {
                // Whoever got in since has time again.
                if let Some(Door::Open { over, .. }) = self.state.doors.get_mut(service) {
                    *over = None;
                }
                self.state
                    .problems
                    .retain(|problem| !is_cured_by_a_portal(problem, service));
            }
        }
    }

    pub(super) fn open_wanted(&mut self) {
        for service in self.state.wanted() {
            self.state.doors.remove(&service);
            if let Err(problem) = self.open_door(&service) {
                self.trouble(problem);
            }
        }
    }
}
