//! Every trouble has a sentence and a button, or a reason why there is none: all of them in one snapshot, to be read after a change.
//! After a change: `INSTA_UPDATE=always cargo test -p tidegate-app --test problem`, and look at the difference.
#![allow(clippy::unwrap_used)]

mod desk;

use std::fmt::Write as _;

use desk::{
    Desk, MORNING, Told, acme, alone, but, last_menu, last_view, not_joined, service, signed_out,
    with_services,
};
use tidegate_agent::{Action, Askable, Enrolling, OrgSnapshot, ServiceState, Snapshot};
use tidegate_app::Intent;
use tidegate_app::intent::{Copyable, Place};
use tidegate_app::problem::{ProblemView, button};
use tidegate_app::scene::{Notes, Scene};
use tidegate_app::view::{Page, view};
use tidegate_proto::problem::{Code, Problem};

/// With everything that is known about it.
fn known(code: Code) -> Problem {
    Problem::new(code)
        .service(&"warehouse".parse().unwrap())
        .path("/home/ana/.config/tidegate/key")
        .port(15432)
}

/// An org with a service that can be asked for, and whose port is taken.
fn org() -> OrgSnapshot {
    let mut warehouse = service("warehouse", 15432, ServiceState::Idle);
    warehouse.other_port = Some(16432);
    warehouse.askable = Some(Askable {
        longest: 7_200,
        usual: 3_600,
        approvals: 1,
    });
    with_services(vec![warehouse]).orgs.remove(0)
}

/// As the window shows it.
fn shown(about: Option<&OrgSnapshot>, problem: Problem) -> ProblemView {
    let snapshot = match about {
        Some(org) => alone(OrgSnapshot {
            problems: vec![problem],
            ..org.clone()
        }),
        None => Snapshot {
            problems: vec![problem],
            ..not_joined()
        },
    };
    let view = view(&Scene {
        now: MORNING.plus(3_600),
        snapshot: Some(&snapshot),
        notes: &Notes::default(),
    });
    let of_orgs = view.orgs.into_iter().flat_map(|org| org.problems);
    of_orgs.chain(view.problems).next().unwrap()
}

#[test]
fn every_trouble_has_a_sentence_and_a_button_or_a_reason_why_not() {
    let org = org();
    let mut all = String::new();
    for code in Code::ALL {
        let _ = writeln!(all, "{code} {code:?}");
        let of_service = known(*code);
        let mut of_org = known(*code);
        of_org.facts.service = None;
        let places = [
            ("a service", Some(&org), of_service),
            ("an org", Some(&org), of_org.clone()),
            ("this computer", None, of_org),
        ];
        for (place, about, problem) in places {
            let told = match button(about, &problem) {
                Ok(button) => {
                    let asks = serde_json::to_string(&button.intent).unwrap();
                    format!("[{}] {asks}", button.label)
                }
                Err(why) => {
                    assert!(!why.is_empty());
                    format!("none: {why}")
                }
            };
            let _ = writeln!(all, "  {place}: {told}");
        }
    }
    insta::assert_snapshot!("buttons", all);
}

#[test]
fn whatever_is_shown_can_be_acted_on_dismissed_or_ends_by_itself() {
    let org = org();
    for code in Code::ALL {
        for about in [Some(&org), None] {
            for lasts in [false, true] {
                let mut problem = known(*code);
                problem.since = lasts.then_some(MORNING);

                let view = shown(about, problem.clone());

                assert!(!view.title.is_empty() && !view.cause.is_empty() && !view.next.is_empty());
                let expected = button(about, &problem).ok();
                assert_eq!(
                    view.button, expected,
                    "{code}: the window has what the table says"
                );
                let dismiss = Intent::Dismiss {
                    org: about.map(|org| org.name.clone()),
                    about: (&problem).into(),
                };
                assert_eq!(view.dismiss, (!lasts).then_some(dismiss));
            }
        }
    }
}

#[test]
fn what_lasts_and_goes_on_only_with_a_person_has_a_button() {
    // What keeps the hub away is what lasts, see `setback` in the agent.
    let lasting = [
        Code::HubUnreachable,
        Code::HubBusy,
        Code::HubStopping,
        Code::TimedOut,
        Code::ClockOff,
        Code::OrgNotRenewed,
        Code::ProviderUnreachable,
        Code::PeerBrokeProtocol,
        Code::Internal,
    ];
    let org = org();
    for code in lasting {
        assert!(button(Some(&org), &Problem::new(code)).is_ok(), "{code}");
    }
}

#[test]
fn whoever_is_signed_out_has_one_button_to_sign_in() {
    let ended = but(signed_out(), |org| {
        org.problems = vec![Problem::new(Code::SessionExpired)];
    });

    let shown = view(&Scene {
        now: MORNING,
        snapshot: Some(&ended),
        notes: &Notes::default(),
    });

    assert_eq!(shown.orgs[0].problems[0].button, None);
}

#[test]
fn only_the_computer_that_wants_in_can_ask_again() {
    let over = Problem::new(Code::IntroductionOver);
    let mut org = org();
    assert!(button(Some(&org), &over).is_err());

    org.enrolling = Some(Enrolling::SignIn);

    let again = button(Some(&org), &over).unwrap();
    assert_eq!(again.intent, Intent::SignIn { org: acme() });
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_could_not_start_is_started_again_with_one_click() {
    let desk = Desk::that_cannot_start(known(Code::DataDirUnusable)).await;
    let told = desk.told();
    let broken = last_view(&told);
    assert_eq!((broken.page, broken.problems.len()), (Page::Broken, 1));
    assert_eq!(broken.problems[0].button, None, "the page has it");
    let again = Intent::TryAgain { org: None };
    assert_eq!(last_menu(&told).intent("again"), Some(&again));

    desk.person(again).await;

    let started = last_view(&desk.told());
    assert_eq!((started.page, started.problems), (Page::NotJoined, vec![]));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn trying_again_asks_the_agent_to_look_again() {
    let desk = Desk::with(signed_out()).await;

    for org in [Some(acme()), None] {
        desk.person(Intent::TryAgain { org: org.clone() }).await;
        assert_eq!(desk.acted(), [Action::LookAgain { org }]);
    }
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_command_that_is_copied_is_that_of_a_problem_that_is_there() {
    let open = Snapshot {
        problems: vec![Problem::new(Code::KeyFileOpen).path("/home/ana/it's/key")],
        ..not_joined()
    };
    let desk = Desk::with(open.clone()).await;
    let about = (&open.problems[0]).into();
    let what = Copyable::Command { about };
    let copy = Intent::Copy { what };

    desk.person(copy.clone()).await;

    let told = desk.told();
    assert_eq!(desk::copied(&told), [r"chmod go= '/home/ana/it'\''s/key'"]);
    let label = last_view(&told).problems.remove(0).button.unwrap().label;
    assert_eq!(label, "Copied");
    desk.agent_says(not_joined()).await;
    desk.person(copy).await;
    assert_eq!(desk::copied(&desk.told()), Vec::<&str>::new());
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_button_leads_to_its_place_in_the_window_and_once_only() {
    let desk = Desk::with(signed_out()).await;
    desk.told();

    desk.person(Intent::Show {
        what: Place::Settings,
    })
    .await;

    let told = desk.told();
    assert!(told.contains(&Told::OpenWindow));
    assert_eq!(last_view(&told).go, Some(Place::Settings));
    desk.person(Intent::Shown).await;
    assert_eq!(last_view(&desk.told()).go, None);
    desk.close().await;
}
