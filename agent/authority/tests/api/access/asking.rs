//! What is asked for: which of it is taken, how often, and who is shown it.

use super::*;

#[tokio::test]
async fn a_request_that_the_rules_do_not_know_or_that_makes_no_sense_is_not_taken() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let other = person(&stage, "eve", "finance").await;
    let ask = async |who: &Person, change: &dyn Fn(&mut AccessRequest)| {
        let mut request = who.request(&stage, "r1");
        change(&mut request);
        code(who.ask(&stage, &request).await)
    };

    assert_eq!(ask(&other, &|_| ()).await, Some(2030));
    assert_eq!(
        ask(&ana, &|r| r.service = "nowhere".parse().unwrap()).await,
        Some(2030),
        "as if it were forbidden"
    );
    assert_eq!(ask(&ana, &|r| r.emergency = true).await, Some(2030));
    for seconds in [0, 59, 7201, u64::MAX] {
        assert_eq!(
            ask(&ana, &|r| r.extent.seconds = seconds).await,
            Some(2029),
            "{seconds}"
        );
    }
    for reason in ["", " ", "a\nb", "\u{202e}gpj.exe", &"x".repeat(10_000)] {
        assert_eq!(ask(&ana, &|r| r.reason = reason.into()).await, Some(2029));
    }
    assert_eq!(
        ask(&ana, &|r| r.at = r.at.plus(300)).await,
        Some(Code::ClockOff.number())
    );
    assert_eq!(
        ask(&ana, &|r| r.at = r.at.minus(300)).await,
        Some(Code::ClockOff.number())
    );
    assert_eq!(
        ask(&ana, &|r| r.sub = "eve".parse().unwrap()).await,
        Some(2005)
    );

    let foreign = ana.request(&stage, "r1").sign(&other.device.identity);
    let act = AccessAct::Ask { request: foreign };
    assert_eq!(code(ana.call(&stage, act).await), Some(2029));
    // Somebody who has Ana's legs, and not her key.
    let mut client = stage.connect().await;
    let stolen = AccessCall {
        legs: ana.legs.clone(),
        proof: prove(&client.hash, &other.device.identity),
        act: AccessAct::Look {},
    };
    let refused = client.post::<AccessAnswer>(path::ACCESS, &stolen).await;
    assert_eq!(refused.err(), Some((StatusCode::FORBIDDEN, 2005)));
    assert!(ana.look(&stage).await.is_empty());
    stage.end().await;
}

#[tokio::test]
async fn more_time_is_asked_for_by_who_has_some_and_by_nobody_else() {
    let stage = Stage::new().await;
    let (ana, amy, ben) = (
        person(&stage, "ana", "analysts").await,
        person(&stage, "amy", "analysts").await,
        person(&stage, "ben", "owners").await,
    );
    let held = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let more = |who: &Person, of: GrantId| AccessRequest {
        extends: Some(of),
        ..who.request(&stage, "r2")
    };
    let refused = async |who: &Person, of: GrantId| code(who.ask(&stage, &more(who, of)).await);

    assert_eq!(
        refused(&ana, held).await,
        Some(2029),
        "nobody granted it yet"
    );
    ben.approve(&stage, held).await.unwrap();
    assert_eq!(refused(&amy, held).await, Some(2029), "another's");
    let elsewhere = StatementHash::of("another request");
    assert_eq!(refused(&ana, elsewhere).await, Some(2029), "of nothing");

    let second = ana.ask(&stage, &more(&ana, held)).await.unwrap();

    let for_ben = ben.look(&stage).await;
    let asked = for_ben.iter().find(|view| view.id() == second).unwrap();
    let asked = asked.read(&"acme".parse().unwrap()).unwrap();
    assert_eq!(asked.extends, Some(held));
    let because = String::new();
    let back = AccessAct::TakeBack { id: held, because };
    ben.call(&stage, back).await.unwrap();
    assert_eq!(refused(&ana, held).await, Some(2029), "it was taken back");
    stage.end().await;
}

#[tokio::test]
async fn identical_requests_are_one_and_there_are_only_so_many() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let first = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let mut again = ana.request(&stage, "r2");
    again.reason = "still INC-42".into();

    assert_eq!(ana.ask(&stage, &again).await.unwrap(), first);
    for n in 1..10 {
        again.extent.seconds = 3600 + n;
        assert_ne!(ana.ask(&stage, &again).await.unwrap(), first);
    }
    again.extent.seconds = 3700;
    assert_eq!(code(ana.ask(&stage, &again).await), Some(2032));
    assert_eq!(ana.look(&stage).await.len(), 10);
    let asked = |event: &EventKind| matches!(event, EventKind::AccessAsked(_));
    assert_eq!(stage.events().iter().filter(|e| asked(e)).count(), 10);
    stage.end().await;
}

#[tokio::test]
async fn looking_too_often_is_refused_and_ending_something_is_not() {
    let stage = Stage::new().await;
    let (ana, ben) = (
        person(&stage, "ana", "analysts").await,
        person(&stage, "ben", "owners").await,
    );
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let seen = || AccessAct::Seen { ids: vec![id] };
    let mut refused = None;
    let mut client = stage.connect().await;
    for _ in 0..100 {
        refused = code(ana.call_on(&mut client, seen()).await);
        if refused.is_some() {
            break;
        }
    }

    assert!(refused.is_some(), "a hundred at once were taken");
    let because = String::new();
    let withdrawn = ana.call(&stage, AccessAct::Withdraw { id }).await;
    assert_eq!(code(withdrawn), refused, "of all such acts together");
    assert!(
        !ben.look(&stage).await.is_empty(),
        "others are not hindered"
    );
    let ended = ana.call(&stage, AccessAct::TakeBack { id, because }).await;
    assert_eq!(code(ended), None);
    stage.end().await;
}

#[tokio::test]
async fn the_catalogue_says_what_has_to_be_asked_for() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let answer = stage
        .connect()
        .await
        .credential(&ana.device, &ana.legs.id_token_0)
        .await
        .unwrap();

    let [askable] = answer.askable.as_slice() else {
        panic!("{:?}", answer.askable)
    };
    assert_eq!(askable.service.as_str(), "vault");
    assert_eq!((askable.longest, askable.approvals), (7200, 1));
    stage.end().await;
}

#[tokio::test]
async fn whoever_does_not_renew_is_not_told_of_others_requests_for_long() {
    let stage = Stage::new().await;
    let ben = person(&stage, "ben", "owners").await;
    let mut at_ben = ben.events(&stage).await;
    assert_eq!(at_ben.next().await.unwrap().name, event::BEACON);

    stage.clock.advance(901);
    let ana = person(&stage, "ana", "analysts").await;
    ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();

    while let Some(said) = at_ben.next().await {
        assert_ne!(said.name, event::ACCESS);
    }
    stage.end().await;
}
