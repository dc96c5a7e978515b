//! Whether this computer still has the key that its org enrolled.
//! Without it nothing can be signed in to, however good the password is: only a new join link helps.

use tidegate_proto::problem::Code;

use super::{Check, Patient, keyring};
use crate::disk::Membership;
use crate::{Snapshot, problems};

const NAME: &str = "device";
/// What a hub says to a device that it does not let in any more.
const SHUT_OUT: [Code; 3] = [Code::Revoked, Code::RevokedByAdmin, Code::NotEnrolled];

pub(super) async fn check(
    patient: &Patient,
    snapshot: &Snapshot,
    membership: &Membership,
) -> Check {
    let shut_out = snapshot
        .problems_of(&membership.org)
        .find(|problem| SHUT_OUT.contains(&problem.code));
    if let Some(problem) = shut_out {
        return Check::problem(NAME, problem);
    }
    let Some(store) = keyring::store(patient) else {
        return Check::skipped(NAME, "Its key is in the memory of the agent.");
    };
    match keyring::has(store, format!("{}/identity", membership.org)).await {
        Ok(true) => Check::ok(NAME, "The key that was enrolled is here."),
        Ok(false) => Check::problem(NAME, &Code::KeyMissing.into()),
        Err(error) => Check::problem(NAME, &problems::of_store(error)),
    }
}
