//! The devices of the person at this one: listed, taken back, and let in by each other with six words on two screens.
//! A newcomer would take the other device's key from the newest thing the hub said: what was seen before the own nonce was shown is what counts.

pub(crate) mod newcomer;
pub(crate) mod sponsor;

use std::sync::Arc;

use tidegate_proto::api::devices::{
    DevicesAnswer, DevicesRequest, Introduction, IntroductionStep, MAX_LABEL, Step,
};
use tidegate_proto::auth::prove;
use tidegate_proto::identity::{NoiseSecret, PeerId, SigningKey};

use crate::hub::api::{Api, ApiError, HubIdentity};
use crate::platform::computer;

/// Whoever asks the hub something about devices.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) hub: HubIdentity,
    pub(crate) noise: Arc<NoiseSecret>,
    pub(crate) identity: Arc<SigningKey>,
    /// `tg-cred`, once this device is in.
    pub(crate) credential: Option<String>,
}

impl Asker {
    /// Takes one step of an introduction, on a connection of its own.
    pub(crate) async fn step(&self, id: &str, step: Step) -> Result<Introduction, ApiError> {
        let mut api = Api::connect(&self.hub, &self.noise).await?;
        let request = IntroductionStep {
            identity: self.identity.verify_key(),
            proof: prove(&api.hash, &self.identity),
            credential: self.credential.clone(),
            id: id.to_owned(),
            step,
        };
        api.introduction_step(&request).await
    }

    /// The person's devices, after one of them was taken back if that is asked for.
    pub(crate) async fn devices(&self, revoke: Option<PeerId>) -> Result<DevicesAnswer, ApiError> {
        let mut api = Api::connect(&self.hub, &self.noise).await?;
        let request = DevicesRequest {
            identity: self.identity.verify_key(),
            proof: prove(&api.hash, &self.identity),
            credential: self.credential.clone().unwrap_or_default(),
            revoke,
        };
        api.devices(&request).await
    }
}

/// What this computer calls itself, for the other screen.
pub(crate) fn this_computer() -> String {
    label(&computer::name(), &computer::system())
}

/// A name alone may be `vm` or `localhost` on every computer of a company.
fn label(name: &str, system: &str) -> String {
    let name = if name.is_empty() {
        "a new computer"
    } else {
        name
    };
    // What is too long loses its end: the name is what a person knows it by.
    let room = MAX_LABEL
        .saturating_sub(system.len() + 3)
        .max(MAX_LABEL / 2);
    let name: String = name.chars().take(room).collect();
    format!("{name} ({system})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computer_is_called_by_its_name_and_its_system() {
        assert_eq!(
            label("vm", "Debian GNU/Linux 12"),
            "vm (Debian GNU/Linux 12)"
        );
        assert_eq!(label("", "macOS"), "a new computer (macOS)");
        let long = label(&"x".repeat(200), "Debian GNU/Linux 12");
        assert!(
            long.len() <= MAX_LABEL && long.ends_with("(Debian GNU/Linux 12)"),
            "{long}"
        );
    }
}
