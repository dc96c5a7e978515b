//! What earlier versions wrote must open in this one, come to this one's schema, and lose nothing.
//! The folders under `tests/kept` were written by the versions they name; they are copied, never changed.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tidegate_authority::{Anchor, Authority, AuthorityConfig, Clock, OpenError, store::StoreError};
use tidegate_proto::{statement::OrgBundle, time::UnixTime};

/// The first schema, and when it was written.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kept/first");
const WRITTEN: UnixTime = UnixTime(1_795_332_200);

struct Stopped(UnixTime);

impl Clock for Stopped {
    fn now(&self) -> UnixTime {
        self.0
    }
}

/// A copy of what was kept, with the rights that its owner had set.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy_into(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
            std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
}

async fn open(data: PathBuf) -> Result<Authority, OpenError> {
    let read = |name: &str| std::fs::read(Path::new(FIRST).join(name)).unwrap();
    let anchor = Anchor {
        org: "acme".parse().unwrap(),
        root: String::from_utf8(read("root")).unwrap().parse().unwrap(),
    };
    let bundle = OrgBundle::parse(&read("bundle.json")).unwrap();
    let config = AuthorityConfig { data, anchor };
    Authority::open(config, bundle, Arc::new(Stopped(WRITTEN))).await
}

async fn database(data: &Path) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(data.join("authority.sqlite"));
    file.connect().await.unwrap()
}

/// All that the first schema knew, row by row.
async fn remembered(data: &Path) -> Vec<String> {
    let questions = [
        "SELECT concat_ws(' ', identity, peer, name, sub, ticket, enrolled_at, revoked_epoch) FROM device ORDER BY 1",
        "SELECT concat_ws(' ', id, kind, who, epoch, ordered_at, received_at, jws) FROM revocation ORDER BY 1",
        "SELECT concat_ws(' ', name, version, hex(digest)) FROM seen ORDER BY 1",
        "SELECT concat_ws(' ', 'epoch', value) FROM epoch",
    ];
    let mut rows = Vec::new();
    let mut database = database(data).await;
    for question in questions {
        let found = sqlx::query(question).fetch_all(&mut database).await;
        rows.extend(found.unwrap().iter().map(|row| row.get::<String, _>(0)));
    }
    rows
}

async fn schema(data: &Path) -> i64 {
    let version = sqlx::query_scalar("PRAGMA user_version");
    version.fetch_one(&mut database(data).await).await.unwrap()
}

fn audit(data: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(data.join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .collect();
    files.sort();
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_first_schema_opens_and_nothing_in_it_is_lost() {
    let dir = copy(&Path::new(FIRST).join("hub/authority"));
    let (data, before, recorded) = (
        dir.path().to_owned(),
        remembered(dir.path()).await,
        audit(dir.path()),
    );
    assert_eq!((schema(&data).await, before.len()), (1, 10));

    let authority = open(data.clone()).await.unwrap();
    let key = authority.statement().key;
    authority.shutdown().await;

    assert!(schema(&data).await >= 3);
    assert_eq!(remembered(&data).await, before);
    let now = audit(&data);
    assert_eq!(now[..recorded.len()], recorded[..]);
    assert!(
        now.len() > recorded.len(),
        "the new version went on with it"
    );
    // Opened once more, it is as it was.
    let again = open(data.clone()).await.unwrap();
    assert_eq!(again.statement().key, key);
    again.shutdown().await;
    assert_eq!(remembered(&data).await, before);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let dir = copy(&Path::new(FIRST).join("hub/authority"));
    let newer = "PRAGMA user_version = 99";
    let mut store = database(dir.path()).await;
    sqlx::query(newer).execute(&mut store).await.unwrap();
    drop(store);

    let refused = open(dir.path().to_owned()).await.err();

    assert_eq!(refused, Some(OpenError::Store(StoreError::Newer)));
    assert_eq!(schema(dir.path()).await, 99);
}
