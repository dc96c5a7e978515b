//! Requests for access, one document each. What a document says is for `access` to know.
//! A change that was made from an older version changes nothing: of two at once exactly one is first.

use sqlx::{Row, SqlitePool};
use tidegate_proto::time::UnixTime;

use super::{number, signed};
use crate::store::{AccessDoc, StoreError};

/// Adds version 1, or puts a version in the place of the one before it. Says whether it did.
pub(super) async fn put(pool: &SqlitePool, doc: &AccessDoc) -> Result<bool, StoreError> {
    let put = if doc.version == 1 {
        "INSERT INTO access VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING"
    } else {
        "UPDATE access SET version = ?2, gone_at = ?3, doc = ?4 WHERE id = ?1 AND version = ?2 - 1"
    };
    let done = sqlx::query(put)
        .bind(&doc.id)
        .bind(signed(doc.version))
        .bind(signed(doc.gone_at.0))
        .bind(&doc.doc)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Those that still matter at `now`.
pub(super) async fn all(pool: &SqlitePool, now: UnixTime) -> Result<Vec<AccessDoc>, StoreError> {
    let rows = sqlx::query("SELECT id, version, gone_at, doc FROM access WHERE gone_at > ?1")
        .bind(signed(now.0))
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AccessDoc {
                id: row.try_get("id")?,
                version: number(row.try_get("version")?)?,
                gone_at: UnixTime(number(row.try_get("gone_at")?)?),
                doc: row.try_get("doc")?,
            })
        })
        .collect()
}

/// Deletes what was gone before then.
pub(super) async fn forget(pool: &SqlitePool, before: UnixTime) -> Result<(), StoreError> {
    let forget = sqlx::query("DELETE FROM access WHERE gone_at < ?1").bind(signed(before.0));
    forget.execute(pool).await?;
    Ok(())
}

pub(super) async fn forget_one(pool: &SqlitePool, id: &str) -> Result<(), StoreError> {
    let forget = sqlx::query("DELETE FROM access WHERE id = ?1").bind(id);
    forget.execute(pool).await?;
    Ok(())
}
