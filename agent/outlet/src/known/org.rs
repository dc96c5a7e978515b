//! What the org root signed, verified from the pinned fingerprint up, whoever passed it on.
//! A service counts only if the catalogue, or a ticket that it asks for, names our keys for it and the owner's configuration names it with the same kind.

use super::{Me, NotTaken};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidegate_proto::api::CatalogueEntry;
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::names::ServiceName;
use tidegate_proto::policy::{Rules, Side};
use tidegate_proto::statement::{
    AuthorityStatement, IdpStatement, PolicyStatement, Seen, ServiceStatement, Statement,
};

/// The statements as they came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    pub(crate) roots: Vec<String>,
    pub(crate) authority: String,
    pub(crate) idp: String,
    pub(crate) policy: Option<String>,
    pub(crate) services: Vec<CatalogueEntry>,
}

/// A catalogue entry that this outlet serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) statement: ServiceStatement,
    pub(crate) entry: CatalogueEntry,
}

/// The statements, verified.
pub(crate) struct OrgFacts {
    pub(crate) parts: Parts,
    pub(crate) root: VerifyKey,
    pub(crate) authority: AuthorityStatement,
    pub(crate) idp: IdpStatement,
    pub(crate) services: BTreeMap<ServiceName, Served>,
    pub(crate) rules: Rules,
}

impl OrgFacts {
    /// Verifies everything; `seen` grows only if all of it holds.
    pub(super) fn verify(parts: Parts, me: &Me, seen: &mut Seen) -> Result<Self, NotTaken> {
        let mut next = seen.clone();
        let root = next.root(&parts.roots, &me.org, me.root)?;
        let authority = AuthorityStatement::verify_for(&parts.authority, &root, &me.org)?;
        next.authority(&authority)?;
        let idp = IdpStatement::verify_for(&parts.idp, &root, &me.org)?;
        next.idp(&idp)?;
        let mut policy = None;
        if let Some(jws) = &parts.policy {
            let statement = PolicyStatement::verify_for(jws, &root, &me.org)?;
            next.policy(&statement)?;
            policy = Some(statement);
        }
        let services = services(&parts.services, me, &root, &mut next)?;
        let rules = rules(policy.as_ref());
        *seen = next;
        Ok(Self {
            parts,
            root,
            authority,
            idp,
            services,
            rules,
        })
    }

    /// What is not as it was.
    pub(super) fn differences(&self, before: Option<&Self>) -> Vec<&'static str> {
        let Some(before) = before else {
            return vec!["first statements of the org"];
        };
        let statements = |org: &Self| {
            org.services
                .values()
                .map(|s| s.statement.clone())
                .collect::<Vec<_>>()
        };
        let all = [
            ("root key", self.root != before.root),
            ("authority", self.authority != before.authority),
            ("identity provider", self.idp != before.idp),
            ("org policy", self.parts.policy != before.parts.policy),
            ("services", statements(self) != statements(before)),
        ];
        all.into_iter()
            .filter_map(|(what, differs)| differs.then_some(what))
            .collect()
    }
}

fn services(
    entries: &[CatalogueEntry],
    me: &Me,
    root: &VerifyKey,
    seen: &mut Seen,
) -> Result<BTreeMap<ServiceName, Served>, NotTaken> {
    let mut services = BTreeMap::new();
    for entry in entries {
        let statement = ServiceStatement::verify_for(&entry.jws, root, &me.org)?;
        seen.service(&statement)?;
        let statement = statement.with_outlets(&entry.outlets);
        let ours = statement
            .outlets
            .iter()
            .any(|outlet| outlet.identity == me.identity && outlet.noise == me.noise);
        let configured = me.kinds.get(&statement.service) == Some(&statement.kind);
        if ours && configured {
            services.insert(
                statement.service.clone(),
                Served {
                    statement,
                    entry: entry.clone(),
                },
            );
        } else {
            tracing::warn!(service = %statement.service, ours, configured, "catalogue entry was not served");
        }
    }
    Ok(services)
}

/// Without a policy, or with one that cannot be read here, nothing is allowed; an older one is not used in its place.
fn rules(policy: Option<&PolicyStatement>) -> Rules {
    let text = policy.map_or("", |policy| policy.cedar.as_str());
    Rules::compile(Side::Org, text).unwrap_or_else(|error| {
        tracing::error!(%error, "org policy cannot be used, everything is denied");
        Rules::compile(Side::Org, "").expect("an empty policy compiles")
    })
}
