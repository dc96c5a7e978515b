//! Policies that allow, that deny, that fail, and texts no parser should see.
//! The question is always the same: may Ana connect to the warehouse on a Saturday afternoon.

#![allow(clippy::unwrap_used)]
mod low;
mod same;

use super::*;
use crate::testing::{ALLOWING, NOW, at, org, warehouse};
use crate::{
    identity::SigningKey,
    principal::{DeviceProof, Joined},
    statement::{Assurance, ServiceKind},
};

fn ana() -> Principal {
    Principal {
        org: org(),
        sub: "00uana".parse().unwrap(),
        device: SigningKey::from_seed(&[3; 32]).verify_key().peer_id(),
        device_name: "laptop".to_owned(),
        assurance: Assurance::High,
        enrolment: DeviceProof::Vouched,
        joined: Joined::Unknown,
        groups: vec!["Everyone".to_owned(), "data-science".to_owned()],
        department: None,
        employee_type: Some("contractor".to_owned()),
        email: None,
        auth_time: NOW.minus(600),
        mfa: true,
    }
}

fn service() -> Resource {
    Resource {
        org: org(),
        service: warehouse(),
        kind: ServiceKind::Postgres,
    }
}

fn decide(text: &str) -> Result<(), Denied> {
    let rules = Rules::compile(Side::Org, text).unwrap();
    rules.decide(&ana(), Action::Connect, &service(), &at(NOW), NOW)
}

fn ground(text: &str) -> Option<Ground> {
    decide(text).err().map(|denied| denied.ground)
}

#[test]
fn allows_what_a_policy_permits_and_none_forbids() {
    assert_eq!(decide(ALLOWING), Ok(()));
    assert_eq!(
        decide(
            r#"permit (principal, action, resource) when { principal.org == resource.org && context.mfa };"#
        ),
        Ok(())
    );
    assert_eq!(
        decide(
            r#"permit (principal, action == Tidegate::Action::"connect", resource) when {
                context.weekday == 6 && context.localTime >= duration("14h") && context.localTime < duration("15h") &&
                context.authAge < duration("12h") && context.now >= datetime("2026-11-21") &&
                context.now < datetime("2026-11-22") };"#
        ),
        Ok(())
    );
}

#[test]
fn denies_when_there_is_no_policy_at_all() {
    assert_eq!(ground(""), Some(Ground::NoPolicies));
    assert_eq!(ground("// only a comment\n"), Some(Ground::NoPolicies));
}

#[test]
fn denies_when_a_forbid_overflows() {
    let overflowing = r#"permit (principal, action, resource);
        forbid (principal, action, resource) when { context.weekday + 9223372036854775807 > 0 };"#;

    assert_eq!(ground(overflowing), Some(Ground::Error));
}

#[test]
fn denies_when_any_policy_cannot_be_evaluated_even_a_permit() {
    let text = r#"permit (principal, action, resource);
        permit (principal, action, resource) when { context.weekday * 9223372036854775807 == 1 };"#;

    assert_eq!(ground(text), Some(Ground::Error));
}

#[test]
fn a_forbid_wins_and_tells_only_what_its_owner_wrote() {
    let silent = format!(
        "{ALLOWING} forbid (principal, action, resource) when {{ principal has employeeType }};"
    );
    let telling = format!(
        "{ALLOWING} @tell(\"contractors ask \u{43a}the data office\") forbid (principal, action, resource);"
    );

    assert_eq!(
        decide(&silent).unwrap_err(),
        Denied {
            side: Side::Org,
            ground: Ground::Forbidden,
            told: None
        }
    );
    assert_eq!(
        decide(&telling).unwrap_err().told.unwrap().as_str(),
        "contractors ask \u{43a}the data office"
    );
}

#[test]
fn both_the_org_and_the_owner_must_permit() {
    let decide = |org: &str, owner: &str| {
        let policies = Policies::compile(org, owner).unwrap();
        policies
            .decide(&ana(), Action::Connect, &service(), &at(NOW), NOW)
            .map_err(|denied| denied.side)
    };

    assert_eq!(decide(ALLOWING, ALLOWING), Ok(()));
    assert_eq!(decide("", ALLOWING), Err(Side::Org));
    assert_eq!(decide(ALLOWING, ""), Err(Side::Owner));
    let forbid = "forbid (principal, action, resource);";
    assert_eq!(
        decide(&format!("{ALLOWING}{forbid}"), ALLOWING),
        Err(Side::Org)
    );
    assert_eq!(
        decide(ALLOWING, &format!("{ALLOWING}{forbid}")),
        Err(Side::Owner)
    );
}

#[test]
fn a_group_or_service_of_another_org_is_another_one() {
    for other in [
        "evil/data-science",
        "acme/Data-Science",
        "acme/data-science ",
        "data-science",
        "acme/data\u{ad}-science",
    ] {
        let mut text = ALLOWING.replace("acme/data-science", &other.replace('\u{ad}', "\\u{ad}"));
        assert_eq!(ground(&text), Some(Ground::NotPermitted), "{other:?}");
        text = ALLOWING.replace("acme/warehouse", "evil/warehouse");
        assert_eq!(ground(&text), Some(Ground::NotPermitted));
    }
    let mut intruder = ana();
    intruder.org = "evil".parse().unwrap();
    intruder.groups = vec![
        "../acme/data-science".to_owned(),
        "acme/data-science".to_owned(),
    ];
    let rules = Rules::compile(Side::Org, ALLOWING).unwrap();
    assert!(
        rules
            .decide(&intruder, Action::Connect, &service(), &at(NOW), NOW)
            .is_err()
    );
}

#[test]
fn groups_named_with_any_text_are_carried_unchanged() {
    let mut odd = ana();
    odd.groups = vec![
        "a\"b\\c\0\n\u{202e}d".to_owned(),
        "%n".to_owned(),
        String::new(),
    ];
    let rules = Rules::compile(
        Side::Org,
        r#"permit (principal in Tidegate::Group::"acme/a\"b\\c\0\n\u{202e}d", action, resource);"#,
    )
    .unwrap();

    assert_eq!(
        rules.decide(&odd, Action::Connect, &service(), &at(NOW), NOW),
        Ok(())
    );
    assert!(
        rules
            .decide(&ana(), Action::Connect, &service(), &at(NOW), NOW)
            .is_err()
    );
}

#[test]
fn rejects_a_policy_that_does_not_parse() {
    for text in [
        "permit",
        "permit (principal, action, resource)",
        "allow all;",
        "permit(principal,action,resource) when { 1 + };",
    ] {
        assert!(
            matches!(Rules::compile(Side::Org, text), Err(PolicyError::Syntax(_))),
            "{text}"
        );
    }
}

#[test]
fn rejects_a_policy_that_names_an_unknown_attribute() {
    for condition in [
        "principal.employeType == \"contractor\"",
        "principal.department == \"x\"", // optional: must be asked for with `has` first
        "context.localtime > duration(\"1h\")",
        "resource.owner == principal",
        "principal.org == 7",
    ] {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        assert!(
            matches!(
                Rules::compile(Side::Org, &text),
                Err(PolicyError::Schema(_))
            ),
            "{condition}"
        );
    }
    for head in [
        r#"permit (principal in Tidegate::Gruop::"acme/x", action, resource);"#,
        r#"permit (principal, action == Tidegate::Action::"conect", resource);"#,
    ] {
        assert!(
            matches!(Rules::compile(Side::Org, head), Err(PolicyError::Schema(_))),
            "{head}"
        );
    }
    let template = "permit (principal == ?principal, action, resource);";
    assert_eq!(
        Rules::compile(Side::Org, template).unwrap_err(),
        PolicyError::Template
    );
}

#[test]
fn rejects_two_hundred_nested_parentheses_before_parsing() {
    let nested = |open: &str, close: &str, n: usize| {
        format!(
            "permit (principal, action, resource) when {{ {}true{} }};",
            open.repeat(n),
            close.repeat(n)
        )
    };

    for n in [32, 200, 10_000] {
        assert_eq!(
            Rules::compile(Side::Org, &nested("(", ")", n)).unwrap_err(),
            PolicyError::Screen(ScreenError::Nesting)
        );
        assert!(Rules::compile(Side::Org, &nested("[", "]", n)).is_err());
        assert!(Rules::compile(Side::Org, &nested("{a:", "}", n)).is_err());
        assert!(Rules::compile(Side::Org, &nested("if true then ", " else false", n)).is_err());
        assert!(Rules::compile(Side::Org, &nested("!", "", n * 20)).is_err());
        assert!(Rules::compile(Side::Org, &nested("true && ", "", n * 20)).is_err());
    }
    assert!(Rules::compile(Side::Org, &nested("(", ")", 20)).is_ok());
}

#[test]
fn rejects_ten_thousand_policies() {
    let text = "permit (principal, action, resource);".repeat(10_000);

    assert_eq!(
        Rules::compile(Side::Org, &text).unwrap_err(),
        PolicyError::Screen(ScreenError::Size)
    );
}

#[test]
fn rejects_letters_that_only_look_like_others_and_hidden_ones() {
    let table = [
        (
            "permit (princip\u{430}l, action, resource);",
            ScreenError::Alphabet,
        ),
        (
            "permit (principal, action, resource); // a\u{202e}b",
            ScreenError::Invisible,
        ),
        (
            "permit (principal, action, resource) when { \"\u{200b}\" == \"\" };",
            ScreenError::Invisible,
        ),
        (
            "permit (principal, action, resource);\0",
            ScreenError::Invisible,
        ),
        (
            "permit (principal, action, resource) when { \"",
            ScreenError::Unbalanced,
        ),
        (
            "permit (principal, action, resource));",
            ScreenError::Unbalanced,
        ),
    ];

    for (text, why) in table {
        assert_eq!(
            Rules::compile(Side::Org, text).unwrap_err(),
            PolicyError::Screen(why),
            "{text:?}"
        );
    }
    assert!(Rules::compile(Side::Org, "// gr\u{fc}\u{df}e\npermit (principal, action, resource) when { \"\u{e4}\" == \"\u{e4}\" };").is_ok());
}

/// Whatever the screen lets through must not overflow the smallest stack we run on: 2 MiB, unoptimised.
#[test]
fn the_deepest_text_that_is_let_through_does_not_end_the_process() {
    let policy =
        |condition: String| format!("permit (principal, action, resource) when {{ {condition} }};");
    let most = MAX_OPERATORS;
    let texts = vec![
        policy(format!("{}true{}", "(".repeat(30), ")".repeat(30))),
        policy(format!("true{}", " && true".repeat(most - 2))),
        policy(format!("true{}", " || false".repeat(most - 2))),
        policy(format!("0{} == 0", " + 1".repeat(most - 4))),
        policy(format!("0{} == 0", " * 1".repeat(most - 4))),
        policy(format!(
            "{}true{}",
            "if true then ".repeat(30),
            " else false".repeat(30)
        )),
        policy(format!("{}true", "if false then true else ".repeat(30))),
        policy(format!("context{}", ".now".repeat(most - 2))),
        policy(format!("context{}", "[\"now\"]".repeat(most - 2))),
        policy(format!("{}1{} == {{}}", "{a: ".repeat(30), "}".repeat(30))),
        policy(format!("{}true{}", "(".repeat(30), " || true)".repeat(30))),
        policy(format!("[{}].contains(1)", "1,".repeat(30_000))),
        policy(format!(
            "{{{}}} == {{}}",
            (0..4_000)
                .map(|n| format!("a{n}: {n},"))
                .collect::<String>()
        )),
        "permit (principal, action, resource);".repeat(1_700),
        format!(
            "{} permit (principal, action, resource);",
            "@a(\"b\")".repeat(4_000)
        ),
        policy("principal.org like \"*a*b*c*d*\"".to_owned()),
        policy(format!("principal.org like \"{}\"", "*a".repeat(15_000))),
        policy(format!(
            "principal is Tidegate::{}User",
            "Tidegate::".repeat(5_000)
        )),
        policy(format!("principal has {}org", "org.".repeat(most - 10))),
        format!(
            "permit (principal, action, resource) {};",
            "when { true } ".repeat(4_500)
        ),
        policy(format!("{}1 == 1", "- ".repeat(most - 10))),
        policy(format!(
            "duration(\"1h\"){} == duration(\"1h\")",
            ".toDays()".repeat(most - 10)
        )),
        policy(format!("ip({}", "\"1\")".to_owned())),
    ];

    let on_a_small_stack = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for text in texts {
                if let Ok(rules) = Rules::compile(Side::Org, &text) {
                    let _ = rules.decide(&ana(), Action::Connect, &service(), &at(NOW), NOW);
                }
            }
        });

    assert!(on_a_small_stack.unwrap().join().is_ok());
}

/// Cedar's validator gives up in silence when its stack runs low; what it did not read must not count as read.
#[test]
fn a_mistake_is_found_however_deep_it_hides() {
    let chain = MAX_OPERATORS - 5;
    let texts = [
        format!("context{} == 1", ".now".repeat(chain)),
        format!("principal.employeType{} == 1", " + 1".repeat(chain)),
        format!(
            "{}principal.employeType == 1{}",
            "true && (".repeat(30),
            ")".repeat(30)
        ),
        format!(
            "{}principal.employeType == 1{}",
            "if true then ".repeat(30),
            " else false".repeat(30)
        ),
        format!("principal.employeType == 1{}", " || true".repeat(chain)),
    ];

    for condition in texts {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        assert!(
            matches!(
                Rules::compile(Side::Org, &text),
                Err(PolicyError::Schema(_))
            ),
            "{text}"
        );
    }
    let mistake = "when { principal.employeType == 1 } ";
    let clauses = |n| {
        format!(
            "permit (principal, action, resource) {mistake}{};",
            "when { true } ".repeat(n)
        )
    };
    assert!(matches!(
        Rules::compile(Side::Org, &clauses(MAX_OPERATORS - 5)),
        Err(PolicyError::Schema(_))
    ));
    let too_many = PolicyError::Screen(ScreenError::Operators);
    assert_eq!(
        Rules::compile(Side::Org, &clauses(4_000)).unwrap_err(),
        too_many
    );
}
