//! Proves an audit offline and names the first bad line; `tidegate audit verify` and every start of an outlet use it.
//! A cut at the end shows against the tip, a copy of the newest line; whoever can take back both leaves no trace here.

use super::AuditError;
use super::files::{MAX_LINE, for_each_line, no_follow, tip_of};
use super::statements::place_beside;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tidegate_proto::event::{Chain, Event, EventKind, FirstBad, Head, Verifier, Why};
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::names::{OrgName, ServiceName};

/// Who keeps a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    pub org: OrgName,
    pub identity: VerifyKey,
}

/// What a whole and unbroken audit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub keeper: Keeper,
    pub events: u64,
    /// Portals whose record was opened and not closed: open now, or left so by a crash.
    pub open: u64,
    /// Whether the end was compared with the tip; and that of the statements, where there are any.
    pub end_is_known: bool,
    /// Lines of the chain of statements beside it, where there is one; it is proved too.
    pub statements: Option<u64>,
}

/// Why an audit proves nothing, or not all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("there is no audit at {}", .0.display())]
    Nothing(PathBuf),
    #[error("what is at {} may not be read: {kind:?}", path.display())]
    Unreadable { path: PathBuf, kind: io::ErrorKind },
    #[error("who kept the audit is not noted beside it; give the outlet's identity and the org")]
    UnknownKeeper,
    #[error("the audit says that statements are recorded, and their chain is not at {}", .0.display())]
    NoStatements(PathBuf),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// Proves the audit at `path`, a file or a directory of daily ones. `keeper` pins who must have kept it;
/// without one, the note beside the audit is believed.
///
/// # Errors
/// The first bad line, or why there is nothing to prove.
pub fn verify(path: &Path, keeper: Option<Keeper>) -> Result<Proof, ProofError> {
    let (proof, recorded) = one_chain(path, keeper)?;
    let beside = place_beside(path);
    if !recorded && !beside.exists() {
        return Ok(proof);
    }
    let proved = one_chain(&beside, Some(proof.keeper.clone()));
    let (statements, _) = proved.map_err(|error| match error {
        ProofError::Nothing(beside) if recorded => ProofError::NoStatements(beside),
        error => error,
    })?;
    Ok(Proof {
        statements: Some(statements.events),
        end_is_known: proof.end_is_known && statements.end_is_known,
        ..proof
    })
}

/// As [`verify`], of the audit alone: its chain of statements is somewhere else.
///
/// # Errors
/// As [`verify`].
pub fn verify_alone(path: &Path, keeper: Option<Keeper>) -> Result<Proof, ProofError> {
    one_chain(path, keeper).map(|(proof, _)| proof)
}

/// And whether it says that statements are recorded beside it.
fn one_chain(path: &Path, keeper: Option<Keeper>) -> Result<(Proof, bool), ProofError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ProofError::Nothing(path.to_owned()),
        kind => ProofError::Unreadable {
            path: path.to_owned(),
            kind,
        },
    };
    let paths = if std::fs::metadata(path).map_err(failed)?.is_dir() {
        super::files::daily(path).map_err(failed)?
    } else {
        vec![path.to_owned()]
    };
    if paths.is_empty() {
        return Err(ProofError::Nothing(path.to_owned()));
    }
    let tip = Tip::load(&tip_of(path));
    let noted = tip.as_ref().map(|tip| tip.keeper.clone());
    let keeper = keeper.or(noted).ok_or(ProofError::UnknownKeeper)?;
    let walked = walk(Verifier::new(&keeper.org, &keeper.identity), &paths)?;
    if let Some(tip) = &tip {
        tip.check(&keeper, &walked, path)?;
    }
    let (events, open) = (walked.verifier.head().seq, walked.open.len() as u64);
    let proof = Proof {
        keeper,
        events,
        open,
        end_is_known: tip.is_some(),
        statements: None,
    };
    Ok((proof, walked.recorded))
}

/// A portal whose record is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenPortal {
    pub(super) channel: String,
    pub(super) portal: u64,
    pub(super) service: ServiceName,
}

/// A part of a chain that holds together.
pub(super) struct Walked {
    pub(super) verifier: Verifier,
    pub(super) open: Vec<OpenPortal>,
    /// Statements are recorded beside it.
    recorded: bool,
    /// Heads after every line, by number; only the newest are needed.
    heads: BTreeMap<u64, Head>,
}

/// How far back the tip may point: a crash can lose the note of the last writes, never more.
const HEADS: usize = 4096;

/// Checks every line of the files, in order.
pub(super) fn walk(mut verifier: Verifier, paths: &[PathBuf]) -> Result<Walked, AuditError> {
    let mut open = BTreeMap::new();
    let mut recorded = false;
    let mut heads = BTreeMap::new();
    heads.insert(verifier.head().seq, verifier.head());
    for path in paths {
        let mut number = 0;
        let whole = for_each_line(path, |line| {
            number += 1;
            let event = verifier.line(line.as_bytes()).map_err(|bad| {
                Stop::Bad(FirstBad {
                    line: number,
                    ..bad
                })
            })?;
            recorded |= matches!(event.what, EventKind::StatementsRecorded { .. });
            note(&mut open, event);
            heads.insert(verifier.head().seq, verifier.head());
            if heads.len() > HEADS {
                heads.pop_first();
            }
            Ok(())
        });
        match whole {
            Ok(true) => {}
            Ok(false) => {
                let bad = FirstBad {
                    line: number + 1,
                    why: Why::Unreadable,
                };
                return Err(AuditError::Broken {
                    path: path.clone(),
                    bad,
                });
            }
            Err(Stop::Bad(bad)) => {
                return Err(AuditError::Broken {
                    path: path.clone(),
                    bad,
                });
            }
            Err(Stop::Io(error)) => {
                return Err(AuditError::Io {
                    path: path.clone(),
                    kind: error.kind(),
                });
            }
        }
    }
    Ok(Walked {
        verifier,
        open: open.into_values().collect(),
        recorded,
        heads,
    })
}

enum Stop {
    Bad(FirstBad),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A closing ends the record of its portal; portals are named by channel and number.
fn note(open: &mut BTreeMap<(String, u64), OpenPortal>, event: Event) {
    match event.what {
        EventKind::PortalOpened(opened) => {
            let portal = OpenPortal {
                channel: opened.channel.clone(),
                portal: opened.portal,
                service: opened.service,
            };
            open.insert((opened.channel, opened.portal), portal);
        }
        EventKind::PortalClosed(closed) => drop(open.remove(&(closed.channel, closed.portal))),
        EventKind::PortalAbandoned {
            channel, portal, ..
        } => drop(open.remove(&(channel, portal))),
        _ => {}
    }
}

/// The note's bytes, if it is a file and no larger than one can be.
fn read_tip(path: &Path) -> Option<Vec<u8>> {
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(no_follow())
        .open(path)
        .ok()?;
    let mut bytes = Vec::new();
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    file.take(2 * MAX_LINE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A copy of the newest line, kept beside the audit.
#[derive(Serialize, Deserialize)]
pub(super) struct Tip {
    pub(super) keeper: Keeper,
    pub(super) last: String,
}

impl Tip {
    /// Nothing when there is none or it cannot be understood: it can only add to what the chain proves.
    pub(super) fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&read_tip(path)?).ok()
    }

    /// In the place of the old one. Not synced: a crash may bring back an older one, which is still true.
    fn store(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("tip.new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&beside)?
            .write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(&beside, path)
    }

    /// As `store`. A failure costs only that a cut at the end might go unseen; the records themselves are safe.
    pub(super) fn note(&self, path: &Path) {
        if let Err(error) = self.store(path) {
            tracing::warn!(kind = ?error.kind(), "newest audit line could not be noted");
        }
    }

    /// The chain must contain this line.
    pub(super) fn check(
        &self,
        keeper: &Keeper,
        walked: &Walked,
        at: &Path,
    ) -> Result<(), AuditError> {
        if self.keeper != *keeper {
            return Err(AuditError::OtherKeeper(at.to_owned()));
        }
        let kept = Chain::resume(&keeper.org, &keeper.identity, &self.last)
            .map_err(|_| AuditError::OtherKeeper(at.to_owned()))?
            .head();
        match walked.heads.get(&kept.seq) {
            Some(head) if *head == kept => Ok(()),
            // Older than what is looked at: true as far as it goes.
            None if kept.seq < walked.verifier.head().seq => Ok(()),
            _ => Err(AuditError::CutOff(at.to_owned())),
        }
    }
}
