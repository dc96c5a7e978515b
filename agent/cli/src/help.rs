//! The first page that a newcomer reads: verbs in groups by who needs them.
//! clap lists subcommands in one row; the groups are made here, and a test sees that no verb was forgotten.

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::Tidegate;
use crate::failure::{Exit, Failure};

const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Every day",
        &[
            "login",
            "ls",
            "connect",
            "disconnect",
            "status",
            "dsn",
            "env",
            "logout",
        ],
    ),
    (
        "Asking for access",
        &[
            "request", "requests", "approve", "deny", "withdraw", "grants", "grant",
        ],
    ),
    (
        "This computer",
        &[
            "join",
            "leave",
            "devices",
            "doctor",
            "bundle",
            "config",
            "paths",
            "completions",
        ],
    ),
    ("Servers", &["outlet", "hub", "relay", "log", "audit"]),
    (
        "Administrators",
        &["org", "ticket", "revoke", "lost-laptop"],
    ),
];

const AFTER: &str = "\
Examples:
  tidegate join                       once; it asks for the link from your administrator
  tidegate connect warehouse          sign in and open the port
  tidegate connect warehouse -- psql  the same for one program
  tidegate doctor                     when something does not work

Exit codes: 0 done, 2 usage, 3 sign in first, 4 refused, 5 network, 6 this computer, 7 too slow,
8 no such service, 9 not joined, 10 our fault.";

/// The command with its first page.
pub(crate) fn command() -> clap::Command {
    let command = Tidegate::command();
    let mut page = String::from("{about}\n\n{usage-heading} {usage}\n");
    for (group, verbs) in GROUPS {
        page += &format!("\n{group}:\n");
        for verb in verbs {
            let about = command
                .find_subcommand(verb)
                .and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            page += &format!("  {verb:<13}{about}\n");
        }
    }
    page += "\nOptions:\n{options}{after-help}";
    command.help_template(page).after_help(AFTER)
}

/// What was asked for; a mistake is said as `--json` wants it, or ends the process with clap's page.
pub(crate) fn parse(json: bool) -> Result<Tidegate, Failure> {
    let matches = command().try_get_matches();
    let asked = matches.and_then(|matches| Tidegate::from_arg_matches(&matches));
    // Help and version are answers, on standard output.
    asked.map_err(|error| {
        if json && error.use_stderr() {
            mistaken(&error)
        } else {
            error.exit()
        }
    })
}

/// Whether a program reads along: `--json` among our own words, also where they cannot be understood otherwise.
pub(crate) fn wants_json() -> bool {
    let ours = std::env::args_os().take_while(|word| word != "--");
    ours.into_iter().any(|word| word == "--json")
}

/// clap's page as a failure: what is wrong, without the lines about usage below it.
fn mistaken(error: &clap::Error) -> Failure {
    let page = error.to_string();
    let said = page.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more").next().unwrap_or_default();
    let words = said.trim_start_matches("error:").split_whitespace();
    Failure::new(
        Exit::Usage,
        "that cannot be understood",
        words.collect::<Vec<_>>().join(" "),
        "`tidegate --help` lists the verbs, `tidegate VERB --help` what each takes",
    )
}

#[cfg(test)]
#[path = "help/named.rs"]
mod named;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_with_a_minus_is_told_what_fits() {
        for verb in [
            &["request", "vault", "--because", "x"][..],
            &["approve", "Xy3f"],
            &["grant", "extend", "Xy3f", "--because", "x"],
        ] {
            let words = ["tidegate"].iter().chain(verb).chain(&["--for", "-1h"]);
            let error = command().try_get_matches_from(words).expect_err("a minus");
            let said = mistaken(&error).to_string();

            assert!(said.contains("such as 90m, 2h or 1h30m"), "{said}");
            assert!(!said.contains("-- -1"), "{said}");
        }
    }

    #[test]
    fn every_verb_is_in_one_group_and_on_the_page() {
        let command = command();
        let listed: Vec<_> = GROUPS.iter().flat_map(|(_, verbs)| *verbs).collect();
        let page = command.clone().render_help().to_string();

        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            let times = listed.iter().filter(|listed| **listed == &name).count();
            assert_eq!(times, 1, "{name}");
            assert!(page.contains(&format!("\n  {name} ")), "{name}\n{page}");
        }
    }

    #[test]
    fn the_command_is_well_formed_and_every_argument_is_explained() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let said = argument.get_help().is_some() || argument.get_long_help().is_some();
                assert!(said, "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        let command = command();
        command.clone().debug_assert();
        command.get_subcommands().for_each(check);
    }
}
