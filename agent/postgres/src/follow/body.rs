//! What is kept of a program's message: names as PostgreSQL compares them, a text up to a limit, and what follows it.
//! A text that is longer is shortened, and its whole length and hash are kept; a gigabyte costs what the limit costs.

use aws_lc_rs::digest::{Context, SHA256};

/// PostgreSQL cuts names of statements and portals to this many bytes, so two that differ later are one.
pub(super) const NAME: usize = 63;

/// The text of a statement as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its first bytes, or all of them.
    pub kept: Vec<u8>,
    /// How many there were.
    pub bytes: u64,
    /// SHA-256 over all of them, where not all were kept.
    pub sha256: Option<[u8; 32]>,
}

/// How much of one message is kept, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub text: usize,
    /// Of bind parameters and function arguments, to be looked at.
    pub parameters: usize,
    /// Of each of them, to be kept.
    pub value: usize,
}

/// Fields of a message, in order. A name and a text end with a zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// One byte.
    Kind,
    Name,
    Text,
    Rest,
}

fn fields(tag: u8) -> &'static [Field] {
    match tag {
        b'Q' => &[Field::Text],
        b'P' => &[Field::Name, Field::Text, Field::Rest],
        b'B' => &[Field::Name, Field::Name, Field::Rest],
        b'E' => &[Field::Name],
        b'C' => &[Field::Kind, Field::Name],
        b'F' => &[Field::Rest],
        _ => &[],
    }
}

/// What is known of the message under way.
pub(super) struct Body {
    pub(super) tag: u8,
    pub(super) length: u64,
    pub(super) kind: u8,
    names: Vec<Vec<u8>>,
    /// The name under way.
    name: Vec<u8>,
    text: Vec<u8>,
    text_bytes: u64,
    hash: Option<Context>,
    pub(super) rest: Vec<u8>,
    left: &'static [Field],
    keep: Keep,
}

impl Body {
    pub(super) fn begin(tag: u8, length: u64, keep: Keep) -> Self {
        let left = fields(tag);
        // Whoever announces more than will be kept may send it: its hash has to begin with its first byte.
        let long = left.contains(&Field::Text) && length > keep.text as u64;
        Self {
            tag,
            length,
            kind: 0,
            names: Vec::new(),
            name: Vec::new(),
            text: Vec::new(),
            text_bytes: 0,
            hash: long.then(|| Context::new(&SHA256)),
            rest: Vec::new(),
            left,
            keep,
        }
    }

    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while let (Some(field), false) = (self.left.first(), bytes.is_empty()) {
            bytes = match field {
                Field::Kind => self.one(bytes),
                Field::Name => self.until_zero(bytes, Self::name_part),
                Field::Text => self.until_zero(bytes, Self::text_part),
                Field::Rest => self.rest(bytes),
            };
        }
    }

    pub(super) fn into_text(self) -> Text {
        let shortened = self.text_bytes > self.text.len() as u64;
        let sha256 = self.hash.filter(|_| shortened).map(|hash| {
            let mut digest = [0; 32];
            digest.copy_from_slice(hash.finish().as_ref());
            digest
        });
        Text {
            kept: self.text,
            bytes: self.text_bytes,
            sha256,
        }
    }

    /// The name at this place, as PostgreSQL compares them.
    pub(super) fn take_name(&mut self, at: usize) -> Vec<u8> {
        self.names
            .get_mut(at)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn one<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.kind = bytes[0];
        self.left = &self.left[1..];
        &bytes[1..]
    }

    fn until_zero<'a>(&mut self, bytes: &'a [u8], add: fn(&mut Self, &[u8])) -> &'a [u8] {
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => {
                add(self, &bytes[..end]);
                if self.left.first() == Some(&Field::Name) {
                    self.names.push(std::mem::take(&mut self.name));
                }
                self.left = &self.left[1..];
                &bytes[end + 1..]
            }
            None => {
                add(self, bytes);
                &[]
            }
        }
    }

    fn name_part(&mut self, part: &[u8]) {
        let room = NAME.saturating_sub(self.name.len());
        self.name.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn text_part(&mut self, part: &[u8]) {
        self.text_bytes += part.len() as u64;
        let room = self.keep.text.saturating_sub(self.text.len());
        self.text.extend_from_slice(&part[..part.len().min(room)]);
        if let Some(hash) = &mut self.hash {
            hash.update(part);
        }
    }

    fn rest<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        // A function's OID comes first and is no argument.
        let most = self.keep.parameters.max(4);
        let room = most.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
        &[]
    }

    /// What it holds, in bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.rest.len() + self.name.len()
    }
}
