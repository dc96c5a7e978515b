//! Who asks: each attribute from the one party that owns it (PROTOCOL section 7, check 7).
//! Only `session` and the authority's own checks make one; texts in it are the provider's and are shown only as `Shown`.

use crate::{
    identity::PeerId,
    idtoken::Person,
    names::{OrgName, Subject},
    statement::{Assurance, Credential},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// On what it rests that the device was enrolled.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceProof {
    /// The authority's credential says so.
    Vouched,
    /// Whoever decides has seen the chain root → ticket → device itself.
    Proved,
}

impl DeviceProof {
    /// As policies see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vouched => "vouched",
            Self::Proved => "proved",
        }
    }
}

/// How the device came to be one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joined {
    /// With a ticket that an administrator made.
    Ticket,
    /// Another device of the same person let it in.
    Approval,
    /// Whoever decides has not seen it.
    Unknown,
}

impl Joined {
    /// As policies see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Approval => "approval",
            Self::Unknown => "unknown",
        }
    }
}

/// A person on a device, after every check has held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Principal {
    // The authority's word.
    pub org: OrgName,
    pub sub: Subject,
    pub device: PeerId,
    /// The device's name, for people.
    pub device_name: String,
    pub assurance: Assurance,
    // What whoever decides has seen.
    pub enrolment: DeviceProof,
    pub joined: Joined,
    // The provider's word, from the newest token.
    pub groups: Vec<String>,
    pub department: Option<String>,
    pub employee_type: Option<String>,
    pub email: Option<String>,
    pub auth_time: UnixTime,
    pub mfa: bool,
}

impl Principal {
    /// Joins what the credential and the ID tokens say. The caller has compared their subjects.
    /// That the device was enrolled is only vouched for by then. Where they differ on how well the sign-in is bound, the lower one counts.
    #[must_use]
    pub fn new(credential: &Credential, person: &Person) -> Self {
        let claims = &person.claims;
        Self {
            org: credential.org.clone(),
            sub: credential.sub.clone(),
            device: credential.cnf,
            device_name: credential.device.clone(),
            assurance: credential.assurance.min(person.assurance),
            enrolment: DeviceProof::Vouched,
            joined: Joined::Unknown,
            groups: claims.groups.clone(),
            department: claims.department.clone(),
            employee_type: claims.employee_type.clone(),
            email: claims.email.clone(),
            auth_time: person.auth_time,
            mfa: claims.amr.iter().any(|method| method == "mfa"),
        }
    }
}
