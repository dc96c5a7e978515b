//! Connect and Disconnect, and what the hub and the doors report about services.
//! Unknown and forbidden look the same here as everywhere: one code, one sentence.

use std::sync::Arc;

use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};

use super::door::{DoorHandle, DoorNews, DoorParts, DoorReport};
use super::owner::Owner;
use super::state::{Account, After, Door, Way, closes_the_door, is_cured_by_a_portal};
use crate::ServiceRef;
use crate::circuit::Admission;
use crate::hub::access::Access;
use crate::hub::report::{HubReport, Learned};
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
            Account::SignedOut | Account::Waking { .. } => {
                self.sign_in(Way::Browser).await?;
                self.state.doors.insert(service.clone(), Door::Wanted);
            }
            Account::SignedIn { .. } if self.is_catalogue_fresh() => {
                return self.open_door(service);
            }
            Account::SignedIn { .. }
            | Account::Arriving { .. }
            | Account::SigningIn { .. }
            | Account::Introducing { .. } => {
                self.state.doors.insert(service.clone(), Door::Wanted);
            }
        }
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
                handle.close(Problem::new(Code::DisconnectedByYou).service(name));
                let after = After::Again;
                let door = Door::Closing { handle, after };
                self.state.doors.insert(name.clone(), door);
            }
            Some(other) => drop(self.state.doors.insert(name.clone(), other)),
            None => {}
        }
        Ok(())
    }

    /// Whether the catalogue is the hub's word in this session and not a memory.
    fn is_catalogue_fresh(&self) -> bool {
        matches!(&*self.admission.borrow(), Admission::Ready(_))
    }

    fn is_listed(&self, service: &ServiceName) -> bool {
        self.state
            .home
            .as_ref()
            .is_some_and(|home| home.lists(service))
    }

    fn not_available(&self, service: &ServiceName) -> Problem {
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
    fn close_door(&mut self, service: &ServiceName, door: Door, why: &Problem, shown: bool) {
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
        match (news, door) {
            (DoorNews::Step(new), Door::Opening { step, .. }) => *step = new,
            (DoorNews::Connected, Door::Opening { .. }) => self.door_opened(&service),
            (DoorNews::Failed(problem), Door::Opening { .. }) => {
                if problem.code == Code::PortTaken {
                    self.suggest_another(&service);
                }
                self.state.doors.insert(service, Door::Failed(problem));
            }
            (DoorNews::Trouble(problem), Door::Opening { .. }) => self.trouble(problem),
            (DoorNews::Visit(end), Door::Open { .. }) => self.visit_ended(&service, end),
            (DoorNews::Failed(_) | DoorNews::Closed, Door::Closing { after, .. }) => {
                let after = std::mem::replace(after, After::Nothing);
                self.door_closed(&service, after).await;
            }
            // A door that is closing has said its last interesting word.
            _ => {}
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
            self.state
                .doors
                .insert(service.clone(), Door::Open { since, handle });
        }
    }

    fn visit_ended(&mut self, service: &ServiceName, end: VisitEnd) {
        self.recount();
        let problem = match end {
            VisitEnd::Finished => return,
            VisitEnd::Refused(problem) | VisitEnd::Ended(problem) => problem,
        };
        if !closes_the_door(problem.code) {
            return self.trouble(problem);
        }
        if let Some(door) = self.state.doors.remove(service) {
            self.close_door(service, door, &problem, true);
        }
    }

    /// Bytes are counted anew; a portal that was opened cures what was said about the way to it.
    pub(super) fn recount(&mut self) {
        let Some(home) = &self.state.home else { return };
        for service in home.catalogue.keys() {
            if home.circuits.live.take_opened(service) {
                self.state
                    .problems
                    .retain(|problem| !is_cured_by_a_portal(problem, service));
            }
        }
    }

    pub(super) async fn on_hub(&mut self, report: HubReport) {
        match report {
            HubReport::State(state) => self.state.hub = state,
            HubReport::Trouble(problem) => self.trouble(problem),
            HubReport::Better(codes) => self.better(codes),
            HubReport::Granted(access) => self.granted(&access),
            HubReport::Introductions(seen) => self.on_introductions(seen),
            HubReport::Devices(devices) => self.on_devices(Ok(devices)),
            HubReport::Learned(learned) => self.learned(*learned),
            HubReport::Ended(problem) => self.sign_off(&problem, true).await,
        }
    }

    /// New rights: the catalogue may have changed, and whoever waited for sign-in goes on.
    fn granted(&mut self, access: &Arc<Access>) {
        let signed_in = Account::SignedIn {
            session: Arc::clone(&access.session),
        };
        if let Account::Arriving { tab: Some(tab), .. } =
            std::mem::replace(&mut self.state.account, signed_in)
        {
            self.tell_tab(tab, Ok(()));
        }
        let Some(home) = &mut self.state.home else {
            return;
        };
        home.catalogue.clone_from(&access.catalogue);
        self.keep_promises();
        self.state.list_ports();
        self.close_vanished();
        self.open_wanted();
    }

    fn open_wanted(&mut self) {
        for service in self.state.wanted() {
            self.state.doors.remove(&service);
            if let Err(problem) = self.open_door(&service) {
                self.trouble(problem);
            }
        }
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
        if let Err(problem) = self.disk.save(&home.membership) {
            self.trouble(problem);
        }
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
        if let Err(problem) = self.disk.save(&home.membership) {
            self.trouble(problem);
        }
    }
}
