//! What a program's user reads: `ErrorResponse` and `NoticeResponse`, built; a server's, read for its code.
//! Text is cleaned of everything a terminal might obey; the server's own text is never taken over.

use crate::message::{push, push_text};

/// The longest text of one field, in characters.
const LONGEST: usize = 1_000;

/// How grave a report is. `Fatal` ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Fatal,
    Notice,
}

/// A five-letter SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    pub const SUCCESSFUL: Self = Self(*b"00000");
    pub const CANNOT_CONNECT: Self = Self(*b"08001");
    pub const CONNECTION_FAILURE: Self = Self(*b"08006");
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    pub const NOT_SUPPORTED: Self = Self(*b"0A000");
    pub const REFUSED: Self = Self(*b"28000");
    pub const WRONG_PASSWORD: Self = Self(*b"28P01");
    pub const NO_SUCH_DATABASE: Self = Self(*b"3D000");
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    pub const INTERNAL: Self = Self(*b"XX000");

    /// A code from five digits or capital letters.
    #[must_use]
    pub fn parse(code: &[u8]) -> Option<Self> {
        let code: [u8; 5] = code.try_into().ok()?;
        let sound = code
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        sound.then_some(Self(code))
    }

    /// For a connection that is refused or cannot be made, by the number of the problem (`TG-2001` is 2001).
    #[must_use]
    fn of_refusal(problem: u16) -> Self {
        match problem {
            5009 => Self::TOO_MANY_CONNECTIONS,
            5010 | 5011 => Self::NO_SUCH_DATABASE,
            1000..=1999 => Self::CONNECTION_FAILURE,
            2000..=4999 | 6002 => Self::REFUSED,
            5000..=6999 => Self::CANNOT_CONNECT,
            7000..=7999 => Self::ADMIN_SHUTDOWN,
            _ => Self::INTERNAL,
        }
    }

    /// For a connection that was open and is ended.
    #[must_use]
    fn of_ending(problem: u16) -> Self {
        match problem {
            1000..=1999 => Self::CONNECTION_FAILURE,
            _ => Self::ADMIN_SHUTDOWN,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl std::fmt::Display for SqlState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One report to the program: what, because what, and what to do (`hint`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub severity: Severity,
    pub code: SqlState,
    pub message: String,
    pub hint: String,
}

impl Report {
    /// The end of the connection, in one sentence; see [`Report::hint`].
    #[must_use]
    pub fn fatal(code: SqlState, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            severity: Severity::Fatal,
            code,
            message,
            hint: String::new(),
        }
    }

    /// A connection that is not to be, for the problem `TG-<number>`: what cannot happen, and what to do.
    #[must_use]
    pub fn refusing(number: u16, cause: &str, next: &str) -> Self {
        Self::fatal(SqlState::of_refusal(number), numbered(number, cause)).hint(next)
    }

    /// The end of a connection that was open.
    #[must_use]
    pub fn ending(number: u16, cause: &str, next: &str) -> Self {
        Self::fatal(SqlState::of_ending(number), numbered(number, cause)).hint(next)
    }

    /// A line the program shows while it waits.
    #[must_use]
    pub fn notice(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Notice,
            ..Self::fatal(SqlState::SUCCESSFUL, message)
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The message as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (tag, severity) = match self.severity {
            Severity::Fatal => (b'E', "FATAL"),
            Severity::Notice => (b'N', "NOTICE"),
        };
        let mut out = Vec::with_capacity(128);
        push(&mut out, tag, |body| {
            // S may be translated by servers, V never is: clients read V first.
            push_field(body, b'S', severity);
            push_field(body, b'V', severity);
            push_field(body, b'C', self.code.as_str());
            push_field(body, b'M', &self.message);
            push_field(body, b'H', &self.hint);
            body.push(0);
        });
        out
    }
}

fn numbered(number: u16, cause: &str) -> String {
    format!("{cause} (TG-{number:04})")
}

fn push_field(body: &mut Vec<u8>, field: u8, text: &str) {
    if text.is_empty() && field != b'M' {
        return;
    }
    body.push(field);
    push_text(body, cleaned(text).as_bytes());
}

/// Without control and direction-changing characters, and not endless.
fn cleaned(text: &str) -> String {
    text.chars()
        .take(LONGEST)
        .map(|c| if obeyed_by_terminals(c) { ' ' } else { c })
        .collect()
}

fn obeyed_by_terminals(c: char) -> bool {
    let turns_text = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks_lines = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || turns_text || breaks_lines
}

/// The SQLSTATE in the body of a server's `ErrorResponse`; `INTERNAL` when there is none.
pub(crate) fn code_of(body: &[u8]) -> SqlState {
    body.split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"C").and_then(SqlState::parse))
        .unwrap_or(SqlState::INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fatal_is_these_bytes() {
        let report = Report::fatal(SqlState::REFUSED, "no").hint("do");

        assert_eq!(
            report.encode(),
            b"E\0\0\0\x22SFATAL\0VFATAL\0C28000\0Mno\0Hdo\0\0"
        );
    }

    #[test]
    fn a_problem_gets_the_sqlstate_that_programs_act_on() {
        let refused = |number| {
            Report::refusing(number, "No.", "Ask.")
                .code
                .as_str()
                .to_owned()
        };
        let ended = |number| {
            Report::ending(number, "Over.", "Again.")
                .code
                .as_str()
                .to_owned()
        };

        assert_eq!(
            Report::refusing(2001, "No.", "Ask.").message,
            "No. (TG-2001)"
        );
        assert_eq!(
            [refused(2001), refused(3001), refused(4007), refused(6002)],
            ["28000"; 4]
        );
        assert_eq!([refused(1001), refused(1008)], ["08006"; 2]);
        assert_eq!([refused(5001), refused(5002), refused(6001)], ["08001"; 3]);
        assert_eq!(
            [refused(5009), refused(5010), refused(9001)],
            ["53300", "3D000", "XX000"]
        );
        assert_eq!([ended(7001), ended(2004), refused(7007)], ["57P01"; 3]);
        assert_eq!(ended(1005), "08006");
    }

    #[test]
    fn a_notice_is_these_bytes() {
        assert_eq!(
            Report::notice("wait").encode(),
            b"N\0\0\0\x22SNOTICE\0VNOTICE\0C00000\0Mwait\0\0"
        );
    }

    #[test]
    fn text_cannot_steer_a_terminal_or_end_a_field() {
        let report = Report::notice("a\u{1b}[2Jb\0c\nd\u{202e}e\u{9b}f");

        let encoded = report.encode();

        let text = String::from_utf8_lossy(&encoded).into_owned();
        assert!(text.contains("Ma [2Jb c d e f\0"), "{text:?}");
    }

    #[test]
    fn text_is_not_endless() {
        assert!(Report::notice("x".repeat(100_000)).encode().len() < 1_100);
    }

    #[test]
    fn finds_the_code_of_a_servers_error_only_in_its_own_field() {
        assert_eq!(
            code_of(b"SFATAL\0C28P01\0MC53300\0\0"),
            SqlState::WRONG_PASSWORD
        );
        assert_eq!(code_of(b"SFATAL\0MC53300\0\0"), SqlState::INTERNAL);
        assert_eq!(code_of(b""), SqlState::INTERNAL);
        assert_eq!(code_of(b"C28p01\0\0"), SqlState::INTERNAL);
    }
}
