//! Whoever asks for a service that is not theirs must not learn whether there is one: not by code, text, number or size of frames.
//! The vault is real and forbidden; the cellar, a name of another length's twin, does not exist.

use std::time::Duration;
use tidegate_link::{LinkError, Preface, Secure, circuit, dial, initiate, preface};
use tidegate_proto::{
    auth::{Auth, prove},
    channel::{Prologue, Suite},
    frame::{Frame, Open, Purpose},
    problem::{Code, Problem},
    statement::{PassRole, ServiceHandle},
    wire::link::ToRelay,
    words::words,
};

use crate::company::{Company, acme, within};
use crate::laptop::{Laptop, Said, handshake, link_key, present, relay_link};
use crate::papers::{minted, minted_pass};

/// As long as "vault".
const NOBODYS: &str = "vaulx";

/// A raw link to the relay that shows records as they come.
async fn raw_link(company: &Company, pass: &str) -> Secure {
    let mut tcp = dial(&company.address, Duration::from_secs(5))
        .await
        .unwrap();
    preface(&mut tcp, Preface::Link).await.unwrap();
    let prologue = Prologue::link(Suite::Aes256Gcm, acme());
    let relay = company.relay_key().public();
    let mut link = initiate(tcp, &prologue, &link_key(), relay).await.unwrap();
    let hello = ToRelay::Hello {
        pass: pass.to_owned(),
    };
    link.send_record(&hello.encode()).await.unwrap();
    link.recv_record().await.unwrap();
    link
}

/// The handle that relays know the vault by, as an outlet is told.
async fn vaults_handle(company: &Company) -> ServiceHandle {
    let answer = company
        .api()
        .await
        .outlet(&company.outlet_keys.identity)
        .await;
    answer.unwrap().services[1].handle
}

#[tokio::test]
async fn a_relay_answers_for_a_forbidden_service_as_for_one_that_does_not_exist() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let (vault, nobodys) = (vaults_handle(&company).await, ServiceHandle([0xee; 16]));
    assert_ne!(vault, ana.handle());
    let mut link = raw_link(&company, &ana.answer.pass).await;

    let mut answers = Vec::new();
    for handle in [vault, nobodys] {
        let open = ToRelay::Open { request: 7, handle };
        link.send_record(&open.encode()).await.unwrap();
        answers.push(within(link.recv_record()).await.unwrap());
    }

    assert_eq!(answers[0], answers[1], "byte for byte the same");
    company.nothing_opened();
    drop(link);
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn a_catalogue_names_nothing_that_its_reader_may_not_see() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let eve = company.laptop("eve", &["sales"]).await;

    let (anas, eves) = (
        serde_json::to_string(&ana.answer.services).unwrap(),
        eve.answer.services.len(),
    );

    let vault = &company.bundle.services[1];
    assert!(!anas.contains(vault.as_str()) && ana.answer.services.len() == 1);
    assert_eq!(eves, 0);
    eve.shutdown().await;
    ana.shutdown().await;
    company.end().await;
}

/// Everything an outlet says on a circuit to `handle` for `ana`, who names `service` in prologue and AUTH.
async fn said_of(
    company: &Company,
    ana: &Laptop,
    handle: ServiceHandle,
    (prologue, named): (&str, &str),
) -> Result<Vec<Said>, LinkError> {
    let hub = company.stolen_hub_keys().signing;
    let link = relay_link(company, minted_pass(&hub, PassRole::Agent, handle)).await?;
    let token = link.open(handle).await?;
    let outlet = company.outlet_keys.noise.public();
    let mut secure = handshake(&company.address, token, prologue, outlet).await?;
    let auth = Auth {
        service: named.parse().unwrap(),
        credential: minted(&hub, "ana", &ana.device.identity.verify_key()),
        signature: prove(&secure.hash, &ana.device.identity),
        ..ana.auth(&secure.hash)
    };
    let said = present(&mut secure, &auth).await;
    within(link.shutdown()).await;
    Ok(said)
}

#[tokio::test]
async fn an_outlet_says_the_same_of_a_forbidden_service_and_of_one_that_does_not_exist() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let vault = vaults_handle(&company).await;
    let of = |handle, names| said_of(&company, &ana, handle, names);

    // On a circuit to the warehouse she names another in AUTH, or already in the handshake.
    let forbidden = of(ana.handle(), ("warehouse", "vault")).await;
    let unknown = of(ana.handle(), ("warehouse", NOBODYS)).await;
    assert_eq!(forbidden, unknown);
    let forbidden = of(ana.handle(), ("vault", "vault")).await;
    let unknown = of(ana.handle(), (NOBODYS, NOBODYS)).await;
    assert_eq!(forbidden, unknown);
    // And with the hub's help she comes as far as the vault's own circuit: the words are those for what does not exist.
    let forbidden = of(vault, ("vault", "vault")).await.unwrap();

    let not_available = words(&Problem::new(Code::NotAvailable)).line();
    assert!(
        matches!(&forbidden[..], [Said::Admitted, Said::Refused(code, text, _)]
            if *code == Code::NotAvailable.number() && *text == not_available),
        "{forbidden:?}"
    );
    company.nothing_opened();
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn who_is_forbidden_by_the_org_and_who_by_the_owner_hear_the_same_frames() {
    let company = Company::start().await;
    // The org lets ops do everything, the owner does not know them; sales is unknown to both.
    let ops = company.laptop("olaf", &["ops"]).await;
    let ana = company.ana().await;
    let hub = company.stolen_hub_keys().signing;

    let by_the_owner = {
        let token = ops.link.open(ana.handle()).await.unwrap();
        let outlet = company.outlet_keys.noise.public();
        let mut secure = handshake(&company.address, token, "warehouse", outlet)
            .await
            .unwrap();
        let auth = ops.auth(&secure.hash);
        present(&mut secure, &auth).await
    };
    let eve = company.device("eve").await;
    let by_both = {
        let link = relay_link(&company, minted_pass(&hub, PassRole::Agent, ana.handle()));
        let link = link.await.unwrap();
        let token = link.open(ana.handle()).await.unwrap();
        let way = circuit(&company.address, token, Duration::from_secs(5))
            .await
            .unwrap();
        let prologue = Prologue::portal(
            Suite::Aes256Gcm,
            acme(),
            "warehouse".parse().unwrap(),
            token,
        );
        let outlet = company.outlet_keys.noise.public();
        let mut secure = initiate(way, &prologue, &link_key(), outlet).await.unwrap();
        let auth = Auth {
            credential: minted(&hub, "eve", &eve.identity.verify_key()),
            id_token_0: company.token(&eve, "eve", &["sales"]),
            rz: eve.rz,
            identity: eve.identity.verify_key(),
            signature: prove(&secure.hash, &eve.identity),
            ..ana.auth(&secure.hash)
        };
        let said = present(&mut secure, &auth).await;
        // Asked once more, as a probe, the answer is the same again.
        let open = Open {
            portal: 2,
            process: 1,
            purpose: Purpose::Probe,
            grant: None,
            first: &[],
        };
        secure.send(&Frame::Open(open)).await.unwrap();
        let again = within(secure.recv_record()).await.unwrap();
        assert!(matches!(said.last(), Some(Said::Refused(_, _, length)) if *length == again.len()));
        within(link.shutdown()).await;
        said
    };

    assert_eq!(by_the_owner, by_both);
    assert!(
        matches!(by_both[..], [Said::Admitted, Said::Refused(..)]),
        "{by_both:?}"
    );
    company.nothing_opened();
    ops.shutdown().await;
    ana.shutdown().await;
    company.end().await;
}
