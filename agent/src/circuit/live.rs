//! The portals that are open right now: renewed together, counted together, ended together.
//! It holds controls, never portals: the bytes belong to whoever opened the portal.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tidegate_link::{Line, PortalControl};
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::grant::Grant;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::time::UnixTime;
use tokio::time::timeout;

use super::Asks;
use super::doubt::Road;
use super::revive::{Mooring, Resumed};
use crate::hub::access::Access;
use crate::snapshot::{Reconnecting, Traffic};

/// A portal that takes no REAUTH within this time is stuck; its deadline ends it.
const REAUTH_LIMIT: Duration = Duration::from_secs(10);

/// All open portals of an agent.
#[derive(Default)]
pub(crate) struct Live(Mutex<BTreeMap<ServiceName, Ledger>>);

/// One service's portals, open and past.
#[derive(Default)]
struct Ledger {
    open: Vec<Entry>,
    /// Bytes of portals that have ended.
    past: Traffic,
    /// Whether a portal was opened since somebody last asked.
    opened: bool,
}

struct Entry {
    control: PortalControl,
    hash: HandshakeHash,
    /// As said at AUTH; a REAUTH moves it.
    deadline: UnixTime,
    /// It stands on a grant: a renewal without one would end it, also where what runs may still finish.
    granted: bool,
    /// Where it lies at its outlet, and over what its circuit came, if it can be resumed.
    mooring: Option<(Mooring, Road)>,
    /// What the last attempt to go on with it came to.
    tried: Option<Problem>,
}

/// What the snapshot shows of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) portals: u32,
    pub(crate) traffic: Traffic,
    /// The earliest deadline of an open portal.
    pub(crate) deadline: Option<UnixTime>,
    /// Those that nothing carries now.
    pub(crate) reconnecting: Option<Reconnecting>,
}

impl Live {
    pub(crate) fn add(
        &self,
        service: &ServiceName,
        control: PortalControl,
        hash: HandshakeHash,
        (deadline, granted): (UnixTime, bool),
        mooring: Option<(Mooring, Road)>,
    ) {
        let mut ledgers = self.lock();
        let ledger = ledgers.entry(service.clone()).or_default();
        ledger.prune();
        ledger.opened = true;
        ledger.open.push(Entry {
            control,
            hash,
            deadline,
            granted,
            mooring,
            tried: None,
        });
    }

    /// Where a portal lies, and over what its circuit came, if it can be resumed.
    pub(super) fn mooring(
        &self,
        service: &ServiceName,
        control: &PortalControl,
    ) -> Option<(Mooring, Road)> {
        let mut ledgers = self.lock();
        let entry = ledgers.get_mut(service)?.entry(control)?;
        entry.mooring.clone()
    }

    /// A portal goes on over another channel, until another deadline.
    pub(super) fn resumed(&self, service: &ServiceName, control: &PortalControl, by: &Resumed) {
        let mut ledgers = self.lock();
        let ledger = ledgers.get_mut(service);
        if let Some(entry) = ledger.and_then(|ledger| ledger.entry(control)) {
            (entry.hash, entry.deadline) = (by.hash, by.deadline);
            entry.tried = None;
            if let Some((mooring, road)) = &mut entry.mooring {
                road.clone_from(&by.road);
                by.grant.iter().for_each(|grant| mooring.stands_on(grant));
            }
        }
    }

    /// An attempt to go on with a portal came to nothing: why, for whoever wonders why a program waits.
    pub(super) fn tried(&self, service: &ServiceName, control: &PortalControl, why: Problem) {
        let mut ledgers = self.lock();
        let ledger = ledgers.get_mut(service);
        if let Some(entry) = ledger.and_then(|ledger| ledger.entry(control)) {
            entry.tried = Some(why);
        }
    }

    /// Whether some outlet would keep a portal if its circuit died.
    pub(super) fn has_kept(&self) -> bool {
        let ledgers = self.lock();
        let mut all = ledgers.values().flat_map(|ledger| &ledger.open);
        all.any(|entry| entry.mooring.is_some() && entry.control.ended().is_none())
    }

    /// After a sleep no circuit is trusted: those of portals that can be resumed are given up for new ones.
    pub(super) fn distrust(&self) {
        self.give_up(|_| true);
    }

    /// Gives up circuits that stand on addresses which are gone, where their portals can be resumed.
    pub(super) fn leave(&self, is_gone: impl Fn(IpAddr) -> bool) {
        self.give_up(|road| road.from.is_some_and(&is_gone));
    }

    fn give_up(&self, over: impl Fn(&Road) -> bool) {
        let ledgers = self.lock();
        let all = ledgers.values().flat_map(|ledger| &ledger.open);
        let of_road = |entry: &&Entry| matches!(&entry.mooring, Some((_, road)) if over(road));
        for entry in all.filter(of_road) {
            let _ = entry.control.detach();
        }
    }

    pub(crate) fn tally(&self, service: &ServiceName) -> Tally {
        self.lock()
            .get_mut(service)
            .map(|ledger| ledger.tally(service))
            .unwrap_or_default()
    }

    /// Whether a portal was opened since this was last asked.
    pub(crate) fn take_opened(&self, service: &ServiceName) -> bool {
        self.lock()
            .get_mut(service)
            .is_some_and(|ledger| std::mem::take(&mut ledger.opened))
    }

    /// Starts counting anew, at Connect.
    pub(crate) fn begin(&self, service: &ServiceName) {
        if let Some(ledger) = self.lock().get_mut(service) {
            ledger.prune();
            ledger.past = Traffic::default();
        }
    }

    /// Ends every portal of the chosen services.
    pub(crate) fn end(&self, chosen: impl Fn(&ServiceName) -> bool, why: Code) {
        let mut ledgers = self.lock();
        for (_, ledger) in ledgers.iter_mut().filter(|(service, _)| chosen(service)) {
            for entry in &ledger.open {
                entry.control.reset(why.number());
            }
            ledger.prune();
        }
    }

    /// Shows newer rights on every open portal.
    pub(crate) async fn renew(&self, access: &Access, asks: &Asks) {
        let open: Vec<_> = {
            let mut ledgers = self.lock();
            ledgers.values_mut().for_each(Ledger::prune);
            let all = ledgers.iter().flat_map(|(service, ledger)| {
                let holds = asks.granted(service).is_some();
                let shown = ledger
                    .open
                    .iter()
                    .filter(move |entry| holds || !entry.granted);
                shown.map(move |entry| (service, entry))
            });
            all.map(|(service, entry)| {
                entry.will_stand_on(asks.granted(service));
                (service.clone(), entry.control.clone(), entry.hash)
            })
            .collect()
        };
        let renewals = open.iter().map(|(service, control, hash)| async move {
            show(service, (control, hash), access, asks).await;
        });
        join_all(renewals).await;
    }

    /// As `renew`, on one portal.
    pub(super) async fn renew_one(
        &self,
        service: &ServiceName,
        control: &PortalControl,
        access: &Access,
        asks: &Asks,
    ) {
        let hash = {
            let mut ledgers = self.lock();
            let ledger = ledgers.get_mut(service);
            let entry = ledger.and_then(|ledger| ledger.entry(control));
            let holds = asks.granted(service).is_some();
            let entry = entry.filter(|entry| holds || !entry.granted);
            entry.map(|entry| {
                entry.will_stand_on(asks.granted(service));
                entry.hash
            })
        };
        if let Some(hash) = hash {
            show(service, (control, &hash), access, asks).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Ledger>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn show(
    service: &ServiceName,
    (control, hash): (&PortalControl, &HandshakeHash),
    access: &Access,
    asks: &Asks,
) {
    let grant = asks.granted(service).map(|grant| &**grant);
    if let Ok(record) = access.auth(service, hash, grant) {
        // An error means that the portal has just ended: whoever uses it learns that by itself.
        let _ = timeout(REAUTH_LIMIT, control.reauth(record)).await;
    }
}

impl Entry {
    /// Whether nothing carries it, and somebody sees to it that something will.
    fn is_lost(&self) -> bool {
        let line = *self.control.line().borrow();
        self.mooring.is_some() && matches!(line, Line::Lost { .. })
    }

    /// This is shown for it now.
    fn will_stand_on(&self, grant: Option<&Arc<Grant>>) {
        if let (Some((mooring, _)), Some(grant)) = (&self.mooring, grant) {
            mooring.stands_on(grant);
        }
    }
}

impl Ledger {
    fn entry(&mut self, control: &PortalControl) -> Option<&mut Entry> {
        let mut open = self.open.iter_mut();
        open.find(|entry| entry.control.is_of_the_same(control))
    }

    fn reconnecting(&self, service: &ServiceName) -> Option<Reconnecting> {
        let lost: Vec<_> = self.open.iter().filter(|entry| entry.is_lost()).collect();
        lost.first()?;
        let tried = lost.iter().rev().find_map(|entry| entry.tried.clone());
        Some(Reconnecting {
            portals: u32::try_from(lost.len()).unwrap_or(u32::MAX),
            why: tried.unwrap_or_else(|| Problem::new(Code::CircuitLost).service(service)),
        })
    }

    fn prune(&mut self) {
        let past = &mut self.past;
        self.open.retain(|entry| {
            let open = entry.control.ended().is_none();
            if !open {
                let traffic = entry.control.traffic();
                past.sent += traffic.sent;
                past.received += traffic.received;
            }
            open
        });
    }

    fn tally(&mut self, service: &ServiceName) -> Tally {
        self.prune();
        let mut tally = Tally {
            reconnecting: self.reconnecting(service),
            portals: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            traffic: self.past,
            deadline: None,
        };
        for entry in &self.open {
            let traffic = entry.control.traffic();
            tally.traffic.sent += traffic.sent;
            tally.traffic.received += traffic.received;
            let deadline = entry.control.deadline().borrow().unwrap_or(entry.deadline);
            tally.deadline = Some(
                tally
                    .deadline
                    .map_or(deadline, |earliest| earliest.min(deadline)),
            );
        }
        tally
    }
}
