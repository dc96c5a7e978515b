//! Requests as they come, without anybody who signs them: for what does not look at signatures.
//! Nothing in here is believed by anybody; `tests/api` asks and approves for real.
#![allow(clippy::unwrap_used)]

use tidegate_proto::{
    api::access::Named,
    identity::SigningKey,
    policy::Terms,
    principal::{DeviceProof, Joined, Principal},
    statement::{AccessRequest, Assurance, Extent},
    time::UnixTime,
};

use super::{Access, Asked};

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

/// The `n`th request of somebody, which so many must approve.
pub(crate) fn request(sub: &str, n: u64, emergency: bool) -> AccessRequest {
    AccessRequest {
        org: "acme".parse().unwrap(),
        sub: sub.parse().unwrap(),
        device: SigningKey::from_seed(&[7; 32]).verify_key().peer_id(),
        service: "vault".parse().unwrap(),
        extent: Extent {
            seconds: 60 + n,
            read_only: false,
        },
        reason: "INC-42".into(),
        emergency,
        extends: None,
        at: NOW,
        id: format!("r{n}"),
    }
}

pub(crate) fn asked(request: AccessRequest, approvals: u8) -> Access {
    let key = SigningKey::from_seed(&[7; 32]).verify_key();
    let sub = request.sub.clone();
    let principal = Principal {
        org: request.org.clone(),
        sub: sub.clone(),
        device: request.device,
        device_name: "laptop".into(),
        assurance: Assurance::High,
        enrolment: DeviceProof::Proved,
        joined: Joined::Ticket,
        groups: vec![],
        department: None,
        employee_type: None,
        email: None,
        auth_time: NOW,
        mfa: false,
    };
    let terms = Terms {
        approvals,
        longest: 86_400,
        usual: 3_600,
        claim: 86_400,
        finish: 0,
    };
    let asked = Asked {
        by: Named { sub, name: None },
        principal,
        key,
        jws: format!("{}/{}/{}", request.sub, request.id, "x".repeat(900)),
        request,
        seal: String::new(),
        terms,
    };
    Access::new(asked, NOW)
}
