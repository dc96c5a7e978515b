//! The one snapshot of all words, and the rules that every sentence keeps.
//! A newcomer would check one sentence at a time: read the whole snapshot after a change, as a person would.

use super::*;
use std::fmt::Write;

/// The one snapshot of all words. After a change: `INSTA_UPDATE=always cargo test -p tidegate-proto words`, and read it.
#[test]
fn all_the_words_there_are() {
    let mut all = String::new();
    for code in Code::ALL {
        let said = words(&Problem::new(*code));
        let _ = writeln!(
            all,
            "{} {}\n  {}\n  {}\n  {}",
            said.code,
            said.title,
            said.cause,
            said.next,
            manner(*code)
        );
    }
    insta::assert_snapshot!("words", all);
}

/// How it is shown: `(error; your network; after 6 s; not beside TG-1006)`.
fn manner(code: Code) -> String {
    let mut parts = vec![
        format!("{:?}", code.severity()).to_lowercase(),
        code.actor().who().to_owned(),
    ];
    if !code.shown_after().is_zero() {
        parts.push(format!("after {} s", code.shown_after().as_secs()));
    }
    let explained: Vec<String> = code.depends_on().iter().map(Code::to_string).collect();
    if !explained.is_empty() {
        parts.push(format!("not beside {}", explained.join(", ")));
    }
    format!("({})", parts.join("; "))
}

#[test]
fn every_problem_is_two_plain_sentences() {
    let jargon = [
        "token",
        "credential",
        "noise",
        "handshake",
        "jws",
        "json",
        "oidc",
        "pkce",
        "nonce",
        "socket",
        "tcp",
        "tls ",
        "null",
        "panic",
        "internal error",
        "invalid",
        "failed to",
        "permit",
        "circuit",
        "portal",
        "inlet",
    ];
    for code in Code::ALL {
        let Words {
            title, cause, next, ..
        } = words(&Problem::new(*code));

        assert!(title.len() <= 40 && !title.ends_with('.'), "{code} {title}");
        for sentence in [&cause, &next] {
            assert!(sentence.ends_with('.'), "{code} {sentence}");
            assert_eq!(sentence.matches(". ").count(), 0, "{code} {sentence}");
            assert!(!sentence.contains(['{', '}', '|']), "{code} {sentence}");
            // A Unix socket is what whoever asked for one in agent.toml calls it.
            let sentence = sentence.replace("Unix socket", "");
            for word in jargon {
                assert!(
                    !sentence.to_lowercase().contains(word),
                    "{code} {word}: {sentence}"
                );
            }
        }
        assert!(cause.contains("because"), "{code} {cause}");
    }
}
