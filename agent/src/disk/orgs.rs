//! The orgs on disk, one directory each: `<data>/orgs/<org>/state.json`.
//! One that cannot be read is named and left alone, and the others are used: a damaged file must not cost what is whole.

use std::path::{Path, PathBuf};

use tidegate_link::keyfile;
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};

use super::{Disk, LEFT, Membership, STATE, unusable};

/// All orgs of this user.
#[derive(Clone)]
pub(crate) struct Orgs {
    dir: PathBuf,
}

/// What was found at the start.
#[derive(Default)]
pub(crate) struct Found {
    /// Sorted by name.
    pub(crate) memberships: Vec<Membership>,
    /// Left, but not yet to the end: secrets may still be there, and the provider may not know.
    pub(crate) left: Vec<Membership>,
    pub(crate) problems: Vec<Problem>,
}

impl Orgs {
    /// Makes the data directory, which must be this user's alone.
    pub(crate) fn open(data: &Path) -> Result<Self, Problem> {
        keyfile::private_directory(data).map_err(|error| unusable(data, error))?;
        let dir = data.join("orgs");
        keyfile::private_directory(&dir).map_err(|error| unusable(&dir, error))?;
        Ok(Self { dir })
    }

    /// Reads them all. Only whoever holds the lock of the data directory may: what an older version left is moved over.
    pub(crate) fn load(&self) -> Found {
        let mut found = Found::default();
        if let Err(problem) = self.move_over() {
            found.problems.push(problem);
        }
        for name in self.names() {
            found.left.extend(self.left(&name));
            match self.load_one(&name) {
                Ok(Some(membership)) => found.memberships.push(membership),
                Ok(None) => {}
                Err(problem) => found.problems.push(problem),
            }
        }
        found
    }

    /// One org as it is on disk, for looking only: nothing is made, moved or locked.
    pub(crate) fn peek(data: &Path, org: &OrgName) -> Result<Option<Membership>, Problem> {
        Disk::read(&data.join("orgs").join(org.as_str()).join(STATE))
    }

    /// The directory of one org.
    pub(crate) fn disk(&self, org: &OrgName, written: Option<Membership>) -> Disk {
        Disk::new(self.dir.join(org.as_str()), written)
    }

    /// The first step out of an org: from here on no start finds it, and each one goes on with leaving it.
    pub(crate) fn leave(&self, org: &OrgName) {
        let dir = self.dir.join(org.as_str());
        let _ = std::fs::rename(dir.join(STATE), dir.join(LEFT));
    }

    /// The last step, once every secret is gone. An org that was joined again meanwhile stays.
    pub(crate) fn forget(&self, org: &OrgName) {
        let dir = self.dir.join(org.as_str());
        if dir.join(LEFT).exists() {
            let _ = std::fs::remove_dir_all(dir);
        }
    }

    /// It is joined again: nothing is left to forget.
    pub(crate) fn enter(&self, org: &OrgName) {
        let _ = std::fs::remove_file(self.dir.join(org.as_str()).join(LEFT));
    }

    fn left(&self, name: &OrgName) -> Option<Membership> {
        let path = self.dir.join(name.as_str()).join(LEFT);
        let left = Disk::read(&path).ok().flatten();
        if left.is_some() {
            // Its owner may just have been writing.
            let _ = std::fs::remove_file(path.with_file_name(STATE));
        }
        left.filter(|left| left.org == *name)
    }

    fn names(&self) -> Vec<OrgName> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut names: Vec<OrgName> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        names.sort();
        names
    }

    fn load_one(&self, name: &OrgName) -> Result<Option<Membership>, Problem> {
        let dir = self.dir.join(name.as_str());
        keyfile::private_directory(&dir).map_err(|error| unusable(&dir, error))?;
        let path = dir.join(STATE);
        let unreadable = |problem: Problem| match problem.code {
            Code::OrgUnreadable => problem.said(name.as_str()),
            _ => problem,
        };
        let membership = Disk::read(&path).map_err(unreadable)?;
        if membership.as_ref().is_some_and(|found| found.org != *name) {
            let strange = Problem::new(Code::OrgUnreadable).path(&path.display().to_string());
            return Err(unreadable(strange));
        }
        Ok(membership)
    }

    /// Until there were several orgs, the one org's state was in the data directory itself.
    /// Where both are there, an older version ran again meanwhile and its file is the newer one.
    fn move_over(&self) -> Result<(), Problem> {
        let old = self.dir.with_file_name(STATE);
        let Some(membership) = Disk::read(&old)? else {
            return Ok(());
        };
        let dir = self.dir.join(membership.org.as_str());
        keyfile::private_directory(&dir).map_err(|error| unusable(&dir, error))?;
        std::fs::rename(&old, dir.join(STATE))
            .map_err(|error| unusable(&old, keyfile::KeyFileError::Io(error.kind())))?;
        tracing::info!(org = %membership.org, "state of an older version was moved over");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::membership;
    use super::*;

    fn names(found: &Found) -> Vec<&str> {
        let names = found.memberships.iter().map(|found| found.org.as_str());
        names.collect()
    }

    fn save(data: &Path, org: &str) {
        let mut disk = Orgs::open(data).unwrap().disk(&org.parse().unwrap(), None);
        disk.save(&membership(org)).unwrap();
    }

    #[test]
    fn remembers_each_org_and_forgets_one_without_the_other() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        save(&data, "beta");
        save(&data, "acme");
        let orgs = Orgs::open(&data).unwrap();

        let both = orgs.load();
        orgs.leave(&"acme".parse().unwrap());
        orgs.forget(&"acme".parse().unwrap());
        orgs.forget(&"beta".parse().unwrap());

        assert_eq!(both.memberships, [membership("acme"), membership("beta")]);
        assert_eq!(names(&orgs.load()), ["beta"]);
        assert!(!data.join("orgs/acme").exists());
    }

    #[test]
    fn an_org_that_is_left_is_not_found_and_not_written_again_but_gone_on_with() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        save(&data, "acme");
        let orgs = Orgs::open(&data).unwrap();
        let mut disk = orgs.disk(&"acme".parse().unwrap(), None);

        orgs.leave(&"acme".parse().unwrap());
        disk.save(&membership("acme")).unwrap();

        let found = orgs.load();
        assert_eq!(names(&found), [""; 0]);
        assert_eq!(found.left, [membership("acme")]);
        orgs.enter(&"acme".parse().unwrap());
        disk.save(&membership("acme")).unwrap();
        assert_eq!(names(&orgs.load()), ["acme"]);
        assert!(orgs.load().left.is_empty());
    }

    #[test]
    fn what_an_older_version_left_is_moved_over_once() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        save(&data, "beta");
        let json = serde_json::to_vec_pretty(&membership("acme")).unwrap();
        keyfile::replace(&data.join(STATE), &json).unwrap();
        let orgs = Orgs::open(&data).unwrap();

        let first = orgs.load();
        let second = orgs.load();

        assert_eq!(names(&first), ["acme", "beta"]);
        assert_eq!(first.memberships, second.memberships);
        assert!(!data.join(STATE).exists());
    }

    #[test]
    fn a_damaged_file_is_named_and_not_started_over_and_the_other_org_is_used() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        save(&data, "acme");
        save(&data, "beta");
        let damaged = data.join("orgs/acme").join(STATE);
        keyfile::replace(&damaged, b"{\"org\":").unwrap();

        let found = Orgs::open(&data).unwrap().load();

        assert_eq!(names(&found), ["beta"]);
        assert_eq!(found.problems[0].code, Code::OrgUnreadable);
        let path = found.problems[0].facts.path.clone().unwrap();
        assert_eq!(path.as_str(), damaged.to_str().unwrap());
        assert_eq!(std::fs::read(&damaged).unwrap(), b"{\"org\":");
    }

    #[test]
    fn an_org_in_another_ones_place_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        save(&data, "acme");
        std::fs::rename(data.join("orgs/acme"), data.join("orgs/beta")).unwrap();

        let found = Orgs::open(&data).unwrap().load();

        assert!(found.memberships.is_empty());
        assert_eq!(found.problems[0].code, Code::OrgUnreadable);
    }

    #[cfg(unix)]
    #[test]
    fn a_state_file_or_directory_open_to_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        save(&data, "acme");
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };

        open(&data.join("orgs/acme").join(STATE), 0o644);
        let found = Orgs::open(&data).unwrap().load();
        assert_eq!(found.problems[0].code, Code::KeyFileOpen);
        open(&data, 0o755);
        assert_eq!(Orgs::open(&data).err().unwrap().code, Code::KeyFileOpen);
    }
}
