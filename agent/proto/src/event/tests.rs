//! Audit chains as they are, and as somebody would like them to be.
//! The keeper of the chain here is key 4; eight lines are enough to be cut, swapped and rewritten.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    problem::Code,
    refusal::RefusalReason,
    testing::{HASH, NOW, World, at, key, open, org, warehouse},
};

fn closed(portal: u64) -> EventKind {
    EventKind::PortalClosed(PortalClosed {
        channel: PortalOpened::channel_name(&HASH),
        portal,
        service: warehouse(),
        sent: 1,
        received: 2,
        reason: Code::DisconnectedByYou,
    })
}

/// A chain of eight lines.
fn lines() -> Vec<Vec<u8>> {
    let keeper = key(4);
    let mut chain = Chain::start(&org(), &keeper.verify_key());
    let line = |n| {
        chain
            .append(NOW.plus(n), closed(n), &keeper)
            .line()
            .as_bytes()
            .to_vec()
    };
    (0..8).map(line).collect()
}

fn check(lines: &[Vec<u8>], kept: Option<Head>) -> Result<Head, FirstBad> {
    verify(
        &org(),
        &key(4).verify_key(),
        lines.iter().map(Vec::as_slice),
        kept,
    )
}

fn first_bad(lines: &[Vec<u8>]) -> Option<u64> {
    check(lines, None).err().map(|bad| bad.line)
}

#[test]
fn an_untouched_chain_verifies_and_goes_on_after_a_restart() {
    let keeper = key(4);
    let mut lines = lines();
    let last = String::from_utf8(lines.last().unwrap().clone()).unwrap();

    let mut chain = Chain::resume(&org(), &keeper.verify_key(), &last).unwrap();
    lines.push(
        chain
            .append(NOW, EventKind::Stopped {}, &keeper)
            .line()
            .as_bytes()
            .to_vec(),
    );

    assert_eq!(check(&lines, None), Ok(chain.head()));
    assert_eq!(chain.head().seq, 9);
    assert_eq!(first_bad(&[]), None);
    assert!(Chain::resume(&org(), &key(5).verify_key(), &last).is_err());
    assert!(Chain::resume(&org(), &keeper.verify_key(), "").is_err());
}

#[test]
fn a_flip_of_any_byte_names_its_line() {
    let lines = lines();
    for line in [0, 3, 7] {
        for at in 0..lines[line].len() {
            let mut flipped = lines.clone();
            flipped[line][at] ^= 1;
            assert_eq!(
                first_bad(&flipped),
                Some(line as u64 + 1),
                "line {line} byte {at}"
            );
        }
    }
}

#[test]
fn lines_that_are_cut_swapped_repeated_or_added_are_named() {
    let lines = lines();
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let mut twice = lines.clone();
    twice.insert(5, lines[4].clone());
    let keeper = key(4);
    let mut other = Chain::start(&org(), &keeper.verify_key());
    let mut grafted = lines.clone();
    grafted[0] = other
        .append(NOW.plus(9), closed(9), &keeper)
        .line()
        .as_bytes()
        .to_vec();

    assert_eq!(first_bad(&without(0)), Some(1));
    assert_eq!(first_bad(&without(4)), Some(5));
    assert_eq!(first_bad(&swapped), Some(3));
    assert_eq!(first_bad(&twice), Some(6));
    assert_eq!(first_bad(&grafted), Some(2));
    assert_eq!(
        first_bad(&[lines.clone(), vec![b"rubbish".to_vec()]].concat()),
        Some(9)
    );
    assert_eq!(first_bad(&[vec![Vec::new()], lines].concat()), Some(1));
}

#[test]
fn a_tail_that_was_cut_off_shows_against_a_head_that_was_kept() {
    let lines = lines();
    let head = check(&lines, None).unwrap();

    assert_eq!(
        check(&lines[..6], None).unwrap().seq,
        6,
        "by itself a shorter chain is a chain"
    );
    assert_eq!(
        check(&lines[..6], Some(head)),
        Err(FirstBad {
            line: 6,
            why: Why::CutOff
        })
    );
    assert_eq!(
        check(&lines, Some(check(&lines[..6], None).unwrap())),
        Ok(head)
    );
    let keeper = key(4);
    let mut rewritten = Chain::start(&org(), &keeper.verify_key());
    let forged: Vec<_> = (0..9)
        .map(|n| {
            rewritten
                .append(NOW, closed(n + 50), &keeper)
                .line()
                .as_bytes()
                .to_vec()
        })
        .collect();
    assert_eq!(
        check(&forged, Some(head)),
        Err(FirstBad {
            line: 8,
            why: Why::OutOfOrder
        })
    );
}

#[test]
fn a_chain_of_another_keeper_or_org_is_not_this_one() {
    let lines = lines();
    let verify_as = |org: &str, seed| {
        let first = lines.iter().map(Vec::as_slice);
        verify(&org.parse().unwrap(), &key(seed).verify_key(), first, None)
            .unwrap_err()
            .why
    };

    assert_eq!(verify_as("acme", 5), Why::OtherKey);
    assert_eq!(verify_as("evil", 4), Why::OtherOrg);
}

#[test]
fn nothing_can_be_smuggled_into_a_record_by_a_name() {
    let mut world = World::new();
    world.provider = crate::testing::Provider::new("k1");
    world.standing.keys = world.provider.keys();
    let mut claims = world.claims();
    let groups = [
        "data-science",
        "x\n{\"kind\":\"portal-opened\"}",
        "\u{1b}[2J",
        "%n",
        "\u{202e}",
        &"g".repeat(5000),
    ];
    crate::testing::set(&mut claims, "groups", serde_json::json!(groups));
    let auth = crate::auth::Auth {
        id_token_0: world.provider.sign(&claims),
        ..world.auth()
    };
    let mut session = world.session();
    session
        .handle_auth(&auth.encode().unwrap(), &world.standing, NOW)
        .unwrap();
    let allowed = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap();
    let keeper = key(4);

    let mut chain = Chain::start(&org(), &keeper.verify_key());
    let appended = chain.append(
        NOW,
        EventKind::PortalOpened(allowed.event().clone()),
        &keeper,
    );

    assert!(
        appended.line().bytes().all(|b| b.is_ascii_graphic()),
        "one line, whatever is in it"
    );
    let read = Verifier::new(&org(), &keeper.verify_key())
        .line(appended.line().as_bytes())
        .unwrap();
    let EventKind::PortalOpened(opened) = read.what else {
        panic!("another kind")
    };
    assert_eq!(opened.peer.group_count, 6);
    assert!(
        opened
            .peer
            .groups
            .iter()
            .all(|name| !name.as_str().chars().any(crate::text::deceives))
    );
    assert!(appended.line().len() <= MAX_LINE);
}

#[test]
fn the_largest_record_there_can_be_still_fits_a_line() {
    let world = World::new();
    let mut session = world.warm();
    let allowed = session
        .handle_open(&open(1), &world.standing, &at(NOW), NOW)
        .unwrap();
    let mut opened = allowed.event().clone();
    opened.peer.groups = vec![crate::text::Shown::new(&"\u{10ffff}".repeat(500)); 16];
    opened.peer.device_name = crate::text::Shown::new(&"\u{10ffff}".repeat(500));
    let keeper = key(4);

    let appended = Chain::start(&org(), &keeper.verify_key()).append(
        NOW,
        EventKind::PortalOpened(opened),
        &keeper,
    );

    assert!(
        appended.line().len() <= MAX_LINE,
        "{}",
        appended.line().len()
    );
}

#[test]
fn a_permit_exists_only_for_what_was_recorded() {
    let world = World::new();
    let keeper = key(4);
    let mut chain = Chain::start(&org(), &keeper.verify_key());
    let allow = |portal| {
        world
            .warm()
            .handle_open(&open(portal), &world.standing, &at(NOW), NOW)
            .unwrap()
    };

    let (first, second) = (allow(1), allow(2));
    let proof = |chain: &mut Chain, what| Chain::confirm(chain.append(NOW, what, &keeper));
    let of_second = proof(&mut chain, EventKind::PortalOpened(second.event().clone()));
    let refusal = first.recorded(of_second).unwrap_err();
    assert_eq!(refusal.exact, RefusalReason::OtherRecord);
    assert!(allow(1).recorded(proof(&mut chain, closed(1))).is_err());

    let allowed = allow(3);
    let recorded = proof(&mut chain, EventKind::PortalOpened(allowed.event().clone()));
    let permit = allowed.recorded(recorded).unwrap();
    assert_eq!((permit.portal(), permit.service()), (3, &warehouse()));
    assert_eq!(permit.deadline(), NOW.plus(900));
    assert_eq!(permit.principal().sub.as_str(), "00uana");
}

#[test]
fn a_keeper_that_miscounts_is_found_out() {
    let keeper = key(4);
    for seq in [0, 1, 3, u64::MAX] {
        let mut chain = Chain::start(&org(), &keeper.verify_key());
        let first = chain.append(NOW, closed(1), &keeper);
        let second = Event {
            org: org(),
            seq,
            prev: chain.head().digest,
            at: NOW,
            what: closed(2),
        };
        let lines = [first.line(), &second.sign(&keeper)].map(|line| line.as_bytes().to_vec());

        assert_eq!(first_bad(&lines), Some(2), "{seq}");
    }
}

#[test]
fn what_became_of_a_temporary_role_is_written_so() {
    let made = |grant| EventKind::RoleMade {
        service: warehouse(),
        role: "tg_0011aabb_8899ccdd8899ccdd".to_owned(),
        sub: "00uana".parse().unwrap(),
        grant,
    };
    let dropped = EventKind::RoleDropped {
        service: warehouse(),
        role: "tg_0011aabb_8899ccdd8899ccdd".to_owned(),
    };
    let grant = crate::statement::StatementHash([7; 32]);
    for (kind, text) in [
        (
            made(None),
            r#"{"kind":"role-made","service":"warehouse","role":"tg_0011aabb_8899ccdd8899ccdd","sub":"00uana"}"#.to_owned(),
        ),
        (
            made(Some(grant)),
            format!(
                r#"{{"kind":"role-made","service":"warehouse","role":"tg_0011aabb_8899ccdd8899ccdd","sub":"00uana","grant":"{grant}"}}"#
            ),
        ),
        (
            dropped,
            r#"{"kind":"role-dropped","service":"warehouse","role":"tg_0011aabb_8899ccdd8899ccdd"}"#.to_owned(),
        ),
    ] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), text);
        assert_eq!(serde_json::from_str::<EventKind>(&text).unwrap(), kind);
    }
}
