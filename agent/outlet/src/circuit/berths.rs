//! Where portals lie that can be resumed: found by their device's identity and their number, and by nothing else.
//! A berth lets nobody in: whoever comes has proved everything again on a circuit of their own, and is judged again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_link::Secure;
use tidegate_proto::entropy::Entropy;
use tidegate_proto::event::PortalResumed;
use tidegate_proto::frame::Resume;
use tidegate_proto::identity::PeerId;
use tidegate_proto::names::ServiceName;
use tidegate_proto::session::Session;
use tokio::sync::mpsc;

/// All berths of one process of an outlet.
pub(crate) struct Berths {
    /// Names this process: what it holds dies with it.
    pub(crate) instance: [u8; 16],
    taken: Mutex<HashMap<Key, Taken>>,
}

/// A number is the agent's own, so it means something only together with the agent's identity.
type Key = (PeerId, u64);

struct Taken {
    service: ServiceName,
    grant: Option<[u8; 32]>,
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

/// What a portal was opened with, and the way to it.
pub(crate) struct Found {
    pub(crate) grant: Option<[u8; 32]>,
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
        device: PeerId,
        portal: u64,
        service: &ServiceName,
        grant: Option<[u8; 32]>,
    ) -> Option<Berth> {
        let (comers, coming) = mpsc::channel(1);
        let taken = Taken {
            service: service.clone(),
            grant,
            generation: 0,
            comers,
        };
        let key = (device, portal);
        match self.lock().entry(key) {
            std::collections::hash_map::Entry::Occupied(_) => return None,
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(taken)),
        }
        Some(Berth {
            berths: Arc::clone(self),
            key,
            coming,
        })
    }

    /// The portal that `device` names. From now on only a higher generation finds it.
    pub(crate) fn find(
        &self,
        device: PeerId,
        service: &ServiceName,
        resume: &Resume,
    ) -> Result<Found, NoBerth> {
        if resume.instance != self.instance {
            return Err(NoBerth::OtherInstance);
        }
        let mut lock = self.lock();
        let taken = lock.get_mut(&(device, resume.portal));
        let taken = taken.filter(|taken| taken.service == *service);
        let taken = taken.ok_or(NoBerth::Unknown)?;
        if resume.generation <= taken.generation {
            return Err(NoBerth::Stale);
        }
        taken.generation = resume.generation;
        Ok(Found {
            grant: taken.grant,
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
}

impl Berth {
    pub(crate) fn instance(&self) -> [u8; 16] {
        self.berths.instance
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
        let (ana, eve) = (PeerId::new([1; 32]).unwrap(), PeerId::new([2; 32]).unwrap());
        let (echo, other) = ("echo".parse().unwrap(), "other".parse().unwrap());
        let berth = berths.take(ana, 7, &echo, None).unwrap();
        let find = |device, service, resume: Resume| {
            let found = berths.find(device, service, &resume);
            found.err()
        };

        assert!(berths.take(ana, 7, &echo, None).is_none());
        assert_eq!(
            find(eve, &echo, resume(&berths, 7, 1)),
            Some(NoBerth::Unknown)
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
}
