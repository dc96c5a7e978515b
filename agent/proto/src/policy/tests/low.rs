//! Which permits name the low assurance, and which only fail to think of it.
//! The rule is about meaning, not about spelling: a permit names it if it would not apply to some third, unheard-of assurance.

use super::*;

fn decide_low(text: &str) -> Result<(), Denied> {
    let rules = Rules::compile(Side::Org, text).unwrap();
    let low = Principal {
        assurance: Assurance::Low,
        ..ana()
    };
    rules.decide(&low, Action::Connect, &service(), &at(NOW), NOW)
}

fn low(text: &str) -> Option<Ground> {
    decide_low(text).err().map(|denied| denied.ground)
}

fn permit(clauses: &str) -> String {
    format!(
        r#"permit (principal in Tidegate::Group::"acme/data-science", action, resource) {clauses};"#
    )
}

#[test]
fn a_permit_that_names_low_admits_it() {
    for clauses in [
        r#"when { principal.assurance == "low" }"#,
        r#"when { principal.assurance like "low*" }"#,
        r#"when { "low" == principal.assurance && context.mfa }"#,
        r#"when { ["high", "low"].contains(principal.assurance) }"#,
        r#"when { principal.assurance == "high" || (principal.assurance == "low" && context.weekday == 6) }"#,
        r#"when { if principal.assurance == "low" then context.mfa else principal.assurance == "high" }"#,
        r#"unless { principal.assurance != "low" }"#,
        r#"unless { !(principal.assurance == "high" || principal.assurance == "low") }"#,
    ] {
        assert_eq!(low(&permit(clauses)), None, "{clauses}");
    }
}

#[test]
fn a_permit_that_does_not_name_low_denies_it() {
    for clauses in [
        "",
        "when { context.mfa }",
        r#"when { principal.assurance == "high" || context.mfa }"#,
        r#"when { principal.assurance == "low" || true }"#,
        r#"when { principal.assurance != "high" }"#,
        r#"unless { principal.assurance == "high" }"#,
        r#"when { if principal.assurance == "high" then false else true }"#,
        r#"when { principal has assurance }"#,
        r#"when { principal.assurance like "*" }"#,
        r#"unless { principal.assurance like "*h*" }"#,
        r#"unless { principal.assurance like "*i*" }"#,
        r#"unless { principal.assurance like "h*" }"#,
        r#"when { principal.assurance like "*o*" }"#,
        r#"when { principal.assurance == principal.assurance }"#,
        r#"when { {a: principal.assurance}.a == principal["assurance"] } unless { false && principal.assurance == "low" }"#,
    ] {
        assert_eq!(
            low(&permit(clauses)),
            Some(Ground::LowAssurance),
            "{clauses}"
        );
    }
    for clauses in [
        r#"when { principal.assurance == "high" }"#,
        r#"unless { principal.assurance == "low" }"#,
        r#"when { principal.assurance == "Low" }"#,
    ] {
        assert_eq!(
            low(&permit(clauses)),
            Some(Ground::NotPermitted),
            "{clauses}"
        );
    }
}

#[test]
fn one_permit_that_names_it_is_enough_and_a_forbid_that_names_it_is_not() {
    let plain = permit("");
    let naming = permit(r#"when { principal.assurance == "low" }"#);
    let spares_low =
        r#"forbid (principal, action, resource) unless { principal.assurance == "low" };"#;
    let hits_low = r#"forbid (principal, action, resource) when { principal.assurance == "low" };"#;
    let hits_others = r#"forbid (principal, action, resource) unless { ["high", "low"].contains(principal.assurance) };"#;

    assert_eq!(low(&format!("{plain}{naming}")), None);
    assert_eq!(low(&format!("{naming}{plain}{hits_others}")), None);
    assert_eq!(
        low(&format!("{plain}{hits_others}")),
        Some(Ground::LowAssurance)
    );
    assert_eq!(
        low(&format!("{plain}{spares_low}")),
        Some(Ground::LowAssurance)
    );
    assert_eq!(low(&format!("{naming}{hits_low}")), Some(Ground::Forbidden));
}

#[test]
fn a_naming_permit_that_does_not_apply_lends_nothing_to_one_that_does() {
    let elsewhere = r#"permit (principal in Tidegate::Group::"acme/sales", action, resource) when { principal.assurance == "low" };"#;

    assert_eq!(
        low(&format!("{}{elsewhere}", permit(""))),
        Some(Ground::LowAssurance)
    );
}

#[test]
fn a_permit_that_fails_for_an_assurance_nobody_has_denies_too() {
    let failing = r#"when { if principal.assurance == "low" then true else 9223372036854775807 + context.weekday > 0 }"#;

    assert_eq!(low(&permit(failing)), Some(Ground::Error));
}

#[test]
fn high_assurance_is_asked_nothing_new() {
    for clauses in [
        "",
        r#"when { principal.assurance == "high" }"#,
        r#"when { ["high", "low"].contains(principal.assurance) }"#,
    ] {
        assert_eq!(decide(&permit(clauses)), Ok(()), "{clauses}");
    }
}
