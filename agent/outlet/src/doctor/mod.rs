//! Looks at everything an outlet needs before anybody is let in, says what it found and how to mend it.
//! It runs beside a running outlet or before the first start, and changes nothing: no key is made, no record written.

mod advice;
mod audit;
mod files;
mod hub;
mod target;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tidegate_proto::check::{Check, Needs, blame};
use tidegate_proto::problem::Code;
use tokio::time::timeout;

use crate::OutletConfig;
use crate::keys::OutletKeys;
pub use target::Look;
#[cfg(test)]
pub(crate) use target::look;

/// For one check, in whatever state the network is.
const LIMIT: Duration = Duration::from_secs(20);

/// What has to be right before something else can be: of all that fails for one reason, only the reason is shown.
const NEEDS: [Needs; 5] = [
    ("keys", &["data"]),
    ("hub", &["dns", "clock"]),
    ("authority", &["dns", "clock", "keys"]),
    ("provider keys", &["dns", "clock", "hub"]),
    ("audit", &["data"]),
];

/// Everything, in the order in which an owner should read it: files, then the way to the hub, then the services.
pub async fn examine(config: &Path) -> Vec<Check> {
    let path = config.to_owned();
    let loaded = tokio::task::spawn_blocking(move || OutletConfig::load(&path)).await;
    let config = match loaded {
        Ok(Ok(config)) => Arc::new(config),
        Ok(Err(mistakes)) => return mistakes.0.iter().map(files::mistake).collect(),
        Err(_) => return vec![Check::problem("config", &Code::Internal.into())],
    };
    let read = Arc::clone(&config);
    let near = tokio::task::spawn_blocking(move || {
        let keys = OutletKeys::load(&read.data);
        let audit = audit::check(&read, keys.as_ref().ok());
        (files::checks(&read, &keys), audit, keys.ok())
    });
    let Ok((mut checks, audit, keys)) = near.await else {
        return vec![Check::problem("files", &Code::Internal.into())];
    };
    let services = join_all(config.services.iter().map(|service| async {
        let looked = timeout(LIMIT, target::check(service, &config.limits)).await;
        looked
            .unwrap_or_else(|_| Check::problem("database", &Code::TargetSilent.into()))
            .about(service.name.as_str())
    }));
    let hub = async { timeout(LIMIT, hub::checks(&config, keys.as_ref())).await };
    let (hub, services) = tokio::join!(hub, services);
    checks.extend(hub.unwrap_or_else(|_| vec![Check::problem("hub", &Code::TimedOut.into())]));
    checks.extend(services);
    checks.extend(audit);
    blame(&mut checks, &NEEDS);
    checks
}
