//! The services themselves: dialled, trusted and logged in to as for a person, and left again.
//! This is the one visit to a target without a permit: by its owner, at its own machine, with the login in hand. No byte of a person's comes near.

use std::time::Duration;

use tidegate_proto::check::Check;

use super::advice;
use crate::config::{Limits, ServiceConfig, Target};
use crate::dial::{self, Right, Way};
use crate::postgres::PostgresService;

/// The owner's own look at a target. Nothing but this file makes one.
#[derive(Debug)]
pub struct Look(());

/// For tests of what it sees.
#[cfg(test)]
pub(crate) fn look() -> Look {
    Look(())
}

pub(super) async fn check(service: &ServiceConfig, limits: &Limits) -> Check {
    match &service.target {
        Target::Tcp(address) => {
            let way = Way {
                address,
                loopback_only: false,
                limit: limits.dial.max(Duration::from_secs(1)),
                recent: None,
            };
            match dial::open(Right::Looking(Look(())), &way).await {
                Ok(_) => Check::ok("target", &format!("{address} takes connections.")),
                Err(error) => advice::of_dial(error, &address.to_string()),
            }
        }
        Target::Postgres(target) => {
            let database = PostgresService::new(service.name.clone(), target.clone());
            match database.examine(Look(())).await {
                Ok(()) => Check::ok("database", "TLS is trusted and the login works."),
                Err(sick) => advice::of_database(&sick),
            }
        }
    }
}
