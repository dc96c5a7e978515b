//! The lines that a person copies, each pasted where it belongs: shell, `.env`, `pg_service.conf`, Python.

use super::*;
use crate::doctor::{Verdict, query};
use crate::{
    ConnectionStrings, Form, ServiceKind, ServiceState, ServiceView, Traffic, UnixTime, words,
};

/// Everything a form could stumble over, in one name.
const STRANGE: &str = "it's 100% \"mine\"/$HOME a=b #1|x";
const WHERE: &str = "-X -A -t -q -c 'SELECT current_database()'";

/// What a shell makes of `script`, without any of the settings of whoever runs the tests.
async fn sh(script: String) -> String {
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("PGSSLMODE", "verify-full")
        .stdin(Stdio::null());
    let (out, err, _) = run(command).await;
    assert_eq!(err, "", "{script}");
    out.trim_end().to_owned()
}

#[tokio::test]
async fn every_line_that_can_be_copied_works_where_it_is_pasted() {
    for name in ["nyc", STRANGE] {
        let (mut database, dir) = (Database::new(), tempfile::tempdir().unwrap());
        database.serves(name);
        let inlet = Inlet::new(database.outlet()).await;
        let strings =
            ConnectionStrings::new(&warehouse(), ServiceKind::Postgres, inlet.port, Some(name));
        let text = |form| strings.get(form).unwrap();
        let place = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };

        let psql = sh(format!(
            "PGSSLMODE=prefer PGUSER=ana {} {WHERE}",
            text(Form::Psql)
        ));
        assert_eq!(psql.await, name);

        let file = place("pg_service.conf", &text(Form::PgService));
        let service = sh(format!(
            "PGSERVICEFILE={file} psql service=warehouse {WHERE}"
        ));
        assert_eq!(service.await, name);

        let env = place("env", &text(Form::Env));
        let told = if name == STRANGE {
            "psql \"$DATABASE_URL\""
        } else {
            "psql"
        };
        assert_eq!(sh(format!("set -a; . {env}; {told} {WHERE}")).await, name);

        assert_eq!(python(&strings).await.as_deref().unwrap_or(name), name);
    }
}

/// What psycopg and, where they are installed, SQLAlchemy and pandas say; `None` where there is no such interpreter.
async fn python(strings: &ConnectionStrings) -> Option<String> {
    let Some(python) = std::env::var_os("TIDEGATE_PYTHON") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "TIDEGATE_PYTHON has to name an interpreter with psycopg 3"
        );
        println!("not pasted: TIDEGATE_PYTHON names no interpreter with psycopg 3");
        return None;
    };
    let cell = strings.get(Form::Pandas).unwrap();
    let cell = cell.replace("SELECT 1 AS answer", "SELECT current_database()");
    let script = format!(
        "import importlib.util, sys\n\
         import psycopg\n\
         with psycopg.connect({url:?}, user='ana') as c:\n\
         \x20   name = c.execute('select current_database()').fetchone()[0]\n\
         if importlib.util.find_spec('sqlalchemy') and importlib.util.find_spec('pandas'):\n\
         \x20   here = {{}}\n\
         \x20   exec({cell:?}, here)\n\
         \x20   assert here['df'].iloc[0, 0] == name, here['df']\n\
         else: print('not tried: no sqlalchemy and pandas', file=sys.stderr)\n\
         print(name)\n",
        url = strings.url(),
    );
    let mut command = Command::new(python);
    command
        .args(["-c", &script])
        .env("PGUSER", "ana")
        .stdin(Stdio::null());
    let (out, err, code) = run(command).await;
    assert_eq!(code, Some(0), "{err}");
    Some(out.trim_end().to_owned())
}

#[tokio::test]
async fn the_doctor_gets_a_row_and_hands_on_what_a_refusal_says() {
    let (inlet, _database) = Inlet::real().await;
    let refusing = Inlet::new(Refuses(Code::TargetLoginRefused)).await;
    let connected = |port| ServiceView {
        name: warehouse(),
        title: String::new(),
        other_port: None,
        socket: None,
        kind: ServiceKind::Postgres,
        state: ServiceState::Connected {
            since: UnixTime(1),
            until: UnixTime(2),
        },
        port,
        askable: None,
        grant: None,
        connection: ConnectionStrings::new(&warehouse(), ServiceKind::Postgres, port, None),
        traffic: Traffic::default(),
        portals: 0,
        reconnecting: None,
    };

    let row = query::check(&connected(inlet.port)).await;
    let refused = query::check(&connected(refusing.port)).await;

    assert_eq!(row.verdict, Verdict::Ok, "{row:?}");
    assert_eq!(refused.verdict, Verdict::Fail, "{refused:?}");
    let problem = Problem::new(Code::TargetLoginRefused).service(&warehouse());
    let said = refused.fix.unwrap();
    assert!(said.contains(&words(&problem).next), "{said}");
}
