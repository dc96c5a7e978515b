//! The keys that were shut out: whoever admits by something that outlives a revocation must be told of them.
//! A device is listed as long as its last pass could live, whether the order named it or its person; an outlet that a
//! ticket made, for ever: its chain has no end of its own.

use sqlx::{Row, SqlitePool};
use tidegate_proto::{identity::PeerId, time::UnixTime};

use super::signed;
use crate::store::StoreError;

pub(super) async fn since(
    pool: &SqlitePool,
    earliest: UnixTime,
) -> Result<Vec<PeerId>, StoreError> {
    let rows = sqlx::query(
        "SELECT device.peer FROM revocation JOIN device ON device.revoked_epoch = revocation.epoch
         WHERE revocation.received_at >= ?1
         UNION
         SELECT outlet.peer FROM revocation JOIN outlet ON revocation.who = outlet.peer
         WHERE revocation.kind = 'device'",
    )
    .bind(signed(earliest.0))
    .fetch_all(pool)
    .await?;
    let peer = |text: String| text.parse().map_err(|_| StoreError::Corrupt);
    rows.iter().map(|row| peer(row.try_get("peer")?)).collect()
}
