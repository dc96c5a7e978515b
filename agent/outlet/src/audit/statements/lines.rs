//! What was overheard of sessions, as events of an audit: many words in one line, none of it longer than a line may be.
//! A text that does not fit goes on in the words after it; `ended` joins `asked` where both come at once.

use tidegate_postgres as pg;
use tidegate_proto::event::{
    Asked, Digest, Ended, EventKind, How, MAX_LINE, Outcome, Parameter, Parameters, Said,
    Statements,
};
use tidegate_proto::text::Shown;

use super::redact::redacted;
use super::{Heard, Speaker, VALUE, Word};
use crate::config::{ParametersKept, TextKept};

/// Most of one line that words take, in bytes of JSON: a line carries them in base64, with who and where around them.
const WORDS: usize = MAX_LINE / 2;
/// Most of a text in one word, as JSON.
const TEXT: usize = MAX_LINE / 4;
/// Most of the parameters of one word, as JSON.
const VALUES: usize = MAX_LINE / 8;

/// One session's words as events, in order.
pub(super) fn events(heard: Vec<Heard>) -> Vec<EventKind> {
    let mut lines: Vec<(Statements, usize)> = Vec::new();
    for Heard {
        speaker,
        missed,
        words,
        ..
    } in heard
    {
        if missed > 0 {
            lines.push((line(&speaker, missed), 0));
        }
        for said in words.into_iter().flat_map(|word| said(&speaker, word)) {
            add(&mut lines, &speaker, said);
        }
    }
    lines
        .into_iter()
        .map(|(line, _)| EventKind::Statements(line))
        .collect()
}

fn line(speaker: &Speaker, missed: u64) -> Statements {
    Statements {
        channel: speaker.channel.clone(),
        portal: speaker.portal,
        service: speaker.service.clone(),
        sub: speaker.sub.clone(),
        grant: speaker.grant,
        missed,
        said: Vec::new(),
    }
}

fn add(lines: &mut Vec<(Statements, usize)>, speaker: &Speaker, said: Said) {
    let size = size(&said);
    let fits = |(line, taken): &(Statements, usize)| {
        line.channel == speaker.channel && line.portal == speaker.portal && taken + size <= WORDS
    };
    if !lines.last().is_some_and(fits) {
        lines.push((line(speaker, 0), 0));
    }
    let Some((line, taken)) = lines.last_mut() else {
        return;
    };
    *taken += size;
    match line
        .said
        .iter_mut()
        .rev()
        .take(16)
        .find(|before| before.n == said.n && before.ended.is_none())
    {
        Some(before) if said.asked.is_none() && said.more.is_none() => before.ended = said.ended,
        _ => line.said.push(said),
    }
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(WORDS, |json| json.len() + 1)
}

fn said(speaker: &Speaker, Word { at, event }: Word) -> Vec<Said> {
    match event {
        pg::Event::Began(began) => began_words(speaker, at, began),
        pg::Event::Ended(ended) => vec![Said {
            n: ended.n,
            asked: None,
            more: None,
            ended: Some(outcome(&ended, speaker.settings.parameters)),
        }],
    }
}

fn began_words(speaker: &Speaker, at: u64, began: pg::Began) -> Vec<Said> {
    let (n, how, function) = (began.n, how(began.how), function(began.how));
    let name = String::from_utf8_lossy(&began.name);
    let record = match began.how {
        // Nothing in it was written by a program's user, and what it says decides what every text means.
        pg::How::Startup => TextKept::Text,
        _ => speaker.settings.record,
    };
    let told = began.text.map(|text| told(text, record));
    let Told {
        text,
        redacted,
        bytes,
        sha256,
    } = told.unwrap_or_default();
    let mut parts = text.map_or_else(Vec::new, |text| parts(&text)).into_iter();
    let first = Said {
        n,
        asked: Some(Asked {
            at,
            how,
            of: began.of,
            name: (!name.is_empty()).then(|| Shown::new(&name)),
            function,
            text: parts.next(),
            redacted,
            bytes,
            sha256,
            parameters: began
                .parameters
                .and_then(|all| parameters(&all, speaker.settings.parameters)),
        }),
        more: None,
        ended: None,
    };
    let more = parts.map(|part| Said {
        n,
        asked: None,
        more: Some(part),
        ended: None,
    });
    std::iter::once(first).chain(more).collect()
}

/// A text as the owner wants it kept.
#[derive(Default)]
struct Told {
    text: Option<String>,
    redacted: bool,
    bytes: Option<u64>,
    sha256: Option<Digest>,
}

fn told(text: pg::Text, record: TextKept) -> Told {
    let whole = text.sha256.is_none();
    let redacted = match record {
        TextKept::Text => None,
        TextKept::Redacted => Some(redacted(&text.kept).filter(|_| whole)),
    };
    let plain = || String::from_utf8_lossy(&text.kept).into_owned();
    let (shown, is_redacted) = match redacted {
        None => (Some(plain()), false),
        Some(shown) => (shown, true),
    };
    let as_sent = whole
        && shown
            .as_ref()
            .is_some_and(|shown| shown.as_bytes() == text.kept);
    let hash = || text.sha256.unwrap_or_else(|| sha256(&text.kept));
    Told {
        redacted: is_redacted,
        bytes: (!as_sent).then_some(text.bytes),
        sha256: (!as_sent).then(|| Digest::of_bytes(hash())),
        text: shown,
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    let found = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.copy_from_slice(found.as_ref());
    digest
}

/// The text in parts, each of which fits; one part when it is empty.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut taken = 0;
    for c in text.chars() {
        let size = as_json(c);
        if taken + size > TEXT {
            parts.push(String::new());
            taken = 0;
        }
        taken += size;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// The most that a character takes in JSON, in bytes.
fn as_json(c: char) -> usize {
    match c {
        '"' | '\\' => 2,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    }
}

fn parameters(all: &pg::Parameters, kept: ParametersKept) -> Option<Parameters> {
    let values = match kept {
        ParametersKept::None => return None,
        ParametersKept::Types => false,
        ParametersKept::Values => true,
    };
    let mut taken = 0;
    let fits = |parameter: &Parameter| {
        taken += size(parameter);
        taken <= VALUES
    };
    let listed = all
        .listed
        .iter()
        .map(|one| parameter(one, values))
        .take_while(fits)
        .collect();
    Some(Parameters {
        count: all.count,
        listed,
    })
}

fn parameter(one: &pg::Parameter, values: bool) -> Parameter {
    let kept = &one.kept[..one.kept.len().min(VALUE)];
    let value = match one.binary {
        true => kept.iter().map(|byte| format!("{byte:02x}")).collect(),
        false => String::from_utf8_lossy(kept).into_owned(),
    };
    Parameter {
        oid: (one.oid != 0).then_some(one.oid),
        binary: one.binary,
        bytes: one.length,
        value: (values && one.length.is_some()).then_some(value),
    }
}

fn how(how: pg::How) -> How {
    match how {
        pg::How::Startup => How::Startup,
        pg::How::Query => How::Query,
        pg::How::Parse => How::Parse,
        pg::How::Bind => How::Bind,
        pg::How::Execute => How::Execute,
        pg::How::Function(_) => How::Function,
        pg::How::Sync => How::Sync,
    }
}

fn function(how: pg::How) -> Option<u32> {
    match how {
        pg::How::Function(oid) => Some(oid),
        _ => None,
    }
}

fn outcome(ended: &pg::Ended, kept: ParametersKept) -> Ended {
    let (how, code) = match ended.end {
        pg::End::Done => (Outcome::Done, None),
        pg::End::Suspended => (Outcome::Suspended, None),
        pg::End::Failed(code) => (Outcome::Failed, Some(Shown::new(code.as_str()))),
        pg::End::Skipped => (Outcome::Skipped, None),
        pg::End::Cut => (Outcome::Cut, None),
        pg::End::Unknown => (Outcome::Unknown, None),
    };
    Ended {
        how,
        microseconds: ended.took,
        rows: ended.rows,
        code,
        of: ended.of,
        parameters: ended
            .parameters
            .as_ref()
            .and_then(|all| parameters(all, kept)),
        completed: ended.completed,
        rolled_back: ended.rolled_back,
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
