//! The old device's part: which new one wants to be let in, the words for both screens, and the vouch.
//! Key and commitment of the new device are fixed before our nonce is shown; whatever the hub says about them later is not looked at.

use std::collections::BTreeMap;

use tidegate_proto::api::devices::{Introduction, Step};
use tidegate_proto::entropy::{Entropy, SystemEntropy};
use tidegate_proto::identity::{SigningKey, VerifyKey};
use tidegate_proto::introduction::Introduced;
use tidegate_proto::names::{OrgName, Subject};
use tidegate_proto::statement::{Assurance, DeviceChain, Statement, Vouch};
use tidegate_proto::strict::to_base64url;
use tidegate_proto::text::Shown;
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::SIGNED_IN_WITH_A_CODE;

use crate::snapshot::{DeviceRequest, DeviceRequestState};

/// Somebody in between gave another nonce than the one that was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the nonce does not open the commitment")]
pub(crate) struct Forged;

/// Those that ask, and those that are being compared here.
#[derive(Default)]
pub(crate) struct Requests {
    seen: Vec<Introduction>,
    comparing: BTreeMap<String, Comparing>,
}

/// What was seen when the person said that it is to be compared, and our nonce.
struct Comparing {
    newcomer: VerifyKey,
    commitment: [u8; 32],
    nonce: [u8; 32],
}

impl Requests {
    /// Takes in what the hub says. Gives those whose nonce is not the one that was bound: they must be declined.
    pub(crate) fn hear(&mut self, seen: Vec<Introduction>, us: &Us) -> Vec<String> {
        self.comparing
            .retain(|id, _| seen.iter().any(|other| other.id == *id));
        self.seen = seen;
        let forged: Vec<_> = self
            .seen
            .iter()
            .filter(|seen| self.words(seen, us) == Some(Err(Forged)))
            .map(|seen| seen.id.clone())
            .collect();
        for id in &forged {
            self.forget(id);
        }
        forged
    }

    /// Forgets all: nobody is signed in any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn forget(&mut self, id: &str) {
        self.comparing.remove(id);
        self.seen.retain(|seen| seen.id != id);
    }

    /// The step that shows our nonce; the same again when asked again.
    pub(crate) fn compare(&mut self, id: &str) -> Option<Step> {
        let seen = self.seen.iter().find(|seen| seen.id == id)?;
        let comparing = self
            .comparing
            .entry(id.to_owned())
            .or_insert_with(|| Comparing {
                newcomer: seen.newcomer,
                commitment: seen.commitment,
                nonce: fresh(),
            });
        Some(Step::Compare {
            nonce: comparing.nonce,
        })
    }

    /// The step that vouches for a device whose words are on the screen.
    pub(crate) fn approve(
        &self,
        id: &str,
        us: &Us,
        (identity, chain): (&SigningKey, Option<&DeviceChain>),
        now: UnixTime,
    ) -> Option<Step> {
        let seen = self.seen.iter().find(|seen| seen.id == id)?;
        self.words(seen, us)?.ok()?;
        let vouch = Vouch {
            org: us.org.clone(),
            sub: us.sub.clone(),
            key: self.comparing.get(id)?.newcomer,
            at: now,
            id: to_base64url(fresh().get(..16)?),
        };
        Some(Step::Approve {
            vouch: vouch.sign(identity),
            chain: chain.cloned(),
        })
    }

    /// For the snapshot.
    pub(crate) fn view(&self, us: Option<&Us>, now: UnixTime) -> Vec<DeviceRequest> {
        let Some(us) = us else { return Vec::new() };
        let view = |seen: &Introduction| DeviceRequest {
            id: seen.id.clone(),
            label: label(seen),
            until: seen.expires,
            state: self.state(seen, us),
        };
        let open = self.seen.iter().filter(|seen| now < seen.expires);
        open.map(view).collect()
    }

    fn state(&self, seen: &Introduction, us: &Us) -> DeviceRequestState {
        if let Some(Ok(words)) = self.words(seen, us) {
            return DeviceRequestState::Words {
                words: words.map(str::to_owned).to_vec(),
            };
        }
        let by = seen.sponsor.as_ref().map(|sponsor| sponsor.key);
        match (self.comparing.contains_key(&seen.id), by) {
            (true, _) => DeviceRequestState::Comparing,
            (false, Some(_)) => DeviceRequestState::Elsewhere,
            (false, None) => DeviceRequestState::Asking,
        }
    }

    /// `None` while there is nothing to compare yet.
    fn words(&self, seen: &Introduction, us: &Us) -> Option<Result<[&'static str; 6], Forged>> {
        let comparing = self.comparing.get(&seen.id)?;
        let ours = seen
            .sponsor
            .as_ref()
            .is_some_and(|sponsor| sponsor.key == us.key && sponsor.nonce == comparing.nonce);
        let revealed = seen.revealed.as_ref().filter(|_| ours)?;
        let introduced = Introduced {
            org: us.org.clone(),
            sub: us.sub.clone(),
            newcomer: (comparing.newcomer, revealed.nonce),
            sponsor: (us.key, comparing.nonce),
        };
        if introduced.opens(&comparing.commitment) {
            Some(Ok(introduced.words()))
        } else {
            Some(Err(Forged))
        }
    }
}

/// What the new device calls itself, and by us how it signed in: a thief of an ID token would choose a name that is known.
fn label(seen: &Introduction) -> String {
    let own = Shown::new(&seen.label).to_string();
    match seen.assurance {
        Assurance::High => own,
        Assurance::Low => format!("{own} ({SIGNED_IN_WITH_A_CODE})")
            .trim_start()
            .to_owned(),
    }
}

/// Who this device is, to both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Us {
    pub(crate) org: OrgName,
    pub(crate) sub: Subject,
    pub(crate) key: VerifyKey,
}

pub(super) fn fresh() -> [u8; 32] {
    let mut nonce = [0; 32];
    SystemEntropy.fill(&mut nonce);
    nonce
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::api::devices::{Revealed, Sponsor};
    use tidegate_proto::introduction::commitment;

    use super::*;

    const NONCE: [u8; 32] = [7; 32];

    fn key(n: u8) -> VerifyKey {
        SigningKey::from_seed(&[n; 32]).verify_key()
    }

    fn us() -> Us {
        Us {
            org: "acme".parse().unwrap(),
            sub: "00uana".parse().unwrap(),
            key: key(1),
        }
    }

    fn asked() -> Introduction {
        Introduction {
            id: "one".into(),
            newcomer: key(2),
            label: "new\u{202e}".into(),
            assurance: Assurance::High,
            commitment: commitment(&us().org, &us().sub, &key(2), &NONCE),
            expires: UnixTime(600),
            sponsor: None,
            revealed: None,
            end: None,
        }
    }

    /// What the hub says once both nonces are there.
    fn answered(step: &Step, nonce: [u8; 32]) -> Introduction {
        let Step::Compare { nonce: ours } = step else {
            panic!("not a nonce")
        };
        Introduction {
            sponsor: Some(Sponsor {
                key: us().key,
                nonce: *ours,
            }),
            revealed: Some(Revealed { nonce }),
            ..asked()
        }
    }

    #[test]
    fn the_words_come_after_both_nonces_and_only_then_can_it_be_approved() {
        let identity = SigningKey::from_seed(&[1; 32]);
        let mut requests = Requests::default();
        requests.hear(vec![asked()], &us());
        assert!(
            requests
                .approve("one", &us(), (&identity, None), UnixTime(1))
                .is_none()
        );

        let step = requests.compare("one").unwrap();
        assert_eq!(
            requests.view(Some(&us()), UnixTime(1))[0].state,
            DeviceRequestState::Comparing
        );
        let forged = requests.hear(vec![answered(&step, NONCE)], &us());

        assert!(forged.is_empty());
        let view = requests.view(Some(&us()), UnixTime(1));
        assert!(matches!(&view[0].state, DeviceRequestState::Words { words } if words.len() == 6));
        assert!(!view[0].label.contains('\u{202e}'));
        assert!(!view[0].label.contains("code"));
        let Some(Step::Approve { vouch, .. }) =
            requests.approve("one", &us(), (&identity, None), UnixTime(1))
        else {
            panic!("not approved")
        };
        let vouch = Vouch::verify_for(&vouch, &us().key, &us().org).unwrap();
        assert_eq!((vouch.key, vouch.sub), (key(2), us().sub));
    }

    #[test]
    fn a_nonce_that_was_chosen_afterwards_is_found_out() {
        let mut requests = Requests::default();
        requests.hear(vec![asked()], &us());
        let step = requests.compare("one").unwrap();

        let forged = requests.hear(vec![answered(&step, [8; 32])], &us());

        assert_eq!(forged, ["one"]);
        assert!(requests.view(Some(&us()), UnixTime(1)).is_empty());
    }

    #[test]
    fn a_key_that_was_swapped_after_our_nonce_was_seen_is_not_the_one_that_is_vouched_for() {
        let identity = SigningKey::from_seed(&[1; 32]);
        let mut requests = Requests::default();
        requests.hear(vec![asked()], &us());
        let step = requests.compare("one").unwrap();
        let mut swapped = answered(&step, NONCE);
        swapped.newcomer = key(9);
        swapped.commitment = commitment(&us().org, &us().sub, &key(9), &NONCE);

        requests.hear(vec![swapped], &us());

        let Some(Step::Approve { vouch, .. }) =
            requests.approve("one", &us(), (&identity, None), UnixTime(1))
        else {
            panic!("not approved")
        };
        let vouch = Vouch::verify_for(&vouch, &us().key, &us().org).unwrap();
        assert_eq!(vouch.key, key(2));
    }

    #[test]
    fn whoever_signed_in_with_a_code_is_shown_as_such_whatever_it_calls_itself() {
        let mut requests = Requests::default();
        let low = Introduction {
            assurance: Assurance::Low,
            ..asked()
        };

        requests.hear(vec![low], &us());

        let view = requests.view(Some(&us()), UnixTime(1));
        assert!(
            view[0]
                .label
                .ends_with("(signed in with a code, from anywhere)")
        );
    }

    #[test]
    fn what_is_compared_elsewhere_says_so() {
        let mut requests = Requests::default();
        let elsewhere = Introduction {
            sponsor: Some(Sponsor {
                key: key(5),
                nonce: [5; 32],
            }),
            ..asked()
        };

        requests.hear(vec![elsewhere], &us());

        assert_eq!(
            requests.view(Some(&us()), UnixTime(1))[0].state,
            DeviceRequestState::Elsewhere
        );
    }
}
