//! `POST /v1/access`: asking, deciding, withdrawing, taking back, fetching. Whoever calls shows all three legs, as at an outlet.
//! Each change is recorded first and sealed with the line that says so; the answer is how things are afterwards.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::access::{AccessAct, AccessAnswer, AccessCall, MAX_BECAUSE, Named},
    auth::proof_input,
    event::{AccessApproved, AccessAsked, EventKind},
    grant::Approval,
    idtoken::{IdTokenError, KeySet},
    legs::Legs,
    policy::Action,
    principal::Principal,
    refusal::RefusalReason,
    statement::{
        AccessRequest, Assurance, GrantId, GrantStatement, Seal, Statement, StatementHash,
    },
    text::{Shown, deceives},
    time::{SKEW, UnixTime},
};

use super::{Answer, Connection, Shared, Strict};
use crate::{
    access::{Access, Asked, Given, Judge, Room, is_own, views_for},
    core::Core,
    in_force::InForce,
    refusal::Refusal,
};

/// Requests that somebody says they have seen, in one call.
const MOST_SEEN: usize = 48;

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
        let all = self.core.accesses.all();
        Ok(AccessAnswer {
            id,
            requests: views_for(&all, &self.who, &self.in_force, self.core.now()),
            grant,
        })
    }

    async fn ask(&self, jws: String) -> Result<GrantId, Refusal> {
        let request = self.readable(&jws)?;
        let _one = self.core.accesses.changing.lock().await;
        let now = self.core.now();
        close_to(request.at, now)?;
        let asking = Action::asking(request.emergency);
        let terms = self
            .in_force
            .terms(&self.who, asking, &request.service, now)
            .ok_or(Refusal::MayNotAsk)?;
        if request.extent.seconds > terms.longest {
            return Err(Refusal::AskedTooLong(terms.longest));
        }
        if let Some(longer) = request.extends {
            self.has_to_extend(longer, &request, now)?;
        }
        let all = self.core.accesses.all();
        let same = |access: &&Arc<Access>| {
            access.is_same(&self.legs.identity, &request)
                && (access.is_waiting(now)
                    || request.extends.is_none() && access.is_unused(&terms, now))
        };
        if let Some(same) = all.iter().find(same) {
            return Ok(same.id);
        }
        let room = Room::of(&all, &self.who.sub, now);
        room.takes(&request)?;
        self.pace(now)?;
        for id in room.in_the_way() {
            self.core.accesses.drop_one(&*self.core.store, id).await?;
        }
        let id = StatementHash::of(&jws);
        let index = self.record(EventKind::AccessAsked(AccessAsked {
            grant: id,
            sub: self.who.sub.clone(),
            device: self.who.device,
            service: request.service.clone(),
            extent: request.extent,
            emergency: request.emergency,
            because: Shown::new(&request.reason),
        }));
        let seal = self.seal(id, index.await?, now);
        tracing::info!(service = %request.service, emergency = request.emergency, "access was asked for");
        let asked = Asked {
            by: self.named(),
            principal: self.who.clone(),
            key: self.legs.identity,
            request,
            jws,
            seal,
            terms,
        };
        self.put(Access::new(asked, now)).await?;
        Ok(id)
    }

    /// Who decides reads "more time": so there must be some that this device has for this service.
    fn has_to_extend(
        &self,
        longer: GrantId,
        request: &AccessRequest,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let access = self.core.accesses.one(longer);
        let has = access.is_some_and(|access| {
            access.key == self.legs.identity
                && access.service == request.service
                && access.is_live(now)
        });
        has.then_some(()).ok_or(Refusal::NothingToExtend)
    }

    /// The request, if this device signed it and it speaks of this person.
    fn readable(&self, jws: &str) -> Result<AccessRequest, Refusal> {
        let org = &self.core.anchor.org;
        let request = AccessRequest::verify_for(jws, &self.legs.identity, org)
            .map_err(Refusal::RequestUnfit)?;
        if request.sub == self.who.sub && request.device == self.who.device {
            Ok(request)
        } else {
            Err(Refusal::NoIdentity)
        }
    }

    async fn approve(&self, id: GrantId, jws: String) -> Result<(), Refusal> {
        let _one = self.core.accesses.changing.lock().await;
        let now = self.core.now();
        let access = self.to_decide(id, now)?;
        let org = &self.core.anchor.org;
        let statement = GrantStatement::verify_for(&jws, &self.legs.identity, org)
            .map_err(Refusal::RequestUnfit)?;
        close_to(statement.at, now)?;
        if statement.request != id || !statement.extent.within(&access.asked_for()) {
            return Err(Refusal::ApprovalUnfit);
        }
        if access.approved_by(&self.who.sub) {
            return Err(Refusal::RequestNotOpen);
        }
        self.pace(now)?;
        let hash = StatementHash::of(&jws);
        let given = |seal| Given {
            by: self.named(),
            at: now,
            extent: statement.extent,
            approval: Some(Approval {
                legs: self.legs.clone(),
                grant: jws.clone(),
                seal,
            }),
        };
        // Before it stands in the record: what an outlet would not believe is no approval.
        let judge = Judge {
            in_force: &self.in_force,
            keys: &self.keys,
            now,
        };
        judge.with(&access, given(self.seal(hash, 1, now)))?;
        let index = self.record(EventKind::AccessApproved(AccessApproved {
            grant: id,
            statement: hash,
            by: self.who.sub.clone(),
            device: self.who.device,
            extent: statement.extent,
        }));
        let next = judge.with(&access, given(self.seal(hash, index.await?, now)))?;
        tracing::info!(grant = %id, "access was approved");
        self.put(next).await
    }

    async fn deny(&self, id: GrantId, because: &str) -> Result<(), Refusal> {
        let because = reason(because)?;
        let _one = self.core.accesses.changing.lock().await;
        let now = self.core.now();
        let access = self.to_decide(id, now)?;
        let next = access.denied(self.named(), because.clone(), now)?;
        let by = self.who.sub.clone();
        self.record(EventKind::AccessDenied {
            grant: id,
            by,
            because,
        })
        .await?;
        tracing::info!(grant = %id, "access was denied");
        self.put(next).await
    }

    async fn withdraw(&self, id: GrantId) -> Result<(), Refusal> {
        let _one = self.core.accesses.changing.lock().await;
        let next = self.mine(id)?.withdrawn(self.core.now())?;
        self.record(EventKind::AccessWithdrawn { grant: id })
            .await?;
        tracing::info!(grant = %id, "request was withdrawn");
        self.put(next).await
    }

    /// By who asked, who approved, or who might have.
    async fn take_back(&self, id: GrantId, because: &str) -> Result<(), Refusal> {
        let because = match because {
            "" => Shown::new(""),
            because => reason(because)?,
        };
        let _one = self.core.accesses.changing.lock().await;
        let now = self.core.now();
        let access = self.core.accesses.one(id);
        let access = access.ok_or(Refusal::RequestNotOpen)?;
        let may = access.by.sub == self.who.sub
            || access.approved_by(&self.who.sub)
            || self.may_decide(&access, now);
        if !may {
            return Err(Refusal::RequestNotOpen);
        }
        let next = access.taken_back(self.named(), because, now)?;
        // First what ends it: that the record of it fails must not keep it open.
        self.put(next).await?;
        let by = Some(self.who.sub.clone());
        tracing::info!(grant = %id, "grant was taken back");
        self.record(EventKind::GrantTakenBack { grant: id, by })
            .await
            .map(drop)
    }

    async fn seen(&self, ids: &[GrantId]) -> Result<(), Refusal> {
        let _one = self.core.accesses.changing.lock().await;
        let now = self.core.now();
        for id in ids.iter().take(MOST_SEEN) {
            let Some(access) = self.core.accesses.one(*id) else {
                continue;
            };
            // An alarm is shown until it was seen, whatever became of it.
            let asks = access.is_waiting(now) || access.emergency;
            if !asks || !self.may_decide(&access, now) {
                continue;
            }
            if let Some(next) = access.seen_by(self.named(), now) {
                self.put(next).await?;
            }
        }
        Ok(())
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

/// A statement of now: what its signer's clock says is what the seal will say.
fn close_to(at: UnixTime, now: UnixTime) -> Result<(), Refusal> {
    if at.until(now).max(now.until(at)) > SKEW {
        Err(Refusal::FromTheFuture)
    } else {
        Ok(())
    }
}

fn reason(text: &str) -> Result<Shown, Refusal> {
    let short = text.chars().count() <= MAX_BECAUSE;
    let fits = short && !text.trim().is_empty() && !text.chars().any(deceives);
    if fits {
        Ok(Shown::new(text))
    } else {
        Err(Refusal::BadReason)
    }
}
