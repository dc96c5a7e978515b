//! A small WebDriver client (W3C), enough to fill in a form, click and take a picture.
//! Each call is its own connection, made from the laptop's place in the network; no library can do that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ground::Site;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};

/// The key under which WebDriver hides an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const CALL: Duration = Duration::from_secs(60);

pub struct WebDriver {
    door: Door,
    session: String,
}

/// Something on the page, as the driver calls it.
pub struct Element(String);

#[derive(Clone)]
pub(super) struct Door {
    pub(super) stage: Arc<Stage>,
    pub(super) address: SocketAddr,
}

impl WebDriver {
    /// Blocks until the driven program shows a window.
    pub(super) async fn open(door: Door, capabilities: Value) -> Outcome<Self> {
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = door.call("POST", "/session", Some(body)).await?;
        let session = answer["sessionId"]
            .as_str()
            .doing("read the session's id")?
            .to_owned();
        Ok(Self { door, session })
    }

    /// # Errors
    /// When nothing matches the CSS selector within `limit`.
    pub async fn find(&self, css: &str, limit: Duration) -> Outcome<Element> {
        let until = Instant::now() + limit;
        loop {
            match self.try_find(css).await {
                Ok(element) => return Ok(element),
                Err(trouble) if Instant::now() > until => {
                    let page = self.text("body").await.unwrap_or_default();
                    return Err(Trouble::new(format!(
                        "no `{css}` on the page: {trouble}\nThe page says: {page}"
                    )));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn try_find(&self, css: &str) -> Outcome<Element> {
        let found = self
            .post("/element", json!({ "using": "css selector", "value": css }))
            .await?;
        Ok(Element(
            found[ELEMENT]
                .as_str()
                .doing("read the element's id")?
                .to_owned(),
        ))
    }

    /// # Errors
    /// When the driver refuses.
    pub async fn click(&self, element: &Element) -> Outcome<()> {
        self.post(&format!("/element/{}/click", element.0), json!({}))
            .await
            .map(drop)
    }

    /// # Errors
    /// When the driver refuses.
    pub async fn write(&self, element: &Element, text: &str) -> Outcome<()> {
        self.post(
            &format!("/element/{}/value", element.0),
            json!({ "text": text }),
        )
        .await
        .map(drop)
    }

    /// What a person reads there.
    ///
    /// # Errors
    /// When it is not on the page.
    pub async fn text(&self, css: &str) -> Outcome<String> {
        let element = self.try_find(css).await?;
        let text = self.get(&format!("/element/{}/text", element.0)).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// # Errors
    /// When the page does not say so within `limit`.
    pub async fn wait_for_text(&self, css: &str, words: &str, limit: Duration) -> Outcome<String> {
        let until = Instant::now() + limit;
        loop {
            let text = self.text(css).await.unwrap_or_default();
            if text.contains(words) {
                return Ok(text);
            }
            if Instant::now() > until {
                return Err(Trouble::new(format!(
                    "`{css}` never said `{words}`; it says `{text}`"
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a script returns that runs in the page, beside the page's own policy.
    ///
    /// # Errors
    /// When it breaks.
    pub async fn run(&self, script: &str) -> Outcome<Value> {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// # Errors
    /// When the driver refuses.
    pub async fn url(&self) -> Outcome<String> {
        Ok(self
            .get("/url")
            .await?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// # Errors
    /// When the driver refuses.
    pub async fn handles(&self) -> Outcome<Vec<String>> {
        Ok(serde_json::from_value(self.get("/window/handles").await?)?)
    }

    /// # Errors
    /// When there is no such window.
    pub async fn switch_to(&self, handle: &str) -> Outcome<()> {
        self.post("/window", json!({ "handle": handle }))
            .await
            .map(drop)
    }

    /// The first picture soon after a change is often an old one: takes pictures until two agree.
    ///
    /// # Errors
    /// When the driver refuses.
    pub async fn picture(&self) -> Outcome<Vec<u8>> {
        let mut last = self.picture_now().await?;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let next = self.picture_now().await?;
            if next == last {
                break;
            }
            last = next;
        }
        Ok(last)
    }

    async fn picture_now(&self) -> Outcome<Vec<u8>> {
        let picture = self.get("/screenshot").await?;
        Ok(base64::engine::general_purpose::STANDARD
            .decode(picture.as_str().unwrap_or_default())?)
    }

    /// Ends the session. With WebKitWebDriver this ends the program too.
    ///
    /// # Errors
    /// When the driver refuses.
    pub async fn close(self) -> Outcome<()> {
        self.door
            .call("DELETE", &format!("/session/{}", self.session), None)
            .await
            .map(drop)
    }

    async fn get(&self, path: &str) -> Outcome<Value> {
        self.door
            .call("GET", &format!("/session/{}{path}", self.session), None)
            .await
    }

    async fn post(&self, path: &str, body: Value) -> Outcome<Value> {
        self.door
            .call(
                "POST",
                &format!("/session/{}{path}", self.session),
                Some(body),
            )
            .await
    }
}

impl Door {
    /// Waits until the driver answers.
    pub(super) async fn ready(&self, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        while self.call("GET", "/status", None).await.is_err() {
            if Instant::now() > until {
                return Err(Trouble::new(format!("no driver at {}", self.address)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Outcome<Value> {
        let answer = tokio::time::timeout(CALL, self.exchange(method, path, body)).await;
        answer.doing(format!("get an answer to {method} {path}"))?
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<Value>) -> Outcome<Value> {
        let stream =
            self.stage
                .ground()
                .connect(Site::Cafe, self.address, Duration::from_secs(2))?;
        stream.set_nonblocking(true)?;
        let mut stream = tokio::net::TcpStream::from_std(stream)?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let answer = read_answer(&mut stream).await?;
        let mut answer: Value =
            serde_json::from_slice(&answer).doing(format!("understand the answer to {path}"))?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(Trouble::new(format!(
                "{error}: {}",
                value["message"].as_str().unwrap_or_default()
            ))),
            None => Ok(value),
        }
    }
}

/// The body of one answer. The drivers keep the connection open in spite of the header, so the length counts.
async fn read_answer(stream: &mut tokio::net::TcpStream) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(body) = whole_body(&bytes) {
            return Ok(body);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            let start = head_end(&bytes).doing("read the head of an answer")?;
            return Ok(bytes.split_off(start));
        }
    }
}

fn whole_body(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = head_end(bytes)?;
    let head = String::from_utf8_lossy(&bytes[..start]).to_ascii_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?
        .trim()
        .parse()
        .ok()?;
    (bytes.len() >= start + length).then(|| bytes[start..start + length].to_vec())
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4)
}
