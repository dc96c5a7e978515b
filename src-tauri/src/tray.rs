//! The tray icon and its menu, drawn from values.
//! A newcomer would give the tray a new menu for each change: it is one menu for good, whose items are changed, and only where they differ.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use tauri::image::Image;
use tauri::menu::{Menu as TauriMenu, MenuItem, MenuItemKind, PredefinedMenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, Wry, include_image};
use tidegate_app::menu::{Edit, edits};
use tidegate_app::{Icon, IconState, Input, Item, Menu, Panel};

use crate::{Inputs, note, send};

/// Makes the tray icon; says whether there is one now.
pub(crate) fn make(app: &AppHandle) -> bool {
    let build = || {
        TrayIconBuilder::with_id(id(app))
            // Its pictures: the library's own choice without a session is a folder that people share.
            .temp_dir_path(app.path().app_cache_dir()?)
            .icon(image(Icon {
                state: IconState::Off,
                panel: Panel::Dark,
            }))
            .on_menu_event(|app, event| {
                send(&app.state::<Inputs>().0, Input::Menu(event.id.0));
            })
            .build(app)
    };
    // The tray library panics where the system's indicator library is missing.
    match std::panic::catch_unwind(AssertUnwindSafe(build)) {
        Ok(Ok(_kept_by_tauri)) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "tray icon could not be made");
            false
        }
        Err(_panic) => {
            tracing::warn!("tray icon could not be made because its library is missing");
            false
        }
    }
}

/// The menu that the tray has, and what it says. It is kept for good: a tray that is given another one registers itself again.
#[derive(Default)]
pub(crate) struct Drawn(Mutex<Shown>);

type Shown = Option<(TauriMenu<Wry>, Menu)>;

/// Runs on the main thread.
pub(crate) fn show_menu(app: &AppHandle, menu: &Menu) {
    let drawn = app.state::<Drawn>();
    let mut drawn = drawn.0.lock().unwrap_or_else(PoisonError::into_inner);
    // One that was changed by halves is not kept: the next is drawn as a whole.
    let shown = draw(app, drawn.take(), menu);
    note(
        shown.map(|shown| *drawn = Some((shown, menu.clone()))),
        "show the tray menu",
    );
}

/// Runs on the main thread.
pub(crate) fn show_icon(app: &AppHandle, icon: Icon) {
    let Some(tray) = app.tray_by_id(id(app)) else {
        return;
    };
    note(tray.set_icon(Some(image(icon))), "show the tray icon");
}

/// The identifier of the bundle: two apps with one id would share one picture.
fn id(app: &AppHandle) -> &str {
    &app.config().identifier
}

fn draw(app: &AppHandle, shown: Shown, menu: &Menu) -> tauri::Result<TauriMenu<Wry>> {
    let is_new = shown.is_none();
    let (drawn, says) = match shown {
        Some(shown) => shown,
        None => (TauriMenu::new(app)?, Menu::default()),
    };
    for edit in edits(&says, menu) {
        match edit {
            Edit::Remove { at } => drop(drawn.remove_at(at)?),
            Edit::Insert { at, item } => insert(app, &drawn, at, &item)?,
            Edit::Label { at, label } => {
                if let Some(MenuItemKind::MenuItem(item)) = drawn.items()?.get(at) {
                    item.set_text(plain(&label))?;
                }
            }
        }
    }
    if let Some(tray) = app.tray_by_id(id(app)).filter(|_| is_new) {
        tray.set_menu(Some(drawn.clone()))?;
    }
    Ok(drawn)
}

fn insert(app: &AppHandle, drawn: &TauriMenu<Wry>, at: usize, item: &Item) -> tauri::Result<()> {
    let no_key = None::<&str>;
    match item {
        Item::Line(text) => drawn.insert(&MenuItem::new(app, plain(text), false, no_key)?, at),
        Item::Entry { id, label, .. } => {
            let entry = MenuItem::with_id(app, id, plain(label), true, no_key)?;
            drawn.insert(&entry, at)
        }
        Item::Separator => drawn.insert(&PredefinedMenuItem::separator(app)?, at),
    }
}

/// `&` would mark a key.
fn plain(text: &str) -> String {
    text.replace('&', "&&")
}

fn image(icon: Icon) -> Image<'static> {
    use IconState::{Connected, Connecting, Off, Problem};
    use Panel::{Dark, Light};
    match (icon.state, icon.panel) {
        (Off, Light) => include_image!("../icons/tray/off-on-light.png"),
        (Off, Dark) => include_image!("../icons/tray/off-on-dark.png"),
        (Connecting, Light) => include_image!("../icons/tray/connecting-on-light.png"),
        (Connecting, Dark) => include_image!("../icons/tray/connecting-on-dark.png"),
        (Connected, Light) => include_image!("../icons/tray/connected-on-light.png"),
        (Connected, Dark) => include_image!("../icons/tray/connected-on-dark.png"),
        (Problem, Light) => include_image!("../icons/tray/problem-on-light.png"),
        (Problem, Dark) => include_image!("../icons/tray/problem-on-dark.png"),
    }
}
