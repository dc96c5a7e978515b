//! The API's front: a hub that introduces itself, and agents that believe only what their root signed.
//! The hub here is its own few lines; what is under test is the client.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::time::Duration;
use tidegate_link::{
    ApiConnection, LinkError, Preface, api_link::say_hello, now, read_preface, respond,
};
use tidegate_proto::{
    api::Hello,
    channel::{ChannelError, Prologue},
    entropy::SystemEntropy,
    identity::{NoiseSecret, SigningKey},
    names::{HubAddress, OrgName},
    statement::{AuthorityStatement, RootStatement, Statement, StatementError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn hello(root: &SigningKey, certified: &NoiseSecret) -> Hello {
    let first = RootStatement {
        org: org(),
        key: root.verify_key(),
        number: 1,
    };
    let authority = AuthorityStatement {
        org: org(),
        key: SigningKey::generate(&SystemEntropy).verify_key(),
        noise: certified.public(),
        not_before: now().minus(60),
        not_after: now().plus(86_400),
        version: 1,
    };
    Hello {
        roots: vec![first.sign(root)],
        root: root.verify_key(),
        authority: authority.sign(root),
    }
}

/// A hub that says `hello`, holds `noise`, and answers one connection with what it heard.
async fn hub(hello: Hello, noise: NoiseSecret) -> HubAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        assert_eq!(read_preface(&mut tcp).await.unwrap(), Preface::Api);
        say_hello(&mut tcp, &hello).await.unwrap();
        let Ok(secure) = respond(tcp, |suite| Prologue::api(suite, org()), &noise).await else {
            return;
        };
        let mut stream = secure.into_stream();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        stream.write_all(&heard).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    address
}

async fn connect(address: &HubAddress, root: &SigningKey) -> Result<ApiConnection, LinkError> {
    let local = NoiseSecret::generate(&SystemEntropy);
    ApiConnection::connect(address, &org(), root.verify_key().peer_id(), &local).await
}

#[tokio::test]
async fn speaks_with_the_authority_that_the_root_certified() {
    let (root, noise) = (
        SigningKey::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let key = noise.public();
    let address = hub(hello(&root, &noise), noise).await;

    let mut api = connect(&address, &root).await.unwrap();
    api.stream.write_all(b"GET").await.unwrap();
    api.stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    api.stream.read_to_end(&mut answer).await.unwrap();

    assert_eq!(answer, b"GET");
    assert_eq!((api.authority.noise, api.stream.peer), (key, key));
    assert_eq!(api.hash, api.stream.hash);
}

#[tokio::test]
async fn a_hello_longer_than_its_length_can_say_ends_one_connection_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let (root, noise) = (
        SigningKey::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let first = hello(&root, &noise);
    // A root that was rotated a hundred times and more.
    let roots = vec![first.roots[0].clone(); 65_536 / first.roots[0].len() + 1];
    let long = Hello { roots, ..first };

    let mut hub = accepted.unwrap().0;
    let said = say_hello(&mut hub, &long).await;

    assert_eq!(said, Err(LinkError::Io(ErrorKind::InvalidInput)));
    drop(hub);
    let mut heard = Vec::new();
    client.unwrap().read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"", "half a hello");
}

#[tokio::test]
async fn refuses_a_hub_of_another_root() {
    let (root, other) = (
        SigningKey::generate(&SystemEntropy),
        SigningKey::generate(&SystemEntropy),
    );
    let noise = NoiseSecret::generate(&SystemEntropy);
    let address = hub(hello(&other, &noise), noise).await;

    let end = connect(&address, &root).await.err();

    assert_eq!(end, Some(LinkError::WrongHub(StatementError::Root)));
}

#[tokio::test]
async fn refuses_a_hub_that_repeats_the_right_words_without_the_key() {
    let root = SigningKey::generate(&SystemEntropy);
    let (certified, thief) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let address = hub(hello(&root, &certified), thief).await;

    let end = connect(&address, &root).await.err();

    assert_eq!(end, Some(LinkError::Channel(ChannelError::UnexpectedPeer)));
}

#[tokio::test(start_paused = true)]
async fn gives_up_on_a_hub_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let root = SigningKey::generate(&SystemEntropy);
    let started = tokio::time::Instant::now();

    let end = connect(&address, &root).await.err();

    assert_eq!(end, Some(LinkError::TimedOut));
    assert!(started.elapsed() <= Duration::from_secs(11));
}
