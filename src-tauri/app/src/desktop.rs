//! What the controller needs from a desktop. Two implementations: Tauri in `src-tauri`, a recording one in the tests.
//! A newcomer would make these calls answer: none of them may block the controller, so what can fail slowly is queued by the implementation.

use crate::{Icon, Menu, View};

pub trait Desktop: Send + 'static {
    fn set_menu(&mut self, menu: &Menu);
    fn set_icon(&mut self, icon: Icon);
    /// Shows the view in the window, if there is one.
    fn show_view(&mut self, view: &View);
    /// Makes the window, or brings the one there is to the front.
    fn open_window(&mut self);
    /// The end has begun: the window goes at once, and the process within 5 s whatever hangs.
    fn ending(&mut self);
    /// There is no tray to come back from: closing the window only minimizes it from now on.
    fn keep_window(&mut self);
    /// Plain text: whoever shows it escapes it.
    fn notify(&mut self, notice: &Notice);
    /// # Errors
    /// The desktop has no clipboard that we can reach.
    fn copy(&mut self, text: &str) -> Result<(), CopyFailed>;
    fn open_url(&mut self, url: &str);
    /// Nothing is left to end: the process may go.
    fn quit(&mut self);
}

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub title: String,
    pub body: String,
}

impl Notice {
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
        let notice = Notice {
            title: String::new(),
            body: "<b>a & b</b>".to_owned(),
        };

        assert_eq!(notice.markup(), "&lt;b&gt;a &amp; b&lt;/b&gt;");
    }
}
