//! A small world for tests: an org, its authority, an identity provider that can also lie, a person with a laptop, an outlet.
//! Everything in it is real (keys, signatures, Cedar); only the clock is a number.

#![allow(clippy::unwrap_used)]

pub(crate) mod office;

use crate::{
    auth::{Auth, prove},
    channel::HandshakeHash,
    frame::{Open, Purpose},
    grant::Grants,
    identity::{NoiseSecret, SigningKey, VerifyKey},
    idtoken::{KeySet, commitment},
    names::{OrgName, ServiceName},
    policy::{Policies, RequestContext, Resource},
    revocations::Revocations,
    session::{Session, Standing},
    statement::{
        Algorithm, Assurance, AuthorityStatement, Beacon, Credential, IdpStatement, Newest,
        ServiceKind, Statement,
    },
    strict::to_base64url,
    time::UnixTime,
};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use serde_json::{Value, json};

/// Saturday, 2026-11-21, 14:05:09 UTC.
pub(crate) const NOW: UnixTime = UnixTime(1_795_269_909);
pub(crate) const ISSUER: &str = "https://acme.okta.example/oauth2/default";
pub(crate) const CLIENT: &str = "0oaTidegate";
pub(crate) const RZ: [u8; 32] = [0x5a; 32];
pub(crate) const HASH: HandshakeHash = HandshakeHash([0xc4; 32]);

pub(crate) const ALLOWING: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science",
            action in [Tidegate::Action::"see", Tidegate::Action::"connect"],
            resource == Tidegate::Service::"acme/warehouse");"#;

pub(crate) fn org() -> OrgName {
    "acme".parse().unwrap()
}

pub(crate) fn warehouse() -> ServiceName {
    "warehouse".parse().unwrap()
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// An identity provider with one P-256 key.
pub(crate) struct Provider {
    pub(crate) kid: String,
    key: EcdsaKeyPair,
}

impl Provider {
    pub(crate) fn new(kid: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self {
            kid: kid.to_owned(),
            key,
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
               "x": to_base64url(&point[1..33]), "y": to_base64url(&point[33..65])})
    }

    pub(crate) fn keys(&self) -> KeySet {
        key_set(&[self.jwk()])
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(
            &json!({"alg": "ES256", "typ": "JWT", "kid": self.kid}),
            claims.to_string().as_bytes(),
        )
    }

    pub(crate) fn sign_as(&self, header: &Value, payload: &[u8]) -> String {
        let signed = format!(
            "{}.{}",
            to_base64url(header.to_string().as_bytes()),
            to_base64url(payload)
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", to_base64url(signature.as_ref()))
    }
}

/// An RSA key as a provider has it.
pub(crate) struct RsaKey(rsa::KeyPair);

impl RsaKey {
    pub(crate) fn new() -> Self {
        Self(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.0
            .public_key()
            .modulus()
            .big_endian_without_leading_zero()
            .to_vec()
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "RSA", "use": "sig", "kid": kid, "n": to_base64url(&self.modulus()), "e": "AQAB"})
    }

    pub(crate) fn sign(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        let signed = format!(
            "{}.{}",
            to_base64url(header.as_bytes()),
            to_base64url(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", to_base64url(&signature))
    }
}

pub(crate) fn key_set(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({"keys": jwks}).to_string().as_bytes(), &ALGORITHMS).unwrap()
}

pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256];

pub(crate) fn idp() -> IdpStatement {
    IdpStatement {
        org: org(),
        issuer: ISSUER.to_owned(),
        client_id: CLIENT.to_owned(),
        algorithms: ALGORITHMS.to_vec(),
        redirect_ports: [8250, 18250, 28250],
        groups_claim: "groups".to_owned(),
        key_host: "acme.okta.example:443".parse().unwrap(),
        ca_pem: None,
        max_session: IdpStatement::MAX_SESSION,
        version: 1,
    }
}

/// The org `acme`, with Ana on her laptop and an outlet that serves `warehouse`.
pub(crate) struct World {
    pub(crate) authority: SigningKey,
    pub(crate) identity: SigningKey,
    pub(crate) provider: Provider,
    pub(crate) standing: Standing,
}

/// Nobody was revoked, up to the epoch of everybody's credential.
fn heard(authority: &VerifyKey) -> Revocations {
    let mut revocations = Revocations::default();
    let beacon = Beacon {
        org: org(),
        epoch: 7,
        at: NOW,
        versions: Newest::default(),
        revoked: vec![],
        floor: 0,
    };
    revocations.learn(&beacon, authority, NOW);
    revocations
}

impl World {
    pub(crate) fn new() -> Self {
        let (authority, provider) = (key(2), Provider::new("k1"));
        let standing = Standing {
            org: org(),
            root: key(1).verify_key(),
            authority: authority_statement(&authority),
            idp: idp(),
            keys: provider.keys(),
            former: Vec::new(),
            revocations: heard(&authority.verify_key()),
            grants: Grants::default(),
            policy: Policies::compile(ALLOWING, ALLOWING).unwrap(),
            services: [(
                warehouse(),
                Resource {
                    org: org(),
                    service: warehouse(),
                    kind: ServiceKind::Postgres,
                },
            )]
            .into(),
            read_only: [].into(),
            beacon_at: NOW,
        };
        Self {
            authority,
            identity: key(3),
            provider,
            standing,
        }
    }

    pub(crate) fn credential(&self) -> Credential {
        Credential {
            org: org(),
            sub: "00uana".parse().unwrap(),
            cnf: self.identity.verify_key().peer_id(),
            device: "ana's laptop".to_owned(),
            epoch: 7,
            assurance: Assurance::High,
            not_before: NOW,
            not_after: NOW.plus(Credential::LIFE),
            id: "c1".to_owned(),
        }
    }

    /// The claims of the ID token Ana got when she signed in five minutes ago.
    pub(crate) fn claims(&self) -> Value {
        let nonce = commitment(&RZ, &self.identity.verify_key(), &org(), CLIENT);
        json!({"iss": ISSUER, "aud": CLIENT, "sub": "00uana", "iat": NOW.0 - 300, "exp": NOW.0 + 3300,
               "auth_time": NOW.0 - 310, "nonce": nonce, "groups": ["Everyone", "data-science"],
               "department": "Data Science", "amr": ["pwd", "mfa"]})
    }

    /// The claims of a refreshed token: later, and without a nonce.
    pub(crate) fn refreshed(&self) -> Value {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove("nonce");
        set(&mut claims, "iat", json!(NOW.0 - 10));
        set(&mut claims, "exp", json!(NOW.0 + 3590));
        claims
    }

    pub(crate) fn auth(&self) -> Auth {
        Auth {
            service: warehouse(),
            credential: self.credential().sign(&self.authority),
            id_token_0: self.provider.sign(&self.claims()),
            rz: RZ,
            identity: self.identity.verify_key(),
            id_token_n: None,
            enrolment: None,
            grant: None,
            signature: prove(&HASH, &self.identity),
        }
    }

    pub(crate) fn session(&self) -> Session {
        Session::new(warehouse(), HASH, NOW)
    }

    /// A session whose AUTH has held.
    pub(crate) fn warm(&self) -> Session {
        let mut session = self.session();
        session
            .handle_auth(&self.auth().encode().unwrap(), &self.standing, NOW)
            .unwrap();
        session
    }
}

pub(crate) fn authority_statement(key: &SigningKey) -> AuthorityStatement {
    AuthorityStatement {
        org: org(),
        key: key.verify_key(),
        noise: NoiseSecret::from_bytes(&[9; 32]).public(),
        not_before: NOW.minus(86_400),
        not_after: NOW.plus(29 * 86_400),
        version: 1,
    }
}

pub(crate) fn set(claims: &mut Value, name: &str, value: Value) {
    claims
        .as_object_mut()
        .unwrap()
        .insert(name.to_owned(), value);
}

pub(crate) fn open(portal: u64) -> Open<'static> {
    Open {
        portal,
        process: 9,
        purpose: Purpose::Connect,
        grant: None,
        first: &[],
    }
}

pub(crate) fn at(now: UnixTime) -> RequestContext {
    RequestContext::utc(now)
}
