//! Answers about access that arrive late: what the hub has said since stays.
//! A newcomer would look at the last list alone: the program that waits goes on waiting for what was granted long ago.

use tidegate_proto::api::access::{AccessAnswer, Named, RequestState, RequestView};
use tidegate_proto::api::event;
use tidegate_proto::api::turn::Turn;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::statement::{AccessRequest, Extent, Statement};
use tidegate_proto::text::Shown;

use crate::snapshot::RequestAt;
use crate::testing::{World, acme, until};
use crate::{Action, Snapshot};

/// A request of somebody else.
fn view(world: &World, state: RequestState) -> RequestView {
    let key = SigningKey::from_seed(&[7; 32]);
    let ben = Named {
        sub: "00uben".parse().unwrap(),
        name: None,
    };
    let request = AccessRequest {
        org: world.org(),
        sub: ben.sub.clone(),
        device: key.verify_key().peer_id(),
        service: world.service.clone(),
        extent: Extent {
            seconds: 600,
            read_only: false,
        },
        reason: "INC-42".into(),
        emergency: false,
        extends: None,
        at: world.hand.clock().now(),
        id: "r1".into(),
    };
    RequestView {
        request: request.sign(&key),
        key: key.verify_key(),
        by: ben,
        yours: true,
        needs: 1,
        approved: Vec::new(),
        seen: Vec::new(),
        state,
    }
}

fn is_taken_back(snapshot: &Snapshot) -> bool {
    let requests = &acme(snapshot).requests;
    matches!(requests[..], [ref one] if matches!(one.state, RequestAt::TakenBack { .. }))
}

#[tokio::test]
async fn an_answer_that_was_made_before_an_event_and_comes_after_it_changes_nothing() {
    let world = World::new().await;
    let agent = world.connected().await;
    let until_tomorrow = world.hand.clock().now().plus(86_400);
    let waiting = view(
        &world,
        RequestState::Waiting {
            until: until_tomorrow,
        },
    );
    let taken_back = RequestState::TakenBack {
        by: waiting.by.clone(),
        because: Shown::new("done"),
    };
    let taken_back = view(&world, taken_back);
    let turn = |number| Turn { run: 1, number };
    let answer = world.hub.answers_about_access();
    let seen = Action::SawRequests {
        org: world.org(),
        requests: vec![waiting.id().to_string()],
        printed: false,
    };
    let overtaken = async {
        let newer = serde_json::to_string(&[taken_back]).unwrap();
        let in_its_turn = format!("{newer}\nid: {}", turn(2));
        world.hub.say(event::ACCESS, in_its_turn);
        until(&agent, is_taken_back).await;
        let older = AccessAnswer {
            id: None,
            turn: Some(turn(1)),
            requests: vec![waiting],
            grant: None,
        };
        answer.send(serde_json::to_string(&older).unwrap()).unwrap();
    };

    let (answered, ()) = tokio::join!(agent.act(seen), overtaken);

    assert_eq!(answered, Ok(()));
    assert!(is_taken_back(&agent.snapshot().borrow()));
    agent.shutdown().await;
}
