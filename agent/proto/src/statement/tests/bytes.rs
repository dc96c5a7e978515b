//! Every statement, and the join link, as the bytes that are signed and sent: older versions of us have kept some of them.
//! A field that changes its name, its place or its spelling here needs a version, not a new snapshot.

use super::*;
use crate::{
    api::devices::Inquiry,
    event::{Chain, EventKind, Peer, PortalClosed, PortalOpened, PortalRefused},
    problem::Code,
    text::Shown,
};
use std::fmt::Write as _;

/// Header and payload of what `key` signed, as text; the signature is Ed25519's and has vectors of its own.
fn signed_text(jws: &str) -> String {
    let [header, payload, signature] = jws.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    assert_eq!(signature.len(), 86);
    let text = |part: &str| String::from_utf8(crate::strict::base64url(part).unwrap()).unwrap();
    format!("{} {}", text(header), text(payload))
}

fn request() -> AccessRequest {
    AccessRequest {
        org: org(),
        sub: "00uana".parse().unwrap(),
        device: key(3).verify_key().peer_id(),
        service: warehouse(),
        extent: Extent {
            seconds: 3600,
            read_only: false,
        },
        reason: "quarterly report".to_owned(),
        emergency: false,
        extends: None,
        at: NOW,
        id: "q-1".to_owned(),
    }
}

fn beacon() -> Beacon {
    let revoked = [
        RevokeTarget::Device(key(3).verify_key().peer_id()),
        RevokeTarget::Subject("00uana".parse().unwrap()),
    ];
    Beacon {
        org: org(),
        epoch: 9,
        at: NOW,
        versions: Newest {
            services: 1,
            policies: 2,
            idp: 3,
        },
        revoked: revoked
            .into_iter()
            .map(|who| Revoked { who, epoch: 9 })
            .collect(),
        floor: 1,
    }
}

fn pass(role: PassRole) -> Pass {
    Pass {
        org: org(),
        pseudonym: "p-1".to_owned(),
        role,
        handles: vec![ServiceHandle([1; 16]), ServiceHandle([0xff; 16])],
        cnf: [2; 32],
        not_after: NOW.plus(Pass::LIFE),
    }
}

fn revocation(who: RevokeTarget) -> Revocation {
    Revocation {
        org: org(),
        who,
        at: NOW,
        id: "r-1".to_owned(),
        reason: "laptop lost".to_owned(),
    }
}

fn enrolment(noise: Option<NoisePublic>) -> Enrolment {
    Enrolment {
        org: org(),
        ticket: "t-1".to_owned(),
        key: key(21).verify_key(),
        noise,
        at: NOW,
    }
}

/// What the org root says.
fn of_the_root() -> Vec<String> {
    let root_key = key(1);
    let outlet_ticket = TicketStatement {
        kind: TicketKind::Outlet {
            service: warehouse(),
        },
        ..ticket(&key(20))
    };
    let promising = TicketStatement {
        services: vec![Promised {
            service: warehouse(),
            kind: ServiceKind::Postgres,
            title: "Warehouse".to_owned(),
            port: 15432,
        }],
        ..ticket(&key(20))
    };
    let taking = ServiceStatement {
        kind: ServiceKind::Tcp,
        outlets: vec![],
        enrolment: Some(OutletEnrolment {
            keys: vec![root_key.verify_key()],
            since: NOW,
        }),
        title: String::new(),
        database: None,
        ..service()
    };
    let trusting = IdpStatement {
        ca_pem: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
        ..idp()
    };
    let subject = RevokeTarget::Subject("00uana".parse().unwrap());
    let device = RevokeTarget::Device(key(3).verify_key().peer_id());
    vec![
        root(2, 1).sign(&root_key),
        authority_statement(&key(2)).sign(&root_key),
        service().sign(&root_key),
        taking.sign(&root_key),
        policy().sign(&root_key),
        idp().sign(&root_key),
        trusting.sign(&root_key),
        ticket(&key(20)).sign(&root_key),
        promising.sign(&root_key),
        outlet_ticket.sign(&root_key),
        revocation(subject).sign(&root_key),
        revocation(device).sign(&root_key),
    ]
}

/// What the authority says.
fn of_the_authority() -> Vec<String> {
    let authority = key(2);
    let seal = Seal {
        org: org(),
        of: StatementHash([7; 32]),
        at: NOW,
        index: 12,
    };
    let low = Credential {
        assurance: Assurance::Low,
        ..World::new().credential()
    };
    vec![
        World::new().credential().sign(&authority),
        low.sign(&authority),
        pass(PassRole::Agent).sign(&authority),
        pass(PassRole::Outlet).sign(&authority),
        beacon().sign(&authority),
        seal.sign(&authority),
    ]
}

/// What tickets and devices say.
fn of_devices() -> Vec<String> {
    let noise = NoiseSecret::from_bytes(&[33; 32]).public();
    let (holder, device) = (key(20), key(3));
    let grant = GrantStatement {
        org: org(),
        request: StatementHash([8; 32]),
        extent: Extent {
            seconds: 600,
            read_only: true,
        },
        at: NOW,
        id: "g-1".to_owned(),
    };
    let vouch = Vouch {
        org: org(),
        sub: "00uana".parse().unwrap(),
        key: key(22).verify_key(),
        at: NOW,
        id: "v-1".to_owned(),
    };
    let inquiry = Inquiry {
        org: org(),
        sub: "00uana".parse().unwrap(),
        at: NOW,
    };
    let urgent = AccessRequest {
        emergency: true,
        extends: Some(StatementHash([9; 32])),
        ..request()
    };
    vec![
        enrolment(None).sign(&holder),
        enrolment(Some(noise)).sign(&holder),
        request().sign(&device),
        urgent.sign(&device),
        grant.sign(&device),
        vouch.sign(&device),
        inquiry.sign(&key(1)),
    ]
}

/// An outlet's record of one visit.
fn of_an_outlet() -> Vec<String> {
    let keeper = key(4);
    let mut chain = Chain::start(&org(), &keeper.verify_key());
    let peer = Peer {
        sub: "00uana".parse().unwrap(),
        device: key(3).verify_key().peer_id(),
        device_name: Shown::new("ana's laptop"),
        groups: vec![Shown::new("data-science")],
        group_count: 2,
        assurance: Assurance::High,
    };
    let opened = PortalOpened {
        channel: "c".to_owned(),
        portal: 5,
        service: warehouse(),
        purpose: "connect".to_owned(),
        peer: peer.clone(),
        credential: "c1".to_owned(),
        grant: None,
        deadline: NOW.plus(900),
        authority_away: false,
    };
    let closed = PortalClosed {
        channel: "c".to_owned(),
        portal: 5,
        service: warehouse(),
        sent: 1,
        received: 2,
        reason: Code::DisconnectedByYou,
    };
    let refused = PortalRefused {
        channel: "c".to_owned(),
        service: warehouse(),
        code: Code::NotAvailable,
        exact: "the policies do not allow it".to_owned(),
        peer: Some(peer),
    };
    let happened = [
        EventKind::Started {
            version: "0.1.0".to_owned(),
        },
        EventKind::PortalOpened(opened),
        EventKind::PortalClosed(closed),
        EventKind::PortalRefused(refused),
        EventKind::Stopped {},
    ];
    let lines = happened.into_iter().map(|what| {
        let line = chain.append(NOW, what, &keeper);
        line.line().to_owned()
    });
    lines.collect()
}

#[test]
fn every_statement_is_these_bytes() {
    let mut all = String::new();
    for (by, statements) in [
        ("the org root", of_the_root()),
        ("the authority", of_the_authority()),
        ("tickets and devices", of_devices()),
        ("an outlet's record", of_an_outlet()),
    ] {
        let _ = writeln!(all, "# {by}");
        for jws in statements {
            let _ = writeln!(all, "{}", signed_text(&jws));
        }
    }

    insta::assert_snapshot!("statements", all);
    for typ in types() {
        let header = format!("\"typ\":\"{typ}\"");
        assert!(all.contains(&header), "no bytes of {typ} are fixed");
    }
}

/// Every `typ` there is, from the sources: a new statement has to be in the snapshot too.
fn types() -> Vec<String> {
    let sources = [
        include_str!("../authority.rs"),
        include_str!("../beacon.rs"),
        include_str!("../credential.rs"),
        include_str!("../enrolment.rs"),
        include_str!("../grant.rs"),
        include_str!("../idp.rs"),
        include_str!("../pass.rs"),
        include_str!("../policy.rs"),
        include_str!("../request.rs"),
        include_str!("../revocation.rs"),
        include_str!("../root.rs"),
        include_str!("../seal.rs"),
        include_str!("../service.rs"),
        include_str!("../ticket.rs"),
        include_str!("../vouch.rs"),
        include_str!("../../api/devices.rs"),
        include_str!("../../event.rs"),
    ];
    let typ = |source: &str| {
        let (_, rest) = source.split_once("const TYP: &'static str = \"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    sources.into_iter().map(typ).collect()
}

#[test]
fn a_join_link_is_these_bytes() {
    let link = |ticket| JoinLink {
        address: "hub.acme.example:443".parse().unwrap(),
        org: org(),
        root: key(1).verify_key().peer_id(),
        ticket,
    };
    let invited = link(Some(JoinTicket {
        jws: ticket(&key(20)).sign(&key(1)),
        key: key(20),
    }));

    let both = format!("{}\n{}", *link(None).to_link(), *invited.to_link());

    insta::assert_snapshot!("join_links", both);
}
