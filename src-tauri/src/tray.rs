//! The tray icon and its menu, drawn from values.
//! A newcomer would change items in place: the menu is replaced whole, and only when its value differs.

use std::panic::AssertUnwindSafe;

use tauri::image::Image;
use tauri::menu::{Menu as TauriMenu, MenuItem, PredefinedMenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, include_image};
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

/// Runs on the main thread.
pub(crate) fn show_menu(app: &AppHandle, menu: &Menu) {
    let Some(tray) = app.tray_by_id(id(app)) else {
        return;
    };
    let shown = draw(app, menu).and_then(|drawn| tray.set_menu(Some(drawn)));
    note(shown, "show the tray menu");
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

fn draw(app: &AppHandle, menu: &Menu) -> tauri::Result<TauriMenu<tauri::Wry>> {
    let drawn = TauriMenu::new(app)?;
    for item in &menu.items {
        match item {
            Item::Line(text) => {
                drawn.append(&MenuItem::new(app, plain(text), false, None::<&str>)?)?;
            }
            Item::Entry { id, label, .. } => {
                drawn.append(&MenuItem::with_id(
                    app,
                    id,
                    plain(label),
                    true,
                    None::<&str>,
                )?)?;
            }
            Item::Separator => drawn.append(&PredefinedMenuItem::separator(app)?)?,
        }
    }
    Ok(drawn)
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
