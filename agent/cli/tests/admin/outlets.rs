//! Outlets by ticket, from the administrator's command to the machine beside the service, with a hub in between.
//! Every refusal is a sentence that says what does not fit; a ticket that was refused here was not used up.

use super::*;

impl Place {
    /// A hub of an org whose `warehouse` takes outlets by ticket, and the configuration of such an outlet.
    fn taking_tickets() -> (Self, Hub) {
        let place = Self::signed();
        let org = place.path("org/org.toml");
        let text = std::fs::read_to_string(&org).unwrap();
        let keys = text.find("outlet_identity").unwrap();
        std::fs::write(&org, format!("{}outlets = 'ticket'\n", &text[..keys])).unwrap();
        let sign = place.sign();
        assert!(sign.status.success(), "{}", complained(&sign));
        let hub = place.start_hub();
        place.configure("site", "warehouse");
        (place, hub)
    }

    fn configure(&self, name: &str, service: &str) {
        std::fs::write(self.path("owner.cedar"), "").unwrap();
        let text = format!(
            "org = 'acme'\nroot = '{}'\nhub = '{}'\ndata = '{name}'\npolicy = 'owner.cedar'\nowner = 'this-computer'\n\
             [[service]]\nname = '{service}'\nkind = 'tcp'\ntarget = '127.0.0.1:9'\n",
            self.root,
            self.hub()
        );
        std::fs::write(self.path(&format!("{name}.toml")), text).unwrap();
    }

    fn ticket(&self, what: &[&str]) -> Output {
        let mut args = vec!["ticket", "--dir", "org", "--passphrase-file", "pass"];
        args.extend(what);
        self.run(&args)
    }

    /// A link in a file that only its owner can read.
    fn link(&self, what: &[&str]) {
        let ticket = self.ticket(what);
        assert!(ticket.status.success(), "{}", complained(&ticket));
        secret(&self.path("link"), said(&ticket));
    }

    fn enrol(&self, name: &str) -> Output {
        self.run(&[
            "outlet",
            "enrol",
            "--config",
            &format!("{name}.toml"),
            "link",
        ])
    }
}

fn refused(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(4), "{}", complained(output));
    let said = complained(output);
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_ticket_makes_an_outlet_of_one_machine() {
    let (place, hub) = Place::taking_tickets();
    place.link(&["--outlet", "warehouse"]);

    let enrolled = place.enrol("site");

    assert_eq!(
        said(&enrolled),
        "Enrolled as an outlet of warehouse.",
        "{}",
        complained(&enrolled)
    );
    assert!(place.path("site/enrolments.json").exists());
    let again = place.enrol("site");
    assert!(
        again.status.success(),
        "the same machine again: {}",
        complained(&again)
    );
    place.configure("thief", "warehouse");
    refused(&place.enrol("thief"), "used before");
    hub.end();
}

#[test]
fn a_link_that_does_not_fit_is_refused_here_and_not_used_up() {
    let (place, hub) = Place::taking_tickets();
    place.configure("other", "payroll");
    std::fs::write(
        place.path("evil.toml"),
        std::fs::read_to_string(place.path("site.toml"))
            .unwrap()
            .replace("acme", "evil"),
    )
    .unwrap();

    place.link(&["--sub", "00uana"]);
    refused(&place.enrol("site"), "for a person's computer");
    place.link(&["--outlet", "warehouse"]);
    refused(
        &place.enrol("other"),
        "warehouse, which outlet.toml does not serve",
    );
    refused(&place.enrol("evil"), "for the org acme");
    let link = std::fs::read_to_string(place.path("link")).unwrap();
    let ticket = link
        .split_once("&ticket=")
        .unwrap()
        .1
        .split_once('&')
        .unwrap()
        .0;
    let at = ticket.len() - 20;
    let flipped = if ticket.as_bytes()[at] == b'A' {
        'B'
    } else {
        'A'
    };
    let forged = format!("{}{flipped}{}", &ticket[..at], &ticket[at + 1..]);
    secret(&place.path("link"), link.replace(ticket, &forged));
    refused(&place.enrol("site"), "did not sign its ticket");
    secret(&place.path("link"), link.split_once("&ticket=").unwrap().0);
    refused(&place.enrol("site"), "no ticket");
    secret(&place.path("link"), "tidegate://join?");
    refused(&place.enrol("site"), "damaged");
    let typed = place.run(&["outlet", "enrol", "--config", "site.toml", &link]);
    refused(&typed, "can read a command line");
    secret(&place.path("link"), &link);
    std::fs::set_permissions(place.path("link"), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(
        place.enrol("site").status.code(),
        Some(6),
        "a link that others can read"
    );

    secret(&place.path("link"), &link);
    std::fs::set_permissions(place.path("link"), PermissionsExt::from_mode(0o600)).unwrap();
    assert!(place.enrol("site").status.success());
    hub.end();
}

#[test]
fn a_first_run_enrols_and_a_second_one_need_not() {
    let (place, hub) = Place::taking_tickets();
    place.link(&["--outlet", "warehouse"]);

    for _ in 0..2 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(place.dir.path()).args([
            "outlet",
            "run",
            "--config",
            "site.toml",
            "--ticket",
            "link",
        ]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut outlet = Hub { process, log };
        // Only to one that it knows the authority says where the relays are.
        outlet.says("relay");
        outlet.end();
        std::fs::remove_file(place.path("link")).ok();
    }
    hub.end();
}

#[test]
fn a_ticket_names_what_is_there_and_nothing_unasked() {
    let place = Place::signed();
    let inside = |what: &[&str]| {
        let link = JoinLink::parse(&said(&place.ticket(what))).ok().unwrap();
        let ticket = link.ticket.unwrap();
        ticket.verify(&place.verified().root, &link.org).unwrap()
    };

    assert_eq!(inside(&["--sub", "00uana"]).services, []);
    let promised = inside(&["--sub", "00uana", "--service", "warehouse"]).services;
    let names: Vec<_> = promised
        .iter()
        .map(|one| (one.service.as_str(), one.port))
        .collect();
    assert_eq!(names, [("warehouse", 15432)]);

    let unknown = place.ticket(&["--sub", "00uana", "--service", "attic"]);
    assert_eq!(unknown.status.code(), Some(6));
    assert!(complained(&unknown).contains("no service attic"));
    let by_key = place.ticket(&["--outlet", "warehouse"]);
    assert!(complained(&by_key).contains("takes no outlet by ticket"));
    let mut many = vec!["--sub", "00uana"];
    many.extend(["--service", "warehouse"].repeat(13));
    assert!(complained(&place.ticket(&many)).contains("too long"));
    assert_eq!(place.ticket(&[]).status.code(), Some(2));
    let both = place.ticket(&["--sub", "00uana", "--outlet", "warehouse"]);
    assert_eq!(both.status.code(), Some(2));
}
