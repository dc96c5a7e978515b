//! The life of one temporary role: made for the first session that needs it, shared by those on the same grant, cleared away
//! when nobody is left. One task per role does it all, so nobody logs in with a role that is on its way out.

use std::sync::Arc;
use std::time::Duration;

use tidegate_postgres::{KeptKeys, scram_verifier};
use tidegate_proto::entropy::{Entropy as _, SystemEntropy};
use tidegate_proto::event::EventKind;
use tidegate_proto::names::Subject;
use tidegate_proto::permit::Permit;
use tidegate_proto::statement::GrantId;
use tidegate_proto::time::UnixTime;
use tokio::select;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::journal::RoleName;
use super::point::Point;
use super::{Keeping, fits, maker};
use crate::clock;
use crate::postgres::fault::Fault;

/// How long a role waits for the next session on the same grant: programs connect anew for each question they have.
const LINGERS: Duration = Duration::from_secs(10);
/// How much longer than the right to it a role can log in, in seconds: for clocks that differ.
const MARGIN: u64 = 300;
/// For making a role, and for one attempt to clear it away.
const LIMIT: Duration = Duration::from_secs(8);
/// For the last attempt of an outlet that stops.
const LAST_LIMIT: Duration = Duration::from_secs(2);
/// Between attempts to clear it away: at first, and at most.
const AGAIN: Duration = Duration::from_millis(250);
const AGAIN_MOST: Duration = Duration::from_secs(30);

/// What a session needs of a role.
pub(super) struct Wanted {
    pub(super) who: Subject,
    pub(super) grant: Option<GrantId>,
    pub(super) read_only: bool,
    pub(super) until: UnixTime,
}

impl Wanted {
    pub(super) fn of(permit: &Permit) -> Self {
        let grant = permit.grant();
        Self {
            who: permit.principal().sub.clone(),
            grant: grant.map(|used| used.id),
            read_only: grant.is_some_and(|used| used.extent.read_only),
            // Who comes now may come now, whatever the clock of the one who said so.
            until: permit.deadline().max(clock::now()).plus(MARGIN),
        }
    }
}

/// What a role's task is asked for.
pub(super) enum Ask {
    Lease(Wanted, oneshot::Sender<Result<Lease, Fault>>),
    /// It was found, and nobody here made it.
    Clear,
}

/// What proves a session to be the role's. No `Debug`; it never leaves this process.
pub(super) struct RoleLogin {
    /// Counts the passwords of one role.
    number: u64,
    pub(super) name: RoleName,
    pub(super) password: Zeroizing<String>,
    pub(super) kept: Arc<KeptKeys>,
}

impl RoleLogin {
    /// What the database is sent of the password.
    fn verifier(&self) -> String {
        scram_verifier(&self.password, &random())
    }
}

/// One session's hold on a role.
pub(in crate::postgres) struct Lease {
    login: Arc<RoleLogin>,
    held: Arc<watch::Sender<Held>>,
}

/// Who holds a role.
#[derive(Default)]
struct Held {
    by: usize,
    /// The right to it has ended: it does not wait for another session.
    over: bool,
    /// The newest of its passwords.
    newest: u64,
    /// The database took that for a wrong one: a person gave it another.
    refused: bool,
}

impl Lease {
    fn new(login: &Arc<RoleLogin>, held: &Arc<watch::Sender<Held>>) -> Self {
        held.send_modify(|held| {
            held.by += 1;
            held.over = false;
        });
        Self {
            login: Arc::clone(login),
            held: Arc::clone(held),
        }
    }

    pub(in crate::postgres) fn name(&self) -> &str {
        self.login.name.as_str()
    }

    pub(in crate::postgres) fn password(&self) -> &Zeroizing<String> {
        &self.login.password
    }

    pub(in crate::postgres) fn kept(&self) -> &Arc<KeptKeys> {
        &self.login.kept
    }

    /// The database does not take its password: it gets a new one, and whatever took the old one's place lets nobody in.
    /// One that began before the newest was there is refused for that alone.
    pub(in crate::postgres) fn refused(&self) {
        let number = self.login.number;
        self.held
            .send_modify(|held| held.refused |= number == held.newest);
    }

    /// The right that the session had has ended.
    pub(in crate::postgres) fn over(self) {
        self.held.send_modify(|held| held.over = true);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.send_modify(|held| held.by -= 1);
    }
}

/// The task of one role.
pub(super) struct Keeper {
    pub(super) keeping: Arc<Keeping>,
    pub(super) name: RoleName,
}

impl Keeper {
    /// Until nobody wants anything of the role and it is gone.
    pub(super) async fn run(self, mut asks: mpsc::UnboundedReceiver<Ask>) {
        let mut next = None;
        while let Some(ask) = next
            .take()
            .or_else(|| self.keeping.next(&self.name, &mut asks))
        {
            if let Ask::Lease(wanted, reply) = ask {
                match self.make(&wanted).await {
                    Ok(login) => self.serve(login, (wanted, reply), &mut asks).await,
                    Err(fault) => drop(reply.send(Err(fault))),
                }
            }
            next = self.clear_until_gone(&mut asks).await;
        }
    }

    /// Until nobody holds it.
    async fn serve(
        &self,
        login: RoleLogin,
        (wanted, reply): (Wanted, oneshot::Sender<Result<Lease, Fault>>),
        asks: &mut mpsc::UnboundedReceiver<Ask>,
    ) {
        let (mut login, held) = (
            Arc::new(login),
            Arc::new(watch::Sender::new(Held::default())),
        );
        let mut until = wanted.until;
        // Whoever does not wait for it any more drops it.
        drop(reply.send(Ok(Lease::new(&login, &held))));
        let (mut holders, mut refusals) = (held.subscribe(), held.subscribe());
        loop {
            select! {
                biased;
                () = nobody(&mut holders, &self.keeping) => return,
                () = refused(&mut refusals) => {
                    if let Some(renewed) = self.renew(login.number + 1, until).await {
                        login = Arc::new(renewed);
                    }
                    held.send_modify(|held| (held.newest, held.refused) = (login.number, false));
                }
                Some(ask) = asks.recv() => {
                    let Ask::Lease(wanted, reply) = ask else { continue };
                    let lease = Lease::new(&login, &held);
                    let extended = self.extend(&mut until, &wanted).await;
                    drop(reply.send(extended.map(|()| lease)));
                }
            }
        }
    }

    async fn make(&self, wanted: &Wanted) -> Result<RoleLogin, Fault> {
        let made = timeout(LIMIT, self.try_make(wanted)).await;
        let made = made.unwrap_or(Err(Fault::Silent));
        if let Err(fault) = &made {
            tracing::warn!(role = %self.name, %fault, "a temporary role was not made");
        }
        made
    }

    async fn try_make(&self, wanted: &Wanted) -> Result<RoleLogin, Fault> {
        let keeping = &self.keeping;
        let duty = keeping.journal.enter(&self.name).await?;
        keeping.pass(Point::Entered).await;
        let mut visit = keeping.visit(duty, None).await?;
        fits(&mut visit, &keeping.settings).await?;
        if maker::is_there(&mut visit, &self.name).await? {
            self.try_clear().await?;
            keeping.journal.enter(&self.name).await?;
        }
        let login = self.fresh_login(0);
        let what = (wanted, &keeping.settings);
        maker::make(&mut visit, &self.name, what, &login.verifier()).await?;
        keeping.pass(Point::Made).await;
        visit.leave().await?;
        keeping.record(EventKind::RoleMade {
            service: keeping.service.clone(),
            role: self.name.to_string(),
            sub: wanted.who.clone(),
            grant: wanted.grant,
        });
        Ok(login)
    }

    fn fresh_login(&self, number: u64) -> RoleLogin {
        let (bytes, seed) = (Zeroizing::new(random::<24>()), Zeroizing::new(random()));
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        RoleLogin {
            number,
            name: self.name.clone(),
            password: Zeroizing::new(digits.collect()),
            kept: Arc::new(KeptKeys::new(&seed)),
        }
    }

    async fn extend(&self, until: &mut UnixTime, wanted: &Wanted) -> Result<(), Fault> {
        if wanted.until <= *until {
            return Ok(());
        }
        let extending = async {
            let duty = self.keeping.journal.enter(&self.name).await?;
            let mut visit = self.keeping.visit(duty, None).await?;
            maker::extend(&mut visit, &self.name, wanted.until).await?;
            visit.leave().await
        };
        timeout(LIMIT, extending)
            .await
            .unwrap_or(Err(Fault::Silent))?;
        *until = wanted.until;
        Ok(())
    }

    /// Another password in the place of whichever there is; nothing when the database does not say yes, and then the next refusal
    /// asks for it again.
    async fn renew(&self, number: u64, until: UnixTime) -> Option<RoleLogin> {
        let renewing = async {
            let duty = self.keeping.journal.enter(&self.name).await?;
            let mut visit = self.keeping.visit(duty, None).await?;
            let login = self.fresh_login(number);
            maker::renew(&mut visit, &self.name, &login.verifier(), until).await?;
            visit.leave().await?;
            Ok(login)
        };
        let renewed = timeout(LIMIT, renewing).await;
        let renewed = renewed.unwrap_or(Err(Fault::Silent));
        match &renewed {
            Ok(_) => {
                tracing::warn!(role = %self.name, "a temporary role had another password, and has a new one")
            }
            Err(fault) => {
                tracing::warn!(role = %self.name, %fault, "a temporary role has no new password")
            }
        }
        renewed.ok()
    }

    /// Tries until it is gone. Whoever wants the role meanwhile hears at once why there is none, unless the next attempt does it.
    async fn clear_until_gone(&self, asks: &mut mpsc::UnboundedReceiver<Ask>) -> Option<Ask> {
        let (mut wait, mut waiting) = (AGAIN, None);
        loop {
            let stops = self.keeping.stop.is_cancelled();
            let limit = if stops { LAST_LIMIT } else { LIMIT };
            let cleared = timeout(limit, self.try_clear()).await;
            let Err(fault) = cleared.unwrap_or(Err(Fault::Silent)) else {
                return waiting;
            };
            tracing::warn!(role = %self.name, %fault, "a temporary role is not cleared away yet");
            if let Some(Ask::Lease(_, reply)) = waiting.take() {
                drop(reply.send(Err(fault)));
            }
            if stops {
                return None;
            }
            select! {
                () = self.keeping.stop.cancelled() => {}
                () = sleep(wait) => {}
                ask = asks.recv() => waiting = ask,
            }
            wait = (wait * 2).min(AGAIN_MOST);
        }
    }

    async fn try_clear(&self) -> Result<(), Fault> {
        let (keeping, name) = (&self.keeping, &self.name);
        let duty = || keeping.journal.enter(name);
        let mut visit = keeping.visit(duty().await?, None).await?;
        if maker::is_there(&mut visit, name).await? {
            maker::close(&mut visit, name).await?;
            keeping.pass(Point::Closed).await;
            for database in maker::hangs_on(&mut visit, name).await? {
                let mut there = keeping.visit(duty().await?, Some(&database)).await?;
                maker::hand_over(&mut there, name, &keeping.settings.member_of).await?;
                there.leave().await?;
            }
            maker::drop_role(&mut visit, name).await?;
            keeping.record(EventKind::RoleDropped {
                service: keeping.service.clone(),
                role: name.to_string(),
            });
            keeping.pass(Point::Dropped).await;
        }
        visit.leave().await?;
        keeping.journal.strike(name).await?;
        Ok(())
    }
}

/// Resolves when nobody holds the role, and nobody comes for it soon.
async fn nobody(holders: &mut watch::Receiver<Held>, keeping: &Keeping) {
    loop {
        // The sender is the caller's.
        let over = holders
            .wait_for(|held| held.by == 0)
            .await
            .map(|held| held.over);
        if over.unwrap_or(true) {
            return;
        }
        select! {
            () = keeping.stop.cancelled() => return,
            () = sleep(LINGERS) => return,
            _ = holders.changed() => {}
        }
    }
}

/// Resolves when the database has taken the role's password for a wrong one.
async fn refused(held: &mut watch::Receiver<Held>) {
    // The sender is the caller's.
    let _ = held.wait_for(|held| held.refused).await;
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemEntropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::rehearsal::granted;

    use super::*;
    use crate::postgres::roles::Prefix;

    fn login(number: u64) -> Arc<RoleLogin> {
        Arc::new(RoleLogin {
            number,
            name: Prefix::new(b"one", &"warehouse".parse().unwrap()).name(&granted(1, false)),
            password: Zeroizing::new("pencil".to_owned()),
            kept: Arc::new(KeptKeys::new(&[0; 32])),
        })
    }

    #[test]
    fn who_began_before_the_newest_password_asks_for_no_other() {
        let held = Arc::new(watch::Sender::new(Held {
            newest: 1,
            ..Held::default()
        }));

        Lease::new(&login(0), &held).refused();
        assert!(!held.borrow().refused);
        Lease::new(&login(1), &held).refused();
        assert!(held.borrow().refused);
    }
}
