//! A log line by line: what names somebody, and what is a statement and has to stay out, over as many lines as it goes.
//! A newcomer would look for SELECT in each line: the second line of a statement begins with FROM, or with a name.

use tidegate_agent::{NameOf, of_service};

/// What stands in the place of a line of a statement.
const LEFT_OUT: &str = "[a line with a statement]";
/// Fields of our log lines whose value is a name.
const FIELDS: [(&str, NameOf); 11] = [
    ("org", NameOf::Org),
    ("hub", NameOf::Hub),
    ("host", NameOf::Hub),
    ("relay", NameOf::Relay),
    ("device", NameOf::Device),
    ("person", NameOf::Person),
    ("subject", NameOf::Person),
    ("user", NameOf::Person),
    ("service", NameOf::Service),
    ("section", NameOf::Service),
    ("outlet", NameOf::Service),
];
/// Words that begin a statement.
const VERBS: [&str; 31] = [
    "select", "insert", "update", "delete", "create", "alter", "drop", "copy", "grant", "revoke",
    "with", "truncate", "call", "explain", "merge", "set", "begin", "vacuum", "execute", "prepare",
    "declare", "fetch", "comment", "refresh", "values", "lock", "analyze", "reindex", "do",
    "table", "show",
];
/// In the middle of a sentence these are English, unless one of the words behind them is SQL.
const SQL: [(&str, &[&str]); 13] = [
    ("select", &["from", "*", "("]),
    ("insert", &["into"]),
    ("update", &["set"]),
    ("delete", &["from"]),
    ("create", OBJECTS),
    ("alter", OBJECTS),
    ("drop", OBJECTS),
    ("copy", &["stdin", "stdout", "program"]),
    ("grant", RIGHTS),
    ("revoke", RIGHTS),
    ("merge", &["into"]),
    ("truncate", &["table"]),
    ("explain", &["select", "analyze"]),
];
const OBJECTS: &[&str] = &[
    "table", "role", "user", "view", "index", "database", "schema", "function", "sequence", "type",
];
const RIGHTS: &[&str] = &[
    "select", "insert", "update", "delete", "all", "usage", "execute", "connect",
];
/// How many words behind the first are looked at.
const NEAR: usize = 8;
/// What says how bad a record is, here and at the database.
const LEVELS: [&str; 12] = [
    "TRACE",
    "DEBUG",
    "INFO",
    "WARN",
    "ERROR",
    "LOG",
    "NOTICE",
    "WARNING",
    "FATAL",
    "PANIC",
    "STATEMENT",
    "DETAIL",
];

/// The names that the fields of a log give away.
pub(super) fn names(log: &str) -> Vec<(NameOf, String)> {
    let mut names = Vec::new();
    for (key, of) in FIELDS {
        let sign = format!("{key}=");
        for (at, _) in log.match_indices(&sign) {
            let before = log[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let value = value(&log[at + sign.len()..]);
            match of {
                NameOf::Service => names.extend(of_service(value)),
                _ => names.push((of, value.to_owned())),
            }
        }
    }
    names.retain(|(_, name)| !name.is_empty());
    names
}

/// The value of a field: in quotation marks, or up to the next space.
fn value(text: &str) -> &str {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split(['"', '\n']).next().unwrap_or_default();
    }
    let word = text.split(char::is_whitespace).next().unwrap_or_default();
    word.trim_end_matches(['}', ',', ';', ':', ')'])
}

/// The lines of a log without those of statements. `is_cut`: the beginning is missing, and may be in the middle of one.
pub(super) fn without_statements(log: &str, is_cut: bool) -> Vec<String> {
    let mut inside = is_cut;
    let keep = |line: &str| {
        // Only a line that is a record of its own ends the statement before it.
        if begins_a_record(line) {
            inside = false;
        }
        inside = inside || is_statement(line);
        if inside {
            LEFT_OUT.to_owned()
        } else {
            line.to_owned()
        }
    };
    log.lines().map(keep).collect()
}

/// `2026-11-22T16:37:01Z  INFO …`: what a line begins with that somebody logged. A row of data has a date, and no level.
fn begins_a_record(line: &str) -> bool {
    let bare = line.trim_start_matches(['[', '"']);
    let shape = "0000-00-00 00:00";
    let is_dated = bare.len() > shape.len()
        && bare
            .bytes()
            .zip(shape.bytes())
            .all(|(found, place)| match place {
                b'0' => found.is_ascii_digit(),
                b' ' => found == b' ' || found == b'T',
                _ => found == place,
            });
    let mut words = bare.split(|letter: char| !letter.is_ascii_alphabetic());
    let has_level = |word: &str| LEVELS.contains(&word);
    let first = words.clone().find(|word| !word.is_empty());
    let begins = bare.starts_with(first.unwrap_or("?")) && first.is_some_and(has_level);
    begins || (is_dated && words.any(has_level))
}

/// Whether a statement begins in the line: a word in capitals, one where a statement would begin, or one that only SQL goes on like that after.
pub(super) fn is_statement(line: &str) -> bool {
    let words = places(line);
    words.iter().any(|(at, word)| {
        let lower = word.to_lowercase();
        if !VERBS.contains(&lower.as_str()) {
            return false;
        }
        let after = &line[at + word.len()..];
        *word == lower.to_uppercase()
            || (at_a_beginning(&line[..*at]) && !is_field(after))
            || is_sql(&lower, after)
    })
}

/// Each word and where it is.
fn places(line: &str) -> Vec<(usize, &str)> {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = line.split(|letter| !is_of_word(letter));
    let place = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    words
        .filter(|word| !word.is_empty())
        .map(|word| (place(word), word))
        .collect()
}

/// Nothing before it, or what announces a statement.
fn at_a_beginning(before: &str) -> bool {
    let bare = before.trim_end().trim_end_matches(['"', '\'', '`', '(']);
    let lower = bare.to_lowercase();
    let announced = ["statement", "query", "sql", ";"].iter().any(|word| {
        let bare = lower.trim_end_matches([':', '=', ' ']);
        bare.ends_with(word)
    });
    bare.is_empty() || announced
}

fn is_field(after: &str) -> bool {
    after.starts_with(['=', ':'])
}

fn is_sql(verb: &str, after: &str) -> bool {
    let after = after.to_lowercase();
    let words = after.split(|letter: char| !letter.is_alphanumeric() && !"_*(".contains(letter));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).take(NEAR).collect();
    let signs = SQL.iter().find(|(known, _)| *known == verb);
    signs.is_some_and(|(_, signs)| {
        words.iter().any(|word| {
            let bare = word.trim_matches('(');
            signs.contains(word) || signs.contains(&bare)
        })
    })
}

#[cfg(test)]
mod tests {
    use tidegate_agent::{Code, Problem, words};

    use super::*;

    const RECORD: &str = "2026-11-22T16:37:01.123456Z  INFO tidegate_agent::run:";

    #[test]
    fn a_statement_is_left_out_to_its_end() {
        let log = format!(
            "{RECORD} asked statement=\"select name\n\"\n  FROM salaries\n  WHERE name = 'x'\n2026-01-01 10:00,5000,Bob\n{RECORD} went on"
        );

        let kept = without_statements(&log, false);

        let mut expected = vec![LEFT_OUT.to_owned(); 5];
        expected.push(format!("{RECORD} went on"));
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_comes_before_the_first_record_of_a_cut_log_is_left_out() {
        let log = format!("  WHERE name = 'x'\n{RECORD} went on");

        assert_eq!(without_statements(&log, true)[0], LEFT_OUT);
        assert_eq!(without_statements(&log, false)[0], "  WHERE name = 'x'");
    }

    #[test]
    fn statements_of_every_kind_are_known() {
        for line in [
            "TRUNCATE salaries",
            "{} CALL pay('bob')",
            "explain analyze select salary from people",
            "merge into salaries using x on true",
            "{} SET search_path TO secret",
            "STATEMENT:  delete from salaries",
            "statement: select 'canary_of_her_own'",
            "{} program sent query=\"table salaries\"",
            "with pay as (select 1) table pay",
            "{} database said near select salary from people where x",
        ] {
            let line = line.replace("{}", RECORD);
            assert!(is_statement(&line), "{line}");
        }
    }

    #[test]
    fn no_sentence_of_ours_is_taken_for_a_statement() {
        for code in Code::ALL.iter().copied() {
            let problem = Problem::new(code);
            let line = format!(
                "{RECORD} problem arose code={code} said={:?}",
                words(&problem).line()
            );

            assert!(!is_statement(&line), "{line}");
        }
    }

    #[test]
    fn names_are_found_in_the_fields_of_a_log() {
        let log = "INFO door was opened service=acme/warehouse port=1\nINFO joined org=beta device=\"Ana's laptop\"\nperson{subject=00u1}: x";

        let mut found: Vec<_> = names(log).into_iter().map(|(_, name)| name).collect();
        found.sort();

        assert_eq!(found, ["00u1", "Ana's laptop", "acme", "beta", "warehouse"]);
    }
}
