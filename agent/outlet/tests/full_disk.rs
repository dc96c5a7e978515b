//! A disk that takes no more: nobody is let in, what runs goes on, and its record is closed once there is room.
//! The limit holds for this whole process, so this file holds one test.
#![allow(clippy::unwrap_used)]

mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Said, World, ana, open, within};
use tidegate_proto::event::EventKind;
use tidegate_proto::frame::Purpose;
use tidegate_proto::problem::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// SIGXFSZ, which would end the process.
const FILE_TOO_LARGE: i32 = 25;

fn largest_file(bytes: Option<u64>) {
    let before = getrlimit(Resource::Fsize);
    setrlimit(
        Resource::Fsize,
        Rlimit {
            current: bytes,
            ..before
        },
    )
    .unwrap();
}

fn closed(event: &EventKind) -> Option<Code> {
    match event {
        EventKind::PortalClosed(closed) => Some(closed.reason),
        _ => None,
    }
}

#[tokio::test]
async fn a_full_disk_lets_nobody_in_and_loses_no_record() {
    let _ignored = signal(SignalKind::from_raw(FILE_TOO_LARGE)).unwrap();
    let world = World::start().await;
    let mut portal = world.portal(&ana()).await;
    let mut warm = world.warm(&ana()).await;
    let size = std::fs::metadata(world.audit()).unwrap().len();

    largest_file(Some(size + 100));
    let said = open(&mut warm, 1, Purpose::Connect).await;
    let Said::Refused(code, _) = said else {
        panic!("{said:?}")
    };
    assert_eq!(code, Code::NotRecorded.number());
    assert_eq!(world.target.came(), 1, "only the portal from before");
    portal.write_all(b"still here").await.unwrap();
    portal.flush().await.unwrap();
    let mut answer = [0; 10];
    within(portal.read_exact(&mut answer)).await.unwrap();
    portal.shutdown().await.unwrap();
    within(portal.read_to_end(&mut Vec::new())).await.unwrap();
    within(world.target.idle()).await;
    assert!(!world.events().iter().any(|event| closed(event).is_some()));
    assert_eq!(
        std::fs::metadata(world.audit()).unwrap().len(),
        size,
        "no half line stays"
    );

    largest_file(None);
    assert_eq!(world.event(closed).await, Code::ClosedByProgram);
    assert_eq!(open(&mut warm, 2, Purpose::Probe).await, Said::Opened(2));
    drop((warm, portal));
    world.end().await;
}
