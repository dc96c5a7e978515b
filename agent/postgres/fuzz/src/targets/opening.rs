//! A program's first packets, at the inlet and at the outlet.
//! What is understood can be said again, and nothing that came behind it is lost.

use tidegate_postgres::{Asked, Hold, Opening, Side, Startup};

pub(crate) fn holds(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let side = [Side::Inlet, Side::Outlet][usize::from(first & 1)];
    for step in [1, 9, bytes.len().max(1)] {
        drive(side, bytes, step);
    }
}

fn drive(side: Side, bytes: &[u8], step: usize) {
    let (mut opening, mut taken) = (Opening::new(side), 0);
    for piece in bytes.chunks(step) {
        taken += piece.len();
        match opening.handle_input(piece) {
            Err(error) => return drop(error.report().map(|report| report.encode())),
            Ok(Asked::Nothing) => {}
            Ok(Asked::Encryption(answer)) => assert!(matches!(answer, b'N' | b'G')),
            Ok(Asked::Tls { early, .. }) => {
                assert!(bytes[..taken].ends_with(&early));
                opening.tls_started();
            }
            Ok(Asked::Cancel(key)) => {
                assert!(matches!(again(side, &key.encode()), Asked::Cancel(same) if same == key));
                return;
            }
            Ok(Asked::Startup { startup, early }) => {
                assert!(bytes[..taken].ends_with(&early));
                return held(side, startup, early, &bytes[taken..]);
            }
        }
    }
}

fn again(side: Side, packet: &[u8]) -> Asked {
    let asked = Opening::new(side).handle_input(packet);
    asked.expect("what was understood once is understood again")
}

/// The inlet keeps the program waiting; whatever it says meanwhile goes to the outlet when it may.
fn held(side: Side, startup: Startup, early: Vec<u8>, later: &[u8]) {
    // Extensions of the protocol are declined before anything is passed on.
    let (spoken, _) = startup.clone().negotiated();
    match again(side, &spoken.encode()) {
        Asked::Startup { startup: same, .. } => assert_eq!(same, spoken),
        other => panic!("a startup became {other:?}"),
    }
    let Ok((mut hold, said)) = Hold::begin(startup, early.clone()) else {
        return;
    };
    assert!(!said.is_empty());
    if hold.handle_input(later).is_ok() {
        let _ = hold.notice("Somebody has to approve.");
        let on = hold.go_on();
        assert!(on.ends_with(&[&early[..], later].concat()));
    }
}
