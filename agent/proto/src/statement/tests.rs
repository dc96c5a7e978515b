#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    identity::NoiseSecret,
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

#[test]
fn a_bundle_is_believed_from_the_root_fingerprint_up() {
    let org = verify(&bundle()).unwrap();

    assert_eq!(org.root, key(1).verify_key());
    assert_eq!(org.services, [service()]);
    let json = serde_json::to_vec(&bundle()).unwrap();
    assert_eq!(OrgBundle::parse(&json).unwrap(), bundle());
    assert_eq!(
        OrgBundle::parse(b"{}").unwrap_err(),
        StrictError::Shape.into()
    );
}

#[test]
fn rejects_a_bundle_with_a_part_that_another_key_signed() {
    let evil = key(66);
    let swaps: [&dyn Fn(&mut OrgBundle); 8] = [
        &|b| b.authority = authority_statement(&evil).sign(&evil),
        &|b| b.idp = idp().sign(&evil),
        &|b| b.policies = vec![policy().sign(&evil)],
        &|b| {
            b.services.push(
                ServiceStatement {
                    service: "payroll".parse().unwrap(),
                    ..service()
                }
                .sign(&evil),
            )
        },
        &|b| b.roots = vec![root(1, 66).sign(&evil)],
        &|b| b.root = evil.verify_key(),
        &|b| b.roots.clear(),
        &|b| b.idp = b.authority.clone(),
    ];

    for (n, swap) in swaps.into_iter().enumerate() {
        let mut changed = bundle();
        swap(&mut changed);
        assert!(verify(&changed).is_err(), "{n}");
    }
}

#[test]
fn rejects_a_catalogue_entry_whose_outlet_key_was_replaced() {
    let hub = key(2); // the authority's own key, the most the hub has
    let mut entry = service();
    entry.outlets[0].noise = NoiseSecret::from_bytes(&[66; 32]).public();
    let mut replaced = bundle();
    replaced.services = vec![entry.sign(&hub)];

    assert_eq!(verify(&replaced), Err(StatementError::Jws(JwsError::Key)));

    let honest = service().sign(&key(1));
    let [header, _, signature] = honest.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let payload = to_base64url(&serde_json::to_vec(&entry).unwrap());
    replaced.services = vec![format!("{header}.{payload}.{signature}")];
    assert_eq!(
        verify(&replaced),
        Err(StatementError::Jws(JwsError::Signature))
    );
}

#[test]
fn rejects_a_bundle_of_another_org_or_with_a_part_twice() {
    let other = bundle().verify(key(1).verify_key().peer_id(), &"evil".parse().unwrap(), NOW);
    assert_eq!(other, Err(StatementError::Org));
    let mut twice = bundle();
    twice.services.push(
        ServiceStatement {
            version: 9,
            ..service()
        }
        .sign(&key(1)),
    );
    assert_eq!(verify(&twice), Err(StatementError::Bundle));
    let mut two = bundle();
    two.policies.push(policy().sign(&key(1)));
    assert_eq!(verify(&two), Err(StatementError::Bundle));
    let later = bundle().verify(key(1).verify_key().peer_id(), &org(), NOW.plus(40 * 86_400));
    assert_eq!(later, Err(StatementError::Expired));
}

#[test]
fn rejects_a_policy_or_catalogue_older_than_one_seen_before() {
    let mut seen = Seen::default();
    let org = verify(&bundle()).unwrap();
    seen.bundle(&org).unwrap();

    let older: [&dyn Fn(&mut VerifiedOrg); 4] = [
        &|o| o.policy.as_mut().unwrap().version = 1,
        &|o| o.services[0].version = 2,
        &|o| o.idp.version = 0,
        &|o| o.authority.version = 0,
    ];
    for (n, roll_back) in older.into_iter().enumerate() {
        let mut old = org.clone();
        old.authority.version = 5; // something newer beside it does not excuse it
        roll_back(&mut old);
        let before = seen.clone();
        assert_eq!(seen.bundle(&old), Err(StatementError::Rollback), "{n}");
        assert_eq!(seen, before, "{n}: nothing of it was taken in");
    }
    assert_eq!(seen.bundle(&org), Ok(()), "the same again is fine");
    let kept = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Seen>(&kept).unwrap(), seen);
}

#[test]
fn a_chain_of_roots_is_walked_forward_only_and_without_gaps() {
    let fingerprint = |seed| key(seed).verify_key().peer_id();
    let rotate = |number, to, old| {
        [
            root(number, to).sign(&key(old)),
            root(number, to).sign(&key(to)),
        ]
    };
    let first = vec![root(1, 1).sign(&key(1))];
    let chain: Vec<String> = [
        first.clone(),
        rotate(2, 11, 1).into(),
        rotate(3, 12, 11).into(),
    ]
    .concat();
    let walk = |chain: &[String], from| walk_roots(chain, &org(), fingerprint(from));

    for from in [1, 11, 12] {
        assert_eq!(
            walk(&chain, from),
            Ok(key(12).verify_key()),
            "whoever joined at any time arrives at the newest"
        );
    }
    assert_eq!(walk(&chain, 99), Err(StatementError::Root));
    assert_eq!(
        walk(&chain[..4], 1),
        Err(StatementError::Root),
        "half a rotation"
    );
    assert_eq!(
        walk(&[first.clone(), rotate(3, 12, 1).into()].concat(), 1),
        Err(StatementError::Root),
        "a gap"
    );
    let one_sided = [root(2, 66).sign(&key(66)), root(2, 66).sign(&key(66))];
    assert!(
        walk(&[first.clone(), one_sided.into()].concat(), 1).is_err(),
        "the old root did not sign it"
    );
    let unwilling = [root(2, 11).sign(&key(1)), root(2, 11).sign(&key(1))];
    assert!(
        walk(&[first, unwilling.into()].concat(), 1).is_err(),
        "the new key did not sign it"
    );
    assert!(walk(&chain[1..], 11).is_err());
}

#[test]
fn an_enrolment_is_vouched_for_by_its_ticket_and_no_other() {
    let (root_key, holder, device) = (key(1), key(20), key(21));
    let signed_ticket = ticket(&holder).sign(&root_key);
    let enrolment = Enrolment {
        org: org(),
        ticket: "t-1".to_owned(),
        key: device.verify_key(),
        at: NOW,
    };
    let verify = |ticket: &str, enrolment: &str| {
        verify_enrolment(ticket, enrolment, &root_key.verify_key(), &org(), NOW)
            .map(|(_, enrolled)| enrolled.key)
    };

    assert_eq!(
        verify(&signed_ticket, &enrolment.sign(&holder)),
        Ok(device.verify_key())
    );
    assert!(
        verify(&signed_ticket, &enrolment.sign(&device)).is_err(),
        "the device cannot vouch for itself"
    );
    assert!(
        verify(&ticket(&holder).sign(&key(2)), &enrolment.sign(&holder)).is_err(),
        "the authority makes no tickets"
    );
    let other = Enrolment {
        ticket: "t-2".to_owned(),
        ..enrolment.clone()
    };
    assert_eq!(
        verify(&signed_ticket, &other.sign(&holder)),
        Err(StatementError::Ticket)
    );
    let ended = TicketStatement {
        at: NOW.minus(60),
        not_after: NOW,
        ..ticket(&holder)
    }
    .sign(&root_key);
    assert_eq!(
        verify(&ended, &enrolment.sign(&holder)),
        Err(StatementError::Expired)
    );
    let endless = TicketStatement {
        not_after: NOW.plus(8 * 86_400),
        ..ticket(&holder)
    }
    .sign(&root_key);
    assert_eq!(
        verify(&endless, &enrolment.sign(&holder)),
        Err(StatementError::Content)
    );
}

#[test]
fn a_join_link_survives_its_own_text() {
    let link = JoinLink {
        address: "hub.acme.example:443".parse().unwrap(),
        org: org(),
        root: key(1).verify_key().peer_id(),
        ticket: Some(JoinTicket {
            jws: ticket(&key(20)).sign(&key(1)),
            key: key(20),
        }),
    };
    let text = link.to_link();

    let read = JoinLink::parse(&format!("  {}\n", *text)).unwrap();

    assert_eq!(*read.to_link(), *text);
    assert_eq!(
        (read.address, read.org, read.root),
        (link.address, link.org, link.root)
    );
    let ticket = read.ticket.unwrap();
    assert!(ticket.verify(&key(1).verify_key(), &org()).is_ok());
    let mixed = JoinTicket {
        key: key(99),
        ..ticket
    };
    assert_eq!(
        mixed.verify(&key(1).verify_key(), &org()).unwrap_err(),
        StatementError::Ticket
    );
    let bare = JoinLink {
        ticket: None,
        ..JoinLink::parse(&text).unwrap()
    };
    assert!(JoinLink::parse(&bare.to_link()).unwrap().ticket.is_none());
    assert!(
        JoinLink::parse(&text.replace("join?", "join/?")).is_ok(),
        "some programs add a slash"
    );
}

#[test]
fn rejects_a_join_link_with_anything_missing_repeated_unknown_or_damaged() {
    let root = key(1).verify_key().peer_id();
    let good = format!("tidegate://join?hub=hub.example:443&org=acme&root={root}");
    let seed = to_base64url(&[20; 32]);
    let table = [
        (String::new(), JoinLinkError::Scheme),
        ("https://join?hub=x".to_owned(), JoinLinkError::Scheme),
        ("tidegate://leave?hub=x".to_owned(), JoinLinkError::Scheme),
        ("tidegate://join".to_owned(), JoinLinkError::Scheme),
        ("tidegate://join?".to_owned(), JoinLinkError::Damaged),
        (
            "tidegate://join?hub=hub.example:443&org=acme".to_owned(),
            JoinLinkError::Missing,
        ),
        (format!("{good}&org=acme"), JoinLinkError::Unexpected),
        (format!("{good}&admin=1"), JoinLinkError::Unexpected),
        (format!("{good}&ticket=a.b.c"), JoinLinkError::Missing),
        (format!("{good}&key={seed}"), JoinLinkError::Missing),
        (
            format!("{good}&ticket=a.b.c&key=AAAA"),
            JoinLinkError::Damaged,
        ),
        (
            format!("{good}&ticket=a b&key={seed}"),
            JoinLinkError::Damaged,
        ),
        (good.replace("acme", "Acme"), JoinLinkError::Damaged),
        (good.replace("443", "0"), JoinLinkError::Damaged),
        (good[..good.len() - 1].to_owned(), JoinLinkError::Damaged),
        (
            format!("{good}{}", "x".repeat(5000)),
            JoinLinkError::TooLong,
        ),
    ];

    for (text, why) in table {
        assert_eq!(JoinLink::parse(&text).err(), Some(why), "{text}");
    }
}
