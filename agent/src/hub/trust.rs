//! What the hub hands out is believed only when the org root signed it, and never an older version than one already seen.
//! The versions seen survive restarts: a hub that was rolled back, or a thief of its disk, cannot bring an old outlet key back.

use serde::{Deserialize, Serialize};
use tidegate_proto::api::{CatalogueEntry, Settings};
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::names::OrgName;
use tidegate_proto::statement::{
    AuthorityStatement, IdpStatement, Seen, ServiceStatement, Statement, StatementError,
};

use super::access::{Catalogue, Listing};

/// Most services that are looked at.
const MAX_SERVICES: usize = 2_000;

/// The newest versions seen, kept on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Trust(Seen);

impl Trust {
    /// The provider's settings, if the root signed them and they are not older than known ones.
    pub(crate) fn idp(
        &mut self,
        settings: &Settings,
        root: &VerifyKey,
        org: &OrgName,
    ) -> Result<IdpStatement, StatementError> {
        let idp = IdpStatement::verify_for(&settings.idp, root, org)?;
        self.0.idp(&idp)?;
        Ok(idp)
    }

    /// Takes note of the authority that answered.
    pub(crate) fn authority(
        &mut self,
        authority: &AuthorityStatement,
    ) -> Result<(), StatementError> {
        self.0.authority(authority)
    }

    /// The catalogue as far as it is believed: an entry that is not, is left out, as the hub could have done itself.
    pub(crate) fn catalogue(
        &mut self,
        entries: &[CatalogueEntry],
        root: &VerifyKey,
        org: &OrgName,
    ) -> Catalogue {
        let mut catalogue = Catalogue::new();
        for entry in entries.iter().take(MAX_SERVICES) {
            match self.listing(entry, root, org) {
                Ok(listing) => drop(catalogue.insert(listing.statement.service.clone(), listing)),
                Err(error) => tracing::warn!(%error, "catalogue entry was not believed"),
            }
        }
        catalogue
    }

    fn listing(
        &mut self,
        entry: &CatalogueEntry,
        root: &VerifyKey,
        org: &OrgName,
    ) -> Result<Listing, StatementError> {
        let statement = ServiceStatement::verify_for(&entry.jws, root, org)?;
        self.0.service(&statement)?;
        Ok(Listing {
            // Whoever is among them by ticket has shown the chain from the root to its keys.
            statement: statement.with_outlets(&entry.outlets),
            handle: entry.handle,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::identity::{NoiseSecret, SigningKey};
    use tidegate_proto::statement::{OutletKeys, Relay, ServiceHandle, ServiceKind};

    use super::*;

    fn entry(signer: &SigningKey, version: u64) -> CatalogueEntry {
        let noise = NoiseSecret::from_bytes(&[4; 32]).public();
        let statement = ServiceStatement {
            org: "acme".parse().unwrap(),
            service: "warehouse".parse().unwrap(),
            kind: ServiceKind::Postgres,
            outlets: vec![OutletKeys {
                identity: signer.verify_key(),
                noise,
            }],
            enrolment: None,
            relays: vec![Relay {
                address: "hub.example:443".parse().unwrap(),
                noise,
            }],
            port: 15432,
            version,
            title: "Warehouse".into(),
            database: None,
        };
        CatalogueEntry {
            jws: statement.sign(signer),
            handle: ServiceHandle([1; 16]),
            outlets: vec![],
        }
    }

    #[test]
    fn believes_the_root_and_nobody_else() {
        let root = SigningKey::from_seed(&[1; 32]);
        let hub = SigningKey::from_seed(&[2; 32]);
        let org = "acme".parse().unwrap();

        let good = Trust::default().catalogue(&[entry(&root, 1)], &root.verify_key(), &org);
        let forged = Trust::default().catalogue(&[entry(&hub, 1)], &root.verify_key(), &org);

        assert_eq!(good.len(), 1);
        assert!(forged.is_empty());
    }

    #[test]
    fn an_older_entry_never_comes_back_not_even_after_a_restart() {
        let root = SigningKey::from_seed(&[1; 32]);
        let org = "acme".parse().unwrap();
        let mut trust = Trust::default();
        trust.catalogue(&[entry(&root, 7)], &root.verify_key(), &org);

        let kept = serde_json::to_string(&trust).unwrap();
        let mut trust: Trust = serde_json::from_str(&kept).unwrap();

        assert!(
            trust
                .catalogue(&[entry(&root, 6)], &root.verify_key(), &org)
                .is_empty()
        );
        assert_eq!(
            trust
                .catalogue(&[entry(&root, 7)], &root.verify_key(), &org)
                .len(),
            1
        );
    }
}
