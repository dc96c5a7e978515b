//! Typed messages: one byte of type, four of length, a body. Reading them whole, and building them.
//! Only the login reads whole messages, with a cap; once rows flow, nobody holds one (`boundary`).

/// The header's length: type byte and length field.
pub(crate) const HEADER: usize = 5;

/// One whole message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
}

/// Why a stream of messages cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    #[error("a message announced a length below four")]
    TooShort,
    #[error("a message announced more than is accepted here")]
    TooLong,
}

/// The first whole message of `buf` and the bytes it takes, or `None` when it is not all there yet.
/// `cap` bounds the body in bytes.
pub(crate) fn first(buf: &[u8], cap: usize) -> Result<Option<(Message<'_>, usize)>, MessageError> {
    let Some((&[tag, a, b, c, d], rest)) = buf.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let announced = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let length = announced.checked_sub(4).ok_or(MessageError::TooShort)?;
    if length > cap {
        return Err(MessageError::TooLong);
    }
    Ok(rest
        .get(..length)
        .map(|body| (Message { tag, body }, HEADER + length)))
}

/// Appends a message whose body is written by `body`.
pub(crate) fn push(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    push_counted(out, body);
}

/// Appends what startup packets are: a length that counts itself, and a body.
pub(crate) fn push_counted(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - at).expect("messages made here are small");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a string and the zero byte that ends it.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().copied().filter(|byte| *byte != 0));
    out.push(0);
}

/// `AuthenticationOk`.
pub(crate) fn push_authentication_ok(out: &mut Vec<u8>) {
    push(out, b'R', |body| {
        body.extend_from_slice(&0_u32.to_be_bytes())
    });
}

/// The client's `Terminate`: it leaves in good order.
#[must_use]
pub fn terminate() -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    push(&mut out, b'X', |_| ());
    out
}

/// A simple query.
#[must_use]
pub fn simple_query(sql: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + sql.len() + 1);
    push(&mut out, b'Q', |body| push_text(body, sql.as_bytes()));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_it_builds() {
        let mut out = Vec::new();
        push(&mut out, b'S', |body| {
            push_text(body, b"TimeZone");
            push_text(body, b"Etc/UTC");
        });

        let (message, used) = first(&out, 100).unwrap().unwrap();

        assert_eq!(out[..5], [b'S', 0, 0, 0, 21]);
        assert_eq!(
            message,
            Message {
                tag: b'S',
                body: b"TimeZone\0Etc/UTC\0"
            }
        );
        assert_eq!(used, out.len());
    }

    #[test]
    fn waits_for_the_rest_of_a_message() {
        let whole = terminate();

        assert_eq!(whole, [b'X', 0, 0, 0, 4]);
        for cut in 0..whole.len() {
            assert_eq!(first(&whole[..cut], 10), Ok(None));
        }
    }

    #[test]
    fn refuses_impossible_and_excessive_lengths() {
        assert_eq!(first(&[b'Z', 0, 0, 0, 3], 10), Err(MessageError::TooShort));
        assert_eq!(first(&[b'Z', 0, 0, 0, 15], 10), Err(MessageError::TooLong));
        assert_eq!(
            first(&[b'Z', 255, 255, 255, 255], 10),
            Err(MessageError::TooLong)
        );
    }

    #[test]
    fn a_zero_byte_cannot_end_a_string_early() {
        let mut out = Vec::new();

        push_text(&mut out, b"a\0b");

        assert_eq!(out, b"ab\0");
    }
}
