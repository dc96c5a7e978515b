//! Start at login: an entry that the desktop itself reads. Being there is the setting; nothing else remembers it.
//! A newcomer would note it in our own file too: then the desktop's settings and ours could disagree.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::settings::write_whole;

/// What the entry starts the app with: at login nobody asked for a window.
pub const HIDDEN: &str = "--hidden";

/// How a system starts programs at login. Linux, macOS, and Windows do it each in their way.
pub trait StartAtLogin: Send + Sync + 'static {
    fn is_on(&self) -> bool;
    /// # Errors
    /// When the system does not take the entry.
    fn turn(&self, on: bool) -> io::Result<()>;
}

/// The way of the system that this was built for. `None` where a folder that it needs does not exist.
pub fn of_this_system(home: &Path, config: &Path, program: &Path) -> Box<dyn StartAtLogin> {
    if cfg!(windows) {
        Box::new(RunKey::new(program))
    } else if cfg!(target_os = "macos") {
        Box::new(EntryFile::launch_agent(home, program))
    } else {
        Box::new(EntryFile::autostart(config, program))
    }
}

/// A file in a folder that the desktop looks through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFile {
    path: PathBuf,
    text: String,
}

impl EntryFile {
    /// XDG autostart, for every desktop on Linux. `config` is `~/.config`.
    pub fn autostart(config: &Path, program: &Path) -> Self {
        let exec = quoted(&program.display().to_string());
        Self {
            path: config.join("autostart/dev.tidegate.app.desktop"),
            text: format!(
                "[Desktop Entry]\nType=Application\nName=Tidegate\nComment=One door, to one service, for one person\n\
                 Exec={exec} {HIDDEN}\nIcon=tidegate-desktop\nTerminal=false\nX-GNOME-Autostart-enabled=true\n"
            ),
        }
    }

    /// A launch agent, for macOS.
    pub fn launch_agent(home: &Path, program: &Path) -> Self {
        let program = program.display().to_string();
        let program = program
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        Self {
            path: home.join("Library/LaunchAgents/dev.tidegate.app.plist"),
            text: format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\n\
                 <key>Label</key><string>dev.tidegate.app</string>\n\
                 <key>ProgramArguments</key><array><string>{program}</string><string>{HIDDEN}</string></array>\n\
                 <key>RunAtLoad</key><true/>\n<key>ProcessType</key><string>Interactive</string>\n</dict></plist>\n"
            ),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl StartAtLogin for EntryFile {
    fn is_on(&self) -> bool {
        // Desktops turn an entry off by a line in it.
        let off = ["Hidden=true", "X-GNOME-Autostart-enabled=false"];
        std::fs::read_to_string(&self.path)
            .is_ok_and(|text| !text.lines().any(|line| off.contains(&line.trim())))
    }

    fn turn(&self, on: bool) -> io::Result<()> {
        if on {
            return write_whole(&self.path, &self.text);
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// As the desktop entry specification quotes an argument.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            // A backslash is escaped once for the string and once for the argument.
            '"' | '`' | '$' => quoted.push_str("\\\\"),
            '\\' => quoted.push_str("\\\\\\"),
            '%' => quoted.push('%'),
            _ => {}
        }
        quoted.push(c);
    }
    quoted + "\""
}

/// The Run key of the registry, for Windows, by the system's own program for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKey {
    line: String,
}

const RUN: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";

impl RunKey {
    pub fn new(program: &Path) -> Self {
        Self {
            line: format!("\"{}\" {HIDDEN}", program.display()),
        }
    }

    /// What `reg` is asked.
    pub fn question(&self) -> [&str; 4] {
        ["query", RUN, "/v", "Tidegate"]
    }

    pub fn order(&self, on: bool) -> Vec<&str> {
        if on {
            let words = [
                "add", RUN, "/v", "Tidegate", "/t", "REG_SZ", "/d", &self.line,
            ];
            words.into_iter().chain(["/f"]).collect()
        } else {
            vec!["delete", RUN, "/v", "Tidegate", "/f"]
        }
    }
}

impl StartAtLogin for RunKey {
    fn is_on(&self) -> bool {
        reg(&self.question()).is_ok()
    }

    fn turn(&self, on: bool) -> io::Result<()> {
        if !on && !self.is_on() {
            return Ok(());
        }
        reg(&self.order(on))
    }
}

fn reg(words: &[&str]) -> io::Result<()> {
    let status = Command::new("reg")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("the registry did not take it"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn on_and_off_is_a_file_that_is_there_or_not() {
        let config = tempfile::tempdir().unwrap();
        let entry = EntryFile::autostart(config.path(), Path::new("/usr/bin/tidegate-desktop"));

        assert!(!entry.is_on());
        entry.turn(true).unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        assert!(entry.is_on());
        assert!(
            text.contains("\nExec=\"/usr/bin/tidegate-desktop\" --hidden\n"),
            "{text}"
        );
        entry.turn(false).unwrap();
        assert!(!entry.is_on() && !entry.path().exists());
        entry.turn(false).unwrap();
    }

    #[test]
    fn what_the_desktop_turned_off_is_off() {
        let config = tempfile::tempdir().unwrap();
        let entry = EntryFile::autostart(config.path(), Path::new("/usr/bin/tidegate-desktop"));
        entry.turn(true).unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();

        std::fs::write(entry.path(), text + "Hidden=true\n").unwrap();

        assert!(!entry.is_on());
        entry.turn(true).unwrap();
        assert!(entry.is_on());
    }

    #[test]
    fn a_path_stays_one_argument_whatever_is_in_it() {
        assert_eq!(quoted("/opt/a b/100%"), "\"/opt/a b/100%%\"");
        assert_eq!(quoted("/a\"$(id)"), r#""/a\\"\\$(id)""#);
        let entry = EntryFile::launch_agent(Path::new("/Users/ana"), Path::new("/A&B<c>"));
        assert!(entry.text.contains("<string>/A&amp;B&lt;c&gt;</string>"));
    }

    #[test]
    fn the_registry_is_asked_for_one_value_of_the_person() {
        let key = RunKey::new(Path::new(r"C:\Program Files\Tidegate\tidegate-desktop.exe"));

        assert_eq!(
            key.order(true)[6..],
            [
                "/d",
                "\"C:\\Program Files\\Tidegate\\tidegate-desktop.exe\" --hidden",
                "/f"
            ]
        );
        assert!(key.order(false).starts_with(&["delete", RUN]));
    }
}
