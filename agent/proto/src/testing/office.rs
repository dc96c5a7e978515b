//! Ana's colleagues, who approve what she asks for, in the small world of `testing`.
//! Each of them signs in and holds a device of their own; the authority's seals are made here too, also false ones.

use super::{CLIENT, ISSUER, NOW, RZ, World, key, org, warehouse};
use crate::{
    grant::{Approval, Grant},
    identity::SigningKey,
    idtoken::commitment,
    legs::Legs,
    policy::Policies,
    statement::{
        AccessRequest, Assurance, Credential, Extent, GrantStatement, Seal, Statement,
        StatementHash,
    },
    time::UnixTime,
};
use serde_json::{Value, json};

/// Data scientists may ask, data owners decide, and nobody connects without that.
pub(crate) const ASKING: &str = r#"
    @longest("4h")
    permit (principal in Tidegate::Group::"acme/data-science", action == Tidegate::Action::"request",
            resource == Tidegate::Service::"acme/warehouse");
    permit (principal in Tidegate::Group::"acme/data-owners", action == Tidegate::Action::"approve",
            resource == Tidegate::Service::"acme/warehouse");
    permit (principal, action == Tidegate::Action::"connect", resource) when { context has grant };"#;

/// The owner lets in whoever was given access.
pub(crate) const OWNER: &str = r#"permit (principal, action == Tidegate::Action::"connect", resource) when { context has grant };"#;

/// When Ana asked, and when it was approved.
pub(crate) const ASKED: UnixTime = UnixTime(NOW.0 - 120);
pub(crate) const APPROVED: UnixTime = UnixTime(NOW.0 - 60);

/// Somebody else at the org.
pub(crate) struct Colleague {
    pub(crate) identity: SigningKey,
    pub(crate) claims: Value,
    pub(crate) credential: Credential,
}

/// Ben owns the data; `seed` makes his device's key.
pub(crate) fn colleague(sub: &'static str, seed: u8) -> Colleague {
    let identity = key(seed);
    let nonce = commitment(&RZ, &identity.verify_key(), &org(), CLIENT);
    let claims = json!({"iss": ISSUER, "aud": CLIENT, "sub": sub, "iat": NOW.0 - 300, "exp": NOW.0 + 3300,
        "auth_time": NOW.0 - 310, "nonce": nonce, "groups": ["Everyone", "data-owners"], "email": format!("{sub}@acme.example")});
    let credential = Credential {
        org: org(),
        sub: sub.parse().unwrap(),
        cnf: identity.verify_key().peer_id(),
        device: "a colleague's laptop".to_owned(),
        epoch: 7,
        assurance: Assurance::High,
        not_before: NOW.minus(300),
        not_after: NOW.plus(300),
        id: "c2".to_owned(),
    };
    Colleague {
        identity,
        claims,
        credential,
    }
}

impl World {
    /// As new, under the rules above.
    pub(crate) fn asking() -> Self {
        let mut world = Self::new();
        world.standing.policy = Policies::compile(ASKING, OWNER).unwrap();
        world
    }

    /// Two hours, because of a ticket.
    pub(crate) fn request(&self) -> AccessRequest {
        AccessRequest {
            org: org(),
            sub: "00uana".parse().unwrap(),
            device: self.identity.verify_key().peer_id(),
            service: warehouse(),
            extent: Extent {
                seconds: 7200,
                read_only: false,
            },
            reason: "INC-42 churn numbers".to_owned(),
            emergency: false,
            extends: None,
            at: ASKED,
            id: "r1".to_owned(),
        }
    }

    pub(crate) fn seal(&self, statement: &str, at: UnixTime) -> String {
        Seal {
            org: org(),
            of: StatementHash::of(statement),
            at,
            index: 7,
        }
        .sign(&self.authority)
    }

    pub(crate) fn legs_of(&self, who: &Colleague) -> Legs {
        Legs {
            identity: who.identity.verify_key(),
            credential: who.credential.sign(&self.authority),
            id_token_0: self.provider.sign(&who.claims),
            rz: RZ,
            id_token_n: None,
            enrolment: None,
        }
    }

    /// `who` approves all of it.
    pub(crate) fn approval(&self, request: &str, who: &Colleague) -> Approval {
        self.approval_but(request, who, |_| ())
    }

    pub(crate) fn approval_but(
        &self,
        request: &str,
        who: &Colleague,
        change: impl FnOnce(&mut GrantStatement),
    ) -> Approval {
        let mut statement = GrantStatement {
            org: org(),
            request: StatementHash::of(request),
            extent: self.request().extent,
            at: APPROVED,
            id: "g1".to_owned(),
        };
        change(&mut statement);
        let grant = statement.sign(&who.identity);
        Approval {
            legs: self.legs_of(who),
            seal: self.seal(&grant, statement.at),
            grant,
        }
    }

    /// `request`, approved by all of them.
    pub(crate) fn granted(&self, request: &AccessRequest, by: &[Colleague]) -> Grant {
        let request_jws = request.sign(&self.identity);
        Grant {
            seal: self.seal(&request_jws, request.at),
            approvals: by
                .iter()
                .map(|who| self.approval(&request_jws, who))
                .collect(),
            request: request_jws,
        }
    }

    /// What Ana asked for, approved by Ben.
    pub(crate) fn grant(&self) -> Grant {
        self.granted(&self.request(), &[colleague("00uben", 30)])
    }
}
