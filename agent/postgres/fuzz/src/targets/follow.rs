//! A session followed from outside: the same story however it is cut.
//! There is no statement that is not told, and each ends once.

use super::messages;
use tidegate_postgres::{Began, Event, Follower, How, Keep};

const KEEP: Keep = Keep {
    text: 64,
    parameters: 64,
    value: 64,
};

pub(crate) fn holds(data: &[u8]) {
    let turns = turns(data);
    let whole = told(&turns, usize::MAX);

    assert_eq!(whole, told(&turns, 1));
    let asked: Vec<u8> = turns
        .iter()
        .filter(|turn| turn.0)
        .flat_map(|turn| turn.1)
        .copied()
        .collect();
    let sent = messages(&asked);
    let statements = sent
        .iter()
        .filter(|(_, tag, _)| b"QPEF".contains(tag))
        .count();
    let began = |event: &&Event| matches!(event, Event::Began(began) if is_by_itself(began));
    assert_eq!(whole.iter().filter(began).count(), statements);
    each_ends_once(&whole);
}

/// Whose turn it is, the program's or not, and what it says: each turn begins with a byte that has both.
fn turns(mut data: &[u8]) -> Vec<(bool, &[u8])> {
    let mut turns = Vec::new();
    while let Some((head, rest)) = data.split_first() {
        let (said, after) = rest.split_at(usize::from(head & 0x7f).min(rest.len()));
        turns.push((head & 0x80 == 0, said));
        data = after;
    }
    turns
}

fn told(turns: &[(bool, &[u8])], step: usize) -> Vec<Event> {
    let (mut follower, mut events) = (Follower::new(KEEP), Vec::new());
    for (asks, said) in turns {
        for piece in said.chunks(step) {
            match asks {
                true => follower.asked(piece, 0, &mut events),
                false => follower.answered(piece, 0, &mut events),
            }
        }
    }
    follower.over(0, &mut events);
    events
}

/// Whether a message of its own brought it.
fn is_by_itself(began: &Began) -> bool {
    matches!(
        began.how,
        How::Query | How::Parse | How::Execute | How::Function(_)
    )
}

fn each_ends_once(events: &[Event]) {
    let (mut began, mut ended) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Began(event) => began.push(event.n),
            Event::Ended(event) => ended.push(event.n),
        }
    }
    ended.sort_unstable();
    assert_eq!(began, ended);
}
