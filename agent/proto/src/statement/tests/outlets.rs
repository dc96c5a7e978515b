//! Outlets that a ticket made: which chain makes one of which service, and what a catalogue entry does with the rest.
//! Every chain here would be good but for the one thing that its test changes.

use super::*;

fn noise() -> NoisePublic {
    NoiseSecret::from_bytes(&[33; 32]).public()
}

/// The warehouse as it takes outlets by ticket, from an hour ago on.
fn taking() -> ServiceStatement {
    ServiceStatement {
        outlets: vec![],
        enrolment: Some(OutletEnrolment {
            keys: vec![key(1).verify_key()],
            since: NOW.minus(3600),
        }),
        ..service()
    }
}

fn chain(
    change: &dyn Fn(&mut TicketStatement, &mut Enrolment),
    root: &SigningKey,
    holder: &SigningKey,
) -> EnrolmentChain {
    let mut ticket = TicketStatement {
        kind: TicketKind::Outlet {
            service: warehouse(),
        },
        ..ticket(&key(20))
    };
    let mut enrolment = Enrolment {
        org: org(),
        ticket: "t-1".to_owned(),
        key: key(21).verify_key(),
        noise: Some(noise()),
        at: NOW,
    };
    change(&mut ticket, &mut enrolment);
    EnrolmentChain {
        ticket: ticket.sign(root),
        enrolment: enrolment.sign(holder),
    }
}

fn good() -> EnrolmentChain {
    chain(&|_, _| (), &key(1), &key(20))
}

#[test]
fn a_ticket_makes_an_outlet_with_the_keys_that_it_signed() {
    let keys = OutletKeys {
        identity: key(21).verify_key(),
        noise: noise(),
    };

    assert_eq!(good().outlet(&taking()), Ok(keys.clone()));
    let used_up = verify_outlet_enrolment(&good(), &taking(), NOW).unwrap();
    assert_eq!((used_up.0.id.as_str(), &used_up.1), ("t-1", &keys));
    assert_eq!(taking().with_outlets(&[good()]).outlets, [keys]);
}

#[test]
fn rejects_a_chain_that_is_forged_or_for_another_service_or_org_or_kind() {
    let other_service = ServiceStatement {
        service: "payroll".parse().unwrap(),
        ..taking()
    };
    let other_org = ServiceStatement {
        org: "evil".parse().unwrap(),
        ..taking()
    };
    let by_ticket_too_old = ServiceStatement {
        enrolment: Some(OutletEnrolment {
            keys: vec![key(1).verify_key()],
            since: NOW.plus(1),
        }),
        ..taking()
    };
    let key_error = StatementError::Jws(JwsError::Key);
    assert_eq!(good().outlet(&other_service), Err(StatementError::Ticket));
    assert_eq!(good().outlet(&other_org), Err(StatementError::Org));
    assert_eq!(
        good().outlet(&by_ticket_too_old),
        Err(StatementError::Expired)
    );
    assert_eq!(
        good().outlet(&service()),
        Err(StatementError::Ticket),
        "this one takes none by ticket"
    );

    type Change = dyn Fn(&mut TicketStatement, &mut Enrolment);
    let cases: [(&Change, SigningKey, SigningKey, StatementError); 7] = [
        (&|_, _| (), key(66), key(20), key_error),
        (&|_, _| (), key(2), key(20), key_error),
        (&|_, _| (), key(1), key(66), key_error),
        (
            &|ticket, _| {
                ticket.kind = TicketKind::Device {
                    sub: "00uana".parse().unwrap(),
                }
            },
            key(1),
            key(20),
            StatementError::Ticket,
        ),
        (
            &|_, enrolment| enrolment.noise = None,
            key(1),
            key(20),
            StatementError::Ticket,
        ),
        (
            &|_, enrolment| enrolment.ticket = "t-2".to_owned(),
            key(1),
            key(20),
            StatementError::Ticket,
        ),
        (
            &|_, enrolment| enrolment.at = NOW.plus(86_400),
            key(1),
            key(20),
            StatementError::Expired,
        ),
    ];
    for (n, (change, root, holder, why)) in cases.iter().enumerate() {
        let chain = chain(*change, root, holder);
        assert_eq!(chain.outlet(&taking()), Err(*why), "case {n}");
        assert_eq!(taking().with_outlets(&[chain]).outlets, [], "case {n}");
    }
}

#[test]
fn a_ticket_can_be_used_up_in_its_time_only_and_proves_for_ever() {
    let later = NOW.plus(86_400);

    let used_up = verify_outlet_enrolment(&good(), &taking(), later);

    assert_eq!(used_up, Err(StatementError::Expired));
    let early = verify_outlet_enrolment(&good(), &taking(), NOW.minus(61));
    assert_eq!(early, Err(StatementError::Ticket));
    assert!(good().outlet(&taking()).is_ok());
}

#[test]
fn an_outlets_ticket_makes_no_device_and_a_devices_no_outlet() {
    assert_eq!(
        good().device(&key(1).verify_key(), &org()),
        Err(StatementError::Ticket)
    );
}

#[test]
fn an_entry_without_any_way_to_an_outlet_is_none() {
    let k = key(2);
    let verified = |statement: ServiceStatement| {
        ServiceStatement::verify(&statement.sign(&k), &k.verify_key()).map(drop)
    };
    let nobody = ServiceStatement {
        enrolment: None,
        ..taking()
    };
    let no_key = ServiceStatement {
        enrolment: Some(OutletEnrolment {
            keys: vec![],
            since: NOW,
        }),
        ..service()
    };

    assert_eq!(verified(taking()), Ok(()));
    assert_eq!(verified(nobody), Err(StatementError::Content));
    assert_eq!(verified(no_key), Err(StatementError::Content));
}

#[test]
fn no_more_outlets_are_added_than_anybody_needs() {
    let chains: Vec<_> = (0..40)
        .map(|n| {
            chain(
                &|_, enrolment| enrolment.key = key(100 + n).verify_key(),
                &key(1),
                &key(20),
            )
        })
        .collect();

    let outlets = taking().with_outlets(&chains).outlets;

    assert_eq!(outlets.len(), ServiceStatement::MAX_ENROLLED);
}

#[test]
fn a_ticket_names_few_services_and_only_for_a_device() {
    let promised = |n: usize| Promised {
        service: format!("service-{n}").parse().unwrap(),
        kind: ServiceKind::Postgres,
        title: "The data warehouse".to_owned(),
        port: 15432,
    };
    let verified = |ticket: TicketStatement| {
        TicketStatement::verify(&ticket.sign(&key(1)), &key(1).verify_key()).map(drop)
    };
    let with = |n: usize| TicketStatement {
        services: (0..n).map(promised).collect(),
        ..ticket(&key(20))
    };

    assert_eq!(verified(with(TicketStatement::MAX_SERVICES)), Ok(()));
    assert_eq!(
        verified(with(TicketStatement::MAX_SERVICES + 1)),
        Err(StatementError::Content)
    );
    let outlet = TicketStatement {
        kind: TicketKind::Outlet {
            service: warehouse(),
        },
        ..with(1)
    };
    assert_eq!(verified(outlet), Err(StatementError::Content));
    let mut hidden = with(1);
    hidden.services[0].title = "a\u{202e}b".to_owned();
    assert_eq!(verified(hidden), Err(StatementError::Content));

    let link = JoinLink {
        address: "hub.acme.example:443".parse().unwrap(),
        org: org(),
        root: key(1).verify_key().peer_id(),
        ticket: Some(JoinTicket {
            jws: with(TicketStatement::MAX_SERVICES).sign(&key(1)),
            key: key(20),
        }),
    };
    assert!(
        JoinLink::parse(&link.to_link()).is_ok(),
        "it fits into a link"
    );
}
