//! Where log lines go: standard error, filtered by `TIDEGATE_LOG` (`info` unless told otherwise).
//! Standard output belongs to the verbs' answers; a log line there would break whoever parses them.

use tracing_subscriber::EnvFilter;

const VARIABLE: &str = "TIDEGATE_LOG";
const DEFAULT: &str = "info";

pub(crate) fn start() {
    let filter = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(DEFAULT));

    // Fails only when a subscriber is already there, which then keeps its job.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
