//! Asking for access and deciding for others, at a desk where everything is moved by hand: who is told what, when, and what a click asks for.
//! A newcomer would look at one snapshot: news is what differs between two of them.
#![allow(clippy::unwrap_used)]

mod desk;

use std::time::Duration;

use desk::{
    Desk, HOUR, MORNING, Told, acme, but, connected, last_menu, last_view, notices, of, warehouse,
};
use tidegate_agent::{
    Action, Askable, ConnectStep, Decision, Follower, GrantHere, RequestAt, RequestShown,
    ServiceState, Snapshot,
};
use tidegate_app::access::{AccessAct, AccessState, AskFor};
use tidegate_app::{Intent, Item};
use tidegate_proto::problem::{Code, Problem};

fn request(state: RequestAt) -> RequestShown {
    RequestShown {
        id: "r1".to_owned(),
        service: desk::named("warehouse"),
        by: "00u2bob".to_owned(),
        name: Some("bob@acme.example".to_owned()),
        mine: false,
        here: false,
        yours: true,
        reason: "INC-42 churn numbers".to_owned(),
        seconds: 2 * HOUR,
        read_only: false,
        emergency: false,
        extends: None,
        asked: MORNING,
        needs: 1,
        approved: vec![],
        seen: vec![],
        seen_by_me: false,
        state,
    }
}

fn waiting() -> RequestAt {
    RequestAt::Waiting {
        until: MORNING.plus(24 * HOUR),
    }
}

/// Asked for here.
fn own(state: RequestAt) -> RequestShown {
    RequestShown {
        by: "00u1ana".to_owned(),
        name: Some("ana@acme.example".to_owned()),
        mine: true,
        here: true,
        yours: false,
        ..request(state)
    }
}

fn granted(seconds: u64, used: Option<u64>) -> RequestAt {
    RequestAt::Granted {
        seconds,
        read_only: false,
        claim_by: MORNING.plus(24 * HOUR),
        until: used.map(|left| MORNING.plus(left)),
    }
}

/// A service that has to be asked for, and these requests.
fn gated(state: ServiceState, requests: Vec<RequestShown>) -> Snapshot {
    but(warehouse(state), |org| {
        org.services[0].askable = Some(Askable {
            longest: 4 * HOUR,
            usual: HOUR,
            approvals: 1,
        });
        org.requests = requests;
    })
}

fn form() -> Intent {
    Intent::AskFor {
        org: acme(),
        what: AskFor::Service {
            service: "warehouse".to_owned(),
        },
    }
}

fn ask() -> Intent {
    Intent::Ask {
        service: of("warehouse"),
        seconds: Some(HOUR),
        read_only: false,
        reason: "INC-42".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn asking_begins_in_the_tray_and_what_is_approved_goes_on_by_itself() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
    let menu = last_menu(&desk.told());
    assert_eq!(menu.intent("ask:acme/warehouse"), Some(&form()));

    desk.menu_click("ask:acme/warehouse").await;
    let told = desk.told();
    assert!(told.contains(&Told::OpenWindow));
    let sheet = last_view(&told).orgs[0].ask.clone().unwrap();
    desk.person(ask()).await;

    assert_eq!(sheet.times.last().unwrap().seconds, 4 * HOUR, "the ceiling");
    let chosen = sheet.times.iter().find(|time| time.usual).unwrap();
    assert_eq!(chosen.seconds, HOUR);
    let acted = desk.acted();
    assert!(matches!(&acted[0], Action::Ask { reason, .. } if reason == "INC-42"));
    assert_eq!(
        acted[1],
        Action::Connect {
            service: of("warehouse")
        }
    );
    assert_eq!(
        last_view(&desk.told()).orgs[0].ask,
        None,
        "the form is done"
    );
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_leaves_the_form_open_and_connects_nothing() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
    desk.person(form()).await;
    desk.agent.lock().unwrap().answer = Some(Problem::new(Code::RequestUnfit).said("too long"));

    desk.person(ask()).await;

    assert_eq!(desk.acted().len(), 1, "only the question");
    let view = last_view(&desk.told());
    assert!(view.orgs[0].ask.is_some());
    assert_eq!(view.orgs[0].problems.len(), 1);
    desk.person(Intent::AskNoMore).await;
    assert_eq!(last_view(&desk.told()).orgs[0].ask, None);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_decides_is_told_at_once_and_sees_it_in_tray_and_window() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
    desk.told();

    desk.agent_says(gated(ServiceState::Idle, vec![request(waiting())]))
        .await;

    let told = desk.told();
    let notices = notices(&told);
    assert_eq!(notices.len(), 1);
    assert_eq!(
        notices[0].title,
        "00u2bob (bob@acme.example, says the hub) asks for warehouse"
    );
    assert!(notices[0].body.contains("2 h") && notices[0].body.contains("INC-42 churn numbers"));
    assert_eq!(notices[0].intent("button"), Some(Intent::OpenWindow));
    let place = |wanted: &str| {
        let is_it = |item: &Item| matches!(item, Item::Entry { id, .. } if id == wanted);
        last_menu(&told).items.iter().position(is_it)
    };
    assert!(place("ask:acme/warehouse").unwrap() < place("access:acme").unwrap());
    let shown = &last_view(&told).orgs[0].access.waiting;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        shown[0].times.last().unwrap().seconds,
        2 * HOUR,
        "never more than was asked for"
    );

    desk.agent_says(gated(ServiceState::Idle, vec![request(waiting())]))
        .await;
    assert_eq!(self::notices(&desk.told()), [], "once");
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_what_was_chosen() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![request(waiting())])).await;
    let answer = |what| Intent::Access { org: acme(), what };
    let id = || "r1".to_owned();

    desk.person(answer(AccessAct::Approve {
        request: id(),
        seconds: Some(HOUR),
        read_only: true,
    }))
    .await;
    desk.person(answer(AccessAct::Deny {
        request: id(),
        because: "no".to_owned(),
    }))
    .await;
    desk.person(answer(AccessAct::Saw {
        requests: vec![id()],
    }))
    .await;

    let decide = |decision| Action::Decide {
        org: acme(),
        request: id(),
        decision,
    };
    assert_eq!(
        desk.acted(),
        [
            decide(Decision::Approve {
                seconds: Some(HOUR),
                read_only: true
            }),
            decide(Decision::Deny {
                because: "no".to_owned()
            }),
            Action::SawRequests {
                org: acme(),
                requests: vec![id()],
                printed: false
            },
        ]
    );
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_is_told_the_outcome_and_by_whom() {
    let denied = RequestAt::Denied {
        by: "bob@acme.example".to_owned(),
        because: "ask on Monday".to_owned(),
    };
    let by_bob = |mut request: RequestShown| {
        request.approved = vec!["bob@acme.example".to_owned()];
        request
    };
    let cases = [
        (
            by_bob(own(granted(HOUR, None))),
            "warehouse is yours for 1 h",
            "You had asked for 2 h",
        ),
        (own(denied), "warehouse was denied", "ask on Monday"),
        (
            own(RequestAt::Expired),
            "Nobody decided about warehouse",
            "Ask again",
        ),
    ];
    for (after, title, text) in cases {
        let desk = Desk::with(gated(ServiceState::Idle, vec![own(waiting())])).await;
        desk.told();

        desk.agent_says(gated(ServiceState::Idle, vec![after]))
            .await;

        let told = desk.told();
        let notices = notices(&told);
        assert_eq!(notices.len(), 1, "{title}");
        assert_eq!(notices[0].title, title);
        assert!(notices[0].body.contains(text), "{}", notices[0].body);
        let view = last_view(&told);
        assert_eq!(
            view.activity[0].text,
            format!("{title}."),
            "the window says it too"
        );
        assert_eq!(view.orgs[0].access.own.len(), 1);
        desk.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_seen_a_request_is_shown_and_is_no_notification() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![own(waiting())])).await;
    let before = last_view(&desk.told());

    let mut seen = own(waiting());
    seen.seen = vec!["bob@acme.example".to_owned()];
    desk.agent_says(gated(ServiceState::Idle, vec![seen])).await;

    let told = desk.told();
    assert_eq!(notices(&told), []);
    assert_eq!(
        before.orgs[0].access.own[0].progress,
        ["Nobody has seen it yet"]
    );
    assert_eq!(
        last_view(&told).orgs[0].access.own[0].progress,
        ["Seen by bob@acme.example, says the hub"]
    );
    desk.close().await;
}

/// Held here, with this warning due.
fn held(warning: Option<u8>, follower: Follower) -> Snapshot {
    but(
        gated(connected(), vec![own(granted(HOUR, Some(HOUR)))]),
        |org| {
            org.services[0].grant = Some(GrantHere {
                request: "r1".to_owned(),
                seconds: HOUR,
                read_only: false,
                until: Some(MORNING.plus(HOUR)),
                claim_by: MORNING.plus(24 * HOUR),
                warning,
                follower,
            });
        },
    )
}

#[tokio::test(start_paused = true)]
async fn each_warning_before_an_end_is_said_once_with_a_way_to_ask_for_more() {
    let desk = Desk::with(held(None, Follower::Nothing)).await;
    desk.told();
    for minutes in [15, 15, 5, 5, 1, 1] {
        desk.agent_says(held(Some(minutes), Follower::Nothing))
            .await;
    }
    let told = desk.told();
    // Nor does time alone say the same in other words.
    tokio::time::sleep(Duration::from_secs(HOUR - 30)).await;
    desk.settle().await;
    assert_eq!(notices(&desk.told()), []);

    let said = notices(&told);
    let titles: Vec<&str> = said.iter().map(|notice| notice.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "warehouse: 15 min left",
            "warehouse: 5 min left",
            "warehouse: 1 min left"
        ]
    );
    let more = Intent::AskFor {
        org: acme(),
        what: AskFor::More {
            request: "r1".to_owned(),
        },
    };
    assert!(
        said.iter()
            .all(|notice| notice.intent("button") == Some(more.clone()))
    );
    assert_eq!(
        last_menu(&told).intent("extend:acme/warehouse"),
        Some(&more)
    );
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_has_asked_for_more_is_not_told_to_ask() {
    let desk = Desk::with(held(None, Follower::Nothing)).await;
    desk.told();

    desk.agent_says(held(Some(5), Follower::Asked)).await;

    let told = desk.told();
    let notice = &notices(&told)[0];
    assert!(
        notice.body.contains("nobody has approved it yet"),
        "{}",
        notice.body
    );
    assert_eq!(notice.intent("button"), None);
    let offers = |told: &Told| matches!(told, Told::Menu(menu) if menu.intent("extend:acme/warehouse").is_some());
    assert!(!told.iter().any(offers));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_is_one_click_from_being_given_back() {
    let desk = Desk::with(gated(connected(), vec![own(granted(HOUR, Some(HOUR)))])).await;
    let view = last_view(&desk.told());
    assert!(matches!(
        view.orgs[0].access.own[0].state,
        AccessState::InUse { .. }
    ));

    desk.person(Intent::Access {
        org: acme(),
        what: AccessAct::TakeBack {
            request: "r1".to_owned(),
            because: String::new(),
        },
    })
    .await;

    assert!(matches!(&desk.acted()[0], Action::TakeBack { request, .. } if request == "r1"));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_stands_is_not_asked_for_again_and_a_waiting_connection_says_what_for() {
    let waits = ServiceState::Connecting {
        step: ConnectStep::WaitingForApproval,
    };
    let desk = Desk::with(gated(waits, vec![own(waiting())])).await;

    let told = desk.told();

    assert_eq!(last_menu(&told).intent("ask:acme/warehouse"), None);
    let service = &last_view(&told).orgs[0].services[0];
    assert!(!service.must_ask);
    let text = format!("{:?}", last_menu(&told));
    assert!(text.contains("warehouse: waiting for approval"), "{text}");
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn words_of_others_cannot_pose_as_ours_or_as_markup() {
    let mut hostile = request(waiting());
    hostile.name = Some("<b>root</b>\u{202e}".to_owned());
    hostile.reason = "x".repeat(10_000);
    let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
    desk.told();

    desk.agent_says(gated(ServiceState::Idle, vec![hostile]))
        .await;

    let told = desk.told();
    let notice = &notices(&told)[0];
    assert!(!notice.title.contains('\u{202e}'), "{}", notice.title);
    assert!(!notice.markup().contains("<b>"), "{}", notice.markup());
    assert!(notice.body.chars().count() < 700, "{}", notice.body.len());
    desk.close().await;
}

/// Dan broke the glass.
fn alarm(state: RequestAt) -> RequestShown {
    RequestShown {
        id: "e1".to_owned(),
        by: "00u4dan".to_owned(),
        name: Some("dan@acme.example".to_owned()),
        emergency: true,
        yours: false,
        ..request(state)
    }
}

#[tokio::test(start_paused = true)]
async fn an_emergency_of_others_is_told_shown_and_gone_once_it_was_seen() {
    for state in [
        granted(HOUR, Some(600)),
        granted(HOUR, None),
        RequestAt::Over { used: true },
        RequestAt::TakenBack {
            by: "dan@acme.example".to_owned(),
            because: String::new(),
        },
    ] {
        let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
        desk.told();

        desk.agent_says(gated(ServiceState::Idle, vec![alarm(state.clone())]))
            .await;

        let told = desk.told();
        let [notice] = notices(&told).try_into().unwrap();
        assert_eq!(notice.title, "Emergency access to warehouse");
        assert!(
            notice
                .body
                .contains("00u4dan (dan@acme.example, says the hub) took it")
        );
        assert!(
            notice.body.contains("INC-42 churn numbers"),
            "{}",
            notice.body
        );
        let view = last_view(&told);
        let [card] = view.orgs[0].access.alarms.clone().try_into().unwrap();
        assert!(card.emergency && view.orgs[0].access.waiting.is_empty());
        assert!(last_menu(&told).intent("alarm:acme").is_some());
        assert!(
            view.activity[0]
                .text
                .contains("Emergency access to warehouse")
        );

        desk.person(Intent::Access {
            org: acme(),
            what: AccessAct::Saw {
                requests: vec![card.id],
            },
        })
        .await;
        assert!(
            matches!(&desk.acted()[..], [Action::SawRequests { requests, .. }] if requests == &["e1"])
        );
        let seen = RequestShown {
            seen_by_me: true,
            ..alarm(state)
        };
        desk.agent_says(gated(ServiceState::Idle, vec![seen])).await;

        let told = desk.told();
        assert!(notices(&told).is_empty());
        assert!(last_view(&told).orgs[0].access.alarms.is_empty());
        assert!(last_menu(&told).intent("alarm:acme").is_none());
        desk.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_emergency_that_waits_for_this_person_is_to_be_decided_and_says_what_it_is() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
    desk.told();
    let asked = RequestShown {
        yours: true,
        ..alarm(waiting())
    };

    desk.agent_says(gated(ServiceState::Idle, vec![asked]))
        .await;

    let told = desk.told();
    let [notice] = notices(&told).try_into().unwrap();
    assert!(
        notice
            .title
            .contains("asks for emergency access to warehouse"),
        "{}",
        notice.title
    );
    let access = last_view(&told).orgs[0].access.clone();
    assert!(access.alarms.is_empty() && access.waiting[0].emergency);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_withdraws_again_and_again_is_told_of_once_a_minute() {
    let desk = Desk::with(gated(ServiceState::Idle, vec![])).await;
    let mut told = 0;
    for round in 0..30 {
        let again = RequestShown {
            id: format!("r{round}"),
            ..request(waiting())
        };
        desk.agent_says(gated(ServiceState::Idle, vec![again]))
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        desk.agent_says(gated(ServiceState::Idle, vec![])).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        told += notices(&desk.told()).len();
    }
    assert_eq!(told, 2, "two minutes of it");

    // The one that stays is told of in its time.
    desk.agent_says(gated(ServiceState::Idle, vec![request(waiting())]))
        .await;
    tokio::time::sleep(Duration::from_secs(65)).await;
    assert_eq!(notices(&desk.told()).len(), 1);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(notices(&desk.told()).len(), 0);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_gives_it_back_is_told_nothing_and_reads_that_she_did() {
    let desk = Desk::with(gated(connected(), vec![own(granted(HOUR, Some(600)))])).await;
    desk.told();
    let back = own(RequestAt::TakenBack {
        by: "ana@acme.example".to_owned(),
        because: String::new(),
    });

    desk.agent_says(gated(connected(), vec![back])).await;

    let told = desk.told();
    assert!(notices(&told).is_empty());
    let ended = last_view(&told).orgs[0].access.own[0].state.clone();
    let how = "Given back.".to_owned();
    assert_eq!(ended, AccessState::Ended { how });
    desk.close().await;
}
