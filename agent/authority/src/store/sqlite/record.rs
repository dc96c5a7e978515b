//! What was recorded about whom. Lines that concern nobody are not in it, and old ones leave: the files on disk have them all.
//! Threads lead from an event that names nobody to whom an earlier one of the same thread named.

use std::collections::BTreeSet;

use sqlx::{Row, Sqlite, SqlitePool, Transaction};
use tidegate_proto::{
    api::record::RecordEntry,
    event::{About, Thread},
    names::Subject,
    time::UnixTime,
};

use super::{number, signed, subject};
use crate::store::{Keeper, RecordLine, StoreError};

/// Adds the lines that concern somebody.
pub(super) async fn add(
    tx: &mut Transaction<'static, Sqlite>,
    keeper: &Keeper,
    lines: &[RecordLine],
    now: UnixTime,
) -> Result<(), StoreError> {
    for line in lines {
        let concerned = concerned(tx, keeper, &line.about, now).await?;
        let people: BTreeSet<_> = concerned.iter().chain(&line.done_by).collect();
        if people.is_empty() {
            continue;
        }
        let added = sqlx::query("INSERT INTO record (taken, keeper, line) VALUES (?1, ?2, ?3)")
            .bind(signed(now.0))
            .bind(keeper.key().to_string())
            .bind(&line.line)
            .execute(&mut **tx)
            .await?;
        for sub in people {
            sqlx::query("INSERT INTO record_about VALUES (?1, ?2)")
                .bind(sub.as_str())
                .bind(added.last_insert_rowid())
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

/// Whom it names, and whom its thread has named.
async fn concerned(
    tx: &mut Transaction<'static, Sqlite>,
    keeper: &Keeper,
    about: &About,
    now: UnixTime,
) -> Result<Vec<Subject>, StoreError> {
    let mut people = about.people.clone();
    let Some(thread) = &about.thread else {
        return Ok(people);
    };
    let (name, may_begin, ends) = match (thread, keeper) {
        (Thread::Authority(name), Keeper::Authority(_)) => (name.clone(), true, false),
        // Whose device or grant it is, is not for an outlet to say.
        (Thread::Authority(name), Keeper::Outlet(_)) => (name.clone(), false, false),
        (Thread::Keeper { name, ends }, _) => (format!("{} {name}", keeper.key()), true, *ends),
    };
    if may_begin {
        begin(tx, &name, &people, now).await?;
    }
    let rows = sqlx::query("SELECT sub FROM record_thread WHERE thread = ?1")
        .bind(&name)
        .fetch_all(&mut **tx)
        .await?;
    for row in rows {
        people.push(subject(row.try_get("sub")?)?);
    }
    if ends {
        let over = sqlx::query("DELETE FROM record_thread WHERE thread = ?1").bind(&name);
        over.execute(&mut **tx).await?;
    }
    Ok(people)
}

async fn begin(
    tx: &mut Transaction<'static, Sqlite>,
    thread: &str,
    people: &[Subject],
    now: UnixTime,
) -> Result<(), StoreError> {
    for sub in people {
        sqlx::query("INSERT INTO record_thread VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .bind(thread)
            .bind(sub.as_str())
            .bind(signed(now.0))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// The newest that came before `before`, newest first.
pub(super) async fn of(
    pool: &SqlitePool,
    sub: &Subject,
    before: Option<u64>,
    most: u32,
) -> Result<Vec<RecordEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT record.number, record.keeper, record.line FROM record_about AS about
         JOIN record ON record.number = about.number
         WHERE about.sub = ?1 AND about.number < ?2 ORDER BY about.number DESC LIMIT ?3",
    )
    .bind(sub.as_str())
    .bind(before.map_or(i64::MAX, signed))
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let keeper: String = row.try_get("keeper")?;
            Ok(RecordEntry {
                number: number(row.try_get("number")?)?,
                keeper: keeper.parse().map_err(|_| StoreError::Corrupt)?,
                line: row.try_get("line")?,
            })
        })
        .collect()
}

/// Forgets what was taken before then, and of each person all but the newest `most`.
pub(super) async fn forget(
    tx: &mut Transaction<'static, Sqlite>,
    before: UnixTime,
    most: u32,
) -> Result<(), StoreError> {
    for forget in [
        "DELETE FROM record WHERE taken < ?1",
        "DELETE FROM record_thread WHERE taken < ?1",
    ] {
        let forget = sqlx::query(forget).bind(signed(before.0));
        forget.execute(&mut **tx).await?;
    }
    sqlx::query(
        "DELETE FROM record_about WHERE (sub, number) IN (SELECT sub, number FROM
             (SELECT sub, number, row_number() OVER (PARTITION BY sub ORDER BY number DESC) AS place FROM record_about)
         WHERE place > ?1)",
    )
    .bind(i64::from(most))
    .execute(&mut **tx)
    .await?;
    let forget = "DELETE FROM record WHERE NOT EXISTS (SELECT 1 FROM record_about AS about WHERE about.number = record.number)";
    sqlx::query(forget).execute(&mut **tx).await?;
    Ok(())
}
