//! The way to an outlet: valid rights, a relay whose link is up, and a circuit on which AUTH was sent.
//! Whoever goes back to a portal wants the outlet that has it, and no other of the service.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_link::{LinkError, RelayLink};
use tidegate_proto::names::{HubAddress, ServiceName};
use tidegate_proto::problem::{Code, Problem};
use tokio::time::timeout;

use super::admitted::{Circuit, CircuitError, number};
use super::plan::Plan;
use super::revive::Mooring;
use super::{Admission, Circuits, is_broken_way};
use crate::hub::access::{Access, Listing};

/// How long a portal waits for a renewal that is under way, say after the lid was opened.
const ACCESS_LIMIT: Duration = Duration::from_secs(20);
/// How long a portal waits for a relay to come back.
const LINK_LIMIT: Duration = Duration::from_secs(10);
/// How long another relay is waited for when one has said that it cannot help.
const ELSEWHERE: Duration = Duration::from_secs(1);

impl Circuits {
    /// A circuit with AUTH sent, not yet admitted.
    pub(super) async fn circuit(&self, service: &ServiceName) -> Result<Circuit, CircuitError> {
        let access = self.access().await;
        let access = access.map_err(|why| CircuitError::Refused(why.service(service)))?;
        self.circuit_on(&access, service).await
    }

    /// As `circuit`, to the one outlet where a portal lies, with what it stands on.
    pub(super) async fn circuit_to(
        &self,
        service: &ServiceName,
        mooring: &Mooring,
    ) -> Result<Circuit, CircuitError> {
        let access = self.access().await;
        let access = access.map_err(|why| CircuitError::Refused(why.service(service)))?;
        let listing = listing(&access, service)?;
        if !mooring.is_at_one_of(listing) {
            // It serves this no more: whoever answers there is nobody.
            return Err(CircuitError::Refused(not_there(service)));
        }
        self.circuit_by((&access, listing), Some(mooring)).await
    }

    /// As `circuit_to`, for somebody who only says farewell: for a moment also with rights that have just been given up.
    pub(super) async fn circuit_back(
        &self,
        service: &ServiceName,
        mooring: &Mooring,
    ) -> Result<Circuit, CircuitError> {
        let parting = self.farewells.parting().as_ref().map(Arc::clone);
        let Some(parting) = parting else {
            return self.circuit_to(service, mooring).await;
        };
        let listing = listing(&parting.access, service)?;
        let relays = &listing.statement.relays;
        let is_of_service =
            |(address, _): &&_| relays.iter().any(|relay| relay.address == *address);
        let found = parting.links.iter().find(is_of_service);
        let found = found.ok_or(LinkError::Lost)?;
        self.circuit_over((&parting.access, listing), found, Some(mooring))
            .await
    }

    pub(super) async fn circuit_on(
        &self,
        access: &Arc<Access>,
        service: &ServiceName,
    ) -> Result<Circuit, CircuitError> {
        let listing = listing(access, service)?;
        // Boxed: it is the larger part of whatever waits for a circuit.
        Box::pin(self.circuit_by((access, listing), None)).await
    }

    /// Over the first relay that is up and has an outlet of the service: one that has just come back may not have it yet,
    /// while others never lost it. The first no counts where no other way goes through.
    async fn circuit_by(
        &self,
        (access, listing): (&Arc<Access>, &Listing),
        mooring: Option<&Mooring>,
    ) -> Result<Circuit, CircuitError> {
        let mut relays = listing.statement.relays.clone();
        let first = self.links.up(&relays, LINK_LIMIT).await?;
        let no = match self.circuit_over((access, listing), &first, mooring).await {
            Err(CircuitError::Link(no @ LinkError::Refused(_))) => no,
            built => return built,
        };
        let mut last = first.0;
        loop {
            relays.retain(|relay| relay.address != last);
            let Ok(found) = self.links.up(&relays, ELSEWHERE).await else {
                return Err(no.into());
            };
            match self.circuit_over((access, listing), &found, mooring).await {
                Err(CircuitError::Link(LinkError::Refused(_))) => last = found.0,
                Err(error) if is_broken_way(&error) => return Err(no.into()),
                built => return built,
            }
        }
    }

    async fn circuit_over(
        &self,
        (access, listing): (&Arc<Access>, &Listing),
        (relay, link): &(HubAddress, Arc<RelayLink>),
        mooring: Option<&Mooring>,
    ) -> Result<Circuit, CircuitError> {
        let granted = self
            .asks
            .borrow()
            .granted(&listing.statement.service)
            .cloned();
        let grant = granted.or_else(|| mooring.and_then(Mooring::grant));
        let plan = Plan {
            access,
            listing,
            noise: &self.noise,
            relay,
            link,
            grant,
            only: mooring.map(|mooring| mooring.outlet),
            process: self.process.load(Ordering::Relaxed),
        };
        let reached = plan.reach().await;
        if matches!(reached, Err(CircuitError::Link(LinkError::TimedOut))) {
            self.links.distrust_one(relay);
            self.links.ask_others(relay).await;
        }
        plan.circuit(reached?).await
    }

    /// The rights of now, if there are any.
    pub(super) fn ready(&self) -> Option<Arc<Access>> {
        match &*self.admission.borrow() {
            Admission::Ready(access) => Some(Arc::clone(access)),
            Admission::Pending | Admission::None(_) => None,
        }
    }

    /// What was left behind until now waits for nobody any more: outlets learn that with the next portal or probe.
    pub(crate) fn leave_behind(&self) {
        self.process.store(number(), Ordering::Relaxed);
    }

    /// Valid rights, waiting for a renewal that is under way.
    pub(super) async fn access(&self) -> Result<Arc<Access>, Problem> {
        let mut admission = self.admission.clone();
        let now = || self.clock.now();
        let settled = |admission: &Admission| match admission {
            Admission::None(_) => true,
            Admission::Pending => false,
            Admission::Ready(access) => access.holds(now()),
        };
        if !settled(&admission.borrow()) {
            self.hurry.notify_one();
        }
        match timeout(ACCESS_LIMIT, admission.wait_for(settled)).await {
            Ok(Ok(settled)) => match &*settled {
                Admission::Ready(access) => Ok(Arc::clone(access)),
                Admission::None(why) => Err(why.clone()),
                Admission::Pending => Err(Problem::new(Code::HubUnreachable)),
            },
            Ok(Err(_)) => Err(Problem::new(Code::AppQuitting)),
            Err(_) => Err(Problem::new(Code::HubUnreachable)),
        }
    }
}

fn listing<'a>(access: &'a Access, service: &ServiceName) -> Result<&'a Listing, CircuitError> {
    let listing = access.catalogue.get(service);
    listing.ok_or_else(|| CircuitError::Refused(not_there(service)))
}

fn not_there(service: &ServiceName) -> Problem {
    Problem::new(Code::NotAvailable).service(service)
}
