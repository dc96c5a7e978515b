//! A portal that is kept: opened to be resumed, and carried on over circuit after circuit by hand, as the agent does it.
//! Whatever way it goes, somebody says things of which no two are alike, so that a byte lost, doubled or foreign shows.

use std::time::Duration;

use tidegate_link::{Budget, Line, Portal, PortalControl, Secure};
use tidegate_proto::frame::{Frame, Open, Purpose, Resume};
use tidegate_proto::names::HubAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::time::sleep;

use crate::laptop::Laptop;

/// Portions that are sent one by one, each a record of its own at least.
pub(crate) const PORTIONS: usize = 6;
/// Numbered lines in a portion.
const LINES: usize = 60;
/// After so many circuits that came to nothing the agent gives up.
const TRIES: usize = 4;
/// Between two attempts, times the failures so far: an outlet that is still writing down the one before closes the next
/// without a word, and the agent asks again later.
const PACE: Duration = Duration::from_millis(250);
const MEMORY: usize = 64 << 20;

/// What somebody says: who, and in which line.
pub(crate) fn text(who: &str) -> Vec<u8> {
    let canary = str::from_utf8(crate::hostile_relay::CANARY).unwrap();
    let lines = (0..PORTIONS * LINES).map(|line| format!("{canary} {who} {line:06}\n"));
    lines.collect::<String>().into_bytes()
}

/// A portal to the warehouse and what it is named by.
pub(crate) struct Kept<'a> {
    laptop: &'a Laptop,
    way: &'a HubAddress,
    portal: Portal,
    berth: Resume,
}

/// What the outlet answered, once it had admitted her.
enum Answer {
    Berth(Resume),
    Resumed(u64),
}

impl<'a> Kept<'a> {
    /// Over whoever listens at `way`. `process` is the agent's, and `number` the portal's.
    pub(crate) async fn open(
        laptop: &'a Laptop,
        way: &'a HubAddress,
        (process, number): (u64, u64),
    ) -> Result<Self, String> {
        let open = Frame::Open(Open {
            portal: number,
            process,
            purpose: Purpose::Resumable,
            grant: None,
            first: &[],
        });
        let (secure, Answer::Berth(berth)) = ask(laptop, way, &open).await? else {
            return Err("the outlet answered something else".into());
        };
        let portal = Portal::resumable(secure, &Budget::new(MEMORY), |back| Some(back.circuit));
        Ok(Self {
            laptop,
            way,
            portal,
            berth,
        })
    }

    /// Says all of `text` and reads until the end, over as many circuits as it takes. An end that is not authenticated is an error.
    pub(crate) async fn converse(self, text: &[u8]) -> Result<(), String> {
        let Self {
            laptop,
            way,
            portal,
            berth,
        } = self;
        let control = portal.control();
        let mut got = Vec::new();
        let end = tokio::select! {
            end = talk(portal, text, &mut got) => end,
            error = go_on(laptop, way, &control, berth) => Err(error),
        };
        let whole = [text, b"goodbye"].concat();
        assert!(whole.starts_with(&got), "a wrong byte reached the agent");
        assert!(
            end.is_err() || got == whole,
            "a byte was lost and nobody noticed"
        );
        end
    }
}

async fn talk(portal: Portal, text: &[u8], got: &mut Vec<u8>) -> Result<(), String> {
    let (mut reader, mut writer) = split(portal);
    let saying = async {
        for portion in text.chunks(text.len() / PORTIONS) {
            writer.write_all(portion).await?;
            writer.flush().await?;
        }
        writer.shutdown().await
    };
    let hearing = reader.read_to_end(got);
    let done = tokio::try_join!(saying, hearing);
    done.map(drop).map_err(|error| error.to_string())
}

/// Takes the portal to another circuit whenever it has none. Comes back only with the reason why that is over.
async fn go_on(
    laptop: &Laptop,
    way: &HubAddress,
    control: &PortalControl,
    berth: Resume,
) -> String {
    let (mut line, mut errors) = (control.line(), Vec::new());
    for generation in 1.. {
        match line.wait_for(|line| *line != Line::Up).await.as_deref() {
            Ok(Line::Lost { .. }) => {}
            // Whoever reads or writes learns how it ended.
            _ => std::future::pending().await,
        }
        let Ok(received) = control.detach() else {
            std::future::pending().await
        };
        let resume = Frame::Resume(Resume {
            generation,
            received,
            ..berth
        });
        match ask(laptop, way, &resume).await {
            Ok((secure, Answer::Resumed(place))) => drop(control.attach(secure, place)),
            Ok(_) => errors.push("the outlet answered something else".into()),
            Err(refused) => errors.push(refused),
        }
        if errors.len() == TRIES {
            break;
        }
        if *line.borrow() != Line::Up {
            sleep(PACE.mul_f64(errors.len() as f64)).await;
        }
    }
    errors.join("; ")
}

/// A circuit on which the outlet answered this: AUTH and the question go in one flight, as the agent sends them.
async fn ask(
    laptop: &Laptop,
    way: &HubAddress,
    question: &Frame<'_>,
) -> Result<(Secure, Answer), String> {
    let text = |error: tidegate_link::LinkError| error.to_string();
    let mut secure = laptop.handshake_over(way).await.map_err(text)?;
    let auth = laptop.auth(&secure.hash).encode().unwrap();
    secure.send(&Frame::Auth(&auth)).await.map_err(text)?;
    secure.send(question).await.map_err(text)?;
    loop {
        let record = secure.recv().await.map_err(text)?;
        let answer = match record.frame() {
            Frame::Admitted { .. } => continue,
            Frame::Resumed { received } => Answer::Resumed(received),
            Frame::Berth {
                portal, instance, ..
            } => Answer::Berth(Resume {
                instance,
                portal,
                generation: 0,
                received: 0,
            }),
            other => return Err(format!("{other:?}")),
        };
        return Ok((secure, answer));
    }
}
