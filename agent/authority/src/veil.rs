//! The names under which relays know people and services: stable enough to count and to join by, and nothing else.
//! They are keyed hashes: whoever knows all names of an org still cannot tell which handle is which.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tidegate_proto::{
    identity::PeerId,
    names::{OrgName, ServiceName},
    wire::link::ServiceHandle,
};

/// The secret behind handles and pseudonyms.
pub(crate) struct Veil(hmac::Key);

impl Veil {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The opaque name of a service at a relay.
    pub(crate) fn handle(&self, org: &OrgName, service: &ServiceName) -> ServiceHandle {
        ServiceHandle(self.cover("handle", org, service.as_str().as_bytes()))
    }

    /// The name of an agent or outlet at a relay: one for each key, so that two devices of a person cannot be told to be hers.
    pub(crate) fn pseudonym(&self, org: &OrgName, holder: &PeerId) -> String {
        URL_SAFE_NO_PAD.encode(self.cover("pseudonym", org, holder.as_bytes()))
    }

    fn cover(&self, what: &str, org: &OrgName, name: &[u8]) -> [u8; 16] {
        let mut over = hmac::Context::with_key(&self.0);
        for part in [
            b"tidegate/veil/v1".as_slice(),
            what.as_bytes(),
            org.as_str().as_bytes(),
            name,
        ] {
            over.update(&(part.len() as u64).to_be_bytes());
            over.update(part);
        }
        let tag = over.sign();
        let mut short = [0; 16];
        short.copy_from_slice(&tag.as_ref()[..16]);
        short
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::identity::SigningKey;

    use super::*;

    #[test]
    fn names_differ_by_secret_org_kind_and_name_and_stay_the_same() {
        let (acme, other): (OrgName, OrgName) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let warehouse: ServiceName = "warehouse".parse().unwrap();
        let device = SigningKey::from_seed(&[1; 32]).verify_key().peer_id();
        let veil = Veil::new(&[1; 32]);

        let handle = veil.handle(&acme, &warehouse);

        assert_eq!(handle, Veil::new(&[1; 32]).handle(&acme, &warehouse));
        assert_ne!(handle, Veil::new(&[2; 32]).handle(&acme, &warehouse));
        assert_ne!(handle, veil.handle(&other, &warehouse));
        assert_ne!(handle, veil.handle(&acme, &"warehouses".parse().unwrap()));
        assert_eq!(veil.pseudonym(&acme, &device).len(), 22);
        assert_ne!(
            veil.pseudonym(&acme, &device),
            veil.pseudonym(&other, &device)
        );
    }

    #[test]
    fn lengths_keep_parts_apart() {
        let veil = Veil::new(&[1; 32]);
        let name = |org: &str, service: &str| {
            veil.handle(&org.parse().unwrap(), &service.parse().unwrap())
        };

        assert_ne!(name("a", "bc"), name("ab", "c"));
    }
}
