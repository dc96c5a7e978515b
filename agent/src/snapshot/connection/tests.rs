//! Every form with names that want to be something else; the programs themselves try the lines in `inlet/postgres/tests/lines.rs`.
#![allow(clippy::unwrap_used)]
use std::process::Command;

use super::*;

/// Names a database can really have, each a trap for somebody.
const HOSTILE: [&str; 12] = [
    "a b;$(id)/?x=1",
    "it's",
    "say \"hi\"",
    "back\\slash",
    "x|user=root|password=y",
    "`id`",
    "$HOME!",
    "a#b=c",
    "%41%00",
    "données",
    " edge ",
    "]\n[other]\nhost=evil",
];

fn postgres(database: Option<&str>) -> ConnectionStrings {
    let service = "warehouse".parse().unwrap();
    ConnectionStrings::new(&service, ServiceKind::Postgres, 15432, database)
}

#[test]
fn each_form_says_where_the_database_is() {
    let nyc = postgres(Some("nyc"));

    let said: Vec<_> = nyc.all().collect();

    let expected = [
        (Form::Url, "postgresql://localhost:15432/nyc"),
        (Form::Psql, "psql postgresql://localhost:15432/nyc"),
        (Form::Sqlalchemy, "postgresql+psycopg://localhost:15432/nyc"),
        (
            Form::Pandas,
            "import pandas as pd\nfrom sqlalchemy import create_engine\n\n\
             engine = create_engine(\"postgresql+psycopg://localhost:15432/nyc\")\n\
             df = pd.read_sql(\"SELECT 1 AS answer\", engine)\n",
        ),
        (
            Form::Jdbc,
            "jdbc:postgresql://localhost:15432/nyc?user=tidegate&sslmode=disable",
        ),
        (
            Form::Dbeaver,
            "dbeaver -con \"driver=postgresql|host=localhost|port=15432|database=nyc|user=tidegate|name=warehouse|savePassword=true|connect=true\"",
        ),
        (
            Form::Env,
            "# warehouse through Tidegate\nPGHOST=localhost\nPGPORT=15432\nPGDATABASE=nyc\nPGUSER=tidegate\nPGSSLMODE=disable\nDATABASE_URL=postgresql://localhost:15432/nyc\n",
        ),
        (
            Form::PgService,
            "[warehouse]\nhost=localhost\nport=15432\ndbname=nyc\nuser=tidegate\nsslmode=disable\n",
        ),
    ];
    let expected = expected.map(|(form, text)| (form, text.to_owned()));
    assert_eq!(said, expected);
}

#[test]
fn a_tcp_service_is_only_an_address() {
    let service = "cache".parse().unwrap();
    let cache = ConnectionStrings::new(&service, ServiceKind::Tcp, 8080, None);

    let said: Vec<_> = cache.all().collect();

    let env = "# cache through Tidegate\nTIDEGATE_HOST=localhost\nTIDEGATE_PORT=8080\nTIDEGATE_ADDRESS=localhost:8080\n";
    assert_eq!(
        said,
        [
            (Form::Url, "localhost:8080".to_owned()),
            (Form::Env, env.to_owned())
        ]
    );
}

#[test]
fn without_a_database_nothing_is_made_up() {
    let strings = postgres(None);

    for (form, text) in strings.all() {
        assert!(
            !text.contains("database=") && !text.contains("dbname"),
            "{form:?}: {text}"
        );
    }
}

#[test]
fn a_database_name_cannot_leave_its_place_in_a_line() {
    let shown = postgres(Some("a b;$(id)/?x=1"));

    assert_eq!(
        shown.url(),
        "postgresql://localhost:15432/a%20b%3B%24%28id%29%2F%3Fx%3D1"
    );
    for name in HOSTILE {
        for form in [
            Form::Url,
            Form::Psql,
            Form::Sqlalchemy,
            Form::Jdbc,
            Form::Dbeaver,
        ] {
            let line = postgres(Some(name)).get(form).unwrap();
            let around = line.replace("\"driver=", "").replace("=true\"", "");
            assert!(
                !around.contains(['\n', '\'', '"', '\\', '`', '$', '!', '#', ';']),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn a_shell_sees_one_argument_where_dbeaver_wants_one() {
    for name in HOSTILE {
        let line = postgres(Some(name)).get(Form::Dbeaver).unwrap();
        let script = format!("dbeaver() {{ printf '%s\\n' \"$#\" \"$2\"; }}; {line}");

        let out = Command::new("sh").args(["-c", &script]).output().unwrap();

        let out = String::from_utf8(out.stdout).unwrap();
        let spec = out.strip_prefix("2\n").unwrap();
        let parts: Vec<_> = spec.trim_end().split('|').collect();
        assert_eq!(parts[0], "driver=postgresql", "{name}");
        assert!(parts.contains(&"name=warehouse"), "{name}: {spec}");
        assert!(!parts.contains(&"password=y"), "{name}: {spec}");
    }
}

#[test]
fn a_shell_reads_the_env_file_as_it_was_meant() {
    for name in HOSTILE {
        let text = postgres(Some(name)).get(Form::Env).unwrap();
        let script = format!("set -a\n{text}\nprintf '%s' \"${{PGDATABASE-left out}}\"");

        let out = Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .output()
            .unwrap();

        let read = String::from_utf8(out.stdout).unwrap();
        assert!(
            read == name || (read == "left out" && text.contains("# PGDATABASE holds")),
            "{name}: {read} {text}"
        );
        assert!(out.stderr.is_empty(), "{name}: {text}");
    }
}

#[test]
fn pg_service_conf_holds_a_name_exactly_or_not_at_all() {
    for name in HOSTILE {
        match postgres(Some(name)).get(Form::PgService) {
            Some(entry) => {
                assert_eq!(entry.lines().count(), 6, "{name}");
                assert!(entry.contains(&format!("\ndbname={name}\n")), "{name}");
            }
            None => assert!(name.trim() != name || name.contains('\n'), "{name}"),
        }
    }
}
