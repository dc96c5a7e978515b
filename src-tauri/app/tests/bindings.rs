//! The window's TypeScript types are generated from the Rust ones; this proves that the committed file is fresh.
//! After changing a type: `TIDEGATE_WRITE_BINDINGS=1 cargo test -p tidegate-app --test bindings`.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use tidegate_app::access::{Access, AccessAct, AccessRequest, AccessState, AskFor, AskSheet, Time};
use tidegate_app::activity::ActivityLine;
use tidegate_app::arrived::Arrival;
use tidegate_app::devices::{Asking, Device, DeviceAct, Devices, LinkCopy, Request, RequestState};
use tidegate_app::intent::{Copyable, Form, Intent, Place};
use tidegate_app::join_text::LinkView;
use tidegate_app::problem::{Button, Level, ProblemView};
use tidegate_app::settings::{Notifications, Setting, Theme};
use tidegate_app::view::{
    Account, Hub, Org, Page, Progress, Service, SettingsView, SignInCodeView, Snippet, State, Step,
    View,
};
use ts_rs::{Config, TS};

#[test]
fn the_windows_types_are_those_of_the_app() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/bindings/view.ts");
    let fresh = generated();

    if std::env::var_os("TIDEGATE_WRITE_BINDINGS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();

    assert_eq!(
        committed, fresh,
        "ui/src/bindings/view.ts is stale: see the top of this test"
    );
}

fn generated() -> String {
    let mut text =
        String::from("// Generated from src-tauri/app by its test `bindings`. Do not edit.\n");
    declare::<View>(&mut text);
    declare::<Page>(&mut text);
    declare::<Org>(&mut text);
    declare::<Account>(&mut text);
    declare::<SignInCodeView>(&mut text);
    declare::<Step>(&mut text);
    declare::<Progress>(&mut text);
    declare::<Hub>(&mut text);
    declare::<Service>(&mut text);
    declare::<State>(&mut text);
    declare::<Snippet>(&mut text);
    declare::<ProblemView>(&mut text);
    declare::<Level>(&mut text);
    declare::<Button>(&mut text);
    declare::<ActivityLine>(&mut text);
    declare::<LinkView>(&mut text);
    declare::<Arrival>(&mut text);
    declare::<SettingsView>(&mut text);
    declare::<Theme>(&mut text);
    declare::<Devices>(&mut text);
    declare::<Request>(&mut text);
    declare::<RequestState>(&mut text);
    declare::<Asking>(&mut text);
    declare::<Device>(&mut text);
    declare::<DeviceAct>(&mut text);
    declare::<LinkCopy>(&mut text);
    declare::<Access>(&mut text);
    declare::<AccessRequest>(&mut text);
    declare::<AccessState>(&mut text);
    declare::<Time>(&mut text);
    declare::<AskSheet>(&mut text);
    declare::<AskFor>(&mut text);
    declare::<AccessAct>(&mut text);
    declare::<Notifications>(&mut text);
    declare::<Setting>(&mut text);
    declare::<Place>(&mut text);
    declare::<Intent>(&mut text);
    declare::<Copyable>(&mut text);
    declare::<Form>(&mut text);
    text
}

fn declare<T: TS>(text: &mut String) {
    writeln!(text, "\nexport {}", T::decl(&Config::default())).unwrap();
}
