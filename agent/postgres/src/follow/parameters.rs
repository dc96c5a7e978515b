//! The parameters of a Bind and the arguments of a FunctionCall, as far as they were kept.
//! What was cut off is not guessed: a value that is not whole says how long it was, and those after it are only counted.

/// A list of values, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// How many there were.
    pub count: u16,
    /// The first of them.
    pub listed: Vec<Parameter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// OID; 0 where the program left it to the server.
    pub oid: u32,
    pub binary: bool,
    /// In bytes; `None` is NULL.
    pub length: Option<u32>,
    /// The value or its first bytes.
    pub kept: Vec<u8>,
}

/// Most of one list that are kept one by one.
const LISTED: usize = 64;

impl Parameters {
    /// From the body of a Bind after its names, or of a FunctionCall after its OID, with so many bytes of each value.
    /// `None` when it is no list.
    pub(super) fn read(mut bytes: &[u8], types: &[u32], value: usize) -> Option<Self> {
        let announced = u16_of(&mut bytes)?;
        let formats = formats(announced, &mut bytes);
        // Formats that were cut off are as many as there are values, or PostgreSQL refuses them.
        let Some((formats, count)) = formats.zip(u16_of(&mut bytes)) else {
            return Some(Self::only_counted(announced));
        };
        let mut listed = Vec::new();
        for at in 0..usize::from(count).min(LISTED) {
            let Some(length) = u32_of(&mut bytes) else {
                break;
            };
            let length = (length != u32::MAX).then_some(length);
            let whole = length.map_or(0, |length| length as usize);
            let (kept, rest) = bytes.split_at(whole.min(bytes.len()));
            bytes = rest;
            listed.push(Parameter {
                oid: types.get(at).copied().unwrap_or(0),
                binary: is_binary(&formats, at),
                length,
                kept: kept[..kept.len().min(value)].to_vec(),
            });
            if kept.len() < whole {
                break;
            }
        }
        Some(Self { count, listed })
    }

    /// None of them by itself.
    pub(super) fn only_counted(count: u16) -> Self {
        let listed = Vec::new();
        Self { count, listed }
    }

    /// What it takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let each = self.listed.iter();
        each.map(|one| size_of::<Parameter>() + one.kept.len())
            .sum()
    }
}

/// The types that a Parse declares.
pub(super) fn types(mut bytes: &[u8]) -> Vec<u32> {
    let count = usize::from(u16_of(&mut bytes).unwrap_or(0)).min(LISTED);
    (0..count).map_while(|_| u32_of(&mut bytes)).collect()
}

fn formats(count: u16, bytes: &mut &[u8]) -> Option<Vec<u16>> {
    (0..count).map(|_| u16_of(bytes)).collect()
}

/// None given: all text. One given: it counts for all.
fn is_binary(formats: &[u16], at: usize) -> bool {
    let format = match formats {
        [] => 0,
        [one] => *one,
        many => many.get(at).copied().unwrap_or(0),
    };
    format == 1
}

fn u16_of(bytes: &mut &[u8]) -> Option<u16> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u16::from_be_bytes(*head))
}

fn u32_of(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*head))
}
