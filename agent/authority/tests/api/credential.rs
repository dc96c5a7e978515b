//! Three legs or nothing: an enrolled device, its person's sign-in bound to it, and the org's policy for what is seen.
//! (Bad inputs 23, 25, 27-29, 31, 33-35, 37, and the attack with the provider's own signing key.)

use http::StatusCode;
use serde_json::json;
use tidegate_proto::{
    api::{CredentialAnswer, path},
    auth::prove,
    event::{EventKind, Verifier},
    problem::Code,
    statement::{Assurance, Beacon, Credential, Pass, PassRole, ServiceStatement, Statement},
};

use crate::support::{
    Stage,
    client::{Device, Refused, tampered},
};

fn services(stage: &Stage, answer: &CredentialAnswer) -> Vec<String> {
    let root = stage.org.root.verify_key();
    let name = |jws: &str| {
        ServiceStatement::verify(jws, &root)
            .unwrap()
            .service
            .to_string()
    };
    answer
        .services
        .iter()
        .map(|entry| name(&entry.jws))
        .collect()
}

async fn ask(stage: &Stage, device: &Device, token: &str) -> Result<CredentialAnswer, Refused> {
    stage.connect().await.credential(device, token).await
}

fn denied(answer: Result<CredentialAnswer, Refused>) -> Option<(u16, u16)> {
    answer.err().map(|(status, code)| (status.as_u16(), code))
}

#[tokio::test]
async fn an_enrolled_device_of_a_signed_in_person_gets_all_it_needs() {
    let stage = Stage::new().await;
    let key = stage.public().key;
    let device = stage.device("ana").await;
    let now = stage.now();

    let token = stage.token(&device, "ana");
    let answer = ask(&stage, &device, &token).await.unwrap();

    let credential = Credential::verify(&answer.credential, &key).unwrap();
    credential.valid_at(now).unwrap();
    assert_eq!(credential.sub.as_str(), "ana");
    assert_eq!(credential.cnf, device.identity.verify_key().peer_id());
    assert_eq!(
        (credential.epoch, credential.assurance),
        (0, Assurance::High)
    );
    assert_eq!(credential.not_after, answer.expires);
    assert!(now.until(answer.expires) <= Credential::LIFE + 5);
    assert_eq!(
        services(&stage, &answer),
        ["warehouse"],
        "what she may see, and nothing else"
    );
    let pass = Pass::verify(&answer.pass, &key).unwrap();
    pass.valid_at(now).unwrap();
    assert_eq!(
        (pass.role, pass.handles),
        (PassRole::Agent, vec![answer.services[0].handle])
    );
    assert_eq!(
        pass.cnf,
        device
            .request("", &tidegate_proto::channel::HandshakeHash([0; 32]))
            .link_key
            .fingerprint()
    );
    assert!(!pass.pseudonym.contains("ana"));
    assert_eq!(Beacon::verify(&answer.beacon, &key).unwrap().revoked, []);
    stage.end().await;
}

#[tokio::test]
async fn agent_and_outlet_know_a_service_by_the_same_handle() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;

    let token = stage.token(&device, "ana");
    let agent = ask(&stage, &device, &token).await.unwrap();
    let outlet = stage
        .connect()
        .await
        .outlet(&stage.org.outlet)
        .await
        .unwrap();

    assert!(outlet.services.contains(&agent.services[0]));
    let pass = Pass::verify(&outlet.pass, &stage.public().key).unwrap();
    assert_eq!((pass.role, pass.handles.len()), (PassRole::Outlet, 2));
    assert_eq!(outlet.policy, stage.bundle().policies.first().cloned());
    stage.end().await;
}

#[tokio::test]
async fn who_is_in_no_group_sees_nothing_and_who_is_in_ops_sees_everything() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;

    for (groups, seen) in [
        (vec![], vec![]),
        (vec!["sales"], vec![]),
        (vec!["ops"], vec!["warehouse", "vault"]),
    ] {
        let claims = device.claims(&stage.provider, "ana", &groups, stage.now());
        let answer = ask(&stage, &device, &stage.provider.sign(&claims))
            .await
            .unwrap();
        assert_eq!(services(&stage, &answer), seen, "{groups:?}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_sign_in_without_a_nonce_gets_a_low_credential_and_sees_only_what_names_it() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let key = stage.public().key;

    for (groups, seen) in [(vec!["data-science"], vec![]), (vec!["ops"], vec!["vault"])] {
        let mut claims = device.claims(&stage.provider, "ana", &groups, stage.now());
        claims.as_object_mut().unwrap().remove("nonce");
        let token = stage.provider.sign(&claims);
        let answer = ask(&stage, &device, &token).await.unwrap();

        let credential = Credential::verify(&answer.credential, &key).unwrap();
        assert_eq!(credential.assurance, Assurance::Low);
        assert_eq!(services(&stage, &answer), seen, "{groups:?}");
    }
    let stranger = Device::new();
    let mut claims = device.claims(&stage.provider, "ana", &["ops"], stage.now());
    claims.as_object_mut().unwrap().remove("nonce");
    let answer = ask(&stage, &stranger, &stage.provider.sign(&claims)).await;
    assert_eq!(denied(answer), Some((403, Code::NotEnrolled.number())));
    stage.end().await;
}

#[tokio::test]
async fn the_providers_own_signing_key_lets_nobody_in_without_an_enrolled_device() {
    let stage = Stage::new().await;
    stage.device("ana").await; // she exists, and has a device
    let thief = Device::new();

    // Everything the provider could ever say, signed with its real key, bound to the thief's key.
    let token = stage.token(&thief, "ana");
    let answer = ask(&stage, &thief, &token).await;

    assert_eq!(denied(answer), Some((403, Code::NotEnrolled.number())));
    stage.end().await;
}

#[tokio::test]
async fn a_device_speaks_for_its_own_person_only() {
    let stage = Stage::new().await;
    stage.device("ana").await;
    let bobs = stage.device("bob").await;

    let token = stage.token(&bobs, "ana");
    let answer = ask(&stage, &bobs, &token).await;

    assert_eq!(denied(answer), Some((403, Code::WrongAccount.number())));
    stage.end().await;
}

#[tokio::test]
async fn a_stolen_token_is_worth_nothing_with_another_key() {
    let stage = Stage::new().await;
    let anas = stage.device("ana").await;
    let second = stage.device("ana").await;

    let stolen = stage.token(&anas, "ana");

    assert_eq!(
        denied(ask(&stage, &second, &stolen).await),
        Some((401, Code::NotAdmitted.number()))
    );
    stage.end().await;
}

#[tokio::test]
async fn the_proof_holds_for_one_connection_and_one_key() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let other = stage.device("ana").await;
    let token = stage.token(&device, "ana");
    let (elsewhere, mut here) = (stage.connect().await, stage.connect().await);

    let replayed = device.request(&token, &elsewhere.hash);
    let mut borrowed = device.request(&token, &here.hash);
    borrowed.proof = prove(&here.hash, &other.identity);

    for request in [replayed, borrowed] {
        let answer = here
            .post::<CredentialAnswer>(path::CREDENTIAL, &request)
            .await;
        assert_eq!(denied(answer), Some((403, Code::NotAdmitted.number())));
    }
    stage.end().await;
}

#[tokio::test]
async fn each_claim_that_is_wrong_is_refused() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let now = stage.now();
    let good = device.claims(&stage.provider, "ana", &["data-science"], now);
    let with = |key: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[key] = value;
        stage.provider.sign(&claims)
    };
    let issuer = stage.provider.issuer();
    let mut expired = good.clone();
    expired["iat"] = json!(now.minus(3600));
    expired["auth_time"] = json!(now.minus(3600));
    expired["exp"] = json!(now.minus(120));

    let table = [
        ("expired", stage.provider.sign(&expired), Code::SignInNeeded),
        (
            "signed in yesterday",
            with("auth_time", json!(now.minus(13 * 3600))),
            Code::SignInNeeded,
        ),
        (
            "from the future",
            with("iat", json!(now.plus(600))),
            Code::ClockOff,
        ),
        (
            "another audience",
            with("aud", json!("0oa-other")),
            Code::NotAdmitted,
        ),
        (
            "two audiences",
            with("aud", json!(["0oa-tidegate", "0oa-other"])),
            Code::NotAdmitted,
        ),
        (
            "another issuer",
            with("iss", json!(format!("{issuer}/"))),
            Code::NotAdmitted,
        ),
        (
            "another nonce",
            with("nonce", json!("AAAA")),
            Code::NotAdmitted,
        ),
        ("no subject", with("sub", json!("")), Code::NotAdmitted),
        (
            "201 groups",
            with(
                "groups",
                json!((0..201).map(|n| format!("g{n}")).collect::<Vec<_>>()),
            ),
            Code::TooManyGroups,
        ),
        (
            "altered claims",
            tampered(&stage.provider.sign(&good), 1),
            Code::NotAdmitted,
        ),
        (
            "altered signature",
            tampered(&stage.provider.sign(&good), 2),
            Code::NotAdmitted,
        ),
        (
            "altered header",
            tampered(&stage.provider.sign(&good), 0),
            Code::NotAdmitted,
        ),
        ("nothing", String::new(), Code::NotAdmitted),
    ];

    for (what, token, code) in table {
        let answer = ask(&stage, &device, &token).await;
        assert_eq!(
            denied(answer).map(|(_, code)| code),
            Some(code.number()),
            "{what}"
        );
    }
    ask(&stage, &device, &stage.provider.sign(&good))
        .await
        .unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_refreshed_token_of_the_same_sign_in_renews_and_no_other_does() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let began = stage.now();
    let first = device.claims(&stage.provider, "ana", &["data-science"], began);
    stage.clock.advance(2 * 3600);
    let now = stage.now();
    let mut fresh = device.claims(&stage.provider, "ana", &["ops"], now);
    fresh["auth_time"] = json!(began);
    fresh["nonce"] = json!(null);
    let renew = async |newer: &serde_json::Value| {
        let mut client = stage.connect().await;
        let mut request = device.request(&stage.provider.sign(&first), &client.hash);
        request.id_token_n = Some(stage.provider.sign(newer));
        client
            .post::<CredentialAnswer>(path::CREDENTIAL, &request)
            .await
    };

    let alone = ask(&stage, &device, &stage.provider.sign(&first)).await;
    assert_eq!(denied(alone), Some((401, Code::SignInNeeded.number())));
    let renewed = renew(&fresh).await.unwrap();
    assert_eq!(
        services(&stage, &renewed).len(),
        2,
        "groups come from the newest token"
    );

    for (what, key, value) in [
        ("another sign-in", "auth_time", json!(now)),
        ("another person", "sub", json!("bob")),
        ("another nonce", "nonce", json!("AAAA")),
    ] {
        let mut other = fresh.clone();
        other[key] = value;
        assert_eq!(
            denied(renew(&other).await),
            Some((401, Code::NotAdmitted.number())),
            "{what}"
        );
    }
    stage.end().await;
}

#[tokio::test]
async fn no_credential_outlives_the_session() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let now = stage.now();
    let mut claims = device.claims(&stage.provider, "ana", &[], now);
    claims["auth_time"] = json!(now.minus(12 * 3600 - 60));

    let answer = ask(&stage, &device, &stage.provider.sign(&claims))
        .await
        .unwrap();

    assert!(now.until(answer.expires) <= 60);
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_that_the_catalogue_does_not_name_gets_nothing() {
    let stage = Stage::new().await;
    let stranger = Device::new();

    let answer = stage.connect().await.outlet(&stranger.identity).await;

    assert_eq!(
        answer.err(),
        Some((StatusCode::FORBIDDEN, Code::NotAdmitted.number()))
    );
    stage.end().await;
}

#[tokio::test]
async fn a_device_that_asks_without_end_is_slowed_down() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let token = stage.token(&device, "ana");
    let mut client = stage.connect().await;

    let mut given = 0;
    let refused = loop {
        match client.credential(&device, &token).await {
            Ok(_) => given += 1,
            Err(refused) => break refused,
        }
        assert!(given < 100);
    };

    assert_eq!(
        refused,
        (StatusCode::TOO_MANY_REQUESTS, Code::HubBusy.number())
    );
    stage.clock.advance(60);
    client.credential(&device, &token).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_takes_no_record_with_him() {
    let stage = Stage::new().await;
    let key = stage.public().key;
    for _ in 0..10 {
        let device = Device::new();
        let ticket = stage.org.ticket("ana", stage.now());
        // Gone before the answer; whether the request still arrived is a matter of luck.
        let enrol = stage.enrol(&ticket, &device);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(12), enrol).await;
    }
    let stage = stage.restart().await;

    let file = std::fs::read_dir(stage.data().join("audit"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    let mut verifier = Verifier::new(&"acme".parse().unwrap(), &key);
    let events = text
        .lines()
        .map(|line| verifier.line(line.as_bytes()).unwrap().what);
    let recorded = events
        .filter(|what| matches!(what, EventKind::DeviceEnrolled { .. }))
        .count();
    assert_eq!(recorded, stage.devices().await);
    stage.end().await;
}
