//! Programs that use the protocol against us or against the database.

use std::pin::pin;

use futures_util::SinkExt as _;
use tidegate_postgres::{Startup, Version, terminate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn startup() -> Vec<u8> {
    Startup::new(Version::V3_0).with("user", "ana").encode()
}

#[tokio::test]
async fn a_gibibyte_announced_is_neither_stored_nor_a_way_to_stay() {
    let stage = Stage::alone("announcer");
    let (end, ended) = oneshot::channel();
    let (mut stream, portal) = stage.portal("00uana", async move { ended.await.unwrap() });
    stream.write_all(&startup()).await.unwrap();
    stream
        .write_all(&[b'Q', 0x3f, 0xff, 0xff, 0xf0])
        .await
        .unwrap();
    stream.write_all(&vec![b' '; 8_000_000]).await.unwrap();
    let before = resident_kib();
    stream.write_all(&vec![b' '; 32_000_000]).await.unwrap();
    let grown = resident_kib().saturating_sub(before);

    end.send(revoked()).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    drop(stream);

    // The 32 MB that this test itself allocates come and go; other tests run beside it.
    assert!(grown < 200_000, "grew by {grown} KiB");
    assert!(String::from_utf8_lossy(&heard).contains("57P01"));
    assert_eq!(portal.await.unwrap(), PortalEnd::Ended(revoked()));
    stage.sees_no_backend_of("announcer").await;
}

#[tokio::test]
async fn a_hundred_thousand_pipelined_statements_are_answered_one_by_one() {
    let stage = Stage::new("loader");
    let (stream, portal) = stage.portal("00uana", pending());
    let (mut from_outlet, mut to_outlet) = tokio::io::split(stream);
    let mut words = startup();
    let parse = b"P\0\0\0\x10\0SELECT 1\0\0\0";
    (0..100_000).for_each(|_| words.extend_from_slice(parse));
    words.extend_from_slice(b"S\0\0\0\x04");
    words.extend(terminate());

    let writing = tokio::spawn(async move {
        to_outlet.write_all(&words).await.unwrap();
        to_outlet
    });
    let mut heard = Vec::new();
    from_outlet.read_to_end(&mut heard).await.unwrap();

    let (mut boundary, mut parsed) = (tidegate_postgres::Boundary::default(), 0);
    boundary.walk(&heard, |tag| parsed += u32::from(tag == b'1'));
    assert_eq!(parsed, 100_000);
    drop((writing.await.unwrap(), from_outlet));
    assert_eq!(portal.await.unwrap(), PortalEnd::Closed);
}

#[tokio::test]
async fn an_interrupted_copy_leaves_nothing_behind() {
    let stage = Stage::alone("copier");
    stage.cluster.psql(
        "nyc",
        "CREATE TABLE IF NOT EXISTS half (line text); GRANT ALL ON half TO copier",
    );
    let Program {
        client,
        connection,
        portal,
        end: _end,
    } = stage.program().await;
    {
        let mut sink = pin!(
            client
                .copy_in::<_, tokio_util::bytes::Bytes>("COPY half FROM STDIN")
                .await
                .unwrap()
        );
        sink.send(tokio_util::bytes::Bytes::from(vec![b'x'; 3_000_000]))
            .await
            .unwrap();
        // Dropped without its end: tokio-postgres says CopyFail.
    }
    let error = client.batch_execute("SELECT 1").await;
    assert!(error.is_ok() || error.unwrap_err().code().is_some());
    let mut sink = pin!(
        client
            .copy_in::<_, tokio_util::bytes::Bytes>("COPY half FROM STDIN")
            .await
            .unwrap()
    );
    sink.send(tokio_util::bytes::Bytes::from(vec![b'x'; 3_000_000]))
        .await
        .unwrap();

    connection.abort();

    assert!(connection.await.unwrap_err().is_cancelled());
    let end = portal.await.unwrap();
    assert!(
        matches!(end, PortalEnd::Closed | PortalEnd::Lost),
        "{end:?}"
    );
    stage.sees_no_backend_of("copier").await;
    assert_eq!(stage.cluster.psql("nyc", "SELECT count(*) FROM half"), "0");
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
