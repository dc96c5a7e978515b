//! Every sentence a person reads about a problem, in one place: window, tray, CLI, FATAL lines and refusals all take it from here.
//! A `{fact|else}` is filled in where the fact is known, so each sentence must read well with the words after the bar.

mod fill;
mod likely;

pub use likely::likely;

use crate::problem::{Code, Problem};
use fill::fill;

/// A problem in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// A few words, for a heading or a notification.
    pub title: String,
    /// One sentence: what cannot happen, because of what.
    pub cause: String,
    /// One sentence: what to do.
    pub next: String,
    /// Who can mend it: `your administrator`.
    pub who: &'static str,
    /// `TG-1001`.
    pub code: String,
}

impl Words {
    /// Cause, next step and code on one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} ({})", self.cause, self.next, self.code)
    }
}

/// Beside the name of a device that asks to be let in, when nothing ties its sign-in to it.
pub const SIGNED_IN_WITH_A_CODE: &str = "signed in with a code, from anywhere";

/// The words for a problem.
#[must_use]
pub fn words(problem: &Problem) -> Words {
    let [title, cause, next] = sentences(problem.code);
    Words {
        title: title.to_owned(),
        cause: fill(cause, &problem.facts),
        next: fill(next, &problem.facts),
        who: problem.code.actor().who(),
        code: problem.code.to_string(),
    }
}

/// Title, cause, next step.
#[allow(clippy::too_many_lines)] // a table: one entry a code, nothing to follow
fn sentences(code: Code) -> [&'static str; 3] {
    match code {
        Code::HubUnreachable => [
            "Hub not reachable",
            "Tidegate cannot connect because {host|the hub} does not answer.",
            "Check this computer's network; Tidegate keeps trying by itself.",
        ],
        Code::AuthorityAway => [
            "Hub is silent",
            "New sign-ins and changes of access have to wait because the hub has gone silent.",
            "Open connections go on until {until|they expire}; nothing needs to be done.",
        ],
        Code::RelayRefused => [
            "Hub did not let this computer through",
            "{service|The service} cannot be reached because the hub did not accept this computer's request.",
            "Try again in a minute; if it stays like this, tell your administrator this code.",
        ],
        Code::OutletAbsent => [
            "Service is offline",
            "{service|The service} cannot be reached because nothing on its side is online right now.",
            "Try again in a minute; if it stays like this, tell the owner of the service.",
        ],
        Code::CircuitLost => [
            "Connection lost",
            "The connection to {service|the service} cannot go on because the network between broke off.",
            "Connect again.",
        ],
        Code::ClockOff => [
            "Clock is wrong",
            "Tidegate cannot prove who you are because this computer's clock is wrong.",
            "Set date and time to automatic, then try again.",
        ],
        Code::HubNotTrusted => [
            "Hub is not the right one",
            "Tidegate cannot connect because {host|the hub} could not prove that it belongs to your organisation.",
            "Do not go on; ask your administrator for a new join link.",
        ],
        Code::TimedOut => [
            "No answer in time",
            "{service|The service} cannot be reached because no answer came in time.",
            "Check this computer's network and try again.",
        ],
        Code::OutletNotTrusted => [
            "Outlet is not the right one",
            "{service|The service} cannot be connected because what answered could not prove that it is the right outlet.",
            "Do not go on; tell your administrator this code.",
        ],
        Code::HubBusy => [
            "Hub is busy",
            "{service|The service} cannot be connected now because the hub has reached a limit.",
            "Try again in a minute.",
        ],
        Code::HubStopping => [
            "Hub is restarting",
            "New connections have to wait because the hub is being restarted.",
            "Nothing needs to be done; Tidegate connects again by itself.",
        ],
        Code::OrgNotRenewed => [
            "Organisation has to sign again",
            "Tidegate cannot connect because what your organisation signed for {host|its hub} has ended, or this computer's clock is ahead.",
            "If date and time are right here, tell your administrator: tidegate org sign.",
        ],
        Code::NotAvailable => [
            "Not available",
            "{service|This service} is not available to you because {said|no rule allows it}.",
            "Check the name, or ask the owner of the service for access.",
        ],
        Code::Revoked => [
            "Access was taken back",
            "{service|The service} cannot be connected because your access was taken back.",
            "Ask your administrator if you still need it.",
        ],
        Code::SessionExpired => [
            "Sign-in has expired",
            "{service|The service} cannot be connected because your sign-in has expired.",
            "Sign in again.",
        ],
        Code::PolicyChanged => [
            "Rules have changed",
            "The connection to {service|the service} cannot go on because the rules have changed.",
            "Ask the owner of the service for access if you still need it.",
        ],
        Code::NotAdmitted => [
            "Not admitted",
            "{service|The service} cannot be connected because the other end could not confirm who you are.",
            "Sign in again; if it stays like this, tell your administrator this code: a clock may be wrong, here or beside the service.",
        ],
        Code::TooManyGroups => [
            "Too many groups",
            "You cannot be signed in because your account is in more groups than Tidegate reads.",
            "Ask your administrator to send Tidegate only the groups it needs.",
        ],
        Code::NotRecorded => [
            "Cannot be recorded",
            "{service|The service} cannot be connected because the other end cannot write its record.",
            "Tell the owner of the service; nobody gets in until it is repaired.",
        ],
        Code::NoPolicy => [
            "No rules yet",
            "Nobody can connect to {service|the service} because no rule allows anything yet.",
            "Ask the owner of the service to write one.",
        ],
        Code::AskFirst => [
            "Needs approval",
            "{service|The service} cannot be connected because {said|somebody has to approve it first}.",
            "Ask for access from the Tidegate icon, or run: tidegate request {service|SERVICE}.",
        ],
        Code::GrantOver => [
            "Approved time is over",
            "{service|The service} cannot be connected because the time that was approved is over, or was not used in time.",
            "Ask again if you still need it.",
        ],
        Code::GrantTakenBack => [
            "Approval was taken back",
            "{service|The service} cannot be connected because the approval was taken back or given back.",
            "Ask again if you still need it.",
        ],
        Code::GrantNotHeld => [
            "Cannot be kept read-only",
            "{service|The service} cannot be connected because you were given read-only access, and nothing there would hold you to it.",
            "Tell the owner of the service, or ask for access that is not read-only.",
        ],
        Code::WaitingForApproval => [
            "Waiting for approval",
            "{service|The service} is not connected yet because it waits for {said|somebody to approve it}.",
            "Nothing needs to be done; it goes on by itself.",
        ],
        Code::RequestDenied => [
            "Request was denied",
            "{service|The service} cannot be connected because your request was denied: {said|no reason was given}.",
            "Ask whoever decided; ask again when things have changed.",
        ],
        Code::RequestWithdrawn => [
            "Request was withdrawn",
            "{service|The service} is not connected because you withdrew your request.",
            "Ask again when you need it.",
        ],
        Code::RequestExpired => [
            "Nobody decided in time",
            "{service|The service} cannot be connected because nobody decided about your request in time.",
            "Ask again, and tell {said|the owner of the service} that you are waiting.",
        ],
        Code::RequestNotOpen => [
            "Request is not open",
            "Nothing was changed because there is no such request that waits for you.",
            "Look at the list of requests; somebody may have decided, or it was withdrawn.",
        ],
        Code::RequestUnfit => [
            "Request cannot be taken",
            "Nobody was asked because {said|the reason or the length of time cannot be taken}.",
            "Give one line of at most 160 characters, and a time such as 2h within what the rules allow.",
        ],
        Code::MayNotAsk => [
            "Not to be asked for",
            "{service|This service} cannot be asked for because {said|no rule lets you}.",
            "Check the name, or talk to the owner of the service.",
        ],
        Code::MayNotApprove => [
            "Not yours to decide",
            "Nothing was decided because the request is your own, or the rules let other people decide it, or you signed in with a code.",
            "Leave it to somebody else, or sign in with the browser.",
        ],
        Code::TooManyRequests => [
            "Too many requests",
            "Nobody was asked because too many of your requests are open.",
            "Withdraw one, or wait until one is decided.",
        ],
        Code::SignInNeeded => [
            "Sign-in needed",
            "{service|The service} cannot be connected because you are not signed in.",
            "Sign in from the Tidegate icon, or run: tidegate login.",
        ],
        Code::SignInCancelled => [
            "Sign-in cancelled",
            "You are not signed in because the sign-in was cancelled.",
            "Sign in again when you are ready.",
        ],
        Code::SignInTimedOut => [
            "Sign-in took too long",
            "You are not signed in because the browser never came back.",
            "If the browser shows an error page, send it to your administrator; otherwise sign in again.",
        ],
        Code::ProviderRefused => [
            "Sign-in was refused",
            "You are not signed in because your organisation's sign-in page refused it: {said|no reason was given}.",
            "Ask your administrator whether your account may use Tidegate.",
        ],
        Code::SignInPortsTaken => [
            "Sign-in cannot start",
            "You cannot sign in because {program|another program} holds the ports that the browser must come back to.",
            "Close that program and try again.",
        ],
        Code::WrongAccount => [
            "Another account",
            "You are not signed in because the browser was signed in with another account than this computer belongs to.",
            "Sign in with your own account, or ask your administrator for a join link for this one.",
        ],
        Code::ProviderUnreachable => [
            "Sign-in page not reachable",
            "You cannot sign in because {host|your organisation's sign-in page} does not answer.",
            "Check this computer's network and try again.",
        ],
        Code::ProviderAnswerWrong => [
            "Sign-in could not be checked",
            "You are not signed in because the answer of your organisation's sign-in page was not as agreed.",
            "Try again; if it stays like this, tell your administrator this code.",
        ],
        Code::BrowserDidNotOpen => [
            "Browser did not open",
            "You cannot sign in yet because no browser could be opened.",
            "Copy the address from the window into a browser.",
        ],
        Code::ProviderNotTrusted => [
            "Sign-in page is not trusted",
            "You cannot sign in because {host|your organisation's sign-in page} could not prove that it is the right one: {said|its certificate comes from somebody this computer does not know}.",
            "If a network asks you to log in first, do that and try again; otherwise tell your administrator this code.",
        ],
        Code::SignInReplaced => [
            "A newer sign-in was started",
            "This sign-in cannot go on because a newer one was started.",
            "Go on in the newest tab.",
        ],
        Code::SignInDeclined => [
            "Sign-in was declined",
            "You are not signed in because it was cancelled on the sign-in page, or your account may not use Tidegate.",
            "Sign in again; if it is declined again, ask your administrator to give your account access.",
        ],
        Code::SignInInterrupted => [
            "Tidegate was quit",
            "You are not signed in because Tidegate was quit while it waited for you.",
            "Start Tidegate and sign in again.",
        ],
        Code::SignedOutByProvider => [
            "Your organisation ended the sign-in",
            "You are signed out because {host|your organisation} does not accept your sign-in any more.",
            "Sign in again; if that is refused, ask your administrator whether your account is still active.",
        ],
        Code::SignOutNotConfirmed => [
            "Signed out on this computer only",
            "You are signed out here, but your organisation could not be told because {host|its sign-in page} does not answer.",
            "Nothing needs to be done on this computer; if you lost another one, tell your administrator.",
        ],
        Code::SignInCodeExpired => [
            "Code has run out",
            "You are not signed in because nobody typed the code in time.",
            "Sign in again to get a new one.",
        ],
        Code::SignInCodeNotOffered => [
            "No sign-in with a code",
            "You cannot sign in with a code because {host|your organisation's sign-in} does not offer that.",
            "Sign in with the browser on this computer, or ask your administrator to allow codes.",
        ],
        Code::BrowserSignInNeeded => [
            "Sign in with the browser",
            "{service|The service} cannot be connected because a sign-in with a code does not prove which computer you are at.",
            "Sign in with the browser on this computer; if it is refused again, ask the owner of the service.",
        ],
        Code::JoinLinkBad => [
            "Join link is damaged",
            "This computer cannot join because the join link is not complete.",
            "Copy the whole link again, or ask your administrator for a new one.",
        ],
        Code::TicketUsed => [
            "Join link was used before",
            "This computer cannot join because the join link works only once and was used before.",
            "Ask your administrator for a new one; if you did not use it, say so.",
        ],
        Code::TicketExpired => [
            "Join link has expired",
            "This computer cannot join because the join link has expired.",
            "Ask your administrator for a new one.",
        ],
        Code::NotEnrolled => [
            "Computer is not known",
            "You cannot be signed in on this computer because your organisation does not know it yet.",
            "Ask your administrator for a join link for it.",
        ],
        Code::KeyringLocked => [
            "Keyring is locked",
            "Tidegate cannot keep your sign-in because the keyring is locked.",
            "Unlock it with your login password; Tidegate tries again by itself, and until then a restart asks you to sign in again.",
        ],
        Code::KeyringAbsent => [
            "No keyring",
            "Tidegate cannot keep this computer's key because there is no keyring.",
            "Install and unlock one, as GNOME Keyring or KWallet; without one, this computer must join again after a restart.",
        ],
        Code::KeyringSilent => [
            "Keyring does not answer",
            "Tidegate cannot keep your sign-in because the keyring does not answer.",
            "Wait: it is asked again by itself; if it stays silent, log out of the desktop and in again.",
        ],
        Code::KeyOnlyInMemory => [
            "This computer's key is not kept",
            "This computer's key is only in memory because {said|the keyring could not be used}.",
            "Unlock the keyring, or install one, before you quit Tidegate; otherwise you need a new join link after that.",
        ],
        Code::NotJoined => [
            "Not joined yet",
            "Nothing can be connected because this computer has not joined an organisation.",
            "Paste the join link from your administrator into the window, or run: tidegate join.",
        ],
        Code::AlreadyJoined => [
            "Already joined",
            "This computer cannot join because you are signed in to this organisation, or already belong to another one of its name.",
            "Sign out first, or leave the other one.",
        ],
        Code::WhichOrg => [
            "Which organisation?",
            "Nothing was done because more than one of your organisations could be meant.",
            "Name one of them: {said|as organisation/service}.",
        ],
        Code::KeyMissing => [
            "This computer's key is gone",
            "You cannot be signed in because the keyring does not hold this computer's key: it was emptied, it could not be used when this computer joined, or Tidegate's files were copied here.",
            "Ask your administrator for a join link and use it here; the organisation and your ports stay as they are.",
        ],
        Code::TicketForAnother => [
            "Join link for somebody else",
            "This computer cannot be used by you because its join link was made for another person.",
            "Ask your administrator for a join link of your own.",
        ],
        Code::IntroductionOver => [
            "New computer was not let in",
            "The new computer cannot be used because nobody let it in within ten minutes, or somebody declined.",
            "Ask again on the new computer, and look at both screens.",
        ],
        Code::IntroductionElsewhere => [
            "Already on another computer",
            "The words cannot be compared here because another of your computers shows them already.",
            "Go on there, or ask again on the new computer.",
        ],
        Code::IntroductionNotAllowed => [
            "Not from this computer",
            "The new computer cannot be let in because your organisation does not let this one vouch for others.",
            "Use the computer that joined with a link, or ask your administrator for a new link.",
        ],
        Code::IntroductionForged => [
            "Words cannot be shown",
            "The new computer cannot be let in because somebody in between changed what it said.",
            "Do not go on; tell your administrator this code.",
        ],
        Code::ComputerNotListed => [
            "Computer is not in your list",
            "Nothing was taken back because the computer you named is not in your list.",
            "Look at the list again; somebody may have taken it out already.",
        ],
        Code::OutletTicketUnfit => [
            "Ticket does not fit",
            "This outlet cannot be enrolled because no service takes outlets by its ticket.",
            "Ask your administrator to say outlets = \"ticket\" for the service and to sign it, or for a newer ticket.",
        ],
        Code::TooManyDevices => [
            "Too many computers",
            "The new computer cannot be let in because you have too many already.",
            "Take back one that you do not use any more, then try again.",
        ],
        Code::TargetClosed => [
            "Service is down",
            "{service|The service} cannot be connected because what is behind it refuses connections.",
            "Try again later, or tell the owner of the service.",
        ],
        Code::TargetLoginRefused => [
            "Database refused the outlet",
            "{service|The service} cannot be connected because the database refused the outlet's own login.",
            "Tell the owner of the service; nothing on this computer can change it.",
        ],
        Code::RoleNotMade => [
            "No temporary role",
            "{service|The service} cannot be connected because the outlet could not make a temporary role at the database.",
            "Tell the owner of the service to run `tidegate outlet doctor`; it names what the database must allow.",
        ],
        Code::TargetNotTrusted => [
            "Database is not the right one",
            "{service|The service} cannot be connected because the database could not prove that it is the right one.",
            "Tell the owner of the service to check its certificate.",
        ],
        Code::ClientTls => [
            "Program asks for another encryption",
            "The program cannot connect because it insists on a certificate that a local port cannot have.",
            "Set sslmode=prefer in its connection settings; the way to the database is encrypted all the same.",
        ],
        Code::TargetSilent => [
            "Service does not answer",
            "{service|The service} cannot be connected because what is behind it does not answer.",
            "Try again later, or tell the owner of the service.",
        ],
        Code::TargetSpeaksOtherwise => [
            "Service speaks another language",
            "{service|The service} cannot be connected because what is behind it did not answer as a database does.",
            "Tell the owner of the service to check what it points to.",
        ],
        Code::TargetLoginMissing => [
            "Outlet has no login",
            "{service|The service} cannot be connected because the outlet has no login for the database.",
            "Tell the owner of the service.",
        ],
        Code::ClientAsksTooMuch => [
            "Not possible through Tidegate",
            "The program cannot go on because it asks {service|this service} for something that Tidegate does not carry: {said|replication, or a very old version of the protocol}.",
            "Turn that off in the program's connection settings, or ask the owner of the service.",
        ],
        Code::TooManyConnections => [
            "Too many connections",
            "No further connection to {service|the service} can be opened because the limit is reached.",
            "Close connections that are not needed, or ask the owner of the service for more.",
        ],
        Code::DatabaseMissing => [
            "Database does not exist",
            "{service|The service} cannot be connected because the database that its owner named does not exist.",
            "Tell the owner of the service.",
        ],
        Code::DatabaseNotOffered => [
            "Another database",
            "The program cannot connect because it asks for a database that {service|this service} does not offer.",
            "Leave the database's name out of its connection settings, or use the connection string that Tidegate shows.",
        ],
        Code::PortTaken => [
            "Port is taken",
            "{service|The service} cannot be opened because port {port|it needs} is held by {program|another program}.",
            "Close that program, or choose another port for the service in Settings.",
        ],
        Code::ForeignProgram => [
            "Somebody else's program",
            "{program|A program} cannot use this connection because it does not run under your account.",
            "If it is yours, start it under your account; if it is not, it was kept out and nothing needs to be done.",
        ],
        Code::ConfigWrong => [
            "Settings are wrong",
            "Tidegate cannot start because {path|its settings file} has a mistake: {said|its log says which}.",
            "Correct it and start again.",
        ],
        Code::KeyFileOpen => [
            "Others can read Tidegate's files",
            "Tidegate cannot use {path|its key file} because others on this computer can read or change it.",
            "Take the rights of others away (chmod go= {path|THE FILE}); have the key replaced if others could read it.",
        ],
        Code::AgentNotRunning => [
            "Tidegate is not running",
            "The command cannot be carried out because Tidegate is not running.",
            "Start the app, or run: tidegate connect SERVICE.",
        ],
        Code::DataDirUnusable => [
            "Folder cannot be used",
            "Tidegate cannot keep what it has to because it cannot use {path|its data folder}.",
            "Check that the folder belongs to you, and that the disk is neither full nor read-only.",
        ],
        Code::AlreadyRunning => [
            "Already running",
            "Tidegate cannot start because it is already running.",
            "Use the running one, or quit it first.",
        ],
        Code::BrowserAtInlet => [
            "A web page knocked",
            "A web page cannot use the connection to {service|the service} because only your own programs may.",
            "Close the page if you do not know why it tried.",
        ],
        Code::NoTray => [
            "No tray",
            "The Tidegate icon cannot be shown because this desktop has no tray.",
            "Use the window; it stays open instead.",
        ],
        Code::ClipboardFailed => [
            "Not copied",
            "The connection string could not be copied because the clipboard did not answer.",
            "Copy it from the window.",
        ],
        Code::SocketFailed => [
            "Unix socket could not be opened",
            "Programs cannot reach {service|the service} by its Unix socket because {said|its folder cannot be used}.",
            "Use the port, or name another folder for it in agent.toml.",
        ],
        Code::PortNotFree => [
            "Port cannot be given",
            "Port {port|asked for} cannot be given to {service|the service} because {said|another service has it}.",
            "Choose another one from 1024 to 65535.",
        ],
        Code::OrgUnreadable => [
            "Organisation cannot be read",
            "{said|One of your organisations} cannot be used because {path|its file} is damaged.",
            "Restore that file from a backup, or leave the organisation and join it again.",
        ],
        Code::PgServiceNotWritten => [
            "pg_service.conf was not changed",
            "{path|Your pg_service.conf} was left as it is because {said|it cannot be written}.",
            "Mend that and try again, or copy the entry and put it there yourself.",
        ],
        Code::SettingsDamaged => [
            "Settings were damaged",
            "The app's settings are as on the first day because their file could not be read: {said|it is damaged}.",
            "Choose them again; the old file was kept as {path|app.toml.damaged}.",
        ],
        Code::SettingsNotSaved => [
            "Settings were not saved",
            "The change lasts only until Tidegate quits because {path|the settings file} cannot be written: {said|see its folder}.",
            "Check that the folder belongs to you and that the disk is not full, then change it once more.",
        ],
        Code::LoginStartNotChanged => [
            "Start at login was not changed",
            "Start at login stays as it was because the desktop did not take the change: {said|no reason was given}.",
            "Try again, or change it in the desktop's own settings.",
        ],
        Code::DisconnectedByYou => [
            "Disconnected",
            "The connection to {service|the service} cannot go on because {said|you disconnected it}.",
            "Connect again when you need it.",
        ],
        Code::RevokedByAdmin => [
            "Access was taken back",
            "The connection to {service|the service} cannot go on because your access from this computer was taken back, by an administrator or from another computer of yours.",
            "If that was not you, ask your administrator.",
        ],
        Code::Expired => [
            "Time is up",
            "The connection to {service|the service} cannot go on because its time is up.",
            "Connect again, and sign in if you are asked to.",
        ],
        Code::OutletStopping => [
            "Service is restarting",
            "The connection to {service|the service} cannot go on because its outlet is being restarted.",
            "Connect again in a minute.",
        ],
        Code::AppQuitting => [
            "Tidegate was quit",
            "The connection to {service|the service} cannot go on because Tidegate was quit.",
            "Start Tidegate and connect again.",
        ],
        Code::ClosedByTarget => [
            "Closed by the service",
            "The connection to {service|the service} cannot go on because the service closed it.",
            "Connect again.",
        ],
        Code::KillSwitch => [
            "Closed by the owner",
            "{service|The service} cannot be connected because its owner has closed it for everybody.",
            "Ask the owner of the service when it opens again.",
        ],
        Code::SignedOut => [
            "Signed out",
            "The connection to {service|the service} cannot go on because you signed out.",
            "Sign in and connect again.",
        ],
        Code::ClosedByProgram => [
            "Closed by the program",
            "The connection to {service|the service} cannot go on because the program closed it.",
            "Nothing needs to be done.",
        ],
        Code::NeverTakenUp => [
            "Never taken up",
            "The connection to {service|the service} cannot go on because the network broke off before this computer heard that it was open.",
            "Connect again.",
        ],
        Code::GrantEnded => [
            "Approved time is over",
            "The connection to {service|the service} cannot go on because the time that was approved is over.",
            "Ask again if you still need it.",
        ],
        Code::GrantEndedByPeople => [
            "Approval was taken back",
            "The connection to {service|the service} cannot go on because the approval was taken back or given back.",
            "Ask again if you still need it.",
        ],
        Code::Internal => [
            "Our mistake",
            "Tidegate cannot do this because of a mistake in Tidegate itself.",
            "Try again; if it stays like this, run: tidegate bundle, and send that file to your administrator.",
        ],
        Code::PeerBrokeProtocol => [
            "Versions do not fit",
            "{service|The service} cannot be connected because the other end said something this version does not understand.",
            "Update Tidegate; if it stays like this, run: tidegate bundle, and send that file to your administrator.",
        ],
        Code::NotSupportedYet => [
            "Not possible yet",
            "Tidegate cannot do this because this version does not know how to.",
            "Update Tidegate, or do without it for now.",
        ],
    }
}

#[cfg(test)]
mod tests;
