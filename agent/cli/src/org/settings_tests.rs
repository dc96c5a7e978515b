//! org.toml by example: one that is right, and one with every mistake a tired person makes.
//! Keys of mistakes are asserted, not their words: words may change.
#![allow(clippy::unwrap_used)]

use tidegate_link::settings_file::ConfigMistake;

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const PERMIT: &str = "permit (principal, action, resource);";

struct Place(tempfile::TempDir);

impl Place {
    fn with(toml: &str, cedar: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("org.toml"), toml).unwrap();
        std::fs::write(dir.path().join("policy.cedar"), cedar).unwrap();
        Self(dir)
    }

    fn load(&self) -> Result<OrgSettings, Mistakes> {
        let root = tidegate_proto::identity::SigningKey::from_seed(&[9; 32]).verify_key();
        let whose = Whose {
            org: &"acme".parse().unwrap(),
            root: &root,
        };
        OrgSettings::load(self.0.path(), whose, NOW)
    }
}

/// The keys of the mistakes in a description.
fn mistakes(toml: &str) -> Vec<String> {
    let Mistakes(mistakes) = Place::with(toml, PERMIT).load().err().unwrap();
    mistakes.into_iter().map(|mistake| mistake.key).collect()
}

fn key(n: u8) -> String {
    tidegate_proto::identity::SigningKey::from_seed(&[n; 32])
        .verify_key()
        .to_string()
}

fn noise(n: u8) -> String {
    tidegate_proto::identity::NoiseSecret::from_bytes(&[n; 32])
        .public()
        .to_string()
}

fn good() -> String {
    format!(
        r#"
policy = "policy.cedar"
[hub]
address = "hub.example.com:7443"
authority_key = "{}"
authority_noise = "{}"
relay_noise = "{}"
[idp]
issuer = "https://idp.example.com/oauth2/default"
client_id = "0oa"
[[service]]
name = "warehouse"
kind = "postgres"
title = "The data warehouse"
port = 15432
database = "warehouse"
outlet_identity = "{}"
outlet_noise = "{}"
"#,
        key(1),
        noise(2),
        noise(3),
        key(4),
        noise(5)
    )
}

#[test]
fn a_whole_description_becomes_statements() {
    let settings = Place::with(&good(), PERMIT).load().ok().unwrap();

    assert_eq!(settings.hub.to_string(), "hub.example.com:7443");
    assert_eq!(settings.idp.key_host.to_string(), "idp.example.com:443");
    assert_eq!(settings.idp.algorithms, [Algorithm::RS256]);
    assert_eq!(settings.idp.redirect_ports, [8250, 18250, 28250]);
    assert_eq!(settings.idp.max_session, 12 * 3600);
    let [service] = settings.services.as_slice() else {
        panic!("one service")
    };
    assert_eq!(service.relays[0].noise.to_string(), noise(3));
    assert_eq!((service.port, service.kind), (15432, ServiceKind::Postgres));
}

#[test]
fn what_is_not_usual_can_be_said() {
    let ca = some_ca();
    let text = good().replace(
        "client_id = \"0oa\"",
        "client_id = \"0oa\"\nkey_host = \"10.0.0.1:8443\"\nca_file = \"ca.pem\"\nalgorithms = [\"ES256\", \"RS256\"]\n\
         groups_claim = \"roles\"\nredirect_ports = [1025, 1026, 1027]\nmax_session_hours = 8",
    );
    let place = Place::with(&text, PERMIT);
    std::fs::write(place.0.path().join("ca.pem"), &ca).unwrap();

    let idp = place.load().ok().unwrap().idp;

    assert_eq!(idp.key_host.to_string(), "10.0.0.1:8443");
    assert_eq!(idp.ca_pem, Some(ca));
    assert_eq!(idp.algorithms, [Algorithm::ES256, Algorithm::RS256]);
    assert_eq!(
        (
            idp.groups_claim.as_str(),
            idp.redirect_ports,
            idp.max_session
        ),
        ("roles", [1025, 1026, 1027], 28_800)
    );
}

/// Made once with a tool; valid for a hundred years and for nobody.
fn some_ca() -> String {
    include_str!("test_ca.pem").to_owned()
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = r#"
policy = "policy.cedar"
polcy = "x"
[hub]
address = "hub.example.com"
authority_key = "short"
relay_noise = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
[idp]
issuer = "http://idp.example.com"
algorithms = ["HS256"]
redirect_ports = [8250, 8250, 28250]
max_session_hours = 13
[[service]]
name = "Warehouse"
kind = "mysql"
port = 80
[[service]]
name = "files"
kind = "tcp"
"#;

    let Mistakes(mistakes) = Place::with(text, "permit (principal, action")
        .load()
        .err()
        .unwrap();

    let keys: Vec<_> = mistakes
        .iter()
        .map(|m: &ConfigMistake| m.key.as_str())
        .collect();
    for expected in [
        "policy",
        "polcy",
        "hub.address",
        "hub.authority_key",
        "hub.authority_noise",
        "hub.relay_noise",
        "idp.issuer",
        "idp.client_id",
        "idp.algorithms",
        "idp.redirect_ports",
        "idp.max_session_hours",
        "service[0].name",
        "service[0].kind",
        "service[0].port",
        "service[0].outlet_identity",
        "service[0].outlet_noise",
        "service[1].port",
    ] {
        assert!(keys.contains(&expected), "{expected} in {keys:?}");
    }
    assert!(
        mistakes
            .iter()
            .all(|m| !m.reason.is_empty() && !m.fix.text().is_empty())
    );
}

#[test]
fn two_services_share_neither_name_nor_port() {
    let block = good().split("[[service]]").nth(1).unwrap().to_owned();

    let Mistakes(mistakes) = Place::with(&format!("{}[[service]]{block}", good()), PERMIT)
        .load()
        .err()
        .unwrap();

    let keys: Vec<_> = mistakes.iter().map(|m| m.key.as_str()).collect();
    assert_eq!(keys, ["service[1].name", "service[1].port"]);
}

#[test]
fn every_entry_names_the_hubs_relay_first_and_then_the_others() {
    let more = format!(
        "\n[[relay]]\naddress = \"relay.example.com:7443\"\nnoise = \"{}\"\n",
        noise(7)
    );

    let settings = Place::with(&(good() + &more), PERMIT).load().ok().unwrap();

    let relays = &settings.services[0].relays;
    let addresses: Vec<_> = relays
        .iter()
        .map(|relay| relay.address.to_string())
        .collect();
    assert_eq!(
        addresses,
        ["hub.example.com:7443", "relay.example.com:7443"]
    );
    assert_eq!(relays[1].noise.to_string(), noise(7));
}

#[test]
fn relays_share_neither_address_nor_key() {
    let twice = format!(
        "\n[[relay]]\naddress = \"hub.example.com:7443\"\nnoise = \"{}\"\n",
        noise(3)
    );
    let many: String = (10..18)
        .map(|n| {
            let noise = noise(n);
            format!("\n[[relay]]\naddress = \"relay{n}.example.com:7443\"\nnoise = \"{noise}\"\n")
        })
        .collect();

    let twice = mistakes(&(good() + &twice));
    let many = mistakes(&(good() + &many));

    assert_eq!(twice, ["relay[0].address", "relay[0].noise"]);
    assert_eq!(many, ["relay"]);
}

#[test]
fn a_policy_that_would_surprise_is_refused() {
    for cedar in [
        "permit (principal, action, resource) when { principal.salary > 3 };",
        "permit (principal, action == Tidegate::Action::\"fly\", resource);",
        &format!(
            "permit (principal, action, resource) when {{ {}1 == 1{} }};",
            "(".repeat(200),
            ")".repeat(200)
        ),
    ] {
        let Mistakes(mistakes) = Place::with(&good(), cedar).load().err().unwrap();
        assert_eq!(mistakes.len(), 1, "{cedar}");
        assert_eq!(mistakes[0].key, "policy");
    }
}

#[test]
fn the_template_needs_only_what_is_empty_in_it() {
    let toml = include_str!("template.toml").replace("@ORG@", "acme");
    let cedar = include_str!("template.cedar").replace("@ORG@", "acme");

    let Mistakes(mistakes) = Place::with(&toml, &cedar).load().err().unwrap();

    let keys: Vec<_> = mistakes.iter().map(|m| m.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "hub.authority_key",
            "hub.authority_noise",
            "hub.relay_noise",
            "idp.client_id",
            "service"
        ],
        "everything else is filled in"
    );
    let example = cedar.replace("\n// ", "\n").replace("\n//\n", "\n");
    let from = example.find("\npermit (").unwrap();
    assert!(
        Rules::compile(
            Side::Org,
            &example[from..].replace("And nobody", "// And nobody")
        )
        .is_ok()
    );
}

#[test]
fn a_service_takes_outlets_by_ticket_in_place_of_their_keys() {
    let (before, keys) = good()
        .split_once("outlet_identity")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let with = |lines: &str| Place::with(&format!("{before}{lines}"), PERMIT).load();

    let settings = with("outlets = \"ticket\"\noutlets_since = 1700000000\n").unwrap();
    let service = &settings.services[0];
    let taken = service.enrolment.clone().unwrap();
    assert_eq!((service.outlets.len(), taken.keys.len()), (0, 1));
    assert_eq!(taken.since, UnixTime(1_700_000_000));

    let mistakes = |lines: &str| {
        let keys = with(lines)
            .err()
            .unwrap()
            .0
            .into_iter()
            .map(|mistake| mistake.key);
        keys.collect::<Vec<_>>()
    };
    assert_eq!(mistakes("outlets = \"anybody\"\n"), ["service[0].outlets"]);
    assert_eq!(
        mistakes(&format!("outlets = \"ticket\"\noutlet_identity{keys}")),
        ["service[0].outlet_identity", "service[0].outlet_noise"],
        "either keys or tickets"
    );
}
