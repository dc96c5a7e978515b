//! The little HTTP that the redirect listener understands: one GET request head, strictly read.
//! Not a web server: anything unusual is refused rather than interpreted.

use url::form_urlencoded;
use zeroize::Zeroizing;

/// Longest request head, in bytes.
pub(crate) const MAX_HEAD: usize = 8 * 1024;

/// What a well-formed request asks for.
#[derive(PartialEq, Eq)]
pub(crate) enum Asked {
    Callback(Query),
    Done,
    /// Browsers ask for `/favicon.ico` by themselves; everything unknown ends here.
    Elsewhere,
}

/// The parameters of RFC 6749 §4.1.2 and RFC 9207 that matter here. Holds the code: no `Debug`.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) code: Option<Zeroizing<String>>,
    pub(crate) state: Option<Zeroizing<String>>,
    pub(crate) error: Option<String>,
    pub(crate) iss: Option<String>,
}

/// Why a request is not answered with what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the request is not http/1")]
    Malformed,
    #[error("only get is answered")]
    Method,
    #[error("the request is for another host")]
    Host,
    #[error("a parameter is repeated")]
    Repeated,
}

impl BadRequest {
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Malformed | Self::Repeated => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::Host => "421 Misdirected Request",
        }
    }
}

/// Reads a request head (everything up to and with the empty line) that must be meant for `127.0.0.1:port`.
pub(crate) fn parse(head: &[u8], port: u16) -> Result<Asked, BadRequest> {
    let text = std::str::from_utf8(head).map_err(|_| BadRequest::Malformed)?;
    let mut lines = text
        .strip_suffix("\r\n\r\n")
        .ok_or(BadRequest::Malformed)?
        .split("\r\n");
    let target = request_line(lines.next().unwrap_or_default())?;
    check_headers(lines, port)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/callback" => parse_query(query).map(Asked::Callback),
        "/done" => Ok(Asked::Done),
        _ => Ok(Asked::Elsewhere),
    }
}

fn request_line(line: &str) -> Result<&str, BadRequest> {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if words.next().is_some() || !matches!(version, Some("HTTP/1.1" | "HTTP/1.0")) {
        return Err(BadRequest::Malformed);
    }
    if method != Some("GET") {
        return Err(BadRequest::Method);
    }
    target
        .filter(|t| t.starts_with('/'))
        .ok_or(BadRequest::Malformed)
}

/// Exactly one `Host`, ours (against DNS rebinding), and no body.
fn check_headers<'a>(lines: impl Iterator<Item = &'a str>, port: u16) -> Result<(), BadRequest> {
    let mut hosts = 0;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(BadRequest::Malformed)?;
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
            if value != format!("127.0.0.1:{port}") {
                return Err(BadRequest::Host);
            }
        }
        let empty_body = name.eq_ignore_ascii_case("content-length") && value == "0";
        if name.eq_ignore_ascii_case("transfer-encoding")
            || (name.eq_ignore_ascii_case("content-length") && !empty_body)
        {
            return Err(BadRequest::Malformed);
        }
    }
    if hosts == 1 {
        Ok(())
    } else {
        Err(BadRequest::Host)
    }
}

fn parse_query(query: &str) -> Result<Query, BadRequest> {
    let mut out = Query::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let fresh = match &*name {
            "code" => out
                .code
                .replace(Zeroizing::new(value.into_owned()))
                .is_none(),
            "state" => out
                .state
                .replace(Zeroizing::new(value.into_owned()))
                .is_none(),
            "error" => out.error.replace(value.into_owned()).is_none(),
            "iss" => out.iss.replace(value.into_owned()).is_none(),
            _ => true,
        };
        if !fresh {
            return Err(BadRequest::Repeated);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(head: &str) -> Result<Asked, BadRequest> {
        parse(head.as_bytes(), 8250)
    }

    fn refusal(head: &str) -> BadRequest {
        asked(head).err().unwrap()
    }

    #[test]
    fn reads_a_browsers_request() {
        let head = "GET /callback?code=a%2Fb&state=s&iss=https%3A%2F%2Fidp HTTP/1.1\r\nHost: 127.0.0.1:8250\r\nAccept: */*\r\n\r\n";

        let Asked::Callback(query) = asked(head).ok().unwrap() else {
            panic!()
        };

        assert_eq!(query.code.as_deref().map(String::as_str), Some("a/b"));
        assert_eq!(query.state.as_deref().map(String::as_str), Some("s"));
        assert_eq!(query.iss.as_deref(), Some("https://idp"));
    }

    #[test]
    fn refuses_every_other_host() {
        for host in [
            "localhost:8250",
            "127.0.0.1",
            "127.0.0.1:8251",
            "evil.example:8250",
            "",
            "127.0.0.1:8250.evil.example",
        ] {
            let head = format!("GET /callback HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(refusal(&head), BadRequest::Host, "{host}");
        }
        assert_eq!(refusal("GET /callback HTTP/1.1\r\n\r\n"), BadRequest::Host);
        let twice =
            "GET /callback HTTP/1.1\r\nHost: 127.0.0.1:8250\r\nhost: 127.0.0.1:8250\r\n\r\n";
        assert_eq!(refusal(twice), BadRequest::Host);
    }

    #[test]
    fn refuses_everything_but_get() {
        for method in ["POST", "PUT", "OPTIONS", "HEAD", "get", "CONNECT"] {
            let head = format!("{method} /callback HTTP/1.1\r\nHost: 127.0.0.1:8250\r\n\r\n");
            assert_eq!(refusal(&head), BadRequest::Method, "{method}");
        }
    }

    #[test]
    fn refuses_bodies_repeats_and_strange_shapes() {
        let with = |line: &str| {
            format!("GET /callback HTTP/1.1\r\nHost: 127.0.0.1:8250\r\n{line}\r\n\r\n")
        };
        assert_eq!(refusal(&with("Content-Length: 5")), BadRequest::Malformed);
        assert_eq!(
            refusal(&with("Transfer-Encoding: chunked")),
            BadRequest::Malformed
        );
        assert_eq!(refusal(&with("no colon")), BadRequest::Malformed);
        for line in [
            "GET http://127.0.0.1:8250/callback HTTP/1.1",
            "GET /callback",
            "GET  /callback HTTP/1.1",
            "GET /callback HTTP/2",
            "PRI * HTTP/2.0",
        ] {
            assert!(
                asked(&format!("{line}\r\nHost: 127.0.0.1:8250\r\n\r\n")).is_err(),
                "{line}"
            );
        }
        for twice in [
            "code=a&code=b",
            "state=a&state=a",
            "iss=a&iss=b",
            "error=a&error=b",
        ] {
            let head = format!("GET /callback?{twice} HTTP/1.1\r\nHost: 127.0.0.1:8250\r\n\r\n");
            assert_eq!(refusal(&head), BadRequest::Repeated, "{twice}");
        }
        assert_eq!(
            parse(b"GET /\xff HTTP/1.1\r\n\r\n", 8250).err(),
            Some(BadRequest::Malformed)
        );
    }

    #[test]
    fn a_favicon_is_elsewhere() {
        let head = "GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:8250\r\n\r\n";

        assert!(matches!(asked(head), Ok(Asked::Elsewhere)));
    }
}
