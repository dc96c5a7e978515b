//! Cedar policies: screened, validated strictly, and denying on any error (RECIPES, Policy).
//! Cedar skips a `forbid` that cannot be evaluated and then allows: an answer counts only if there were no errors at all.

mod question;
mod screen;

pub use question::{Action, RequestContext, Resource};
pub use screen::{MAX_NESTING, MAX_OPERATORS, MAX_POLICY, ScreenError};

use crate::{principal::Principal, text::Shown, time::UnixTime};
use cedar_policy::{
    Authorizer, Decision, Effect, Entities, ParseErrors, PolicySet, Response, Schema,
    ValidationMode, Validator,
};
use question::Question;
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
        match question::ask(principal, action, resource, context, now) {
            Some(question) => self.answer(&question),
            None => Err(self.denied(Ground::Error)),
        }
    }

    fn answer(&self, question: &Question) -> Result<(), Denied> {
        if self.policies.is_empty() {
            return Err(self.denied(Ground::NoPolicies));
        }
        let response = self.ask(&self.policies, question, &question.entities)?;
        match response.decision() {
            Decision::Allow if question.unnamed.is_empty() => Ok(()),
            Decision::Allow => self.named(&response, question),
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
}

impl Policies {
    /// Compiles both texts.
    ///
    /// # Errors
    /// The first text that cannot be used.
    pub fn compile(org: &str, owner: &str) -> Result<Self, PolicyError> {
        let org = Rules::compile(Side::Org, org)?;
        let owner = Rules::compile(Side::Owner, owner)?;
        Ok(Self { org, owner })
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
        Self { org, owner }
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
        let question = question::ask(principal, action, resource, context, now)
            .ok_or_else(|| self.org.denied(Ground::Error))?;
        self.org.answer(&question)?;
        self.owner.answer(&question)
    }
}

#[cfg(test)]
mod tests;
