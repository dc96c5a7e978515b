//! Cancel keys: found by their owner only.
#![allow(clippy::unwrap_used)]
use super::*;

fn table() -> CancelTable<&'static str, &'static str> {
    CancelTable::new(3)
}

/// Counts up: every draw differs.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |out: &mut [u8]| {
        out.iter_mut().for_each(|byte| {
            next = next.wrapping_add(1);
            *byte = next;
        });
    }
}

fn key_of(backend: &BackendKey) -> CancelKey {
    CancelKey {
        pid: backend.pid,
        secret: backend.secret.clone(),
    }
}

#[test]
fn finds_what_it_registered_for_the_same_principal_only() {
    let mut table = table();
    let ours = table
        .register("ana", "backend 1", Version::V3_0, &mut counting())
        .unwrap();

    assert_eq!(table.find(&key_of(&ours), &"ana"), Some(&"backend 1"));
    assert_eq!(table.find(&key_of(&ours), &"bob"), None);
}

#[test]
fn a_guessed_secret_or_pid_finds_nothing() {
    let mut table = table();
    let ours = table
        .register("ana", "backend 1", Version::V3_0, &mut counting())
        .unwrap();

    for bit in 0..32 {
        let mut wrong = key_of(&ours);
        wrong.secret[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(table.find(&wrong, &"ana"), None);
        let mut wrong = key_of(&ours);
        wrong.pid ^= 1 << bit;
        assert_eq!(table.find(&wrong, &"ana"), None);
    }
    for length in [0, 3, 5, 32] {
        let wrong = CancelKey {
            pid: ours.pid,
            secret: vec![ours.secret[0]; length],
        };
        assert_eq!(table.find(&wrong, &"ana"), None);
    }
}

#[test]
fn forgets_when_the_connection_is_over() {
    let mut table = table();
    let ours = table
        .register("ana", "backend 1", Version::V3_0, &mut counting())
        .unwrap();

    table.forget(&ours);

    assert_eq!(table.find(&key_of(&ours), &"ana"), None);
    assert!(table.is_empty());
}

#[test]
fn secrets_are_as_long_as_the_version_allows() {
    let mut random = counting();
    let mut table = table();

    let short = table
        .register("ana", "1", Version::V3_0, &mut random)
        .unwrap();
    let long = table
        .register("ana", "2", Version::V3_2, &mut random)
        .unwrap();

    assert_eq!((short.secret.len(), long.secret.len()), (4, 32));
}

#[test]
fn pids_are_positive_unlike_zero_and_unlike_each_other_even_with_bad_luck() {
    let mut table = table();
    for always in [0_u8, 0, 0xff] {
        table
            .register("ana", "x", Version::V3_0, &mut |out: &mut [u8]| {
                out.fill(always)
            })
            .unwrap();
    }

    let mut pids: Vec<u32> = table.entries.keys().copied().collect();
    pids.sort_unstable();
    assert_eq!(pids, [1, 2, 0x7fff_ffff]);
    let full = table.register("ana", "x", Version::V3_0, &mut counting());
    assert_eq!(full.unwrap_err(), CancelTableFull);
}

#[test]
fn the_request_is_these_bytes() {
    let key = BackendKey {
        pid: 7,
        secret: b"abcd".to_vec(),
    };

    assert_eq!(
        key.cancel_request(),
        b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd"
    );
    assert_eq!(format!("{key:?}"), "BackendKey { pid: 7, .. }");
}
