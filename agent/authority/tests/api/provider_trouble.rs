//! The provider's keys: fetched once, again when a token needs it, never as often as an attacker likes.
//! (Bad inputs 38, 39, 46.)

use std::sync::Arc;

use tidegate_proto::problem::Code;

use crate::support::{Stage, client::Device};

async fn ask(stage: &Stage, device: &Device, token: &str) -> Result<(), u16> {
    stage
        .connect()
        .await
        .credential(device, token)
        .await
        .map(|_| ())
        .map_err(|(_, code)| code)
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_people() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    assert_eq!(stage.provider.asked(), 0, "nobody has asked for anything");

    for _ in 0..3 {
        ask(&stage, &device, &stage.token(&device, "ana"))
            .await
            .unwrap();
    }

    assert_eq!(stage.provider.asked(), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_thousand_unknown_keys_ask_the_provider_once() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    ask(&stage, &device, &stage.token(&device, "ana"))
        .await
        .unwrap();
    let claims = device.claims(&stage.provider, "ana", &[], stage.now());
    let mut client = stage.connect().await;

    for n in 0..1000 {
        let kid = if n == 0 {
            "../../etc/passwd".to_owned()
        } else {
            format!("k{}", n + 1000)
        };
        let answer = client
            .credential(&device, &stage.provider.sign_as(&kid, &claims))
            .await;
        assert_eq!(
            answer.map(|_| ()).map_err(|(_, code)| code),
            Err(Code::NotAdmitted.number())
        );
    }

    assert_eq!(stage.provider.asked(), 2);
    stage.end().await;
}

#[tokio::test]
async fn a_rotated_key_is_found_by_the_first_token_that_names_it() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let before = stage.token(&device, "ana");
    ask(&stage, &device, &before).await.unwrap();

    stage.provider.turn_key("k2");

    ask(&stage, &device, &stage.token(&device, "ana"))
        .await
        .unwrap();
    assert_eq!(stage.provider.asked(), 2);
    assert_eq!(
        ask(&stage, &device, &before).await,
        Err(Code::NotAdmitted.number()),
        "the old key is gone"
    );
    stage.end().await;
}

#[tokio::test]
async fn of_many_who_come_with_a_rotated_key_at_once_all_get_in() {
    let stage = Arc::new(Stage::new().await);
    let device = Arc::new(stage.device("ana").await);
    ask(&stage, &device, &stage.token(&device, "ana"))
        .await
        .unwrap();
    stage.provider.turn_key("k2");

    let many: Vec<_> = (0..8)
        .map(|_| {
            let (stage, device) = (Arc::clone(&stage), Arc::clone(&device));
            tokio::spawn(async move { ask(&stage, &device, &stage.token(&device, "ana")).await })
        })
        .collect();
    for one in many {
        assert_eq!(one.await.unwrap(), Ok(()));
    }

    assert_eq!(stage.provider.asked(), 2);
    Arc::into_inner(stage).unwrap().end().await;
}

#[tokio::test]
async fn a_key_that_the_provider_took_away_stops_counting() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let stolen_key = stage.token(&device, "ana");
    ask(&stage, &device, &stolen_key).await.unwrap();

    stage.provider.turn_key("k2");
    stage.clock.advance(901);

    assert_eq!(
        ask(&stage, &device, &stolen_key).await,
        Err(Code::NotAdmitted.number())
    );
    stage.end().await;
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_out_who_has_a_known_key() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    ask(&stage, &device, &stage.token(&device, "ana"))
        .await
        .unwrap();
    stage.provider.away(true);

    stage.clock.advance(3600);
    ask(&stage, &device, &stage.token(&device, "ana"))
        .await
        .unwrap();

    stage.clock.advance(86_400);
    let answer = ask(&stage, &device, &stage.token(&device, "ana")).await;
    assert_eq!(
        answer,
        Err(Code::ProviderUnreachable.number()),
        "but not for ever"
    );
    stage.provider.away(false);
    stage.clock.advance(11);
    ask(&stage, &device, &stage.token(&device, "ana"))
        .await
        .unwrap();
    stage.end().await;
}
