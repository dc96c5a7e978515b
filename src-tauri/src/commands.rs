//! Everything the window may ask for: to be drawn, to act, to read a join link aloud. Each needs a permission of its own.
//! A newcomer would answer `act` with data: the answer to an intent is the next view.

use tauri::State;
use tauri::ipc::Channel;
use tidegate_app::join_text::{LinkView, read_join_text};
use tidegate_app::problem::ProblemView;
use tidegate_app::{Input, Intent, View};

use crate::window::WindowState;
use crate::{Inputs, send};

#[tauri::command]
pub(crate) fn view(
    channel: Channel<View>,
    window: State<'_, WindowState>,
    inputs: State<'_, Inputs>,
) {
    window.listen(Some(channel));
    send(&inputs.0, Input::WindowReady);
}

#[tauri::command]
pub(crate) fn act(intent: Intent, inputs: State<'_, Inputs>) {
    send(&inputs.0, Input::Do(intent));
}

#[tauri::command]
pub(crate) fn read_link(link: String) -> Result<LinkView, Box<ProblemView>> {
    read_join_text(&link)
}
