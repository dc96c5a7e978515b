//! What earlier outlets wrote must serve this one: keys, last known statements, who was revoked, and the audit's chain.
//! The folders under `tests/kept` were written by the versions they name; they are copied, never changed.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tidegate_outlet::{Outlet, OutletConfig, audit, keys::OutletKeys};

const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kept/first");

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_into(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
            std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
}

fn known(data: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(data.join("known.json")).unwrap()).unwrap()
}

/// Its hub is nowhere: what was kept is all there is.
fn config(dir: &Path) -> OutletConfig {
    let root = std::fs::read_to_string(Path::new(FIRST).join("root")).unwrap();
    std::fs::write(
        dir.join("owner.cedar"),
        "permit (principal, action, resource);",
    )
    .unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    let text = format!(
        "org = \"acme\"\nroot = \"{root}\"\nhub = \"127.0.0.1:1\"\ndata = \"{}\"\npolicy = \"{}\"\nowner = \"this-computer\"\n\
         [[service]]\nname = \"web\"\nkind = \"tcp\"\ntarget = \"127.0.0.1:5080\"\n",
        at("data"),
        at("owner.cedar"),
    );
    OutletConfig::from_toml(&text).unwrap()
}

#[tokio::test]
async fn the_first_outlets_data_serve_this_version_and_nothing_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    copy_into(&Path::new(FIRST).join("outlet"), &data);
    let (before, proof) = (
        known(&data),
        audit::verify(&data.join("audit"), None).unwrap(),
    );
    let keys = OutletKeys::load(&data).ok().unwrap().identity.verify_key();

    let outlet = Outlet::start(config(dir.path())).await.unwrap();
    outlet.shutdown().await;

    let after = known(&data);
    for part in ["parts", "revocations", "seen", "beacon_at"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    assert_eq!(after["revocations"]["subjects"]["00ubob"], 1);
    let now = audit::verify(&data.join("audit"), None).unwrap();
    assert!(now.events > proof.events, "the chain goes on");
    assert_eq!(now.open, 0);
    let same = OutletKeys::load(&data).ok().unwrap().identity.verify_key();
    assert_eq!(same, keys);
}

#[tokio::test]
async fn a_memory_of_a_newer_version_stops_the_start_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    copy_into(&Path::new(FIRST).join("outlet"), &data);
    let mut newer = known(&data);
    newer["revoked_by_moon_phase"] = true.into();
    std::fs::write(data.join("known.json"), newer.to_string()).unwrap();

    let refused = Outlet::start(config(dir.path())).await.err().unwrap();

    let said = refused.to_string();
    assert!(
        said.contains("known.json") && said.contains("who was revoked"),
        "{said}"
    );
    assert_eq!(known(&data), newer);
}
