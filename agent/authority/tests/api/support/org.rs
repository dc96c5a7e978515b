//! An org as its administrator would sign it: root key, bundle, tickets, revocations.
//! Everything can also be signed by the wrong key or say the wrong thing, for whoever attacks.

use tidegate_authority::AuthorityPublic;
use tidegate_proto::{
    entropy::SystemEntropy,
    identity::{NoiseSecret, SigningKey, VerifyKey},
    statement::{
        AuthorityStatement, Enrolment, EnrolmentChain, IdpStatement, JoinTicket, OrgBundle,
        OutletEnrolment, OutletKeys, PolicyStatement, Relay, Revocation, RevokeTarget,
        RootStatement, SCHEMA_VERSION, ServiceKind, ServiceStatement, Statement, TicketKind,
        TicketStatement,
    },
    time::UnixTime,
};

const POLICY: &str = r#"
permit (
    principal in Tidegate::Group::"acme/data-science",
    action in [Tidegate::Action::"see", Tidegate::Action::"connect"],
    resource == Tidegate::Service::"acme/warehouse"
);
permit (principal in Tidegate::Group::"acme/ops", action, resource);
permit (
    principal,
    action == Tidegate::Action::"see",
    resource == Tidegate::Service::"acme/vault"
) when { principal in [Tidegate::Group::"acme/analysts", Tidegate::Group::"acme/owners"] };
@longest("2h")
permit (
    principal,
    action == Tidegate::Action::"request",
    resource == Tidegate::Service::"acme/vault"
) when { principal in [Tidegate::Group::"acme/analysts", Tidegate::Group::"acme/owners-and-analysts"] };
@approvals("2")
permit (
    principal in Tidegate::Group::"acme/interns",
    action == Tidegate::Action::"request",
    resource == Tidegate::Service::"acme/vault"
);
permit (
    principal in Tidegate::Group::"acme/oncall",
    action == Tidegate::Action::"emergency",
    resource == Tidegate::Service::"acme/vault"
);
permit (
    principal,
    action == Tidegate::Action::"approve",
    resource == Tidegate::Service::"acme/vault"
) when { principal in [Tidegate::Group::"acme/owners", Tidegate::Group::"acme/owners-and-analysts"] };
permit (principal in Tidegate::Group::"acme/ops", action, resource == Tidegate::Service::"acme/vault")
    when { principal.assurance == "low" };
"#;

pub(crate) struct Org {
    pub(crate) root: SigningKey,
    pub(crate) outlet: SigningKey,
    /// Of everything that is signed next.
    pub(crate) version: u64,
    pub(crate) services: Vec<&'static str>,
    pub(crate) policy: String,
    /// The vault takes outlets by ticket, from then on.
    pub(crate) outlets_since: UnixTime,
}

impl Org {
    pub(crate) fn new() -> Self {
        let key = || SigningKey::generate(&SystemEntropy);
        Self {
            root: key(),
            outlet: key(),
            version: 1,
            services: vec!["warehouse", "vault"],
            policy: POLICY.into(),
            outlets_since: UnixTime(0),
        }
    }

    pub(crate) fn bundle(
        &self,
        authority: AuthorityPublic,
        idp: IdpStatement,
        now: UnixTime,
    ) -> OrgBundle {
        let org = || "acme".parse().unwrap();
        let root = self.root.verify_key();
        let authority = AuthorityStatement {
            org: org(),
            key: authority.key,
            noise: authority.noise,
            not_before: now,
            not_after: now.plus(AuthorityStatement::LIFE),
            version: self.version,
        };
        let policy = PolicyStatement {
            org: org(),
            cedar: self.policy.clone(),
            schema_version: SCHEMA_VERSION,
            version: self.version,
        };
        let service =
            |(n, name): (usize, &&str)| self.service(name, u16::try_from(15432 + n).unwrap());
        OrgBundle {
            roots: vec![
                RootStatement {
                    org: org(),
                    key: root,
                    number: 1,
                }
                .sign(&self.root),
            ],
            root,
            authority: authority.sign(&self.root),
            idp: IdpStatement {
                version: self.version,
                ..idp
            }
            .sign(&self.root),
            services: self.services.iter().enumerate().map(service).collect(),
            policies: vec![policy.sign(&self.root)],
        }
    }

    fn service(&self, name: &str, port: u16) -> String {
        let noise = NoiseSecret::from_bytes(&[7; 32]).public();
        let statement = ServiceStatement {
            org: "acme".parse().unwrap(),
            service: name.parse().unwrap(),
            kind: ServiceKind::Tcp,
            outlets: vec![OutletKeys {
                identity: self.outlet.verify_key(),
                noise,
            }],
            enrolment: name.starts_with("vault").then(|| OutletEnrolment {
                keys: vec![self.root.verify_key()],
                since: self.outlets_since,
            }),
            relays: vec![Relay {
                address: "hub.test:7443".parse().unwrap(),
                noise,
            }],
            port,
            version: self.version,
            title: String::new(),
            database: None,
        };
        statement.sign(&self.root)
    }

    /// A good ticket for a device of `sub`.
    pub(crate) fn ticket(&self, sub: &str, now: UnixTime) -> Ticket {
        Ticket::signed(&self.root, now, |ticket| {
            ticket.kind = TicketKind::Device {
                sub: sub.parse().unwrap(),
            };
        })
    }

    pub(crate) fn revocation(&self, id: &str, who: RevokeTarget, now: UnixTime) -> String {
        let order = Revocation {
            org: "acme".parse().unwrap(),
            who,
            at: now,
            id: id.into(),
            reason: "left".into(),
        };
        order.sign(&self.root)
    }
}

/// A ticket and its private half.
pub(crate) struct Ticket {
    pub(crate) join: JoinTicket,
    id: String,
    org: String,
}

impl Ticket {
    /// Signed by `root` with whatever `change` makes of it.
    pub(crate) fn signed(
        root: &SigningKey,
        now: UnixTime,
        change: impl FnOnce(&mut TicketStatement),
    ) -> Self {
        let key = SigningKey::generate(&SystemEntropy);
        let mut statement = TicketStatement {
            org: "acme".parse().unwrap(),
            kind: TicketKind::Device {
                sub: "ana".parse().unwrap(),
            },
            key: key.verify_key(),
            at: now.minus(60),
            not_after: now.plus(3600),
            id: key.verify_key().to_string(),
            services: vec![],
        };
        change(&mut statement);
        let (id, org) = (statement.id.clone(), statement.org.to_string());
        Self {
            join: JoinTicket {
                jws: statement.sign(root),
                key,
            },
            id,
            org,
        }
    }

    /// The ticket's word for a new key.
    pub(crate) fn enrolment(&self, key: &VerifyKey, now: UnixTime) -> String {
        self.enrolment_by(&self.join.key, key, now)
    }

    /// The ticket's word for a new outlet.
    pub(crate) fn outlet(&self, keys: &OutletKeys, now: UnixTime) -> EnrolmentChain {
        let enrolment = Enrolment {
            org: self.org.parse().unwrap(),
            ticket: self.id.clone(),
            key: keys.identity,
            noise: Some(keys.noise),
            at: now,
        };
        EnrolmentChain {
            ticket: self.join.jws.clone(),
            enrolment: enrolment.sign(&self.join.key),
        }
    }

    pub(crate) fn enrolment_by(
        &self,
        signer: &SigningKey,
        key: &VerifyKey,
        now: UnixTime,
    ) -> String {
        let enrolment = Enrolment {
            org: self.org.parse().unwrap(),
            ticket: self.id.clone(),
            key: *key,
            noise: None,
            at: now,
        };
        enrolment.sign(signer)
    }
}
