//! Ports for tests that must know one before anything listens there.
//! Asking the system for any and letting go of it is luck: it gives the same one to the next who asks, and every test beside this one asks all the time.

use std::sync::atomic::{AtomicU32, Ordering};

/// Above the agent's own book (15000 to 20000), below what Linux gives to whoever asks for any (from 32768 on).
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A port on which nobody listens, given to nobody else in this process; another process of tests begins elsewhere.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(1009);
    (0..COUNT)
        .map(|_| begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|offset| u16::try_from(FIRST + offset).ok())
        .find(|port| crate::inlet::bind::is_free(*port))
        .expect("some port of twelve thousand is free")
}

#[test]
fn no_port_is_given_twice() {
    let mut given: Vec<u16> = (0..100).map(|_| free_port()).collect();
    given.sort_unstable();

    assert!(given.windows(2).all(|two| two[0] < two[1]), "{given:?}");
    assert!(given.iter().all(|port| (20_000..32_000).contains(port)));
}
