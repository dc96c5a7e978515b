//! The steps between which an outlet or a database may be killed: each leaves either nothing, or a line in the journal.
//! In a test they are where a run is stopped; elsewhere they are nothing.

/// What has just happened to a role.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Point {
    /// The journal says that it will be there.
    Entered,
    /// It is there, and nobody uses it yet.
    Made,
    /// Nobody can log in with it any more, and nobody is.
    Closed,
    /// It is gone, and the journal does not know.
    Dropped,
}

#[cfg(test)]
impl Point {
    pub(super) const ALL: [Self; 4] = [Self::Entered, Self::Made, Self::Closed, Self::Dropped];
}
