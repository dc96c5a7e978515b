//! The connection itself: what is said wrongly, slowly, too much, or by too many, and how it all ends.
//! (Bad inputs 19, 20, 41, 42.)

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use hyper::body::Bytes;
use serde_json::Value;
use tidegate_authority::store::{
    Accepted, AccessDoc, Enrolled, EnrolledOutlet, Keeper, Known, NewDevice, NewOutlet,
    NewRevocation, Past, Receipt, RecordLine, Seen, Store, StoreError, TakeBack, TakenBack,
    Vouched,
};
use tidegate_proto::{
    api::{RevokeRequest, Settings, devices::DeviceInfo, path, record::RecordEntry},
    identity::{PeerId, VerifyKey},
    names::Subject,
    problem::Code,
    statement::RevokeTarget,
    time::UnixTime,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Stage, client::Device};

#[tokio::test]
async fn settings_are_for_everybody_inside_the_channel() {
    let stage = Stage::new().await;

    let settings: Settings = stage.connect().await.get(path::SETTINGS).await.unwrap();

    assert_eq!(settings.org.as_str(), "acme");
    assert_eq!(settings.root, stage.org.root.verify_key());
    stage.end().await;
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_one_form() {
    let stage = Stage::new().await;
    let mut client = stage.connect().await;
    let broken = Code::PeerBrokeProtocol.number();
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let good = r#"{"revocation":"a.b.c"}"#;

    let table: [(&str, &str, String, StatusCode); 9] = [
        ("GET", "/", String::new(), StatusCode::NOT_FOUND),
        (
            "GET",
            "/v1/../v1/settings",
            String::new(),
            StatusCode::NOT_FOUND,
        ),
        ("POST", path::SETTINGS, "{}".into(), StatusCode::NOT_FOUND),
        ("GET", path::REVOKE, String::new(), StatusCode::NOT_FOUND),
        ("POST", path::REVOKE, String::new(), StatusCode::BAD_REQUEST),
        (
            "POST",
            path::REVOKE,
            r#"{"revocation":"a","revocation":"b"}"#.into(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "POST",
            path::REVOKE,
            r#"{"revocation":"a","admin":true}"#.into(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "POST",
            path::REVOKE,
            format!("{good} {good}"),
            StatusCode::BAD_REQUEST,
        ),
        ("POST", path::REVOKE, deep, StatusCode::BAD_REQUEST),
    ];
    for (method, path, body, status) in table {
        let answer = client
            .send::<Value>(method, path, Bytes::from(body.clone()))
            .await;
        assert_eq!(
            answer,
            Err((status, broken)),
            "{method} {path} {:.40}",
            body
        );
    }
    stage.end().await;
}

#[tokio::test]
async fn a_body_over_64_kib_is_not_read() {
    let stage = Stage::new().await;
    let mut client = stage.connect().await;

    let revocation = "x".repeat(65 * 1024);
    let answer = client
        .post::<Value>(path::REVOKE, &RevokeRequest { revocation })
        .await;

    assert_eq!(
        answer,
        Err((StatusCode::BAD_REQUEST, Code::PeerBrokeProtocol.number()))
    );
    stage.end().await;
}

#[tokio::test]
async fn events_are_for_those_who_have_proved_who_they_are() {
    let stage = Stage::new().await;

    let answer = stage.connect().await.get::<Value>(path::EVENTS).await;

    assert_eq!(
        answer,
        Err((StatusCode::FORBIDDEN, Code::NotAdmitted.number()))
    );
    stage.end().await;
}

#[tokio::test]
async fn hundreds_who_say_nothing_keep_nobody_out() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut tcp = TcpStream::connect(stage.address()).await.unwrap();
        if n % 2 == 0 {
            tcp.write_all(b"tg1A").await.unwrap();
        }
        silent.push(tcp);
    }

    let began = std::time::Instant::now();
    stage
        .connect()
        .await
        .credential(&device, &stage.token(&device, "ana"))
        .await
        .unwrap();

    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    drop(silent);
    stage.end().await;
}

#[tokio::test]
async fn strangers_with_a_handshake_do_not_keep_anybody_out_either() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let mut strangers = Vec::new();
    for _ in 0..530 {
        strangers.push(stage.connect().await);
    }

    stage
        .connect()
        .await
        .credential(&device, &stage.token(&device, "ana"))
        .await
        .unwrap();

    strangers.remove(0).ended().await; // the oldest had to leave
    drop(strangers);
    stage.end().await;
}

#[tokio::test]
async fn one_key_holds_so_many_connections_and_no_more() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let token = stage.token(&device, "ana");
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut client = stage.connect().await;
        client.credential(&device, &token).await.unwrap();
        held.push(client);
    }

    let answer = stage.connect().await.credential(&device, &token).await;

    assert_eq!(
        answer.err(),
        Some((StatusCode::SERVICE_UNAVAILABLE, Code::HubBusy.number()))
    );
    let other = stage.device("bob").await;
    stage
        .connect()
        .await
        .credential(&other, &stage.token(&other, "bob"))
        .await
        .unwrap();
    drop(held);
    stage.end().await;
}

#[tokio::test]
async fn draining_ends_every_connection_in_a_moment() {
    let stage = Stage::new().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut client = stage.connect().await;
        client.outlet(&stage.org.outlet).await.unwrap();
        let mut events = client.events().await;
        events.next().await.unwrap();
        streams.push(events);
    }
    let idle = stage.connect().await;
    let mut half_open = TcpStream::connect(stage.address()).await.unwrap();
    half_open.write_all(b"tg1A").await.unwrap();

    let began = std::time::Instant::now();
    timeout(Duration::from_secs(5), stage.end()).await.unwrap();

    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    for mut events in streams {
        while events.next().await.is_some() {} // what was on its way
    }
    idle.ended().await;
}

/// A store that works until it is told not to.
struct Broken;

impl Store for Broken {
    fn enrol<'a>(&'a self, _: &'a NewDevice) -> BoxFuture<'a, Result<Enrolled, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn vouch<'a>(&'a self, _: &'a Vouched) -> BoxFuture<'a, Result<Enrolled, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn devices_of<'a>(
        &'a self,
        _: &'a Subject,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<DeviceInfo>, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn saw<'a>(&'a self, _: &'a VerifyKey, _: UnixTime) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn enrol_outlet<'a>(&'a self, _: &'a NewOutlet) -> BoxFuture<'a, Result<Enrolled, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn outlets(&self) -> BoxFuture<'_, Result<Vec<EnrolledOutlet>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn known<'a>(&'a self, _: &'a VerifyKey) -> BoxFuture<'a, Result<Known, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn revoke<'a>(&'a self, _: &'a NewRevocation) -> BoxFuture<'a, Result<Receipt, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn take_back<'a>(&'a self, _: &'a TakeBack) -> BoxFuture<'a, Result<TakenBack, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn past(&self, _: u32) -> BoxFuture<'_, Result<(Vec<Past>, u64), StoreError>> {
        Box::pin(async { Ok((Vec::new(), 0)) })
    }

    fn shut_out_since(&self, _: UnixTime) -> BoxFuture<'_, Result<Vec<PeerId>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn accept<'a>(
        &'a self,
        _: &'a [Seen],
        _: [u8; 32],
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        Box::pin(async { Ok(Accepted::Yes { catalogue: 1 }) })
    }

    fn put_access<'a>(&'a self, _: &'a AccessDoc) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn accesses(&self, _: UnixTime) -> BoxFuture<'_, Result<Vec<AccessDoc>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn forget_accesses(&self, _: UnixTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn forget_access<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn record<'a>(
        &'a self,
        _: &'a Keeper,
        _: &'a [RecordLine],
        _: UnixTime,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn recorded<'a>(
        &'a self,
        _: &'a Subject,
        _: Option<u64>,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<RecordEntry>, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable) })
    }

    fn forget_records(&self, _: UnixTime, _: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_store_that_fails_gives_nothing_and_says_that_it_is_us() {
    let stage = Stage::on(Arc::new(Broken)).await;
    let device = Device::new();
    let ours = Some((StatusCode::SERVICE_UNAVAILABLE, Code::Internal.number()));

    assert_eq!(
        stage
            .enrol(&stage.org.ticket("ana", stage.now()), &device)
            .await
            .err(),
        ours
    );
    assert_eq!(
        stage
            .connect()
            .await
            .credential(&device, &stage.token(&device, "ana"))
            .await
            .err(),
        ours
    );
    let revocation = stage.org.revocation(
        "r1",
        RevokeTarget::Subject("ana".parse().unwrap()),
        stage.now(),
    );
    let answer = stage
        .connect()
        .await
        .post::<Value>(path::REVOKE, &RevokeRequest { revocation })
        .await;
    assert_eq!(answer.err(), ours);
    stage.end().await;
}
