//! The clipboard, kept open: on X11 and Wayland the text is gone when its owner is.
//! A newcomer would open one per copy, and wonder why pasting works only sometimes.

use crate::CopyFailed;

#[derive(Default)]
pub struct Clipboard(Option<arboard::Clipboard>);

impl Clipboard {
    /// # Errors
    /// When the desktop has none that can be reached.
    pub fn put(&mut self, text: &str) -> Result<(), CopyFailed> {
        if self.try_put(text).is_ok() {
            return Ok(());
        }
        // The display may have come back as another one: once more with a fresh door.
        self.0 = None;
        self.try_put(text).map_err(|error| {
            tracing::warn!(%error, "clipboard could not be reached");
            CopyFailed
        })
    }

    fn try_put(&mut self, text: &str) -> Result<(), arboard::Error> {
        let open = match &mut self.0 {
            Some(open) => open,
            closed => closed.insert(arboard::Clipboard::new()?),
        };
        open.set_text(text)
    }

    /// Hands the text to the desktop's clipboard manager, where there is one.
    pub fn hand_over(&mut self) {
        self.0 = None;
    }
}
