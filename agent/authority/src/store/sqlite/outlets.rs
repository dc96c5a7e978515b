//! Outlets that were enrolled by ticket, newest first.
//! A row is a used ticket, not a right: the catalogue entry says which tickets still make an outlet.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use tidegate_proto::statement::EnrolmentChain;

use super::signed;
use crate::store::{Enrolled, EnrolledOutlet, NewOutlet, StoreError, device_name};

/// Decides inside the transaction, so that of two callers with one ticket exactly one is first.
pub(super) async fn enrol(
    tx: &mut SqliteConnection,
    new: &NewOutlet,
) -> Result<Enrolled, StoreError> {
    let (identity, noise) = (new.keys.identity.to_string(), new.keys.noise.to_string());
    let peer = new.keys.identity.peer_id();
    let used = sqlx::query("SELECT identity, noise FROM outlet WHERE ticket = ?1")
        .bind(&new.ticket)
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(row) = used {
        let same = row.try_get::<String, _>("identity")? == identity
            && row.try_get::<String, _>("noise")? == noise;
        return Ok(match same {
            true => Enrolled::Again(device_name(peer)),
            false => Enrolled::TicketUsed,
        });
    }
    if super::enrol::last_revocation(tx, "device", &peer.to_string())
        .await?
        .is_some()
    {
        return Ok(Enrolled::KeyRevoked);
    }
    sqlx::query("INSERT INTO outlet VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .bind(&new.ticket)
        .bind(new.service.as_str())
        .bind(&identity)
        .bind(peer.to_string())
        .bind(&noise)
        .bind(&new.chain.ticket)
        .bind(&new.chain.enrolment)
        .bind(signed(new.now.0))
        .execute(tx)
        .await?;
    Ok(Enrolled::New(device_name(peer)))
}

/// All whose key was not revoked.
pub(super) async fn all(tx: &mut SqliteConnection) -> Result<Vec<EnrolledOutlet>, StoreError> {
    let rows = sqlx::query(
        "SELECT service, ticket_jws, enrolment_jws FROM outlet
         WHERE NOT EXISTS (SELECT 1 FROM revocation WHERE kind = 'device' AND who = outlet.peer)
         ORDER BY enrolled_at DESC, rowid DESC",
    )
    .fetch_all(tx)
    .await?;
    rows.iter().map(one).collect()
}

fn one(row: &SqliteRow) -> Result<EnrolledOutlet, StoreError> {
    let service: String = row.try_get("service")?;
    Ok(EnrolledOutlet {
        service: service.parse().map_err(|_| StoreError::Corrupt)?,
        chain: EnrolmentChain {
            ticket: row.try_get("ticket_jws")?,
            enrolment: row.try_get("enrolment_jws")?,
        },
    })
}
