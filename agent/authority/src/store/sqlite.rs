//! The store in one SQLite file: the embedded default.
//! Writers begin with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would let two tickets win one race.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{
    Row, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    identity::{PeerId, VerifyKey},
    names::Subject,
    statement::{RevokeTarget, Revoked},
    time::UnixTime,
};

use super::{
    Accepted, Device, Enrolled, Known, NewDevice, NewRevocation, Past, Receipt, Seen, Store,
    StoreError,
};

const MIGRATIONS: [&str; 1] = [include_str!("migrations/1.sql")];
/// How long a call waits for the file, at most; then it is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// Name under which the changes of the catalogue are counted.
const CATALOGUE: &str = "catalogue";

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
        let enrolled = enrol(&mut tx, new).await?;
        tx.commit().await?;
        Ok(enrolled)
    }

    async fn known(&self, identity: &VerifyKey) -> Result<Known, StoreError> {
        // One statement is one snapshot: device and epoch belong together.
        let row = sqlx::query(
            "SELECT epoch.value AS epoch, device.name, device.sub, device.revoked_epoch
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
            }),
            epoch,
        })
    }

    async fn revoke(&self, order: &NewRevocation) -> Result<Receipt, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(epoch) = scalar(
            &mut tx,
            "SELECT epoch FROM revocation WHERE id = ?1",
            &order.id,
        )
        .await?
        {
            return Ok(Receipt {
                epoch: number(epoch)?,
                again: true,
            });
        }
        let epoch: i64 = sqlx::query_scalar("UPDATE epoch SET value = value + 1 RETURNING value")
            .fetch_one(&mut *tx)
            .await?;
        let (kind, who) = target(&order.who);
        sqlx::query("INSERT INTO revocation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .bind(&order.id)
            .bind(kind)
            .bind(&who)
            .bind(epoch)
            .bind(signed(order.at.0))
            .bind(signed(order.now.0))
            .bind(&order.jws)
            .execute(&mut *tx)
            .await?;
        let shut = match order.who {
            RevokeTarget::Subject(_) => {
                "UPDATE device SET revoked_epoch = ?1 WHERE sub = ?2 AND revoked_epoch IS NULL"
            }
            RevokeTarget::Device(_) => {
                "UPDATE device SET revoked_epoch = ?1 WHERE peer = ?2 AND revoked_epoch IS NULL"
            }
        };
        sqlx::query(shut)
            .bind(epoch)
            .bind(&who)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Receipt {
            epoch: number(epoch)?,
            again: false,
        })
    }

    async fn past(&self, most: u32) -> Result<(Vec<Past>, u64), StoreError> {
        let mut tx = self.pool.begin().await?; // a reader: both answers from one snapshot
        let rows = sqlx::query(
            "SELECT kind, who, epoch, received_at FROM revocation ORDER BY epoch DESC LIMIT ?1",
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
        let (mut older, mut differing) = (Vec::new(), Vec::new());
        for part in seen {
            match before(&mut tx, &part.name).await? {
                Some((version, _)) if part.version < version => older.push(part.name.clone()),
                Some((version, digest))
                    if part.version == version && part.digest.as_slice() != digest =>
                {
                    differing.push(part.name.clone());
                }
                Some(_) | None => {}
            }
        }
        if !older.is_empty() || !differing.is_empty() {
            return Ok(Accepted::No { older, differing });
        }
        for part in seen {
            note(&mut tx, part).await?;
        }
        let catalogue = count(&mut tx, catalogue).await?;
        tx.commit().await?;
        Ok(Accepted::Yes { catalogue })
    }
}

/// Decides inside the transaction, so that of two callers with one ticket exactly one is first.
async fn enrol(tx: &mut SqliteConnection, new: &NewDevice) -> Result<Enrolled, StoreError> {
    let identity = new.identity.to_string();
    let peer = new.identity.peer_id();
    let used = scalar(
        tx,
        "SELECT identity FROM device WHERE ticket = ?1",
        &new.ticket,
    )
    .await?;
    let holder =
        sqlx::query("SELECT name, sub, ticket, revoked_epoch FROM device WHERE identity = ?1")
            .bind(&identity)
            .fetch_optional(&mut *tx)
            .await?;

    if let Some(row) = holder {
        return held(&row, new);
    }
    if used.is_some_and(|key: String| key != identity) {
        return Ok(Enrolled::TicketUsed);
    }
    let key_revoked: Option<i64> = last_revocation(tx, "device", &peer.to_string()).await?;
    if key_revoked.is_some() {
        return Ok(Enrolled::KeyRevoked);
    }
    let person_revoked = last_revocation(tx, "subject", new.sub.as_str()).await?;
    if person_revoked.is_some_and(|at| signed(new.ticket_at.0) <= at) {
        return Ok(Enrolled::TicketOutdated);
    }
    let name = super::device_name(peer);
    sqlx::query("INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)")
        .bind(&identity)
        .bind(peer.to_string())
        .bind(&name)
        .bind(new.sub.as_str())
        .bind(&new.ticket)
        .bind(signed(new.now.0))
        .execute(tx)
        .await?;
    Ok(Enrolled::New(name))
}

/// The key is a device already.
fn held(row: &SqliteRow, new: &NewDevice) -> Result<Enrolled, StoreError> {
    if row.try_get::<Option<i64>, _>("revoked_epoch")?.is_some() {
        return Ok(Enrolled::KeyRevoked);
    }
    if row.try_get::<String, _>("ticket")? == new.ticket {
        return Ok(Enrolled::Again(row.try_get("name")?));
    }
    let same_person = row.try_get::<String, _>("sub")? == new.sub.as_str();
    Ok(Enrolled::KeyTaken { same_person })
}

async fn last_revocation(
    tx: &mut SqliteConnection,
    kind: &str,
    who: &str,
) -> Result<Option<i64>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT max(ordered_at) FROM revocation WHERE kind = ?1 AND who = ?2")
            .bind(kind)
            .bind(who)
            .fetch_one(tx)
            .await?,
    )
}

async fn before(
    tx: &mut SqliteConnection,
    name: &str,
) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let row = sqlx::query("SELECT version, digest FROM seen WHERE name = ?1")
        .bind(name)
        .fetch_optional(tx)
        .await?;
    row.map(|row| Ok((number(row.try_get("version")?)?, row.try_get("digest")?)))
        .transpose()
}

async fn note(tx: &mut SqliteConnection, part: &Seen) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO seen VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, digest = excluded.digest",
    )
    .bind(&part.name)
    .bind(signed(part.version))
    .bind(part.digest.as_slice())
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts up when the catalogue as a whole is another one than before, be it only that an entry left.
async fn count(tx: &mut SqliteConnection, digest: [u8; 32]) -> Result<u64, StoreError> {
    let version = match before(tx, CATALOGUE).await? {
        Some((version, old)) if old == digest => return Ok(version),
        Some((version, _)) => version + 1,
        None => 1,
    };
    note(
        tx,
        &Seen {
            name: CATALOGUE.into(),
            version,
            digest,
        },
    )
    .await?;
    Ok(version)
}

async fn scalar<T>(
    tx: &mut SqliteConnection,
    sql: &'static str,
    key: &str,
) -> Result<Option<T>, StoreError>
where
    T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + Send + Unpin,
{
    Ok(sqlx::query_scalar(sql).bind(key).fetch_optional(tx).await?)
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

fn target(who: &RevokeTarget) -> (&'static str, String) {
    match who {
        RevokeTarget::Subject(sub) => ("subject", sub.to_string()),
        RevokeTarget::Device(peer) => ("device", peer.to_string()),
    }
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

    fn known<'a>(&'a self, identity: &'a VerifyKey) -> BoxFuture<'a, Result<Known, StoreError>> {
        Box::pin(self.known(identity))
    }

    fn revoke<'a>(
        &'a self,
        order: &'a NewRevocation,
    ) -> BoxFuture<'a, Result<Receipt, StoreError>> {
        Box::pin(self.revoke(order))
    }

    fn past(&self, most: u32) -> BoxFuture<'_, Result<(Vec<Past>, u64), StoreError>> {
        Box::pin(self.past(most))
    }

    fn accept<'a>(
        &'a self,
        seen: &'a [Seen],
        catalogue: [u8; 32],
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        Box::pin(self.accept(seen, catalogue))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
