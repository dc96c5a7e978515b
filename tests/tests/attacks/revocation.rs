//! A revocation while work is running: the door closes at once, and the record says why.

use std::time::Duration;

use tidegate_link::{LinkError, LinkState, Portal, PortalError, now};
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, path},
    event::EventKind,
    problem::Code,
    statement::{Beacon, RevokeTarget},
    wire::link::RelayRefusal,
};
use tokio::io::AsyncReadExt;

use crate::company::{Company, within};
use crate::laptop::{Said, echoes, present, relay_link, timed};

#[tokio::test]
async fn a_revocation_ends_a_running_portal_within_a_second_and_closes_its_record() {
    let company = Company::start().await;
    let (ana, bob) = (
        company.ana().await,
        company.laptop("bob", &["data-science"]).await,
    );
    let (mut anas, mut bobs) = (ana.portal().await, bob.portal().await);
    echoes(&mut anas).await;
    echoes(&mut bobs).await;
    let who = RevokeTarget::Subject("ana".parse().unwrap());
    let order = company.org.revocation("r1", who, now());

    let revoked = async {
        let request = RevokeRequest { revocation: order };
        let mut api = company.api().await;
        let receipt: Result<RevokeAnswer, _> = api.post(path::REVOKE, &request).await;
        receipt.unwrap();
        within(anas.read_u8()).await.unwrap_err()
    };
    let (end, took) = timed(revoked).await;

    assert_eq!(
        PortalError::of(&end),
        Some(PortalError::Reset(Code::RevokedByAdmin.number()))
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
    println!(
        "revocation reached the running portal after {} ms",
        took.as_millis()
    );
    drop(anas);
    let closed = loop {
        let closed = company.events().into_iter().find_map(|event| match event {
            EventKind::PortalClosed(closed) => Some(closed),
            _ => None,
        });
        match closed {
            Some(closed) => break closed,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert_eq!(
        (closed.reason, closed.sent, closed.received),
        (Code::RevokedByAdmin, 5, 5)
    );

    // Her relay was told too: her pass would have been good for minutes.
    within(ana.link.closed()).await;
    let pass = ana.answer.pass.clone();
    assert_eq!(
        within(relay_link(&company, pass)).await.err(),
        Some(LinkError::Refused(RelayRefusal::Pass))
    );
    assert_eq!(*bob.link.state().borrow(), LinkState::Up);

    // She does not come back, with the same credential or a new one; he goes on.
    assert!(within(ana.portal_over(&company.address)).await.is_err());
    let again = company
        .api()
        .await
        .credential(&ana.device, &ana.token)
        .await;
    assert_eq!(
        again.err().map(|(_, code)| code),
        Some(Code::Revoked.number())
    );
    echoes(&mut bobs).await;
    assert_eq!(company.target.came(), 2);
    drop(bobs);
    within(company.target.idle()).await;
    ana.shutdown().await;
    bob.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn a_hundred_and_one_revocations_ask_everybody_to_renew_and_end_nobodys_work() {
    let company = Company::start().await;
    let mut ana = company.ana().await;
    let mut secure = ana.handshake().await.unwrap();
    let hash = secure.hash;
    let said = present(&mut secure, &ana.auth(&hash)).await;
    assert_eq!(said.last(), Some(&Said::Opened));
    let mut running = Portal::new(secure);
    echoes(&mut running).await;

    for n in 0..=Beacon::MAX_REVOKED {
        let who = RevokeTarget::Subject(format!("leaver-{n}").parse().unwrap());
        let revocation = company.org.revocation(&format!("r{n}"), who, now());
        let request = RevokeRequest { revocation };
        let answer: Result<RevokeAnswer, _> =
            company.api().await.post(path::REVOKE, &request).await;
        answer.unwrap();
    }

    // The credential from before opens nothing more, and what runs goes on.
    let refused = async {
        while let Ok(portal) = ana.portal_over(&company.address).await {
            drop(portal);
        }
    };
    within(refused).await;
    echoes(&mut running).await;
    let mut api = company.api().await;
    let newer = api.credential(&ana.device, &ana.token).await;
    ana.answer = newer.unwrap();
    let control = running.control();
    let record = ana.auth(&hash).encode().unwrap();
    control.reauth(record).await.unwrap();
    // What the outlet says to it is heard by whoever reads the portal.
    let mut deadline = control.deadline();
    tokio::select! {
        said = within(deadline.wait_for(Option::is_some)) => drop(said.unwrap()),
        byte = running.read_u8() => panic!("{byte:?}"),
    }
    echoes(&mut running).await;
    let mut another = ana.portal().await;
    echoes(&mut another).await;
    drop((running, another));
    within(company.target.idle()).await;
    ana.shutdown().await;
    company.end().await;
}
