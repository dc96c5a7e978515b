//! Grants that hold, and every way in which one does not: forged, replayed, widened, by the wrong person, at the wrong time.
//! The same checks decide at the authority and at the outlet, so they are tested here once, on real signatures and real rules.

#![allow(clippy::unwrap_used)]

mod counts;
mod genuine;
mod read;

use super::*;
use crate::{
    idtoken::{FormerKeys, IdTokenError},
    policy::{Ground as Because, Policies, Resource},
    session::Standing,
    statement::{Beacon, Credential, JwsError, Newest, RevokeTarget, Revoked, ServiceKind},
    testing::{
        NOW, World, key,
        office::{APPROVED, ASKED, ASKING, Colleague, OWNER, colleague},
        org, set, warehouse,
    },
};
use proptest::prelude::*;
use serde_json::json;

fn ana(world: &World) -> Principal {
    let legs = world.auth().legs();
    legs.stand(&world.standing.trust(), NOW).unwrap().principal
}

fn check(world: &World, grant: &Grant) -> Result<Granted, GrantError> {
    let trust = world.standing.trust();
    let key = world.identity.verify_key();
    grant.verify(&ana(world), &key, &warehouse(), &trust, NOW)
}

fn resource() -> Resource {
    Resource {
        org: org(),
        service: warehouse(),
        kind: ServiceKind::Postgres,
    }
}

fn live(world: &World, grant: &Grant, now: UnixTime) -> Result<Live, NotLive> {
    live_on(world, &world.standing, grant, now)
}

fn live_on(world: &World, s: &Standing, grant: &Grant, now: UnixTime) -> Result<Live, NotLive> {
    let resource = resource();
    let ground = Ground {
        policy: &s.policy,
        revocations: &s.revocations,
        grants: &s.grants,
        resource: &resource,
        authority: s.authority.key,
        holds_read_only: s.read_only.contains(&resource.service),
    };
    let granted = check(world, grant).unwrap();
    granted.live(&ana(world), &ground, now)
}

fn ben() -> Colleague {
    colleague("00uben", 30)
}
