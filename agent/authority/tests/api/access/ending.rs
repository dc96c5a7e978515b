//! How access ends: taken back, used up, run out, or with the person who gave it.

use super::*;

#[tokio::test]
async fn what_is_taken_back_reaches_the_outlet_and_outlives_a_restart() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let eve = person(&stage, "eve", "analysts").await;
    let mut outlet = stage.connect().await;
    outlet.outlet(&stage.org.outlet).await.unwrap();
    let mut at_outlet = outlet.events().await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let back = |because: &str| AccessAct::TakeBack {
        id,
        because: because.into(),
    };

    assert_eq!(code(eve.call(&stage, back("")).await), Some(2028));
    let begun = Instant::now();
    ben.call(&stage, back("the ticket is closed"))
        .await
        .unwrap();
    let news: GrantNews = told(&mut at_outlet, event::GRANTS, |_| true).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(news.taken_back[0].grant, id);
    assert_eq!(
        code(ana.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );

    drop(at_outlet);
    let stage = stage.restart().await;
    assert!(matches!(
        ana.state(&stage, id).await,
        Some(RequestState::TakenBack { .. })
    ));
    let heard = stage.connect().await.outlet(&stage.org.outlet).await;
    assert_eq!(heard.unwrap().grants, news, "also who comes later");
    stage.end().await;
}

#[tokio::test]
async fn a_first_use_is_told_to_who_asked_and_to_the_other_outlets() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let mut at_ana = ana.events(&stage).await;
    let used = stage.now().minus(10);
    let tell = async |at| {
        let mut client = stage.connect().await;
        let request = OutletRequest {
            identity: stage.org.outlet.verify_key(),
            link_key: NoiseSecret::from_bytes(&[6; 32]).public(),
            proof: prove(&client.hash, &stage.org.outlet),
            used: vec![FirstUse {
                grant: id,
                at,
                until: at.plus(9),
            }],
        };
        let answer: OutletAnswer = client.post(path::OUTLET, &request).await.unwrap();
        answer.grants.used[0].at
    };

    assert_eq!(tell(used).await, used);
    assert_eq!(tell(used.plus(5)).await, used, "the earliest counts");
    let shown: Vec<RequestView> = told(&mut at_ana, event::ACCESS, |all: &Vec<RequestView>| {
        matches!(
            all[0].state,
            RequestState::Granted {
                first_use: Some(_),
                ..
            }
        )
    })
    .await;
    assert!(
        matches!(shown[0].state, RequestState::Granted { first_use, .. } if first_use == Some(used))
    );

    stage.clock.advance(3600);
    let ana = signed_in_again(&stage, ana).await;
    let over = ana.look(&stage).await;
    assert_eq!(over[0].state, RequestState::Over { used: true });
    drop(at_ana);
    stage.end().await;
}

#[tokio::test]
async fn what_nobody_decides_or_uses_runs_out() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let waiting = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let mut other = ana.request(&stage, "r2");
    other.extent.seconds = 600;
    let granted = ana.ask(&stage, &other).await.unwrap();
    ben.call(&stage, ben.approval(&stage, granted, other.extent))
        .await
        .unwrap();

    stage.clock.advance(86_400);

    // Their sign-ins have run out by now: they come back with new ones.
    let ana = signed_in_again(&stage, ana).await;
    let ben = signed_in_again(&stage, ben).await;
    assert_eq!(
        ana.state(&stage, waiting).await,
        Some(RequestState::Expired {})
    );
    assert_eq!(
        ana.state(&stage, granted).await,
        Some(RequestState::Over { used: false })
    );
    assert_eq!(code(ben.approve(&stage, waiting).await), Some(2028));
    let fetch = AccessAct::Fetch { id: granted };
    assert_eq!(code(ana.call(&stage, fetch).await), Some(2028));
    stage.end().await;
}

fn revoked(stage: &Stage, id: &str, sub: &str) -> RevokeRequest {
    let who = RevokeTarget::Subject(sub.parse().unwrap());
    RevokeRequest {
        revocation: stage.org.revocation(id, who, stage.now()),
    }
}

async fn ended_at_outlets(stage: &Stage) -> Vec<GrantId> {
    let heard = stage.connect().await.outlet(&stage.org.outlet).await;
    let ended = heard.unwrap().grants.taken_back;
    ended.iter().map(|back| back.grant).collect()
}

#[tokio::test]
async fn what_somebody_approved_or_asked_for_ends_with_them_and_stays_so() {
    let stage = Stage::new().await;
    let (ana, ivy) = (
        person(&stage, "ana", "analysts").await,
        person(&stage, "ivy", "interns").await,
    );
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let by_ben = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, by_ben).await.unwrap();
    let mut shorter = ana.request(&stage, "r2");
    shorter.extent.seconds = 600;
    let by_zoe = ana.ask(&stage, &shorter).await.unwrap();
    let half = zoe.approval(&stage, by_zoe, shorter.extent);
    zoe.call(&stage, half).await.unwrap();
    let waiting = ivy.ask(&stage, &ivy.request(&stage, "r3")).await.unwrap();
    ben.approve(&stage, waiting).await.unwrap();

    let out = revoked(&stage, "o1", "ben");
    let taken: Result<RevokeAnswer, _> = stage.connect().await.post(path::REVOKE, &out).await;
    taken.unwrap();

    assert_eq!(ended_at_outlets(&stage).await, [by_ben]);
    assert!(matches!(ana.state(&stage, by_ben).await,
        Some(RequestState::TakenBack { by, .. }) if by.shown().as_str() == "an administrator"));
    zoe.approve(&stage, waiting).await.unwrap();
    assert!(
        matches!(
            ivy.state(&stage, waiting).await,
            Some(RequestState::Waiting { .. })
        ),
        "what Ben approved does not count any more"
    );

    let stage = stage.restart().await;
    assert_eq!(ended_at_outlets(&stage).await, [by_ben]);
    let out = revoked(&stage, "o2", "ana");
    let taken: Result<RevokeAnswer, _> = stage.connect().await.post(path::REVOKE, &out).await;
    taken.unwrap();
    let mut ended = ended_at_outlets(&stage).await;
    ended.sort_unstable();
    let mut both = [by_ben, by_zoe];
    both.sort_unstable();
    assert_eq!(ended, both, "and what she asked for ends with her");
    let back = |event: &&EventKind| matches!(event, EventKind::GrantTakenBack { by: None, .. });
    assert_eq!(stage.events().iter().filter(back).count(), 2);
    stage.end().await;
}

#[tokio::test]
async fn whoever_may_approve_takes_back_also_what_seems_to_be_over() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let zoe = person(&stage, "zoe", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    // An outlet with a clock of its own, or one that lies, says that its time is up.
    let mut client = stage.connect().await;
    let request = OutletRequest {
        identity: stage.org.outlet.verify_key(),
        link_key: NoiseSecret::from_bytes(&[6; 32]).public(),
        proof: prove(&client.hash, &stage.org.outlet),
        used: vec![FirstUse {
            grant: id,
            at: stage.now().minus(HOUR.seconds),
            until: stage.now(),
        }],
    };
    let _: OutletAnswer = client.post(path::OUTLET, &request).await.unwrap();

    let seen = zoe.state(&stage, id).await;
    assert_eq!(seen, Some(RequestState::Over { used: true }));
    let because = "the ticket is closed".to_owned();
    zoe.call(&stage, AccessAct::TakeBack { id, because })
        .await
        .unwrap();

    assert_eq!(ended_at_outlets(&stage).await, [id]);
    stage.end().await;
}

#[tokio::test]
async fn what_is_over_loses_the_approvers_tokens_and_later_itself() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let token = ben.legs.id_token_0.clone();
    assert!(stage.accesses().await[0].contains(&token));

    stage.clock.advance(2 * 86_400 - 60);
    let stage = stage.restart_at_its_time().await;
    until(&stage, |docs| docs.len() == 1 && !docs[0].contains(&token)).await;
    stage.clock.advance(32 * 86_400);
    let stage = stage.restart_at_its_time().await;
    until(&stage, |docs| docs.is_empty()).await;
    stage.end().await;
}

/// Until the hourly duty, which comes at the start as well, has done its work.
async fn until(stage: &Stage, fits: impl Fn(&[String]) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !fits(&stage.accesses().await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_read_any_more_ends_and_the_authority_starts() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    stage.spoil_accesses().await;

    let stage = stage.restart().await;

    assert_eq!(ended_at_outlets(&stage).await, [id]);
    assert!(ana.look(&stage).await.is_empty());
    stage.end().await;
}
