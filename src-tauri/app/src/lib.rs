//! What the tray and the window do, as values and one loop, without a desktop: `src-tauri` only carries them out.
//! A newcomer would look for a "current state" here: there is none. Menu, view and icon are functions of the agent's `Snapshot`, the time, and a few notes.

pub mod access;
pub mod activity;
pub mod agent;
pub mod arrived;
pub mod at_login;
pub mod call;
pub mod change;
pub mod clipboard;
pub mod controller;
pub mod desktop;
pub mod devices;
pub mod display_lost;
mod handover;
pub mod icon;
pub mod intent;
pub mod join_text;
pub mod label;
pub mod menu;
pub mod problem;
pub mod scene;
pub mod session_end;
pub mod settings;
pub mod stop;
pub mod surroundings;
pub mod time_left;
pub mod tray_host;
pub mod view;

pub use agent::AgentHandle;
pub use call::Call;
pub use controller::{Controller, Input, Own};
pub use desktop::{CopyFailed, Desktop, Notice};
pub use icon::{Icon, IconState, Panel};
pub use intent::Intent;
pub use menu::{Item, Menu};
pub use tray_host::TrayHost;
pub use view::View;
