//! Whether the environment asks for a proxy, and whether that proxy is there.
//! The sign-in uses it; the way to the hub is direct, and a network that only lets a proxy out stops it.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::Check;

const NAME: &str = "proxy";
/// The provider is asked over HTTPS: what is set for plain HTTP is nobody's way here.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn check() -> Check {
    let set = |name: &&str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        Some((name.to_string(), value?))
    };
    let Some((name, value)) = VARIABLES.iter().find_map(set) else {
        return Check::ok(NAME, "None is asked for.");
    };
    let Some((host, port)) = address(&value) else {
        let finding = format!("{name} names no address that can be used.");
        let fix = format!("Write it as http://HOST:PORT, or take it away: `unset {name}`.");
        return Check::fail(NAME, &finding, &fix);
    };
    match timeout(LIMIT, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Check::warn(
            NAME,
            &format!(
                "{name} is set: signing in goes through {host}:{port}, the way to the hub does not."
            ),
            "If the hub cannot be reached, ask for a direct way out to its port.",
        ),
        // Its value may hold a password: only where it leads is said.
        Ok(Err(_)) | Err(_) => Check::fail(
            NAME,
            &format!("{name} sends the sign-in through {host}:{port}, and no proxy answers there."),
            &format!("Correct the variable, start that proxy, or take it away: `unset {name}`."),
        ),
    }
}

/// Host and port of a proxy, written with or without a scheme.
fn address(value: &str) -> Option<(String, u16)> {
    let has_scheme = value.contains("://");
    let url = if has_scheme {
        Url::parse(value)
    } else {
        Url::parse(&format!("http://{value}"))
    };
    let url = url.ok()?;
    let usual = if url.scheme().starts_with("socks") {
        1080
    } else {
        80
    };
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    Some((host, url.port_or_known_default().unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_found_however_it_is_written() {
        let told = |value| address(value).map(|(host, port)| format!("{host} {port}"));

        for (value, found) in [
            ("http://proxy.example:3128", Some("proxy.example 3128")),
            ("proxy.example:3128", Some("proxy.example 3128")),
            ("http://me:secret@proxy.example", Some("proxy.example 80")),
            ("https://proxy.example/", Some("proxy.example 443")),
            ("socks5h://[::1]", Some("::1 1080")),
            ("http://", None),
        ] {
            assert_eq!(told(value).as_deref(), found, "{value}");
        }
    }
}
