//! Whether this computer's clock is right enough: signatures and sessions are good for minutes.
//! Two witnesses: what the org's root signed must be valid now, and the identity provider's answer carries its time.

use tidegate_proto::problem::Code;
use tidegate_proto::time::UnixTime;

use super::Check;
use crate::clock::Clock;

const NAME: &str = "clock";
/// Seconds that nobody minds.
const FINE: u64 = 60;

/// `signatures`: whether the hub's are valid now, if it answered; `date`: of the provider's answer.
pub(super) fn check(signatures: Option<bool>, date: Option<&str>) -> Check {
    compare(signatures, date.and_then(parse), Clock::system().now())
}

pub(super) fn compare(signatures: Option<bool>, told: Option<UnixTime>, now: UnixTime) -> Check {
    let off = told.map(|told| told.0.abs_diff(now.0));
    match (signatures, off) {
        (Some(false), _) => Check::problem(NAME, &Code::ClockOff.into()),
        (_, Some(off)) if off > FINE => {
            let problem = Check::problem(NAME, &Code::ClockOff.into());
            let finding = format!("It is {} wrong, says the identity provider.", span(off));
            Check { finding, ..problem }
        }
        (_, Some(off)) => Check::ok(NAME, &format!("It is right to {off} s.")),
        (Some(true), None) => Check::ok(NAME, "What the hub's keys are signed for is now."),
        (None, None) => Check::skipped(NAME, "Nobody answered who could say the time."),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn parse(date: &str) -> Option<UnixTime> {
    let parsed = chrono::DateTime::parse_from_rfc2822(date).ok()?;
    u64::try_from(parsed.timestamp()).ok().map(UnixTime)
}
