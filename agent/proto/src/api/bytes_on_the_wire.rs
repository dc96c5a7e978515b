//! Every body of the API, AUTH and an outlet's chain, as the bytes that travel between versions of us.
//! A newcomer would renew the snapshot when a field is renamed: the other end still says the old name.
#![allow(clippy::unwrap_used)]

use serde::Serialize;
use std::fmt::Write as _;

use super::{
    access::{
        AccessAct, AccessAnswer, AccessCall, Askable, FirstUse, GrantNews, Named, NamedAt,
        RequestState, RequestView, TakenBack,
    },
    devices::{
        DeviceInfo, DevicesAnswer, DevicesRequest, InquiryRequest, Introduction, IntroductionEnd,
        IntroductionRequest, IntroductionStep, Revealed, Sponsor, Step,
    },
    turn::Turn,
    *,
};
use crate::{
    auth::Auth,
    grant::{Approval, Grant},
    identity::NoiseSecret,
    legs::Legs,
    statement::{Assurance, DeviceChain, Extent, GrantId, StatementHash},
    testing::{NOW, key, org, warehouse},
    text::Shown,
    wire::chain::OutletChain,
};

const TURN: Turn = Turn {
    run: 0x0123_4567_89ab_cdef,
    number: 7,
};
const GRANT: GrantId = StatementHash([8; 32]);

/// The bodies, one a line, each under its name.
#[derive(Default)]
struct Bodies(String);

impl Bodies {
    fn add<T: Serialize>(&mut self, name: &str, body: &T) {
        let json = serde_json::to_string(body).unwrap();
        let _ = writeln!(self.0, "{name}\n    {json}");
    }
}

fn identity() -> VerifyKey {
    key(3).verify_key()
}

fn link_key() -> NoisePublic {
    NoiseSecret::from_bytes(&[5; 32]).public()
}

fn chain() -> EnrolmentChain {
    EnrolmentChain {
        ticket: "a.ticket.jws".into(),
        enrolment: "an.enrolment.jws".into(),
    }
}

fn device_chain() -> DeviceChain {
    DeviceChain {
        ticket: "a.ticket.jws".into(),
        enrolment: "an.enrolment.jws".into(),
        vouches: vec!["a.vouch.jws".into()],
    }
}

fn entry(outlets: Vec<EnrolmentChain>) -> CatalogueEntry {
    CatalogueEntry {
        jws: "a.service.jws".into(),
        handle: ServiceHandle([1; 16]),
        outlets,
    }
}

fn person(id_token_n: Option<String>) -> CredentialRequest {
    CredentialRequest {
        identity: identity(),
        id_token_0: "the.first.token".into(),
        rz: [2; 32],
        id_token_n,
        link_key: link_key(),
        proof: [4; 64],
    }
}

fn legs() -> Legs {
    Legs {
        identity: identity(),
        credential: "a.credential.jws".into(),
        id_token_0: "the.first.token".into(),
        rz: [2; 32],
        id_token_n: Some("the.newest.token".into()),
        enrolment: Some(device_chain()),
    }
}

fn grant() -> Grant {
    Grant {
        request: "a.request.jws".into(),
        seal: "a.seal.jws".into(),
        approvals: vec![Approval {
            legs: legs(),
            grant: "a.grant.jws".into(),
            seal: "another.seal.jws".into(),
        }],
    }
}

fn bob() -> Named {
    Named {
        sub: "00ubob".parse().unwrap(),
        name: Some(Shown::new("bob@acme.example")),
    }
}

#[test]
fn every_greeting_and_credential_is_these_bytes() {
    let mut all = Bodies::default();
    let root = key(1).verify_key();
    let hello = Hello {
        roots: vec!["a.root.jws".into()],
        root,
        authority: "an.authority.jws".into(),
    };
    let settings = Settings {
        org: org(),
        roots: vec!["a.root.jws".into()],
        root,
        authority: "an.authority.jws".into(),
        idp: "an.idp.jws".into(),
    };
    let answer = CredentialAnswer {
        credential: "a.credential.jws".into(),
        pass: "a.pass.jws".into(),
        services: vec![entry(vec![]), entry(vec![chain()])],
        beacon: "a.beacon.jws".into(),
        expires: NOW,
        askable: vec![Askable {
            service: warehouse(),
            longest: 28_800,
            usual: 3600,
            approvals: 2,
        }],
    };

    all.add("hello", &hello);
    all.add("settings", &settings);
    all.add("enrol", &chain());
    all.add(
        "enrol, answer",
        &EnrolAnswer {
            device: "laptop".into(),
        },
    );
    all.add("credential", &person(None));
    all.add(
        "credential, refreshed",
        &person(Some("the.newest.token".into())),
    );
    all.add("credential, answer", &answer);
    all.add(
        "revoke",
        &RevokeRequest {
            revocation: "a.revocation.jws".into(),
        },
    );
    all.add("revoke, answer", &RevokeAnswer { epoch: 9 });
    all.add(
        "refusal",
        &ApiRefusal {
            code: 2001,
            text: "no".into(),
        },
    );
    insta::assert_snapshot!("greetings_and_credentials", all.0);
}

#[test]
fn every_word_of_outlets_and_relays_is_these_bytes() {
    let mut all = Bodies::default();
    let first_use = FirstUse {
        grant: GRANT,
        at: NOW,
        until: NOW.plus(600),
    };
    let request = |used| OutletRequest {
        identity: identity(),
        link_key: link_key(),
        proof: [4; 64],
        used,
    };
    let answer = OutletAnswer {
        pass: "a.pass.jws".into(),
        services: vec![entry(vec![chain()])],
        policy: Some("a.policy.jws".into()),
        idp: "an.idp.jws".into(),
        authority: "an.authority.jws".into(),
        beacon: "a.beacon.jws".into(),
        grants: GrantNews {
            used: vec![first_use],
            taken_back: vec![TakenBack {
                grant: GRANT,
                until: NOW,
            }],
        },
    };
    let relay = RelayAnswer {
        authority: "an.authority.jws".into(),
        idp: "an.idp.jws".into(),
        services: vec!["a.service.jws".into()],
        shut_out: vec!["p-1".into()],
        beacon: "a.beacon.jws".into(),
    };
    let proof = OutletChain {
        roots: vec!["a.root.jws".into()],
        entries: vec![entry(vec![])],
        pass: "a.pass.jws".into(),
        identity: identity(),
        signature: [4; 64],
    };

    all.add("outlet", &request(vec![]));
    all.add("outlet, with first uses", &request(vec![first_use]));
    all.add("outlet, answer", &answer);
    all.add("relay, answer", &relay);
    all.add("chain", &proof);
    insta::assert_snapshot!("outlets_and_relays", all.0);
}

#[test]
fn every_auth_is_these_bytes() {
    let short = Auth {
        service: warehouse(),
        credential: "a.credential.jws".into(),
        id_token_0: "the.first.token".into(),
        rz: [2; 32],
        identity: identity(),
        id_token_n: None,
        enrolment: None,
        grant: None,
        signature: [4; 64],
    };
    let long = Auth {
        id_token_n: Some("the.newest.token".into()),
        enrolment: Some(device_chain()),
        grant: Some(grant()),
        ..short.clone()
    };
    let mut all = Bodies::default();

    for (name, auth) in [("auth", &short), ("auth, with everything", &long)] {
        all.add(name, auth);
        let written = String::from_utf8(auth.encode().unwrap()).unwrap();
        assert_eq!(written, serde_json::to_string(auth).unwrap());
    }
    insta::assert_snapshot!("auths", all.0);
}

#[test]
fn every_word_about_devices_is_these_bytes() {
    let mut all = Bodies::default();
    let step = |credential, step| IntroductionStep {
        identity: identity(),
        proof: [4; 64],
        credential,
        id: "i-1".into(),
        step,
    };
    let introduction = |end| Introduction {
        id: "i-1".into(),
        newcomer: key(22).verify_key(),
        label: "new laptop".into(),
        assurance: Assurance::High,
        commitment: [6; 32],
        expires: NOW,
        sponsor: Some(Sponsor {
            key: identity(),
            nonce: [7; 32],
        }),
        revealed: Some(Revealed { nonce: [9; 32] }),
        end,
    };
    let introduced = IntroductionRequest {
        person: person(None),
        label: "new laptop".into(),
        commitment: [6; 32],
    };
    let approve = |chain| Step::Approve {
        vouch: "a.vouch.jws".into(),
        chain,
    };
    let approved = IntroductionEnd::Approved {
        device: "laptop".into(),
        vouch: "a.vouch.jws".into(),
        chain: Some(device_chain()),
    };
    let devices = |revoke| DevicesRequest {
        identity: identity(),
        proof: [4; 64],
        credential: "a.credential.jws".into(),
        revoke,
    };
    let info = |vouched_by| DeviceInfo {
        id: identity().peer_id(),
        name: "laptop".into(),
        label: "old laptop".into(),
        enrolled: NOW,
        seen: Some(NOW),
        revoked: false,
        vouched_by,
    };

    all.add("introduction, request", &introduced);
    let steps = [
        Step::Compare { nonce: [7; 32] },
        Step::Reveal { nonce: [9; 32] },
        approve(None),
        approve(Some(device_chain())),
        Step::Decline,
    ];
    all.add("step of the newcomer", &step(None, steps[1].clone()));
    for one in steps {
        all.add("step", &step(Some("a.credential.jws".into()), one));
    }
    for end in [None, Some(IntroductionEnd::Declined), Some(approved)] {
        all.add("introduction", &introduction(end));
    }
    all.add("devices", &devices(None));
    all.add("devices, revoke", &devices(Some(identity().peer_id())));
    all.add(
        "devices, answer",
        &DevicesAnswer {
            sub: "00uana".parse().unwrap(),
            devices: vec![info(None), info(Some(identity().peer_id()))],
        },
    );
    all.add(
        "inquiry",
        &InquiryRequest {
            inquiry: "an.inquiry.jws".into(),
        },
    );
    insta::assert_snapshot!("devices", all.0);
}

fn acts() -> [AccessAct; 8] {
    let because = String::from("not now");
    [
        AccessAct::Look {},
        AccessAct::Ask {
            request: "a.request.jws".into(),
        },
        AccessAct::Withdraw { id: GRANT },
        AccessAct::Approve {
            id: GRANT,
            grant: "a.grant.jws".into(),
        },
        AccessAct::Deny {
            id: GRANT,
            because: because.clone(),
        },
        AccessAct::TakeBack { id: GRANT, because },
        AccessAct::Fetch { id: GRANT },
        AccessAct::Seen { ids: vec![GRANT] },
    ]
}

fn states() -> [RequestState; 8] {
    let (by, because) = (bob(), Shown::new("not now"));
    let granted = |first_use| RequestState::Granted {
        extent: Extent {
            seconds: 600,
            read_only: true,
        },
        claim_by: NOW,
        first_use,
    };
    [
        RequestState::Waiting { until: NOW },
        granted(None),
        granted(Some(NOW)),
        RequestState::Denied {
            by: by.clone(),
            because: because.clone(),
        },
        RequestState::Withdrawn {},
        RequestState::Expired {},
        RequestState::TakenBack { by, because },
        RequestState::Over { used: true },
    ]
}

#[test]
fn every_word_about_access_is_these_bytes() {
    let mut all = Bodies::default();
    let view = |state| RequestView {
        request: "a.request.jws".into(),
        key: identity(),
        by: Named {
            sub: "00uana".parse().unwrap(),
            name: None,
        },
        yours: true,
        needs: 2,
        approved: vec![NamedAt {
            who: bob(),
            at: NOW,
        }],
        seen: vec![],
        state,
    };

    for act in acts() {
        let call = AccessCall {
            legs: legs(),
            proof: [4; 64],
            act,
        };
        all.add("access", &call);
    }
    for state in states() {
        let answer = AccessAnswer {
            id: None,
            turn: Some(TURN),
            requests: vec![view(state)],
            grant: None,
        };
        all.add("access, answer", &answer);
    }
    let fetched = AccessAnswer {
        id: Some(GRANT),
        turn: None,
        requests: vec![],
        grant: Some(grant()),
    };
    all.add("access, answer with a grant", &fetched);
    insta::assert_snapshot!("access", all.0);
}
