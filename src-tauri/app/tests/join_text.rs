//! What a join link says before anything acts on it.
#![allow(clippy::unwrap_used)]

use tidegate_app::join_text::{MAX_JOIN_TEXT, read_join_text};

const ROOT: &str = "NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI";

fn link() -> String {
    format!(
        "tidegate://join?hub=hub.acme.example:443&org=acme&root={ROOT}&ticket=canary.canary.canary&key={ROOT}"
    )
}

#[test]
fn says_where_it_leads() {
    let said = read_join_text(&format!("  {}\n", link())).unwrap();

    assert_eq!(said.org, "acme");
    assert_eq!(said.address, "hub.acme.example:443");
    assert_eq!(said.root.replace(' ', ""), ROOT);
    assert!(said.invitation);
}

#[test]
fn the_window_never_gets_the_ticket_back() {
    let said = read_join_text(&link()).unwrap();

    let sent = serde_json::to_string(&said).unwrap();
    assert!(!sent.contains("canary"));
    assert_eq!(sent.matches(ROOT).count(), 0);
}

#[test]
fn a_link_cut_anywhere_is_refused_or_shown_as_one_without_an_invitation() {
    let link = link();
    let whole_without = link.find("&ticket=").unwrap();
    for end in 0..link.len() {
        let read = read_join_text(&link[..end]);

        if end == whole_without {
            assert!(
                !read.unwrap().invitation,
                "it cannot be told from a cut one"
            );
            continue;
        }
        let problem = read.unwrap_err();
        assert_eq!(problem.code, "TG-4001", "cut at {end}");
        assert!(!problem.next.is_empty());
    }
}

#[test]
fn text_that_is_no_link_is_refused() {
    let huge = "x".repeat(MAX_JOIN_TEXT + 1);
    for text in [
        "",
        "hello",
        "https://acme.example/",
        "javascript:alert(1)",
        "tidegate://join?org=../x",
        &huge,
    ] {
        assert!(read_join_text(text).is_err());
    }
}
