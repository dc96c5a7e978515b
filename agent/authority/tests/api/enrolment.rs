//! One ticket, one key, once: also in a race, also after a restart, and never by a ticket that the root did not sign.
//! (Bad inputs 30, 41, 48.)

use std::sync::Arc;

use http::StatusCode;
use tidegate_proto::{
    api::{EnrolAnswer, EnrolRequest, path},
    entropy::SystemEntropy,
    event::EventKind,
    identity::SigningKey,
    problem::Code,
    statement::TicketKind,
};

use crate::support::{
    Stage,
    client::{Device, tampered},
    org::Ticket,
};

fn refused<T>(status: StatusCode, code: Code) -> Result<T, (StatusCode, u16)> {
    Err((status, code.number()))
}

#[tokio::test]
async fn a_ticket_enrols_one_key_and_no_second() {
    let stage = Stage::new().await;
    let ticket = stage.org.ticket("ana", stage.now());
    let (first, second) = (Device::new(), Device::new());

    let name = stage.enrol(&ticket, &first).await.unwrap();

    assert_eq!(
        stage.enrol(&ticket, &first).await,
        Ok(name),
        "the answer may have been lost"
    );
    assert_eq!(
        stage.enrol(&ticket, &second).await,
        refused(StatusCode::CONFLICT, Code::TicketUsed)
    );
    let other = stage.org.ticket("ana", stage.now());
    assert_eq!(
        stage.enrol(&other, &first).await,
        refused(StatusCode::CONFLICT, Code::AlreadyJoined)
    );
    let theirs = stage.org.ticket("bob", stage.now());
    assert_eq!(
        stage.enrol(&theirs, &first).await,
        refused(StatusCode::FORBIDDEN, Code::TicketForAnother)
    );
    stage.end().await;
}

#[tokio::test]
async fn of_twelve_thieves_with_one_ticket_one_is_enrolled() {
    let stage = Arc::new(Stage::new().await);
    let ticket = Arc::new(stage.org.ticket("ana", stage.now()));

    let thieves: Vec<_> = (0..12)
        .map(|_| {
            let (stage, ticket) = (Arc::clone(&stage), Arc::clone(&ticket));
            tokio::spawn(async move { stage.enrol(&ticket, &Device::new()).await })
        })
        .collect();
    let mut enrolled = 0;
    for thief in thieves {
        match thief.await.unwrap() {
            Ok(_) => enrolled += 1,
            lost => assert_eq!(lost, refused(StatusCode::CONFLICT, Code::TicketUsed)),
        }
    }

    assert_eq!(enrolled, 1);
    Arc::into_inner(stage).unwrap().end().await;
}

#[tokio::test]
async fn a_ticket_that_the_root_did_not_sign_as_it_is_enrols_nothing() {
    let stage = Stage::new().await;
    let now = stage.now();
    let root = &stage.org.root;
    let stranger = SigningKey::generate(&SystemEntropy);
    let bad = Code::JoinLinkBad;
    let mut altered = stage.org.ticket("ana", now);
    altered.join.jws = tampered(&altered.join.jws, 1);
    let mut forged = stage.org.ticket("ana", now);
    forged.join.jws = tampered(&forged.join.jws, 2);

    let table = [
        ("another root", Ticket::signed(&stranger, now, |_| {}), bad),
        ("an altered ticket", altered, bad),
        ("an altered signature", forged, bad),
        (
            "another org",
            Ticket::signed(root, now, |t| t.org = "other".parse().unwrap()),
            bad,
        ),
        (
            "too long a life",
            Ticket::signed(root, now, |t| t.not_after = now.plus(30 * 86_400)),
            bad,
        ),
        (
            "expired",
            Ticket::signed(root, now, |t| t.not_after = now),
            Code::TicketExpired,
        ),
        (
            "for an outlet",
            Ticket::signed(root, now, outlet),
            Code::OutletTicketUnfit,
        ),
    ];

    for (what, ticket, code) in table {
        let answer = stage.enrol(&ticket, &Device::new()).await;
        assert_eq!(answer, refused(StatusCode::FORBIDDEN, code), "{what}");
    }
    stage.end().await;
}

fn outlet(ticket: &mut tidegate_proto::statement::TicketStatement) {
    ticket.kind = TicketKind::Outlet {
        service: "warehouse".parse().unwrap(),
    };
}

#[tokio::test]
async fn whoever_has_the_ticket_but_not_its_key_enrols_nothing() {
    let stage = Stage::new().await;
    let now = stage.now();
    let ticket = stage.org.ticket("ana", now);
    let thief = Device::new();
    let stolen = ticket.enrolment_by(&thief.identity, &thief.identity.verify_key(), now);
    let other = stage
        .org
        .ticket("ana", now)
        .enrolment(&thief.identity.verify_key(), now);

    for enrolment in [stolen, other] {
        let request = EnrolRequest {
            ticket: ticket.join.jws.clone(),
            enrolment,
        };
        let answer = stage
            .connect()
            .await
            .post::<EnrolAnswer>(path::ENROL, &request)
            .await;
        assert_eq!(
            answer.map(|a| a.device),
            refused(StatusCode::FORBIDDEN, Code::JoinLinkBad)
        );
    }

    stage.enrol(&ticket, &Device::new()).await.unwrap(); // and the ticket was not used up
    stage.end().await;
}

#[tokio::test]
async fn a_device_whose_clock_is_ahead_is_told_so() {
    let stage = Stage::new().await;
    let now = stage.now();
    let ticket = stage.org.ticket("ana", now);
    let device = Device::new();
    let early = ticket.enrolment(&device.identity.verify_key(), now.plus(600));

    let request = EnrolRequest {
        ticket: ticket.join.jws.clone(),
        enrolment: early,
    };
    let answer = stage
        .connect()
        .await
        .post::<EnrolAnswer>(path::ENROL, &request)
        .await;

    assert_eq!(
        answer.map(|a| a.device),
        refused(StatusCode::FORBIDDEN, Code::ClockOff)
    );
    stage.enrol(&ticket, &device).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_used_ticket_stays_used_over_a_restart() {
    let stage = Stage::new().await;
    let ticket = stage.org.ticket("ana", stage.now());
    let device = Device::new();
    let name = stage.enrol(&ticket, &device).await.unwrap();

    let stage = stage.restart().await;

    assert_eq!(
        stage.enrol(&ticket, &Device::new()).await,
        refused(StatusCode::CONFLICT, Code::TicketUsed)
    );
    assert_eq!(stage.enrol(&ticket, &device).await, Ok(name));
    let token = stage.token(&device, "ana");
    stage
        .connect()
        .await
        .credential(&device, &token)
        .await
        .unwrap();
    stage.end().await;
}

#[tokio::test]
async fn the_record_of_what_was_done_is_whole() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let token = stage.token(&device, "ana");
    stage
        .connect()
        .await
        .credential(&device, &token)
        .await
        .unwrap();
    let stage = stage.restart().await;

    let kinds = stage.events();

    let [
        EventKind::Started { .. },
        EventKind::DeviceEnrolled {
            sub,
            device: enrolled,
            ..
        },
        EventKind::CredentialIssued { device: issued, .. },
        EventKind::Stopped {},
        EventKind::Started { .. },
    ] = kinds.as_slice()
    else {
        panic!("{kinds:?}")
    };
    assert_eq!(sub.as_str(), "ana");
    assert_eq!(
        [enrolled, issued],
        [&device.identity.verify_key().peer_id(); 2]
    );
    assert!(!stage.record().contains(&token));
    stage.end().await;
}
