//! Names, titles and reasons that deceive readers or steer terminals, in an administrator's own files and arguments.
//! She did not make them up: they were pasted from a mail or a web page. Each is refused in words that are safe to print.

use super::*;
use tidegate_proto::{
    hostile,
    text::{deceives, readable},
};

/// What is printed is fit for a terminal, and for somebody's eyes.
fn assert_printable(output: &Output) {
    let text = complained(output);
    assert_eq!(readable(&text), text);
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(1_000), "{longest:?}");
}

/// A JSON string is one in TOML too, as value and as key.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// So few that every mistake they make is shown: a person is shown twenty.
const AT_A_TIME: usize = 6;

/// `good` with a hostile client, and for each text a service that has it as title and one that has it as name and as key.
fn hostile_org(good: &str, bad: &[String]) -> String {
    let (head, service) = good.split_once("[[service]]").unwrap();
    let mut text = head.replace("'0oa'", &quoted(&bad[0]));
    for (n, words) in bad.iter().enumerate() {
        let words = quoted(words);
        let service = service.replace("15432", &(15_500 + n).to_string());
        let named = service.replace("'warehouse'", &format!("'s{n}'"));
        text += &format!("[[service]]\ntitle = {words}\n{named}");
        let named = service.replace("'warehouse'", &words);
        text += &format!("[[service]]\n{named}\n{words} = 1\n");
    }
    text
}

#[test]
fn an_org_with_hostile_words_in_it_is_not_signed_and_every_place_is_named() {
    let place = Place::signed();
    let good = std::fs::read_to_string(place.path("org/org.toml")).unwrap();
    std::fs::remove_file(place.path("bundle.json")).unwrap();
    let bad: Vec<String> = hostile::texts()
        .into_iter()
        .filter(|text| text.len() > 120 || text.chars().any(deceives))
        .collect();

    for bad in bad.chunks(AT_A_TIME) {
        std::fs::write(place.path("org/org.toml"), hostile_org(&good, bad)).unwrap();

        let sign = place.sign();

        assert_eq!(sign.status.code(), Some(2));
        assert_printable(&sign);
        let said = complained(&sign);
        for n in 0..bad.len() {
            let title = format!("- service[{}]: title or database cannot be shown", 2 * n);
            assert!(said.contains(&title), "{title}\n{said}");
            let name = format!("- service[{}].name: it is not usable", 2 * n + 1);
            assert!(said.contains(&name), "{name}\n{said}");
        }
        assert!(said.contains("- idp: issuer, client_id"), "{said}");
        assert!(!place.path("bundle.json").exists());
    }
}

#[test]
fn a_file_that_is_no_toml_is_shown_without_what_would_steer_the_terminal() {
    let place = Place::signed();
    let good = std::fs::read_to_string(place.path("org/org.toml")).unwrap();
    let broken = format!("{good}title = \u{1b}[2J\u{202e}\u{1b}]0;owned\u{7}\n");
    std::fs::write(place.path("org/org.toml"), broken).unwrap();

    let sign = place.sign();

    assert_eq!(sign.status.code(), Some(2));
    assert_printable(&sign);
}

#[test]
fn words_that_only_look_odd_are_signed_as_they_stand() {
    let place = Place::signed();
    let good = std::fs::read_to_string(place.path("org/org.toml")).unwrap();
    let odd = "<img src=x onerror=alert(1)> {service} %s ${HOME} `id`";
    std::fs::write(
        place.path("org/org.toml"),
        format!("{good}title = {}\n", quoted(odd)),
    )
    .unwrap();

    assert!(place.sign().status.success());

    assert_eq!(place.verified().services[0].title, odd);
}

#[test]
fn a_person_or_a_reason_that_deceives_is_refused_before_anything_is_signed() {
    let place = Place::signed();
    let revoke = |sub: &str, reason: &str| {
        let hub = place.hub();
        let who = ["revoke", "--dir", "org", "--hub", &hub, "--sub", sub];
        let why = ["--reason", reason, "--passphrase-file", "pass"];
        place.run(&[&who[..], &why[..]].concat())
    };
    let bad = [
        "\u{202e}left",
        "\u{1b}[2J",
        "a\u{200b}b",
        &"x".repeat(10_000),
    ];

    for words in bad {
        for output in [revoke("00uana", words), revoke(words, "left")] {
            assert_eq!(output.status.code(), Some(2), "{}", complained(&output));
            assert!(output.stdout.is_empty());
        }
        assert_printable(&revoke("00uana", words));
    }
    assert!(!place.path("org/revocations").exists());
}
