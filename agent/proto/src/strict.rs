//! JSON and base64url the strict way: one spelling per value, nothing twice, nothing behind the end.
//! serde alone would accept a key that is repeated inside a part it does not look at; a walk over the whole text comes first.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::{cell::Cell, collections::HashSet, fmt};

/// Deepest nesting of objects and arrays that is read (PROTOCOL section 2).
pub const MAX_DEPTH: usize = 8;

/// Why bytes were not read.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    #[error("the text is too large")]
    Size,
    #[error("the text is nested too deeply")]
    Depth,
    #[error("a key appears twice in one object")]
    DuplicateKey,
    #[error("the text is not valid json, or something follows it")]
    Json,
    #[error("a field is missing, unknown, or of the wrong shape")]
    Shape,
    #[error("the text is not canonical base64url")]
    Base64,
}

/// Reads one JSON value of at most `most` bytes, refusing repeated keys, depth over [`MAX_DEPTH`] and trailing bytes.
///
/// # Errors
/// The first reason found.
pub fn json<T: DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, StrictError> {
    if bytes.len() > most {
        return Err(StrictError::Size);
    }
    walk(bytes)?;
    serde_json::from_slice(bytes).map_err(|_| StrictError::Shape)
}

/// Decodes unpadded base64url, refusing padding, white space and non-zero trailing bits (RFC 4648, section 3.5).
///
/// # Errors
/// `Base64` for any other spelling.
pub fn base64url(text: &str) -> Result<Vec<u8>, StrictError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| StrictError::Base64)
}

/// Encodes as unpadded base64url.
#[must_use]
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Fixed-size bytes as base64url.
pub(crate) mod fixed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        super::to_base64url(bytes).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(from)?;
        let bytes = super::base64url(&text).map_err(D::Error::custom)?;
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("another number of bytes"))
    }
}

fn walk(bytes: &[u8]) -> Result<(), StrictError> {
    let wrong = Cell::new(StrictError::Json);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk {
        depth: 0,
        wrong: &wrong,
    }
    .deserialize(&mut reader);
    walked.and_then(|()| reader.end()).map_err(|_| wrong.get())
}

/// Visits every value and remembers why it stopped.
#[derive(Copy, Clone)]
struct Walk<'a> {
    depth: usize,
    wrong: &'a Cell<StrictError>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.stop(StrictError::Depth));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn stop<E: serde::de::Error>(self, why: StrictError) -> E {
        self.wrong.set(why);
        E::custom(why)
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("json")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key) {
                return Err(self.stop(StrictError::DuplicateKey));
            }
            map.next_value_seed(inner)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    fn read(text: &str) -> Result<Value, StrictError> {
        json(text.as_bytes(), 1 << 20)
    }

    #[test]
    fn rejects_a_key_that_appears_twice_at_any_depth() {
        for text in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","s\u0075b":"b"}"#,
            r#"[{"x":{"a":1,"b":2,"a":1}}]"#,
        ] {
            assert_eq!(read(text), Err(StrictError::DuplicateKey), "{text}");
        }
        assert!(read(r#"{"a":{"b":1},"b":{"b":1}}"#).is_ok());
    }

    #[test]
    fn rejects_nesting_deeper_than_eight_without_recursing() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));

        assert!(read(&nested(8)).is_ok());
        for n in [9, 128, 1000, 100_000] {
            assert_eq!(read(&nested(n)), Err(StrictError::Depth), "{n}");
        }
        assert_eq!(read(&r#"{"a":"#.repeat(1000)), Err(StrictError::Depth));
    }

    #[test]
    fn rejects_trailing_bytes_and_broken_text() {
        for text in [
            "{} x",
            "{}{}",
            "{}\0",
            "",
            "{",
            "nul",
            "\u{feff}{}",
            "{'a':1}",
            "[1,]",
            "01",
            "\"\\ud800\"",
        ] {
            assert_eq!(read(text).unwrap_err(), StrictError::Json, "{text:?}");
        }
        assert_eq!(json::<Value>(b"\"\xff\"", 99), Err(StrictError::Json));
        assert_eq!(json::<Value>(b"[1,2]", 4), Err(StrictError::Size));
    }

    #[test]
    fn rejects_base64url_that_is_spelled_another_way() {
        assert_eq!(base64url("AQ"), Ok(vec![1]));
        for text in ["AQ==", "AR", "A", "A+", "A/", "AQ\n", " AQ", "AQ="] {
            assert_eq!(base64url(text), Err(StrictError::Base64), "{text:?}");
        }
    }
}
