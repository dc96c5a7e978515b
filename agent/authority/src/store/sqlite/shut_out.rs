//! The keys that are shut out: whoever admits by something that outlives a revocation must be told of them.
//! A device's last pass is soon over, so it is listed for a while, whether the order named it or its person. Every other key that
//! an order named is listed for ever: the chain by which an outlet comes back has no end.

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
         SELECT who FROM revocation
         WHERE kind = 'device' AND NOT EXISTS (SELECT 1 FROM device WHERE device.peer = who)",
    )
    .bind(signed(earliest.0))
    .fetch_all(pool)
    .await?;
    let peer = |text: String| text.parse().map_err(|_| StoreError::Corrupt);
    rows.iter().map(|row| peer(row.try_get("peer")?)).collect()
}
