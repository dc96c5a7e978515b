//! How the visit of one program ended, for the snapshot and the log.
//! The program has been told by then, where its protocol allows; this is for the person.

use crate::Problem;

/// The end of a visit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum VisitEnd {
    /// The program or the service was done.
    Finished,
    /// No portal was opened.
    Refused(Problem),
    /// A running portal was ended by somebody else.
    Ended(Problem),
}
