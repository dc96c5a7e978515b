//! What the controller needs from a desktop. Two implementations: Tauri in `src-tauri`, a recording one in the tests.
//! A newcomer would make these calls answer: none of them may block the controller, so what can fail slowly is queued by the implementation.

use crate::problem::Button;
use crate::{Icon, Intent, Menu, View};

pub trait Desktop: Send + 'static {
    fn set_menu(&mut self, menu: &Menu);
    fn set_icon(&mut self, icon: Icon);
    /// Shows the view in the window, if there is one.
    fn show_view(&mut self, view: &View);
    /// Makes the window, or brings the one there is to the front.
    fn open_window(&mut self);
    /// The end has begun: the window goes at once, and the process within 5 s whatever hangs.
    fn ending(&mut self);
    /// While there is no tray to come back from, closing the window only minimizes it.
    fn keep_window(&mut self, kept: bool);
    /// Plain text: whoever shows it escapes it.
    fn notify(&mut self, notice: &Notice);
    /// # Errors
    /// The desktop has no clipboard that we can reach.
    fn copy(&mut self, text: &str) -> Result<(), CopyFailed>;
    fn open_url(&mut self, url: &str);
    /// Nothing is left to end: the process may go.
    fn quit(&mut self);
}

/// A click on a notification itself, as desktops call it.
pub const DEFAULT_ACTION: &str = "default";

/// One notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub title: String,
    pub body: String,
    /// The one thing that can be done about it at once. The window offers the same.
    pub button: Option<Button>,
}

impl Notice {
    pub fn new(title: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            body: body.into(),
            button: None,
        }
    }

    /// Ids and labels, where the desktop shows buttons.
    pub fn actions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let button = self
            .button
            .iter()
            .map(|button| ("button", button.label.as_ref()));
        button.chain([(DEFAULT_ACTION, "Open Tidegate")])
    }

    /// What a click on `id` asks for.
    pub fn intent(&self, id: &str) -> Option<Intent> {
        match (id, &self.button) {
            (DEFAULT_ACTION, _) => Some(Intent::OpenWindow),
            ("button", Some(button)) => Some(button.intent.clone()),
            _ => None,
        }
    }

    /// The body for desktops that read markup in it: what others wrote stays text.
    pub fn markup(&self) -> String {
        let escaped = self.body.replace('&', "&amp;");
        escaped.replace('<', "&lt;").replace('>', "&gt;")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clipboard could not be reached")]
pub struct CopyFailed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_never_markup() {
        let notice = Notice::new("", "<b>a & b</b>");

        assert_eq!(notice.markup(), "&lt;b&gt;a &amp; b&lt;/b&gt;");
    }

    #[test]
    fn a_click_asks_for_the_button_or_for_the_window_and_for_nothing_else() {
        let mut notice = Notice::new("", "");
        assert_eq!(notice.intent("button"), None);
        notice.button = Some(Button::new("Sign in again", Intent::Quit));

        assert_eq!(notice.intent("button"), Some(Intent::Quit));
        assert_eq!(notice.intent(DEFAULT_ACTION), Some(Intent::OpenWindow));
        assert_eq!(notice.intent("__closed"), None);
        assert_eq!(notice.actions().count(), 2);
    }
}
