//! The very same question again, and every question that differs from it by one thing a policy can see.
//! What is remembered here would let somebody in: so each field has its own line.

use super::*;
use crate::names::OrgName;

fn policies() -> Policies {
    Policies::compile(ALLOWING, ALLOWING).unwrap()
}

fn connects<'a>(principal: &'a Principal, resource: &'a Resource) -> Asked<'a> {
    Asked {
        principal,
        action: Action::Connect,
        resource,
        context: at(NOW),
        now: NOW,
        granted: None,
    }
}

fn asked_and_allowed() -> Policies {
    let policies = policies();
    let said = policies.connect(&ana(), &service(), &at(NOW), NOW, None);
    assert_eq!(said, Ok(()));
    policies
}

#[test]
fn only_the_very_same_question_is_known() {
    let policies = asked_and_allowed();
    let (who, what) = (ana(), service());

    assert!(policies.same_again.was_allowed(&connects(&who, &what)));
    assert_eq!(policies.connect(&who, &what, &at(NOW), NOW, None), Ok(()));
    assert!(
        !policies
            .clone()
            .same_again
            .was_allowed(&connects(&who, &what))
    );
}

#[test]
fn another_moment_action_or_service_is_another_question() {
    let policies = asked_and_allowed();
    let (who, what) = (ana(), service());
    let later = NOW.plus(1);
    let (mut hour, mut day) = (at(NOW), at(NOW));
    hour.local_time += 1;
    day.weekday = day.weekday % 7 + 1;
    let others = [
        Resource {
            service: "lake".parse().unwrap(),
            ..service()
        },
        Resource {
            kind: ServiceKind::Tcp,
            ..service()
        },
        Resource {
            org: "other".parse().unwrap(),
            ..service()
        },
    ];

    let known = |asked: Asked<'_>| policies.same_again.was_allowed(&asked);

    assert!(!known(Asked {
        now: later,
        ..connects(&who, &what)
    }));
    assert!(!known(Asked {
        context: hour,
        ..connects(&who, &what)
    }));
    assert!(!known(Asked {
        context: day,
        ..connects(&who, &what)
    }));
    assert!(!known(Asked {
        action: Action::See,
        ..connects(&who, &what)
    }));
    for other in &others {
        assert!(!known(connects(&who, other)), "{other:?}");
    }
}

#[test]
fn whoever_differs_in_anything_is_asked_about_anew() {
    let policies = asked_and_allowed();
    let another_org: OrgName = "other".parse().unwrap();
    let device = SigningKey::from_seed(&[4; 32]).verify_key().peer_id();
    let people = [
        Principal {
            org: another_org,
            ..ana()
        },
        Principal {
            sub: "00ubob".parse().unwrap(),
            ..ana()
        },
        Principal { device, ..ana() },
        Principal {
            device_name: "other".to_owned(),
            ..ana()
        },
        Principal {
            assurance: Assurance::Low,
            ..ana()
        },
        Principal {
            enrolment: DeviceProof::Proved,
            ..ana()
        },
        Principal {
            joined: Joined::Ticket,
            ..ana()
        },
        Principal {
            groups: vec!["Everyone".to_owned()],
            ..ana()
        },
        Principal {
            department: Some("sales".to_owned()),
            ..ana()
        },
        Principal {
            employee_type: None,
            ..ana()
        },
        Principal {
            email: Some("ana@acme.example".to_owned()),
            ..ana()
        },
        Principal {
            auth_time: NOW.minus(601),
            ..ana()
        },
        Principal {
            mfa: false,
            ..ana()
        },
    ];

    for person in &people {
        assert!(
            !policies
                .same_again
                .was_allowed(&connects(person, &service())),
            "{person:?}"
        );
    }
    let left = Principal {
        groups: Vec::new(),
        ..ana()
    };
    assert!(
        policies
            .connect(&left, &service(), &at(NOW), NOW, None)
            .is_err()
    );
}

#[test]
fn a_no_and_a_grant_are_never_remembered() {
    let policies = policies();
    let left = Principal {
        groups: Vec::new(),
        ..ana()
    };
    let terms = Terms {
        approvals: 1,
        longest: 60,
        usual: 60,
        claim: 60,
        finish: 0,
    };
    let granted = Granted::imagined(&ana(), terms, NOW);
    let (who, what) = (ana(), service());

    let no = policies.connect(&left, &what, &at(NOW), NOW, None);
    let under_grant = policies.connect(&who, &what, &at(NOW), NOW, Some(&granted));

    assert!(no.is_err() && under_grant.is_ok());
    assert!(!policies.same_again.was_allowed(&connects(&left, &what)));
    assert!(!policies.same_again.was_allowed(&connects(&who, &what)));
    let policies = asked_and_allowed();
    let asked = Asked {
        granted: Some(&granted),
        ..connects(&who, &what)
    };
    assert!(!policies.same_again.was_allowed(&asked));
}
