//! Opens the person's own browser at the provider. Never a window of ours: people must see where they type their password.
//! `$BROWSER` is honoured, which is also how tests put a driven browser there.

/// The browser did not start; the URL can still be copied from the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no browser could be started")]
pub struct BrowserError;

/// Something that shows a URL to the person.
pub trait OpenBrowser: Send + Sync + 'static {
    /// Opens `url`. May block until a text browser ends.
    ///
    /// # Errors
    /// When nothing was opened.
    fn open(&self, url: &url::Url) -> Result<(), BrowserError>;
}

/// The desktop's own browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemBrowser;

impl OpenBrowser for SystemBrowser {
    fn open(&self, url: &url::Url) -> Result<(), BrowserError> {
        // Anything else could name a program or a file.
        if url.scheme() != "https" {
            return Err(BrowserError);
        }
        webbrowser::open(url.as_str()).map_err(|_| BrowserError)
    }
}

/// For a terminal: opens nothing, the URL is printed by whoever watches the snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBrowser;

impl OpenBrowser for NoBrowser {
    fn open(&self, _: &url::Url) -> Result<(), BrowserError> {
        Err(BrowserError)
    }
}
