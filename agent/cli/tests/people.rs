//! The verbs of people as scripts meet them: exit codes, standard output, standard error, at an agent that says what the test wants.
//! The agent here is a socket that speaks the control protocol; the real one is played in the tests of the whole.
#![allow(clippy::unwrap_used)]

#[path = "people/answers.rs"]
mod answers;
#[path = "people/judge.rs"]
mod judge;
#[path = "people/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tidegate_agent::{
    AccountView, Code, ConnectionStrings, HubState, KeyHome, OrgSnapshot, Problem, ServiceKind,
    ServiceState, ServiceView, Snapshot, Traffic, UnixTime,
};

/// A home of its own, with or without an agent in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn tidegate(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let place = |name: &str| self.path().join(name);
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", place("config"))
            .env("XDG_DATA_HOME", place("data"))
            .env("XDG_RUNTIME_DIR", place("run"))
            .stdin(std::process::Stdio::null());
        command
    }

    /// An agent that shows `snapshot` and answers every order with `answer`; after an order it shows `then`.
    fn agent(&self, snapshot: Snapshot, answer: Option<Problem>, then: Snapshot) {
        let dir = self.path().join("run/tidegate");
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let listener = UnixListener::bind(dir.join("agent.sock")).unwrap();
        let shown = Arc::new(Mutex::new(snapshot));
        let script = Arc::new((answer, then));
        // They end with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shown, script) = (Arc::clone(&shown), Arc::clone(&script));
                std::thread::spawn(move || serve(client, &shown, &script));
            }
        });
    }
}

/// The answer to an order, and what is shown after it; after a disconnect nothing is open.
type Script = (Option<Problem>, Snapshot);

fn serve(client: UnixStream, shown: &Mutex<Snapshot>, (answer, then): &Script) {
    let mut writer = client.try_clone().unwrap();
    for line in BufReader::new(client).lines().map_while(Result::ok) {
        let request: Value = serde_json::from_str(&line).unwrap();
        let is_order = request.get("act").is_some();
        let reply = if is_order {
            let is_end = request["act"].get("disconnect").is_some();
            let idle = with_warehouse(ServiceState::Idle);
            *shown.lock().unwrap() = if is_end { idle } else { then.clone() };
            json!({ "done": answer })
        } else {
            json!({ "snapshot": *shown.lock().unwrap() })
        };
        if writeln!(writer, "{reply}").is_err() || !is_order {
            return;
        }
    }
}

fn service(name: &str, state: ServiceState) -> ServiceView {
    let (name, kind) = (name.parse().unwrap(), ServiceKind::Postgres);
    ServiceView {
        askable: None,
        grant: None,
        connection: ConnectionStrings::new(&name, kind, 15432, Some("nyc")),
        name,
        title: "Flights".into(),
        kind,
        state,
        port: 15432,
        other_port: None,
        socket: None,
        traffic: Traffic::default(),
        portals: 1,
        reconnecting: None,
    }
}

/// One org, signed in, with `warehouse` in this state.
fn with_warehouse(state: ServiceState) -> Snapshot {
    let org = OrgSnapshot {
        name: "acme".parse().unwrap(),
        hub_address: "hub.example:443".parse().unwrap(),
        device: "laptop".into(),
        link: String::new(),
        enrolling: None,
        devices: vec![],
        device_requests: vec![],
        requests: Vec::new(),
        printed: Vec::new(),
        signing_out: false,
        account: AccountView::SignedIn {
            name: "ana@example.org".into(),
            until: UnixTime(4_000_000_000),
            again: None,
        },
        hub: HubState::Connected,
        services: vec![service("warehouse", state)],
        problems: vec![],
    };
    Snapshot {
        orgs: vec![org],
        ..Snapshot::empty(KeyHome::Memory)
    }
}

fn connected() -> ServiceState {
    ServiceState::Connected {
        since: UnixTime(1),
        until: UnixTime(4_000_000_000),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn data(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_exit_code_is_what_the_manual_says() {
    let table = [
        (Code::SignInNeeded, 3),
        (Code::Revoked, 4),
        (Code::OutletAbsent, 5),
        (Code::PortTaken, 6),
        (Code::TimedOut, 7),
        (Code::NotAvailable, 8),
        (Code::NotJoined, 9),
        (Code::Internal, 10),
    ];
    for (code, exit) in table {
        let home = Home::new();
        let idle = with_warehouse(ServiceState::Idle);
        home.agent(idle.clone(), Some(Problem::new(code)), idle);

        let words = home.tidegate(&["connect", "warehouse"]);

        assert_eq!(words.status.code(), Some(exit), "{code}");
        assert_eq!(text(&words.stdout), "", "{code}");
        let said = text(&words.stderr);
        assert!(said.starts_with("error: "), "{said}");
        assert!(said.contains(&format!("({code})")), "{said}");
    }
    let home = Home::new();
    assert_eq!(home.tidegate(&["connect"]).status.code(), Some(2));
    assert_eq!(home.tidegate(&["nonsense"]).status.code(), Some(2));
    assert_eq!(home.tidegate(&["paths"]).status.code(), Some(0));
}

#[test]
fn a_failure_is_json_on_standard_error_where_json_was_asked_for() {
    let home = Home::new();
    let idle = with_warehouse(ServiceState::Idle);
    home.agent(idle.clone(), Some(Problem::new(Code::OutletAbsent)), idle);

    let failed = home.tidegate(&["connect", "warehouse", "--json"]);

    let said: Value = serde_json::from_slice(&failed.stderr).unwrap();
    assert_eq!(said["error"]["exit"], 5);
    assert_eq!(said["error"]["code"], "TG-1004");
    assert_eq!(text(&failed.stdout), "");
}

#[test]
fn a_slip_of_the_finger_is_answered_with_the_name_that_was_meant() {
    let home = Home::new();
    let idle = with_warehouse(ServiceState::Idle);
    home.agent(idle.clone(), None, idle);

    let slip = home.tidegate(&["dsn", "warehose"]);

    assert_eq!(slip.status.code(), Some(8));
    let said = text(&slip.stderr);
    assert!(said.contains("Did you mean `warehouse`?"), "{said}");
}

#[test]
fn status_and_ls_are_tables_for_people_and_one_value_for_scripts() {
    let home = Home::new();
    let snapshot = with_warehouse(connected());
    home.agent(snapshot.clone(), None, snapshot);

    let words = text(&home.tidegate(&["status"]).stdout);
    let status = data(&home.tidegate(&["status", "--json"]));
    let ls = data(&home.tidegate(&["ls", "--json"]));

    assert!(words.contains("acme  ana@example.org, for "), "{words}");
    assert!(words.contains("warehouse  connected  "), "{words}");
    assert!(!words.contains('\x1b'), "{words}");
    assert_eq!(status["version"], 1);
    assert_eq!(status["orgs"][0]["account"], "signed_in");
    assert_eq!(
        status["services"][0]["url"],
        "postgresql://localhost:15432/nyc"
    );
    assert_eq!(ls["services"], status["services"]);
}

#[test]
fn following_prints_one_object_a_line_and_says_when_the_agent_has_ended() {
    let home = Home::new();
    let snapshot = with_warehouse(connected());
    home.agent(snapshot.clone(), None, snapshot);

    let followed = home.tidegate(&["status", "--follow", "--json"]);

    let lines = text(&followed.stdout);
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "status");
    assert_eq!(events.last().unwrap()["event"], "ended");
    assert_eq!(followed.status.code(), Some(5));
}

/// Tells whoever asks that the hub went away this moment, and then nothing.
fn loses_its_hub(client: UnixStream) {
    let mut client = BufReader::new(client);
    let mut asked = String::new();
    while client.read_line(&mut asked).is_ok_and(|bytes| bytes > 0) {
        let mut snapshot = with_warehouse(ServiceState::Idle);
        let away = Problem::new(Code::HubUnreachable).since(tidegate_link::now());
        snapshot.orgs[0].problems.push(away);
        let reply = json!({ "snapshot": snapshot });
        writeln!(client.get_mut(), "{reply}").unwrap();
    }
}

#[test]
fn a_problem_that_lasts_is_told_although_nothing_else_changes() {
    let home = Home::new();
    let dir = home.path().join("run/tidegate");
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(dir.join("agent.sock")).unwrap();
    let mut follow = home.command(&["status", "--follow", "--json"]);
    let mut follow = follow.stdout(std::process::Stdio::piped()).spawn().unwrap();

    // It ends with the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || loses_its_hub(client));
        }
    });
    let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let told: Vec<Value> = lines
        .take(2)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    follow.kill().unwrap();
    follow.wait().unwrap();

    assert_eq!(told[0]["status"]["problems"], json!([]));
    assert_eq!(told[1]["event"], "problem");
    assert_eq!(told[1]["problem"]["code"], "TG-1001");
}

#[test]
fn connecting_prints_every_form_and_disconnecting_says_what() {
    let home = Home::new();
    home.agent(
        with_warehouse(ServiceState::Idle),
        None,
        with_warehouse(connected()),
    );
    let service = data(&home.tidegate(&["connect", "warehouse", "--json"]));
    assert_eq!(service["state"], "connected");
    assert_eq!(service["forms"].as_object().unwrap().len(), 8);

    let home = Home::new();
    home.agent(
        with_warehouse(connected()),
        None,
        with_warehouse(ServiceState::Idle),
    );
    let done = data(&home.tidegate(&["disconnect", "--all", "--json"]));
    assert_eq!(
        done,
        json!({"done": "disconnected", "org": null, "person": null, "services": ["acme/warehouse"]})
    );
}

#[test]
fn a_program_gets_the_connection_and_its_exit_code_is_ours() {
    let home = Home::new();
    home.agent(
        with_warehouse(ServiceState::Idle),
        None,
        with_warehouse(connected()),
    );
    let script = "echo $PGHOST:$PGPORT/$PGDATABASE; exit 42";

    let ran = home.tidegate(&["connect", "warehouse", "--", "sh", "-c", script]);

    assert_eq!(text(&ran.stdout), "localhost:15432/nyc\n");
    assert_eq!(ran.status.code(), Some(42), "{}", text(&ran.stderr));

    let home = Home::new();
    let open = with_warehouse(connected());
    home.agent(open.clone(), None, open);
    let ran = home.tidegate(&["connect", "warehouse", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(ran.status.code(), Some(137), "{}", text(&ran.stderr));
}

#[test]
fn variables_are_for_eval() {
    let home = Home::new();
    let open = with_warehouse(connected());
    home.agent(open.clone(), None, open);
    let env = home.tidegate(&["env", "warehouse"]);
    let script = format!("{}\necho $DATABASE_URL", text(&env.stdout));

    let out = Command::new("sh").args(["-c", &script]).output().unwrap();

    assert_eq!(text(&out.stdout), "postgresql://localhost:15432/nyc\n");
    assert_eq!(text(&env.stderr), "");
}

#[test]
fn pg_service_conf_is_written_on_request_only() {
    let home = Home::new();
    let open = with_warehouse(connected());
    home.agent(open.clone(), None, open);
    let file = home.path().join(".pg_service.conf");

    home.tidegate(&["dsn", "warehouse", "--as", "pg_service"]);
    assert!(!file.exists());
    let wrote = home.tidegate(&["dsn", "warehouse", "--as", "pg_service", "--write"]);
    assert!(wrote.status.success(), "{}", text(&wrote.stderr));
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("[warehouse]\nhost=localhost\n")
    );
    home.tidegate(&["dsn", "warehouse", "--as", "pg_service", "--remove"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn a_settings_file_that_cannot_be_used_says_why_and_what_helps_against_that() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let file = home.path().join("config/tidegate/agent.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "max_connections = 0\n").unwrap();

    let mistake = home.tidegate(&["config"]);
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let open = home.tidegate(&["config"]);

    for (said, words) in [(mistake, "from 1 to 4096"), (open, "chmod o-w on it")] {
        assert_eq!(said.status.code(), Some(2));
        let said = text(&said.stderr);
        assert!(
            said.contains(words) && said.contains("agent.toml"),
            "{said}"
        );
    }
}

#[test]
fn settings_are_shown_with_their_origin_and_a_wrong_one_is_never_written() {
    let home = Home::new();
    let file = home.path().join("config/tidegate/agent.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let theirs = "# mine\nmax_connections = 32 # enough\n";
    fs::write(&file, theirs).unwrap();

    for (key, value, takes) in [
        ("ports.warehouse", "80", "from 1024 to 65535"),
        ("ports.warehouse", "70000", "from 1024 to 65535"),
        ("ports.warehouse", "1e4", "from 1024 to 65535"),
        ("max_connections", "0", "from 1 to 4096"),
        ("sockets.warehouse", "run/pg", "a path from the root"),
    ] {
        let wrong = home.tidegate(&["config", "set", key, value]);
        let said = text(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{key} cannot be {value}")), "{said}");
        assert!(said.contains(takes), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
    }

    home.tidegate(&["config", "set", "ports.warehouse", "15999"]);
    home.tidegate(&["config", "set", "max_connections", "48"]);
    let settings = data(&home.tidegate(&["config", "--json"]));
    let said = |key: &str| {
        let settings = settings["settings"].as_array().unwrap();
        let found = settings.iter().find(|setting| setting["key"] == key);
        found.unwrap().clone()
    };
    assert_eq!(said("ports.warehouse")["value"], "15999");
    assert_eq!(said("max_connections")["origin"], "agent.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# mine\nmax_connections = 48 # enough\n"),
        "{text}"
    );

    home.tidegate(&["config", "unset", "max_connections"]);
    let settings = home.tidegate(&["config"]);
    assert!(String::from_utf8_lossy(&settings.stdout).contains("64"));
}

#[test]
fn verbs_that_begin_at_the_same_moment_take_turns() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("run")).unwrap();

    let ended: Vec<Output> = std::thread::scope(|scope| {
        let verbs = ["status", "ls", "status", "ls", "status", "ls"];
        let running = verbs.map(|verb| scope.spawn(|| home.tidegate(&[verb])));
        running.map(|verb| verb.join().unwrap()).into()
    });

    for output in ended {
        let said = text(&output.stderr);
        assert!(!said.contains("TG-6007"), "{said}");
        assert!(matches!(output.status.code(), Some(0 | 9)), "{said}");
    }
}

#[test]
fn without_an_agent_each_verb_says_what_to_do() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("run")).unwrap();

    let disconnect = home.tidegate(&["disconnect", "warehouse"]);
    let ls = home.tidegate(&["ls", "--keys", "memory"]);
    let status = home.tidegate(&["status", "--keys", "memory"]);

    assert_eq!(disconnect.status.code(), Some(6));
    assert_eq!(ls.status.code(), Some(9), "{}", text(&ls.stderr));
    assert_eq!(text(&status.stdout), "not joined to any organisation\n");
}

#[test]
fn packages_get_completions_and_manual_pages() {
    let home = Home::new();
    let bash = text(&home.tidegate(&["completions", "bash"]).stdout);
    for shell in ["zsh", "fish"] {
        let script = home.tidegate(&["completions", shell]);
        assert!(text(&script.stdout).contains("disconnect"), "{shell}");
    }
    let man = home.path().join("man");
    let made = home.tidegate(&["man", man.to_str().unwrap()]);

    assert!(made.status.success(), "{}", text(&made.stderr));
    let page = fs::read_to_string(man.join("tidegate-connect.1")).unwrap();
    assert!(page.contains("warehouse"), "{page}");
    assert!(man.join("tidegate.1").exists());

    let open = with_warehouse(connected());
    home.agent(open.clone(), None, open);
    let script = home.path().join("completion");
    fs::write(&script, bash).unwrap();
    let ask = format!(
        ". {}; COMP_WORDS=({} connect war); COMP_CWORD=2; _tidegate_services tidegate war connect; echo \"${{COMPREPLY[@]}}\"",
        script.display(),
        env!("CARGO_BIN_EXE_tidegate"),
    );
    let mut shell = home.command(&[]);
    let environment: Vec<_> = shell
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    shell = Command::new("bash");
    let out = shell
        .args(["--norc", "-c", &ask])
        .env_clear()
        .envs(environment)
        .output()
        .unwrap();
    assert_eq!(text(&out.stdout), "warehouse\n", "{}", text(&out.stderr));
}

#[test]
fn zsh_and_fish_complete_names_of_services() {
    let home = Home::new();
    let open = with_warehouse(connected());
    home.agent(open.clone(), None, open);
    let folder = Path::new(env!("CARGO_BIN_EXE_tidegate")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let answer = |shell: &str, args: &[&str]| {
        let mut command = Command::new(shell);
        for (name, value) in home.command(&[]).get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("PATH", &path).args(args);
        // A shell that is not here is not pretended, and where everything is demanded it is no excuse.
        let demanded = std::env::var_os("TIDEGATE_REQUIRE_NETNS").is_some();
        let out = command.output();
        assert!(out.is_ok() || !demanded, "{shell} is demanded here");
        let out = out.ok()?;
        Some(text(&out.stdout).trim().to_owned())
    };
    for (shell, file) in [("fish", "tidegate.fish"), ("zsh", "_tidegate")] {
        let script = home.tidegate(&["completions", shell]);
        fs::write(home.path().join(file), script.stdout).unwrap();
    }
    let here = home.path().to_str().unwrap();
    let ask = format!("source {here}/tidegate.fish; complete -C 'tidegate dsn war'");
    let zsh = ["30", "zsh", "-f", "-c", include_str!("press.zsh"), "zsh"];
    let zsh = [
        &zsh[..],
        &[here, folder.to_str().unwrap(), "tidegate connect war"],
    ]
    .concat();

    if let Some(said) = answer("fish", &["--no-config", "-c", &ask]) {
        assert_eq!(said, "warehouse");
    }
    if answer("zsh", &["--version"]).is_some() {
        assert_eq!(
            answer("timeout", &zsh).unwrap(),
            "tidegate connect warehouse"
        );
    }
}

/// With a ticket in it; nobody made it, and no hub is there.
const LINK: &str = "tidegate://join?hub=127.0.0.1:1&org=acme\
    &root=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI&ticket=canary.canary.canary\
    &key=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI";

fn joins_with(home: &Home, args: &[&str], stdin: &str) -> (Option<i32>, String) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(stdin.as_bytes()).unwrap();
    drop(writer);
    let out = home.command(args).stdin(reader).output().unwrap();
    assert_eq!(text(&out.stdout), "");
    let complaint = text(&out.stderr);
    assert!(!complaint.contains("canary"), "{complaint}");
    (out.status.code(), complaint)
}

#[test]
fn a_link_with_a_ticket_is_not_taken_from_the_command_line() {
    let home = Home::new();
    let bare = LINK.split("&ticket").next().unwrap();
    // Whatever is sent there is refused in words that say that it was sent.
    home.agent(
        with_warehouse(connected()),
        Some(Problem::new(Code::TicketExpired)),
        with_warehouse(connected()),
    );

    let (shown, complaint) = joins_with(&home, &["join", LINK], "");
    assert_eq!(shown, Some(2), "{complaint}");
    assert!(complaint.contains("still good"), "{complaint}");

    for (args, stdin) in [
        (&["join", "-"][..], LINK),
        (&["join"], LINK),
        (&["join"], "\n tidegate"),
        (&["join", bare], ""),
    ] {
        let (code, complaint) = joins_with(&home, args, stdin);
        let sent = stdin != "\n tidegate";
        let want = if sent { "TG-4003" } else { "TG-4001" };
        assert!(
            code != Some(0) && complaint.contains(want),
            "{args:?}: {complaint}"
        );
    }
    let (nothing, complaint) = joins_with(&home, &["join"], "  \n");
    assert_eq!(nothing, Some(2), "{complaint}");
    assert!(
        complaint.contains("wl-paste | tidegate join"),
        "{complaint}"
    );
}
