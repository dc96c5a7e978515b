//! What the audit of statements holds after programs have done what programs do, at a real PostgreSQL.
//! A desk keeps one chain; what it holds is read back as anybody would read it: every line proved.

mod full;
mod sessions;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use futures_util::{SinkExt as _, TryStreamExt as _, future};
use tidegate_postgres::{Startup, Version, simple_query};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::{Asked, Ended, EventKind, How, Outcome, Verifier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::cluster::binary;
use super::*;
use crate::audit::{StatementAudit, StatementWriter};
use crate::config::{AuditPlace, ParametersKept, StatementSettings, TextKept, WhenFull};
use crate::keys::OutletKeys;

const PLAIN: StatementSettings = StatementSettings {
    record: TextKept::Text,
    parameters: ParametersKept::None,
    when_full: WhenFull::Block,
};

struct Desk {
    dir: TempDir,
    keys: Arc<OutletKeys>,
}

/// All that was said about one statement.
#[derive(Default)]
struct Story {
    asked: Option<Asked>,
    text: String,
    ended: Option<Ended>,
}

impl Story {
    fn in_short(&self) -> String {
        let (asked, ended) = (self.asked.as_ref().unwrap(), self.ended.as_ref().unwrap());
        let what = match asked.of.filter(|_| asked.text.is_none()) {
            Some(of) => format!("of {of}"),
            None => self.text.clone(),
        };
        let end = ended
            .code
            .as_ref()
            .map_or(format!("{:?}", ended.how), |code| code.as_str().to_owned());
        let rows = ended.rows.map_or(String::new(), |rows| format!(" {rows}"));
        format!("{:?} {what}: {end}{rows}", asked.how)
    }
}

impl Desk {
    fn new() -> Self {
        let dir = private_dir();
        let keys = OutletKeys::load_or_make(&dir.path().join("keys"), &SystemEntropy);
        Self {
            keys: Arc::new(keys.ok().unwrap()),
            dir,
        }
    }

    fn place(&self) -> AuditPlace {
        AuditPlace::File(self.dir.path().join("audit.jsonl"))
    }

    /// A stage whose statements are recorded here, and the task's work still to be begun.
    fn stage(&self, settings: StatementSettings) -> (Stage, StatementWriter) {
        let mut stage = Stage::with("loader", "pencil", |target| {
            target.statements = Some(settings)
        });
        let opened = StatementAudit::open(
            &self.place(),
            &"acme".parse().unwrap(),
            Arc::clone(&self.keys),
            8,
        );
        let (audit, writer) = opened.unwrap();
        let service = Arc::into_inner(stage.service).unwrap();
        stage.service = Arc::new(service.recording(Some(audit)));
        (stage, writer)
    }

    fn events(&self) -> Vec<EventKind> {
        let path = self.dir.path().join("audit.statements.jsonl");
        let mut verifier =
            Verifier::new(&"acme".parse().unwrap(), &self.keys.identity.verify_key());
        let text = fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| verifier.line(line.as_bytes()).unwrap().what)
            .collect()
    }

    fn stories(&self) -> BTreeMap<u64, Story> {
        let mut stories: BTreeMap<u64, Story> = BTreeMap::new();
        for event in self.events() {
            let EventKind::Statements(statements) = event else {
                continue;
            };
            assert_eq!(
                (statements.sub.as_str(), statements.service.as_str()),
                ("00uana", "warehouse")
            );
            for said in statements.said.into_iter().filter(|said| said.n > 0) {
                let story = stories.entry(said.n).or_default();
                let text = said
                    .asked
                    .as_ref()
                    .and_then(|asked| asked.text.clone())
                    .or(said.more);
                story.text.push_str(&text.unwrap_or_default());
                story.asked = story.asked.take().or(said.asked);
                story.ended = story.ended.take().or(said.ended);
            }
        }
        stories
    }

    /// How the database was asked for a session.
    fn startup(&self) -> String {
        let said = self.events().into_iter().filter_map(|event| match event {
            EventKind::Statements(statements) => Some(statements.said),
            _ => None,
        });
        let startup = said.flatten().find(|said| said.n == 0).unwrap();
        startup.asked.unwrap().text.unwrap()
    }

    fn in_short(&self) -> Vec<String> {
        self.stories().values().map(Story::in_short).collect()
    }
}

/// One program's session, recorded from its beginning to its end.
async fn recorded<F: Future<Output = ()>>(
    settings: StatementSettings,
    acts: impl FnOnce(Program) -> F,
) -> Desk {
    let desk = Desk::new();
    let (stage, writer) = desk.stage(settings);
    let writer = tokio::spawn(writer.run());
    acts(stage.program().await).await;
    stage.sees_nothing_left();
    drop(stage);
    writer.await.unwrap();
    desk
}
