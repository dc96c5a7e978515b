//! The new device's part: signed in but not enrolled, it asks the person's other devices, and waits for one of them to vouch.
//! Its nonce is shown only after it has seen the other's, and to one device only: a second try begins with a new nonce.

use std::sync::Arc;

use tidegate_proto::api::devices::{
    Introduction, IntroductionEnd, IntroductionRequest, MAX_LABEL, Sponsor, Step,
};
use tidegate_proto::api::{CredentialRequest, event};
use tidegate_proto::auth::prove;
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::introduction::{Introduced, commitment};
use tidegate_proto::names::{OrgName, Subject};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{DeviceChain, Statement, Vouch};
use tidegate_proto::text::deceives;
use tidegate_proto::time::UnixTime;
use tokio::sync::mpsc;

use super::Asker;
use super::sponsor::fresh;
use crate::hub::api::{Api, ApiError, Events};
use crate::signin::tokens::Session;

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Introducing {
    /// Nobody has looked at the other devices yet.
    Asking { until: UnixTime },
    /// The words are on both screens.
    Words {
        words: [&'static str; 6],
        until: UnixTime,
    },
}

/// A device that was let in.
pub(crate) struct LetIn {
    /// As the authority calls this device.
    pub(crate) device: String,
    /// How it came to be one, as the other device says.
    pub(crate) chain: Option<DeviceChain>,
}

/// Everything one try works with.
pub(crate) struct Newcomer {
    pub(crate) asker: Asker,
    pub(crate) session: Arc<Session>,
    pub(crate) label: String,
    pub(crate) progress: mpsc::Sender<Introducing>,
}

impl Newcomer {
    /// Asks, and waits until another device has decided. Dropping it leaves the request to run out.
    pub(crate) async fn run(self) -> Result<LetIn, Problem> {
        let address = self.asker.hub.address.clone();
        let outcome = self.introduce().await;
        outcome.map_err(|error| match error {
            Trouble::Api(error) => error.problem(&address),
            Trouble::Code(code) => Problem::new(code),
        })
    }

    async fn introduce(&self) -> Result<LetIn, Trouble> {
        let nonce = fresh();
        let (asked, mut events) = self.ask(&nonce).await?;
        self.say(Introducing::Asking {
            until: asked.expires,
        })
        .await;
        let sponsor = loop {
            match self.heard(&mut events, &asked.id).await?.sponsor {
                Some(sponsor) => break sponsor,
                None => continue,
            }
        };
        // From here on it is this device or none: our nonce is known now.
        let revealed = self.asker.step(&asked.id, Step::Reveal { nonce }).await?;
        self.say(Introducing::Words {
            words: self.introduced(&sponsor, nonce).words(),
            until: revealed.expires,
        })
        .await;
        loop {
            let seen = self.heard(&mut events, &asked.id).await?;
            if let Some(IntroductionEnd::Approved {
                device,
                vouch,
                chain,
            }) = seen.end
            {
                self.check(&vouch, &sponsor)?;
                let chain = chain.map(|chain| chain.with(vouch));
                return Ok(LetIn { device, chain });
            }
        }
    }

    async fn ask(&self, nonce: &[u8; 32]) -> Result<(Introduction, Events), Trouble> {
        let mut api = Api::connect(&self.asker.hub, &self.asker.noise).await?;
        let (identity, session) = (&self.asker.identity, &self.session);
        let request = IntroductionRequest {
            person: CredentialRequest {
                identity: identity.verify_key(),
                id_token_0: session.id_token_0.to_string(),
                rz: session.rz,
                id_token_n: session.id_token_n.as_ref().map(|token| token.to_string()),
                link_key: self.asker.noise.public(),
                proof: prove(&api.hash, identity),
            },
            label: plain(&self.label),
            commitment: commitment(
                &self.asker.hub.org,
                &session.claims.subject,
                &identity.verify_key(),
                nonce,
            ),
        };
        let asked = api.introduce(&request).await?;
        Ok((asked, api.events().await?))
    }

    /// How it stands, each time the hub says so.
    async fn heard(&self, events: &mut Events, id: &str) -> Result<Introduction, Trouble> {
        loop {
            let heard = events.next().await?;
            if heard.name != event::INTRODUCTIONS {
                continue;
            }
            let all: Vec<Introduction> =
                serde_json::from_str(&heard.data).map_err(|_| ApiError::Shape)?;
            let mine = all.into_iter().find(|introduction| introduction.id == id);
            return match mine {
                None => Err(Trouble::Code(Code::IntroductionOver)),
                Some(seen) if seen.end == Some(IntroductionEnd::Declined) => {
                    Err(Trouble::Code(Code::IntroductionOver))
                }
                Some(seen) => Ok(seen),
            };
        }
    }

    /// Nothing depends on the vouch here, but one that does not hold means that the words were not compared.
    fn check(&self, vouch: &str, sponsor: &Sponsor) -> Result<(), Trouble> {
        let me = Me {
            org: &self.asker.hub.org,
            key: self.asker.identity.verify_key(),
            sub: &self.session.claims.subject,
        };
        if me.is_vouched_for(vouch, &sponsor.key) {
            Ok(())
        } else {
            Err(Trouble::Code(Code::IntroductionForged))
        }
    }

    fn introduced(&self, sponsor: &Sponsor, nonce: [u8; 32]) -> Introduced {
        Introduced {
            org: self.asker.hub.org.clone(),
            sub: self.session.claims.subject.clone(),
            newcomer: (self.asker.identity.verify_key(), nonce),
            sponsor: (sponsor.key, sponsor.nonce),
        }
    }

    async fn say(&self, introducing: Introducing) {
        // Nobody listens only while the agent is going away.
        let _ = self.progress.send(introducing).await;
    }
}

/// Whom the other device has to have vouched for.
struct Me<'a> {
    org: &'a OrgName,
    key: VerifyKey,
    sub: &'a Subject,
}

impl Me<'_> {
    fn is_vouched_for(&self, vouch: &str, sponsor: &VerifyKey) -> bool {
        let vouch = Vouch::verify_for(vouch, sponsor, self.org);
        vouch.is_ok_and(|vouch| vouch.key == self.key && vouch.sub == *self.sub)
    }
}

enum Trouble {
    Api(ApiError),
    Code(Code),
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        match error {
            // The stream ends when the time is up.
            ApiError::Broken => Self::Code(Code::IntroductionOver),
            other => Self::Api(other),
        }
    }
}

/// A name that the hub takes.
fn plain(label: &str) -> String {
    let mut plain = String::new();
    for c in label.chars().filter(|c| !deceives(*c)) {
        if plain.len() + c.len_utf8() > MAX_LABEL {
            break;
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::identity::SigningKey;

    use super::*;

    #[test]
    fn a_vouch_counts_only_for_this_key_this_person_and_this_org_and_from_the_device_that_was_compared()
     {
        let key = |n: u8| SigningKey::from_seed(&[n; 32]);
        let (sponsor, mine) = (key(1), key(2));
        let (org, sub): (OrgName, Subject) = ("acme".parse().unwrap(), "00uana".parse().unwrap());
        let me = Me {
            org: &org,
            key: mine.verify_key(),
            sub: &sub,
        };
        let vouch = Vouch {
            org: org.clone(),
            sub: sub.clone(),
            key: mine.verify_key(),
            at: UnixTime(1_800_000_000),
            id: "v1".into(),
        };
        let counts = |vouch: &Vouch, by: &SigningKey| {
            me.is_vouched_for(&vouch.sign(by), &sponsor.verify_key())
        };
        let changed = |change: fn(&mut Vouch)| {
            let mut vouch = vouch.clone();
            change(&mut vouch);
            vouch
        };

        assert!(counts(&vouch, &sponsor));
        assert!(!counts(&vouch, &key(9)), "another device");
        for other in [
            changed(|vouch| vouch.key = SigningKey::from_seed(&[9; 32]).verify_key()),
            changed(|vouch| vouch.sub = "00ueve".parse().unwrap()),
            changed(|vouch| vouch.org = "beta".parse().unwrap()),
        ] {
            assert!(!counts(&other, &sponsor), "{other:?}");
        }
        assert!(!me.is_vouched_for("", &sponsor.verify_key()));
    }
}
