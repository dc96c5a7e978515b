//! A question to Cedar, built only from verified values: who, what, on which service, at what moment.
//! Names become entity ids with the org in front; org names hold no slash, so no group of one org can pass for another's.

use super::COMPILED_SCHEMA;
use crate::{
    grant::Granted,
    names::{OrgName, ServiceName},
    principal::Principal,
    statement::{Assurance, ServiceKind, ServiceStatement},
    time::UnixTime,
};
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value,
};
use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    sync::LazyLock,
};

/// What is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    See,
    Connect,
    Request,
    /// Break-glass: as `Request`, for when there is no time.
    Emergency,
    Approve,
}

impl Action {
    /// What somebody who asks for access does.
    #[must_use]
    pub fn asking(emergency: bool) -> Self {
        if emergency {
            Self::Emergency
        } else {
            Self::Request
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Connect => "connect",
            Self::Request => "request",
            Self::Emergency => "emergency",
            Self::Approve => "approve",
        }
    }
}

/// What it is asked of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    pub org: OrgName,
    pub service: ServiceName,
    pub kind: ServiceKind,
}

impl From<&ServiceStatement> for Resource {
    fn from(statement: &ServiceStatement) -> Self {
        Self {
            org: statement.org.clone(),
            service: statement.service.clone(),
            kind: statement.kind,
        }
    }
}

/// What the one who decides adds: Cedar knows no time zones.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RequestContext {
    /// Seconds since local midnight.
    pub local_time: u32,
    /// 1 is Monday, 7 is Sunday.
    pub weekday: u8,
}

impl RequestContext {
    /// Local time taken as UTC.
    #[must_use]
    pub fn utc(now: UnixTime) -> Self {
        let days = now.0 / 86_400;
        // 1970-01-01 was a Thursday.
        let weekday = u8::try_from((days + 3) % 7 + 1).unwrap_or(1);
        let local_time = u32::try_from(now.0 % 86_400).unwrap_or(0);
        Self {
            local_time,
            weekday,
        }
    }
}

/// A question as Cedar takes it.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
    /// For a low assurance: the same with words for it that stand in no policy. A permit that holds for
    /// one of them as well has not named the low assurance, it only has not thought of it.
    pub(super) unnamed: Vec<Entities>,
}

/// Words that no policy names. Several, because `like` asks for letters: what one of them has, another one lacks.
const UNNAMED: [&str; 3] = ["", "0", "neither of these"];

/// A question before it is Cedar's.
pub(super) struct Asked<'a> {
    pub(super) principal: &'a Principal,
    pub(super) action: Action,
    pub(super) resource: &'a Resource,
    pub(super) context: RequestContext,
    pub(super) now: UnixTime,
    /// For `Connect`: what was asked for and given.
    pub(super) granted: Option<&'a Granted>,
}

impl<'a> Asked<'a> {
    /// By UTC, so that everybody who asks it comes to the same answer.
    pub(super) fn at(
        principal: &'a Principal,
        action: Action,
        resource: &'a Resource,
        at: UnixTime,
    ) -> Self {
        Self {
            principal,
            action,
            resource,
            context: RequestContext::utc(at),
            now: at,
            granted: None,
        }
    }
}

/// Puts the question; `None` if it cannot be put, which is a denial.
pub(super) fn ask(asked: &Asked<'_>) -> Option<Question> {
    let (principal, resource) = (asked.principal, asked.resource);
    let user = uid("User", &format!("{}/{}", principal.org, principal.sub))?;
    let service = uid("Service", &format!("{}/{}", resource.org, resource.service))?;
    let approvers = approvers(asked.granted)?;
    let about = |assurance: &str| {
        let own = [
            user_entity(user.clone(), principal, assurance)?,
            service_entity(service.clone(), resource)?,
        ];
        let entities = own.into_iter().chain(approvers.iter().cloned());
        Entities::from_entities(entities, Some(&COMPILED_SCHEMA)).ok()
    };
    let entities = about(principal.assurance.as_str())?;
    let unnamed = match principal.assurance {
        Assurance::High => Vec::new(),
        Assurance::Low => UNNAMED.into_iter().map(about).collect::<Option<_>>()?,
    };
    let mut pairs = moment(principal, &asked.context, asked.now).to_vec();
    if let Some(granted) = asked.granted {
        pairs.push(("grant".to_owned(), grant(granted, &approvers)?));
    }
    let moment = Context::from_pairs(pairs).ok()?;
    let action = uid("Action", asked.action.as_str())?;
    let (who, what) = (user.clone(), service.clone());
    let request = Request::new(who, action, what, moment, Some(&COMPILED_SCHEMA)).ok()?;
    Some(Question {
        request,
        entities,
        unnamed,
    })
}

/// Read once: Cedar reads a name with the parser of its whole language.
static KINDS: LazyLock<HashMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = ["User", "Group", "Service", "Action"].into_iter();
    let named = kinds.filter_map(|kind| {
        let name = EntityTypeName::from_str(&format!("Tidegate::{kind}")).ok()?;
        Some((kind, name))
    });
    named.collect()
});

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind = KINDS.get(kind)?.clone();
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn user_entity(user: EntityUid, principal: &Principal, assurance: &str) -> Option<Entity> {
    let group = |name: &String| uid("Group", &format!("{}/{name}", principal.org));
    let groups = principal
        .groups
        .iter()
        .map(group)
        .collect::<Option<HashSet<_>>>()?;
    let always = [
        ("org", principal.org.to_string()),
        ("sub", principal.sub.to_string()),
        ("device", principal.device.to_string()),
        ("assurance", assurance.to_owned()),
        ("enrolment", principal.enrolment.as_str().to_owned()),
        ("joined", principal.joined.as_str().to_owned()),
    ];
    let sometimes = [
        ("department", &principal.department),
        ("employeeType", &principal.employee_type),
        ("email", &principal.email),
    ];
    let sometimes = sometimes
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.clone()?)));
    Entity::new(user, texts(always.into_iter().chain(sometimes)), groups).ok()
}

/// Who approved, with the groups they were in then: a rule may say `context.grant.approver in …`.
fn approvers(granted: Option<&Granted>) -> Option<Vec<Entity>> {
    let approvers = granted.into_iter().flat_map(|granted| &granted.approvers);
    approvers
        .map(|approver| {
            let who = &approver.principal;
            let user = uid("User", &format!("{}/{}", who.org, who.sub))?;
            user_entity(user, who, who.assurance.as_str())
        })
        .collect()
}

/// What was granted, as `context.grant`.
fn grant(granted: &Granted, approvers: &[Entity]) -> Option<Value> {
    let entity = |entity: &Entity| Value::new_entity_uid(entity.uid());
    let count = i64::try_from(approvers.len()).ok()?;
    let length = format!("{}s", granted.extent.seconds);
    let mut fields = vec![
        ("approvals".to_owned(), Value::new_long(count)),
        (
            "approvers".to_owned(),
            Value::new_set(approvers.iter().map(entity)),
        ),
        ("length".to_owned(), Value::new_duration(length)),
        (
            "readOnly".to_owned(),
            Value::new_bool(granted.extent.read_only),
        ),
        ("emergency".to_owned(), Value::new_bool(granted.emergency)),
    ];
    if let Some(last) = approvers.last() {
        fields.push(("approver".to_owned(), entity(last)));
    }
    Value::new_record(fields).ok()
}

fn service_entity(service: EntityUid, resource: &Resource) -> Option<Entity> {
    let attributes = [
        ("org", resource.org.to_string()),
        ("name", resource.service.to_string()),
        ("kind", resource.kind.as_str().to_owned()),
    ];
    Entity::new(service, texts(attributes), HashSet::new()).ok()
}

fn texts(attributes: impl IntoIterator<Item = (&'static str, String)>) -> HashMap<String, Value> {
    attributes
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::new_string(text)))
        .collect()
}

fn moment(principal: &Principal, context: &RequestContext, now: UnixTime) -> [(String, Value); 5] {
    let seconds = |n: u64| Value::new_duration(format!("{n}s"));
    [
        ("now".to_owned(), Value::new_datetime(datetime(now))),
        ("localTime".to_owned(), seconds(context.local_time.into())),
        (
            "weekday".to_owned(),
            Value::new_long(context.weekday.into()),
        ),
        (
            "authAge".to_owned(),
            seconds(principal.auth_time.until(now)),
        ),
        ("mfa".to_owned(), Value::new_bool(principal.mfa)),
    ]
}

/// `2026-11-21T14:05:09Z`, by the proleptic Gregorian calendar.
fn datetime(at: UnixTime) -> String {
    // Years are counted from March, so that the leap day is the last day of one; 719_468 days lie before 1970.
    let days = at.0 / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (at.0 / 3600 % 24, at.0 / 60 % 60, at.0 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_right_on_the_days_that_are_easy_to_get_wrong() {
        let table = [
            (0, "1970-01-01T00:00:00Z", 4),
            (951_782_399, "2000-02-28T23:59:59Z", 1),
            (951_782_400, "2000-02-29T00:00:00Z", 2),
            (1_709_164_800, "2024-02-29T00:00:00Z", 4),
            (1_735_689_599, "2024-12-31T23:59:59Z", 2),
            (1_795_269_909, "2026-11-21T14:05:09Z", 6),
            (4_107_542_400, "2100-03-01T00:00:00Z", 1),
        ];

        for (seconds, text, weekday) in table {
            assert_eq!(datetime(UnixTime(seconds)), text);
            assert_eq!(
                RequestContext::utc(UnixTime(seconds)).weekday,
                weekday,
                "{text}"
            );
        }
        assert_eq!(
            RequestContext::utc(UnixTime(1_795_269_909)).local_time,
            14 * 3600 + 5 * 60 + 9
        );
    }
}
