//! A relay that does whatever it likes to the records between a real agent's client and a real outlet.
//! The only acceptable ends: every byte right and nothing missing, or an error. Positions come from a fixed seed.

use tidegate_link::Portal;
use tidegate_proto::names::HubAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::company::{Company, within};
use crate::laptop::Laptop;
use crate::wire::{Plan, Trick, Way, Wire};

pub(crate) const CANARY: &[u8] = b"canary-4d1f: select name, salary from people";
/// Portions that are sent one by one, each a record of its own.
const PORTIONS: usize = 6;
/// Records towards the outlet: two of the handshake, AUTH, OPEN, the portions, FIN.
const UP: usize = 4 + PORTIONS + 1;
/// Records towards the agent that there are at least: one of the handshake, ADMITTED, OPENED, data.
const DOWN: usize = 4;
/// Positions for each trick and direction.
const TRIES: usize = 12;

/// Numbers that look random and are the same every time.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }
}

/// What somebody says: the canary again and again, and who is speaking.
fn text(who: &str) -> Vec<u8> {
    let portion = [CANARY, who.as_bytes()].concat().repeat(12);
    portion.repeat(PORTIONS)
}

/// Says all of `text` and reads until the end. An end that is not authenticated is an error.
async fn conversation(laptop: &Laptop, way: &HubAddress, text: &[u8]) -> Result<(), String> {
    let portal = laptop.portal_over(way).await;
    let mut portal: Portal = portal.map_err(|error| error.to_string())?;
    let mut got = Vec::new();
    let end = async {
        for portion in text.chunks(text.len() / PORTIONS) {
            portal.write_all(portion).await?;
            portal.flush().await?;
        }
        portal.shutdown().await?;
        portal.read_to_end(&mut got).await
    };
    let end = end.await;
    let whole = [text, b"goodbye"].concat();
    assert!(whole.starts_with(&got), "a wrong byte reached the agent");
    match end {
        Ok(_) => {
            assert!(got == whole, "a byte was lost and nobody noticed");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Nothing reached the target but the beginning of what was said.
pub(crate) async fn only_the_truth_arrived(company: &Company, before: usize, texts: &[&[u8]]) {
    within(company.target.idle()).await;
    for heard in company.target.heard_since(before) {
        let true_beginning = texts.iter().any(|text| text.starts_with(&heard));
        assert!(true_beginning, "a wrong byte reached the target");
    }
}

#[tokio::test]
async fn whatever_a_relay_does_to_records_is_noticed_and_no_wrong_byte_arrives() {
    let company = Company::start().await;
    let (ana, wire) = (company.ana().await, Wire::before(&company.address).await);
    let (text, mut seed) = (text("ana"), Seed(0x7469_6465_6761_7465));
    within(conversation(&ana, &wire.address, &text))
        .await
        .unwrap();

    let mut noticed = 0;
    for n in 0..2 * TRIES {
        let way = [Way::Up, Way::Down][n % 2];
        let record = seed.below(if way == Way::Up { UP } else { DOWN });
        let at = seed.below(1 << 16);
        for trick in [
            Trick::Drop,
            Trick::Repeat,
            Trick::Swap,
            Trick::Truncate(at),
            Trick::Flip(at),
            Trick::Reflect,
        ] {
            let plan = Plan { way, record, trick };
            wire.plan(Some(plan));
            let before = company.target.came();

            let end = within(conversation(&ana, &wire.address, &text)).await;

            assert_eq!(wire.applied(), 1, "{plan:?} was not played");
            // A repeated FIN comes after everything has been said: nothing is left that could be wrong.
            let harmless = way == Way::Up && record == UP - 1 && trick == Trick::Repeat;
            assert!(end.is_err() || harmless, "{plan:?} went unnoticed");
            noticed += usize::from(end.is_err());
            only_the_truth_arrived(&company, before, &[&text]).await;
        }
    }
    println!("{noticed} tricks were noticed");

    wire.plan(None);
    within(conversation(&ana, &wire.address, &text))
        .await
        .unwrap();
    nothing_was_readable(&wire, &ana);
    ana.shutdown().await;
    company.end().await;
}

pub(crate) fn nothing_was_readable(wire: &Wire, ana: &Laptop) {
    assert!(wire.kept() > 10 * CANARY.len());
    for secret in [
        CANARY,
        b"goodbye",
        b"warehouse",
        &ana.token.as_bytes()[..16],
        &ana.answer.credential.as_bytes()[..16],
        &ana.device.rz,
        &ana.device
            .identity
            .verify_key()
            .peer_id()
            .to_string()
            .into_bytes(),
    ] {
        assert!(!wire.saw(secret), "the relay could read what passed");
    }
}

#[tokio::test]
async fn two_circuits_that_a_relay_splices_are_both_broken_and_never_mixed() {
    let company = Company::start().await;
    let (ana, wire) = (company.ana().await, Wire::before(&company.address).await);
    let bob = company.laptop("bob", &["data-science"]).await;
    let (anas, bobs) = (text("ana"), text("bob"));
    let both = [&anas[..], &bobs[..]];

    for (way, record) in (0..UP)
        .map(|record| (Way::Up, record))
        .chain((0..DOWN).map(|record| (Way::Down, record)))
    {
        let plan = Plan {
            way,
            record,
            trick: Trick::Splice,
        };
        wire.plan(Some(plan));
        let before = company.target.came();

        let ends = within(async {
            tokio::join!(
                conversation(&ana, &wire.address, &anas),
                conversation(&bob, &wire.address, &bobs)
            )
        });
        let ends = ends.await;

        assert_eq!(wire.applied(), 2, "{plan:?} was not played");
        assert!(ends.0.is_err() && ends.1.is_err(), "{plan:?}: {ends:?}");
        only_the_truth_arrived(&company, before, &both).await;
    }

    wire.plan(None);
    within(conversation(&ana, &wire.address, &anas))
        .await
        .unwrap();
    within(conversation(&bob, &wire.address, &bobs))
        .await
        .unwrap();
    nothing_was_readable(&wire, &ana);
    ana.shutdown().await;
    bob.shutdown().await;
    company.end().await;
}
