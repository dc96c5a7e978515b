//! COPY out of the database and COPY into it. Out: each byte is compared as it comes.
//! In: the database counts each row by its place, so a row that is lost, doubled or out of order is seen there.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;

use super::door::{Broken, Door, PATIENCE, Session, answered};
use super::rows::{Reading, in_sql, row};

/// How often somebody who copies says that it goes on.
const STEP: Duration = Duration::from_millis(100);

pub(super) struct Copying<'a> {
    pub(super) door: &'a Door,
    pub(super) worker: usize,
    pub(super) seed: u64,
    pub(super) rows: u64,
}

impl Copying<'_> {
    pub(super) async fn out(&self, session: &Session) -> Result<(), Broken> {
        let sql = format!(
            "copy (select g, {} from generate_series(0, {}) g) to stdout",
            in_sql(self.seed),
            self.rows - 1
        );
        let mut stream = pin!(answered(session.client.copy_out(&sql)).await?);
        let mut reading = Reading::of(self.rows, self.seed);
        let (mut bytes, mut told) = (0, Instant::now());
        while let Some(piece) = next(stream.next()).await? {
            let piece = piece?;
            reading.take(&piece).map_err(Broken::Wrong)?;
            bytes += piece.len() as u64;
            if told.elapsed() > STEP {
                self.door.ledger.moved(self.worker);
                self.door.ledger.book().carried.bytes_out += std::mem::take(&mut bytes);
                told = Instant::now();
            }
        }
        reading.end().map_err(Broken::Wrong)?;
        let mut book = self.door.ledger.book();
        book.carried.bytes_out += bytes;
        book.carried.copies_out += 1;
        Ok(())
    }

    pub(super) async fn load(&self, session: &Session) -> Result<(), Broken> {
        let client = &session.client;
        let table = "create temp table if not exists kept (place bigserial, g bigint, said text); truncate kept restart identity";
        answered(client.batch_execute(table)).await?;
        self.write(session).await?;
        let told = format!(
            "select count(*), count(*) filter (where g <> place - 1 or said <> {}) from kept",
            in_sql(self.seed)
        );
        let told = answered(client.query_one(&told, &[])).await?;
        let (rows, wrong): (i64, i64) = (told.get(0), told.get(1));
        if (rows.unsigned_abs(), wrong) != (self.rows, 0) {
            return Err(Broken::Wrong(format!(
                "{} rows went in, {rows} are there, {wrong} of them wrong",
                self.rows
            )));
        }
        self.door.ledger.book().carried.copies_in += 1;
        Ok(())
    }

    async fn write(&self, session: &Session) -> Result<(), Broken> {
        let copying = session.client.copy_in("copy kept (g, said) from stdin");
        let mut sink = pin!(answered(copying).await?);
        let (mut piece, mut told) = (Vec::new(), Instant::now());
        for number in 0..self.rows {
            piece.append(&mut row(number, self.seed));
            if piece.len() < 32 * 1024 && number + 1 < self.rows {
                continue;
            }
            let bytes = piece.len() as u64;
            answered(sink.send(Bytes::from(std::mem::take(&mut piece)))).await?;
            self.door.ledger.book().carried.bytes_in += bytes;
            if told.elapsed() > STEP {
                self.door.ledger.moved(self.worker);
                told = Instant::now();
            }
        }
        answered(sink.finish()).await.map(drop)
    }
}

async fn next<T>(piece: impl Future<Output = T>) -> Result<T, Broken> {
    let piece = timeout(PATIENCE, piece).await;
    piece.map_err(|_| Broken::Wrong("a copy stood still".to_owned()))
}
