//! What every statement has in common, tried on the bytes; bundles and joining have files of their own.
//! Signed with the right key unless a test says otherwise, so that what is refused is refused for its content.

#![allow(clippy::unwrap_used)]
mod bundle;
mod bytes;
mod joining;
mod outlets;

use super::*;
use crate::{
    identity::{NoisePublic, NoiseSecret},
    strict::{StrictError, to_base64url},
    testing::{NOW, World, authority_statement, idp, key, org, warehouse},
};
use serde_json::{Value, json};

fn service() -> ServiceStatement {
    ServiceStatement {
        org: org(),
        service: warehouse(),
        kind: ServiceKind::Postgres,
        outlets: vec![OutletKeys {
            identity: key(4).verify_key(),
            noise: NoiseSecret::from_bytes(&[5; 32]).public(),
        }],
        enrolment: None,
        relays: vec![Relay {
            address: "hub.acme.example:443".parse().unwrap(),
            noise: NoiseSecret::from_bytes(&[6; 32]).public(),
        }],
        port: 15432,
        version: 3,
        title: "Warehouse".to_owned(),
        database: Some("flights".to_owned()),
    }
}

fn policy() -> PolicyStatement {
    PolicyStatement {
        org: org(),
        cedar: String::new(),
        schema_version: SCHEMA_VERSION,
        version: 2,
    }
}

fn ticket(holder: &SigningKey) -> TicketStatement {
    TicketStatement {
        org: org(),
        kind: TicketKind::Device {
            sub: "00uana".parse().unwrap(),
        },
        key: holder.verify_key(),
        not_after: NOW.plus(86_400),
        at: NOW,
        id: "t-1".to_owned(),
        services: vec![],
    }
}

fn root(number: u32, seed: u8) -> RootStatement {
    RootStatement {
        org: org(),
        key: key(seed).verify_key(),
        number,
    }
}

fn bundle() -> OrgBundle {
    let root_key = key(1);
    OrgBundle {
        roots: vec![root(1, 1).sign(&root_key)],
        root: root_key.verify_key(),
        authority: authority_statement(&key(2)).sign(&root_key),
        idp: idp().sign(&root_key),
        services: vec![service().sign(&root_key)],
        policies: vec![policy().sign(&root_key)],
    }
}

fn verify(bundle: &OrgBundle) -> Result<VerifiedOrg, StatementError> {
    bundle.verify(key(1).verify_key().peer_id(), &org(), NOW)
}

/// Signs any header and payload with the right key.
fn signed(header: &str, payload: &str) -> String {
    let text = format!(
        "{}.{}",
        to_base64url(header.as_bytes()),
        to_base64url(payload.as_bytes())
    );
    let signature = to_base64url(&key(2).sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn header(typ: &str) -> String {
    json!({"alg": "EdDSA", "kid": key(2).verify_key().peer_id(), "typ": typ}).to_string()
}

fn read(jws: &str) -> Result<Credential, StatementError> {
    Credential::verify(jws, &key(2).verify_key())
}

fn payload() -> String {
    serde_json::to_string(&World::new().credential()).unwrap()
}

#[test]
fn a_credential_is_these_bytes() {
    let jws = World::new().credential().sign(&key(2));
    let [header, payload, _] = jws.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let text = |part: &str| String::from_utf8(crate::strict::base64url(part).unwrap()).unwrap();
    let kid = key(2).verify_key().peer_id();

    assert_eq!(
        text(header),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"tg-cred"}}"#)
    );
    let cnf = key(3).verify_key().peer_id();
    assert_eq!(
        text(payload),
        format!(
            r#"{{"org":"acme","sub":"00uana","cnf":{{"kid":"{cnf}"}},"device":"ana's laptop","epoch":7,"assurance":"high","nbf":1795269909,"exp":1795270509,"jti":"c1"}}"#
        )
    );
}

#[test]
fn every_statement_survives_its_own_signature_and_no_other_type_does() {
    let k = key(2);
    let pass = Pass {
        org: org(),
        pseudonym: "p-1".to_owned(),
        role: PassRole::Agent,
        handles: vec![ServiceHandle([1; 16])],
        cnf: [2; 32],
        not_after: NOW,
    };
    let beacon = Beacon {
        org: org(),
        epoch: 9,
        at: NOW,
        versions: Newest {
            services: 1,
            policies: 2,
            idp: 3,
        },
        revoked: vec![Revoked {
            who: RevokeTarget::Device(k.verify_key().peer_id()),
            epoch: 9,
        }],
        floor: 1,
    };
    let revocation = Revocation {
        org: org(),
        who: RevokeTarget::Subject("00uana".parse().unwrap()),
        at: NOW,
        id: "r-1".to_owned(),
        reason: "laptop lost".to_owned(),
    };
    let enrolment = Enrolment {
        org: org(),
        ticket: "t-1".to_owned(),
        key: k.verify_key(),
        noise: None,
        at: NOW,
    };

    let all = [
        round_trip(&root(1, 2)),
        round_trip(&authority_statement(&k)),
        round_trip(&service()),
        round_trip(&policy()),
        round_trip(&idp()),
        round_trip(&ticket(&k)),
        round_trip(&enrolment),
        round_trip(&World::new().credential()),
        round_trip(&pass),
        round_trip(&beacon),
        round_trip(&revocation),
    ];

    for (at, jws) in all.iter().enumerate() {
        let others = [
            RootStatement::verify(jws, &k.verify_key()).is_ok(),
            AuthorityStatement::verify(jws, &k.verify_key()).is_ok(),
            ServiceStatement::verify(jws, &k.verify_key()).is_ok(),
            PolicyStatement::verify(jws, &k.verify_key()).is_ok(),
            IdpStatement::verify(jws, &k.verify_key()).is_ok(),
            TicketStatement::verify(jws, &k.verify_key()).is_ok(),
            Enrolment::verify(jws, &k.verify_key()).is_ok(),
            Credential::verify(jws, &k.verify_key()).is_ok(),
            Pass::verify(jws, &k.verify_key()).is_ok(),
            Beacon::verify(jws, &k.verify_key()).is_ok(),
            Revocation::verify(jws, &k.verify_key()).is_ok(),
        ];
        assert_eq!(others.iter().filter(|read| **read).count(), 1);
        assert!(others[at]);
    }
}

fn round_trip<T: Statement + PartialEq + std::fmt::Debug>(statement: &T) -> String {
    let jws = statement.sign(&key(2));
    assert_eq!(&T::verify(&jws, &key(2).verify_key()).unwrap(), statement);
    assert!(T::verify(&jws, &key(3).verify_key()).is_err());
    jws
}

#[test]
fn rejects_a_flip_of_any_character_of_a_statement() {
    let honest = World::new().credential().sign(&key(2));

    for at in 0..honest.len() {
        let mut bytes = honest.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(read(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        assert!(read(&honest[..at]).is_err(), "{at}");
    }
    for extra in [".", "A", "=", "\n", " ", ".x"] {
        assert!(read(&format!("{honest}{extra}")).is_err(), "{extra:?}");
    }
}

#[test]
fn rejects_a_header_that_tries_to_choose() {
    let kid = key(2).verify_key().peer_id().to_string();
    let headers = [
        (
            json!({"alg": "none", "kid": kid, "typ": "tg-cred"}),
            JwsError::Algorithm,
        ),
        (
            json!({"alg": "HS256", "kid": kid, "typ": "tg-cred"}),
            JwsError::Algorithm,
        ),
        (
            json!({"alg": "Ed25519", "kid": kid, "typ": "tg-cred"}),
            JwsError::Algorithm,
        ),
        (
            json!({"alg": "EdDSA", "kid": kid, "typ": "tg-pass"}),
            JwsError::Type,
        ),
        (
            json!({"alg": "EdDSA", "kid": kid, "typ": "TG-CRED"}),
            JwsError::Type,
        ),
        (json!({"alg": "EdDSA", "kid": kid}), JwsError::Type),
        (json!({"alg": "EdDSA", "typ": "tg-cred"}), JwsError::Key),
        (
            json!({"alg": "EdDSA", "kid": "../../etc/passwd", "typ": "tg-cred"}),
            JwsError::Key,
        ),
        (
            json!({"alg": "EdDSA", "kid": kid, "typ": "tg-cred", "crit": []}),
            JwsError::Critical,
        ),
        (
            json!({"kid": kid, "typ": "tg-cred"}),
            JwsError::Strict(StrictError::Shape),
        ),
    ];

    for (header, why) in headers {
        assert_eq!(
            read(&signed(&header.to_string(), &payload())),
            Err(StatementError::Jws(why)),
            "{header}"
        );
    }
    let foreign = json!({"x": "AAAA", "kty": "OKP", "crv": "Ed25519"});
    let ignored = json!({"alg": "EdDSA", "kid": kid, "typ": "tg-cred", "jwk": foreign, "jku": "https://evil.example", "x5u": "file:///"});
    assert!(read(&signed(&ignored.to_string(), &payload())).is_ok());
}

#[test]
fn rejects_a_payload_that_is_repeated_deep_large_or_followed() {
    let strict = |payload: String| match read(&signed(&header("tg-cred"), &payload)) {
        Err(StatementError::Jws(JwsError::Strict(why))) => why,
        other => panic!("{other:?}"),
    };
    let with = |extra: &str| payload().replacen('{', &format!("{{{extra},"), 1);

    assert_eq!(strict(with(r#""sub":"00uben""#)), StrictError::DuplicateKey);
    assert_eq!(
        strict(with(r#""s\u0075b":"00uben""#)),
        StrictError::DuplicateKey
    );
    assert_eq!(
        strict(with(&format!(
            r#""x":{}{}"#,
            "[".repeat(1000),
            "]".repeat(1000)
        ))),
        StrictError::Depth
    );
    assert_eq!(
        strict(with(r#""x":1"#)),
        StrictError::Shape,
        "an unknown field"
    );
    assert_eq!(strict(format!("{} {{}}", payload())), StrictError::Json);
    assert_eq!(
        strict(format!("{}{}", payload(), " ".repeat(24 * 1024))),
        StrictError::Size
    );
    assert_eq!(
        strict(payload().replace("\"epoch\":7", "\"epoch\":-7")),
        StrictError::Shape
    );
    assert_eq!(
        strict(payload().replace("\"epoch\":7", "\"epoch\":7.0")),
        StrictError::Shape
    );
}

#[test]
fn rejects_a_statement_that_exceeds_its_bounds() {
    let k = key(2);
    let service = |change: &dyn Fn(&mut ServiceStatement)| {
        let mut statement = service();
        change(&mut statement);
        ServiceStatement::verify(&statement.sign(&k), &k.verify_key()).map(|_| ())
    };
    let idp = |change: &dyn Fn(&mut IdpStatement)| {
        let mut statement = idp();
        change(&mut statement);
        IdpStatement::verify(&statement.sign(&k), &k.verify_key()).map(|_| ())
    };
    let content = Err(StatementError::Content);

    assert_eq!(service(&|_| ()), Ok(()));
    assert_eq!(service(&|s| s.outlets.clear()), content);
    assert_eq!(service(&|s| s.relays.clear()), content);
    assert_eq!(service(&|s| s.port = 80), content);
    assert_eq!(service(&|s| s.title = "a\u{202e}b".to_owned()), content);
    assert_eq!(service(&|s| s.title = "x".repeat(121)), content);
    assert_eq!(service(&|s| s.database = Some(String::new())), content);
    assert_eq!(idp(&|_| ()), Ok(()));
    for issuer in [
        "http://acme.okta.example",
        "https://",
        "",
        "https://a b",
        "https://a#b",
        "https://a?b",
        "file:///etc",
    ] {
        assert_eq!(idp(&|s| s.issuer = issuer.to_owned()), content, "{issuer}");
    }
    assert_eq!(idp(&|s| s.algorithms.clear()), content);
    assert_eq!(idp(&|s| s.max_session = 43_201), content);
    assert_eq!(idp(&|s| s.redirect_ports = [80, 8250, 8251]), content);
}

#[test]
fn rejects_service_names_that_are_not_names_in_every_statement() {
    let k = key(2);
    for name in [
        "../../x",
        "a/b",
        "",
        "ware\u{ad}house",
        "w\u{430}rehouse",
        "ware\u{202e}house",
        "Warehouse",
        &"a".repeat(300),
    ] {
        let mut claims: Value = serde_json::to_value(service()).unwrap();
        claims["service"] = json!(name);
        let jws = crate::jws::sign("tg-service", claims.to_string().as_bytes(), &k);
        assert!(
            ServiceStatement::verify(&jws, &k.verify_key()).is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn a_pass_lives_ten_minutes_and_no_longer() {
    let pass = |not_after| Pass {
        org: org(),
        pseudonym: "p".to_owned(),
        role: PassRole::Outlet,
        handles: vec![],
        cnf: [0; 32],
        not_after,
    };

    assert_eq!(pass(NOW.plus(600)).valid_at(NOW), Ok(()));
    assert_eq!(
        pass(NOW.minus(60)).valid_at(NOW),
        Err(StatementError::Expired)
    );
    assert_eq!(
        pass(NOW.plus(661)).valid_at(NOW),
        Err(StatementError::NotYet)
    );
}
