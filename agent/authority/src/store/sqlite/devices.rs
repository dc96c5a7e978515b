//! The devices of a person, as they are listed, and when each was last there.
//! The time last seen is for people: nothing is decided by it, so it may be a little late.

use sqlx::{Row, SqlitePool, sqlite::SqliteRow};
use tidegate_proto::{
    api::devices::DeviceInfo,
    identity::{PeerId, VerifyKey},
    names::Subject,
    time::UnixTime,
};

use super::{number, signed};
use crate::store::StoreError;

/// Those that are in before those that were shut out: nobody hides one behind a hundred others.
pub(super) async fn of(
    pool: &SqlitePool,
    sub: &Subject,
    most: u32,
) -> Result<Vec<DeviceInfo>, StoreError> {
    let rows = sqlx::query(
        "SELECT peer, name, label, enrolled_at, seen_at, revoked_epoch, vouched_by FROM device
         WHERE sub = ?1 ORDER BY revoked_epoch IS NOT NULL, enrolled_at DESC, peer LIMIT ?2",
    )
    .bind(sub.as_str())
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?;
    rows.iter().map(one).collect()
}

pub(super) async fn saw(
    pool: &SqlitePool,
    identity: &VerifyKey,
    now: UnixTime,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE device SET seen_at = ?1 WHERE identity = ?2")
        .bind(signed(now.0))
        .bind(identity.to_string())
        .execute(pool)
        .await?;
    Ok(())
}

fn one(row: &SqliteRow) -> Result<DeviceInfo, StoreError> {
    let seen: Option<i64> = row.try_get("seen_at")?;
    let vouched_by: Option<String> = row.try_get("vouched_by")?;
    Ok(DeviceInfo {
        id: peer(&row.try_get::<String, _>("peer")?)?,
        name: row.try_get("name")?,
        label: row.try_get("label")?,
        enrolled: UnixTime(number(row.try_get("enrolled_at")?)?),
        seen: seen.map(number).transpose()?.map(UnixTime),
        revoked: row.try_get::<Option<i64>, _>("revoked_epoch")?.is_some(),
        vouched_by: vouched_by.as_deref().map(peer).transpose()?,
    })
}

fn peer(text: &str) -> Result<PeerId, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt)
}
