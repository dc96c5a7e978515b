//! The devices of the person at this one: listed, taken back, and let in by each other with six words on two screens.
//! A newcomer would take the other device's key from the newest thing the hub said: what was seen before the own nonce was shown is what counts.

pub(crate) mod newcomer;
pub(crate) mod sponsor;

use std::sync::Arc;

use tidegate_proto::api::devices::{
    DevicesAnswer, DevicesRequest, Introduction, IntroductionStep, Step,
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
    let name = computer::name();
    if name.is_empty() {
        "a new computer".into()
    } else {
        name
    }
}
