//! The OpenID provider of the scene, and its administrator's door.
//! The people of the scene live here: Ana, who may, and Bob, who may not.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ca::CertificateAuthority;
use crate::ground::Site;
use crate::process::{Process, Program, Signal};
use crate::secret;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

pub const CLIENT_ID: &str = "0oatidegate";
pub const REDIRECT_PORTS: [u16; 3] = [8250, 18250, 28250];

/// Somebody with an account at the provider.
pub struct Person {
    pub login: &'static str,
    /// What the ID token calls `sub`.
    pub subject: &'static str,
    pub password: String,
}

pub struct Provider {
    pub issuer: String,
    /// Where its keys are fetched, `host:port`.
    pub key_host: String,
    pub ca_pem: String,
    pub ana: Person,
    pub bob: Person,
    control: PathBuf,
    process: Process,
}

impl Provider {
    /// # Errors
    /// When it does not start.
    pub async fn start(stage: &Arc<Stage>, ca: &CertificateAuthority) -> Outcome<Self> {
        let run = stage.run();
        let home = run.home(User::Provider);
        let (host, port) = (stage.host("login.acme.example"), stage.port(9443)?);
        let issuer = format!("https://{host}:{port}/oauth2/default");
        let ana = Person {
            login: "ana",
            subject: "00uana",
            password: secret::text(),
        };
        let bob = Person {
            login: "bob",
            subject: "00ubob",
            password: secret::text(),
        };
        let identity = ca.server(&[&host])?;
        run.private_file(User::Provider, &home.join("tls.crt"), &identity.certificate)?;
        run.private_file(User::Provider, &home.join("tls.key"), &identity.key)?;
        let control = home.join("control.sock");
        let config = json!({
            "issuer": issuer, "host": stage.ground().provider(), "port": port, "control": control,
            "client_id": CLIENT_ID, "cookie_keys": [secret::text()],
            "redirect_uris": REDIRECT_PORTS.map(|port| format!("http://127.0.0.1:{port}/callback")),
            "tls": { "certificate": home.join("tls.crt"), "key": home.join("tls.key") },
            "people": [
                person(&ana, "Ana Sousa", "Data Science", &["Everyone", "data-science"]),
                person(&bob, "Bob Meyer", "Sales", &["Everyone", "sales"]),
            ],
        });
        run.private_file(
            User::Provider,
            &home.join("config.json"),
            config.to_string(),
        )?;
        let mut process = Program::new("provider", Site::Internet, User::Provider, "node")
            .arg(run.at("provider/provider.mjs"))
            .arg(home.join("config.json"))
            .start(stage)?;
        process.says("ready", Duration::from_secs(90)).await?;
        let key_host = format!("{host}:{port}");
        Ok(Self {
            issuer,
            key_host,
            ca_pem: ca.pem().to_owned(),
            ana,
            bob,
            control,
            process,
        })
    }

    /// # Errors
    /// When the provider refuses.
    pub fn disable(&self, person: &Person) -> Outcome<()> {
        self.call(
            "POST /person",
            &json!({ "login": person.login, "enabled": false }),
        )
        .map(drop)
    }

    /// Somebody whom the directory has somewhere else now.
    ///
    /// # Errors
    /// When the provider refuses.
    pub fn move_to(&self, person: &Person, department: &str, groups: &[&str]) -> Outcome<()> {
        let moved = json!({ "login": person.login, "department": department, "groups": groups });
        self.call("POST /person", &moved).map(drop)
    }

    /// # Errors
    /// When the provider refuses.
    pub fn set_groups(&self, person: &Person, groups: &[&str]) -> Outcome<()> {
        self.call(
            "POST /person",
            &json!({ "login": person.login, "groups": groups }),
        )
        .map(drop)
    }

    /// It hangs: connections are taken, and nothing is said.
    ///
    /// # Errors
    /// When it is gone.
    pub fn pause(&self) -> Outcome<()> {
        self.process.signal(Signal::STOP)
    }

    /// # Errors
    /// When it is gone.
    pub fn resume(&self) -> Outcome<()> {
        self.process.signal(Signal::CONT)
    }

    /// A new signing key; in an emergency the old one is not published any more.
    ///
    /// # Errors
    /// When the provider refuses.
    pub fn rotate_keys(&self, emergency: bool) -> Outcome<()> {
        self.call("POST /rotate", &json!({ "emergency": emergency }))
            .map(drop)
    }

    /// How long tokens live, in seconds: `idToken`, `accessToken`, `refreshToken`.
    ///
    /// # Errors
    /// When the provider refuses.
    pub fn set_lifetimes(&self, lifetimes: &Value) -> Outcome<()> {
        self.call("POST /lifetimes", lifetimes).map(drop)
    }

    /// What a thief of the provider holds: the private signing key, as a JWK.
    ///
    /// # Errors
    /// When the provider refuses.
    pub fn steal_signing_key(&self) -> Outcome<Value> {
        self.call("GET /signing-key", &Value::Null)
    }

    /// Every token it has handed out: `{ what, sub, at }`.
    ///
    /// # Errors
    /// When the provider refuses.
    pub fn events(&self) -> Outcome<Vec<Value>> {
        let events = self.call("GET /events", &Value::Null)?;
        events
            .as_array()
            .cloned()
            .doing("read the provider's events")
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// HTTP/1.0 on purpose: the answer ends with the connection.
    fn call(&self, what: &str, body: &Value) -> Outcome<Value> {
        let mut door =
            UnixStream::connect(&self.control).doing("open the provider's control door")?;
        door.set_read_timeout(Some(Duration::from_secs(5)))?;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        write!(
            door,
            "{what} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        door.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .doing("read the provider's answer")?;
        if !head.contains(" 200 ") {
            return Err(Trouble::new(format!(
                "the provider refused `{what}`: {body}"
            )));
        }
        Ok(serde_json::from_str(body)?)
    }
}

fn person(person: &Person, name: &str, department: &str, groups: &[&str]) -> Value {
    json!({
        "id": person.subject, "login": person.login, "password": person.password, "name": name,
        "email": format!("{}@acme.example", person.login), "department": department,
        "employee_type": "employee", "groups": groups,
    })
}
