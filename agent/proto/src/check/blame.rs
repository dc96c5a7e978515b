//! Which broken thing is to blame: what is broken only because something else is gets out of the way.
//! A newcomer would show all that fails: twelve red lines for one name that nobody knows send a person to the wrong one.

use super::{Check, Verdict};

/// A check, and those that have to be right before it can be.
pub type Needs = (&'static str, &'static [&'static str]);

/// Takes the blame from every check that needs another one which failed: it becomes `Skipped`, and says what comes first.
pub fn blame(checks: &mut [Check], needs: &[Needs]) {
    let broken: Vec<(String, Option<String>)> = checks
        .iter()
        .filter(|check| check.stops_others())
        .map(|check| (check.name.clone(), check.about.clone()))
        .collect();
    for check in checks
        .iter_mut()
        .filter(|check| check.verdict > Verdict::Ok)
    {
        let needed = needs.iter().find(|(name, _)| *name == check.name);
        let needed = needed.map_or(&[][..], |(_, needed)| needed);
        let first = broken.iter().find(|(name, about)| {
            needed.contains(&name.as_str()) && is_within(check.about.as_deref(), about.as_deref())
        });
        if let Some((name, _)) = first {
            *check = Check {
                about: check.about.clone(),
                ..Check::skipped(&check.name, &format!("First mend `{name}`."))
            };
        }
    }
}

/// What is about the whole computer concerns everything; what is about an org concerns its services, too.
fn is_within(part: Option<&str>, whole: Option<&str>) -> bool {
    match (part, whole) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(part), Some(whole)) => {
            part == whole
                || part
                    .strip_prefix(whole)
                    .is_some_and(|rest| rest.starts_with('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: [Needs; 2] = [("hub", &["dns"]), ("query", &["hub", "port"])];

    fn check(name: &str, about: Option<&str>, verdict: Verdict) -> Check {
        Check {
            about: about.map(str::to_owned),
            ..Check::new(name, verdict, "It is so.", Some("Mend it."))
        }
    }

    fn blamed(mut checks: Vec<Check>) -> Vec<String> {
        blame(&mut checks, &NEEDS);
        let bad = checks
            .into_iter()
            .filter(|check| check.verdict > Verdict::Ok);
        bad.map(|check| check.name).collect()
    }

    #[test]
    fn the_first_of_a_chain_is_blamed_alone() {
        let checks = vec![
            check("dns", Some("acme"), Verdict::Fail),
            check("hub", Some("acme"), Verdict::Fail),
            check("query", Some("acme/warehouse"), Verdict::Fail),
            check("clock", None, Verdict::Fail),
        ];

        assert_eq!(blamed(checks), ["dns", "clock"]);
    }

    #[test]
    fn one_orgs_trouble_excuses_nothing_of_another_one() {
        let checks = vec![
            check("hub", Some("acme"), Verdict::Fail),
            check("query", Some("beta/warehouse"), Verdict::Fail),
            check("query", Some("acmeware/warehouse"), Verdict::Fail),
        ];

        assert_eq!(blamed(checks), ["hub", "query", "query"]);
    }

    #[test]
    fn a_warning_excuses_nothing_and_what_is_right_stays_right() {
        let mut checks = vec![
            check("hub", Some("acme"), Verdict::Warn),
            check("port", Some("acme/warehouse"), Verdict::Fail),
            check("query", Some("acme/warehouse"), Verdict::Ok),
        ];

        blame(&mut checks, &NEEDS);

        let verdicts: Vec<_> = checks.iter().map(|check| check.verdict).collect();
        assert_eq!(verdicts, [Verdict::Warn, Verdict::Fail, Verdict::Ok]);
    }
}
