//! What is done about access, one function each: what is not allowed is refused before anything is written.
//! Recorded first and sealed with that line; only what ends something is put in force before it is recorded.

use std::sync::Arc;

use super::Desk;
use crate::{
    access::{Access, Asked, Given, Judge, Room},
    refusal::Refusal,
};
use tidegate_proto::{
    api::access::MAX_BECAUSE,
    event::{AccessApproved, AccessAsked, EventKind},
    grant::Approval,
    policy::Action,
    statement::{AccessRequest, GrantId, GrantStatement, Statement, StatementHash},
    text::{Shown, deceives},
    time::{SKEW, UnixTime},
};

/// Requests that somebody says they have seen, in one call.
const MOST_SEEN: usize = 48;

impl Desk {
    pub(super) async fn ask(&self, jws: String) -> Result<GrantId, Refusal> {
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

    pub(super) async fn approve(&self, id: GrantId, jws: String) -> Result<(), Refusal> {
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

    pub(super) async fn deny(&self, id: GrantId, because: &str) -> Result<(), Refusal> {
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

    pub(super) async fn withdraw(&self, id: GrantId) -> Result<(), Refusal> {
        let _one = self.core.accesses.changing.lock().await;
        let next = self.mine(id)?.withdrawn(self.core.now())?;
        self.record(EventKind::AccessWithdrawn { grant: id })
            .await?;
        tracing::info!(grant = %id, "request was withdrawn");
        self.put(next).await
    }

    /// By who asked, who approved, or who might have.
    pub(super) async fn take_back(&self, id: GrantId, because: &str) -> Result<(), Refusal> {
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

    pub(super) async fn seen(&self, ids: &[GrantId]) -> Result<(), Refusal> {
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
