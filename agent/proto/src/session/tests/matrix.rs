//! AUTH with every field wrong in every way: absent, empty, wrong, of another tenant, expired, future, huge.
//! Each cell names the reason that must go into the audit, so that no cell passes because of another check.

use super::*;
use crate::{
    grant::GrantError,
    identity::SigningKey,
    statement::{AccessRequest, JwsError, TicketStatement},
    strict::StrictError::{Depth, DuplicateKey, Shape, Size},
    testing::office::{Colleague, colleague},
};
use RefusalReason as R;
use serde_json::Value;

/// Field, what is wrong with it, the value put there (`None` takes it away), the reason (`None` where it is allowed).
type Cell = (&'static str, &'static str, Option<Value>, Option<R>);

const HOW: [&str; 7] = [
    "absent",
    "empty",
    "wrong",
    "of another tenant",
    "expired",
    "future",
    "huge",
];

fn row(field: &'static str, values: [(Option<Value>, Option<R>); 7]) -> Vec<Cell> {
    let cell = |(how, (value, why))| (field, how, value, why);
    HOW.into_iter().zip(values).map(cell).collect()
}

fn malformed(why: crate::strict::StrictError) -> Option<R> {
    Some(R::Malformed(why))
}

fn id(error: IdTokenError) -> Option<R> {
    Some(R::IdToken(error))
}

fn absent() -> (Option<Value>, Option<R>) {
    (None, malformed(Shape))
}

fn empty() -> (Option<Value>, Option<R>) {
    (Some(json!("")), malformed(Shape))
}

fn huge() -> (Option<Value>, Option<R>) {
    (Some(json!("x".repeat(1 << 20))), malformed(Size))
}

fn services() -> Vec<Cell> {
    let named = |name: &str, why| (Some(json!(name)), Some(why));
    row(
        "service",
        [
            absent(),
            empty(),
            named("payroll", R::OtherService),
            named("evil/warehouse", R::Malformed(Shape)),
            named("warehouse-2019", R::OtherService),
            named("warehouse-2030", R::OtherService),
            huge(),
        ],
    )
}

fn credentials(world: &World) -> Vec<Cell> {
    let changed = |change: &dyn Fn(&mut Credential), why| {
        let mut credential = world.credential();
        change(&mut credential);
        (Some(json!(credential.sign(&world.authority))), Some(why))
    };
    let believed = R::Credential;
    row(
        "credential",
        [
            absent(),
            (
                Some(json!("")),
                Some(believed(StatementError::Jws(JwsError::Parts))),
            ),
            changed(&|c| c.cnf = key(66).verify_key().peer_id(), R::OtherKey),
            changed(
                &|c| c.org = "evil".parse().unwrap(),
                believed(StatementError::Org),
            ),
            changed(
                &|c| (c.not_before, c.not_after) = (NOW.minus(600), NOW.minus(60)),
                believed(StatementError::Expired),
            ),
            changed(
                &|c| (c.not_before, c.not_after) = (NOW.plus(61), NOW.plus(600)),
                believed(StatementError::NotYet),
            ),
            huge(),
        ],
    )
}

/// The first token, or the newer one, whose subject is then compared with the first one's.
fn id_tokens(world: &World, newer: bool) -> Vec<Cell> {
    let changed = |change: &dyn Fn(&mut Value), why| {
        let mut claims = if newer {
            world.refreshed()
        } else {
            world.claims()
        };
        change(&mut claims);
        (Some(json!(world.provider.sign(&claims))), why)
    };
    let expired = |claims: &mut Value| {
        set(claims, "iat", json!(NOW.0 - 290));
        set(claims, "exp", json!(NOW.0 - 60));
    };
    let evil = "https://evil.okta.example/oauth2/default";
    let (field, gone, other) = if newer {
        ("id_token_n", (None, None), id(IdTokenError::OtherSession))
    } else {
        ("id_token_0", absent(), Some(R::OtherSubject))
    };
    row(
        field,
        [
            gone,
            (Some(json!("")), id(IdTokenError::Form)),
            changed(&|claims| set(claims, "sub", json!("00uben")), other),
            changed(
                &|claims| set(claims, "iss", json!(evil)),
                id(IdTokenError::Issuer),
            ),
            changed(&expired, id(IdTokenError::Expired)),
            changed(
                &|claims| set(claims, "iat", json!(NOW.0 + 61)),
                id(IdTokenError::Future),
            ),
            huge(),
        ],
    )
}

fn commitments(world: &World) -> Vec<Cell> {
    let rz = |byte| {
        let auth = Auth {
            rz: [byte; 32],
            ..world.auth()
        };
        (Some(field(&auth, "rz")), id(IdTokenError::Commitment))
    };
    row(
        "rz",
        [absent(), empty(), rz(1), rz(2), rz(3), rz(4), huge()],
    )
}

fn identities(world: &World) -> Vec<Cell> {
    let of = |seed| {
        let auth = Auth {
            identity: key(seed).verify_key(),
            ..world.auth()
        };
        (Some(field(&auth, "identity")), Some(R::Proof))
    };
    row(
        "identity",
        [absent(), empty(), of(66), of(67), of(68), of(69), huge()],
    )
}

/// How the device was enrolled: absent is allowed, wrong never is.
fn enrolments(world: &World) -> Vec<Cell> {
    let shown = |change: &dyn Fn(&mut TicketStatement), root: &SigningKey, by: &SigningKey, why| {
        let chain = enrolled::chain(world, change, root, by);
        (Some(json!(chain)), Some(R::Enrolment(why)))
    };
    let (root, holder) = (key(1), key(20));
    let jws = StatementError::Jws;
    row(
        "enrolment",
        [
            (None, None),
            empty(),
            shown(&|_| (), &root, &key(66), jws(JwsError::Key)),
            shown(
                &|ticket| ticket.org = "evil".parse().unwrap(),
                &root,
                &holder,
                StatementError::Org,
            ),
            shown(
                &|ticket| ticket.not_after = NOW.minus(50),
                &root,
                &holder,
                StatementError::Expired,
            ),
            shown(
                &|ticket| ticket.not_after = NOW.plus(90 * 86_400),
                &root,
                &holder,
                StatementError::Content,
            ),
            huge(),
        ],
    )
}

/// What was granted: absent is allowed, wrong never is.
fn grants(world: &World) -> Vec<Cell> {
    let shown = |change: &dyn Fn(&mut AccessRequest, &mut Colleague), why| {
        let (mut request, mut ben) = (world.request(), colleague("00uben", 30));
        change(&mut request, &mut ben);
        let grant = world.granted(&request, &[ben]);
        (Some(json!(grant)), Some(R::Grant(why)))
    };
    let credential = |why| GrantError::Approver(Box::new(R::Credential(why)));
    row(
        "grant",
        [
            (None, None),
            empty(),
            shown(
                &|_, ben| ben.identity = key(66),
                GrantError::Approver(Box::new(R::OtherKey)),
            ),
            shown(
                &|request, _| request.org = "evil".parse().unwrap(),
                GrantError::Request(StatementError::Org),
            ),
            shown(
                &|_, ben| {
                    let c = &mut ben.credential;
                    (c.not_before, c.not_after) = (NOW.minus(800), NOW.minus(200));
                },
                credential(StatementError::Expired),
            ),
            shown(
                &|request, _| request.at = NOW.plus(61),
                GrantError::SealTime,
            ),
            huge(),
        ],
    )
}

fn signatures(world: &World) -> Vec<Cell> {
    let over = |hash: [u8; 32], by: &SigningKey| {
        let signature = prove(&HandshakeHash(hash), by);
        let auth = Auth {
            signature,
            ..world.auth()
        };
        (Some(field(&auth, "signature")), Some(R::Proof))
    };
    row(
        "signature",
        [
            absent(),
            empty(),
            over([0; 32], &world.identity),
            over(HASH.0, &key(66)),
            over([1; 32], &world.identity),
            over([2; 32], &world.identity),
            huge(),
        ],
    )
}

fn field(auth: &Auth, name: &str) -> Value {
    serde_json::to_value(auth).unwrap()[name].clone()
}

/// Every field of AUTH, wrong in every way, as it would come off the wire.
fn matrix(world: &World) -> Vec<(String, Vec<u8>, Option<R>)> {
    let base = serde_json::to_value(world.auth()).unwrap();
    let rows = [
        services(),
        credentials(world),
        id_tokens(world, false),
        commitments(world),
        identities(world),
        id_tokens(world, true),
        enrolments(world),
        grants(world),
        signatures(world),
    ];
    let record = |(field, how, value, why): Cell| {
        let mut record = base.clone();
        match value {
            Some(value) => set(&mut record, field, value),
            None => drop(record.as_object_mut().unwrap().remove(field)),
        }
        (
            format!("{field} {how}"),
            serde_json::to_vec(&record).unwrap(),
            why,
        )
    };
    rows.into_iter().flatten().map(record).collect()
}

#[test]
fn rejects_auth_with_any_field_wrong_in_any_way() {
    let world = World::new();
    let cells = matrix(&world);
    assert_eq!(cells.len(), 9 * HOW.len());

    for (cell, record, expected) in cells {
        let mut session = world.session();
        let admitted = session.handle_auth(&record, &world.standing, NOW);

        let exact = admitted.clone().err().map(|refusal| refusal.exact);
        assert_eq!(exact, expected, "{cell}");
        if let Err(refusal) = admitted {
            assert_eq!(refusal.code, Code::NotAdmitted, "{cell}");
            assert!(session.principal().is_none(), "{cell}");
            let good = world.auth().encode().unwrap();
            let again = session.handle_auth(&good, &world.standing, NOW);
            assert!(again.is_err(), "{cell}: refused for good");
        }
    }
}

#[test]
fn rejects_auth_with_an_unknown_or_repeated_field_or_text_too_deep() {
    let world = World::new();
    let auth = String::from_utf8(world.auth().encode().unwrap()).unwrap();
    let with = |extra: &str| auth.replacen('{', &format!("{{{extra},"), 1);

    for (record, why) in [
        (with(r#""admin":true"#), Shape),
        (with(r#""service":"warehouse""#), DuplicateKey),
        (with(r#""serv\u0069ce":"warehouse""#), DuplicateKey),
        (
            with(&format!(r#""x":{}{}"#, "[".repeat(1000), "]".repeat(1000))),
            Depth,
        ),
    ] {
        let refusal = world
            .session()
            .handle_auth(record.as_bytes(), &world.standing, NOW)
            .unwrap_err();
        assert_eq!(refusal.exact, RefusalReason::Malformed(why));
    }
}

#[test]
fn every_refusal_before_auth_is_verified_looks_the_same() {
    let mut seen = std::collections::BTreeSet::new();
    let world = World::new();
    for (_, record, _) in matrix(&world) {
        let mut session = world.session();
        if let Err(refusal) = session.handle_auth(&record, &world.standing, NOW) {
            seen.insert(refusal.for_peer());
        }
    }
    let late = world.session().handle_auth(
        &world.auth().encode().unwrap(),
        &world.standing,
        NOW.plus(99),
    );
    seen.insert(late.unwrap_err().for_peer());
    let early = world
        .session()
        .handle_open(&open(1), &world.standing, &at(NOW), NOW);
    seen.insert(early.unwrap_err().for_peer());
    let reauth = world.session().handle_reauth(b"{}", &world.standing, NOW);
    seen.insert(reauth.unwrap_err().for_peer());
    let mut revoked = World::new();
    revoke(
        &mut revoked,
        RevokeTarget::Subject("00uana".parse().unwrap()),
        8,
    );
    let refusal =
        revoked
            .session()
            .handle_auth(&revoked.auth().encode().unwrap(), &revoked.standing, NOW);
    seen.insert(refusal.unwrap_err().for_peer());

    assert_eq!(seen.len(), 1, "{seen:?}");
}
