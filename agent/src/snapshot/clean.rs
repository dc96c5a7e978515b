//! What strangers wrote, made fit to show: the one door through which their words and lists enter a snapshot.
//! A newcomer would clean where text is drawn: then the window is safe, and the log, the tray and the command line are not.

use tidegate_proto::text::{Shown, deceives};

use super::{AccountView, OrgSnapshot, RequestAt, RequestShown, SignIn, SignInCode};

/// Most services of one org that are shown; more are no person's list.
const MOST_SERVICES: usize = 2_000;
/// Most devices of one person that are shown.
const MOST_DEVICES: usize = 200;
/// Most devices that ask at the same time.
const MOST_REQUESTS: usize = 20;
/// Most requests for access that are shown.
const MOST_ACCESS_REQUESTS: usize = 200;
/// Longest address of a page, in bytes.
const LONGEST_ADDRESS: usize = 8 * 1024;

impl OrgSnapshot {
    /// Bounded, and without a character that could deceive a reader or steer a terminal. Doing it twice changes nothing.
    pub(crate) fn clean(&mut self) {
        clean(&mut self.device);
        self.account.clean();
        self.services.truncate(MOST_SERVICES);
        for service in &mut self.services {
            clean(&mut service.title);
        }
        self.devices.truncate(MOST_DEVICES);
        for device in &mut self.devices {
            clean(&mut device.name);
            clean(&mut device.label);
        }
        self.device_requests.truncate(MOST_REQUESTS);
        for request in &mut self.device_requests {
            clean(&mut request.label);
        }
        self.requests.truncate(MOST_ACCESS_REQUESTS);
        self.requests.iter_mut().for_each(RequestShown::clean);
        self.printed.truncate(MOST_ACCESS_REQUESTS);
        self.printed.iter_mut().for_each(clean);
    }
}

impl RequestShown {
    fn clean(&mut self) {
        clean(&mut self.by);
        self.name.iter_mut().for_each(clean);
        clean(&mut self.reason);
        self.approved
            .iter_mut()
            .chain(&mut self.seen)
            .for_each(clean);
        if let RequestAt::Denied { by, because } | RequestAt::TakenBack { by, because } =
            &mut self.state
        {
            clean(by);
            clean(because);
        }
    }
}

impl AccountView {
    fn clean(&mut self) {
        match self {
            Self::SignedOut { last } => {
                if let Some(last) = last {
                    clean(last);
                }
            }
            Self::SignedIn { name, .. } => clean(name),
            Self::SigningIn(SignIn { url, code, .. }) => {
                *url = url.take().filter(|url| is_plain_address(url));
                if let Some(code) = code {
                    code.clean();
                }
            }
        }
    }
}

impl SignInCode {
    fn clean(&mut self) {
        clean(&mut self.code);
        clean(&mut self.address);
        self.whole_address = self
            .whole_address
            .take()
            .filter(|address| is_plain_address(address));
    }
}

/// An address is for opening and copying: it is shown as it is or not at all.
fn is_plain_address(address: &str) -> bool {
    address.len() <= LONGEST_ADDRESS && !address.chars().any(deceives)
}

fn clean(text: &mut String) {
    let shown = Shown::new(text);
    if shown.as_str() != text {
        *text = shown.into();
    }
}
