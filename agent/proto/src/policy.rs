//! Cedar policies: screened, validated strictly, and denying on any error (PROTOCOL section 10).
//! Cedar skips a `forbid` that cannot be evaluated and then allows: an answer counts only if there were no errors at all.

mod question;
mod same;
mod screen;
mod terms;

pub use question::{Action, RequestContext, Resource};
pub use screen::{MAX_NESTING, MAX_OPERATORS, MAX_POLICY, ScreenError};
pub use terms::Terms;

use crate::{grant::Granted, principal::Principal, text::Shown, time::UnixTime};
use cedar_policy::{
    Authorizer, Decision, Effect, Entities, ParseErrors, PolicySet, Response, Schema,
    ValidationMode, Validator,
};
use question::{Asked, Question};
use same::SameAgain;
use std::{collections::HashSet, sync::LazyLock};

/// The published schema, `schema/tidegate.cedarschema`.
pub const SCHEMA: &str = include_str!("../schema/tidegate.cedarschema");

static COMPILED_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _warnings) =
        Schema::from_cedarschema_str(SCHEMA).expect("the published schema compiles");
    schema
});

/// Why a policy text is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("{0}")]
    Screen(#[from] ScreenError),
    /// What Cedar says about it, safe to show to whoever wrote the text.
    #[error("the policy cannot be read: {0}")]
    Syntax(Shown),
    #[error("the policy does not fit the schema: {0}")]
    Schema(Shown),
    #[error("templates are not used")]
    Template,
    #[error("a term of asking cannot be read: {0}")]
    Terms(Shown),
    #[error("the computer has no memory left to read the policy")]
    NotRead,
}

/// Whose policy denied.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Side {
    Org,
    Owner,
}

/// Why a policy denied.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ground {
    /// There is not a single policy.
    NoPolicies,
    /// Nothing permits it.
    NotPermitted,
    /// Something forbids it.
    Forbidden,
    /// The sign-in is not bound to the device, and no policy that permits it names that.
    LowAssurance,
    /// A policy could not be evaluated.
    Error,
}

/// A denial, for the audit; `told` is what a `forbid` annotated `@tell("…")` lets the person know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    pub side: Side,
    pub ground: Ground,
    pub told: Option<Shown>,
}

/// One party's policies, ready to decide.
#[derive(Clone, Debug)]
pub struct Rules {
    side: Side,
    policies: PolicySet,
    /// The permits among them, under the same ids.
    permits: PolicySet,
}

impl Rules {
    /// Screens, parses and validates a policy text. An empty text is fine and denies everything.
    ///
    /// # Errors
    /// When the text is too large, too deep, not Cedar, or speaks of something the schema does not know.
    pub fn compile(side: Side, text: &str) -> Result<Self, PolicyError> {
        screen::screen(text)?;
        let policies = on_a_deep_stack(|| validated(text))??;
        terms::check(side, &policies)?;
        let permits = permits(&policies)?;
        Ok(Self {
            side,
            policies,
            permits,
        })
    }

    /// Whether the principal may do this at this moment.
    ///
    /// # Errors
    /// `Denied` unless a policy permits, none forbids and every one could be evaluated;
    /// for a low assurance, unless a policy permits that names it.
    pub fn decide(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        context: &RequestContext,
        now: UnixTime,
    ) -> Result<(), Denied> {
        let asked = Asked {
            principal,
            action,
            resource,
            context: *context,
            now,
            granted: None,
        };
        self.put(&asked).map(drop)
    }

    /// Under what terms the principal may ask for access, or use break-glass, at this moment. Only the org's rules know.
    /// Times are UTC: whoever checks it later must come to the same answer.
    ///
    /// # Errors
    /// As `decide`.
    pub fn terms(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        at: UnixTime,
    ) -> Result<Terms, Denied> {
        let response = self.put(&Asked::at(principal, action, resource, at))?;
        let permits = response.diagnostics().reason();
        let permits = permits.filter_map(|id| self.policies.policy(id));
        Terms::of(action, permits).ok_or_else(|| self.denied(Ground::NotPermitted))
    }

    /// Whether the principal may decide about requests for the service, as of this moment.
    ///
    /// # Errors
    /// As `decide`.
    pub fn may_approve(
        &self,
        principal: &Principal,
        resource: &Resource,
        at: UnixTime,
    ) -> Result<(), Denied> {
        let asked = Asked::at(principal, Action::Approve, resource, at);
        self.put(&asked).map(drop)
    }

    fn put(&self, asked: &Asked<'_>) -> Result<Response, Denied> {
        match question::ask(asked) {
            Some(question) => self.answer(&question),
            None => Err(self.denied(Ground::Error)),
        }
    }

    fn answer(&self, question: &Question) -> Result<Response, Denied> {
        if self.policies.is_empty() {
            return Err(self.denied(Ground::NoPolicies));
        }
        let response = self.ask(&self.policies, question, &question.entities)?;
        match response.decision() {
            Decision::Allow if question.unnamed.is_empty() => Ok(response),
            Decision::Allow => {
                self.named(&response, question)?;
                Ok(response)
            }
            Decision::Deny => Err(self.why(&response)),
        }
    }

    /// Cedar's answer, if every policy could be evaluated.
    fn ask(
        &self,
        policies: &PolicySet,
        question: &Question,
        entities: &Entities,
    ) -> Result<Response, Denied> {
        let response = Authorizer::new().is_authorized(&question.request, policies, entities);
        if response.diagnostics().errors().next().is_some() {
            return Err(self.denied(Ground::Error));
        }
        Ok(response)
    }

    /// Whether one of the permits behind `response` names the low assurance, rather than not caring about it.
    /// One names it if it would not permit the same person with an assurance of which it cannot have heard.
    fn named(&self, response: &Response, question: &Question) -> Result<(), Denied> {
        let mut careless = HashSet::new();
        for unnamed in &question.unnamed {
            let anyway = self.ask(&self.permits, question, unnamed)?;
            careless.extend(anyway.diagnostics().reason().cloned());
        }
        let mut permits = response.diagnostics().reason();
        if permits.any(|permit| !careless.contains(permit)) {
            Ok(())
        } else {
            Err(self.denied(Ground::LowAssurance))
        }
    }

    fn why(&self, response: &Response) -> Denied {
        // Cedar names the policies that decided: on a denial, the `forbid`s that applied, or none at all.
        let forbids: Vec<_> = response
            .diagnostics()
            .reason()
            .filter_map(|id| self.policies.policy(id))
            .collect();
        if forbids
            .iter()
            .all(|policy| policy.effect() != Effect::Forbid)
        {
            return self.denied(Ground::NotPermitted);
        }
        let told = forbids
            .iter()
            .find_map(|policy| policy.annotation("tell"))
            .map(Shown::new);
        Denied {
            told,
            ..self.denied(Ground::Forbidden)
        }
    }

    fn denied(&self, ground: Ground) -> Denied {
        Denied {
            side: self.side,
            ground,
            told: None,
        }
    }
}

/// Parses and validates a text that was screened.
fn validated(text: &str) -> Result<PolicySet, PolicyError> {
    let policies: PolicySet = text
        .parse()
        .map_err(|error: ParseErrors| PolicyError::Syntax(Shown::new(&error.to_string())))?;
    if policies.num_of_templates() > 0 {
        return Err(PolicyError::Template);
    }
    let checked =
        Validator::new(COMPILED_SCHEMA.clone()).validate(&policies, ValidationMode::Strict);
    match checked.validation_errors().next() {
        None => Ok(policies),
        Some(error) => Err(PolicyError::Schema(Shown::new(&error.to_string()))),
    }
}

fn permits(policies: &PolicySet) -> Result<PolicySet, PolicyError> {
    let permits = policies
        .policies()
        .filter(|policy| policy.effect() == Effect::Permit);
    PolicySet::from_policies(permits.cloned())
        .map_err(|error| PolicyError::Syntax(Shown::new(&error.to_string())))
}

/// Cedar's validator stops looking where the stack runs low, and then says that all is well.
/// This much is enough for the deepest text that the screen lets through.
const DEEP: usize = 64 << 20;

fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, PolicyError> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .stack_size(DEEP)
            .spawn_scoped(scope, work);
        worker
            .ok()
            .and_then(|worker| worker.join().ok())
            .ok_or(PolicyError::NotRead)
    })
}

/// The org's and the owner's policies. Both must permit.
#[derive(Clone, Debug)]
pub struct Policies {
    org: Rules,
    owner: Rules,
    same_again: SameAgain,
}

impl Policies {
    /// Compiles both texts.
    ///
    /// # Errors
    /// The first text that cannot be used.
    pub fn compile(org: &str, owner: &str) -> Result<Self, PolicyError> {
        let org = Rules::compile(Side::Org, org)?;
        let owner = Rules::compile(Side::Owner, owner)?;
        Ok(Self::new(org, owner))
    }

    /// Joins two that were compiled apart.
    #[must_use]
    pub fn new(org: Rules, owner: Rules) -> Self {
        let org = Rules {
            side: Side::Org,
            ..org
        };
        let owner = Rules {
            side: Side::Owner,
            ..owner
        };
        Self {
            org,
            owner,
            same_again: SameAgain::default(),
        }
    }

    /// Whether both permit.
    ///
    /// # Errors
    /// The first denial, the org's before the owner's.
    pub fn decide(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        context: &RequestContext,
        now: UnixTime,
    ) -> Result<(), Denied> {
        let asked = Asked {
            principal,
            action,
            resource,
            context: *context,
            now,
            granted: None,
        };
        self.both(&asked)
    }

    /// Whether both permit a connection, with what was granted in `context.grant`.
    ///
    /// # Errors
    /// As `decide`.
    pub(crate) fn connect(
        &self,
        principal: &Principal,
        resource: &Resource,
        context: &RequestContext,
        now: UnixTime,
        granted: Option<&Granted>,
    ) -> Result<(), Denied> {
        let asked = Asked {
            principal,
            action: Action::Connect,
            resource,
            context: *context,
            now,
            granted,
        };
        self.both(&asked)
    }

    fn both(&self, asked: &Asked<'_>) -> Result<(), Denied> {
        if self.same_again.was_allowed(asked) {
            return Ok(());
        }
        let question = question::ask(asked).ok_or_else(|| self.org.denied(Ground::Error))?;
        self.org.answer(&question)?;
        self.owner.answer(&question)?;
        self.same_again.allowed(asked);
        Ok(())
    }

    /// The org's terms of asking: see `Rules::terms`.
    ///
    /// # Errors
    /// As `Rules::terms`.
    pub fn terms(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        at: UnixTime,
    ) -> Result<Terms, Denied> {
        self.org.terms(principal, action, resource, at)
    }

    /// The org's word on who approves: see `Rules::may_approve`.
    ///
    /// # Errors
    /// As `Rules::may_approve`.
    pub fn may_approve(
        &self,
        principal: &Principal,
        resource: &Resource,
        at: UnixTime,
    ) -> Result<(), Denied> {
        self.org.may_approve(principal, resource, at)
    }
}

#[cfg(test)]
mod tests;
