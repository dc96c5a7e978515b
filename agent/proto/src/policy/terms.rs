//! What a rule that lets people ask says about the asking, in annotations of its own:
//! `@approvals("2") @longest("8h") @usual("1h") @claim("24h") @finish("5m") permit (principal, action == Tidegate::Action::"request", resource);`
//! Where several rules permit, the strictest of each counts: a second rule never makes the first one laxer.

use super::{Action, PolicyError, Side};
use crate::{grant::MAX_APPROVALS, span, statement::Extent, text::Shown};
use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicySet};

/// Under what terms somebody may ask.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// How many people must approve.
    pub approvals: u8,
    /// Longest work window, in seconds.
    pub longest: u64,
    /// What is offered to whoever does not say how long, in seconds.
    pub usual: u64,
    /// How long an approval waits for its first use, in seconds.
    pub claim: u64,
    /// How long a statement that runs at the end may go on, in seconds.
    pub finish: u64,
}

impl Terms {
    /// Longest claim window that a rule may give, in seconds.
    pub const LONGEST_CLAIM: u64 = 7 * 86_400;
    /// Longest time that a rule may give to what runs at the end, in seconds: the rights that were shown last hold as long.
    pub const LONGEST_FINISH: u64 = 300;

    /// What holds where a rule says nothing. Whoever may use break-glass needs nobody's approval.
    fn unsaid(action: Action) -> Self {
        Self {
            approvals: u8::from(action != Action::Emergency),
            longest: 8 * 3_600,
            usual: 3_600,
            claim: 86_400,
            finish: 0,
        }
    }

    /// The strictest of both.
    fn and(self, other: Self) -> Self {
        Self {
            approvals: self.approvals.max(other.approvals),
            longest: self.longest.min(other.longest),
            usual: self.usual.min(other.usual),
            claim: self.claim.min(other.claim),
            finish: self.finish.min(other.finish),
        }
    }

    /// The terms of all the rules that permitted it. A rule for whatever there is was not written with break-glass in mind.
    pub(super) fn of<'a>(
        action: Action,
        permits: impl Iterator<Item = &'a Policy>,
    ) -> Option<Self> {
        let one = |policy| Self::said(policy, action).ok();
        let meant = |policy: &&Policy| action != Action::Emergency || names(policy, action);
        let terms = permits.filter(meant).map(one);
        let terms = terms.collect::<Option<Vec<_>>>()?;
        let strictest = terms.into_iter().reduce(Self::and)?;
        Some(Self {
            usual: strictest.usual.min(strictest.longest),
            ..strictest
        })
    }

    fn said(policy: &Policy, action: Action) -> Result<Self, PolicyError> {
        let unsaid = Self::unsaid(action);
        let spans = |name, otherwise, most| match policy.annotation(name) {
            None => Ok(otherwise),
            Some(text) => match span::parse(text) {
                Ok(seconds) if (Extent::SHORTEST..=most).contains(&seconds) => Ok(seconds),
                Ok(_) | Err(_) => Err(unfit(name, text)),
            },
        };
        Ok(Self {
            approvals: approvals(policy)?.unwrap_or(unsaid.approvals),
            longest: spans("longest", unsaid.longest, Extent::LONGEST)?,
            usual: spans("usual", unsaid.usual, Extent::LONGEST)?,
            claim: spans("claim", unsaid.claim, Self::LONGEST_CLAIM)?,
            finish: spans("finish", unsaid.finish, Self::LONGEST_FINISH)?,
        })
    }
}

fn approvals(policy: &Policy) -> Result<Option<u8>, PolicyError> {
    let Some(text) = policy.annotation("approvals") else {
        return Ok(None);
    };
    match text.parse::<u8>() {
        Ok(n) if usize::from(n) <= MAX_APPROVALS && text == n.to_string() => Ok(Some(n)),
        Ok(_) | Err(_) => Err(unfit("approvals", text)),
    }
}

fn unfit(name: &str, text: &str) -> PolicyError {
    PolicyError::Terms(Shown::new(&format!("@{name}(\"{text}\")")))
}

/// What a rule may say of the asking.
const TERMS: [&str; 5] = ["approvals", "longest", "usual", "claim", "finish"];
/// What else a rule may say beside what it permits or forbids.
const OTHERS: [&str; 2] = ["id", "tell"];

/// Refuses a policy text in which any term cannot be read, or stands where nobody reads it: silence is the laxer reading.
pub(super) fn check(side: Side, policies: &PolicySet) -> Result<(), PolicyError> {
    for policy in policies.policies() {
        Terms::said(policy, Action::Request)?;
        let asks = names(policy, Action::Request) || names(policy, Action::Emergency);
        let read = side == Side::Org && policy.effect() == Effect::Permit && asks;
        for (name, text) in policy.annotations() {
            if TERMS.contains(&name) && !read {
                return Err(misplaced(name, text));
            }
            if !TERMS.contains(&name) && !OTHERS.contains(&name) {
                return Err(unfit(name, text));
            }
        }
    }
    Ok(())
}

fn misplaced(name: &str, text: &str) -> PolicyError {
    let said = format!(
        "@{name}(\"{text}\") says nothing here; it belongs to a permit of the org that names \"request\" or \"emergency\""
    );
    PolicyError::Terms(Shown::new(&said))
}

/// Whether a rule names this action, rather than being for whatever there is.
pub(super) fn names(policy: &Policy, action: Action) -> bool {
    let named = |uid: &EntityUid| {
        let id: &str = uid.id().unescaped();
        id == action.as_str()
    };
    match policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(uid) => named(&uid),
        ActionConstraint::In(uids) => uids.iter().any(named),
    }
}
