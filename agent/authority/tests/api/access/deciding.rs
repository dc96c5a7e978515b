//! Who decides, how many of them, and that an outlet believes what comes out.

use super::*;

#[tokio::test]
async fn a_request_reaches_who_decides_at_once_and_the_answer_comes_back() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let (mut at_ben, mut at_ana) = (ben.events(&stage).await, ana.events(&stage).await);

    let begun = Instant::now();
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let seen: Vec<RequestView> =
        told(&mut at_ben, event::ACCESS, |all: &Vec<_>| !all.is_empty()).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "pushed, not polled"
    );
    assert!(seen[0].yours && seen[0].id() == id);
    let asked = seen[0].read(&"acme".parse().unwrap()).unwrap();
    assert_eq!(asked.reason, "INC-42 churn numbers");

    ben.call(&stage, AccessAct::Seen { ids: vec![id] })
        .await
        .unwrap();
    let looked: Vec<RequestView> = told(&mut at_ana, event::ACCESS, |all: &Vec<RequestView>| {
        all.iter().any(|view| !view.seen.is_empty())
    })
    .await;
    assert_eq!(looked[0].seen[0].who.sub.as_str(), "ben");

    let half = Extent {
        seconds: 1800,
        read_only: false,
    };
    ben.call(&stage, ben.approval(&stage, id, half))
        .await
        .unwrap();
    let granted: Vec<RequestView> = told(&mut at_ana, event::ACCESS, |all: &Vec<RequestView>| {
        matches!(all[0].state, RequestState::Granted { .. })
    })
    .await;
    assert!(matches!(&granted[0].state, RequestState::Granted { extent, .. } if *extent == half));

    let fetched = ana.call(&stage, AccessAct::Fetch { id }).await.unwrap();
    let grant = fetched.grant.unwrap();
    let held = check(&stage, &ana, &grant);
    assert_eq!(held.extent, half);
    assert_eq!(held.approvers(), ["ben".parse().unwrap()]);

    // The seal names the line of the record that says so.
    let key = stage.public().key;
    let seal = Seal::verify(&grant.approvals[0].seal, &key).unwrap();
    let line = usize::try_from(seal.index).unwrap() - 1;
    let hash = StatementHash::of(&grant.approvals[0].grant);
    let events = stage.events();
    assert!(matches!(&events[line], EventKind::AccessApproved(approved)
        if approved.statement == hash && approved.by.as_str() == "ben" && approved.grant == id));

    assert_eq!(
        code(ben.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );
    drop((at_ben, at_ana));
    stage.end().await;
}

#[tokio::test]
async fn only_those_whom_the_rules_name_decide_and_nobody_their_own() {
    let stage = Stage::new().await;
    let with =
        |email: &'static str| move |claims: &mut serde_json::Value| claims["email"] = json!(email);
    let ana = person_but(&stage, "ana", "owners-and-analysts", with("ana@acme.test")).await;
    let second = person_but(&stage, "ana2", "owners", with("ANA@acme.test")).await;
    let eve = person(&stage, "eve", "analysts").await;
    let low = person_but(&stage, "lou", "owners", |claims| {
        claims.as_object_mut().unwrap().remove("nonce");
    })
    .await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();

    assert_eq!(code(ana.approve(&stage, id).await), Some(2031), "her own");
    assert_eq!(
        code(second.approve(&stage, id).await),
        Some(2028),
        "her own, through another account"
    );
    assert_eq!(code(eve.approve(&stage, id).await), Some(2028));
    assert_eq!(code(low.approve(&stage, id).await), Some(2031));
    let deny = AccessAct::Deny {
        id,
        because: "no".into(),
    };
    assert_eq!(code(eve.call(&stage, deny).await), Some(2028));
    assert_eq!(
        code(eve.call(&stage, AccessAct::Withdraw { id }).await),
        Some(2028)
    );
    assert_eq!(
        code(eve.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );
    assert!(eve.look(&stage).await.is_empty() && second.look(&stage).await.is_empty());
    assert!(matches!(
        ana.state(&stage, id).await,
        Some(RequestState::Waiting { .. })
    ));
    stage.end().await;
}

#[tokio::test]
async fn the_first_decision_counts_and_none_comes_after_the_end() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let gone = Some(2028);

    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let (one, two) = tokio::join!(ben.approve(&stage, id), zoe.approve(&stage, id));
    assert!(one.is_ok() != two.is_ok(), "exactly one was first");
    assert_eq!(
        code(ana.call(&stage, AccessAct::Withdraw { id }).await),
        gone
    );

    // The first one is granted and not used: another one is for another time.
    let mut shorter = ana.request(&stage, "r2");
    shorter.extent.seconds = 3500;
    let id = ana.ask(&stage, &shorter).await.unwrap();
    ana.call(&stage, AccessAct::Withdraw { id }).await.unwrap();
    assert_eq!(code(ben.approve(&stage, id).await), gone, "withdrawn");

    shorter.id = "r3".into();
    let id = ana.ask(&stage, &shorter).await.unwrap();
    let deny = |because: &str| AccessAct::Deny {
        id,
        because: because.into(),
    };
    for odd in ["", "  ", "a\nb", "\u{202e}", &"x".repeat(10_000)] {
        assert_eq!(code(ben.call(&stage, deny(odd)).await), Some(2029));
    }
    ben.call(&stage, deny("use the replica")).await.unwrap();
    assert!(matches!(ana.state(&stage, id).await,
        Some(RequestState::Denied { by, because }) if by.sub.as_str() == "ben" && because.as_str() == "use the replica"));
    assert_eq!(code(zoe.approve(&stage, id).await), gone, "denied");

    shorter.id = "r4".into();
    let id = ana.ask(&stage, &shorter).await.unwrap();
    let wider = Extent {
        seconds: 3501,
        ..HOUR
    };
    let wider = ben.approval(&stage, id, wider);
    assert_eq!(code(ben.call(&stage, wider).await), Some(2029));
    stage.end().await;
}

#[tokio::test]
async fn as_many_approve_as_the_rules_ask_for() {
    let stage = Stage::new().await;
    let ivy = person(&stage, "ivy", "interns").await;
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let id = ivy.ask(&stage, &ivy.request(&stage, "r1")).await.unwrap();

    ben.approve(&stage, id).await.unwrap();
    assert!(matches!(
        ivy.state(&stage, id).await,
        Some(RequestState::Waiting { .. })
    ));
    assert_eq!(code(ben.approve(&stage, id).await), Some(2028), "twice");
    assert_eq!(
        code(ivy.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );
    zoe.approve(&stage, id).await.unwrap();

    let fetched = ivy.call(&stage, AccessAct::Fetch { id }).await.unwrap();
    let held = check(&stage, &ivy, &fetched.grant.unwrap());
    assert_eq!(held.approvers().len(), 2);
    stage.end().await;
}

#[tokio::test]
async fn nothing_is_called_granted_that_an_outlet_would_not_believe() {
    let stage = Stage::new().await;
    let ivy = person(&stage, "ivy", "interns").await;
    let with =
        |email: &'static str| move |claims: &mut serde_json::Value| claims["email"] = json!(email);
    let ben = person_but(&stage, "ben", "owners", with("ben@acme.test")).await;
    let twin = person_but(&stage, "ben2", "owners", with("Ben@acme.test")).await;
    let id = ivy.ask(&stage, &ivy.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    assert_eq!(
        code(twin.approve(&stage, id).await),
        Some(2028),
        "one person"
    );

    // The provider changes its key: what was approved before still counts.
    stage.provider.turn_key("k2");
    stage.clock.advance(400); // an unknown key leads to a fetch once in five minutes
    let zoe = person(&stage, "zoe", "owners").await;
    zoe.approve(&stage, id).await.unwrap();
    let state = ivy_again(&stage, &ivy).await.state(&stage, id).await;
    assert!(
        matches!(state, Some(RequestState::Granted { .. })),
        "{state:?}"
    );
    let approved = |event: &&EventKind| matches!(event, EventKind::AccessApproved(_));
    assert_eq!(stage.events().iter().filter(approved).count(), 2);
    stage.end().await;
}

async fn ivy_again(stage: &Stage, ivy: &Person) -> Person {
    let device = Device {
        identity: SigningKey::from_seed(&ivy.device.identity.seed()),
        rz: ivy.device.rz,
    };
    let claims = device.claims(&stage.provider, "ivy", &["interns"], stage.now());
    let token = stage.provider.sign(&claims);
    let answer = stage.connect().await.credential(&device, &token).await;
    let legs = Legs {
        credential: answer.unwrap().credential,
        id_token_0: token,
        ..ivy.legs.clone()
    };
    Person {
        device,
        sub: "ivy",
        legs,
    }
}

#[tokio::test]
async fn the_rules_of_the_approval_say_how_many_must_approve() {
    let mut stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    stage.org.policy = stage
        .org
        .policy
        .replace(r#"@longest("2h")"#, r#"@approvals("2")"#);
    stage.org.version += 1;
    stage.authority.reload(stage.bundle()).await.unwrap();

    ben.approve(&stage, id).await.unwrap();
    let one = ana.look(&stage).await.remove(0);
    assert!(matches!(one.state, RequestState::Waiting { .. }));
    assert_eq!((one.needs, one.approved.len()), (2, 1));
    zoe.approve(&stage, id).await.unwrap();
    let two = ana.look(&stage).await.remove(0);
    assert!(matches!(two.state, RequestState::Granted { .. }));
    stage.end().await;
}

#[tokio::test]
async fn what_is_said_later_has_a_later_turn_however_it_is_said() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let mut at_ana = ana.events(&stage).await;
    let request = ana.request(&stage, "r1").sign(&ana.device.identity);

    let asked = ana.call(&stage, AccessAct::Ask { request }).await.unwrap();
    let event = loop {
        let event = at_ana.next().await.unwrap();
        if event.name == event::ACCESS {
            break event;
        }
    };
    let looked = ana.call(&stage, AccessAct::Look {}).await.unwrap();
    let of_event: Turn = event.id.parse().unwrap();
    let (first, last) = (asked.turn.unwrap(), looked.turn.unwrap());
    drop(at_ana);
    let stage = stage.restart().await;
    let after = ana.call(&stage, AccessAct::Look {}).await.unwrap();

    // The event comes by itself: beside the answer, in either order.
    assert!(first != of_event && first.is_before(last) && of_event.is_before(last));
    assert_eq!(event.data, serde_json::to_string(&asked.requests).unwrap());
    assert_ne!(after.turn.unwrap().run, last.run, "started again");
    stage.end().await;
}
