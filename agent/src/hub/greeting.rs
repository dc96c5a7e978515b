//! The first words with the hub, and how long it may take to answer before anybody is told that it does not.
//! A hub that was there a moment ago is said to be there until then: a sentence for each slow answer would only flicker.

use std::time::Duration;

use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::statement::IdpStatement;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::api::{Api, ApiError, HubIdentity};
use super::report::HubReport;
use super::trust::Trust;
use crate::snapshot::HubState;

/// A hub that takes longer than this to answer is not said to be there.
const SLOW: Duration = Duration::from_secs(2);

/// Asks the hub, and says so when the answer takes long: until then it counts as there.
pub(super) async fn watched<T>(
    reports: &Option<mpsc::Sender<HubReport>>,
    asking: impl Future<Output = T>,
) -> T {
    let mut asking = std::pin::pin!(asking);
    if let Ok(answer) = timeout(SLOW, &mut asking).await {
        return answer;
    }
    if let Some(reports) = reports {
        // Nobody listens only while the agent is going away.
        let _ = reports.send(HubReport::State(HubState::Connecting)).await;
    }
    asking.await
}

/// Connects and reads the provider's settings, all checked against the pinned root and the versions seen.
pub(crate) async fn greet(
    hub: &HubIdentity,
    noise: &NoiseSecret,
    trust: &mut Trust,
) -> Result<(Api, IdpStatement), ApiError> {
    let mut api = Api::connect(hub, noise).await?;
    trust.authority(&api.authority)?;
    let settings = api.settings().await?;
    let idp = trust.idp(&settings, &api.root, &hub.org)?;
    Ok((api, idp))
}
