//! One introduction, answered by several at the same moment: one of them counts, and nobody gets in twice.
//! Each caller has a connection of its own, and all of them ask before any is answered.

use futures_util::future::join_all;
use tidegate_proto::{api::devices::Step, problem::Code};

use crate::introduction::{NEW, OLD, Old, ask, code, take};
use crate::support::{Stage, client::Device};

const TIMES: usize = 5;

#[tokio::test]
async fn of_devices_that_compare_at_once_one_is_first_and_the_others_are_told() {
    let stage = Stage::new().await;
    let mut olds = Vec::new();
    for _ in 0..3 {
        olds.push(Old::of(&stage, "ana").await);
    }
    for _ in 0..TIMES {
        let new = Device::new();
        let id = ask(&stage, &new).await.0.unwrap().id;

        let compare = |old| Old::step(old, &stage, &id, Step::Compare { nonce: OLD });
        let answers = join_all(olds.iter().map(compare)).await;

        let mut codes: Vec<_> = answers.into_iter().map(code).collect();
        codes.sort_unstable();
        let elsewhere = Some((409, Code::IntroductionElsewhere.number()));
        assert_eq!(codes, [None, elsewhere, elsewhere]);
        take(&stage, &new, None, &id, Step::Decline).await.unwrap();
    }
    assert_eq!(stage.devices().await, 3);
    stage.end().await;
}

#[tokio::test]
async fn an_introduction_that_is_approved_and_declined_at_once_has_one_end() {
    let stage = Stage::new().await;
    let old = Old::of(&stage, "ana").await;
    let mut let_in = 0;
    for _ in 0..TIMES {
        let new = Device::new();
        let id = ask(&stage, &new).await.0.unwrap().id;
        old.step(&stage, &id, Step::Compare { nonce: OLD })
            .await
            .unwrap();
        take(&stage, &new, None, &id, Step::Reveal { nonce: NEW })
            .await
            .unwrap();
        let key = new.identity.verify_key();

        let (once, twice, declined) = tokio::join!(
            old.step(&stage, &id, old.vouch(&stage, key)),
            old.step(&stage, &id, old.vouch(&stage, key)),
            take(&stage, &new, None, &id, Step::Decline),
        );

        let approved = [once.is_ok(), twice.is_ok()];
        let approvals = approved.iter().filter(|approved| **approved).count();
        assert!(approvals <= 1, "approved twice");
        assert_ne!(approvals == 1, declined.is_ok(), "one of the two ends");
        let_in += approvals;
        assert_eq!(stage.devices().await, 1 + let_in);
    }
    stage.end().await;
}
