//! A relay that plays its tricks on portals that are kept: each trick ends a circuit, and the portal goes on over the next.
//! Before there is a portal the only acceptable ends are those of any other: every byte right and nothing missing, or an error.
//! From then on there is one: it is suspended, goes on, and arrives whole.

use std::time::Duration;

use tokio::time::timeout;

use crate::company::{Company, within};
use crate::hostile_relay::{Seed, nothing_was_readable, only_the_truth_arrived};
use crate::kept::{Kept, PORTIONS, text};
use crate::laptop::{Laptop, echoes};
use crate::wire::{Plan, Trick, Way, Wire};

/// Records towards the outlet on the first circuit: two of the handshake, AUTH, OPEN, the portions, FIN.
const UP: usize = 4 + PORTIONS + 1;
/// Records towards the agent that there are at least: one of the handshake, ADMITTED, BERTH, data, FIN.
const DOWN: usize = 5;
/// Where the first circuit is cut, when the tricks are for the second: a portion has gone, and nobody has said whether it came.
const CUT: Plan = Plan {
    way: Way::Up,
    record: 5,
    trick: Trick::Truncate(0),
};
/// Records on the second circuit at least: handshake, AUTH, RESUME, what is left, FIN; handshake, ADMITTED, RESUMED, data.
const UP_AGAIN: usize = 6;
const DOWN_AGAIN: usize = 4;
/// The first record behind OPEN or BERTH: there is a portal at both ends.
fn opened(way: Way) -> usize {
    match way {
        Way::Up => 4,
        Way::Down => 3,
    }
}

/// What has ended is gone from the target by then.
const MOMENT: Duration = Duration::from_millis(200);

/// What became of many conversations.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    ended: usize,
}

/// One company, one relay in between, and a number for whatever is opened next.
struct Stage {
    company: Company,
    wire: Wire,
    process: u64,
    tally: Tally,
    /// Circuits that had come when the newest plan was made.
    circuits: usize,
}

impl Stage {
    async fn set() -> Self {
        let company = Company::start().await;
        let wire = Wire::before(&company.address).await;
        Self {
            company,
            wire,
            process: 1,
            tally: Tally::default(),
            circuits: 0,
        }
    }

    /// What is done to the circuits that come now, one each.
    fn plan(&mut self, plans: &[Plan]) {
        self.wire.plan_each(plans.iter().copied().map(Some));
        self.circuits = self.wire.circuits();
    }

    /// Everything was played, and whoever heard all of it needed another circuit for it.
    fn was_noticed(&self, plans: &[Plan], ends: &[Result<(), String>]) {
        assert_eq!(
            self.wire.applied(),
            plans.len(),
            "{plans:?}: not all played"
        );
        let more = self.wire.circuits() - self.circuits - plans.len();
        let whole = ends.iter().filter(|end| end.is_ok()).count();
        assert!(whole <= more, "{plans:?} went unnoticed: {ends:?}");
    }

    /// These people at once, each with a portal of their own: what they hear, once what was said has arrived or been given up.
    async fn play(&mut self, people: &[(&Laptop, &[u8])]) -> Vec<Result<(), String>> {
        self.process += 1;
        let before = self.company.target.came();
        let conversations = people.iter().zip(1..).map(|((laptop, text), number)| {
            let opened = Kept::open(laptop, &self.wire.address, (self.process, number));
            Box::pin(async move { opened.await?.converse(text).await })
        });
        let ends = within(both(conversations)).await;
        self.settle(people, before, &ends).await;
        ends
    }

    /// As `play`, but nobody speaks before everybody's portal is there.
    async fn play_opened(&mut self, people: &[(&Laptop, &[u8])]) -> Vec<Result<(), String>> {
        self.process += 1;
        let before = self.company.target.came();
        let mut opened = Vec::new();
        for ((laptop, text), number) in people.iter().zip(1..) {
            let kept = Kept::open(laptop, &self.wire.address, (self.process, number));
            opened.push(Box::pin(within(kept).await.unwrap().converse(text)));
        }
        let ends = within(both(opened)).await;
        self.settle(people, before, &ends).await;
        ends
    }

    /// Nothing but the truth reached the target, and all of it from those who were told so.
    async fn settle(
        &mut self,
        people: &[(&Laptop, &[u8])],
        before: usize,
        ends: &[Result<(), String>],
    ) {
        let whole = ends.iter().filter(|end| end.is_ok()).count();
        self.tally.whole += whole;
        self.tally.ended += ends.len() - whole;
        within(self.leave_behind(people)).await;
        let mut texts: Vec<&[u8]> = people.iter().map(|(_, text)| *text).collect();
        texts.push(b"hello");
        only_the_truth_arrived(&self.company, before, &texts).await;
        let heard = self.company.target.heard_since(before);
        let of = |text: &[u8]| heard.iter().filter(|heard| *heard == text).count();
        let arrived: usize = texts[..people.len()].iter().map(|text| of(text)).sum();
        assert!(arrived >= whole, "a byte was lost on the way to the target");
    }

    /// Another process of theirs: the outlet waits no longer for what the former one left behind. What it was only just
    /// opening when that process came is left behind by the next.
    async fn leave_behind(&self, people: &[(&Laptop, &[u8])]) {
        while timeout(MOMENT, self.company.target.idle()).await.is_err() {
            for (laptop, _) in people {
                echoes(&mut laptop.portal().await).await;
            }
        }
    }

    async fn end(self, people: Vec<Laptop>) {
        println!("{:?}", self.tally);
        nothing_was_readable(&self.wire, &people[0]);
        for laptop in people {
            laptop.shutdown().await;
        }
        self.company.end().await;
    }
}

/// One or two things at once.
async fn both<F: Future>(things: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut things = things.into_iter();
    let if_any = async |thing: Option<F>| match thing {
        Some(thing) => Some(thing.await),
        None => None,
    };
    let (one, other) = tokio::join!(if_any(things.next()), if_any(things.next()));
    assert!(things.next().is_none(), "there are more than two");
    [one, other].into_iter().flatten().collect()
}

/// Everything that is done to one record, with positions of this seed.
fn tricks(seed: &mut Seed) -> [Trick; 6] {
    let at = seed.below(1 << 16);
    [
        Trick::Drop,
        Trick::Repeat,
        Trick::Swap,
        Trick::Truncate(at),
        Trick::Flip(at),
        Trick::Reflect,
    ]
}

/// All records of a circuit that there are for sure.
fn places(up: usize, down: usize) -> impl Iterator<Item = (Way, usize)> {
    let (up, down) = (0..up, 0..down);
    up.map(|record| (Way::Up, record))
        .chain(down.map(|record| (Way::Down, record)))
}

#[tokio::test]
async fn whatever_a_relay_does_to_a_portal_that_is_kept_it_arrives_whole_or_ends_with_an_error() {
    let mut stage = Stage::set().await;
    let (ana, text) = (stage.company.ana().await, text("ana"));
    let mut seed = Seed(0x6b65_7074_2d6f_6e65);

    for (way, record) in places(UP, DOWN) {
        for trick in tricks(&mut seed) {
            let plan = [Plan { way, record, trick }];
            stage.plan(&plan);

            let ends = stage.play(&[(&ana, &text)]).await;

            stage.was_noticed(&plan, &ends);
            if record >= opened(way) {
                assert!(ends[0].is_ok(), "{plan:?}: {ends:?}");
            }
        }
    }

    stage.end(vec![ana]).await;
}

#[tokio::test]
async fn whatever_a_relay_does_to_the_circuit_on_which_a_portal_goes_on_it_arrives_whole_or_ends_with_an_error()
 {
    let mut stage = Stage::set().await;
    let (ana, text) = (stage.company.ana().await, text("ana"));
    let mut seed = Seed(0x6b65_7074_2d74_776f);

    for (way, record) in places(UP_AGAIN, DOWN_AGAIN) {
        // Of the circuit before nothing is there from where it was cut.
        let stale = (way == Way::Up && record <= CUT.record) || record < 3;
        let stale = [Trick::Stale, Trick::StaleBefore]
            .into_iter()
            .filter(|_| stale);
        for trick in tricks(&mut seed).into_iter().chain(stale) {
            let plans = [CUT, Plan { way, record, trick }];
            stage.plan(&plans);

            let ends = stage.play(&[(&ana, &text)]).await;

            stage.was_noticed(&plans, &ends);
            assert!(ends[0].is_ok(), "{plans:?}: {ends:?}");
        }
    }

    stage.end(vec![ana]).await;
}

/// Two portals, of one person's device or of two: their circuits are mixed at every record, once and from there on,
/// on the first circuit of each and on the one that they go on with.
async fn mixed(other: Option<&str>) {
    let mut stage = Stage::set().await;
    let ana = stage.company.ana().await;
    let bob = match other {
        Some(name) => Some(stage.company.laptop(name, &["data-science"]).await),
        None => None,
    };
    let (first, second) = (text("first"), text("second"));
    let people = [
        (&ana, &first[..]),
        (bob.as_ref().unwrap_or(&ana), &second[..]),
    ];

    for trick in [Trick::Splice, Trick::Cross] {
        for (way, record) in places(UP, DOWN) {
            let plans = [Plan { way, record, trick }; 2];
            stage.plan(&plans);
            let ends = stage.play(&people).await;
            stage.was_noticed(&plans, &ends);
            if record >= opened(way) {
                assert!(ends.iter().all(Result::is_ok), "{plans:?}: {ends:?}");
            }
        }
        for (way, record) in places(UP_AGAIN, DOWN_AGAIN) {
            let plan = Plan { way, record, trick };
            let plans = [CUT, CUT, plan, plan];
            stage.plan(&plans);
            let ends = stage.play_opened(&people).await;
            stage.was_noticed(&plans, &ends);
            assert!(ends.iter().all(Result::is_ok), "{plans:?}: {ends:?}");
        }
    }

    stage
        .end([Some(ana), bob].into_iter().flatten().collect())
        .await;
}

#[tokio::test]
async fn two_kept_portals_of_one_device_whose_circuits_a_relay_mixes_never_get_each_others_bytes() {
    mixed(None).await;
}

#[tokio::test]
async fn kept_portals_of_two_people_whose_circuits_a_relay_mixes_never_get_each_others_bytes() {
    mixed(Some("bob")).await;
}
