//! More than there is room for: huge texts, a queue that nobody empties.
//! In the second, each word is either in the record or counted as missing there.

use super::*;

#[tokio::test]
async fn a_huge_statement_runs_and_is_recorded_by_its_beginning_length_and_hash() {
    const LENGTH: usize = 8 << 20;
    let desk = recorded(PLAIN, |program| async move {
        let huge = format!("SELECT length('{}')", "x".repeat(LENGTH));
        program.client.simple_query(&huge).await.unwrap();
        program.leave().await;
    })
    .await;

    let story = &desk.stories()[&1];
    let asked = story.asked.as_ref().unwrap();
    assert_eq!(story.text.len(), 64 * 1024);
    assert_eq!(
        asked.bytes,
        Some((LENGTH + "SELECT length('')".len()) as u64)
    );
    assert!(asked.sha256.is_some());
    assert_eq!(story.ended.as_ref().unwrap().how, Outcome::Done);
}

#[tokio::test]
async fn a_full_queue_holds_a_session_up_and_then_nothing_is_missing() {
    let desk = Desk::new();
    let (stage, writer) = desk.stage(PLAIN);
    let program = stage.program().await;
    let mut asking = Box::pin(many_queries(&program.client));

    let early = tokio::time::timeout(Duration::from_secs(3), &mut asking).await;
    assert!(early.is_err(), "nobody wrote, and the session went on");
    let writer = tokio::spawn(writer.run());
    asking.as_mut().await;
    drop(asking);
    program.leave().await;
    drop(stage);
    writer.await.unwrap();

    let stories = desk.stories();
    assert_eq!(stories.len(), MANY);
    assert!(
        stories
            .values()
            .all(|story| story.ended.as_ref().unwrap().how == Outcome::Done)
    );
}

#[tokio::test]
async fn a_full_queue_lets_a_session_go_on_where_the_owner_says_so_and_every_word_is_accounted_for()
{
    let desk = Desk::new();
    let (stage, writer) = desk.stage(StatementSettings {
        when_full: WhenFull::Gap,
        ..PLAIN
    });
    let program = stage.program().await;

    many_queries(&program.client).await;
    program.leave().await;
    drop(stage);
    writer.run().await;

    let (mut words, mut missed) = (0, 0);
    for event in desk.events() {
        match event {
            EventKind::Statements(statements) => {
                missed += statements.missed;
                for said in statements.said.into_iter().filter(|said| said.n > 0) {
                    words += u64::from(said.asked.is_some()) + u64::from(said.ended.is_some());
                }
            }
            EventKind::StatementsNotListed { count, .. } => missed += count,
            _ => {}
        }
    }
    assert!(missed > 0, "nobody wrote, and nothing was missed");
    assert_eq!(words + missed, 2 * MANY as u64);
}

/// More than a queue holds that nobody empties, and a session may hold back.
const MANY: usize = 300;

async fn many_queries(client: &Client) {
    for n in 0..MANY {
        client
            .simple_query(&format!("SELECT {n} -- {}", "x".repeat(2000)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_a_program_sends_before_it_hangs_up_or_with_its_startup_is_recorded_in_any_cutting() {
    let desk = Desk::new();
    let (stage, writer) = desk.stage(PLAIN);
    let writer = tokio::spawn(writer.run());
    let (mut stream, portal) = stage.portal("00uana", pending());
    let startup = Startup::new(Version::V3_0).with("user", "ana").encode();
    let sent = [
        startup,
        simple_query("SELECT 1"),
        simple_query("SELECT 2"),
        tidegate_postgres::terminate(),
    ]
    .concat();

    for byte in sent {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    drop(stream);
    portal.await.unwrap();
    drop(stage);
    writer.await.unwrap();

    assert_eq!(
        desk.in_short(),
        ["Query SELECT 1: Done 1", "Query SELECT 2: Done 1"]
    );
    assert!(
        desk.stories()
            .values()
            .all(|story| story.asked.as_ref().unwrap().how == How::Query)
    );
}
