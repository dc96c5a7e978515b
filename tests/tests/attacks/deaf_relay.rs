//! Two relays that disagree about who is shut out: one was told, the other hears nothing any more.
//! A relay only joins; who was revoked ends at the outlet, whichever way she comes.

use tidegate_link::{LinkError, LinkState, Portal, PortalError, RelayLink, now};
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, path},
    problem::Code,
    statement::RevokeTarget,
};
use tokio::io::AsyncReadExt;

use crate::company::{Company, acme, within};
use crate::laptop::{Laptop, Said, echoes, handshake, link_key, present};

#[tokio::test]
async fn a_relay_that_never_heard_of_a_revocation_brings_nobody_past_the_outlet() {
    let (company, second, deaf) = Company::with_a_deaf_relay().await;
    let (ana, bob) = (
        company.ana().await,
        company.laptop("bob", &["data-science"]).await,
    );
    let link = async |laptop: &Laptop| {
        let (relay, pass) = (company.relay_key().public(), laptop.answer.pass.clone());
        RelayLink::connect(&second, relay, &link_key(), &acme(), pass).await
    };
    let (anas, bobs) = (
        within(link(&ana)).await.unwrap(),
        within(link(&bob)).await.unwrap(),
    );
    let circuit = async |link: &RelayLink, laptop: &Laptop| {
        // The outlet registers at each relay in its own time.
        let token = loop {
            match link.open(laptop.handle()).await {
                Ok(token) => break token,
                Err(LinkError::Refused(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        let outlet = company.outlet_keys.noise.public();
        let mut secure = handshake(&second, token, "warehouse", outlet)
            .await
            .unwrap();
        let auth = laptop.auth(&secure.hash);
        (present(&mut secure, &auth).await, secure)
    };
    let (said, secure) = within(circuit(&anas, &ana)).await;
    assert_eq!(said, [Said::Admitted, Said::Opened]);
    let mut running = Portal::new(secure);
    echoes(&mut running).await;

    let who = RevokeTarget::Subject("ana".parse().unwrap());
    let revocation = company.org.revocation("r1", who, now());
    let request = RevokeRequest { revocation };
    let told: Result<RevokeAnswer, _> = company.api().await.post(path::REVOKE, &request).await;
    told.unwrap();

    // The relay that was told ends her link; at the other one she is as welcome as before.
    within(ana.link.closed()).await;
    let end = within(running.read_u8()).await.unwrap_err();
    assert_eq!(
        PortalError::of(&end),
        Some(PortalError::Reset(Code::RevokedByAdmin.number()))
    );
    let (said, _) = within(circuit(&anas, &ana)).await;
    assert!(
        matches!(&said[..], [Said::Refused(code, ..), Said::Ended] if *code == Code::NotAdmitted.number()),
        "{said:?}"
    );
    assert_eq!(*anas.state().borrow(), LinkState::Up);
    let (said, secure) = within(circuit(&bobs, &bob)).await;
    assert_eq!(
        said,
        [Said::Admitted, Said::Opened],
        "nobody else is the worse for it"
    );
    assert_eq!(company.target.came(), 2);

    drop((secure, running));
    within(company.target.idle()).await;
    for link in [anas, bobs] {
        within(link.shutdown()).await;
    }
    ana.shutdown().await;
    bob.shutdown().await;
    company.end().await;
    within(deaf.end()).await;
}
