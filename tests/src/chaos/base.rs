//! The database behind it all, asked by its administrator past the tunnel: tables, counters, roles, what is left.
//! In the database of the service, where `Warehouse` itself asks only about sessions.

use std::collections::BTreeSet;

use tokio_postgres::{Client, Config, NoTls};

use super::load::Counted;
use crate::trouble::{Doing, Outcome};
use crate::warehouse::{DATABASE, LOGIN, Warehouse};

pub(super) struct Base(Client);

impl Base {
    pub(super) async fn of(warehouse: &Warehouse) -> Outcome<Self> {
        let mut config = Config::new();
        config
            .host_path(warehouse.socket())
            .port(warehouse.address.port())
            .user("postgres")
            .dbname(DATABASE)
            .password(&warehouse.admin_password);
        let (client, connection) = config
            .connect(NoTls)
            .await
            .doing("ask the database past the tunnel")?;
        // Ends with its client.
        tokio::spawn(connection);
        Ok(Self(client))
    }

    pub(super) async fn prepare(&self, tables: &str) -> Outcome<()> {
        Ok(self.0.batch_execute(tables).await?)
    }

    /// Sessions of the outlet's login.
    pub(super) async fn sessions(&self) -> Outcome<u64> {
        let sql = "select count(*) from pg_stat_activity where usename = $1";
        let row = self.0.query_one(sql, &[&LOGIN]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    pub(super) async fn roles(&self) -> Outcome<BTreeSet<String>> {
        let rows = self.0.query("select rolname::text from pg_roles", &[]);
        Ok(rows.await?.iter().map(|row| row.get(0)).collect())
    }

    /// Tables of sessions that are gone.
    pub(super) async fn temporary_tables(&self) -> Outcome<i64> {
        let sql = "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'";
        Ok(self.0.query_one(sql, &[]).await?.get(0))
    }

    /// What is wrong with the counters, in words.
    pub(super) async fn miscounted(&self, counted: &[Counted]) -> Outcome<Vec<String>> {
        let sql = "select n, (select count(*) from chaos_step s where s.who = c.who) from chaos_count c where who = $1";
        let mut wrong = Vec::new();
        for counter in counted {
            let row = self.0.query_one(sql, &[&counter.who]).await?;
            let (stands, steps): (i64, i64) = (row.get(0), row.get(1));
            let may_be = counter.known..=counter.known + i64::from(counter.in_doubt);
            if !may_be.contains(&stands) || steps != stands {
                wrong.push(format!(
                    "counter {} stands at {stands} with {steps} steps, and {} commits were answered",
                    counter.who, counter.known
                ));
            }
        }
        Ok(wrong)
    }
}
