//! Where log lines go: standard error, filtered by `TIDEGATE_LOG` (else `info` for servers, `error` for verbs that a person waits for).
//! Standard output belongs to the verbs' answers; a log line there would break whoever parses them.

use tracing_subscriber::EnvFilter;

const VARIABLE: &str = "TIDEGATE_LOG";
pub(crate) fn start(is_server: bool, verbose: u8) {
    let default = match (verbose, is_server) {
        (0, false) => "error",
        (0, true) | (1, false) => "info",
        (1, true) | (2.., _) => "debug",
    };
    let filter = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(default));

    // Fails only when a subscriber is already there, which then keeps its job.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
