//! How a new device joins: the link, the ticket in it, and the enrolment it vouches for.
//! Whoever holds the ticket's private key can join; nobody else, and only with a link that is whole.

use super::*;

#[test]
fn an_enrolment_is_vouched_for_by_its_ticket_and_no_other() {
    let (root_key, holder, device) = (key(1), key(20), key(21));
    let signed_ticket = ticket(&holder).sign(&root_key);
    let enrolment = Enrolment {
        org: org(),
        ticket: "t-1".to_owned(),
        key: device.verify_key(),
        noise: None,
        at: NOW,
    };
    let verify = |ticket: &str, enrolment: &str| {
        let chain = EnrolmentChain {
            ticket: ticket.to_owned(),
            enrolment: enrolment.to_owned(),
        };
        verify_enrolment(&chain, &root_key.verify_key(), &org(), NOW)
            .map(|(_, enrolled)| enrolled.key)
    };

    assert_eq!(
        verify(&signed_ticket, &enrolment.sign(&holder)),
        Ok(device.verify_key())
    );
    assert!(
        verify(&signed_ticket, &enrolment.sign(&device)).is_err(),
        "the device cannot vouch for itself"
    );
    assert!(
        verify(&ticket(&holder).sign(&key(2)), &enrolment.sign(&holder)).is_err(),
        "the authority makes no tickets"
    );
    let other = Enrolment {
        ticket: "t-2".to_owned(),
        ..enrolment.clone()
    };
    assert_eq!(
        verify(&signed_ticket, &other.sign(&holder)),
        Err(StatementError::Ticket)
    );
    let ended = TicketStatement {
        at: NOW.minus(60),
        not_after: NOW,
        ..ticket(&holder)
    }
    .sign(&root_key);
    assert_eq!(
        verify(&ended, &enrolment.sign(&holder)),
        Err(StatementError::Expired)
    );
    let endless = TicketStatement {
        not_after: NOW.plus(8 * 86_400),
        ..ticket(&holder)
    }
    .sign(&root_key);
    assert_eq!(
        verify(&endless, &enrolment.sign(&holder)),
        Err(StatementError::Content)
    );
}

#[test]
fn a_join_link_survives_its_own_text() {
    let link = JoinLink {
        address: "hub.acme.example:443".parse().unwrap(),
        org: org(),
        root: key(1).verify_key().peer_id(),
        ticket: Some(JoinTicket {
            jws: ticket(&key(20)).sign(&key(1)),
            key: key(20),
        }),
    };
    let text = link.to_link();

    let read = JoinLink::parse(&format!("  {}\n", *text)).unwrap();

    assert_eq!(*read.to_link(), *text);
    assert_eq!(
        (read.address, read.org, read.root),
        (link.address, link.org, link.root)
    );
    let ticket = read.ticket.unwrap();
    assert!(ticket.verify(&key(1).verify_key(), &org()).is_ok());
    let mixed = JoinTicket {
        key: key(99),
        ..ticket
    };
    assert_eq!(
        mixed.verify(&key(1).verify_key(), &org()).unwrap_err(),
        StatementError::Ticket
    );
    let bare = JoinLink {
        ticket: None,
        ..JoinLink::parse(&text).unwrap()
    };
    assert!(JoinLink::parse(&bare.to_link()).unwrap().ticket.is_none());
    assert!(
        JoinLink::parse(&text.replace("join?", "join/?")).is_ok(),
        "some programs add a slash"
    );
}

#[test]
fn rejects_a_join_link_with_anything_missing_repeated_unknown_or_damaged() {
    let root = key(1).verify_key().peer_id();
    let good = format!("tidegate://join?hub=hub.example:443&org=acme&root={root}");
    let seed = to_base64url(&[20; 32]);
    let table = [
        (String::new(), JoinLinkError::Scheme),
        ("https://join?hub=x".to_owned(), JoinLinkError::Scheme),
        ("tidegate://leave?hub=x".to_owned(), JoinLinkError::Scheme),
        ("tidegate://join".to_owned(), JoinLinkError::Scheme),
        ("tidegate://join?".to_owned(), JoinLinkError::Damaged),
        (
            "tidegate://join?hub=hub.example:443&org=acme".to_owned(),
            JoinLinkError::Missing,
        ),
        (format!("{good}&org=acme"), JoinLinkError::Unexpected),
        (format!("{good}&admin=1"), JoinLinkError::Unexpected),
        (format!("{good}&ticket=a.b.c"), JoinLinkError::Missing),
        (format!("{good}&key={seed}"), JoinLinkError::Missing),
        (
            format!("{good}&ticket=a.b.c&key=AAAA"),
            JoinLinkError::Damaged,
        ),
        (
            format!("{good}&ticket=a b&key={seed}"),
            JoinLinkError::Damaged,
        ),
        (good.replace("acme", "Acme"), JoinLinkError::Damaged),
        (good.replace("443", "0"), JoinLinkError::Damaged),
        (good[..good.len() - 1].to_owned(), JoinLinkError::Damaged),
        (
            format!("{good}{}", "x".repeat(5000)),
            JoinLinkError::TooLong,
        ),
    ];

    for (text, why) in table {
        assert_eq!(JoinLink::parse(&text).err(), Some(why), "{text}");
    }
}
