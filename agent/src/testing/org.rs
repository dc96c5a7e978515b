//! An org's keys and what they sign, for a hub that exists only in tests.
//! Everything an agent checks is signed for real; only what the hub itself would check is not.

use tidegate_proto::api::{CatalogueEntry, CredentialAnswer, Hello, Settings};
use tidegate_proto::identity::{NoiseSecret, PeerId, SigningKey, VerifyKey};
use tidegate_proto::names::{HubAddress, OrgName, ServiceName};
use tidegate_proto::statement::{
    Algorithm, Assurance, AuthorityStatement, Beacon, Credential, IdpStatement, Newest, OutletKeys,
    Pass, PassRole, Relay, RevokeTarget, Revoked, RootStatement, ServiceHandle, ServiceKind,
    ServiceStatement, Statement,
};
use tidegate_proto::time::UnixTime;

pub(crate) const SUBJECT: &str = "00uana";

pub(crate) struct Org {
    pub(crate) name: OrgName,
    pub(crate) root: SigningKey,
    pub(crate) authority: SigningKey,
    pub(crate) authority_noise: NoiseSecret,
    pub(crate) relay_noise: NoiseSecret,
    /// Of its two outlets.
    pub(crate) outlet_noise: [NoiseSecret; 2],
}

pub(crate) fn name() -> OrgName {
    "acme".parse().unwrap()
}

/// A provider that nobody can reach.
pub(crate) fn no_provider(org: OrgName) -> IdpStatement {
    IdpStatement {
        org,
        issuer: "https://idp.invalid".into(),
        client_id: "client".into(),
        algorithms: vec![Algorithm::RS256],
        redirect_ports: [8250, 18250, 28250],
        groups_claim: "groups".into(),
        key_host: "idp.invalid:443".parse().unwrap(),
        ca_pem: None,
        max_session: 43_200,
        version: 1,
    }
}

impl Org {
    /// Orgs of different names share no key.
    pub(crate) fn new(name: OrgName) -> Self {
        let own = name.as_str().bytes().fold(0, u8::wrapping_add);
        let seed = |number| {
            let mut seed = [own; 32];
            seed[0] = number;
            seed
        };
        Self {
            name,
            root: SigningKey::from_seed(&seed(1)),
            authority: SigningKey::from_seed(&seed(2)),
            authority_noise: NoiseSecret::from_bytes(&seed(3)),
            relay_noise: NoiseSecret::from_bytes(&seed(4)),
            outlet_noise: [5, 9].map(|n| NoiseSecret::from_bytes(&seed(n))),
        }
    }

    pub(crate) fn fingerprint(&self) -> PeerId {
        self.root.verify_key().peer_id()
    }

    fn roots(&self) -> Vec<String> {
        vec![
            RootStatement {
                org: self.name.clone(),
                key: self.root.verify_key(),
                number: 1,
            }
            .sign(&self.root),
        ]
    }

    fn authority(&self, now: UnixTime) -> String {
        let statement = AuthorityStatement {
            org: self.name.clone(),
            key: self.authority.verify_key(),
            noise: self.authority_noise.public(),
            not_before: now.minus(3600),
            not_after: now.plus(86_400),
            version: 1,
        };
        statement.sign(&self.root)
    }

    pub(crate) fn hello(&self, now: UnixTime) -> Hello {
        Hello {
            roots: self.roots(),
            root: self.root.verify_key(),
            authority: self.authority(now),
        }
    }

    pub(crate) fn settings(&self, idp: &IdpStatement, now: UnixTime) -> Settings {
        Settings {
            org: self.name.clone(),
            roots: self.roots(),
            root: self.root.verify_key(),
            authority: self.authority(now),
            idp: idp.sign(&self.root),
        }
    }

    pub(crate) fn credential(&self, identity: VerifyKey, epoch: u64, now: UnixTime) -> String {
        let credential = Credential {
            org: self.name.clone(),
            sub: SUBJECT.parse().unwrap(),
            cnf: identity.peer_id(),
            device: "laptop".into(),
            epoch,
            assurance: Assurance::High,
            not_before: now.minus(1),
            not_after: now.plus(599),
            id: format!("cred-{}", now.0),
        };
        credential.sign(&self.authority)
    }

    pub(crate) fn answer(
        &self,
        credential: String,
        services: Vec<CatalogueEntry>,
        now: UnixTime,
    ) -> CredentialAnswer {
        let pass = Pass {
            org: self.name.clone(),
            pseudonym: "somebody".into(),
            role: PassRole::Agent,
            handles: services.iter().map(|entry| entry.handle).collect(),
            cnf: [0; 32],
            not_after: now.plus(600),
        };
        CredentialAnswer {
            credential,
            pass: pass.sign(&self.authority),
            services,
            beacon: self.beacon(None, now),
            expires: now.plus(599),
            askable: Vec::new(),
        }
    }

    /// A beacon, with a revocation of the person at an epoch or without.
    pub(crate) fn beacon(&self, revoked: Option<u64>, now: UnixTime) -> String {
        let who = RevokeTarget::Subject(SUBJECT.parse().unwrap());
        let revoked: Vec<_> = revoked
            .map(|epoch| Revoked { who, epoch })
            .into_iter()
            .collect();
        self.beacon_of(revoked, 0, now)
    }

    /// A beacon that asks everybody from before `floor` for a newer credential.
    pub(crate) fn beacon_with_floor(&self, floor: u64, now: UnixTime) -> String {
        self.beacon_of(vec![], floor, now)
    }

    fn beacon_of(&self, revoked: Vec<Revoked>, floor: u64, now: UnixTime) -> String {
        let newest = revoked.iter().map(|revoked| revoked.epoch).max();
        let beacon = Beacon {
            org: self.name.clone(),
            epoch: newest.unwrap_or(0).max(floor),
            at: now,
            versions: Newest::default(),
            revoked,
            floor,
        };
        beacon.sign(&self.authority)
    }

    pub(crate) fn service(
        &self,
        service: &ServiceName,
        port: u16,
        hub: &HubAddress,
    ) -> CatalogueEntry {
        self.service_behind(service, port, std::slice::from_ref(hub))
    }

    /// As `service`, over these relays, which have one key.
    pub(crate) fn service_behind(
        &self,
        service: &ServiceName,
        port: u16,
        relays: &[HubAddress],
    ) -> CatalogueEntry {
        let noise = self.relay_noise.public();
        let relay = |address: &HubAddress| Relay {
            address: address.clone(),
            noise,
        };
        let statement = ServiceStatement {
            org: self.name.clone(),
            service: service.clone(),
            kind: ServiceKind::Tcp,
            outlets: self
                .outlet_noise
                .iter()
                .map(|noise| OutletKeys {
                    identity: SigningKey::from_seed(&[6; 32]).verify_key(),
                    noise: noise.public(),
                })
                .collect(),
            enrolment: None,
            relays: relays.iter().map(relay).collect(),
            port,
            version: 1,
            title: "Echo".into(),
            database: None,
        };
        CatalogueEntry {
            jws: statement.sign(&self.root),
            handle: ServiceHandle([7; 16]),
            outlets: vec![],
        }
    }
}
