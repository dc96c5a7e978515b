//! The tray menu by its value, for each state.
#![allow(clippy::unwrap_used)]

mod desk;

use desk::{
    HOUR, MORNING, acme, but, connected, connecting, not_joined, of, service, signed_out,
    signing_in, warehouse, with_services,
};
use tidegate_agent::{
    DeviceRequest, DeviceRequestState, HubState, Secret, ServiceState, SignInStep, Snapshot,
};
use tidegate_app::arrived::Arrived;
use tidegate_app::intent::{Copyable, Form};
use tidegate_app::menu::menu;
use tidegate_app::scene::{Notes, Scene};
use tidegate_app::{Intent, Item, Menu};
use tidegate_proto::problem::{Code, Problem};

fn shown(snapshot: &Snapshot) -> Menu {
    menu(&Scene {
        now: MORNING,
        snapshot: Some(snapshot),
        notes: &Notes::default(),
    })
}

fn line(text: &str) -> Item {
    Item::Line(text.to_owned())
}

fn entry(id: &str, label: &str, intent: Intent) -> Item {
    Item::Entry {
        id: id.to_owned(),
        label: label.to_owned(),
        intent,
    }
}

fn open() -> Item {
    entry("open", "Open Tidegate", Intent::OpenWindow)
}

fn quit() -> Item {
    entry("quit", "Quit Tidegate", Intent::Quit)
}

fn sign_out() -> Item {
    entry("sign-out:acme", "Sign out", Intent::SignOut { org: acme() })
}

#[test]
fn while_starting_it_can_be_opened_and_quit() {
    let menu = menu(&Scene {
        now: MORNING,
        snapshot: None,
        notes: &Notes::default(),
    });

    assert_eq!(
        menu.items,
        [
            line("Starting…"),
            Item::Separator,
            open(),
            Item::Separator,
            quit()
        ]
    );
}

#[test]
fn before_joining_it_leads_to_the_window() {
    assert_eq!(
        shown(&not_joined()).items,
        [
            line("Not joined yet"),
            Item::Separator,
            entry("join", "Join with a link…", Intent::OpenWindow),
            open(),
            Item::Separator,
            quit(),
        ]
    );
}

#[test]
fn signed_out_it_offers_to_sign_in() {
    assert_eq!(
        shown(&signed_out()).items,
        [
            line("acme: signed out"),
            Item::Separator,
            entry("sign-in:acme", "Sign in…", Intent::SignIn { org: acme() }),
            open(),
            Item::Separator,
            quit(),
        ]
    );
}

#[test]
fn signing_in_it_names_the_step_and_offers_the_way_out() {
    assert_eq!(
        shown(&signing_in(SignInStep::WaitingForBrowser)).items,
        [
            line("acme: Waiting for you in the browser"),
            Item::Separator,
            entry(
                "cancel-sign-in:acme",
                "Cancel sign-in",
                Intent::CancelSignIn { org: acme() }
            ),
            open(),
            Item::Separator,
            quit(),
        ]
    );
}

#[test]
fn an_idle_service_is_one_click_from_open() {
    let service = of("warehouse");

    assert_eq!(
        shown(&warehouse(ServiceState::Idle)).items,
        [
            line("acme: ana@acme.example"),
            Item::Separator,
            entry(
                "connect:acme/warehouse",
                "Connect warehouse",
                Intent::Connect { service }
            ),
            Item::Separator,
            sign_out(),
            open(),
            Item::Separator,
            quit(),
        ]
    );
}

#[test]
fn a_connecting_service_says_what_it_waits_for_and_can_be_called_off() {
    let service = of("warehouse");

    assert_eq!(
        shown(&warehouse(connecting())).items[2..4],
        [
            line("warehouse: asking the outlet"),
            entry(
                "disconnect:acme/warehouse",
                "Cancel warehouse",
                Intent::Disconnect { service }
            ),
        ]
    );
}

#[test]
fn an_open_service_shows_port_and_time_and_quit_says_what_it_ends() {
    let service = of("warehouse");
    let what = Copyable::Connection {
        service: service.clone(),
        form: Form::Url,
    };

    assert_eq!(
        shown(&warehouse(connected())).items,
        [
            line("acme: ana@acme.example"),
            Item::Separator,
            line("warehouse: connected · localhost:15432 · 10 h left"),
            entry(
                "copy:acme/warehouse",
                "Copy warehouse address",
                Intent::Copy { what }
            ),
            entry(
                "disconnect:acme/warehouse",
                "Disconnect warehouse",
                Intent::Disconnect { service }
            ),
            Item::Separator,
            sign_out(),
            open(),
            Item::Separator,
            entry(
                "quit",
                "Quit Tidegate and disconnect warehouse",
                Intent::Quit
            ),
        ]
    );
}

#[test]
fn open_services_come_before_closed_ones() {
    let snapshot = with_services(vec![
        service("archive", 15433, ServiceState::Idle),
        service("warehouse", 15432, connected()),
    ]);

    let menu = shown(&snapshot);

    let place = |id: &str| {
        let named = |item: &Item| matches!(item, Item::Entry { id: own, .. } if own == id);
        menu.items.iter().position(named).unwrap()
    };
    assert!(place("disconnect:acme/warehouse") < place("connect:acme/archive"));
}

#[test]
fn live_sessions_stand_above_services_and_both_above_what_waits() {
    let mut snapshot = with_services(vec![
        service("archive", 15433, ServiceState::Idle),
        service("warehouse", 15432, connected()),
    ]);
    snapshot.orgs[0].device_requests = vec![DeviceRequest {
        id: "1".to_owned(),
        label: String::new(),
        until: MORNING.plus(60),
        state: DeviceRequestState::Asking,
    }];

    let menu = shown(&snapshot);

    let ids: Vec<&str> = menu
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Entry { id, .. } => Some(id.as_str()),
            Item::Line(_) | Item::Separator => None,
        })
        .collect();
    assert_eq!(
        ids,
        [
            "copy:acme/warehouse",
            "disconnect:acme/warehouse",
            "connect:acme/archive",
            "devices:acme",
            "sign-out:acme",
            "open",
            "quit"
        ]
    );
}

#[test]
fn a_failed_service_says_why_and_can_be_tried_again() {
    let service = of("warehouse");
    let problem = Problem::new(Code::TargetClosed).service(&service.service);
    let title = tidegate_proto::words::words(&problem).title;

    let menu = shown(&warehouse(ServiceState::Failed(problem)));

    assert_eq!(
        menu.items[2..4],
        [
            line(&format!("warehouse: {title}")),
            entry(
                "connect:acme/warehouse",
                "Connect warehouse",
                Intent::Connect { service }
            ),
        ]
    );
}

#[test]
fn the_hub_being_away_is_said_and_hides_nothing() {
    let away = |since| {
        but(warehouse(connected()), |org| {
            org.hub = HubState::Away { since };
            org.problems = vec![Problem::new(Code::HubUnreachable).since(since)];
        })
    };

    let at_once = shown(&away(MORNING.minus(2)));
    let later = shown(&away(MORNING.minus(60)));

    assert_eq!(
        at_once,
        shown(&warehouse(connected())),
        "two seconds are no news"
    );
    assert_eq!(
        later.items[1],
        entry(
            "problem:acme:TG-1001",
            "Hub not reachable…",
            Intent::OpenWindow
        )
    );
    assert!(later.intent("disconnect:acme/warehouse").is_some());
}

#[test]
fn a_problem_leads_to_the_window() {
    let problem = Problem::new(Code::KeyringLocked);
    let title = tidegate_proto::words::words(&problem).title;
    let snapshot = Snapshot {
        problems: vec![problem],
        ..signed_out()
    };

    assert_eq!(
        shown(&snapshot).items[1],
        entry("problem:TG-4005", &format!("{title}…"), Intent::OpenWindow)
    );
}

#[test]
fn only_what_is_on_the_menu_can_be_chosen() {
    let menu = shown(&warehouse(ServiceState::Idle));

    assert_eq!(menu.intent("quit"), Some(&Intent::Quit));
    assert_eq!(menu.intent("disconnect:acme/warehouse"), None);
    assert_eq!(menu.intent("connect:acme/payroll"), None);
}

#[test]
fn time_left_moves_with_the_clock() {
    let snapshot = warehouse(connected());
    let at = |now| {
        let notes = Notes::default();
        menu(&Scene {
            now,
            snapshot: Some(&snapshot),
            notes: &notes,
        })
        .items[2]
            .clone()
    };

    assert_eq!(
        at(MORNING.plus(60)),
        line("warehouse: connected · localhost:15432 · 9 h 59 min left")
    );
    assert_eq!(
        at(MORNING.plus(10 * HOUR)),
        line("warehouse: connected · localhost:15432 · time is up")
    );
}

#[test]
fn with_two_orgs_every_line_says_whose_it_is() {
    let mut snapshot = warehouse(connected());
    let beta = but(warehouse(ServiceState::Idle), |org| {
        org.name = "beta".parse().unwrap();
        org.account = tidegate_agent::AccountView::SignedOut { last: None };
    });
    snapshot.orgs.extend(beta.orgs);

    let menu = shown(&snapshot);

    let lines = menu.items.iter().filter_map(|item| match item {
        Item::Line(text) => Some(text.as_str()),
        Item::Entry { label, .. } => Some(label),
        Item::Separator => None,
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "acme: ana@acme.example",
            "beta: signed out",
            "acme/warehouse: connected · localhost:15432 · 10 h left",
            "Copy acme/warehouse address",
            "Disconnect acme/warehouse",
            "Connect beta/warehouse",
            "Sign out of acme",
            "Sign in to beta…",
            "Open Tidegate",
            "Quit Tidegate and disconnect acme/warehouse",
        ]
    );
    assert_eq!(
        menu.intent("connect:beta/warehouse"),
        Some(&Intent::Connect {
            service: "beta/warehouse".parse().unwrap()
        })
    );
}

#[test]
fn with_five_hundred_services_it_still_fits_on_a_screen() {
    let state = |number: usize| match number {
        0..20 => connected(),
        20..40 => ServiceState::Failed(Problem::new(Code::TargetClosed)),
        _ => ServiceState::Idle,
    };
    let services = (0..500).map(|number| service(&format!("s{number:03}"), 20_000, state(number)));
    let snapshot = with_services(services.collect());

    let menu = shown(&snapshot);

    assert!(menu.items.len() < 70, "{}", menu.items.len());
    let said = |id: &str| {
        menu.items.iter().find_map(|item| match item {
            Item::Entry { id: own, label, .. } if own == id => Some(label.as_str()),
            _ => None,
        })
    };
    assert_eq!(said("more:open"), Some("12 more connected in the window…"));
    assert_eq!(
        said("more:services"),
        Some("465 more services in the window…")
    );
    assert_eq!(
        said("quit"),
        Some("Quit Tidegate and disconnect 20 services")
    );
}

#[test]
fn a_name_from_elsewhere_cannot_play_menu() {
    let deceiving = "ana\u{202e}\nQuit &File <b>_x</b>".to_owned() + &"\u{200b}".repeat(10_000);
    let mut snapshot = warehouse(ServiceState::Idle);
    snapshot.orgs[0].account = tidegate_agent::AccountView::SignedIn {
        name: deceiving,
        until: MORNING.plus(HOUR),
        again: None,
    };

    let Item::Line(first) = &shown(&snapshot).items[0] else {
        panic!("no account line");
    };

    assert!(
        first.starts_with("acme: ana\\u{202e}\\u{a}Quit &File <b>_x</b>"),
        "{first}"
    );
    assert!(first.chars().count() < 80, "{first}");
}

#[test]
fn a_device_that_asks_and_a_link_that_came_are_what_waits() {
    let snapshot = but(signed_out(), |org| {
        org.device_requests = vec![DeviceRequest {
            id: "1".to_owned(),
            label: "ana's phone".to_owned(),
            until: MORNING.plus(60),
            state: DeviceRequestState::Asking,
        }];
    });
    let link = "tidegate://join?hub=hub.beta.example:443&org=beta\
        &root=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI&ticket=a.b.c\
        &key=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI";
    let notes = Notes {
        arrived: Some(Arrived::read(Secret::from(link.to_owned()))),
        ..Notes::default()
    };

    let menu = menu(&Scene {
        now: MORNING,
        snapshot: Some(&snapshot),
        notes: &notes,
    });

    assert_eq!(
        menu.items[2..4],
        [
            entry("arrived", "Join beta waits for you…", Intent::OpenWindow),
            entry(
                "devices:acme",
                "A new device (ana's phone) asks to be let in…",
                Intent::OpenWindow
            ),
        ]
    );
}
