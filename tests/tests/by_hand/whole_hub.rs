//! The hub's whole data directory, read to the last byte, and then used: what is in it, and what is not.
//! With both stolen keys the thief answers Ana as the hub and as the relay. She and the outlet go by other people's words.

use std::path::Path;

use tidegate_link::api_link::say_hello;
use tidegate_link::{LinkError, read_preface, respond};
use tidegate_proto::api::Hello;
use tidegate_proto::auth::prove;
use tidegate_proto::channel::{ChannelError, CircuitToken, Prologue};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoiseSecret, SigningKey, VerifyKey};
use tidegate_proto::statement::{JoinLink, OutletKeys, PassRole, ServiceStatement, Statement};
use tidegate_proto::wire::link::{FromRelay, ToRelay};
use tidegate_tests::User;
use tidegate_tests::company::SERVICE;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::search::{Search, Secret};
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tokio::net::{TcpListener, TcpStream};

use crate::papers::{acme, minted, minted_pass, within};
use crate::thefts::{Ana, Trace, is_not_admitted};
use crate::visitor::{Hub, Papers, in_the_cafe};

/// What a thief of the hub's machine can use.
struct Stolen {
    signing: SigningKey,
    authority: NoiseSecret,
    relay: NoiseSecret,
}

impl Stolen {
    fn from(data: &Path) -> Outcome<Self> {
        let read = |file: &str| std::fs::read(data.join(file)).doing(format!("steal {file}"));
        let last = |bytes: &[u8], n: usize| bytes[bytes.len() - 32 * n..][..32].try_into();
        let keys = read("authority/authority.keys")?;
        let relay = read("relay/relay.key")?;
        Ok(Self {
            signing: SigningKey::from_seed(&last(&keys, 3)?),
            authority: NoiseSecret::from_bytes(&last(&keys, 2)?),
            relay: NoiseSecret::from_bytes(&last(&relay, 1)?),
        })
    }
}

/// Nothing in it lets anybody in: every file, the store's and its log's included.
pub(crate) fn holds_nobodys_papers(narrator: &Narrator, world: &World, ana: &Ana) -> Outcome<()> {
    let data = &world.company.hub.data;
    let admin = world.stage.run().home(User::Admin);
    let ticket = JoinLink::parse(&ana.link).ok().and_then(|link| link.ticket);
    let ticket = ticket.doing("find the ticket in her link")?;
    let read = |file: &str| std::fs::read(admin.join(file)).doing(format!("read {file}"));
    let passphrase = String::from_utf8(read("passphrase")?)?;
    let identity = ana.papers.device.identity();
    let public = "the public half of her device's key";
    let search = Search::of(vec![
        Secret::key(public, identity.verify_key().as_bytes()),
        Secret::text("her ID token", &ana.papers.id_token),
        Secret::text("her credential", &ana.papers.credential),
        Secret::text("her pass", &ana.papers.pass),
        Secret::key("what opens her nonce", &ana.papers.rz),
        Secret::key("her device's key", &*identity.seed()),
        Secret::key("the ticket's key", &*ticket.key.seed()),
        Secret::key("the org root key's file", &read("org/root.age")?),
        Secret::text("its passphrase", passphrase.trim()),
        Secret::text("the database's password", &world.warehouse.password),
    ])?;

    let planted = search.plant(data)?;
    let found = search.under(data, None);
    let (known, secret): (Vec<_>, Vec<_>) = planted
        .beside(found?)?
        .into_iter()
        .partition(|find| find.what == public);
    drop(planted);
    // The hub wrote that one itself: the search reads its store.
    if known.is_empty() || !secret.is_empty() {
        return Err(Trouble::new(format!(
            "known: {known:?}; secret: {secret:?}"
        )));
    }
    narrator.say(format!("of ten things only {public} is in it: {known:?}"));
    Ok(())
}

/// He stands where the hub stood, with both of its keys.
pub(crate) async fn answers_in_vain(narrator: &Narrator, world: &World, ana: &Ana) -> Outcome<()> {
    let before = Trace::of(world)?;
    let stolen = Stolen::from(&world.company.hub.data)?;
    let (hub, way, papers) = (Hub::of(world), ana.way.clone(), ana.papers.clone());
    let entry = ana.entry.clone();
    let visit = async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string().parse().unwrap();
        let hello = hub.connects_to(&hub.address).await.hello;
        let root = hello.root;

        // As the authority he is believed: the key is the right one. What the warehouse is, the root says.
        let (hers, ()) = tokio::join!(
            hub.connects_to(&here),
            as_the_authority(&listener, &hello, &stolen)
        );
        let proof = prove(&hers.hash, &papers.device.identity());
        let his_entry = with_his_outlet(&entry, &root, &stolen);
        let entry_holds = ServiceStatement::verify_for(&his_entry, &root, &acme()).is_ok();

        let as_the_outlet = tokio::select! {
            () = as_the_relay(&listener, &stolen) => panic!("she finished a handshake with the thief"),
            hers = way.there_over(&here, &papers) => hers,
        };

        // The outlet is shown all that she showed him, under a credential of hers that he made.
        let key = papers.device.identity().verify_key();
        let shown = Papers {
            pass: minted_pass(&stolen.signing, PassRole::Agent, way.handle),
            credential: minted(&stolen.signing, "00uana", &key),
            ..papers
        };
        let outlet = way.said_with_proof(&shown, proof).await;
        (entry_holds, as_the_outlet, outlet)
    };
    let (entry_holds, as_the_outlet, outlet) = in_the_cafe(world, visit)?;

    narrator.say(format!("to Ana, as relay and outlet: {as_the_outlet:?}"));
    narrator.say(format!(
        "to the outlet, with all she showed him: {outlet:?}"
    ));
    if entry_holds || as_the_outlet != Err(LinkError::Channel(ChannelError::UnexpectedPeer)) {
        return Err(Trouble::new("Ana believed the thief"));
    }
    is_not_admitted("with the proof that she gave to him", &outlet)?;
    before.is_all_there_is(narrator, world, 1).await
}

/// The warehouse with an outlet of his own, signed by the best key he has.
fn with_his_outlet(entry: &str, root: &VerifyKey, stolen: &Stolen) -> String {
    let said = ServiceStatement::verify_for(entry, root, &acme()).unwrap();
    let his = OutletKeys {
        identity: SigningKey::generate(&SystemEntropy).verify_key(),
        noise: NoiseSecret::generate(&SystemEntropy).public(),
    };
    let (outlets, version) = (vec![his], said.version + 1);
    let said = ServiceStatement {
        outlets,
        version,
        ..said
    };
    said.sign(&stolen.signing)
}

async fn as_the_authority(listener: &TcpListener, hello: &Hello, stolen: &Stolen) {
    let mut tcp = knock(listener).await;
    say_hello(&mut tcp, hello).await.unwrap();
    let prologue = |suite| Prologue::api(suite, acme());
    respond(tcp, prologue, &stolen.authority).await.unwrap();
}

/// As the relay, and then as the outlet behind it. Comes back only if somebody believed that.
async fn as_the_relay(listener: &TcpListener, stolen: &Stolen) {
    let prologue = |suite| Prologue::link(suite, acme());
    let link = respond(knock(listener).await, prologue, &stolen.relay).await;
    let (mut link, token) = (link.unwrap(), CircuitToken([7; 16]));
    loop {
        let record = link.recv_record().await.unwrap();
        let (answer, is_last) = match ToRelay::decode(&record).unwrap() {
            ToRelay::Hello { .. } => (FromRelay::Welcome, false),
            ToRelay::Open { request, .. } => (FromRelay::Circuit { request, token }, true),
            _ => continue,
        };
        link.send_record(&answer.encode()).await.unwrap();
        if is_last {
            break;
        }
    }
    let his = NoiseSecret::generate(&SystemEntropy);
    let service = || SERVICE.parse().unwrap();
    let prologue = |suite| Prologue::portal(suite, acme(), service(), token);
    if respond(knock(listener).await, prologue, &his)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// The next one who comes, once they have said what for.
async fn knock(listener: &TcpListener) -> TcpStream {
    let (mut tcp, _) = within(listener.accept()).await.unwrap();
    within(read_preface(&mut tcp)).await.unwrap();
    tcp
}
