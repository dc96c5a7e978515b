//! The store in one SQLite file: the embedded default.
//! Writers begin with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would let two tickets win one race.

mod access;
mod devices;
mod enrol;
mod outlets;
mod record;
mod revoke;
mod shut_out;
mod versions;

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{
    Row, Sqlite, SqlitePool, Transaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    api::{devices::DeviceInfo, record::RecordEntry},
    identity::{PeerId, VerifyKey},
    names::Subject,
    statement::{RevokeTarget, Revoked},
    time::UnixTime,
};

use super::{
    Accepted, AccessDoc, Device, Enrolled, EnrolledOutlet, Keeper, Known, NewDevice, NewOutlet,
    NewRevocation, Past, Receipt, RecordLine, Seen, Store, StoreError, TakeBack, TakenBack,
    Vouched,
};

const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
];
/// How long a call waits for the file, at most; then it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// Authority state in SQLite.
pub struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    /// Opens or makes the file, for its owner only, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be used or comes from a newer version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        // Made before SQLite would make it: with our mode, which its journal files then inherit.
        match keyfile::create(path, b"") {
            Ok(()) | Err(KeyFileError::Exists) => {}
            Err(_) => return Err(StoreError::Open),
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full) // a revocation that was answered survives a power cut
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|_| StoreError::Open)?;
        let store = Self { pool };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *tx)
            .await?;
        let done = usize::try_from(done).map_err(|_| StoreError::Corrupt)?;
        let todo = MIGRATIONS.get(done..).ok_or(StoreError::Newer)?;
        for step in todo {
            sqlx::raw_sql(*step).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn enrol(&self, new: &NewDevice) -> Result<Enrolled, StoreError> {
        let mut tx = self.begin().await?;
        let enrolled = enrol::enrol(&mut tx, new).await?;
        tx.commit().await?;
        Ok(enrolled)
    }

    async fn vouch(&self, new: &Vouched) -> Result<Enrolled, StoreError> {
        let mut tx = self.begin().await?;
        let enrolled = enrol::vouch(&mut tx, new).await?;
        tx.commit().await?;
        Ok(enrolled)
    }

    async fn enrol_outlet(&self, new: &NewOutlet) -> Result<Enrolled, StoreError> {
        let mut tx = self.begin().await?;
        let enrolled = outlets::enrol(&mut tx, new).await?;
        tx.commit().await?;
        Ok(enrolled)
    }

    async fn outlets(&self) -> Result<Vec<EnrolledOutlet>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        outlets::all(&mut connection).await
    }

    async fn known(&self, identity: &VerifyKey) -> Result<Known, StoreError> {
        // One statement is one snapshot: device and epoch belong together.
        let row = sqlx::query(
            "SELECT epoch.value AS epoch, device.name, device.sub, device.revoked_epoch, device.depth
             FROM epoch LEFT JOIN device ON device.identity = ?1",
        )
        .bind(identity.to_string())
        .fetch_one(&self.pool)
        .await?;
        let epoch = number(row.try_get("epoch")?)?;
        let Some(name) = row.try_get::<Option<String>, _>("name")? else {
            return Ok(Known {
                device: None,
                epoch,
            });
        };
        let revoked = row.try_get::<Option<i64>, _>("revoked_epoch")?.is_some();
        Ok(Known {
            device: Some(Device {
                name,
                sub: subject(row.try_get("sub")?)?,
                revoked,
                let_in: row.try_get::<i64, _>("depth")? > 0,
            }),
            epoch,
        })
    }

    async fn revoke(&self, order: &NewRevocation) -> Result<Receipt, StoreError> {
        let mut tx = self.begin().await?;
        let receipt = revoke::revoke(&mut tx, order).await?;
        tx.commit().await?;
        Ok(receipt)
    }

    async fn take_back(&self, asked: &TakeBack) -> Result<TakenBack, StoreError> {
        let mut tx = self.begin().await?;
        let taken = revoke::take_back(&mut tx, asked).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn past(&self, most: u32) -> Result<(Vec<Past>, u64), StoreError> {
        let mut tx = self.pool.begin().await?; // a reader: both answers from one snapshot
        let rows = sqlx::query(
            "SELECT kind, who, epoch, received_at FROM revocation AS one
             WHERE NOT EXISTS (SELECT 1 FROM revocation AS newer
                 WHERE newer.kind = one.kind AND newer.who = one.who AND newer.epoch > one.epoch)
             ORDER BY epoch DESC LIMIT ?1",
        )
        .bind(i64::from(most))
        .fetch_all(&mut *tx)
        .await?;
        let epoch: i64 = sqlx::query_scalar("SELECT value FROM epoch")
            .fetch_one(&mut *tx)
            .await?;
        let past = rows.iter().map(one_past).collect::<Result<_, _>>()?;
        Ok((past, number(epoch)?))
    }

    async fn accept(&self, seen: &[Seen], catalogue: [u8; 32]) -> Result<Accepted, StoreError> {
        let mut tx = self.begin().await?;
        let accepted = versions::accept(&mut tx, seen, catalogue).await?;
        tx.commit().await?; // after a no there is nothing in it
        Ok(accepted)
    }

    async fn record(
        &self,
        keeper: &Keeper,
        lines: &[RecordLine],
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        record::add(&mut tx, keeper, lines, now).await?;
        Ok(tx.commit().await?)
    }

    async fn forget_records(&self, before: UnixTime, most: u32) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        record::forget(&mut tx, before, most).await?;
        Ok(tx.commit().await?)
    }
}

fn one_past(row: &SqliteRow) -> Result<Past, StoreError> {
    let who: String = row.try_get("who")?;
    let who = match row.try_get::<String, _>("kind")?.as_str() {
        "subject" => RevokeTarget::Subject(subject(who)?),
        _ => RevokeTarget::Device(who.parse::<PeerId>().map_err(|_| StoreError::Corrupt)?),
    };
    Ok(Past {
        revoked: Revoked {
            who,
            epoch: number(row.try_get("epoch")?)?,
        },
        received: UnixTime(number(row.try_get("received_at")?)?),
    })
}

fn subject(text: String) -> Result<Subject, StoreError> {
    Subject::try_from(text).map_err(|_| StoreError::Corrupt)
}

fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt)
}

/// SQLite's integers are signed; a time or version beyond them stays at their end.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound => Self::Corrupt,
            other => {
                tracing::error!(error = %other, "store call failed");
                Self::Unavailable
            }
        }
    }
}

impl Store for SqliteStore {
    fn enrol<'a>(&'a self, device: &'a NewDevice) -> BoxFuture<'a, Result<Enrolled, StoreError>> {
        Box::pin(self.enrol(device))
    }

    fn vouch<'a>(&'a self, device: &'a Vouched) -> BoxFuture<'a, Result<Enrolled, StoreError>> {
        Box::pin(self.vouch(device))
    }

    fn devices_of<'a>(
        &'a self,
        sub: &'a Subject,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<DeviceInfo>, StoreError>> {
        Box::pin(devices::of(&self.pool, sub, most))
    }

    fn saw<'a>(
        &'a self,
        identity: &'a VerifyKey,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(devices::saw(&self.pool, identity, now))
    }

    fn enrol_outlet<'a>(
        &'a self,
        outlet: &'a NewOutlet,
    ) -> BoxFuture<'a, Result<Enrolled, StoreError>> {
        Box::pin(self.enrol_outlet(outlet))
    }

    fn outlets(&self) -> BoxFuture<'_, Result<Vec<EnrolledOutlet>, StoreError>> {
        Box::pin(self.outlets())
    }

    fn known<'a>(&'a self, identity: &'a VerifyKey) -> BoxFuture<'a, Result<Known, StoreError>> {
        Box::pin(self.known(identity))
    }

    fn revoke<'a>(
        &'a self,
        order: &'a NewRevocation,
    ) -> BoxFuture<'a, Result<Receipt, StoreError>> {
        Box::pin(self.revoke(order))
    }

    fn take_back<'a>(
        &'a self,
        asked: &'a TakeBack,
    ) -> BoxFuture<'a, Result<TakenBack, StoreError>> {
        Box::pin(self.take_back(asked))
    }

    fn past(&self, most: u32) -> BoxFuture<'_, Result<(Vec<Past>, u64), StoreError>> {
        Box::pin(self.past(most))
    }

    fn shut_out_since(&self, earliest: UnixTime) -> BoxFuture<'_, Result<Vec<PeerId>, StoreError>> {
        Box::pin(shut_out::since(&self.pool, earliest))
    }

    fn accept<'a>(
        &'a self,
        seen: &'a [Seen],
        catalogue: [u8; 32],
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        Box::pin(self.accept(seen, catalogue))
    }

    fn put_access<'a>(&'a self, doc: &'a AccessDoc) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(access::put(&self.pool, doc))
    }

    fn accesses(&self, now: UnixTime) -> BoxFuture<'_, Result<Vec<AccessDoc>, StoreError>> {
        Box::pin(access::all(&self.pool, now))
    }

    fn forget_accesses(&self, before: UnixTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(access::forget(&self.pool, before))
    }

    fn forget_access<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(access::forget_one(&self.pool, id))
    }

    fn record<'a>(
        &'a self,
        keeper: &'a Keeper,
        lines: &'a [RecordLine],
        now: UnixTime,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.record(keeper, lines, now))
    }

    fn recorded<'a>(
        &'a self,
        sub: &'a Subject,
        before: Option<u64>,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<RecordEntry>, StoreError>> {
        Box::pin(record::of(&self.pool, sub, before, most))
    }

    fn forget_records(&self, before: UnixTime, most: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.forget_records(before, most))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
