//! The calls of the API, one file each, and how their bodies are read and written.
//! A body is read strictly: a repeated key or an unknown field is a refusal, not a guess.

mod access;
mod credential;
mod devices;
mod enrol;
mod events;
mod introduce;
mod outlet;
mod record;
mod relay;
mod revoke;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request, State},
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use tidegate_proto::{
    api::{MAX_REQUEST, Settings, path},
    strict::{self, StrictError},
};

use crate::{caller::Caller, core::Core, refusal::Refusal};

type Answer<T> = Result<Json<T>, Refusal>;
type Shared = State<Arc<Core>>;
type Connection = Extension<Arc<Caller>>;

/// All calls, for one connection.
pub(crate) fn router(core: Arc<Core>, caller: Arc<Caller>) -> Router {
    Router::new()
        .route(path::SETTINGS, get(settings))
        .route(path::ENROL, post(enrol::enrol))
        .route(path::CREDENTIAL, post(credential::credential))
        .route(path::OUTLET, post(outlet::outlet))
        .route(path::RELAY, get(relay::relay))
        .route(path::REVOKE, post(revoke::revoke))
        .route(path::INTRODUCE, post(introduce::introduce))
        .route(path::INTRODUCTION, post(introduce::step))
        .route(path::DEVICES, post(devices::own))
        .route(path::INQUIRY, post(devices::of))
        .route(path::ACCESS, post(access::access))
        .route(path::HAND_IN, post(record::hand_in))
        .route(path::RECORD, post(record::recorded))
        .route(path::EVENTS, get(events::events))
        .fallback(async || Refusal::NoSuchCall)
        .method_not_allowed_fallback(async || Refusal::NoSuchCall)
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .layer(Extension(caller))
        .with_state(core)
}

async fn settings(State(core): Shared) -> Answer<Settings> {
    let in_force = core.in_force()?;
    let bundle = &in_force.bundle;
    Ok(Json(Settings {
        org: in_force.org.org.clone(),
        roots: bundle.roots.clone(),
        root: bundle.root,
        authority: bundle.authority.clone(),
        idp: bundle.idp.clone(),
    }))
}

/// A JSON body, read strictly and within bounds.
struct Strict<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Strict<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Refusal::Malformed(StrictError::Size))?;
        strict::json(&body, MAX_REQUEST)
            .map(Self)
            .map_err(Refusal::Malformed)
    }
}
