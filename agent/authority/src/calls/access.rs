//! `POST /v1/access`: asking, deciding, withdrawing, taking back, fetching. Whoever calls shows all three legs, as at an outlet.
//! Each change is recorded first and sealed with the line that says so; the answer is how things are afterwards.

mod acts;

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::access::{AccessAct, AccessAnswer, AccessCall, Named},
    auth::proof_input,
    event::EventKind,
    idtoken::{IdTokenError, KeySet},
    legs::Legs,
    principal::Principal,
    refusal::RefusalReason,
    statement::{Assurance, GrantId, Seal, Statement, StatementHash},
    text::Shown,
    time::UnixTime,
};

use super::{Answer, Connection, Shared, Strict};
use crate::{
    access::{Access, is_own, told_to},
    core::Core,
    in_force::InForce,
    refusal::Refusal,
};

pub(super) async fn access(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<AccessCall>,
) -> Answer<AccessAnswer> {
    asked
        .legs
        .identity
        .verify(&proof_input(&caller.hash), &asked.proof)
        .map_err(|_| Refusal::Proof)?;
    let in_force = core.in_force()?;
    let (who, keys) = standing(&core, &in_force, &asked.legs).await?;
    let desk = Desk {
        core: Arc::clone(&core),
        in_force,
        keys,
        legs: asked.legs,
        who,
    };
    core.finish(async move { desk.serve(asked.act).await })
        .await
        .map(Json)
}

/// Who calls: three legs, and a device that nobody has shut out.
async fn standing(
    core: &Core,
    in_force: &InForce,
    legs: &Legs,
) -> Result<(Principal, Arc<KeySet>), Refusal> {
    let device = core.store.known(&legs.identity).await?.device;
    let device = device.ok_or(Refusal::NotEnrolled)?;
    if device.revoked {
        return Err(Refusal::Revoked);
    }
    let org = &in_force.org;
    let keys = core
        .provider
        .current(&org.idp, core.now())
        .await
        .map_err(|_| Refusal::KeysAway)?;
    let stand = |keys: &Arc<KeySet>| {
        let stood = legs.stand(&in_force.trust(keys), core.now());
        stood.map(|stood| (stood.principal, Arc::clone(keys)))
    };
    let stood = match stand(&keys) {
        Err(RefusalReason::IdToken(IdTokenError::UnknownKey)) => {
            let newer = core.provider.newer_than(&keys, &org.idp, core.now()).await;
            newer.map_or_else(|| stand(&keys), |keys| stand(&keys))
        }
        stood => stood,
    };
    match stood {
        Ok((principal, keys)) if principal.sub == device.sub => Ok((principal, keys)),
        Ok(_) | Err(RefusalReason::OtherSubject) => Err(Refusal::OtherSubject),
        Err(RefusalReason::IdToken(error)) => Err(Refusal::IdToken(error)),
        Err(_) => Err(Refusal::NoIdentity),
    }
}

/// One caller and what is in force for them.
struct Desk {
    core: Arc<Core>,
    in_force: Arc<InForce>,
    /// The provider's keys by which the caller's sign-in is believed.
    keys: Arc<KeySet>,
    legs: Legs,
    who: Principal,
}

impl Desk {
    async fn serve(&self, act: AccessAct) -> Result<AccessAnswer, Refusal> {
        self.pace_of_looks(&act)?;
        let (mut id, mut grant) = (None, None);
        match act {
            AccessAct::Look {} => {}
            AccessAct::Ask { request } => id = Some(self.ask(request).await?),
            AccessAct::Fetch { id } => grant = Some(self.own(id)?.grant()),
            AccessAct::Seen { ids } => self.seen(&ids).await?,
            AccessAct::Withdraw { id } => self.withdraw(id).await?,
            AccessAct::Approve { id, grant } => self.approve(id, grant).await?,
            AccessAct::Deny { id, because } => self.deny(id, &because).await?,
            AccessAct::TakeBack { id, because } => self.take_back(id, &because).await?,
        }
        let told = told_to(&self.core, &self.who);
        Ok(AccessAnswer {
            id,
            turn: Some(told.turn),
            requests: told.requests,
            grant,
        })
    }

    /// What this very device asked for and may use.
    fn own(&self, id: GrantId) -> Result<Arc<Access>, Refusal> {
        let access = self.mine(id)?;
        if access.key == self.legs.identity && access.is_live(self.core.now()) {
            Ok(access)
        } else {
            Err(Refusal::RequestNotOpen)
        }
    }

    fn mine(&self, id: GrantId) -> Result<Arc<Access>, Refusal> {
        let access = self.core.accesses.one(id);
        access
            .filter(|access| access.by.sub == self.who.sub)
            .ok_or(Refusal::RequestNotOpen)
    }

    /// One that is open and this person's to decide. Who may not decide it does not learn that it is there.
    fn to_decide(&self, id: GrantId, now: UnixTime) -> Result<Arc<Access>, Refusal> {
        let access = self.core.accesses.one(id).ok_or(Refusal::RequestNotOpen)?;
        if !self.may_decide(&access, now) {
            let own = access.by.sub == self.who.sub;
            return Err(match own || self.who.assurance == Assurance::Low {
                true => Refusal::MayNotApprove,
                false => Refusal::RequestNotOpen,
            });
        }
        if access.is_waiting(now) {
            Ok(access)
        } else {
            Err(Refusal::RequestNotOpen)
        }
    }

    fn may_decide(&self, access: &Access, now: UnixTime) -> bool {
        !is_own(access, &self.who)
            && self.who.assurance == Assurance::High
            && self.in_force.may_approve(&self.who, &access.service, now)
    }

    fn named(&self) -> Named {
        let name = self.who.email.as_deref().map(Shown::new);
        Named {
            sub: self.who.sub.clone(),
            name,
        }
    }

    fn pace(&self, now: UnixTime) -> Result<(), Refusal> {
        if self.core.pace.allows(self.who.device, now) {
            Ok(())
        } else {
            Err(Refusal::TooOften)
        }
    }

    /// Each of these makes the authority look for everybody. Ending what was granted is never too often.
    fn pace_of_looks(&self, act: &AccessAct) -> Result<(), Refusal> {
        let is_paced = match act {
            AccessAct::Look {}
            | AccessAct::Fetch { .. }
            | AccessAct::Seen { .. }
            | AccessAct::Withdraw { .. }
            | AccessAct::Deny { .. } => true,
            AccessAct::Ask { .. } | AccessAct::Approve { .. } | AccessAct::TakeBack { .. } => false,
        };
        let (pace, now) = (&self.core.pace_of_looks, self.core.now());
        match is_paced && !pace.allows(self.who.device, now) {
            true => Err(Refusal::TooOften),
            false => Ok(()),
        }
    }

    async fn record(&self, what: EventKind) -> Result<u64, Refusal> {
        self.core.record_line(what).await
    }

    fn seal(&self, of: StatementHash, index: u64, at: UnixTime) -> String {
        let org = self.core.anchor.org.clone();
        let seal = Seal { org, of, at, index };
        seal.sign(&self.core.keys.signing)
    }

    async fn put(&self, access: Access) -> Result<(), Refusal> {
        let (store, now) = (&*self.core.store, self.core.now());
        self.core.accesses.put(store, access, now).await
    }
}
