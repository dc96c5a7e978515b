//! `tidegate log`: what audits say, as lines for people or for programs; on a hub, an outlet, or a copy of what they keep.
//! It shows what stands there. That nothing was changed or taken away is for `tidegate audit verify` to prove.

mod read;
mod when;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tidegate_proto::names::{ServiceName, Subject};
use tidegate_proto::time::UnixTime;

use crate::failure::Failure;
use crate::out::{OutArgs, data, note, reader_gone};
use read::{Entry, Sources};
use when::When;

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(500);

/// From when, and up to when.
type Span = (Option<UnixTime>, Option<UnixTime>);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sudo -u tidegate-hub tidegate log /var/lib/tidegate-hub             all that hub and outlets recorded
  tidegate log /var/lib/tidegate-hub --who 00uana --since 2d          one person, the last two days
  tidegate log /var/lib/tidegate-outlet/audit --follow                what happens from now on, too
  tidegate log export/ --kind portal-opened --json | jq .what.peer    for programs, one JSON value a line

`tidegate audit verify` proves that such files are complete.")]
pub(crate) struct Log {
    /// Audit files, directories of daily ones, or the data directory of a hub: then its own and those of its outlets.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only from then on: `2h` ago, `2026-01-31`, or `2026-01-31T12:00:00Z`.
    #[arg(long)]
    since: Option<When>,
    /// Only up to then.
    #[arg(long)]
    until: Option<When>,
    /// Only what is about this person, or was done by them.
    #[arg(long)]
    who: Option<Subject>,
    /// Only what happened at this service.
    #[arg(long)]
    service: Option<ServiceName>,
    /// Only events of these kinds, as `--json` names them.
    #[arg(long)]
    kind: Vec<String>,
    /// Only what belongs to this request or grant, by the first letters of its id.
    #[arg(long)]
    grant: Option<String>,
    /// Only the last so many.
    #[arg(long)]
    last: Option<usize>,
    /// Go on with what is recorded from now on.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    out: OutArgs,
}

impl Log {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let now = tidegate_link::now();
        let span = (
            self.since.map(|when| when.before(now)),
            self.until.map(|when| when.before(now)),
        );
        let mut sources = Sources::open(&self.paths)?;
        let mut entries = self.wanted(&sources.read()?, span);
        if let Some(last) = self.last {
            entries.drain(..entries.len().saturating_sub(last));
        }
        self.show(&entries);
        if entries.is_empty() && !self.follow && !self.out.json {
            note("Nothing of that is on record here.");
        }
        match self.follow {
            true => self.follow(sources, span).await,
            false => Ok(()),
        }
    }

    async fn follow(&self, mut sources: Sources, span: Span) -> Result<(), Failure> {
        loop {
            tokio::select! {
                () = reader_gone() => return Ok(()),
                () = tokio::time::sleep(LOOK) => {}
            }
            self.show(&self.wanted(&sources.read()?, span));
        }
    }

    fn wanted(&self, entries: &[Entry], span: Span) -> Vec<Entry> {
        let wanted = entries.iter().filter(|entry| self.wants(entry, span));
        wanted.cloned().collect()
    }

    fn wants(&self, entry: &Entry, (since, until): Span) -> bool {
        let event = &entry.event;
        let service = event.what.service();
        since.is_none_or(|since| event.at >= since)
            && until.is_none_or(|until| event.at <= until)
            && self
                .who
                .as_ref()
                .is_none_or(|who| entry.people.contains(who))
            && self
                .service
                .as_ref()
                .is_none_or(|wanted| service == Some(wanted))
            && (self.kind.is_empty() || self.kind.contains(&entry.kind()))
            && self.grant.as_ref().is_none_or(|wanted| {
                let id = entry.grant.map(|id| id.to_string());
                id.is_some_and(|id| id.starts_with(wanted))
            })
    }

    fn show(&self, entries: &[Entry]) {
        for entry in entries {
            data(&if self.out.json {
                as_json(entry)
            } else {
                as_text(entry)
            });
        }
    }
}

fn as_json(entry: &Entry) -> String {
    json!({
        "at": entry.event.at.0,
        "source": entry.source,
        "seq": entry.event.seq,
        "what": entry.event.what,
    })
    .to_string()
}

fn as_text(entry: &Entry) -> String {
    let people: Vec<_> = entry.people.iter().map(Subject::as_str).collect();
    let who = if people.is_empty() {
        String::new()
    } else {
        format!("{}: ", people.join(", "))
    };
    format!(
        "{}  {:<12}  {who}{}",
        when::text(entry.event.at),
        entry.source,
        entry.event.what.told()
    )
}
