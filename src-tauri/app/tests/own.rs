//! What the app does for itself, in the real controller: settings on a real disk, a second start, links from outside, a tray that goes and comes.
#![allow(clippy::unwrap_used)]

mod desk;

use desk::{Desk, Home, Told, last_view, named, not_joined, notices, signed_out, warehouse};
use tidegate_agent::{Action, Secret, ServiceState};
use tidegate_app::arrived::Arrival;
use tidegate_app::at_login::StartAtLogin;
use tidegate_app::settings::{Notifications, Setting, Theme};
use tidegate_app::{Call, Input, Intent};
use tidegate_proto::problem::{Code, Problem};

const LINK: &str = "tidegate://join?hub=hub.acme.example:443&org=acme\
    &root=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI&ticket=canary.canary.canary\
    &key=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI";

fn set(what: Setting) -> Intent {
    Intent::Set { what }
}

fn with_link(link: &str) -> Call {
    Call {
        hidden: false,
        link: Some(Secret::from(link.to_owned())),
        from_pipe: false,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_chosen_is_shown_and_is_there_at_the_next_start() {
    let desk = Desk::with(signed_out()).await;
    desk.told();

    desk.person(set(Setting::Theme {
        theme: Theme::Light,
    }))
    .await;
    desk.person(set(Setting::Theme { theme: Theme::Dark }))
        .await;

    assert_eq!(last_view(&desk.told()).settings.theme, Theme::Dark);
    desk.until("the choice is on the disk", || {
        desk.home.settings().contains("theme = \"dark\"")
    })
    .await;
    let kept = desk.home.settings();
    desk.close().await;
    let next = Desk::called(signed_out(), Call::default(), Home::new(&kept)).await;
    assert_eq!(last_view(&next.told()).settings.theme, Theme::Dark);
    next.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_chosen_just_before_quitting_is_kept() {
    let desk = Desk::with(signed_out()).await;
    let file = desk.home.settings_file();

    for theme in [Theme::Light, Theme::System, Theme::Dark] {
        let chosen = Input::Do(set(Setting::Theme { theme }));
        desk.inputs.send(chosen).await.unwrap();
    }
    desk.inputs.send(Input::Do(Intent::Quit)).await.unwrap();
    let home = desk.closed().await;

    assert_eq!(file.load().0.theme, Theme::Dark);
    drop(home);
}

#[tokio::test(start_paused = true)]
async fn start_at_login_is_an_entry_of_the_desktop() {
    let desk = Desk::with(signed_out()).await;
    let entry = desk.home.entry();

    desk.person(set(Setting::StartAtLogin { on: true })).await;
    desk.until("it is on", || entry.is_on()).await;
    assert!(last_view(&desk.told()).settings.start_at_login);
    desk.person(set(Setting::StartAtLogin { on: false })).await;
    desk.until("it is off", || !entry.is_on()).await;

    assert!(!last_view(&desk.told()).settings.start_at_login);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn start_at_login_that_cannot_be_turned_on_says_so_and_stays_off() {
    let desk = Desk::with(signed_out()).await;
    desk.home.spoil_autostart();
    desk.told();

    desk.person(set(Setting::StartAtLogin { on: true })).await;
    let said = std::cell::RefCell::new(Vec::new());
    desk.until("it is refused", || {
        said.borrow_mut().extend(desk.told());
        let is_said = |told: &Told| matches!(told, Told::View(view) if !view.problems.is_empty());
        said.borrow().iter().any(is_said)
    })
    .await;

    let view = last_view(&said.into_inner());
    assert_eq!(
        view.problems[0].code,
        Code::LoginStartNotChanged.to_string()
    );
    assert!(!view.settings.start_at_login);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn damaged_settings_are_told_where_they_went() {
    let home = Home::new("theme = \"da");

    let desk = Desk::called(signed_out(), Call::default(), home).await;

    let view = last_view(&desk.told());
    assert_eq!(view.problems[0].code, Code::SettingsDamaged.to_string());
    assert!(view.problems[0].next.contains("app.toml.damaged-1"));
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_starts_it_by_hand_sees_it_and_at_login_nobody_does() {
    let hidden = || Call {
        hidden: true,
        ..Call::default()
    };
    let by_hand = Desk::called(signed_out(), Call::default(), Home::new("")).await;
    let at_login = Desk::called(signed_out(), hidden(), Home::new("")).await;
    let not_joined = Desk::called(not_joined(), hidden(), Home::new("")).await;

    assert!(by_hand.told().contains(&Told::OpenWindow));
    assert!(!at_login.told().contains(&Told::OpenWindow));
    assert!(!not_joined.told().contains(&Told::OpenWindow));
    by_hand.close().await;
    at_login.close().await;
    not_joined.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_from_outside_is_shown_and_does_nothing_until_somebody_clicks() {
    let desk = Desk::with(not_joined()).await;
    desk.told();

    desk.input(Input::Called(with_link(LINK))).await;
    let told = desk.told();
    let view = last_view(&told);
    let Some(Arrival::Link { link, .. }) = &view.arrived else {
        panic!("no link arrived: {:?}", view.arrived);
    };

    assert!(told.contains(&Told::OpenWindow));
    assert_eq!(
        (link.org.as_str(), link.address.as_str()),
        ("acme", "hub.acme.example:443")
    );
    assert!(!serde_json::to_string(&view).unwrap().contains("canary"));
    assert_eq!(desk.acted(), []);

    desk.person(Intent::JoinArrived).await;

    let link = Secret::from(LINK.to_owned());
    assert_eq!(desk.acted(), [Action::Join { link }]);
    assert_eq!(last_view(&desk.told()).arrived, None);
    desk.person(Intent::JoinArrived).await;
    assert_eq!(desk.acted(), [], "a link is used once");
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_link_does_not_take_the_place_of_the_one_that_is_being_read() {
    let other = LINK.replace("hub.acme.example", "hub.evil.example");
    let desk = Desk::called(not_joined(), with_link(LINK), Home::new("")).await;

    desk.input(Input::Called(with_link(LINK))).await;
    let same = last_view(&desk.told()).arrived;
    desk.input(Input::Called(with_link(&other))).await;
    let two = last_view(&desk.told()).arrived;
    desk.person(Intent::JoinArrived).await;

    let shown = |arrived: &Option<Arrival>| match arrived {
        Some(Arrival::Link { link, another }) => Some((link.address.clone(), *another)),
        _ => None,
    };
    assert_eq!(
        shown(&same),
        Some(("hub.acme.example:443".to_owned(), false))
    );
    assert_eq!(shown(&two), Some(("hub.acme.example:443".to_owned(), true)));
    let link = Secret::from(LINK.to_owned());
    assert_eq!(desk.acted(), [Action::Join { link }]);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_none_is_a_sentence_and_can_be_put_aside() {
    let desk = Desk::called(
        not_joined(),
        with_link("tidegate://join?<b>"),
        Home::new(""),
    )
    .await;

    let arrived = last_view(&desk.told()).arrived;
    desk.person(Intent::JoinArrived).await;
    desk.input(Input::Called(with_link("tidegate:x"))).await;
    desk.person(Intent::DropArrived).await;

    assert!(matches!(arrived, Some(Arrival::Bad { problem }) if problem.code == "TG-4001"));
    assert_eq!(desk.acted(), []);
    assert_eq!(last_view(&desk.told()).arrived, None);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_wants_no_notifications_gets_none_and_misses_nothing() {
    let desk = Desk::with(warehouse(ServiceState::Idle)).await;
    desk.person(set(Setting::Notifications {
        to: Notifications::Off,
    }))
    .await;
    desk.told();

    let problem = Problem::new(Code::TargetClosed).service(&named("warehouse"));
    desk.agent_says(warehouse(ServiceState::Failed(problem)))
        .await;

    let told = desk.told();
    assert_eq!(notices(&told), []);
    assert!(
        last_view(&told).activity[0]
            .text
            .contains("Service is down")
    );
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_tray_that_comes_back_lets_the_window_go() {
    let desk = Desk::with(signed_out()).await;
    desk.input(Input::NoTray { news: true }).await;
    assert!(!last_view(&desk.told()).tray);

    desk.input(Input::TrayIsThere).await;

    let told = desk.told();
    assert!(told.contains(&Told::KeepWindow(false)));
    let view = last_view(&told);
    assert!(view.tray);
    assert_eq!(view.problems, []);
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn putting_the_problem_aside_makes_no_tray() {
    let desk = Desk::with(not_joined()).await;
    desk.input(Input::NoTray { news: true }).await;
    let aside = last_view(&desk.told()).problems[0].dismiss.clone();

    desk.person(aside.unwrap()).await;
    let put_aside = last_view(&desk.told());
    desk.input(Input::TrayIsThere).await;
    let back = desk.told();
    desk.input(Input::NoTray { news: false }).await;
    let gone_again = desk.told();

    assert!(put_aside.problems.is_empty() && !put_aside.tray);
    assert!(back.contains(&Told::KeepWindow(false)) && last_view(&back).tray);
    assert!(gone_again.contains(&Told::KeepWindow(true)) && !last_view(&gone_again).tray);
    assert_eq!(last_view(&gone_again).problems, [], "it was said once");
    desk.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_desktop_that_was_not_asked_yet_is_trusted_to_have_a_tray() {
    let desk = Desk::with(not_joined()).await;
    let before = last_view(&desk.told());

    desk.input(Input::TrayIsThere).await;

    assert!(before.tray);
    assert!(!desk.told().contains(&Told::OpenWindow));
    desk.close().await;
}
