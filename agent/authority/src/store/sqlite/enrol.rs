//! Enrolment inside one transaction: the ticket is used and the key is a device, or neither.
//! Read and write belong together here; a check made before the transaction would be a race.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use tidegate_proto::statement::Vouch;

use super::signed;
use crate::store::{Enrolled, LET_IN_AT_MOST, NewDevice, StoreError, Vouched, device_name};

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
    sqlx::query("INSERT INTO device (identity, peer, name, sub, ticket, enrolled_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
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

/// As `enrol`, for a device that another one vouches for. The vouch's id takes the place of the ticket: it enrols once.
pub(super) async fn vouch(
    tx: &mut SqliteConnection,
    new: &Vouched,
) -> Result<Enrolled, StoreError> {
    let peer = new.identity.peer_id();
    let sponsor = sqlx::query("SELECT sub, depth, revoked_epoch FROM device WHERE identity = ?1")
        .bind(new.sponsor.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(depth) = sponsor
        .map(|row| fit_depth(&row, new))
        .transpose()?
        .flatten()
    else {
        return Ok(Enrolled::SponsorUnfit);
    };
    let taken = sqlx::query(
        "SELECT name, sub, ticket, revoked_epoch FROM device WHERE identity = ?1 OR ticket = ?2",
    )
    .bind(new.identity.to_string())
    .bind(&new.vouch)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = taken {
        let same_person = row.try_get::<String, _>("sub")? == new.sub.as_str();
        return Ok(Enrolled::KeyTaken { same_person });
    }
    if last_revocation(tx, "device", &peer.to_string())
        .await?
        .is_some()
    {
        return Ok(Enrolled::KeyRevoked);
    }
    let devices: i64 =
        sqlx::query_scalar("SELECT count(*) FROM device WHERE sub = ?1 AND revoked_epoch IS NULL")
            .bind(new.sub.as_str())
            .fetch_one(&mut *tx)
            .await?;
    if devices >= LET_IN_AT_MOST {
        return Ok(Enrolled::TooManyDevices);
    }
    let name = device_name(peer);
    sqlx::query(
        "INSERT INTO device (identity, peer, name, sub, ticket, enrolled_at, vouched_by, depth, label)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(new.identity.to_string())
    .bind(peer.to_string())
    .bind(&name)
    .bind(new.sub.as_str())
    .bind(&new.vouch)
    .bind(signed(new.now.0))
    .bind(new.sponsor.peer_id().to_string())
    .bind(depth)
    .bind(&new.label)
    .execute(tx)
    .await?;
    Ok(Enrolled::New(name))
}

/// How far from a ticket the new device will be; `None` when the sponsor may not vouch.
fn fit_depth(sponsor: &SqliteRow, new: &Vouched) -> Result<Option<i64>, StoreError> {
    let revoked = sponsor
        .try_get::<Option<i64>, _>("revoked_epoch")?
        .is_some();
    let same_person = sponsor.try_get::<String, _>("sub")? == new.sub.as_str();
    let depth = sponsor.try_get::<i64, _>("depth")? + 1;
    let near = usize::try_from(depth).is_ok_and(|depth| depth <= Vouch::DEPTH);
    Ok((same_person && near && !revoked).then_some(depth))
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

pub(super) async fn last_revocation(
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
