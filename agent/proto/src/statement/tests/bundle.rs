//! Whole bundles and chains of root keys, with one part of them wrong.
//! The attacker here is the hub: it can leave out, repeat, replace and keep old, but not sign as the root.

use super::*;

#[test]
fn a_bundle_is_believed_from_the_root_fingerprint_up() {
    let org = verify(&bundle()).unwrap();

    assert_eq!(org.root, key(1).verify_key());
    assert_eq!(org.services, [service()]);
    let json = serde_json::to_vec(&bundle()).unwrap();
    assert_eq!(OrgBundle::parse(&json).unwrap(), bundle());
    assert_eq!(
        OrgBundle::parse(b"{}").unwrap_err(),
        StrictError::Shape.into()
    );
}

#[test]
fn rejects_a_bundle_with_a_part_that_another_key_signed() {
    let evil = key(66);
    let swaps: [&dyn Fn(&mut OrgBundle); 8] = [
        &|b| b.authority = authority_statement(&evil).sign(&evil),
        &|b| b.idp = idp().sign(&evil),
        &|b| b.policies = vec![policy().sign(&evil)],
        &|b| {
            b.services.push(
                ServiceStatement {
                    service: "payroll".parse().unwrap(),
                    ..service()
                }
                .sign(&evil),
            )
        },
        &|b| b.roots = vec![root(1, 66).sign(&evil)],
        &|b| b.root = evil.verify_key(),
        &|b| b.roots.clear(),
        &|b| b.idp = b.authority.clone(),
    ];

    for (n, swap) in swaps.into_iter().enumerate() {
        let mut changed = bundle();
        swap(&mut changed);
        assert!(verify(&changed).is_err(), "{n}");
    }
}

#[test]
fn rejects_a_catalogue_entry_whose_outlet_key_was_replaced() {
    let hub = key(2); // the authority's own key, the most the hub has
    let mut entry = service();
    entry.outlets[0].noise = NoiseSecret::from_bytes(&[66; 32]).public();
    let mut replaced = bundle();
    replaced.services = vec![entry.sign(&hub)];

    assert_eq!(verify(&replaced), Err(StatementError::Jws(JwsError::Key)));

    let honest = service().sign(&key(1));
    let [header, _, signature] = honest.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let payload = to_base64url(&serde_json::to_vec(&entry).unwrap());
    replaced.services = vec![format!("{header}.{payload}.{signature}")];
    assert_eq!(
        verify(&replaced),
        Err(StatementError::Jws(JwsError::Signature))
    );
}

#[test]
fn rejects_a_bundle_of_another_org_or_with_a_part_twice() {
    let other = bundle().verify(key(1).verify_key().peer_id(), &"evil".parse().unwrap(), NOW);
    assert_eq!(other, Err(StatementError::Org));
    let mut twice = bundle();
    twice.services.push(
        ServiceStatement {
            version: 9,
            ..service()
        }
        .sign(&key(1)),
    );
    assert_eq!(verify(&twice), Err(StatementError::Bundle));
    let mut two = bundle();
    two.policies.push(policy().sign(&key(1)));
    assert_eq!(verify(&two), Err(StatementError::Bundle));
    let later = bundle().verify(key(1).verify_key().peer_id(), &org(), NOW.plus(40 * 86_400));
    assert_eq!(later, Err(StatementError::Expired));
}

#[test]
fn rejects_a_policy_or_catalogue_older_than_one_seen_before() {
    let mut seen = Seen::default();
    let org = verify(&bundle()).unwrap();
    seen.bundle(&org).unwrap();

    let older: [&dyn Fn(&mut VerifiedOrg); 4] = [
        &|o| o.policy.as_mut().unwrap().version = 1,
        &|o| o.services[0].version = 2,
        &|o| o.idp.version = 0,
        &|o| o.authority.version = 0,
    ];
    for (n, roll_back) in older.into_iter().enumerate() {
        let mut old = org.clone();
        old.authority.version = 5; // something newer beside it does not excuse it
        roll_back(&mut old);
        let before = seen.clone();
        assert_eq!(seen.bundle(&old), Err(StatementError::Rollback), "{n}");
        assert_eq!(seen, before, "{n}: nothing of it was taken in");
    }
    assert_eq!(seen.bundle(&org), Ok(()), "the same again is fine");
    let kept = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Seen>(&kept).unwrap(), seen);
}

#[test]
fn a_chain_of_roots_is_walked_forward_only_and_without_gaps() {
    let fingerprint = |seed| key(seed).verify_key().peer_id();
    let rotate = |number, to, old| {
        [
            root(number, to).sign(&key(old)),
            root(number, to).sign(&key(to)),
        ]
    };
    let first = vec![root(1, 1).sign(&key(1))];
    let chain: Vec<String> = [
        first.clone(),
        rotate(2, 11, 1).into(),
        rotate(3, 12, 11).into(),
    ]
    .concat();
    let walk = |chain: &[String], from| walk_roots(chain, &org(), fingerprint(from));

    for from in [1, 11, 12] {
        assert_eq!(
            walk(&chain, from),
            Ok(key(12).verify_key()),
            "whoever joined at any time arrives at the newest"
        );
    }
    assert_eq!(walk(&chain, 99), Err(StatementError::Root));
    assert_eq!(
        walk(&chain[..4], 1),
        Err(StatementError::Root),
        "half a rotation"
    );
    assert_eq!(
        walk(&[first.clone(), rotate(3, 12, 1).into()].concat(), 1),
        Err(StatementError::Root),
        "a gap"
    );
    let one_sided = [root(2, 66).sign(&key(66)), root(2, 66).sign(&key(66))];
    assert!(
        walk(&[first.clone(), one_sided.into()].concat(), 1).is_err(),
        "the old root did not sign it"
    );
    let unwilling = [root(2, 11).sign(&key(1)), root(2, 11).sign(&key(1))];
    assert!(
        walk(&[first, unwilling.into()].concat(), 1).is_err(),
        "the new key did not sign it"
    );
    assert!(walk(&chain[1..], 11).is_err());
    let two_tales = [root(2, 11).sign(&key(1)), root(3, 11).sign(&key(11))];
    assert_eq!(
        walk(
            &[vec![root(1, 1).sign(&key(1))], two_tales.into()].concat(),
            1
        ),
        Err(StatementError::Root),
        "old and new do not say the same"
    );
}

#[test]
fn a_chain_cut_back_to_a_former_root_is_refused_once_the_newer_was_seen() {
    let told = key(1).verify_key().peer_id();
    let first = vec![root(1, 1).sign(&key(1))];
    let rotated = [root(2, 11).sign(&key(1)), root(2, 11).sign(&key(11))];
    let whole = [first.clone(), rotated.into()].concat();
    let mut seen = Seen::default();

    assert_eq!(seen.root(&first, &org(), told), Ok(key(1).verify_key()));
    assert_eq!(seen.root(&whole, &org(), told), Ok(key(11).verify_key()));
    let kept = serde_json::to_string(&seen).unwrap();
    let mut seen: Seen = serde_json::from_str(&kept).unwrap();

    assert_eq!(seen.root(&first, &org(), told), Err(StatementError::Root));
    // Whoever stole the former root can rotate to a key of their own; that chain lacks the root already seen.
    let stolen = [root(2, 66).sign(&key(1)), root(2, 66).sign(&key(66))];
    let branch = [first, stolen.into()].concat();
    assert_eq!(seen.root(&branch, &org(), told), Err(StatementError::Root));
    assert_eq!(seen.root(&whole, &org(), told), Ok(key(11).verify_key()));
    let rejoined = vec![root(1, 90).sign(&key(90))];
    let anew = key(90).verify_key();
    assert_eq!(seen.root(&rejoined, &org(), anew.peer_id()), Ok(anew));
}
