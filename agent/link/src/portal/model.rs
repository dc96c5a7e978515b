//! Two ends of a portal in virtual time: lines that die at every point, and what must be true of the bytes afterwards.
//! Here is no socket: a line is two queues of frames, and what was in them when it died is gone.

#![allow(clippy::unwrap_used)]
use super::{
    intake::Intake,
    replay::{FIRST_LIMIT, Lie, Piece, Replay},
};
use crate::dice::Dice;
use std::collections::VecDeque;

/// The byte at one place of one side's stream.
fn byte(side: u8, place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ side
}

enum Said {
    Data(u64, Vec<u8>),
    Fin(u64),
    Ack(u64),
    Keeps(usize),
}

struct End {
    side: u8,
    /// Bytes this side will write in all.
    plan: u64,
    written: u64,
    told: usize,
    replay: Replay,
    intake: Intake,
    held: VecDeque<u8>,
    /// Bytes that the user took.
    taken: u64,
}

impl End {
    fn new(side: u8, plan: u64, cap: usize) -> Self {
        Self {
            side,
            plan,
            written: 0,
            told: FIRST_LIMIT,
            replay: Replay::with_cap(cap),
            intake: Intake::new(),
            held: VecDeque::new(),
            taken: 0,
        }
    }

    fn write(&mut self, size: usize) {
        let wanted = usize::try_from(self.plan - self.written)
            .unwrap_or(size)
            .min(size);
        if wanted > 0 {
            let room = self.replay.room(wanted, |_| true);
            let from = self.written;
            let bytes: Vec<u8> = (from..from + room as u64)
                .map(|place| byte(self.side, place))
                .collect();
            self.replay.keep(&bytes);
            self.written += room as u64;
        } else {
            self.replay.finish();
        }
    }

    /// Puts one frame on the line, with what is to be said in front of it.
    fn send(&mut self, line: &mut VecDeque<Said>) -> bool {
        if self.told != self.replay.limit() {
            self.told = self.replay.limit();
            line.push_back(Said::Keeps(self.told));
        }
        let (said, places) = match self.replay.piece() {
            None => return false,
            Some(Piece::Data { offset, bytes }) => {
                (Said::Data(offset, bytes.to_vec()), bytes.len())
            }
            Some(Piece::Fin { offset }) => (Said::Fin(offset), 1),
        };
        self.replay.went(places);
        line.extend(self.intake.say().map(Said::Ack));
        line.push_back(said);
        true
    }

    fn acknowledge(&mut self, line: &mut VecDeque<Said>) -> bool {
        let ack = self.intake.say().map(Said::Ack);
        let said = ack.is_some();
        line.extend(ack);
        said
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Data(offset, bytes) => {
                self.intake.data(offset, bytes.len()).unwrap();
                self.held.extend(bytes);
            }
            Said::Fin(offset) => self.intake.fin(offset).unwrap(),
            Said::Ack(place) => drop(self.replay.ack(place).unwrap()),
            Said::Keeps(bytes) => self.intake.peer_keeps(bytes as u64),
        }
    }

    /// The user reads, and looks at every byte.
    fn take(&mut self, size: usize) -> bool {
        let size = size.min(self.held.len());
        for got in self.held.drain(..size) {
            assert_eq!(got, byte(1 - self.side, self.taken), "at {}", self.taken);
            self.taken += 1;
        }
        self.intake.take(size);
        size > 0
    }

    /// A new line begins at what the other end has.
    fn begin(&mut self, has: u64) {
        self.replay.shrink();
        self.replay.rewind(has).unwrap();
        // What was said on the line before may never have arrived.
        self.told = FIRST_LIMIT;
    }

    fn is_over(&self) -> bool {
        self.replay.is_over() && self.intake.is_finished() && self.intake.is_all_said()
    }
}

struct Pair {
    ends: [End; 2],
    /// What each side said and the other has not heard.
    lines: [VecDeque<Said>; 2],
    cap: usize,
    deaths: u32,
}

impl Pair {
    fn new(dice: &mut Dice) -> Self {
        let cap = FIRST_LIMIT << dice.roll(3);
        let most = [0, 10, 900, 9_000, 40_000, 700_000][(dice.roll(16) / 3) as usize];
        let plans = [dice.roll(most + 1), dice.roll(most + 1)];
        Self {
            ends: [End::new(0, plans[0], cap), End::new(1, plans[1], cap)],
            lines: Default::default(),
            cap,
            deaths: 0,
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let side = dice.roll(2) as usize;
        let (end, line) = (&mut self.ends[side], &mut self.lines[side]);
        match dice.roll(40) {
            0..=9 => end.write(dice.size()),
            10..=17 => drop(end.send(line)),
            18 => drop(end.acknowledge(line)),
            19..=21 if end.intake.is_due() => drop(end.acknowledge(line)),
            22..=30 => self.deliver(1 - side),
            31..=38 => drop(end.take(dice.size())),
            39 if dice.roll(4) == 0 => self.die(),
            _ => {}
        }
        for end in &self.ends {
            assert!(end.replay.kept() <= self.cap);
            assert!(end.held.len() <= self.cap, "more than can be taken in");
        }
    }

    fn deliver(&mut self, to: usize) {
        if let Some(said) = self.lines[1 - to].pop_front() {
            self.ends[to].hear(said);
        }
    }

    /// Whatever was under way is gone; both say what they have.
    fn die(&mut self) {
        self.deaths += 1;
        self.lines.iter_mut().for_each(VecDeque::clear);
        let [a, b] = &mut self.ends;
        let (a_has, b_has) = (a.intake.begin(), b.intake.begin());
        a.begin(b_has);
        b.begin(a_has);
    }

    /// Nothing dies any more: it must come to its end by itself.
    fn settle(&mut self) {
        while !self.ends.iter().all(End::is_over) {
            let mut moved = false;
            for side in 0..2 {
                let (end, line) = (&mut self.ends[side], &mut self.lines[side]);
                let before = (end.written, end.replay.piece().is_some());
                end.write(usize::MAX);
                moved |= before != (end.written, end.replay.piece().is_some());
                while end.send(line) {
                    moved = true;
                }
                moved |= end.take(usize::MAX) | end.acknowledge(line);
                moved |= !self.lines[side].is_empty();
                while !self.lines[side].is_empty() {
                    self.deliver(1 - side);
                }
            }
            assert!(moved, "both ends wait for each other");
        }
    }
}

/// How many lines died in the game of a seed, and how many steps were taken before it settled.
fn play(seed: u64) -> [u64; 2] {
    let dice = &mut Dice(seed);
    let mut pair = Pair::new(dice);
    let steps = dice.roll(600);
    for _ in 0..steps {
        pair.step(dice);
    }
    pair.settle();
    for side in 0..2 {
        let (end, other) = (&pair.ends[side], &pair.ends[1 - side]);
        assert_eq!((end.taken, end.replay.kept()), (other.plan, 0), "{seed}");
        assert!(end.held.is_empty());
    }
    [u64::from(pair.deaths), steps]
}

fn asked(name: &str, otherwise: u64) -> u64 {
    let said = std::env::var(name);
    said.map_or(otherwise, |number| number.parse().unwrap())
}

/// A few thousand lines each time; `cargo xtask chaos` lets a million die, from a seed of its own.
#[test]
fn whatever_dies_no_byte_is_lost_or_said_twice() {
    let wanted = asked("TIDEGATE_MODEL_DEATHS", 4_000);
    let seed = asked("TIDEGATE_MODEL_SEED", 0);
    let (mut games, mut deaths, mut steps) = (0_u64, 0, 0);

    while deaths < wanted {
        let game = seed.wrapping_mul(0x9e37_79b9).wrapping_add(games);
        let [died, taken] = std::panic::catch_unwind(|| play(game))
            .unwrap_or_else(|_| panic!("game {game} of seed {seed}"));
        (games, deaths, steps) = (games + 1, deaths + died, steps + taken);
        assert!(games < wanted * 2 + 100, "in most games a line must die");
    }

    println!("seed {seed}: {deaths} lines died in {games} games of {steps} steps");
}

#[test]
fn a_peer_that_lies_is_found_out_and_changes_nothing() {
    let mut replay = Replay::with_cap(FIRST_LIMIT);
    replay.keep(&[7; 1000]);
    replay.went(600);
    assert_eq!(
        replay.ack(601),
        Err(Lie),
        "it acknowledges what was not sent"
    );
    assert_eq!(replay.ack(400), Ok(false));
    assert_eq!(replay.ack(10), Ok(false), "an old word is no lie");

    assert_eq!(replay.rewind(399), Err(Lie), "it wants what is gone");
    assert_eq!(replay.rewind(601), Err(Lie), "it has what nobody sent");
    assert_eq!(replay.rewind(500), Ok(()));
    assert_eq!(replay.ack(501), Err(Lie), "on this line it has nothing yet");

    assert_eq!(
        replay.piece(),
        Some(Piece::Data {
            offset: 500,
            bytes: &[7; 500]
        })
    );
    assert_eq!(replay.rewind(600), Ok(()), "it had more than it said");
    assert_eq!((replay.ack(600), replay.kept()), (Ok(false), 400));
}

#[test]
fn a_fin_is_kept_like_a_byte() {
    let mut replay = Replay::with_cap(FIRST_LIMIT);
    replay.finish();
    assert_eq!(replay.piece(), Some(Piece::Fin { offset: 0 }));
    replay.went(1);
    assert!(replay.is_caught_up() && !replay.is_over());

    replay.rewind(0).unwrap();
    assert_eq!(replay.piece(), Some(Piece::Fin { offset: 0 }));
    replay.went(1);
    assert_eq!(replay.ack(1), Ok(false));

    assert!(replay.is_over());
    assert_eq!(replay.piece(), None);
}

#[test]
fn the_limit_grows_only_for_a_writer_that_the_window_held_back() {
    let mut replay = Replay::with_cap(FIRST_LIMIT * 2);
    let mut place = 0;
    let mut window = |replay: &mut Replay, held_back: bool| {
        let room = replay.room(usize::MAX / 2, |_| true);
        replay.keep(&vec![0; room]);
        replay.went(room);
        place += room as u64;
        if held_back {
            assert_eq!(replay.room(1 << 20, |_| true), 0);
        }
        assert_eq!(replay.ack(place), Ok(held_back));
        replay.limit()
    };

    assert_eq!(window(&mut replay, false), FIRST_LIMIT);
    assert_eq!(window(&mut replay, true), FIRST_LIMIT * 2);
    assert_eq!(window(&mut replay, true), FIRST_LIMIT * 2);
    assert_eq!(replay.kept(), 0);
}

#[test]
fn an_intake_refuses_what_does_not_follow() {
    let mut intake = Intake::new();
    assert!(intake.data(1, 5).is_err());
    assert!(intake.data(0, 5).is_ok());
    assert!(intake.data(0, 5).is_err(), "said twice");
    assert!(intake.fin(4).is_err());
    assert!(intake.fin(5).is_ok());
    assert!(intake.fin(5).is_err() && intake.data(5, 1).is_err());
    assert_eq!(intake.say(), None, "nobody took anything");
    intake.take(5);
    assert_eq!(intake.say(), Some(6));
    assert!(intake.is_all_said());
}
