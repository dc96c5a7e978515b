//! An org with its root key, authority, provider and people: real keys and signatures, made for one test.
//! Times are the real clock's; whoever needs another time changes the claims before they are signed.

use super::provider::Provider;
use serde_json::{Value, json};
use tidegate_link::now;
use tidegate_proto::auth::{Auth, prove};
use tidegate_proto::channel::HandshakeHash;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoisePublic, NoiseSecret, SigningKey, VerifyKey};
use tidegate_proto::idtoken::commitment;
use tidegate_proto::names::{HubAddress, OrgName, ServiceName};
use tidegate_proto::statement::{
    Algorithm, Assurance, AuthorityStatement, Beacon, Credential, IdpStatement, Newest, OutletKeys,
    PolicyStatement, Relay, Revoked, RootStatement, ServiceKind, ServiceStatement, Statement,
};
use tidegate_proto::time::UnixTime;

pub(crate) const ISSUER: &str = "https://idp.test/oauth2/default";
pub(crate) const CLIENT: &str = "0oaTidegate";
pub(crate) const RZ: [u8; 32] = [9; 32];
pub(crate) const ORG_POLICY: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science", action, resource);
    permit (principal in Tidegate::Group::"acme/field", action, resource) when { principal.assurance == "low" };
"#;
pub(crate) const OWNER_POLICY: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science",
            action == Tidegate::Action::"connect", resource == Tidegate::Service::"acme/echo");
    permit (principal in Tidegate::Group::"acme/field", action, resource) when { principal.assurance == "low" };
    forbid (principal, action, resource) when { principal.sub == "00ubad" };
"#;

pub(crate) fn org() -> OrgName {
    "acme".parse().unwrap()
}

pub(crate) fn echo() -> ServiceName {
    "echo".parse().unwrap()
}

/// The keys that sign for an org.
pub(crate) struct Org {
    pub(crate) root: SigningKey,
    pub(crate) authority: SigningKey,
    pub(crate) authority_noise: NoiseSecret,
    pub(crate) relay_noise: NoiseSecret,
    pub(crate) provider: Provider,
    pub(crate) max_session: u64,
}

impl Org {
    pub(crate) fn new() -> Self {
        Self {
            root: SigningKey::generate(&SystemEntropy),
            authority: SigningKey::generate(&SystemEntropy),
            authority_noise: NoiseSecret::generate(&SystemEntropy),
            relay_noise: NoiseSecret::generate(&SystemEntropy),
            provider: Provider::new(),
            max_session: 3600,
        }
    }

    pub(crate) fn roots(&self) -> Vec<String> {
        let first = RootStatement {
            org: org(),
            key: self.root.verify_key(),
            number: 1,
        };
        vec![first.sign(&self.root)]
    }

    pub(crate) fn authority_statement(&self) -> String {
        let statement = AuthorityStatement {
            org: org(),
            key: self.authority.verify_key(),
            noise: self.authority_noise.public(),
            not_before: now().minus(60),
            not_after: now().plus(86_400),
            version: 1,
        };
        statement.sign(&self.root)
    }

    pub(crate) fn idp(&self) -> String {
        let statement = IdpStatement {
            org: org(),
            issuer: ISSUER.into(),
            client_id: CLIENT.into(),
            algorithms: vec![Algorithm::ES256],
            redirect_ports: [8250, 18250, 28250],
            groups_claim: "groups".into(),
            key_host: "idp.test:443".parse().unwrap(),
            ca_pem: Some(self.provider.ca_pem.clone()),
            max_session: self.max_session,
            version: 1,
        };
        statement.sign(&self.root)
    }

    pub(crate) fn policy(&self, cedar: &str, version: u64) -> String {
        let statement = PolicyStatement {
            org: org(),
            cedar: cedar.into(),
            schema_version: 1,
            version,
        };
        statement.sign(&self.root)
    }

    pub(crate) fn service(
        &self,
        identity: VerifyKey,
        noise: NoisePublic,
        relay: &HubAddress,
    ) -> String {
        let statement = ServiceStatement {
            org: org(),
            service: echo(),
            kind: ServiceKind::Tcp,
            outlets: vec![OutletKeys { identity, noise }],
            enrolment: None,
            relays: vec![Relay {
                address: relay.clone(),
                noise: self.relay_noise.public(),
            }],
            port: 15432,
            version: 1,
            title: String::new(),
            database: None,
        };
        statement.sign(&self.root)
    }

    pub(crate) fn beacon(&self, epoch: u64, revoked: Vec<Revoked>) -> String {
        self.beacon_made(now(), epoch, revoked)
    }

    pub(crate) fn beacon_made(&self, at: UnixTime, epoch: u64, revoked: Vec<Revoked>) -> String {
        let beacon = Beacon {
            org: org(),
            epoch,
            at,
            versions: Newest::default(),
            revoked,
            floor: 0,
        };
        beacon.sign(&self.authority)
    }
}

/// Somebody with a device, signed in.
pub(crate) struct Person {
    pub(crate) sub: String,
    pub(crate) identity: SigningKey,
    pub(crate) claims: Value,
    pub(crate) epoch: u64,
    pub(crate) credential_ends: UnixTime,
}

impl Person {
    pub(crate) fn new(sub: &str, group: &str) -> Self {
        let identity = SigningKey::generate(&SystemEntropy);
        let (now, nonce) = (
            now().0,
            commitment(&RZ, &identity.verify_key(), &org(), CLIENT),
        );
        let claims = json!({"iss": ISSUER, "aud": CLIENT, "sub": sub, "iat": now - 5, "exp": now + 3000,
            "auth_time": now - 5, "nonce": nonce, "groups": [group], "amr": ["pwd"]});
        Self {
            sub: sub.into(),
            identity,
            claims,
            epoch: 0,
            credential_ends: UnixTime(now).plus(590),
        }
    }

    /// The same person after a device-code sign-in, which has no nonce.
    pub(crate) fn by_device_code(mut self) -> Self {
        self.claims.as_object_mut().unwrap().remove("nonce");
        self
    }

    fn assurance(&self) -> Assurance {
        match self.claims.get("nonce") {
            Some(_) => Assurance::High,
            None => Assurance::Low,
        }
    }

    pub(crate) fn auth(&self, org_keys: &Org, hash: &HandshakeHash) -> Auth {
        let credential = Credential {
            org: org(),
            sub: self.sub.parse().unwrap(),
            cnf: self.identity.verify_key().peer_id(),
            device: "laptop".into(),
            epoch: self.epoch,
            assurance: self.assurance(),
            not_before: self.credential_ends.minus(Credential::LIFE),
            not_after: self.credential_ends,
            id: "c1".into(),
        };
        Auth {
            service: echo(),
            credential: credential.sign(&org_keys.authority),
            id_token_0: org_keys.provider.sign(&self.claims),
            rz: RZ,
            identity: self.identity.verify_key(),
            id_token_n: None,
            enrolment: None,
            grant: None,
            signature: prove(hash, &self.identity),
        }
    }
}
