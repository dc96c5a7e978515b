//! The outlet's one call to the authority: it proves who it is and fetches what it works by.
//! Asking changes nothing there, so the doctor may ask beside a running outlet.

use tidegate_link::api_client::{ApiClient, ApiError};
use tidegate_proto::api::access::FirstUse;
use tidegate_proto::api::{OutletAnswer, OutletRequest, path};
use tidegate_proto::auth::prove;
use tidegate_proto::identity::{NoisePublic, SigningKey};

/// What this outlet works by, for links with `link_key`.
pub(crate) async fn register(
    api: &mut ApiClient,
    identity: &SigningKey,
    link_key: NoisePublic,
    used: Vec<FirstUse>,
) -> Result<OutletAnswer, ApiError> {
    let request = OutletRequest {
        identity: identity.verify_key(),
        link_key,
        proof: prove(&api.hash, identity),
        used,
    };
    api.post(path::OUTLET, &request).await
}
