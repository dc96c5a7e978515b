//! Sessions as clients speak them, whole and in any cutting: what was asked is told, however it is hidden.
#![allow(clippy::unwrap_used)]

mod any;
mod attacks;
mod limits;
mod stories;

use super::*;
use crate::message::{push, push_text, simple_query};

const KEEP: Keep = Keep {
    text: 64,
    parameters: 64,
    value: 64,
};

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, tag, |into| into.extend_from_slice(body));
    out
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, name.as_bytes());
    push_text(&mut body, text.as_bytes());
    body.extend_from_slice(&[0, 1, 0, 0, 0, 23]);
    message(b'P', &body)
}

fn bind(portal: &str, statement: &str) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, portal.as_bytes());
    push_text(&mut body, statement.as_bytes());
    body.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2, b'4', b'2', 0, 0]);
    message(b'B', &body)
}

fn execute(portal: &str) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, portal.as_bytes());
    body.extend_from_slice(&[0; 4]);
    message(b'E', &body)
}

fn sync() -> Vec<u8> {
    message(b'S', &[])
}

fn done(tag: &str) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, tag.as_bytes());
    message(b'C', &body)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn ready_in_transaction() -> Vec<u8> {
    message(b'Z', b"T")
}

fn error(code: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0Mno\0\0").as_bytes())
}

fn bare(tags: &[u8]) -> Vec<u8> {
    tags.iter().flat_map(|tag| message(*tag, &[])).collect()
}

/// One side's turn.
enum Turn {
    Asks(Vec<Vec<u8>>),
    Answers(Vec<Vec<u8>>),
}
use Turn::{Answers as A, Asks as Q};

fn follow(turns: &[Turn]) -> Vec<Event> {
    cut(turns, &[usize::MAX])
}

fn cut(turns: &[Turn], cuts: &[usize]) -> Vec<Event> {
    let (mut follower, mut events) = (Follower::new(KEEP), Vec::new());
    let mut cuts = cuts.iter().cycle();
    for turn in turns {
        let (Q(bytes) | A(bytes)) = turn;
        let bytes = bytes.concat();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            match turn {
                Q(_) => follower.asked(piece, 0, &mut events),
                A(_) => follower.answered(piece, 0, &mut events),
            }
            rest = after;
        }
    }
    follower.over(0, &mut events);
    events
}

/// Each thing that was told, in short: how, text or what it refers to, and its end.
fn story(events: &[Event]) -> Vec<String> {
    let began = events.iter().filter_map(|event| match event {
        Event::Began(began) => Some(began),
        Event::Ended(_) => None,
    });
    began.map(|began| told(began, events)).collect()
}

fn told(began: &Began, events: &[Event]) -> String {
    let ends: Vec<&Ended> = events
        .iter()
        .filter_map(|event| match event {
            Event::Ended(ended) if ended.n == began.n => Some(ended),
            _ => None,
        })
        .collect();
    let [end] = ends[..] else {
        panic!("{began:?} ends {} times", ends.len())
    };
    let what = match (&began.text, end.of.or(began.of)) {
        (Some(text), _) => String::from_utf8_lossy(&text.kept).into_owned(),
        (None, Some(of)) => format!("of {of}"),
        (None, None) => "?".to_owned(),
    };
    let ended = match end.end {
        End::Failed(code) => code.to_string(),
        end => format!("{end:?}"),
    };
    let rows = end.rows.map_or(String::new(), |rows| format!(" {rows}"));
    let after = match end.completed {
        0 => String::new(),
        count => format!(" after {count}"),
    };
    format!("{:?} {what}: {ended}{rows}{after}", began.how)
}
