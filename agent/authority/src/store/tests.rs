//! The store's promises, held against the real file: once is once, revoked stays revoked, nothing goes back.
//! Written against the trait, so that a second store can be put through the same list.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use tempfile::TempDir;
use tidegate_proto::identity::SigningKey;

use super::*;
use crate::store::{LET_IN_AT_MOST, TAKEN_BACK_AT_MOST, TAKEN_BACK_WITHIN};

const NOW: UnixTime = UnixTime(1_800_000_000);

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(
            SqliteStore::open(&self.dir.path().join("authority.sqlite"))
                .await
                .unwrap(),
        )
    }
}

fn key(n: u8) -> VerifyKey {
    SigningKey::from_seed(&[n; 32]).verify_key()
}

fn sub(text: &str) -> Subject {
    text.parse().unwrap()
}

fn device(ticket: &str, who: &str, n: u8) -> NewDevice {
    NewDevice {
        ticket: ticket.into(),
        ticket_at: NOW.minus(60),
        sub: sub(who),
        identity: key(n),
        now: NOW,
    }
}

fn order(id: &str, who: RevokeTarget) -> NewRevocation {
    NewRevocation {
        id: id.into(),
        who,
        at: NOW,
        jws: "a.b.c".into(),
        now: NOW,
    }
}

fn seen(name: &str, version: u64, digest: u8) -> Seen {
    Seen {
        name: name.into(),
        version,
        digest: [digest; 32],
    }
}

#[tokio::test]
async fn a_ticket_enrols_one_key_once() {
    let place = Place::new();
    let store = place.open().await;

    let Enrolled::New(name) = store.enrol(&device("t1", "ana", 1)).await.unwrap() else {
        panic!("not new")
    };

    assert_eq!(
        store.enrol(&device("t1", "ana", 1)).await,
        Ok(Enrolled::Again(name.clone()))
    );
    assert_eq!(
        store.enrol(&device("t1", "ana", 2)).await,
        Ok(Enrolled::TicketUsed)
    );
    assert_eq!(
        store.enrol(&device("t2", "bob", 1)).await,
        Ok(Enrolled::KeyTaken { same_person: false })
    );
    let known = store.known(&key(1)).await.unwrap();
    assert_eq!(
        known,
        Known {
            device: Some(Device {
                name,
                sub: sub("ana"),
                revoked: false,
                let_in: false,
            }),
            epoch: 0
        }
    );
    assert_eq!(store.known(&key(2)).await.unwrap().device, None);
}

#[tokio::test]
async fn of_forty_keys_with_one_ticket_exactly_one_wins() {
    let place = Place::new();
    let store = place.open().await;

    let racers = (1..=40).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.enrol(&device("t", "ana", n)).await.unwrap() })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Enrolled::New(_) => won += 1,
            other => assert_eq!(other, Enrolled::TicketUsed),
        }
    }

    assert_eq!(won, 1);
}

#[tokio::test]
async fn revoking_a_person_shuts_every_device_and_every_old_ticket() {
    let place = Place::new();
    let store = place.open().await;
    for (ticket, n) in [("t1", 1), ("t2", 2)] {
        store.enrol(&device(ticket, "ana", n)).await.unwrap();
    }
    store.enrol(&device("t3", "bob", 3)).await.unwrap();

    let receipt = store
        .revoke(&order("r1", RevokeTarget::Subject(sub("ana"))))
        .await
        .unwrap();

    assert_eq!(
        receipt,
        Receipt {
            epoch: 1,
            again: false
        }
    );
    for n in [1, 2] {
        assert!(store.known(&key(n)).await.unwrap().device.unwrap().revoked);
    }
    assert!(!store.known(&key(3)).await.unwrap().device.unwrap().revoked);
    assert_eq!(
        store.enrol(&device("t4", "ana", 4)).await,
        Ok(Enrolled::TicketOutdated)
    );
    assert_eq!(
        store.enrol(&device("t1", "ana", 1)).await,
        Ok(Enrolled::KeyRevoked),
        "a revoked key stays out"
    );

    let later = NewDevice {
        ticket_at: NOW.plus(1),
        ..device("t5", "ana", 5)
    };
    assert!(
        matches!(store.enrol(&later).await, Ok(Enrolled::New(_))),
        "a ticket from after it lets her back in"
    );
    assert_eq!(store.known(&key(5)).await.unwrap().epoch, 1);
}

#[tokio::test]
async fn a_revoked_key_never_enrols_even_if_it_was_unknown() {
    let place = Place::new();
    let store = place.open().await;

    store
        .revoke(&order("r1", RevokeTarget::Device(key(1).peer_id())))
        .await
        .unwrap();

    let later = NewDevice {
        ticket_at: NOW.plus(9),
        ..device("t1", "ana", 1)
    };
    assert_eq!(store.enrol(&later).await, Ok(Enrolled::KeyRevoked));
}

#[tokio::test]
async fn the_same_order_twice_is_one_revocation() {
    let place = Place::new();
    let store = place.open().await;
    let one = order("r1", RevokeTarget::Subject(sub("ana")));

    let first = store.revoke(&one).await.unwrap();
    let other = store
        .revoke(&order("r2", RevokeTarget::Subject(sub("bob"))))
        .await
        .unwrap();
    let again = store.revoke(&one).await.unwrap();

    assert_eq!((first.epoch, other.epoch), (1, 2));
    assert_eq!(
        again,
        Receipt {
            epoch: 1,
            again: true
        }
    );
    let (past, epoch) = store.past(10).await.unwrap();
    assert_eq!(epoch, 2);
    assert_eq!(
        past.iter().map(|p| p.revoked.epoch).collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!(store.past(1).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn a_person_takes_one_device_back_once_and_not_without_end() {
    let place = Place::new();
    let store = place.open().await;
    for n in 1..=20 {
        let ticket = format!("t{n}");
        store.enrol(&device(&ticket, "ana", n)).await.unwrap();
    }
    let take_back = async |who: &str, n: u8, now| {
        let (sub, device) = (sub(who), key(n).peer_id());
        let asked = TakeBack { sub, device, now };
        store.take_back(&asked).await.unwrap()
    };
    let lately = u8::try_from(TAKEN_BACK_AT_MOST).unwrap();

    assert_eq!(take_back("bob", 1, NOW).await, TakenBack::NotTheirs);
    assert_eq!(take_back("ana", 99, NOW).await, TakenBack::NotTheirs);
    for n in 1..=lately {
        assert!(matches!(take_back("ana", n, NOW).await, TakenBack::Now(_)));
        assert_eq!(take_back("ana", n, NOW).await, TakenBack::Already);
    }
    assert_eq!(take_back("ana", 20, NOW).await, TakenBack::TooMany);
    let (past, epoch) = store.past(100).await.unwrap();
    assert_eq!((past.len(), epoch), (lately.into(), lately.into()));
    let later = NOW.plus(TAKEN_BACK_WITHIN + 1);
    assert!(matches!(
        take_back("ana", 20, later).await,
        TakenBack::Now(_)
    ));
}

#[tokio::test]
async fn one_person_is_let_in_on_so_many_devices_and_none_hides_behind_others() {
    let place = Place::new();
    let store = place.open().await;
    store.enrol(&device("t", "ana", 1)).await.unwrap();
    let let_in = async |n: u8| {
        let vouched = Vouched {
            vouch: format!("v{n}"),
            sub: sub("ana"),
            identity: key(n),
            sponsor: key(1),
            label: String::new(),
            now: NOW.plus(n.into()),
        };
        store.vouch(&vouched).await.unwrap()
    };
    let most = u8::try_from(LET_IN_AT_MOST).unwrap();

    for n in 2..=most {
        assert!(matches!(let_in(n).await, Enrolled::New(_)), "{n}");
    }
    assert_eq!(let_in(most + 1).await, Enrolled::TooManyDevices);
    let by_ticket = store.enrol(&device("t2", "ana", most + 1)).await;
    assert!(matches!(by_ticket, Ok(Enrolled::New(_))));

    for n in 3..=most {
        let who = RevokeTarget::Device(key(n).peer_id());
        store.revoke(&order(&format!("r{n}"), who)).await.unwrap();
    }
    let listed = store.devices_of(&sub("ana"), 3).await.unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|device| device.id).collect();
    let left = [1, 2, most + 1].map(|n| key(n).peer_id());
    assert_eq!(listed, left.into());
    assert!(matches!(let_in(most + 2).await, Enrolled::New(_)));
}

#[tokio::test]
async fn whoever_is_revoked_a_hundred_times_is_listed_once() {
    let place = Place::new();
    let store = place.open().await;
    store
        .revoke(&order("first", RevokeTarget::Subject(sub("bob"))))
        .await
        .unwrap();

    for n in 0..100 {
        let again = order(&format!("r{n}"), RevokeTarget::Subject(sub("ana")));
        store.revoke(&again).await.unwrap();
    }

    let (past, epoch) = store.past(100).await.unwrap();
    let epochs: Vec<_> = past.iter().map(|past| past.revoked.epoch).collect();
    assert_eq!((epochs, epoch), (vec![101, 1], 101));
}

#[tokio::test]
async fn devices_that_were_shut_out_lately_are_listed_whether_the_order_named_them_or_their_person()
{
    let place = Place::new();
    let store = place.open().await;
    for (ticket, sub, n) in [
        ("t1", "ana", 1),
        ("t2", "ana", 2),
        ("t3", "bob", 3),
        ("t4", "cid", 4),
    ] {
        store.enrol(&device(ticket, sub, n)).await.unwrap();
    }
    let peers = |ns: &[u8]| -> BTreeSet<_> { ns.iter().map(|n| key(*n).peer_id()).collect() };
    let person = order("r1", RevokeTarget::Subject(sub("ana")));
    let one_key = order("r2", RevokeTarget::Device(key(3).peer_id()));
    let outlet = order("r3", RevokeTarget::Device(key(9).peer_id()));

    for order in [&person, &one_key, &outlet] {
        store.revoke(order).await.unwrap();
    }

    let listed = async |earliest| -> BTreeSet<_> {
        let listed = store.shut_out_since(earliest).await.unwrap();
        listed.into_iter().collect()
    };
    assert_eq!(listed(person.now).await, peers(&[1, 2, 3, 9]));
    assert_eq!(
        listed(person.now.plus(86_400)).await,
        peers(&[9]),
        "what an outlet shows has no end"
    );
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let place = Place::new();
    let store = place.open().await;
    store.enrol(&device("t1", "ana", 1)).await.unwrap();
    store
        .revoke(&order("r1", RevokeTarget::Subject(sub("ana"))))
        .await
        .unwrap();
    store.accept(&[seen("idp", 7, 1)], [9; 32]).await.unwrap();
    store.close().await;
    drop(store);

    let store = place.open().await;

    let known = store.known(&key(1)).await.unwrap();
    assert!(known.device.unwrap().revoked);
    assert_eq!(known.epoch, 1);
    assert!(matches!(
        store.accept(&[seen("idp", 6, 1)], [9; 32]).await,
        Ok(Accepted::No { .. })
    ));
    assert_eq!(
        store.enrol(&device("t1", "eve", 9)).await,
        Ok(Enrolled::TicketUsed)
    );
}

#[tokio::test]
async fn versions_rise_and_one_version_has_one_content() {
    let place = Place::new();
    let store = place.open().await;

    let first = store
        .accept(&[seen("idp", 2, 1), seen("policy", 5, 1)], [1; 32])
        .await
        .unwrap();
    assert_eq!(first, Accepted::Yes { catalogue: 1 });
    assert_eq!(
        store.accept(&[seen("idp", 2, 1)], [1; 32]).await,
        Ok(Accepted::Yes { catalogue: 1 })
    );
    assert_eq!(
        store.accept(&[seen("idp", 3, 2)], [2; 32]).await,
        Ok(Accepted::Yes { catalogue: 2 })
    );

    let refused = store
        .accept(
            &[seen("idp", 2, 1), seen("policy", 5, 9), seen("new", 1, 1)],
            [3; 32],
        )
        .await
        .unwrap();

    assert_eq!(
        refused,
        Accepted::No {
            older: vec!["idp".into()],
            differing: vec!["policy".into()]
        }
    );
    assert_eq!(
        store.accept(&[seen("new", 0, 0)], [2; 32]).await,
        Ok(Accepted::Yes { catalogue: 2 }),
        "nothing was noted"
    );
}

#[tokio::test]
async fn the_database_itself_refuses_to_go_back() {
    let place = Place::new();
    let store = SqliteStore::open(&place.dir.path().join("x.sqlite"))
        .await
        .unwrap();
    Store::enrol(&store, &device("t1", "ana", 1)).await.unwrap();
    Store::revoke(&store, &order("r1", RevokeTarget::Subject(sub("ana"))))
        .await
        .unwrap();
    Store::accept(&store, &[seen("idp", 7, 1)], [9; 32])
        .await
        .unwrap();

    for back in [
        "UPDATE epoch SET value = 0",
        "DELETE FROM epoch",
        "UPDATE device SET revoked_epoch = NULL",
        "DELETE FROM device",
        "UPDATE seen SET version = 6 WHERE name = 'idp'",
        "DELETE FROM seen",
    ] {
        assert!(
            sqlx::query(back).execute(&store.pool).await.is_err(),
            "{back}"
        );
    }
}

#[tokio::test]
async fn a_file_from_a_newer_version_is_refused() {
    let place = Place::new();
    let path = place.dir.path().join("x.sqlite");
    let store = SqliteStore::open(&path).await.unwrap();
    sqlx::query("PRAGMA user_version = 99")
        .execute(&store.pool)
        .await
        .unwrap();
    store.pool.close().await;

    assert_eq!(
        SqliteStore::open(&path).await.map(|_| ()),
        Err(StoreError::Newer)
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let store = place.open().await;
    store.enrol(&device("t1", "ana", 1)).await.unwrap();

    for file in std::fs::read_dir(place.dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            file.file_name()
        );
    }
    store.close().await;
}

#[tokio::test]
async fn of_two_changes_of_one_request_exactly_one_is_first() {
    let place = Place::new();
    let store = place.open().await;
    let doc = |version: u64, text: &str| AccessDoc {
        id: "r1".into(),
        version,
        gone_at: NOW.plus(100),
        doc: text.into(),
    };

    assert!(store.put_access(&doc(1, "asked")).await.unwrap());
    assert!(!store.put_access(&doc(1, "asked twice")).await.unwrap());
    let (approved, withdrawn) = (doc(2, "approved"), doc(2, "withdrawn"));
    let (one, two) = tokio::join!(store.put_access(&approved), store.put_access(&withdrawn));
    assert!(one.unwrap() != two.unwrap());
    assert!(!store.put_access(&doc(2, "late")).await.unwrap());
    assert!(!store.put_access(&doc(9, "from nowhere")).await.unwrap());

    store.close().await;
    let store = place.open().await;
    let kept = store.accesses(NOW).await.unwrap();
    assert_eq!((kept.len(), kept[0].version), (1, 2));
    assert!(store.accesses(NOW.plus(100)).await.unwrap().is_empty());
    store.close().await;
}
