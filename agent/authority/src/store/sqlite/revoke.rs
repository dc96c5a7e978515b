//! Revocations inside one transaction: the epoch rises, the order is kept, and whom it means is shut out, all or nothing.
//! An administrator's order counts however often it is signed; a person takes one device back once, and not without end.

use sqlx::{Row, SqliteConnection};
use tidegate_proto::{identity::PeerId, statement::RevokeTarget};

use super::{number, signed};
use crate::store::{
    NewRevocation, Receipt, StoreError, TAKEN_BACK_AT_MOST, TAKEN_BACK_WITHIN, TakeBack, TakenBack,
};

pub(super) async fn revoke(
    tx: &mut SqliteConnection,
    order: &NewRevocation,
) -> Result<Receipt, StoreError> {
    let before: Option<i64> = sqlx::query_scalar("SELECT epoch FROM revocation WHERE id = ?1")
        .bind(&order.id)
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(epoch) = before {
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
    Ok(Receipt {
        epoch: number(epoch)?,
        again: false,
    })
}

/// Somebody else's device and none at all look the same.
pub(super) async fn take_back(
    tx: &mut SqliteConnection,
    asked: &TakeBack,
) -> Result<TakenBack, StoreError> {
    let known = sqlx::query("SELECT revoked_epoch FROM device WHERE sub = ?1 AND peer = ?2")
        .bind(asked.sub.as_str())
        .bind(asked.device.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = known else {
        return Ok(TakenBack::NotTheirs);
    };
    if row.try_get::<Option<i64>, _>("revoked_epoch")?.is_some() {
        return Ok(TakenBack::Already);
    }
    if taken_back_lately(tx, asked).await? >= TAKEN_BACK_AT_MOST {
        return Ok(TakenBack::TooMany);
    }
    let order = NewRevocation {
        id: order_of(asked.device),
        who: RevokeTarget::Device(asked.device),
        at: asked.now,
        // Nobody signed an order: the person did it with a device that is in.
        jws: String::new(),
        now: asked.now,
    };
    revoke(tx, &order).await.map(TakenBack::Now)
}

async fn taken_back_lately(tx: &mut SqliteConnection, asked: &TakeBack) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM device JOIN revocation ON revocation.kind = 'device' AND revocation.who = device.peer
         WHERE device.sub = ?1 AND revocation.jws = '' AND revocation.received_at >= ?2",
    )
    .bind(asked.sub.as_str())
    .bind(signed(asked.now.minus(TAKEN_BACK_WITHIN).0))
    .fetch_one(tx)
    .await?)
}

fn order_of(device: PeerId) -> String {
    format!("own-{device}")
}

fn target(who: &RevokeTarget) -> (&'static str, String) {
    match who {
        RevokeTarget::Subject(sub) => ("subject", sub.to_string()),
        RevokeTarget::Device(peer) => ("device", peer.to_string()),
    }
}
