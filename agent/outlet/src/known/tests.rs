//! What an outlet believes, whoever passes it on, and what it never forgets.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::private_dir;
use tidegate_proto::api::CatalogueEntry;
use tidegate_proto::api::access::TakenBack;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoiseSecret, SigningKey};
use tidegate_proto::policy::{Rules, Side};
use tidegate_proto::statement::{
    Algorithm, AuthorityStatement, OutletKeys, Relay, RevokeTarget, RootStatement,
    ServiceStatement, StatementHash,
};
use tidegate_proto::wire::link::ServiceHandle;

const KEYS: &[u8] = br#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

struct Desk {
    root: SigningKey,
    authority: SigningKey,
    identity: VerifyKey,
    noise: NoisePublic,
}

impl Desk {
    fn new() -> Self {
        Self {
            root: SigningKey::generate(&SystemEntropy),
            authority: SigningKey::generate(&SystemEntropy),
            identity: SigningKey::generate(&SystemEntropy).verify_key(),
            noise: NoiseSecret::generate(&SystemEntropy).public(),
        }
    }

    fn known(&self, kept: Kept) -> Known {
        let me = Me {
            org: org(),
            root: self.root.verify_key().peer_id(),
            identity: self.identity,
            noise: self.noise,
            read_only: [].into(),
            kinds: [("echo".parse().unwrap(), ServiceKind::Tcp)].into(),
        };
        let owner = OwnersRules {
            rules: Rules::compile(Side::Owner, "").unwrap(),
            in_force: None,
        };
        Known::new(me, owner, kept)
    }

    fn parts(&self, services: &[ServiceStatement], idp_version: u64) -> Parts {
        self.parts_under(1, services, idp_version)
    }

    /// With the authority's statement in this version.
    fn parts_under(&self, version: u64, services: &[ServiceStatement], idp_version: u64) -> Parts {
        let root = RootStatement {
            org: org(),
            key: self.root.verify_key(),
            number: 1,
        };
        let authority = AuthorityStatement {
            org: org(),
            key: self.authority.verify_key(),
            noise: self.noise,
            not_before: clock::now().minus(60),
            not_after: clock::now().plus(3600),
            version,
        };
        let entry = |statement: &ServiceStatement| CatalogueEntry {
            jws: statement.sign(&self.root),
            handle: ServiceHandle([1; 16]),
            outlets: vec![],
        };
        Parts {
            roots: vec![root.sign(&self.root)],
            authority: authority.sign(&self.root),
            idp: idp(idp_version).sign(&self.root),
            policy: None,
            services: services.iter().map(entry).collect(),
        }
    }

    fn service(&self) -> ServiceStatement {
        ServiceStatement {
            org: org(),
            service: "echo".parse().unwrap(),
            kind: ServiceKind::Tcp,
            outlets: vec![OutletKeys {
                identity: self.identity,
                noise: self.noise,
            }],
            enrolment: None,
            relays: vec![Relay {
                address: "hub:1".parse().unwrap(),
                noise: self.noise,
            }],
            port: 15432,
            version: 1,
            title: String::new(),
            database: None,
        }
    }

    fn beacon(&self, epoch: u64, at: UnixTime, revoked: Vec<Revoked>) -> String {
        let beacon = Beacon {
            org: org(),
            epoch,
            at,
            versions: Newest::default(),
            revoked,
            floor: 0,
        };
        beacon.sign(&self.authority)
    }
}

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn idp(version: u64) -> IdpStatement {
    IdpStatement {
        org: org(),
        issuer: format!("https://idp-{version}.test"),
        client_id: "0oa".into(),
        algorithms: vec![Algorithm::ES256],
        redirect_ports: [8250, 18250, 28250],
        groups_claim: "groups".into(),
        key_host: "idp.test:443".parse().unwrap(),
        ca_pem: None,
        max_session: 3600,
        version,
    }
}

fn keys(issuer: &str, fetched: UnixTime) -> ProviderKeys {
    let keys = KeySet::parse(KEYS, &[Algorithm::ES256]).unwrap();
    ProviderKeys {
        issuer: issuer.into(),
        keys,
        fetched,
        former: Vec::new(),
    }
}

fn revoked(epoch: u64) -> Vec<Revoked> {
    vec![Revoked {
        who: RevokeTarget::Subject("ana".parse().unwrap()),
        epoch,
    }]
}

#[test]
fn serves_only_what_catalogue_and_configuration_both_name_with_our_keys() {
    let desk = Desk::new();
    let stranger = Desk::new();
    let other_keys = ServiceStatement {
        outlets: stranger.service().outlets,
        ..desk.service()
    };
    let other_kind = ServiceStatement {
        kind: ServiceKind::Postgres,
        ..desk.service()
    };
    let not_configured = ServiceStatement {
        service: "cache".parse().unwrap(),
        ..desk.service()
    };

    for (statement, served) in [
        (desk.service(), 1),
        (other_keys, 0),
        (other_kind, 0),
        (not_configured, 0),
    ] {
        let known = desk.known(Kept::default());
        known.take_parts(desk.parts(&[statement], 1)).unwrap();
        assert_eq!(known.served().len(), served);
    }
}

#[test]
fn nothing_is_decided_before_everything_is_known_and_old_keys_prove_nothing_new() {
    let desk = Desk::new();
    let known = desk.known(Kept::default());
    let footing = known.footing();
    let proves = || {
        footing
            .borrow()
            .as_ref()
            .map(|footing| footing.for_proofs().is_some())
    };

    assert_eq!(proves(), None);
    known.take_parts(desk.parts(&[desk.service()], 1)).unwrap();
    assert_eq!(proves(), None);
    known.take_keys(keys("https://idp-1.test", clock::now()));
    assert_eq!(proves(), Some(true));
    // In figures: whoever lets it live longer lets a stolen key live longer that was taken away.
    let (hour, ten_minutes) = (3600, 600);
    let fetched = |ago| keys("https://idp-1.test", clock::now().minus(ago));
    known.take_keys(fetched(hour + ten_minutes - 30));
    assert_eq!(proves(), Some(true), "as old as they get");
    known.take_keys(fetched(hour + ten_minutes + 1));
    assert_eq!(proves(), Some(false), "too old");
    known.take_keys(keys("https://idp-1.test", clock::now()));
    known.take_parts(desk.parts(&[desk.service()], 2)).unwrap();
    assert_eq!(proves(), Some(false), "another provider's");
}

#[test]
fn what_was_revoked_and_seen_survives_a_restart() {
    let (desk, dir) = (Desk::new(), private_dir());
    let known = desk.known(Kept::default());
    known.take_parts(desk.parts(&[desk.service()], 2)).unwrap();
    let changes = known
        .take_beacon(&desk.beacon(7, clock::now(), revoked(7)))
        .unwrap();
    assert_eq!((changes.stricter, changes.revoked), (true, revoked(7)));
    known.keep(dir.path()).unwrap();

    let after = desk.known(Kept::load(dir.path()).unwrap());
    after.take_keys(keys("https://idp-2.test", clock::now()));

    let standing = after.footing().borrow().clone().unwrap().standing;
    assert_eq!(
        standing.revocations.epoch_of(&desk.authority.verify_key()),
        7
    );
    let back = after.take_parts(desk.parts(&[desk.service()], 1));
    assert_eq!(
        back.err(),
        Some(NotTaken::Statement(StatementError::Rollback))
    );
    let forgetful = after
        .take_beacon(&desk.beacon(0, clock::now(), vec![]))
        .unwrap();
    assert!(!forgetful.stricter);
    assert_eq!(
        after
            .facts()
            .revocations
            .epoch_of(&desk.authority.verify_key()),
        7
    );
}

#[test]
fn a_beacon_from_another_time_revokes_but_is_no_sign_of_life() {
    let desk = Desk::new();
    let known = desk.known(Kept::default());
    assert_eq!(known.take_beacon("x"), Err(NotTaken::TooEarly));
    known.take_parts(desk.parts(&[desk.service()], 1)).unwrap();

    for at in [clock::now().minus(120), clock::now().plus(120)] {
        assert_eq!(
            known.take_beacon(&desk.beacon(3, at, revoked(3))),
            Err(NotTaken::Clock)
        );
    }

    assert_eq!(known.facts().beacon_at, UnixTime(0));
    assert_eq!(
        known
            .facts()
            .revocations
            .epoch_of(&desk.authority.verify_key()),
        3
    );
    known
        .take_beacon(&desk.beacon(3, clock::now(), vec![]))
        .unwrap();
    assert!(known.facts().beacon_at > UnixTime(0));
    let stranger = Desk::new();
    assert!(
        known
            .take_beacon(&stranger.beacon(99, clock::now(), vec![]))
            .is_err()
    );
}

#[test]
fn a_file_that_cannot_be_understood_stops_the_start() {
    let dir = private_dir();
    tidegate_link::keyfile::replace(&dir.path().join("known.json"), b"{").unwrap();

    assert!(matches!(Kept::load(dir.path()), Err(KeptError::Content(_))));
}

#[test]
fn what_a_stolen_authority_key_said_locks_nobody_out_once_the_root_has_named_another() {
    let mut desk = Desk::new();
    let known = desk.known(Kept::default());
    known.take_parts(desk.parts(&[desk.service()], 1)).unwrap();
    let now = clock::now();
    let poison = Beacon {
        org: org(),
        epoch: u64::MAX,
        at: now,
        versions: Newest::default(),
        revoked: vec![],
        floor: u64::MAX,
    };
    known.take_beacon(&poison.sign(&desk.authority)).unwrap();
    let kept = known.to_keep();
    let after_restart = desk.known(kept);

    desk.authority = SigningKey::generate(&SystemEntropy);
    let next = desk.authority.verify_key();
    let parts = desk.parts_under(2, &[desk.service()], 1);
    for known in [known, after_restart] {
        known.take_parts(parts.clone()).unwrap();
        known.take_beacon(&desk.beacon(1, now, vec![])).unwrap();

        let revocations = &known.facts().revocations;
        let ana = "00uana".parse().unwrap();
        let against = revocations.against((&ana, desk.identity.peer_id()), 1, &next);
        assert_eq!(against, None);
    }
}

#[test]
fn of_two_reloads_at_once_the_older_does_not_come_last() {
    let desk = Desk::new();
    let known = desk.known(Kept::default());
    let order = Mutex::new(Vec::new());
    let reload = |n: u32, held: &dyn Fn()| {
        let read = |_| {
            held();
            order.lock().unwrap().push(n);
            let rules = Rules::compile(Side::Owner, "").map_err(drop)?;
            Ok::<_, ()>(OwnersRules {
                rules,
                in_force: None,
            })
        };
        known.renew_owner(read).unwrap();
    };
    let (started, wait) = std::sync::mpsc::channel();

    std::thread::scope(|scope| {
        let (reload, known) = (&reload, &known);
        scope.spawn(move || {
            reload(1, &|| {
                started.send(()).unwrap();
                assert!(known.renewing.try_lock().is_err(), "held while it reads");
            });
        });
        wait.recv().unwrap();
        reload(2, &|| ());
    });

    assert_eq!(*order.lock().unwrap(), [1, 2]);
}

#[test]
fn nothing_about_grants_is_forgotten_by_a_clock_that_nobody_confirms() {
    let desk = Desk::new();
    let id = StatementHash::of("a grant");
    let news = GrantNews {
        used: vec![],
        taken_back: vec![TakenBack {
            grant: id,
            until: UnixTime(1), // whatever the authority says
        }],
    };
    let known = desk.known(Kept::default());
    known.take_parts(desk.parts(&[desk.service()], 1)).unwrap();
    assert_eq!(known.take_news(&news).0, [id]);
    known
        .take_beacon(&desk.beacon(0, clock::now(), vec![]))
        .unwrap();
    assert_eq!(known.take_news(&news), (vec![], false), "once");

    // Kept until a moment that has long passed by this computer's clock.
    let mut kept = known.to_keep();
    kept.grants = Grants::default();
    kept.grants.take_back(id, UnixTime(1));
    let after = desk.known(kept);
    after.take_parts(desk.parts(&[desk.service()], 1)).unwrap();
    let _ = after.take_beacon(&desk.beacon(0, clock::now().minus(600), vec![]));
    after.take_news(&GrantNews::default());
    assert!(after.facts().grants.is_taken_back(id));

    after
        .take_beacon(&desk.beacon(0, clock::now(), vec![]))
        .unwrap();
    after.take_news(&GrantNews::default());
    assert!(!after.facts().grants.is_taken_back(id));
}
