//! Enrolment inside one transaction: the ticket is used and the key is a device, or neither.
//! Read and write belong together here; a check made before the transaction would be a race.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::signed;
use crate::store::{Enrolled, NewDevice, StoreError, device_name};

/// Decides inside the transaction, so that of two callers with one ticket exactly one is first.
pub(super) async fn enrol(
    tx: &mut SqliteConnection,
    new: &NewDevice,
) -> Result<Enrolled, StoreError> {
    let identity = new.identity.to_string();
    let peer = new.identity.peer_id();
    let used: Option<String> = sqlx::query_scalar("SELECT identity FROM device WHERE ticket = ?1")
        .bind(&new.ticket)
        .fetch_optional(&mut *tx)
        .await?;
    let holder =
        sqlx::query("SELECT name, sub, ticket, revoked_epoch FROM device WHERE identity = ?1")
            .bind(&identity)
            .fetch_optional(&mut *tx)
            .await?;

    if let Some(row) = holder {
        return held(&row, new);
    }
    if used.is_some_and(|key| key != identity) {
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
    let name = device_name(peer);
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
