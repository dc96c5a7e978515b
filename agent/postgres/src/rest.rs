//! Whether a session holds nothing at its server: everything asked is answered, and no transaction is open.
//! Both directions write here as bytes pass; whoever reads asks at a moment of his own and holds nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Not known yet, or part of a batch that has not ended.
const NEVER: u64 = u64::MAX;

/// Shared by the two directions of one session and whoever wants to know. Errs to one side only: what is called at rest is.
#[derive(Clone, Debug)]
pub struct Rest(Arc<Sides>);

#[derive(Debug)]
struct Sides {
    /// `ReadyForQuery` messages that must have come before the server can be idle.
    awaited: AtomicU64,
    /// Those that came, if the last of them said that no transaction is open; otherwise none.
    answered: AtomicU64,
}

impl Default for Rest {
    fn default() -> Self {
        Self(Arc::new(Sides {
            awaited: AtomicU64::new(NEVER),
            answered: AtomicU64::new(0),
        }))
    }
}

impl Rest {
    /// Whether nothing is held: no lock of a transaction, no statement that runs.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        // In this order: what is asked after the answer was read makes the question of this moment a busy one.
        let answered = self.0.answered.load(Ordering::Acquire);
        answered >= self.0.awaited.load(Ordering::Acquire)
    }

    /// `None`: a batch or a message is under way.
    pub(crate) fn awaits(&self, answers: Option<u64>) {
        let awaited = answers.unwrap_or(NEVER);
        self.0.awaited.store(awaited, Ordering::Release);
    }

    /// The server has said so often that it is ready, the last time with this status.
    pub(crate) fn answered(&self, times: u64, status: u8) {
        let answered = if status == b'I' { times } else { 0 };
        self.0.answered.store(answered, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use crate::message::push;
    use crate::{Inflow, Outflow, Rest};

    /// A session in which this was asked and answered, both in pieces of so many bytes.
    fn after(asked: &[u8], answered: &[(u8, &[u8])], piece: usize) -> Rest {
        let (mut ask, mut answer) = (Vec::new(), Vec::new());
        asked.iter().for_each(|tag| push(&mut ask, *tag, |_| ()));
        for (tag, body) in answered {
            push(&mut answer, *tag, |into| into.extend_from_slice(body));
        }
        let rest = Rest::default();
        let mut inflow = Inflow::starting_with(ask);
        inflow.tell(rest.clone());
        while !inflow.pending().is_empty() {
            inflow.written(piece);
        }
        let mut outflow = Outflow::starting_with(answer);
        outflow.tell(rest.clone());
        while !outflow.pending().is_empty() {
            outflow.written(piece);
        }
        rest
    }

    const IDLE: (u8, &[u8]) = (b'Z', b"I");
    const IN_TRANSACTION: (u8, &[u8]) = (b'Z', b"T");
    const FAILED: (u8, &[u8]) = (b'Z', b"E");
    /// A row whose body looks like a `ReadyForQuery`.
    const ROW: (u8, &[u8]) = (b'D', b"Z\0\0\0\x05I");

    #[test]
    fn rests_once_all_is_answered_and_no_transaction_is_open() {
        for piece in 1..16 {
            assert!(after(b"", &[IDLE], piece).is_at_rest());
            assert!(after(b"Q", &[IDLE, ROW, IDLE], piece).is_at_rest());
            assert!(after(b"PBES", &[IDLE, ROW, IDLE], piece).is_at_rest());
            assert!(after(b"QQ", &[IDLE, IN_TRANSACTION, IDLE], piece).is_at_rest());
        }
    }

    #[test]
    fn does_not_rest_in_a_transaction_nor_while_an_answer_is_missing() {
        for piece in 1..16 {
            assert!(!after(b"Q", &[IDLE, IN_TRANSACTION], piece).is_at_rest());
            assert!(!after(b"Q", &[IDLE, FAILED], piece).is_at_rest());
            assert!(!after(b"Q", &[IDLE, ROW], piece).is_at_rest());
            assert!(!after(b"PBE", &[IDLE], piece).is_at_rest());
            assert!(!after(b"PBEH", &[IDLE, ROW], piece).is_at_rest());
        }
    }

    #[test]
    fn does_not_rest_before_anything_was_said() {
        assert!(!Rest::default().is_at_rest());
        assert!(!after(b"", &[], 1).is_at_rest());
    }

    #[test]
    fn half_a_query_is_no_rest() {
        let rest = after(b"", &[IDLE], 1);
        let mut inflow = Inflow::starting_with(b"Q\0\0".to_vec());
        inflow.tell(rest.clone());

        inflow.written(3);

        assert!(!rest.is_at_rest());
    }
}
