//! What other people said in words of their own: a reason, a rule's text, a page's refusal. Below the full level only the code stays.
//! A newcomer would replace the names in it: nobody knows which of its words are names.

use serde_json::Value;
use tidegate_agent::{Code, Problem, words};
use tidegate_proto::problem::Actor;

/// A log line without such words: `problem arose code=TG-2001 said=…`.
pub(super) fn without(line: &str) -> String {
    match (
        line.split_once(" said="),
        line.find("TG-").and_then(|at| code(&line[at..])),
    ) {
        (Some((before, _)), Some(code)) if speaks_for_others(code) => {
            format!("{before} said=[words]")
        }
        _ => line.to_owned(),
    }
}

/// Every problem and check in there (an object with sentences, and a code beside them or in them) without such words.
pub(crate) fn bare(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(bare),
        Value::Object(fields) => {
            fields.values_mut().for_each(bare);
            bare_sentences(value);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn bare_sentences(value: &mut Value) {
    let field = |field: &str| value[field].as_str().unwrap_or_default();
    let line = ["code", "finding", "fix"].map(field).join(" ");
    let found = line.find("TG-").and_then(|at| code(&line[at..]));
    let is_of_database = field("name") == "query" && field("verdict") == "fail";
    let sentences = match found {
        Some(code) if speaks_for_others(code) => {
            let words = words(&Problem::new(code));
            [words.cause, words.next]
        }
        None if is_of_database => {
            let refused = "The database or the outlet refused, in words of its own.";
            [refused.to_owned(), "The level full has them.".to_owned()]
        }
        _ => return,
    };
    for (field, sentence) in ["cause", "next", "finding", "fix"]
        .into_iter()
        .zip(sentences.iter().cycle())
    {
        if value[field].is_string() {
            value[field] = Value::from(sentence.as_str());
        }
    }
}

/// The code that the text begins with.
fn code(text: &str) -> Option<Code> {
    let number = text.strip_prefix("TG-")?.get(..4)?.parse::<u16>().ok()?;
    Code::try_from(number).ok()
}

/// Whether its sentence repeats what somebody else said. What this computer says about itself helps, and is ours.
fn speaks_for_others(code: Code) -> bool {
    let said = Problem::new(code).said("something else");
    let of_others = !matches!(code.actor(), Actor::ThisComputer | Actor::Us);
    of_others && words(&said) != words(&Problem::new(code))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_said_is_taken_out_and_what_this_computer_says_stays() {
        let mut refused =
            json!({ "code": "TG-2001", "cause": "because Orion is Bob's", "next": "x" });
        let mut mistake =
            json!({ "code": Code::ConfigWrong.to_string(), "cause": "unknown field" });

        bare(&mut refused);
        bare(&mut mistake);

        assert!(!refused["cause"].to_string().contains("Orion"), "{refused}");
        assert_eq!(mistake["cause"], "unknown field");
        assert_eq!(
            without("INFO problem arose code=TG-2001 said=\"because Orion\""),
            "INFO problem arose code=TG-2001 said=[words]"
        );
    }
}
