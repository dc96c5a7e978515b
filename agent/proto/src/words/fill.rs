//! Puts facts into a sentence of `words`: `{fact|else}` becomes the fact, or what follows the bar.
//! What a fact says is never looked at again, so it cannot smuggle in another.

use crate::{problem::Facts, time::UnixTime};

/// The sentence with its places filled.
pub(super) fn fill(sentence: &str, facts: &Facts) -> String {
    let mut filled = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, place)) = rest.split_once('{') {
        let (place, after) = place.split_once('}').unwrap_or((place, ""));
        let (fact, otherwise) = place.split_once('|').unwrap_or((place, ""));
        filled.push_str(before);
        filled.push_str(&value(fact, facts).unwrap_or_else(|| otherwise.to_owned()));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn value(fact: &str, facts: &Facts) -> Option<String> {
    match fact {
        "service" => facts.service.as_ref().map(ToString::to_string),
        "program" => program(facts),
        "port" => facts.port.map(|port| port.to_string()),
        "host" => facts.host.as_ref().map(ToString::to_string),
        "path" => facts.path.as_ref().map(ToString::to_string),
        "until" => facts.until.map(clock),
        "said" => facts.said.as_ref().map(ToString::to_string),
        _ => None,
    }
}

fn program(facts: &Facts) -> Option<String> {
    let name = facts.program.as_ref()?;
    Some(match facts.pid {
        Some(pid) => format!("{name} (process {pid})"),
        None => name.to_string(),
    })
}

/// Time of day; the day itself is clear to whoever reads it.
fn clock(at: UnixTime) -> String {
    format!("{:02}:{:02} UTC", at.0 / 3600 % 24, at.0 / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        problem::{Code, Problem},
        words::words,
    };

    #[test]
    fn facts_are_filled_in_once_and_cannot_bring_others() {
        let problem = Problem::new(Code::PortTaken)
            .port(15432)
            .program("{service|x}", Some(7));

        let line = words(&problem).line();

        assert_eq!(
            line,
            "The service cannot be opened because port 15432 is held by {service|x} (process 7). \
             Close that program, or choose another port for the service in Settings. (TG-6001)"
        );
        assert_eq!(clock(UnixTime(50_700)), "14:05 UTC");
    }
}
