//! Lists of problems: bounded, and never the same thing twice.
//! A newcomer would clear a list: a problem goes when it is repaired, dismissed, or replaced by a newer word about the same thing.

use tidegate_proto::problem::{About, Code, Problem};
use tidegate_proto::words::words;

/// Most problems that are kept; the oldest goes first.
const MAX_PROBLEMS: usize = 20;

/// Adds a problem; one of the same code about the same service or file is replaced.
pub(super) fn add(list: &mut Vec<Problem>, problem: Problem) {
    if list.contains(&problem) {
        return;
    }
    tracing::info!(code = %problem.code, said = words(&problem).line(), "problem arose");
    let is_of_keyring = |code: &Code| Code::NO_KEYRING.contains(code);
    let costs_the_key = |code: &Code| *code == Code::KeyOnlyInMemory;
    // That the key goes with the process is the graver word about the same keyring.
    if is_of_keyring(&problem.code) && list.iter().any(|old| costs_the_key(&old.code)) {
        return;
    }
    let is_newer_word = is_of_keyring(&problem.code) || costs_the_key(&problem.code);
    // A keyring is in one state at a time.
    list.retain(|old| !(is_of_keyring(&old.code) && is_newer_word));
    dismiss(list, &About::from(&problem));
    list.push(problem);
    let surplus = list.len().saturating_sub(MAX_PROBLEMS);
    list.drain(..surplus);
}

/// One problem goes, and none of the same kind about something else.
pub(super) fn dismiss(list: &mut Vec<Problem>, about: &About) {
    list.retain(|problem| !about.is(problem));
}

pub(super) fn remove(list: &mut Vec<Problem>, codes: &[Code]) {
    list.retain(|problem| !codes.contains(&problem.code));
}

/// Whether it is about this computer and not about an org: shown once, however many orgs meet it.
pub(super) fn is_of_this_computer(code: Code) -> bool {
    Code::NO_KEYRING.contains(&code)
        || matches!(
            code,
            Code::KeyOnlyInMemory | Code::KeyFileOpen | Code::DataDirUnusable
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_two_problems_of_one_kind_the_one_that_was_read_goes() {
        let of_service = |name: &str| Problem::new(Code::PortTaken).service(&name.parse().unwrap());
        let mut list = Vec::new();
        for name in ["warehouse", "reports"] {
            add(&mut list, of_service(name));
        }

        dismiss(
            &mut list,
            &About::from(&of_service("warehouse").port(15_432)),
        );

        assert_eq!(list, [of_service("reports")]);
    }
}
