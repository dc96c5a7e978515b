//! The hub's whole data directory, its keys and its place in the network, in a thief's hands.
//! He can deny service. He can let nobody in: that takes the person's sign-in and the person's device.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_link::{LinkError, Preface, RelayLink, Secure, preface, respond};
use tidegate_proto::{
    auth::{Auth, prove},
    channel::{ChannelError, Prologue},
    entropy::SystemEntropy,
    identity::{NoiseSecret, SigningKey},
    idtoken::commitment,
    problem::Code,
    statement::{PassRole, Seen, ServiceStatement, Statement, StatementError},
};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Device, tampered};
use crate::company::{Company, StolenHub, acme, service_statement, within};
use crate::laptop::{Laptop, Said, handshake, present, relay_link};
use crate::papers::{minted, minted_pass};
use crate::provider::{CLIENT, Provider};

/// A link with a pass that the thief wrote himself.
async fn thiefs_link(
    company: &Company,
    hub: &StolenHub,
    ana: &Laptop,
    role: PassRole,
) -> RelayLink {
    let pass = minted_pass(&hub.signing, role, ana.handle());
    relay_link(company, pass).await.unwrap()
}

/// What the outlet says to papers put together by `auth`, shown over a circuit of the thief's own.
async fn shown(
    company: &Company,
    link: &RelayLink,
    ana: &Laptop,
    auth: impl FnOnce(&Secure) -> Auth,
) -> Vec<Said> {
    let token = link.open(ana.handle()).await.unwrap();
    let outlet = company.outlet_keys.noise.public();
    let mut secure = handshake(&company.address, token, "warehouse", outlet)
        .await
        .unwrap();
    let auth = auth(&secure);
    present(&mut secure, &auth).await
}

fn is_refused(said: &[Said]) -> bool {
    matches!(said, [Said::Refused(code, ..), Said::Ended] if *code == Code::NotAdmitted.number())
}

#[tokio::test]
async fn a_thief_with_the_whole_hub_opens_nothing_without_the_persons_device() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let hub = company.stolen_hub_keys();
    let link = thiefs_link(&company, &hub, &ana, PassRole::Agent).await;
    let thief = Device::new();
    // As the authority he was shown Ana's token, its opening, and a proof over the connection to him.
    let (token, rz, anas_key) = (&ana.token, ana.device.rz, ana.device.identity.verify_key());
    let to_the_hub = company.api().await.hash;
    let proof_to_the_hub = prove(&to_the_hub, &ana.device.identity);
    let nonce = commitment(&thief.rz, &thief.identity.verify_key(), &acme(), CLIENT);
    let unsigned = tampered(
        &ana.token
            .replace(&ana.token, &with_nonce(&ana.token, &nonce)),
        2,
    );

    let whole = |secure: &Secure| Auth {
        credential: minted(&hub.signing, "ana", &thief.identity.verify_key()),
        identity: thief.identity.verify_key(),
        signature: prove(&secure.hash, &thief.identity),
        ..ana.auth(&secure.hash)
    };
    let said = [
        // His own key, her token.
        shown(&company, &link, &ana, whole).await,
        // His own key, her token with his nonce written into it.
        shown(&company, &link, &ana, |secure| Auth {
            id_token_0: unsigned.clone(),
            rz: thief.rz,
            ..whole(secure)
        })
        .await,
        // Her key and token, and the proof she gave to the hub.
        shown(&company, &link, &ana, |_| Auth {
            service: "warehouse".parse().unwrap(),
            credential: ana.answer.credential.clone(),
            id_token_0: token.clone(),
            rz,
            identity: anas_key,
            id_token_n: None,
            enrolment: None,
            grant: None,
            signature: proof_to_the_hub,
        })
        .await,
        // A credential for another's key, with her proof of possession on another channel.
        shown(&company, &link, &ana, |secure| Auth {
            identity: anas_key,
            signature: prove(&secure.hash, &hub.signing),
            ..ana.auth(&secure.hash)
        })
        .await,
    ];

    assert!(said.iter().all(|said| is_refused(said)), "{said:?}");
    company.nothing_opened();
    within(link.shutdown()).await;
    ana.shutdown().await;
    company.end().await;
}

/// The same token, altered to commit to another key; its signature no longer fits.
fn with_nonce(token: &str, nonce: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["nonce"] = nonce.into();
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{}.{claims}.{}", parts[0], parts[2])
}

#[tokio::test]
async fn a_thief_with_the_hub_cannot_put_his_own_provider_behind_the_key_tunnel() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let hub = company.stolen_hub_keys();
    let link = thiefs_link(&company, &hub, &ana, PassRole::Agent).await;
    let (thief, his_provider) = (Device::new(), Provider::start().await);
    his_provider.turn_key("k2");
    let way = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let led_astray = way.local_addr().unwrap().to_string().parse().unwrap();
    company.hub.here().key_host.send_replace(led_astray);
    let his_host = his_provider.settings().key_host.to_string();
    let came = Arc::<AtomicUsize>::default();
    let carried = tokio::spawn(carry(way, his_host, Arc::clone(&came)));
    // Everything in it is right but who signed: the outlet has to ask for the key "k2", through the thief's tunnel.
    let claims = thief.claims(
        &company.provider,
        "ana",
        &["data-science"],
        tidegate_link::now(),
    );

    let said = shown(&company, &link, &ana, |secure| Auth {
        credential: minted(&hub.signing, "ana", &thief.identity.verify_key()),
        id_token_0: his_provider.sign(&claims),
        rz: thief.rz,
        identity: thief.identity.verify_key(),
        signature: prove(&secure.hash, &thief.identity),
        ..ana.auth(&secure.hash)
    })
    .await;

    assert!(is_refused(&said), "{said:?}");
    assert_eq!(came.load(Ordering::SeqCst), 1, "the outlet did come by");
    carried.abort();
    assert_eq!(
        his_provider.asked(),
        0,
        "the outlet spoke to another provider"
    );
    company.nothing_opened();
    company
        .hub
        .here()
        .key_host
        .send_replace(company.provider.settings().key_host);
    within(link.shutdown()).await;
    ana.shutdown().await;
    company.end().await;
}

/// Carries connections to his provider, and counts them.
async fn carry(way: TcpListener, to: String, came: Arc<AtomicUsize>) {
    while let Ok((mut tcp, _)) = way.accept().await {
        came.fetch_add(1, Ordering::SeqCst);
        let mut provider = TcpStream::connect(&to).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut tcp, &mut provider).await;
    }
}

#[tokio::test]
async fn a_thief_who_says_that_he_is_the_outlet_learns_nothing() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let hub = company.stolen_hub_keys();
    let his_link = thiefs_link(&company, &hub, &ana, PassRole::Outlet).await;

    let deceived = deceived(&company, &ana, &his_link).await;

    assert!(deceived > 0, "the thief was never asked");
    company.nothing_opened();
    within(his_link.shutdown()).await;
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn a_catalogue_that_the_hub_altered_is_not_believed() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let hub = company.stolen_hub_keys();
    let root = company.org.root.verify_key();
    let entry = &ana.answer.services[0].jws;
    let believed = ServiceStatement::verify_for(entry, &root, &acme()).unwrap();
    let mut seen = Seen::default();
    seen.service(&believed).unwrap();
    let his_key = NoiseSecret::generate(&SystemEntropy).public();
    let outlet = &company.outlet_keys;
    let his = service_statement(
        "warehouse",
        15432,
        his_key,
        std::slice::from_ref(&company.address),
        outlet,
    );

    let by_the_hub = his.sign(&hub.signing);
    let by_the_hub = ServiceStatement::verify_for(&by_the_hub, &root, &acme());
    let altered = [1, 2]
        .map(|part| ServiceStatement::verify_for(&tampered(entry, part), &root, &acme()).is_err());
    // Even one that the root once signed, with a key the outlet no longer has.
    let older = ServiceStatement { version: 0, ..his };

    assert!(by_the_hub.is_err());
    assert_eq!(altered, [true, true]);
    assert_eq!(seen.service(&older), Err(StatementError::Rollback));
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn a_hub_under_another_root_is_turned_away_before_anything_is_said() {
    let company = Company::start().await;
    let stranger = SigningKey::generate(&SystemEntropy).verify_key().peer_id();
    let noise = NoiseSecret::generate(&SystemEntropy);

    let joined =
        tidegate_link::ApiConnection::connect(&company.address, &acme(), stranger, &noise).await;

    assert!(matches!(joined.err(), Some(LinkError::WrongHub(_))));
    company.nothing_opened();
    company.end().await;
}

/// How many of eight circuits to the warehouse came to the thief at `link`, who answers as if he were the outlet.
/// Two serve it now; the relay turns to him sooner or later, and Ana believes him never.
pub(crate) async fn deceived(company: &Company, ana: &Laptop, link: &RelayLink) -> usize {
    let his_key = NoiseSecret::generate(&SystemEntropy);
    let mut deceived = 0;
    for _ in 0..8 {
        tokio::select! {
            hers = within(ana.handshake()) => match hers {
                Ok(secure) => assert_eq!(secure.peer, company.outlet_keys.noise.public()),
                Err(error) => {
                    assert_eq!(error, LinkError::Channel(ChannelError::UnexpectedPeer));
                    deceived += 1;
                }
            },
            () = pretend(company, link, &his_key) => {}
        }
    }
    deceived
}

/// Answers every circuit as if he were the outlet; ends only when somebody believed him.
async fn pretend(company: &Company, link: &RelayLink, key: &NoiseSecret) {
    while let Some((_, token)) = link.incoming().await {
        let mut tcp = TcpStream::connect(company.address.to_string())
            .await
            .unwrap();
        preface(&mut tcp, Preface::Circuit(token)).await.unwrap();
        let service = || "warehouse".parse().unwrap();
        let prologue = |suite| Prologue::portal(suite, acme(), service(), token);
        let believed = respond(tcp, prologue, key).await;
        assert!(believed.is_err(), "she finished a handshake with the thief");
    }
}
