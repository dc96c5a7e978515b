//! The connection that is made ahead, as the database sees it.

use super::*;
use crate::postgres::spare::Spares;

/// The port that the database sees this program come from.
async fn seen_at(program: &Program) -> u16 {
    let row = program
        .client
        .query_one("select inet_client_port()", &[])
        .await
        .unwrap();
    row.get::<_, i32>(0).try_into().unwrap()
}

/// Waits until one is there, or until none is.
async fn waiting(spares: &Spares, wanted: bool) -> Option<u16> {
    let changed = async {
        while spares.port().is_some() != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        spares.port()
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, changed).await.unwrap()
}

#[tokio::test]
async fn programs_that_come_one_after_the_other_find_one_ready_and_a_single_one_leaves_none() {
    let stage = Stage::alone("spare_taken");
    let spares = stage.service.spares();
    stage.program().await.leave().await;
    assert_eq!(spares.port(), None, "nobody else was to be expected");

    stage.program().await.leave().await;
    let ready = waiting(spares, true).await.unwrap();
    let third = stage.program().await;

    assert_eq!(seen_at(&third).await, ready);
    third.leave().await;
    let next = waiting(spares, true).await.unwrap();
    assert_ne!(next, ready);
    // Nobody comes.
    waiting(spares, false).await;
    stage.sees_no_backend_of("spare_taken").await;
}

#[tokio::test]
async fn one_that_was_made_by_other_trust_is_not_used() {
    let stage = Stage::alone("spare_trust");
    let spares = stage.service.spares();
    stage.program().await.leave().await;
    stage.program().await.leave().await;
    waiting(spares, true).await.unwrap();
    let mut elsewhere = target(&stage.cluster, "spare_trust", "pencil");
    elsewhere.0.tls = TargetTls::Verified {
        trust: Trust::File(stage.cluster.ca()),
        server_name: Some("localhost".to_owned()),
    };
    let name = "warehouse".parse().unwrap();
    let other = PostgresService::new(name, elsewhere.0);
    let route = other.access().await.unwrap().route;

    assert!(spares.take(&route).is_none());
    assert_eq!(spares.port(), None, "it is of no use to anybody");
}
