//! The real controller over the real types, with a desktop that remembers and an agent moved by hand.
#![allow(clippy::unwrap_used)]

mod desk;

use std::time::Duration;

use desk::{
    Desk, HOUR, Told, acme, but, connected, connecting, copied, last_menu, last_view, named,
    not_joined, notices, of, service, signed_out, signing_in, warehouse, with_services,
};
use tidegate_agent::{Action, HubState, Reconnecting, ServiceState, SignInStep};
use tidegate_app::devices::LinkCopy;
use tidegate_app::intent::{Copyable, Form};
use tidegate_app::view::{Account, Page, State};
use tidegate_app::{Icon, IconState, Input, Intent, Panel};
use tidegate_proto::problem::{Code, Problem};
use tokio::time::advance;

const ADDRESS: &str = "postgresql://localhost:15432/flights";

fn connect() -> Intent {
    Intent::Connect {
        service: of("warehouse"),
    }
}

#[tokio::test(start_paused = true)]
async fn two_clicks_from_desktop_to_clipboard() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    desk.told();

    desk.menu_click("connect:acme/warehouse").await;
    desk.agent_says(warehouse(connecting())).await;
    desk.agent_says(warehouse(connected())).await;

    let told = desk.told();
    assert_eq!(
        desk.acted(),
        [Action::Connect {
            service: of("warehouse")
        }]
    );
    assert_eq!(copied(&told), [ADDRESS]);
    assert_eq!(notices(&told).len(), 1);
    assert_eq!(notices(&told)[0].title, "warehouse is connected");
    // Not the only place that says so.
    assert_eq!(last_view(&told).orgs[0].services[0].copied, Some(Form::Url));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_program_connects_leaves_the_clipboard_alone() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;

    desk.agent_says(warehouse(connected())).await;

    let told = desk.told();
    assert_eq!(copied(&told), [""; 0]);
    assert_eq!(notices(&told), []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_was_called_off_does_not_copy_later() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;

    desk.person(connect()).await;
    desk.agent_says(warehouse(connecting())).await;
    desk.menu_click("disconnect:acme/warehouse").await;
    desk.agent_says(warehouse(ServiceState::Idle)).await;
    desk.agent_says(warehouse(connected())).await;

    assert_eq!(copied(&desk.told()), [""; 0]);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_clipboard_it_says_so_and_goes_on() {
    let desk = Desk::without_clipboard(warehouse(ServiceState::Idle)).await;

    desk.person(connect()).await;
    desk.agent_says(warehouse(connected())).await;

    let told = desk.told();
    let view = last_view(&told);
    assert_eq!(view.orgs[0].services[0].copied, None);
    assert_eq!(view.problems[0].code, Code::ClipboardFailed.to_string());
    assert!(notices(&told)[0].body.contains("window"));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_waits_for_its_way_is_said_in_the_window_and_in_the_menu() {
    let desk = Desk::with(warehouse(connected())).await;
    desk.told();
    let mut view = service("warehouse", 15432, connected());
    view.reconnecting = Some(Reconnecting {
        portals: 2,
        why: Problem::new(Code::OutletAbsent).service(&view.name),
    });

    desk.agent_says(with_services(vec![view])).await;

    let told = desk.told();
    let State::Connected { reconnecting, .. } = &last_view(&told).orgs[0].services[0].state else {
        panic!("the port is open all the time")
    };
    let said = reconnecting.clone().unwrap_or_default();
    assert!(
        said.starts_with("2 connections wait, and nothing is lost. "),
        "{said}"
    );
    let menu = format!("{:?}", last_menu(&told));
    assert!(menu.contains("warehouse: reconnecting"), "{menu}");
    assert!(
        menu.contains("2 connections wait: Service is offline"),
        "{menu}"
    );
    assert!(notices(&told).is_empty(), "nobody has to do anything");
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_pg_service_conf_is_asked_for_and_its_name_is_said_for_a_while() {
    let desk = Desk::with(warehouse(connected())).await;
    desk.told();

    desk.person(Intent::WritePgService {
        service: of("warehouse"),
    })
    .await;
    let said = last_view(&desk.told());
    tokio::time::sleep(Duration::from_secs(70)).await;
    desk.settle().await;
    let later = last_view(&desk.told());

    let service = of("warehouse");
    assert_eq!(desk.acted(), [Action::WritePgService { service }]);
    let wrote = &said.orgs[0].services[0].wrote;
    assert_eq!(wrote.as_deref(), Some("psql service=warehouse"));
    assert_eq!(later.orgs[0].services[0].wrote, None);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_was_not_written_says_why_and_nothing_else() {
    let desk = Desk::with(warehouse(connected())).await;
    let refused = Problem::new(Code::PgServiceNotWritten).said("the name is a symbolic link");
    desk.agent.lock().unwrap().answer = Some(refused);

    desk.person(Intent::WritePgService {
        service: of("warehouse"),
    })
    .await;

    let view = last_view(&desk.told());
    let problem = &view.orgs[0].problems[0];
    assert_eq!(problem.code, Code::PgServiceNotWritten.to_string());
    assert!(problem.cause.contains("symbolic link"), "{}", problem.cause);
    assert_eq!(view.orgs[0].services[0].wrote, None);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_link_for_another_computer_goes_to_the_clipboard_and_not_into_the_window() {
    const LINK: &str = "tidegate://join?hub=hub.acme.example:443&org=acme&root=canary";
    let in_here = but(warehouse(ServiceState::Idle), |org| {
        org.link = LINK.to_owned()
    });
    let desk = Desk::with(in_here).await;
    let before = last_view(&desk.told());

    let what = Copyable::DeviceLink { org: acme() };
    desk.person(Intent::Copy { what }).await;

    let told = desk.told();
    let view = last_view(&told);
    assert_eq!(
        before.orgs[0].devices.link,
        Some(LinkCopy { copied: false })
    );
    assert_eq!(view.orgs[0].devices.link, Some(LinkCopy { copied: true }));
    assert_eq!(copied(&told), [LINK]);
    assert!(!serde_json::to_string(&view).unwrap().contains("canary"));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_run_opens_the_window_and_later_ones_do_not() {
    let first = Desk::with(not_joined()).await;
    let later = Desk::with(signed_out()).await;

    assert!(first.told().contains(&Told::OpenWindow));
    assert!(!later.told().contains(&Told::OpenWindow));
    first.close().await;
    later.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_twice() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    desk.told();

    desk.agent_says(warehouse(ServiceState::Idle)).await;
    desk.input(Input::PanelIs(Panel::Dark)).await;

    assert_eq!(desk.told(), []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_that_comes_later_gets_the_whole_view_at_once() {
    let desk = Desk::with(warehouse(connected())).await;
    let before = last_view(&desk.told());

    desk.input(Input::WindowReady).await;

    assert_eq!(desk.told(), [Told::View(Box::new(before))]);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_agent_becomes_a_problem_until_something_else_is_asked() {
    let desk = Desk::with(not_joined()).await;
    desk.agent.lock().unwrap().answer = Some(Problem::new(Code::TicketUsed));

    desk.person(Intent::Join {
        link: "tidegate://join".to_owned().into(),
    })
    .await;
    let refused = last_view(&desk.told());
    desk.person(Intent::Join {
        link: "tidegate://join".to_owned().into(),
    })
    .await;
    let again = last_view(&desk.told());

    assert_eq!(refused.problems[0].code, "TG-4002");
    assert_eq!(again.problems, []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dismissed_problem_is_gone() {
    let desk = Desk::with(signed_out()).await;
    desk.input(Input::NoTray { news: true }).await;
    let view = last_view(&desk.told());
    assert_eq!(view.problems[0].code, Code::NoTray.to_string());

    desk.person(view.problems[0].dismiss.clone().unwrap()).await;

    assert_eq!(last_view(&desk.told()).problems, []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_tray_the_window_is_kept_and_that_is_said_once() {
    let desk = Desk::with(signed_out()).await;
    desk.told();

    desk.input(Input::NoTray { news: false }).await;
    let quietly = desk.told();
    desk.input(Input::NoTray { news: true }).await;
    let said = last_view(&desk.told());

    assert_eq!(quietly[..2], [Told::KeepWindow(true), Told::OpenWindow]);
    assert_eq!(last_view(&quietly).problems, []);
    assert_eq!(said.problems[0].code, Code::NoTray.to_string());
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_nobody_here_asked_for_is_told_with_its_reason() {
    let desk = Desk::with(warehouse(connected())).await;
    let revoked = Problem::new(Code::RevokedByAdmin).service(&named("warehouse"));
    desk.told();

    desk.agent_says(warehouse(ServiceState::Failed(revoked)))
        .await;

    let told = desk.told();
    assert_eq!(notices(&told).len(), 1);
    let State::Failed { problem } = &last_view(&told).orgs[0].services[0].state else {
        panic!("not failed")
    };
    assert_eq!(problem.code, "TG-7002");
    // The service's own card says it: not a second time on top.
    assert_eq!(last_view(&told).problems, []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_asked_for_here_is_no_news() {
    let desk = Desk::with(warehouse(connected())).await;

    desk.menu_click("disconnect:acme/warehouse").await;
    desk.agent_says(warehouse(ServiceState::Disconnecting))
        .await;
    desk.agent_says(warehouse(ServiceState::Idle)).await;

    let told = desk.told();
    assert_eq!(notices(&told), []);
    assert_eq!(
        last_view(&told).activity[0].text,
        "warehouse was disconnected."
    );
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_comes_by_itself_is_announced_once() {
    let desk = Desk::with(warehouse(connected())).await;
    tokio::time::sleep(Duration::from_secs(10 * HOUR - 600)).await;
    assert_eq!(notices(&desk.told()), []);

    tokio::time::sleep(Duration::from_secs(400)).await;

    let told = notices(&desk.told());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].title, "warehouse: 5 min left");
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_reason_that_ends_two_services_is_told_once() {
    let both = |state: ServiceState| {
        with_services(vec![
            desk::service("archive", 15433, state.clone()),
            desk::service("warehouse", 15432, state),
        ])
    };
    let desk = Desk::with(both(connected())).await;
    let revoked = Problem::new(Code::RevokedByAdmin);

    let failed = both(ServiceState::Failed(revoked.clone()));
    desk.agent_says(but(failed, |org| org.problems = vec![revoked]))
        .await;

    let told = desk.told();
    assert_eq!(notices(&told).len(), 1);
    assert_eq!(last_view(&told).activity.len(), 2);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_reason_reported_twice_is_told_once_and_names_the_service() {
    let desk = Desk::with(warehouse(connected())).await;
    let ended = warehouse(ServiceState::Failed(
        Problem::new(Code::RevokedByAdmin).service(&named("warehouse")),
    ));
    let and_signed_out = but(ended.clone(), |org| {
        org.problems = vec![Problem::new(Code::RevokedByAdmin)];
    });

    desk.agent_says(ended).await;
    desk.agent_says(and_signed_out).await;

    let told = notices(&desk.told());
    assert_eq!(told.len(), 1);
    assert!(told[0].body.contains("warehouse"), "{}", told[0].body);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_connect_does_not_copy_later() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    desk.agent.lock().unwrap().answer = Some(Problem::new(Code::NotAvailable));

    desk.person(connect()).await;
    desk.agent_says(warehouse(connected())).await;

    assert_eq!(copied(&desk.told()), [""; 0]);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_menu_item_does_nothing() {
    let desk = Desk::with(warehouse(connected())).await;

    desk.menu_click("connect:acme/warehouse").await;

    assert_eq!(desk.acted(), []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_sign_in_page_can_be_opened_and_copied_again() {
    let desk = Desk::with(signing_in(SignInStep::WaitingForBrowser)).await;

    desk.person(Intent::OpenSignInPage { org: acme() }).await;
    desk.person(Intent::Copy {
        what: Copyable::SignInUrl { org: acme() },
    })
    .await;

    let told = desk.told();
    let url = "https://acme.okta.example/authorize?state=1".to_owned();
    assert!(told.contains(&Told::OpenUrl(url.clone())));
    assert_eq!(copied(&told), [url.as_str()]);
    assert!(matches!(
        last_view(&told).orgs[0].account,
        Account::SigningIn {
            url_copied: true,
            ..
        }
    ));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn copied_is_said_for_a_while_only() {
    let desk = Desk::with(warehouse(connected())).await;
    let what = Copyable::Connection {
        service: of("warehouse"),
        form: Form::Psql,
    };

    desk.person(Intent::Copy { what }).await;
    let at_once = last_view(&desk.told());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let later = last_view(&desk.told());

    assert_eq!(at_once.orgs[0].services[0].copied, Some(Form::Psql));
    assert_eq!(later.orgs[0].services[0].copied, None);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_start_says_why_and_can_be_quit() {
    let desk = Desk::that_cannot_start(Problem::new(Code::AlreadyRunning)).await;

    let told = desk.told();
    let view = last_view(&told);
    assert!(told.contains(&Told::OpenWindow));
    assert_eq!(view.page, Page::Broken);
    assert_eq!(view.problems[0].code, Code::AlreadyRunning.to_string());
    desk.menu_click("quit").await;
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_agent_is_told_to_end_elsewhere_the_app_ends_too() {
    let mut desk = Desk::with(warehouse(ServiceState::Idle)).await;

    desk.agent_is_gone().await;

    assert_eq!(desk.told().last(), Some(&Told::Quit));
}

#[tokio::test(start_paused = true)]
async fn quits_in_time_even_if_the_agent_hangs() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    desk.agent.lock().unwrap().hangs = true;
    desk.person(connect()).await;
    let asked = tokio::time::Instant::now();

    desk.person(Intent::Quit).await;
    desk.close().await;

    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn quitting_ends_the_agent_in_order() {
    let desk = Desk::with(warehouse(connected())).await;
    let agent = std::sync::Arc::clone(&desk.agent);

    desk.menu_click("quit").await;
    desk.close().await;

    assert!(agent.lock().unwrap().ended);
}

#[tokio::test(start_paused = true)]
async fn a_page_gone_wild_cannot_pile_up_work() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    desk.agent.lock().unwrap().hangs = true;

    for _ in 0..1_000 {
        desk.inputs.send(Input::Do(connect())).await.unwrap();
    }
    desk.settle().await;

    assert!(desk.acted().len() <= 16);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_ends_something_never_waits_behind_what_begins() {
    let many = (0..40).map(|n| service(&format!("s{n}"), 15_000 + n, ServiceState::Idle));
    let desk = Desk::with(with_services(many.collect())).await;
    desk.agent.lock().unwrap().hangs = true;
    let connect = |n: usize| Intent::Connect {
        service: of(&format!("s{n}")),
    };
    for n in 0..40 {
        desk.person(connect(n)).await;
    }
    let begun = desk.acted();

    desk.person(Intent::Disconnect { service: of("s3") }).await;
    desk.person(Intent::SignOut { org: acme() }).await;

    assert_eq!(begun.len(), 16, "the others wait");
    assert_eq!(
        desk.acted(),
        [
            Action::Disconnect { service: of("s3") },
            Action::SignOut { org: acme() }
        ]
    );
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_was_clicked_is_done_in_its_turn() {
    let many = (0..40).map(|n| service(&format!("s{n}"), 15_000 + n, ServiceState::Idle));
    let desk = Desk::with(with_services(many.collect())).await;

    for n in 0..40 {
        let service = of(&format!("s{n}"));
        let clicked = Input::Do(Intent::Connect { service });
        desk.inputs.send(clicked).await.unwrap();
    }
    desk.settle().await;

    assert_eq!(desk.acted().len(), 40);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn once_copied_is_old_nothing_looks_at_the_clock_any_more() {
    let mut snapshot = signed_out();
    snapshot.orgs[0].link = "tidegate://join?org=acme".to_owned();
    let desk = Desk::with(snapshot).await;
    let what = Copyable::DeviceLink { org: acme() };
    desk.person(Intent::Copy { what }).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = desk.looks();

    tokio::time::sleep(Duration::from_secs(3_600)).await;

    assert_eq!(desk.looks(), before);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_port_is_said_beside_its_service_until_something_else_is_asked() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    let refused = Problem::new(Code::PortTaken).service(&of("warehouse").service);
    desk.agent.lock().unwrap().answer = Some(refused);
    let wish = |port| Intent::SetPort {
        service: of("warehouse"),
        port: Some(port),
    };

    desk.person(wish(15_999)).await;
    let refused = last_view(&desk.told());
    desk.person(wish(16_000)).await;
    let again = last_view(&desk.told());

    let said = refused.orgs[0].services[0].port_problem.as_ref().unwrap();
    assert_eq!(said.code, Code::PortTaken.to_string());
    assert_eq!(
        refused.orgs[0].problems.as_slice(),
        std::slice::from_ref(said)
    );
    assert_eq!(again.orgs[0].services[0].port_problem, None);
    assert_eq!(again.orgs[0].problems, []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_week_of_work_takes_no_time() {
    let desk = Desk::with(signed_out()).await;
    let mut seen = desk.told();

    for _day in 0..7 {
        let today = |state| {
            let until = desk.now().plus(10 * HOUR);
            but(warehouse(state), |org| {
                org.account = tidegate_agent::AccountView::SignedIn {
                    name: "ana@acme.example".into(),
                    until,
                    again: None,
                };
            })
        };
        desk.menu_click("sign-in:acme").await;
        desk.agent_says(signing_in(SignInStep::WaitingForBrowser))
            .await;
        desk.agent_says(today(ServiceState::Idle)).await;
        desk.menu_click("connect:acme/warehouse").await;
        for _renewal in 0..36 {
            let until = desk.now().plus(HOUR);
            desk.agent_says(today(ServiceState::Connected {
                since: desk.now(),
                until,
            }))
            .await;
            tokio::time::sleep(Duration::from_secs(10 * 60)).await;
        }
        desk.menu_click("disconnect:acme/warehouse").await;
        desk.agent_says(today(ServiceState::Idle)).await;
        desk.agent_says(signed_out()).await;
        tokio::time::sleep(Duration::from_secs(18 * HOUR)).await;
        seen.extend(desk.told());
    }

    assert_eq!(copied(&seen), [ADDRESS; 7]);
    assert_eq!(notices(&seen).len(), 7);
    assert_eq!(desk.acted().len(), 21);
    assert!(last_view(&seen).activity.len() <= 30);
    assert_eq!(last_menu(&seen).items.len(), 6);
    let off = Icon {
        state: IconState::Off,
        panel: Panel::Dark,
    };
    let icons: Vec<&Told> = seen
        .iter()
        .filter(|told| matches!(told, Told::Icon(_)))
        .collect();
    assert_eq!(icons.last(), Some(&&Told::Icon(off)));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_away_for_a_moment_is_no_news_and_later_it_is_said_once() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    let away = || {
        let since = desk.now();
        but(warehouse(ServiceState::Idle), |org| {
            org.hub = HubState::Away { since };
            org.problems = vec![Problem::new(Code::HubUnreachable).since(since)];
        })
    };
    desk.told();

    desk.agent_says(away()).await;
    advance(Duration::from_secs(2)).await;
    desk.agent_says(warehouse(ServiceState::Idle)).await;
    let blinked = desk.told();
    desk.agent_says(away()).await;
    advance(Duration::from_secs(7)).await;
    desk.settle().await;
    let away = desk.told();
    desk.agent_says(warehouse(ServiceState::Idle)).await;
    let back = desk.told();

    assert_eq!(notices(&blinked), []);
    assert!(last_view(&blinked).activity.is_empty());
    assert_eq!(notices(&away).len(), 1);
    assert_eq!(last_view(&away).orgs[0].problems.len(), 1);
    assert!(last_view(&away).orgs[0].problems[0].dismiss.is_none());
    assert_eq!(notices(&back), []);
    assert_eq!(
        last_view(&back).activity[0].text,
        "The hub of acme is back."
    );
    desk.close().await;
}
