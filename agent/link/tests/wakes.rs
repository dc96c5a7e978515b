//! Nobody waits for a wake that does not come: each end of a portal is a task of its own, as on two computers.
//! Ends that share a task wake each other by chance, and then a wake that is missing is never missed.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../src/dice.rs"]
mod dice;

use common::{LIMIT, mortal_pair, pattern, tcp_pair};
use dice::Dice;
use std::time::Duration;
use tidegate_link::{Budget, Meter, PipeEnd, Portal, PortalControl, Secure, pipe};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

const GAMES: u64 = 60;

/// What is said and heard at one end of the conversation, in this order.
enum Deed {
    Say(usize),
    Hear(usize),
    /// Says no more.
    Finish,
    HearTheEnd,
}

/// The deeds of whoever asks and of whoever answers; neither waits for what the other says only afterwards.
fn script(dice: &mut Dice) -> [Vec<Deed>; 2] {
    let (mut asks, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..dice.roll(4) {
        let (question, answer) = (dice.size(), dice.size());
        asks.extend([Deed::Say(question), Deed::Hear(answer)]);
        answers.extend([Deed::Hear(question), Deed::Say(answer)]);
    }
    let last = dice.size();
    match dice.roll(3) {
        // The last word is followed by its end, and that is answered.
        0 => {
            asks.extend([Deed::Finish, Deed::Hear(last), Deed::HearTheEnd]);
            answers.extend([Deed::HearTheEnd, Deed::Say(last), Deed::Finish]);
        }
        1 => {
            asks.extend([Deed::Hear(last), Deed::HearTheEnd, Deed::Finish]);
            answers.extend([Deed::Say(last), Deed::Finish, Deed::HearTheEnd]);
        }
        _ => {
            asks.extend([Deed::Say(last), Deed::Finish, Deed::HearTheEnd]);
            answers.extend([Deed::Finish, Deed::Hear(last), Deed::HearTheEnd]);
        }
    }
    [asks, answers]
}

async fn act(mut socket: TcpStream, deeds: Vec<Deed>) {
    for deed in deeds {
        match deed {
            Deed::Say(bytes) => socket.write_all(&pattern(bytes)).await.unwrap(),
            Deed::Hear(bytes) => {
                let mut heard = vec![0; bytes];
                socket.read_exact(&mut heard).await.unwrap();
                assert!(heard == pattern(bytes));
            }
            Deed::Finish => socket.shutdown().await.unwrap(),
            Deed::HearTheEnd => assert_eq!(socket.read(&mut [0]).await.unwrap(), 0),
        }
    }
}

/// One end of the portal and of the conversation.
struct End {
    control: PortalControl,
    carried: JoinHandle<PipeEnd<()>>,
    acted: JoinHandle<()>,
    /// Where the circuit goes, and stays: one that is closed wakes whoever waits at its other end.
    home: oneshot::Receiver<Secure>,
}

async fn end(secure: Secure, deeds: Vec<Deed>) -> End {
    let (near, mut far) = tcp_pair().await;
    let (gone, home) = oneshot::channel();
    let mut portal = Portal::resumable(secure, &Budget::new(64 << 20), |back| {
        gone.send(back.circuit).err()
    });
    let control = portal.control();
    let carried = tokio::spawn(async move {
        let meter = Meter::new();
        pipe(&mut far, &mut portal, &meter, std::future::pending()).await
    });
    let acted = tokio::spawn(act(near, deeds));
    End {
        control,
        carried,
        acted,
        home,
    }
}

/// Cuts what carries the two, and lets them go on over another one, while both are there.
async fn die_and_go_on(
    [ours, theirs]: [&PortalControl; 2],
    middle: JoinHandle<()>,
) -> JoinHandle<()> {
    let (agent, outlet, next) = mortal_pair(LIMIT).await;
    // Whoever has finished needs nobody: then it ends over what it has.
    if ours.ended().or(theirs.ended()).is_some() || ours.is_finishing() || theirs.is_finishing() {
        return middle;
    }
    middle.abort();
    if let (Ok(we_have), Ok(they_have)) = (ours.detach(), theirs.detach()) {
        theirs.attach(outlet, we_have).unwrap();
        ours.attach(agent, they_have).unwrap();
    }
    next
}

async fn play(seed: u64) {
    let dice = &mut Dice(seed);
    let (agent, outlet, mut middle) = mortal_pair(LIMIT).await;
    let [asks, answers] = script(dice);
    let (asking, answering) = (end(agent, asks).await, end(outlet, answers).await);
    let deaths = [0, 0, 1, 3][usize::try_from(dice.roll(4)).unwrap()];
    for _ in 0..deaths {
        sleep(Duration::from_micros(dice.roll(4_000))).await;
        middle = die_and_go_on([&asking.control, &answering.control], middle).await;
    }
    let mut homes = Vec::new();
    for end in [asking, answering] {
        end.acted.await.unwrap();
        assert_eq!(end.carried.await.unwrap(), PipeEnd::Finished, "{seed}");
        homes.push(end.home);
    }
    for home in homes {
        // A circuit that a portal went on with is lent no further.
        assert!(deaths > 0 || home.await.is_ok(), "{seed}");
    }
    middle.abort();
}

#[tokio::test]
async fn both_ends_of_a_portal_come_to_their_end_whatever_wakes_them() {
    for seed in 0..GAMES {
        let played = timeout(LIMIT, play(seed)).await;
        assert!(played.is_ok(), "game {seed}: somebody waits for ever");
    }
}
