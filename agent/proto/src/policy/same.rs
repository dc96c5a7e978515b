//! The last yes to a connection, for whoever asks the very same within the same second: policies are pure, so the answer is too.
//! A newcomer would compare less than everything: whatever a policy can see is compared, and of a grant nothing is remembered.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::question::{Action, Asked, RequestContext, Resource};
use crate::{principal::Principal, time::UnixTime};

/// Belongs to one pair of policies: others begin with none.
#[derive(Debug, Default)]
pub(super) struct SameAgain(Mutex<Option<Question>>);

/// All that a question without a grant is made of.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    principal: Principal,
    action: Action,
    resource: Resource,
    context: RequestContext,
    now: UnixTime,
}

impl SameAgain {
    /// Whether this was the last question that was answered with yes.
    pub(super) fn was_allowed(&self, asked: &Asked<'_>) -> bool {
        let Asked {
            principal,
            action,
            resource,
            context,
            now,
            granted,
        } = asked;
        granted.is_none()
            && self.last().as_ref().is_some_and(|last| {
                // The moment first: it is what differs most often.
                last.now == *now
                    && last.context == *context
                    && last.action == *action
                    && last.resource == **resource
                    && last.principal == **principal
            })
    }

    pub(super) fn allowed(&self, asked: &Asked<'_>) {
        if asked.granted.is_some() {
            return;
        }
        let question = Question {
            principal: asked.principal.clone(),
            action: asked.action,
            resource: asked.resource.clone(),
            context: asked.context,
            now: asked.now,
        };
        *self.last() = Some(question);
    }

    fn last(&self) -> MutexGuard<'_, Option<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for SameAgain {
    fn clone(&self) -> Self {
        Self::default()
    }
}
