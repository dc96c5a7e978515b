//! Transactions that count: what a program knows to be committed is what the database has, neither less nor more.
//! Only a commit whose answer never came may be either; the next transaction of the same counter tells which.

use super::door::{Broken, Door, Session, answered};
use crate::warehouse::LOGIN;

/// For the database's administrator, in the database of the service. The login may have as many sessions as programs want.
pub(super) fn tables(counters: usize) -> String {
    format!(
        "create table chaos_count (who int primary key, n bigint not null);
         create table chaos_step (who int, n bigint, primary key (who, n));
         insert into chaos_count select w, 0 from generate_series(1, {counters}) w;
         grant select, update on chaos_count to {LOGIN};
         grant select, insert on chaos_step to {LOGIN};
         alter role {LOGIN} connection limit -1;"
    )
}

pub(super) struct Counter {
    pub(super) who: i32,
    /// Known to be committed.
    pub(super) known: i64,
    /// One more may be.
    pub(super) in_doubt: bool,
}

impl Counter {
    /// One transaction.
    pub(super) async fn count(&mut self, door: &Door, session: &Session) -> Result<(), Broken> {
        let client = &session.client;
        answered(client.batch_execute("begin")).await?;
        let update = "update chaos_count set n = n + 1 where who = $1 returning n";
        let now: i64 = answered(client.query_one(update, &[&self.who]))
            .await?
            .get(0);
        let may_be = [self.known + 1, self.known + 1 + i64::from(self.in_doubt)];
        if !may_be.contains(&now) {
            return Err(Broken::Wrong(format!(
                "counter {} stands at {}, and {} commits were answered",
                self.who,
                now - 1,
                self.known
            )));
        }
        (self.known, self.in_doubt) = (now - 1, false);
        let insert = "insert into chaos_step values ($1, $2)";
        answered(client.execute(insert, &[&self.who, &now])).await?;
        let committed = answered(client.batch_execute("commit")).await;
        let mut book = door.ledger.book();
        if committed.is_ok() {
            self.known = now;
            book.carried.committed += 1;
        } else {
            self.in_doubt = true;
            book.carried.unknown += 1;
        }
        committed
    }
}
