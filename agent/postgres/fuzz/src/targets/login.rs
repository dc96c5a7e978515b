//! What a database says while the outlet logs in.
//! There is never a login without the proof that was asked for, and it is the same however it is cut.

use std::sync::Arc;

use tidegate_postgres::{
    Accepts, Credentials, KeptKeys, Login, LoginFault, Next, Startup, Version,
};
use zeroize::Zeroizing;

pub(crate) fn holds(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let accepts = Accepts {
        trust: first & 1 != 0,
        md5: first & 2 != 0,
        cleartext_in_tls: first & 4 != 0,
    };
    let tls = first & 8 != 0;

    let whole = logged_in((accepts, tls), bytes, bytes.len().max(1));

    assert_eq!(whole, logged_in((accepts, tls), bytes, 1));
    // Whoever knows neither password nor verifier cannot prove anything: these bytes were made without.
    if accepts == Accepts::default() {
        assert!(!matches!(whole, Ok((true, _))));
    }
}

/// Whether it got in, and all that was sent.
fn logged_in(
    (accepts, tls): (Accepts, bool),
    bytes: &[u8],
    step: usize,
) -> Result<(bool, Vec<u8>), LoginFault> {
    let credentials = Credentials {
        user: "tidegate".into(),
        password: Zeroizing::new("the password".into()),
        nonce: [7; 18],
        kept: Arc::new(KeptKeys::new(&[9; 32])),
    };
    let startup = Startup::new(Version::V3_0).with("database", "warehouse");
    let (mut login, mut sent) = Login::start(credentials, accepts, startup, tls);
    if tls {
        assert!(matches!(login.handle_input(b"S")?.next, Next::StartTls));
        sent.extend(login.tls_started(None));
    }
    for piece in bytes.chunks(step) {
        let step = login.handle_input(piece)?;
        sent.extend(step.send);
        match step.next {
            Next::Read => {}
            Next::StartTls => panic!("TLS inside of TLS"),
            Next::Done(_) => return Ok((true, sent)),
        }
    }
    Ok((false, sent))
}
