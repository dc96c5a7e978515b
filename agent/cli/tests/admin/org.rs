//! Founding an org, signing it, and handing out tickets: what an administrator types, and what lies on the disk afterwards.
//! The root key is encrypted there, and no ticket is anywhere but on standard output.

use super::*;

#[test]
fn a_new_org_has_an_encrypted_key_and_two_files_to_fill_in() {
    let place = Place::founded();

    assert!(place.root.parse::<PeerId>().is_ok(), "{}", place.root);
    let mode = |name: &str| {
        std::fs::metadata(place.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("org"), mode("org/root.age")), (0o700, 0o600));
    assert!(
        std::fs::read(place.path("org/root.age"))
            .unwrap()
            .starts_with(b"age-encryption.org/v1\n-> scrypt ")
    );
    let unfilled = place.sign();
    assert_eq!(unfilled.status.code(), Some(2));
    for key in [
        "hub.authority_key",
        "hub.authority_noise",
        "hub.relay_noise",
        "idp.client_id",
        "service",
    ] {
        assert!(
            complained(&unfilled).contains(&format!("- {key}: ")),
            "{}",
            complained(&unfilled)
        );
    }
    assert!(!place.path("bundle.json").exists());

    let again = place.run(&[
        "org",
        "init",
        "--dir",
        "org",
        "--org",
        "acme",
        "--passphrase-file",
        "pass",
    ]);
    assert_eq!(again.status.code(), Some(6));
}

#[test]
fn the_passphrase_comes_from_a_file_of_the_administrators_only() {
    let place = Place::founded();
    place.describe(15432);
    let sign = |file: &str| {
        place.run(&[
            "org",
            "sign",
            "--dir",
            "org",
            "--out",
            "b.json",
            "--passphrase-file",
            file,
        ])
    };

    secret(&place.path("wrong"), "incorrect horse battery");
    assert_eq!(sign("wrong").status.code(), Some(6));
    assert!(complained(&sign("wrong")).contains("stays closed"));

    std::fs::set_permissions(place.path("pass"), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(complained(&sign("pass")).contains("Other users can read"));
    assert_eq!(sign("none").status.code(), Some(6));
    let nobody_to_ask = place.run(&["org", "sign", "--dir", "org", "--out", "b.json"]);
    assert_eq!(nobody_to_ask.status.code(), Some(6));
    assert!(!place.path("b.json").exists());
}

#[test]
fn versions_rise_for_what_changed_and_stay_for_what_did_not() {
    let place = Place::signed();
    let before = place.verified();
    place.describe(15433);

    let sign = place.sign();

    assert!(sign.status.success());
    let after = place.verified();
    assert!(after.authority.version > before.authority.version);
    assert!(after.services[0].version > before.services[0].version);
    assert_eq!(after.services[0].version, after.authority.version);
    assert_eq!((&after.idp, &after.policy), (&before.idp, &before.policy));
    assert!(
        complained(&sign).contains("kept     policy"),
        "{}",
        complained(&sign)
    );

    std::fs::remove_file(place.path("bundle.json")).unwrap();
    assert!(place.sign().status.success());
    assert!(
        place.verified().authority.version >= after.authority.version,
        "even when the old bundle is lost"
    );
}

#[test]
fn a_ticket_is_a_link_and_nothing_else_on_standard_output() {
    let place = Place::signed();

    let ticket = place.run(&[
        "ticket",
        "--dir",
        "org",
        "--sub",
        "00uana",
        "--hours",
        "2",
        "--passphrase-file",
        "pass",
    ]);

    let link = JoinLink::parse(&said(&ticket)).ok().unwrap();
    assert_eq!(
        (link.address.to_string(), link.root.to_string()),
        ("127.0.0.1:7443".to_owned(), place.root.clone())
    );
    let root = place.verified().root;
    let inside = link.ticket.unwrap();
    let statement = inside.verify(&root, &link.org).unwrap();
    assert_eq!(
        statement.kind,
        TicketKind::Device {
            sub: "00uana".parse().unwrap()
        }
    );
    assert!(now().until(statement.not_after) <= 2 * 3600);
    let key = said(&ticket).rsplit_once("&key=").unwrap().1.to_owned();
    assert!(!complained(&ticket).contains(&key));

    for hours in ["0", "169"] {
        let refused = place.run(&[
            "ticket",
            "--dir",
            "org",
            "--sub",
            "a",
            "--hours",
            hours,
            "--passphrase-file",
            "pass",
        ]);
        assert_eq!(refused.status.code(), Some(2), "{hours}");
    }
}
