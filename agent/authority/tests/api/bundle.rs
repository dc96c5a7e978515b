//! What the root signed is in force as a whole, is replaced as a whole, and never goes back.
//! (Bad inputs 48 and 49.)

use tidegate_authority::{BundleError, Change, OpenError};
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, Settings, event, path},
    statement::{OrgBundle, RevokeTarget, StatementError},
};

use crate::support::{Stage, client::Events, client::tampered, org::Org};

async fn next_named(events: &mut Events, name: &str) -> Option<()> {
    while let Some(event) = events.next().await {
        if event.name == name {
            return Some(());
        }
    }
    None
}

#[tokio::test]
async fn a_newer_bundle_is_put_in_force_and_who_listens_is_told() {
    let mut stage = Stage::new().await;
    let mut client = stage.connect().await;
    client.outlet(&stage.org.outlet).await.unwrap();
    let mut outlet = client.events().await;
    stage.org.version = 2;
    stage.org.services = vec!["warehouse", "files"];

    let changes = stage.authority.reload(stage.bundle()).await.unwrap();

    let name = |name: &str| name.parse().unwrap();
    assert_eq!(
        changes,
        [
            Change::Authority,
            Change::Provider,
            Change::Policy,
            Change::ServiceChanged(name("warehouse")),
            Change::ServiceAdded(name("files")),
            Change::ServiceRemoved(name("vault")),
        ]
    );
    next_named(&mut outlet, event::CHANGED).await.unwrap();
    let settings: Settings = stage.connect().await.get(path::SETTINGS).await.unwrap();
    assert_eq!(settings.idp, stage.bundle().idp);
    drop(outlet);
    stage.end().await;
}

#[tokio::test]
async fn the_same_bundle_again_changes_nothing() {
    let stage = Stage::new().await;
    let settings: Settings = stage.connect().await.get(path::SETTINGS).await.unwrap();

    let mut same = stage.bundle();
    same.authority = settings.authority; // dated to the second

    assert_eq!(stage.authority.reload(same).await, Ok(vec![]));
    stage.end().await;
}

#[tokio::test]
async fn no_part_goes_back_not_even_over_a_restart() {
    let mut stage = Stage::new().await;
    let old = stage.bundle();
    stage.org.version = 2;
    let new = stage.bundle();
    stage.authority.reload(new.clone()).await.unwrap();

    let refused = stage.authority.reload(old.clone()).await;
    let Err(BundleError::Rollback(parts)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        parts,
        [
            "authority",
            "idp",
            "policy",
            "service/vault",
            "service/warehouse"
        ]
    );
    let one_service_back = OrgBundle {
        services: vec![old.services[0].clone()],
        ..new.clone()
    };
    let refused = stage.authority.reload(one_service_back).await;
    assert_eq!(
        refused,
        Err(BundleError::Rollback(vec!["service/warehouse".into()]))
    );

    let stage = stage.restart().await;
    stage.authority.drain();
    assert!(matches!(
        stage.authority.reload(old).await,
        Err(BundleError::Rollback(_))
    ));
    stage.end().await;
}

#[tokio::test]
async fn one_version_has_one_content() {
    let stage = Stage::new().await;
    let mut settings = stage.provider.settings();
    settings.client_id = "0oa-other".into();

    let other = stage.org.bundle(stage.public(), settings, stage.now());

    let refused = stage.authority.reload(other).await;
    let Err(BundleError::SameVersion(parts)) = refused else {
        panic!("{refused:?}")
    };
    assert!(parts.contains(&"idp".to_owned()), "{parts:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_bundle_that_was_altered_or_is_anothers_is_refused() {
    let mut stage = Stage::new().await;
    stage.org.version = 2;
    let good = stage.bundle();
    let stranger = Org::new().bundle(stage.public(), stage.provider.settings(), stage.now());
    let services = vec![tampered(&good.services[0], 1)];

    for (what, bundle) in [
        ("another root", stranger.clone()),
        (
            "another root's service",
            OrgBundle {
                services: stranger.services,
                ..good.clone()
            },
        ),
        (
            "an altered service",
            OrgBundle {
                services,
                ..good.clone()
            },
        ),
        (
            "an altered policy",
            OrgBundle {
                policies: vec![tampered(&good.policies[0], 2)],
                ..good.clone()
            },
        ),
        (
            "altered provider settings",
            OrgBundle {
                idp: tampered(&good.idp, 1),
                ..good.clone()
            },
        ),
        (
            "a service twice",
            OrgBundle {
                services: vec![good.services[0].clone(); 2],
                ..good.clone()
            },
        ),
    ] {
        let refused = stage.authority.reload(bundle).await;
        assert!(
            matches!(refused, Err(BundleError::Statement(_))),
            "{what}: {refused:?}"
        );
    }
    stage.authority.reload(good).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_bundle_for_another_authority_is_refused() {
    let (stage, other) = (Stage::new().await, Stage::new().await);

    let bundle = stage
        .org
        .bundle(other.public(), stage.provider.settings(), stage.now());

    assert_eq!(
        stage.authority.reload(bundle).await,
        Err(BundleError::OtherAuthority)
    );
    stage.end().await;
    other.end().await;
}

#[tokio::test]
async fn an_authority_whose_month_is_over_gives_nothing_and_still_revokes() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let mut client = stage.connect().await;
    stage.clock.advance(31 * 86_400);

    let answer = client
        .credential(&device, &stage.token(&device, "ana"))
        .await;

    assert_eq!(answer.err().map(|(status, _)| status.as_u16()), Some(503));
    let who = RevokeTarget::Subject("ana".parse().unwrap());
    let revocation = stage.org.revocation("r1", who, stage.now());
    let receipt: RevokeAnswer = client
        .post(path::REVOKE, &RevokeRequest { revocation })
        .await
        .unwrap();
    assert_eq!(receipt.epoch, 1);
    let expired = stage.authority.reload(stage.org.bundle(
        stage.public(),
        stage.provider.settings(),
        stage.now().minus(31 * 86_400),
    ));
    assert_eq!(
        expired.await,
        Err(BundleError::Statement(StatementError::Expired))
    );
    stage.end().await;
}

#[tokio::test]
async fn one_data_directory_has_one_authority() {
    let stage = Stage::new().await;

    assert_eq!(
        stage.open_again(stage.bundle()).await.map(|_| ()),
        Err(OpenError::InUse)
    );
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_that_left_the_catalogue_hears_no_more() {
    let mut stage = Stage::new().await;
    let gone = std::mem::replace(&mut stage.org.outlet, Org::new().outlet);
    stage.org.version = 2;
    let after = stage.bundle();
    stage.org.outlet = gone;
    let mut client = stage.connect().await;
    client.outlet(&stage.org.outlet).await.unwrap();
    let mut events = client.events().await;

    stage.authority.reload(after).await.unwrap();

    assert!(next_named(&mut events, event::CHANGED).await.is_some());
    assert!(next_named(&mut events, event::CHANGED).await.is_none());
    assert!(
        stage
            .connect()
            .await
            .outlet(&stage.org.outlet)
            .await
            .is_err()
    );
    drop(events);
    stage.end().await;
}
