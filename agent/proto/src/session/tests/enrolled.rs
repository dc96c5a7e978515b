//! The chain root → ticket → device inside AUTH: for owners whose policy takes no authority's word for it.
//! The thief here holds the authority's signing key, so every credential is as good as a real one.

use super::*;
use crate::{
    identity::SigningKey,
    policy::Ground,
    principal::DeviceProof,
    statement::{DeviceChain, Enrolment, TicketKind, TicketStatement, Vouch},
};

/// Takes nobody's word for it that a device was enrolled.
const ASKING: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science", action, resource);
    forbid (principal, action, resource) unless { principal.enrolment == "proved" };"#;

/// A chain to the world's device: a ticket, changed at will, by `root`, whose holder may be another than it says.
pub(super) fn chain(
    world: &World,
    change: &dyn Fn(&mut TicketStatement),
    root: &SigningKey,
    holder: &SigningKey,
) -> DeviceChain {
    let mut ticket = TicketStatement {
        org: world.standing.org.clone(),
        kind: TicketKind::Device {
            sub: "00uana".parse().unwrap(),
        },
        key: key(20).verify_key(),
        at: NOW.minus(100),
        not_after: NOW.plus(86_400),
        id: "t-1".to_owned(),
        services: vec![],
    };
    change(&mut ticket);
    let enrolment = Enrolment {
        org: world.standing.org.clone(),
        ticket: "t-1".to_owned(),
        key: world.identity.verify_key(),
        noise: None,
        at: NOW.minus(50),
    };
    DeviceChain {
        ticket: ticket.sign(root),
        enrolment: enrolment.sign(holder),
        vouches: vec![],
    }
}

fn good(world: &World) -> DeviceChain {
    chain(world, &|_| (), &key(1), &key(20))
}

fn asking() -> World {
    let mut world = World::new();
    world.standing.policy = Policies::compile(ALLOWING, ASKING).unwrap();
    world
}

fn showing(world: &World, enrolment: Option<DeviceChain>) -> Auth {
    Auth {
        enrolment,
        ..world.auth()
    }
}

fn opened(world: &World, enrolment: Option<DeviceChain>) -> Result<(), Refusal> {
    let mut session = world.session();
    let auth = showing(world, enrolment).encode().unwrap();
    session.handle_auth(&auth, &world.standing, NOW)?;
    let opened = session.handle_open(&open(1), &world.standing, &at(NOW), NOW);
    opened.map(drop)
}

#[test]
fn a_policy_that_asks_for_the_chain_gets_it_and_no_authoritys_word_in_its_place() {
    let world = asking();

    assert_eq!(opened(&world, Some(good(&world))), Ok(()));

    let refusal = opened(&world, None).unwrap_err();
    assert_eq!(refusal.code, Code::NotAvailable);
    let RefusalReason::Denied(denied) = refusal.exact else {
        panic!("{:?}", refusal.exact)
    };
    assert_eq!(denied.ground, Ground::Forbidden);
}

/// A leaked authority key, and even the provider's, do not make a device that was never enrolled.
#[test]
fn a_leaked_authority_key_cannot_invent_a_device_where_the_chain_is_asked_for() {
    let real = asking();
    let anas = good(&real);
    let mut thief = World {
        identity: key(66),
        ..asking()
    };
    thief.standing.policy = real.standing.policy.clone();
    thief.standing.keys = thief.provider.keys(); // the thief signs ID tokens too

    let (mine, theirs) = (key(67), &thief.identity);
    let by_own_root = chain(&thief, &|_| (), &mine, &key(20));
    let by_authority = chain(&thief, &|_| (), &thief.authority, &key(20));
    let by_device = chain(&thief, &|_| (), &key(1), theirs);
    let spliced = DeviceChain {
        enrolment: by_device.enrolment.clone(),
        ..anas.clone()
    };
    for shown in [anas, by_own_root, by_authority, by_device, spliced] {
        let refusal = opened(&thief, Some(shown)).unwrap_err();
        assert!(
            matches!(refusal.exact, RefusalReason::Enrolment(_)),
            "{refusal:?}"
        );
        assert_eq!(refusal.code, Code::NotAdmitted);
    }
    assert_eq!(opened(&thief, None).unwrap_err().code, Code::NotAvailable);
}

#[test]
fn a_chain_of_another_person_or_of_an_outlet_proves_nothing() {
    let world = World::new();
    let somebody = |ticket: &mut TicketStatement| {
        ticket.kind = TicketKind::Device {
            sub: "00uben".parse().unwrap(),
        };
    };
    let outlet = |ticket: &mut TicketStatement| {
        ticket.kind = TicketKind::Outlet {
            service: warehouse(),
        };
    };
    let other_ticket = |ticket: &mut TicketStatement| ticket.id = "t-2".to_owned();

    for change in [&somebody as &dyn Fn(&mut _), &outlet, &other_ticket] {
        let shown = chain(&world, change, &key(1), &key(20));
        assert_eq!(
            admit(&world, &showing(&world, Some(shown))),
            Err(RefusalReason::Enrolment(StatementError::Ticket))
        );
    }
}

#[test]
fn a_device_that_another_one_vouched_for_proves_it_too() {
    let first = asking();
    let mut second = asking();
    second.identity = key(44);
    second.provider = first.provider;
    second.standing.keys = second.provider.keys();
    let vouch = |sub: &str, by: &SigningKey| {
        let vouch = Vouch {
            org: second.standing.org.clone(),
            sub: sub.parse().unwrap(),
            key: key(44).verify_key(),
            at: NOW,
            id: "v-1".to_owned(),
        };
        good(&World::new()).with(vouch.sign(by))
    };

    assert_eq!(opened(&second, Some(vouch("00uana", &key(3)))), Ok(()));
    let of_another = opened(&second, Some(vouch("00uben", &key(3)))).unwrap_err();
    assert!(matches!(of_another.exact, RefusalReason::Enrolment(_)));
    let by_itself = opened(&second, Some(vouch("00uana", &key(44)))).unwrap_err();
    assert!(matches!(by_itself.exact, RefusalReason::Enrolment(_)));
}

#[test]
fn a_ticket_that_has_long_ended_still_proves_what_was_enrolled_in_time() {
    let world = asking();
    let old = |ticket: &mut TicketStatement| {
        (ticket.at, ticket.not_after) = (NOW.minus(3600), NOW.minus(49));
    };

    let shown = chain(&world, &old, &key(1), &key(20));

    assert_eq!(opened(&world, Some(shown)), Ok(()));
}

#[test]
fn renewal_shows_the_chain_again_or_changes_nothing() {
    let world = asking();
    let encoded = |chain| showing(&world, chain).encode().unwrap();
    let mut session = world.session();
    session
        .handle_auth(&encoded(Some(good(&world))), &world.standing, NOW)
        .unwrap();

    let refusal = session
        .handle_reauth(&encoded(None), &world.standing, NOW)
        .unwrap_err();

    assert!(matches!(refusal.exact, RefusalReason::Enrolment(_)));
    let proof = session.principal().unwrap().enrolment;
    assert_eq!(proof, DeviceProof::Proved);
}

#[test]
fn a_warm_circuit_opens_nothing_on_the_word_of_a_root_that_was_replaced() {
    let mut world = World::new();
    let mut session = world.warm();
    world.standing.root = key(70).verify_key();

    let refusal = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap_err();

    assert_eq!(refusal.exact, RefusalReason::TrustChanged);
}
