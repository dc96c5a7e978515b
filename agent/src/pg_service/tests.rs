//! Files as people have them, and as somebody would plant them.
#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const THEIRS: &str = "# mine\n\n[prod]\nhost=db.example\r\nport=5432\n\n[x]\nhost=y";
const ENTRY: &str = "[warehouse]\nhost=localhost\nport=15432\n";

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pg_service.conf");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    (dir, path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn keeps_what_is_there_and_takes_out_only_its_own() {
    let (_dir, path) = file(THEIRS);

    assert_eq!(write(&path, "warehouse", ENTRY), Ok(Edit::Written));
    let ours = format!("# >>> tidegate warehouse >>>\n{ENTRY}# <<< tidegate warehouse <<<\n");
    assert_eq!(text(&path), format!("{THEIRS}\n{ours}"));
    assert_eq!(write(&path, "warehouse", ENTRY), Ok(Edit::Unchanged));

    let moved = ENTRY.replace("15432", "15999");
    assert_eq!(write(&path, "warehouse", &moved), Ok(Edit::Written));
    assert_eq!(
        text(&path),
        format!("{THEIRS}\n{}", ours.replace("15432", "15999"))
    );

    assert_eq!(remove(&path, "warehouse"), Ok(Edit::Removed));
    assert_eq!(text(&path), format!("{THEIRS}\n"));
    assert_eq!(remove(&path, "warehouse"), Ok(Edit::Unchanged));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_section_among_others_stays_in_its_place() {
    let (_dir, path) = file("");
    write(&path, "a", "[a]\nport=1\n").unwrap();
    write(&path, "b", "[b]\nport=2\n").unwrap();
    let theirs = text(&path) + "[c]\nport=3\n";
    fs::write(&path, &theirs).unwrap();

    write(&path, "a", "[a]\nport=9\n").unwrap();

    assert_eq!(text(&path), theirs.replace("port=1", "port=9"));
}

#[test]
fn makes_a_file_that_was_not_there_for_the_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.conf");

    assert_eq!(write(&path, "warehouse", ENTRY), Ok(Edit::Written));

    assert!(text(&path).contains(ENTRY));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_section_that_somebody_wrote_is_not_overridden() {
    let theirs = "[warehouse]\nhost=elsewhere\n";
    let (_dir, path) = file(theirs);

    assert_eq!(write(&path, "warehouse", ENTRY), Err(PgServiceError::Taken));
    assert_eq!(text(&path), theirs);
}

#[test]
fn damaged_markers_are_left_to_a_person() {
    let begin = "# >>> tidegate warehouse >>>\n";
    let end = "# <<< tidegate warehouse <<<\n";
    for theirs in [
        begin.to_owned(),
        end.to_owned(),
        format!("{end}{begin}"),
        format!("{begin}{end}{begin}{end}"),
    ] {
        let (_dir, path) = file(&theirs);

        let written = write(&path, "warehouse", ENTRY);

        assert_eq!(written, Err(PgServiceError::Damaged), "{theirs}");
        assert_eq!(text(&path), theirs);
    }
}

#[test]
fn links_pipes_and_files_that_others_may_change_are_refused() {
    let (dir, path) = file(THEIRS);
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(
        write(&link, "warehouse", ENTRY),
        Err(PgServiceError::Symlink)
    );
    assert_eq!(
        write(dir.path(), "warehouse", ENTRY),
        Err(PgServiceError::NotText)
    );
    let null = write(Path::new("/dev/null"), "warehouse", ENTRY);
    assert_eq!(null, Err(PgServiceError::Foreign));
    for mode in [0o664, 0o646] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            write(&path, "warehouse", ENTRY),
            Err(PgServiceError::Foreign)
        );
    }
    assert_eq!(text(&path), THEIRS);
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (_dir, path) = file(THEIRS);
    // Only root can give a file away; a file of root's serves everybody else.
    let theirs = if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        path
    } else {
        PathBuf::from("/etc/hostname")
    };

    assert_eq!(
        write(&theirs, "warehouse", ENTRY),
        Err(PgServiceError::Foreign)
    );
}

#[test]
fn bytes_that_are_no_text_and_huge_files_are_left_alone() {
    let (_dir, path) = file("");
    for bytes in [b"# caf\xe9\n".to_vec(), vec![b'#'; (1 << 20) + 1]] {
        fs::write(&path, &bytes).unwrap();

        assert_eq!(
            write(&path, "warehouse", ENTRY),
            Err(PgServiceError::NotText)
        );
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}
