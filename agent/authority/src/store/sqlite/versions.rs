//! The versions of what the org root signed, inside one transaction: all of a bundle is noted, or none of it.
//! Equal versions are compared by content, so that one version never has two.

use sqlx::{Row, SqliteConnection};

use super::{number, signed};
use crate::store::{Accepted, Seen, StoreError};

/// Name under which the changes of the catalogue are counted.
const CATALOGUE: &str = "catalogue";

/// Decides; the caller commits if the answer is yes.
pub(super) async fn accept(
    tx: &mut SqliteConnection,
    seen: &[Seen],
    catalogue: [u8; 32],
) -> Result<Accepted, StoreError> {
    let (mut older, mut differing) = (Vec::new(), Vec::new());
    for part in seen {
        match before(tx, &part.name).await? {
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
        note(tx, part).await?;
    }
    let catalogue = count(tx, catalogue).await?;
    Ok(Accepted::Yes { catalogue })
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
