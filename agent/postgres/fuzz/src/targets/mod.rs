//! What must hold of the PostgreSQL parts whatever bytes come, from a hostile program or a hostile database.
//! libFuzzer looks for bytes of which it does not; `tests/fuzzed.rs` holds what it kept against every change.

mod answer;
mod follow;
mod inflow;
mod login;
mod opening;
mod outflow;
mod swallow;

/// Panics where something does not hold.
type Holds = fn(&[u8]);

/// Each by its name, which is also its corpus'.
pub(crate) const ALL: [(&str, Holds); 7] = [
    ("answer", answer::holds),
    ("follow", follow::holds),
    ("inflow", inflow::holds),
    ("login", login::holds),
    ("opening", opening::holds),
    ("outflow", outflow::holds),
    ("swallow", swallow::holds),
];

/// The whole messages at a stream's beginning: where each begins, its type, and where it ends. Read without the code that is tried.
fn messages(bytes: &[u8]) -> Vec<(usize, u8, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some([tag, a, b, c, d]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let end = at + 1 + length;
        if length < 4 || end > bytes.len() {
            break;
        }
        found.push((at, *tag, end));
        at = end;
    }
    found
}

/// Reads up to `step` bytes into the space; what is left.
fn read<'a>(space: &mut [u8], bytes: &'a [u8], step: usize) -> (usize, &'a [u8]) {
    let count = step.min(bytes.len()).min(space.len());
    let (piece, rest) = bytes.split_at(count);
    space[..count].copy_from_slice(piece);
    (count, rest)
}

/// Whether a message ends exactly here, or nothing has begun.
fn is_a_boundary(bytes: &[u8], at: usize) -> bool {
    at == 0 || messages(bytes).iter().any(|(_, _, end)| *end == at)
}
