//! What is read at all: requests, statements of one kind and no other, terms in a policy.

use super::*;

#[test]
fn a_request_that_makes_no_sense_is_not_read() {
    let world = World::asking();
    let reads = |change: &dyn Fn(&mut AccessRequest)| {
        let mut request = world.request();
        change(&mut request);
        let jws = request.sign(&world.identity);
        AccessRequest::verify(&jws, &world.identity.verify_key()).is_ok()
    };

    assert!(reads(&|_| ()));
    for seconds in [0, 1, 59, Extent::LONGEST + 1, u64::MAX] {
        assert!(!reads(&|r| r.extent.seconds = seconds), "{seconds}");
    }
    let long = "x".repeat(10_000);
    let reasons = [
        "",
        "   ",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\u{202e}b",
        "a\u{200b}b",
        "\u{1b}[31m",
        &long,
    ];
    for reason in reasons {
        assert!(!reads(&|r| r.reason = reason.to_owned()), "{reason:?}");
    }
    for (characters, fits) in [(160, true), (161, false)] {
        let reason = "数".repeat(characters);
        assert_eq!(reads(&|r| r.reason.clone_from(&reason)), fits);
        assert_eq!(crate::text::Shown::new(&reason).as_str() == reason, fits);
    }
    assert!(reads(
        &|r| r.reason = "数据 für Ana's INC-42 <b>&amp;".to_owned()
    ));

    let grown = json!({"org": "acme", "sub": "00uana", "device": world.request().device, "service": "warehouse",
        "extent": {"seconds": 7200, "rows": 5}, "reason": "x", "at": NOW.0, "id": "r1"});
    let jws = crate::jws::sign("tg-request", grown.to_string().as_bytes(), &world.identity);
    assert!(AccessRequest::verify(&jws, &world.identity.verify_key()).is_err());
    let negative = grown.to_string().replace("7200,\"rows\":5", "-7200");
    let negative = negative.replace("\"rows\":5,\"seconds\":7200", "\"seconds\":-7200");
    let jws = crate::jws::sign("tg-request", negative.as_bytes(), &world.identity);
    assert!(AccessRequest::verify(&jws, &world.identity.verify_key()).is_err());
}

#[test]
fn one_kind_of_statement_never_passes_for_another() {
    let world = World::asking();
    let mut grant = world.grant();
    let credential = world.credential().sign(&world.authority);
    assert!(Seal::verify(&credential, &world.authority.verify_key()).is_err());
    assert!(Credential::verify(&grant.seal, &world.authority.verify_key()).is_err());

    let approval = grant.approvals[0].grant.clone();
    grant.request = approval;
    assert!(matches!(check(&world, &grant), Err(GrantError::Request(_))));
}

#[test]
fn terms_that_cannot_be_read_spoil_the_policy() {
    let with = |terms: &str| {
        let text = ASKING.replace(r#"@longest("4h")"#, terms);
        Policies::compile(&text, OWNER).is_ok()
    };

    assert!(with(
        r#"@longest("7d") @usual("30m") @claim("2h") @approvals("5") @finish("5m")"#
    ));
    let odd = [
        r#"@longest("8d")"#,
        r#"@longest("0s")"#,
        r#"@longest("59s")"#,
        r#"@longest("-1h")"#,
        r#"@longest("forever")"#,
        r#"@longest"#,
        r#"@claim("8d")"#,
        r#"@usual("2 h")"#,
        r#"@finish("301s")"#,
        r#"@finish("30s")"#,
        r#"@approvals("6")"#,
        r#"@approvals("-1")"#,
        r#"@approvals("01")"#,
        r#"@approvals("two")"#,
    ];
    for terms in odd {
        assert!(!with(terms), "{terms}");
    }
    // Not one of the five, or with a slip of the finger: it would say nothing.
    for slip in [
        r#"@approval("2")"#,
        r#"@Approvals("2")"#,
        r#"@max("1h")"#,
        r#"@longuest("1h")"#,
        r#"@note("for the analysts")"#,
    ] {
        assert!(!with(slip), "{slip}");
    }
    assert!(with(r#"@id("asking") @approvals("2")"#));
}

#[test]
fn terms_stand_where_they_are_read_or_nowhere() {
    let request = r#"action == Tidegate::Action::"request""#;
    let on = |effect: &str, action: &str| {
        format!("@approvals(\"2\") {effect} (principal, {action}, resource);")
    };
    let org = |text: &str| Policies::compile(text, "").is_ok();

    assert!(org(&on("permit", request)));
    assert!(org(&on(
        "permit",
        r#"action == Tidegate::Action::"emergency""#
    )));
    let both = r#"action in [Tidegate::Action::"see", Tidegate::Action::"request"]"#;
    assert!(org(&on("permit", both)));
    for (effect, action) in [
        ("forbid", request),
        ("permit", "action"),
        ("permit", r#"action == Tidegate::Action::"connect""#),
        ("permit", r#"action == Tidegate::Action::"approve""#),
    ] {
        assert!(!org(&on(effect, action)), "{effect} {action}");
    }
    let owners = Policies::compile("", &on("permit", request));
    assert!(owners.is_err(), "the org's rules alone are asked");
    let tells = r#"@tell("ask the data owners") forbid (principal, action, resource);"#;
    assert!(Policies::compile("", tells).is_ok());
}

#[test]
fn a_rule_for_whatever_there_is_gives_nobody_break_glass() {
    let mut world = World::asking();
    let mut request = world.request();
    request.emergency = true;
    let alarmed = world.granted(&request, &[]);
    let admins = r#"permit (principal in Tidegate::Group::"acme/data-science", action, resource);
        forbid (principal, action == Tidegate::Action::"connect", resource) unless { context has grant };"#;
    world.standing.policy = Policies::compile(admins, OWNER).unwrap();

    let judged = live(&world, &alarmed, NOW).unwrap_err();
    assert!(matches!(judged, NotLive::Asking(denied) if denied.ground == Because::NotPermitted));

    let named = format!(
        "{admins} permit (principal, action == Tidegate::Action::\"emergency\", resource);"
    );
    world.standing.policy = Policies::compile(&named, OWNER).unwrap();
    assert!(live(&world, &alarmed, NOW).is_ok());
}

#[test]
fn the_owner_sees_who_approved_and_how_much() {
    let mut world = World::asking();
    let granted = check(&world, &world.grant()).unwrap();
    let mut allows = |owner: &str| {
        world.standing.policy = Policies::compile(ASKING, owner).unwrap();
        let policy = &world.standing.policy;
        let at = crate::policy::RequestContext::utc(NOW);
        policy
            .connect(&ana(&world), &resource(), &at, NOW, Some(&granted))
            .is_ok()
    };
    let when = |condition: &str| {
        format!(
            r#"permit (principal, action == Tidegate::Action::"connect", resource) when {{ context has grant && {condition} }};"#
        )
    };

    for yes in [
        "context.grant.approvals == 1",
        r#"context.grant has approver && context.grant.approver in Tidegate::Group::"acme/data-owners""#,
        r#"context.grant.approvers.contains(Tidegate::User::"acme/00uben")"#,
        r#"context.grant.length <= duration("2h")"#,
        "!context.grant.readOnly && !context.grant.emergency",
        "!context.grant.approvers.contains(principal)",
    ] {
        assert!(allows(&when(yes)), "{yes}");
    }
    for no in [
        "context.grant.approvals >= 2",
        r#"context.grant has approver && context.grant.approver in Tidegate::Group::"acme/board""#,
        r#"context.grant.length < duration("2h")"#,
        "context.grant.emergency",
    ] {
        assert!(!allows(&when(no)), "{no}");
    }
}

proptest! {
    #[test]
    fn both_of_two_extents_is_within_each(a in 60_u64..604_800, b in 60_u64..604_800, r: bool, w: bool) {
        let (one, two) = (Extent { seconds: a, read_only: r }, Extent { seconds: b, read_only: w });
        let both = one.both(two);
        prop_assert!(both.within(&one) && both.within(&two));
        prop_assert_eq!(both, two.both(one));
        prop_assert!(one.within(&one));
    }

    #[test]
    fn however_often_it_is_used_and_the_rules_change_the_end_never_moves_out(
        uses in prop::collection::vec((0_u64..1_400_000, 1_u8..=7), 1..20)
    ) {
        let (mut world, mut first) = (World::asking(), None);
        let grant = world.grant();
        let mut uses = uses;
        uses.sort_unstable();
        for (at, days) in uses {
            let now = NOW.plus(at);
            let claim = format!("@claim(\"{days}d\")");
            let rules = ASKING.replace(r#"@longest("4h")"#, &claim);
            world.standing.policy = Policies::compile(&rules, OWNER).unwrap();
            world.standing.grants.forget(now);
            if let Ok(live) = live(&world, &grant, now) {
                let first = *first.get_or_insert(now);
                prop_assert!(live.end <= first.plus(7200) && live.end <= live.last);
                world.standing.grants.used(grant.id(), now, now);
            }
        }
    }

    #[test]
    fn any_json_is_a_grant_or_refused(text in "\\PC{0,200}") {
        let _ = crate::strict::json::<Grant>(text.as_bytes(), 1 << 16);
    }
}
