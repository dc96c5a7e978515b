//! Somebody at a prompt: asks, thinks, asks again, and leaves after a while.
//! Each answer must come from the same session as the one before, which remembers what was said last.

use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::SimpleQueryMessage;

use super::door::{Broken, Door, Session, answered};
use crate::chance::Chance;

/// Longest thought, in milliseconds.
const THOUGHT: u64 = 3_000;

pub(super) struct Talk<'a> {
    pub(super) door: &'a Door,
    pub(super) worker: usize,
    pub(super) questions: u64,
    pub(super) stopped: &'a watch::Receiver<bool>,
}

impl Talk<'_> {
    pub(super) async fn go_on(&self, session: &Session, chance: &mut Chance) -> Result<(), Broken> {
        let mut before = None;
        for step in 0..self.questions {
            let size = [3, 100, 20_000][chance.below(3) as usize];
            let said = ask(session, step, size).await?;
            let expected = match step {
                0 => String::new(),
                step => (step - 1).to_string(),
            };
            if said.step != expected || said.echo != "x".repeat(size) {
                return Err(Broken::Wrong(format!(
                    "at step {step} the session remembers `{}` and answers {} bytes in place of {size}",
                    said.step,
                    said.echo.len()
                )));
            }
            if before.is_some_and(|before| before != said.backend) {
                return Err(Broken::Wrong("another session answers".to_owned()));
            }
            before = Some(said.backend);
            self.door.ledger.moved(self.worker);
            self.door.ledger.book().carried.answers += 1;
            if *self.stopped.borrow() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(chance.below(THOUGHT))).await;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Said {
    backend: String,
    step: String,
    echo: String,
}

async fn ask(session: &Session, step: u64, size: usize) -> Result<Said, Broken> {
    let sql = format!(
        "select pg_backend_pid(), coalesce(current_setting('chaos.step', true), ''), repeat('x', {size}); select set_config('chaos.step', '{step}', false)"
    );
    let rows = answered(session.client.simple_query(&sql)).await?;
    let first = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let column = |place| {
        let text = first.and_then(|row| row.get(place));
        text.unwrap_or_default().to_owned()
    };
    Ok(Said {
        backend: column(0),
        step: column(1),
        echo: column(2),
    })
}
