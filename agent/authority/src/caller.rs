//! Who is at the other end of a connection, once a call on it has proved it, and how many connections each may hold.
//! The proof is over this channel's hash: it holds for this connection and for no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_proto::{
    channel::HandshakeHash,
    identity::{NoisePublic, PeerId, VerifyKey},
    names::Subject,
    principal::Principal,
    statement::RevokeTarget,
    time::UnixTime,
};
use tokio::sync::watch;

use crate::refusal::Refusal;

/// Connections of all who proved who they are.
const MOST: u32 = 4096;
/// Connections of one key: one for events, one for a renewal, and some that have not noticed yet that they are dead.
const MOST_OF_ONE: u32 = 16;

/// Somebody with a proved key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Agent {
        sub: Subject,
        device: PeerId,
        /// The epoch of the credential.
        epoch: u64,
        /// When credential or sign-in have run out: who comes back shows newer ones.
        until: UnixTime,
        /// As of the credential: which requests concern them.
        principal: Arc<Principal>,
    },
    Outlet {
        identity: VerifyKey,
    },
    /// A relay, by the key of its end of the channel.
    Relay {
        noise: NoisePublic,
    },
    /// A device that is not enrolled and waits to be let in by another one.
    Newcomer {
        key: VerifyKey,
        until: UnixTime,
    },
}

impl Who {
    pub(crate) fn key(&self) -> PeerId {
        match self {
            Self::Agent { device, .. } => *device,
            Self::Outlet { identity } => identity.peer_id(),
            Self::Relay { noise } => noise.peer_id(),
            Self::Newcomer { key, .. } => key.peer_id(),
        }
    }

    /// Whether a revocation means this one.
    pub(crate) fn is(&self, target: &RevokeTarget) -> bool {
        match (self, target) {
            (Self::Agent { sub, .. }, RevokeTarget::Subject(revoked)) => sub == revoked,
            (_, RevokeTarget::Device(revoked)) => self.key() == *revoked,
            (_, RevokeTarget::Subject(_)) => false,
        }
    }
}

/// One connection.
pub(crate) struct Caller {
    pub(crate) hash: HandshakeHash,
    /// The key of its end of the channel.
    pub(crate) noise: NoisePublic,
    guests: Arc<Guests>,
    who: watch::Sender<Option<Who>>,
    counted: Mutex<Option<Counted>>,
    /// Whether events are being sent: such a connection lives on.
    pub(crate) streaming: watch::Sender<bool>,
}

impl Caller {
    pub(crate) fn new(hash: HandshakeHash, noise: NoisePublic, guests: Arc<Guests>) -> Self {
        let (who, streaming) = (watch::Sender::new(None), watch::Sender::new(false));
        Self {
            hash,
            noise,
            guests,
            who,
            counted: Mutex::default(),
            streaming,
        }
    }

    /// Notes who this is. A connection speaks for one key only.
    pub(crate) fn proved(&self, who: Who) -> Result<(), Refusal> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match &*counted {
            Some(already) if already.key != who.key() => return Err(Refusal::Proof),
            Some(_) => {}
            None => *counted = Some(Guests::count(&self.guests, who.key())?),
        }
        self.who.send_replace(Some(who));
        Ok(())
    }

    pub(crate) fn who(&self) -> Option<Who> {
        self.who.borrow().clone()
    }

    /// Ends when somebody has been proved to be there.
    pub(crate) async fn is_proved(&self) {
        // The sender lives as long as we do.
        let _ = self.who.subscribe().wait_for(Option::is_some).await;
    }
}

/// Counts connections by key.
#[derive(Default)]
pub(crate) struct Guests(Mutex<HashMap<PeerId, u32>>);

struct Counted {
    guests: Arc<Guests>,
    key: PeerId,
}

impl Guests {
    fn count(guests: &Arc<Self>, key: PeerId) -> Result<Counted, Refusal> {
        let mut counts = guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u32 = counts.values().sum();
        let of_one = counts.get(&key).copied().unwrap_or(0);
        if all >= MOST || of_one >= MOST_OF_ONE {
            return Err(Refusal::Busy);
        }
        counts.insert(key, of_one + 1);
        Ok(Counted {
            guests: Arc::clone(guests),
            key,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::identity::{NoiseSecret, SigningKey};

    use super::*;

    fn outlet(n: u8) -> Who {
        Who::Outlet {
            identity: SigningKey::from_seed(&[n; 32]).verify_key(),
        }
    }

    fn caller(guests: &Arc<Guests>) -> Caller {
        let noise = NoiseSecret::from_bytes(&[1; 32]).public();
        Caller::new(HandshakeHash([0; 32]), noise, guests.clone())
    }

    #[test]
    fn one_key_holds_so_many_connections_and_gives_them_back() {
        let guests = Arc::new(Guests::default());
        let callers: Vec<_> = (0..MOST_OF_ONE).map(|_| caller(&guests)).collect();
        for caller in &callers {
            caller.proved(outlet(1)).unwrap();
            caller.proved(outlet(1)).unwrap();
        }

        assert_eq!(caller(&guests).proved(outlet(1)), Err(Refusal::Busy));
        caller(&guests).proved(outlet(2)).unwrap();

        drop(callers);
        assert!(guests.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_connection_speaks_for_one_key_only() {
        let caller = caller(&Arc::default());
        caller.proved(outlet(1)).unwrap();

        assert_eq!(caller.proved(outlet(2)), Err(Refusal::Proof));
        assert_eq!(caller.who(), Some(outlet(1)));
    }
}
