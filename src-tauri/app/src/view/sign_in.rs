//! The account of one org in the window: signed out, signing in step by step, signed in.
//! A newcomer would show one list of steps to everybody: which steps there are depends on the way that was chosen.

use serde::Serialize;
use tidegate_agent::{AccountView, OrgSnapshot, SignIn, SignInStep};
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::likely;
use ts_rs::TS;

use crate::intent::Copyable;
use crate::label::label;
use crate::scene::Scene;
use crate::time_left::time_left;

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Account {
    SignedOut {
        last: Option<String>,
    },
    SigningIn {
        steps: Vec<Step>,
        url: Option<String>,
        url_copied: bool,
        /// Why the browser may not have come back, most likely first; empty for the first minute.
        likely: Vec<&'static str>,
        /// What to type elsewhere, in a sign-in without a browser here.
        code: Option<SignInCodeView>,
    },
    SignedIn {
        name: String,
        left: String,
        #[ts(type = "number")]
        until: UnixTime,
        /// It ends soon enough to sign in again now.
        soon: bool,
        /// How far that has got, while everything goes on: `signing_in`.
        again: Option<Box<Account>>,
    },
}

/// From so long before its end a session is offered to be renewed: a meeting, or a query that takes its time.
const SOON_SECS: u64 = 30 * 60;

/// Whether a session that ends then is worth a button.
pub(crate) fn is_soon(now: UnixTime, until: UnixTime) -> bool {
    now.until(until) <= SOON_SECS
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct SignInCodeView {
    pub code: String,
    /// Where to type it.
    pub address: String,
    pub left: String,
}

/// One step of signing in, for a list that shows how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Step {
    pub text: &'static str,
    pub progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    Done,
    Now,
    Later,
}

pub(super) fn account(scene: &Scene<'_>, org: &OrgSnapshot) -> Account {
    match &org.account {
        AccountView::SignedOut { last } => Account::SignedOut { last: last.clone() },
        AccountView::SigningIn(sign_in) => signing_in(scene, org, sign_in),
        AccountView::SignedIn { name, until, again } => Account::SignedIn {
            name: label(name),
            left: time_left(scene.now, *until),
            until: *until,
            soon: is_soon(scene.now, *until),
            again: again
                .as_ref()
                .map(|again| Box::new(signing_in(scene, org, again))),
        },
    }
}

fn signing_in(scene: &Scene<'_>, org: &OrgSnapshot, sign_in: &SignIn) -> Account {
    let copied = scene.copied().filter(
        |copied| matches!(&copied.what, Copyable::SignInUrl { org: of } if *of == org.name),
    );
    Account::SigningIn {
        steps: steps(sign_in, org.enrolling.is_some()),
        url: sign_in.url.clone(),
        url_copied: copied.is_some(),
        likely: sign_in.likely.iter().map(|cause| likely(*cause)).collect(),
        code: sign_in.code.as_ref().map(|code| SignInCodeView {
            code: code.code.clone(),
            address: code.address.clone(),
            left: time_left(scene.now, code.until),
        }),
    }
}

/// Those of this way to sign in, as far as it has got.
fn steps(sign_in: &SignIn, is_new_here: bool) -> Vec<Step> {
    const ORDER: [SignInStep; 8] = [
        SignInStep::AskingHub,
        SignInStep::AskingProvider,
        SignInStep::OpeningBrowser,
        SignInStep::WaitingForBrowser,
        SignInStep::WaitingForCode,
        SignInStep::ExchangingCode,
        SignInStep::WaitingForDevice,
        SignInStep::GettingCredential,
    ];
    let is_by_code = sign_in.code.is_some() || sign_in.step == SignInStep::WaitingForCode;
    let is_on_the_way = |step: &SignInStep| match step {
        SignInStep::OpeningBrowser | SignInStep::WaitingForBrowser => !is_by_code,
        SignInStep::WaitingForCode => is_by_code,
        SignInStep::WaitingForDevice => is_new_here || sign_in.step == *step,
        SignInStep::AskingHub
        | SignInStep::AskingProvider
        | SignInStep::ExchangingCode
        | SignInStep::GettingCredential => true,
    };
    let order: Vec<SignInStep> = ORDER.into_iter().filter(is_on_the_way).collect();
    let reached = order.iter().position(|step| *step == sign_in.step);
    let steps = order.iter().enumerate().map(|(place, step)| Step {
        text: sign_in_step_text(*step),
        progress: match Some(place).cmp(&reached) {
            std::cmp::Ordering::Less => Progress::Done,
            std::cmp::Ordering::Equal => Progress::Now,
            std::cmp::Ordering::Greater => Progress::Later,
        },
    });
    steps.collect()
}

pub(crate) fn sign_in_step_text(step: SignInStep) -> &'static str {
    match step {
        SignInStep::AskingHub => "Asking the hub",
        SignInStep::AskingProvider => "Asking your organisation's sign-in",
        SignInStep::OpeningBrowser => "Opening your browser",
        SignInStep::WaitingForBrowser => "Waiting for you in the browser",
        SignInStep::WaitingForCode => "Waiting for the code to be typed",
        SignInStep::WaitingForDevice => "Waiting for your other computer",
        SignInStep::ExchangingCode => "Checking the answer",
        SignInStep::GettingCredential => "Getting your credential",
    }
}
