//! Access that nobody was asked for first: it opens at once, and everybody who could have decided hears of it.

use super::*;

#[tokio::test]
async fn break_glass_opens_at_once_and_everybody_who_decides_hears_of_it() {
    let stage = Stage::new().await;
    let max = person(&stage, "max", "oncall").await;
    let ben = person(&stage, "ben", "owners").await;
    let mut at_ben = ben.events(&stage).await;
    let mut request = max.request(&stage, "r1");
    request.emergency = true;

    let id = max.ask(&stage, &request).await.unwrap();

    let fetched = max.call(&stage, AccessAct::Fetch { id }).await.unwrap();
    let held = check(&stage, &max, &fetched.grant.unwrap());
    assert!(held.emergency && held.approvers.is_empty());
    let alarm: Vec<RequestView> =
        told(&mut at_ben, event::ACCESS, |all: &Vec<_>| !all.is_empty()).await;
    let asked = alarm[0].read(&"acme".parse().unwrap()).unwrap();
    assert!(asked.emergency && !alarm[0].yours);
    let because = "not on call today".to_owned();
    ben.call(&stage, AccessAct::TakeBack { id, because })
        .await
        .unwrap();
    drop(at_ben);
    stage.end().await;
}

#[tokio::test]
async fn an_alarm_is_shown_until_it_was_seen_and_before_what_is_to_be_decided() {
    let stage = Stage::new().await;
    let max = person(&stage, "max", "oncall").await;
    let ben = person(&stage, "ben", "owners-and-analysts").await;
    let mut request = max.request(&stage, "r1");
    request.emergency = true;
    let alarm = max.ask(&stage, &request).await.unwrap();
    let because = String::new();
    max.call(&stage, AccessAct::TakeBack { id: alarm, because })
        .await
        .unwrap();
    let own = ben.ask(&stage, &ben.request(&stage, "r1")).await.unwrap();
    let ana = person(&stage, "ana", "analysts").await;
    let open = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();

    let all = ben.look(&stage).await;
    let ids: Vec<_> = all.iter().map(RequestView::id).collect();
    assert_eq!(ids, [own, alarm, open]);
    assert!(matches!(all[1].state, RequestState::TakenBack { .. }));

    let ids = vec![alarm];
    ben.call(&stage, AccessAct::Seen { ids }).await.unwrap();
    assert_eq!(ben.state(&stage, alarm).await, None);
    stage.end().await;
}

#[tokio::test]
async fn what_was_let_in_without_anybody_and_not_used_is_the_same_again_and_has_its_own_bounds() {
    let stage = Stage::new().await;
    let max = person(&stage, "max", "oncall").await;
    let mut alarm = max.request(&stage, "r1");
    alarm.emergency = true;
    let first = max.ask(&stage, &alarm).await.unwrap();
    alarm.id = "r2".into();
    assert_eq!(max.ask(&stage, &alarm).await.unwrap(), first, "not used");
    for n in 1..6 {
        alarm.extent.seconds = 600 + n;
        max.ask(&stage, &alarm).await.unwrap();
    }

    alarm.extent.seconds = 700;
    assert_eq!(code(max.ask(&stage, &alarm).await), Some(2032));
    stage.end().await;
}
