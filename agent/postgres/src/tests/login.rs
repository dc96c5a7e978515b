//! The login against servers that ask for less, lie, or pour.
#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::startup::Version;

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
const READY: &[u8] = b"Z\0\0\0\x05I";
const KEY: &[u8] = b"K\0\0\0\x0c\0\0\0\x07abcd";
const PARAMETER: &[u8] = b"S\0\0\0\x0aa\0bcd\0";

fn sasl(mechanisms: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, b'R', |body| {
        body.extend_from_slice(&10_u32.to_be_bytes());
        body.extend_from_slice(mechanisms);
        body.push(0);
    });
    out
}

fn login(accepts: Accepts, tls: bool) -> (Login, Vec<u8>) {
    let credentials = Credentials {
        user: "loader".into(),
        password: Zeroizing::new("pencil".into()),
        nonce: [7; 18],
        kept: Arc::new(KeptKeys::new(&[1; 32])),
    };
    let startup = Startup::new(Version::V3_2)
        .with("user", "ana")
        .with("database", "nyc");
    Login::start(credentials, accepts, startup, tls)
}

fn plain(accepts: Accepts) -> Login {
    login(accepts, false).0
}

fn through_tls(accepts: Accepts, binding: Option<Vec<u8>>) -> Login {
    let (mut login, _) = login(accepts, true);
    assert!(matches!(
        login.handle_input(b"S").unwrap().next,
        Next::StartTls
    ));
    let startup = login.tls_started(binding);
    assert_eq!(
        startup,
        b"\0\0\0\x22\0\x03\0\0database\0nyc\0user\0loader\0\0"
    );
    login
}

const ALL: Accepts = Accepts {
    trust: true,
    md5: true,
    cleartext_in_tls: true,
};

#[test]
fn asks_for_tls_first_and_says_nothing_without_it() {
    let (mut login, send) = login(Accepts::default(), true);

    assert_eq!(send, b"\0\0\0\x08\x04\xd2\x16\x2f");
    assert_eq!(login.handle_input(b"N").unwrap_err(), LoginFault::NoTls);
}

#[test]
fn bytes_pushed_in_before_tls_end_the_login() {
    let (mut login, _) = login(Accepts::default(), true);

    assert_eq!(
        login.handle_input(b"SR").unwrap_err(),
        LoginFault::BytesBeforeTls
    );
}

#[test]
fn gives_nothing_to_a_server_that_asks_for_less_than_scram() {
    assert_eq!(
        plain(Accepts::default())
            .handle_input(CLEARTEXT)
            .unwrap_err(),
        LoginFault::Cleartext
    );
    assert_eq!(
        plain(Accepts::default()).handle_input(MD5).unwrap_err(),
        LoginFault::Md5
    );
    assert_eq!(
        plain(Accepts::default()).handle_input(OK).unwrap_err(),
        LoginFault::Trusting
    );
    let gss = b"R\0\0\0\x08\0\0\0\x07";
    assert_eq!(
        plain(ALL).handle_input(gss).unwrap_err(),
        LoginFault::UnknownMethod
    );
}

#[test]
fn never_sends_the_password_outside_of_tls_even_if_the_owner_accepts_it_inside() {
    assert_eq!(
        plain(ALL).handle_input(CLEARTEXT).unwrap_err(),
        LoginFault::Cleartext
    );

    let step = through_tls(ALL, None).handle_input(CLEARTEXT).unwrap();

    assert_eq!(step.send, b"p\0\0\0\x0bpencil\0");
}

#[test]
fn answers_md5_where_the_owner_accepts_it() {
    let accepts = Accepts {
        md5: true,
        ..Accepts::default()
    };

    let step = plain(accepts).handle_input(MD5).unwrap();

    assert!(step.send.starts_with(b"p\0\0\0\x28md5"));
}

#[test]
fn a_server_that_skips_its_own_proof_is_not_believed() {
    for accepts in [Accepts::default(), ALL] {
        let mut login = plain(accepts);
        login.handle_input(&sasl(b"SCRAM-SHA-256\0")).unwrap();

        assert_eq!(
            login.handle_input(OK).unwrap_err(),
            LoginFault::ServerUnproven
        );
        assert_eq!(
            login.handle_input(OK).unwrap_err(),
            LoginFault::Nonsense,
            "and never later"
        );
    }
}

#[test]
fn cannot_be_talked_down_in_the_middle() {
    for weaker in [CLEARTEXT, MD5] {
        let mut login = plain(ALL);
        login.handle_input(&sasl(b"SCRAM-SHA-256\0")).unwrap();

        assert_eq!(
            login.handle_input(weaker).unwrap_err(),
            LoginFault::Nonsense
        );
    }
}

#[test]
fn binds_to_the_channel_when_both_sides_can() {
    let both = sasl(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0");
    let one = sasl(b"SCRAM-SHA-256\0");
    let said = |binding: Option<Vec<u8>>, offer: &[u8]| {
        let step = through_tls(Accepts::default(), binding)
            .handle_input(offer)
            .unwrap();
        String::from_utf8_lossy(&step.send[5..]).into_owned()
    };

    assert!(
        said(Some(vec![1; 32]), &both)
            .starts_with("SCRAM-SHA-256-PLUS\0\0\0\0\x35p=tls-server-end-point,,n=,r=")
    );
    assert!(said(Some(vec![1; 32]), &one).starts_with("SCRAM-SHA-256\0\0\0\0\x20y,,n=,r="));
    assert!(said(None, &both).starts_with("SCRAM-SHA-256\0\0\0\0\x20n,,n=,r="));
    let none = through_tls(Accepts::default(), None).handle_input(&sasl(b"SCRAM-SHA-512\0"));
    assert_eq!(none.unwrap_err(), LoginFault::UnknownMethod);
}

#[test]
fn a_nonce_that_is_not_ours_ends_the_login() {
    let mut login = plain(Accepts::default());
    login.handle_input(&sasl(b"SCRAM-SHA-256\0")).unwrap();
    let mut challenge = Vec::new();
    push(&mut challenge, b'R', |body| {
        body.extend_from_slice(&11_u32.to_be_bytes());
        body.extend_from_slice(b"r=theirs,s=c2FsdA==,i=4096");
    });

    assert_eq!(
        login.handle_input(&challenge).unwrap_err(),
        LoginFault::ServerUnproven
    );
}

#[test]
fn says_which_refusal_it_was() {
    let mut exact = Vec::new();
    push(&mut exact, b'E', |body| {
        body.extend_from_slice(b"SFATAL\0C3D000\0Mwhatever\0\0")
    });
    let fault = plain(Accepts::default()).handle_input(&exact).unwrap_err();
    assert_eq!(fault, LoginFault::Refused(SqlState::NO_SUCH_DATABASE));
}

fn trusted_session() -> Vec<u8> {
    [
        OK,
        PARAMETER,
        KEY,
        b"N\0\0\0\x05\0",
        READY,
        b"A\0\0\0\x05\0",
    ]
    .concat()
}

#[test]
fn passes_on_the_parameters_and_replaces_the_key() {
    let accepts = Accepts {
        trust: true,
        ..Accepts::default()
    };
    let step = plain(accepts).handle_input(&trusted_session()).unwrap();
    let Next::Done(done) = step.next else {
        panic!("not done")
    };
    let ours = BackendKey::parse(b"\0\0\0\x09wxyz").unwrap();

    let greeting = done.greeting(&ours);

    let expected = [
        OK,
        PARAMETER,
        b"N\0\0\0\x05\0",
        b"K\0\0\0\x0c\0\0\0\x09wxyz",
        READY,
        b"A\0\0\0\x05\0",
    ]
    .concat();
    assert_eq!(greeting, expected);
    assert_eq!(done.key().unwrap().pid(), 7);
}

#[test]
fn does_not_store_what_a_bad_server_pours_in() {
    let accepts = Accepts {
        trust: true,
        ..Accepts::default()
    };
    let mut parameter = Vec::new();
    push(&mut parameter, b'S', |body| body.resize(60_000, b'x'));

    let mut login = plain(accepts);
    login.handle_input(OK).unwrap();
    login.handle_input(&parameter).unwrap();

    assert_eq!(
        login.handle_input(&parameter).unwrap_err(),
        LoginFault::Nonsense
    );
    assert_eq!(
        plain(accepts)
            .handle_input(b"R\x7f\xff\xff\xff")
            .unwrap_err(),
        LoginFault::Nonsense
    );
}

proptest! {
    #[test]
    fn any_cutting_of_the_servers_words_gives_the_same(cuts in prop::collection::vec(1_usize..9, 1..30)) {
        let accepts = Accepts { trust: true, ..Accepts::default() };
        let server = trusted_session();
        // What follows ReadyForQuery may be left for later: cut inside of what precedes it.
        let until_ready = &server[..server.len() - 6];
        let mut login = plain(accepts);
        let mut rest = until_ready;
        let mut done = None;
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            rest = after;
            if let Next::Done(logged_in) = login.handle_input(piece).unwrap().next {
                done = Some(logged_in);
            }
        }

        let Next::Done(whole) = plain(accepts).handle_input(until_ready).unwrap().next else { panic!("not done") };
        prop_assert_eq!(done, Some(whole));
    }

    #[test]
    fn random_servers_never_panic_and_never_get_in(
        messages in prop::collection::vec(
            (prop::sample::select(b"RSKZENv".to_vec()), 0_u8..13, prop::collection::vec(any::<u8>(), 0..20)), 0..8),
    ) {
        let mut login = plain(Accepts::default());
        for (tag, method, body) in messages {
            let mut message = Vec::new();
            push(&mut message, tag, |into| {
                into.extend_from_slice(&u32::from(method).to_be_bytes());
                into.extend_from_slice(&body);
            });
            match login.handle_input(&message) {
                Ok(step) => prop_assert!(!matches!(step.next, Next::Done(_))),
                Err(_) => break,
            }
        }
    }
}
