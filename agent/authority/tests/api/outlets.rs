//! An outlet that a ticket makes: who it then is, to whom it is shown, and every ticket that makes none.
//! The `vault` takes outlets by ticket; the `warehouse` names its outlet by key and takes nobody else.

use std::time::{Duration, Instant};

use http::StatusCode;
use tidegate_proto::{
    api::{CatalogueEntry, EnrolAnswer, path},
    entropy::SystemEntropy,
    event::EventKind,
    identity::{NoiseSecret, SigningKey},
    problem::Code,
    statement::{
        EnrolmentChain, OutletKeys, RevokeTarget, ServiceStatement, Statement, TicketKind,
        TicketStatement,
    },
    time::UnixTime,
};

use crate::support::{
    Stage,
    client::{Device, Refused, tampered},
    org::Ticket,
};

/// A machine beside the vault.
struct Machine {
    identity: SigningKey,
    keys: OutletKeys,
}

impl Machine {
    fn new() -> Self {
        let identity = SigningKey::generate(&SystemEntropy);
        let keys = OutletKeys {
            identity: identity.verify_key(),
            noise: NoiseSecret::generate(&SystemEntropy).public(),
        };
        Self { identity, keys }
    }
}

fn for_service(name: &'static str) -> impl Fn(&mut TicketStatement) {
    move |ticket| {
        ticket.kind = TicketKind::Outlet {
            service: name.parse().unwrap(),
        };
    }
}

fn ticket(stage: &Stage) -> Ticket {
    Ticket::signed(&stage.org.root, stage.now(), for_service("vault"))
}

async fn enrol(stage: &Stage, chain: &EnrolmentChain) -> Result<String, Refused> {
    let answer: EnrolAnswer = stage.connect().await.post(path::ENROL, chain).await?;
    Ok(answer.device)
}

/// What the machine is told to serve.
async fn serves(stage: &Stage, machine: &Machine) -> Result<Vec<CatalogueEntry>, Refused> {
    let answer = stage.connect().await.outlet(&machine.identity).await?;
    Ok(answer.services)
}

/// The vault as somebody sees it who may.
async fn vault(stage: &Stage) -> ServiceStatement {
    let device = stage.device("ana").await;
    let claims = device.claims(&stage.provider, "ana", &["ops"], stage.now());
    let token = stage.provider.sign(&claims);
    let answer = stage
        .connect()
        .await
        .credential(&device, &token)
        .await
        .unwrap();
    let root = stage.org.root.verify_key();
    let entry = answer.services.iter().find_map(|entry| {
        let statement = ServiceStatement::verify(&entry.jws, &root).unwrap();
        (statement.service.as_str() == "vault").then(|| statement.with_outlets(&entry.outlets))
    });
    entry.unwrap()
}

fn refused<T>(status: StatusCode, code: Code) -> Result<T, Refused> {
    Err((status, code.number()))
}

#[tokio::test]
async fn a_ticket_makes_an_outlet_that_everybody_can_check() {
    let stage = Stage::new().await;
    let machine = Machine::new();
    let ticket = ticket(&stage);
    let stranger = refused(StatusCode::FORBIDDEN, Code::NotAdmitted);
    assert_eq!(serves(&stage, &machine).await, stranger);
    assert!(!vault(&stage).await.outlets.contains(&machine.keys));

    enrol(&stage, &ticket.outlet(&machine.keys, stage.now()))
        .await
        .unwrap();

    let served = serves(&stage, &machine).await.unwrap();
    assert_eq!(served.len(), 1, "the vault and nothing else");
    assert!(vault(&stage).await.outlets.contains(&machine.keys));
    let stage = stage.restart().await;
    assert_eq!(serves(&stage, &machine).await.unwrap().len(), 1);
    let enrolled = |event: &EventKind| matches!(event, EventKind::OutletEnrolled { outlet, .. } if *outlet == machine.keys.identity.peer_id());
    assert!(stage.events().iter().any(enrolled));
    stage.end().await;
}

#[tokio::test]
async fn a_ticket_makes_one_outlet_and_no_second() {
    let stage = Stage::new().await;
    let (first, second) = (Machine::new(), Machine::new());
    let ticket = ticket(&stage);
    let chain = ticket.outlet(&first.keys, stage.now());

    let name = enrol(&stage, &chain).await.unwrap();

    assert_eq!(
        enrol(&stage, &chain).await,
        Ok(name),
        "the answer may have been lost"
    );
    let used = refused(StatusCode::CONFLICT, Code::TicketUsed);
    let replayed = ticket.outlet(&second.keys, stage.now());
    assert_eq!(enrol(&stage, &replayed).await, used);
    let other_noise = OutletKeys {
        noise: second.keys.noise,
        ..first.keys.clone()
    };
    let replayed = ticket.outlet(&other_noise, stage.now());
    assert_eq!(enrol(&stage, &replayed).await, used);
    let stage = stage.restart().await;
    let late = ticket.outlet(&second.keys, stage.now());
    assert_eq!(enrol(&stage, &late).await, used, "also after a restart");
    assert!(serves(&stage, &second).await.is_err());
    stage.end().await;
}

#[tokio::test]
async fn a_ticket_that_does_not_fit_makes_no_outlet() {
    let stage = Stage::new().await;
    let now = stage.now();
    let root = &stage.org.root;
    let stranger = SigningKey::generate(&SystemEntropy);
    let machine = Machine::new();
    let with = |change: &dyn Fn(&mut TicketStatement)| {
        Ticket::signed(root, now, |ticket| {
            for_service("vault")(ticket);
            change(ticket);
        })
        .outlet(&machine.keys, now)
    };
    let good = || with(&|_| ());
    let by_thief = Ticket::signed(&stranger, now, for_service("vault"));
    let other_holder = by_thief.outlet(&machine.keys, now).enrolment;
    let device = Device::new();
    let as_device = ticket(&stage).enrolment(&device.identity.verify_key(), now);
    let bad = Code::JoinLinkBad;

    let table = [
        ("expired", with(&|t| t.not_after = now), Code::TicketExpired),
        (
            "of a service that takes none by ticket",
            with(&for_service("warehouse")),
            Code::OutletTicketUnfit,
        ),
        (
            "of a service that is not there",
            with(&for_service("attic")),
            Code::OutletTicketUnfit,
        ),
        (
            "of another org",
            with(&|t| t.org = "other".parse().unwrap()),
            bad,
        ),
        (
            "signed by a stranger",
            by_thief.outlet(&machine.keys, now),
            bad,
        ),
        (
            "altered",
            EnrolmentChain {
                ticket: tampered(&good().ticket, 1),
                ..good()
            },
            bad,
        ),
        (
            "used by somebody who only saw it",
            EnrolmentChain {
                enrolment: other_holder,
                ..good()
            },
            bad,
        ),
        (
            "used for a device",
            EnrolmentChain {
                enrolment: as_device,
                ..good()
            },
            bad,
        ),
        (
            "from the future",
            ticket(&stage).outlet(&machine.keys, now.plus(600)),
            bad,
        ),
    ];
    for (what, chain, code) in table {
        let answer = enrol(&stage, &chain).await;
        assert_eq!(answer, refused(StatusCode::FORBIDDEN, code), "{what}");
    }
    assert!(serves(&stage, &machine).await.is_err());
    stage.end().await;
}

/// How long it takes to refuse forged tickets that name the root, where `services` services take outlets by it.
async fn time_of_forgeries(services: usize) -> Duration {
    let mut stage = Stage::new().await;
    let names = (0..services).map(|n| &*format!("vault-{n}").leak());
    stage.org.services = names.collect();
    stage.org.version += 1;
    stage.authority.reload(stage.bundle()).await.unwrap();
    let mut chain = ticket(&stage).outlet(&Machine::new().keys, stage.now());
    chain.ticket = tampered(&chain.ticket, 2);
    let mut client = stage.connect().await;
    let began = Instant::now();
    for _ in 0..20 {
        let answer = client.post::<EnrolAnswer>(path::ENROL, &chain).await;
        assert_eq!(
            answer.err(),
            Some((StatusCode::FORBIDDEN, Code::JoinLinkBad.number()))
        );
    }
    let took = began.elapsed();
    drop(client);
    stage.end().await;
    took
}

#[tokio::test]
async fn a_strangers_forged_ticket_costs_the_same_however_many_services_there_are() {
    let few = time_of_forgeries(2).await;
    let many = time_of_forgeries(400).await;

    assert!(
        many < 4 * few + Duration::from_millis(60),
        "{many:?} against {few:?}"
    );
}

#[tokio::test]
async fn an_enrolled_outlet_is_shut_out_by_a_revocation_or_a_newer_catalogue() {
    let mut stage = Stage::new().await;
    let (lost, older) = (Machine::new(), Machine::new());
    for machine in [&lost, &older] {
        let chain = ticket(&stage).outlet(&machine.keys, stage.now());
        enrol(&stage, &chain).await.unwrap();
    }

    let who = RevokeTarget::Device(lost.keys.identity.peer_id());
    let revocation = stage.org.revocation("r1", who, stage.now());
    let request = tidegate_proto::api::RevokeRequest { revocation };
    let revoked: serde_json::Value = stage
        .connect()
        .await
        .post(path::REVOKE, &request)
        .await
        .unwrap();
    assert!(revoked["epoch"].as_u64() > Some(0));
    assert!(serves(&stage, &lost).await.is_err());
    assert!(!vault(&stage).await.outlets.contains(&lost.keys));
    assert!(serves(&stage, &older).await.is_ok());
    let again = ticket(&stage).outlet(&lost.keys, stage.now());
    let shut = refused(StatusCode::FORBIDDEN, Code::Revoked);
    assert_eq!(
        enrol(&stage, &again).await,
        shut,
        "a lost key never comes back"
    );
    assert_eq!(stage.authority.shut_out().borrow().len(), 1);
    stage.org.outlets_since = UnixTime(stage.now().0 + 1);
    stage.org.version += 1;
    stage.authority.reload(stage.bundle()).await.unwrap();
    assert!(serves(&stage, &older).await.is_err());

    stage.clock.advance(86_400);
    stage.org.version += 1;
    stage.authority.reload(stage.bundle()).await.unwrap();
    assert_eq!(
        stage.authority.shut_out().borrow().len(),
        1,
        "nor with the chain that it keeps"
    );
    stage.end().await;
}
