//! Where portals lie that can be resumed: found by their device's identity and their number, and by nothing else.
//! A berth lets nobody in: whoever comes has proved everything again on a circuit of their own, and is judged again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_link::Secure;
use tidegate_proto::entropy::Entropy;
use tidegate_proto::event::PortalResumed;
use tidegate_proto::frame::{Open, Resume};
use tidegate_proto::identity::PeerId;
use tidegate_proto::names::{ServiceName, Subject};
use tidegate_proto::session::Session;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// All berths of one process of an outlet.
pub(crate) struct Berths {
    /// Names this process: what it holds dies with it.
    pub(crate) instance: [u8; 16],
    taken: Mutex<HashMap<Key, Taken>>,
}

/// A number is the agent's own, so it means something only together with the agent's identity.
type Key = (PeerId, u64);
/// Who speaks: a device, and for whom.
type Owner<'a> = (PeerId, &'a Subject);

struct Taken {
    /// Whose it is: one device may speak for several persons.
    sub: Subject,
    /// Of the agent.
    process: u64,
    /// The process that would come back has gone.
    deserted: CancellationToken,
    service: ServiceName,
    /// It stands on one.
    granted: bool,
    /// The highest that came so far. None that is not higher is let near.
    generation: u64,
    comers: mpsc::Sender<Comer>,
}

/// Somebody who may go on with a portal.
pub(crate) struct Comer {
    pub(crate) secure: Secure,
    /// Carries the portal already: policy was asked.
    pub(crate) session: Session,
    pub(crate) resume: Resume,
    pub(crate) record: PortalResumed,
}

/// Why nobody may go on with what they name. The peer never learns which.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoBerth {
    #[error("the portal to resume is held by another process")]
    OtherInstance,
    #[error("this device has no such portal to resume")]
    Unknown,
    #[error("the portal was resumed with this generation or a higher one before")]
    Stale,
}

/// What a portal stands on, and the way to it.
pub(crate) struct Found {
    pub(crate) granted: bool,
    pub(crate) comers: mpsc::Sender<Comer>,
}

impl Berths {
    pub(crate) fn new(entropy: &dyn Entropy) -> Arc<Self> {
        let mut instance = [0; 16];
        entropy.fill(&mut instance);
        Arc::new(Self {
            instance,
            taken: Mutex::default(),
        })
    }

    /// A berth for a new portal; none when this device has one of that number.
    pub(crate) fn take(
        self: &Arc<Self>,
        (device, sub): Owner<'_>,
        service: &ServiceName,
        open: &Open<'_>,
    ) -> Option<Berth> {
        let (comers, coming) = mpsc::channel(1);
        let deserted = CancellationToken::new();
        let taken = Taken {
            sub: sub.clone(),
            process: open.process,
            deserted: deserted.clone(),
            service: service.clone(),
            granted: open.grant.is_some(),
            generation: 0,
            comers,
        };
        let key = (device, open.portal);
        match self.lock().entry(key) {
            std::collections::hash_map::Entry::Occupied(_) => return None,
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(taken)),
        }
        Some(Berth {
            berths: Arc::clone(self),
            key,
            coming,
            deserted,
        })
    }

    /// A process of this person's device is at work: nobody comes back for what another one left behind.
    pub(crate) fn arrived(&self, (device, sub): Owner<'_>, process: u64) {
        let lock = self.lock();
        let of_device = lock.iter().filter(|((owner, _), _)| *owner == device);
        let others = of_device.filter(|(_, taken)| taken.sub == *sub && taken.process != process);
        others.for_each(|(_, taken)| taken.deserted.cancel());
    }

    /// The portal that this person's device names. From now on only a higher generation finds it.
    pub(crate) fn find(
        &self,
        (device, sub): Owner<'_>,
        service: &ServiceName,
        resume: &Resume,
    ) -> Result<Found, NoBerth> {
        if resume.instance != self.instance {
            return Err(NoBerth::OtherInstance);
        }
        let mut lock = self.lock();
        let taken = lock.get_mut(&(device, resume.portal));
        let taken = taken.filter(|taken| taken.service == *service && taken.sub == *sub);
        let taken = taken.ok_or(NoBerth::Unknown)?;
        if resume.generation <= taken.generation {
            return Err(NoBerth::Stale);
        }
        taken.generation = resume.generation;
        Ok(Found {
            granted: taken.granted,
            comers: taken.comers.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One portal's berth, given back when it is dropped.
pub(crate) struct Berth {
    berths: Arc<Berths>,
    key: Key,
    coming: mpsc::Receiver<Comer>,
    deserted: CancellationToken,
}

impl Berth {
    pub(crate) fn instance(&self) -> [u8; 16] {
        self.berths.instance
    }

    /// Cancelled when nobody will come any more.
    pub(crate) fn deserted(&self) -> CancellationToken {
        self.deserted.clone()
    }

    /// The next who may go on. Safe to abandon.
    pub(crate) async fn next(&mut self) -> Comer {
        match self.coming.recv().await {
            Some(comer) => comer,
            // Our own sender is in the berth that we hold.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        self.berths.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tidegate_proto::entropy::SystemEntropy;
    use tidegate_proto::frame::Purpose;

    fn open(portal: u64, process: u64) -> Open<'static> {
        Open {
            portal,
            process,
            purpose: Purpose::Resumable,
            grant: None,
            first: &[],
        }
    }

    fn resume(berths: &Berths, portal: u64, generation: u64) -> Resume {
        Resume {
            instance: berths.instance,
            portal,
            generation,
            received: 0,
        }
    }

    #[test]
    fn only_the_same_device_with_a_higher_generation_finds_its_portal() {
        let berths = Berths::new(&SystemEntropy);
        let (sub, other_sub) = ("00uana".parse().unwrap(), "00uben".parse().unwrap());
        let (key, foreign) = (PeerId::new([1; 32]).unwrap(), PeerId::new([2; 32]).unwrap());
        let (ana, eve, ben) = ((key, &sub), (foreign, &sub), (key, &other_sub));
        let (echo, other) = ("echo".parse().unwrap(), "other".parse().unwrap());
        let berth = berths.take(ana, &echo, &open(7, 1)).unwrap();
        let find = |device, service, resume: Resume| {
            let found = berths.find(device, service, &resume);
            found.err()
        };

        assert!(berths.take(ana, &echo, &open(7, 1)).is_none());
        assert_eq!(
            find(eve, &echo, resume(&berths, 7, 1)),
            Some(NoBerth::Unknown)
        );
        assert_eq!(
            find(ben, &echo, resume(&berths, 7, u64::MAX)),
            Some(NoBerth::Unknown),
            "her device, in another name"
        );
        assert_eq!(
            find(ana, &other, resume(&berths, 7, 1)),
            Some(NoBerth::Unknown)
        );
        assert_eq!(
            find(ana, &echo, resume(&berths, 8, 1)),
            Some(NoBerth::Unknown)
        );
        let elsewhere = Resume {
            instance: [0; 16],
            ..resume(&berths, 7, 1)
        };
        assert_eq!(find(ana, &echo, elsewhere), Some(NoBerth::OtherInstance));
        assert_eq!(find(ana, &echo, resume(&berths, 7, 2)), None);
        assert_eq!(
            find(ana, &echo, resume(&berths, 7, 2)),
            Some(NoBerth::Stale)
        );
        assert_eq!(
            find(ana, &echo, resume(&berths, 7, 1)),
            Some(NoBerth::Stale)
        );

        drop(berth);
        assert_eq!(
            find(ana, &echo, resume(&berths, 7, 3)),
            Some(NoBerth::Unknown)
        );
        assert!(berths.lock().is_empty());
    }

    #[test]
    fn another_process_of_the_device_leaves_nobody_waiting_for_the_former() {
        let berths = Berths::new(&SystemEntropy);
        let (sub, other_sub) = ("00uana".parse().unwrap(), "00uben".parse().unwrap());
        let (key, foreign) = (PeerId::new([1; 32]).unwrap(), PeerId::new([2; 32]).unwrap());
        let (ana, ben) = ((key, &sub), (foreign, &sub));
        let echo = "echo".parse().unwrap();
        let old = berths.take(ana, &echo, &open(1, 1)).unwrap();
        let new = berths.take(ana, &echo, &open(2, 2)).unwrap();
        let other = berths.take(ben, &echo, &open(1, 1)).unwrap();
        let namesake = berths.take((key, &other_sub), &echo, &open(3, 1)).unwrap();

        berths.arrived(ana, 2);

        let deserted = [old, new, other, namesake].map(|berth| berth.deserted().is_cancelled());
        assert_eq!(deserted, [true, false, false, false]);
        assert!(berths.lock().is_empty());
    }
}
