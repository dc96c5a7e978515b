//! What the outlet begins with, as the inlet reads it.
//! One `AuthenticationOk` is dropped, and not a byte more.

use tidegate_postgres::{Swallow, SwallowError, Swallowed};

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";

pub(crate) fn holds(data: &[u8]) {
    for step in [1, 4, data.len().max(1)] {
        match through(data, step) {
            Ok(Some(passed)) => assert_eq!(passed, data.strip_prefix(OK).unwrap_or(data)),
            Ok(None) => assert!(OK.starts_with(data) && data != OK),
            Err(SwallowError) => assert!(data[0] == b'R' && !data.starts_with(OK)),
        }
    }
}

fn through(data: &[u8], step: usize) -> Result<Option<Vec<u8>>, SwallowError> {
    let (mut swallow, mut pieces) = (Swallow::default(), data.chunks(step));
    while let Some(piece) = pieces.next() {
        if let Swallowed::Through(mut first) = swallow.handle_input(piece)? {
            pieces.for_each(|piece| first.extend_from_slice(piece));
            return Ok(Some(first));
        }
    }
    Ok(None)
}
