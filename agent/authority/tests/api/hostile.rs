//! Names, titles and reasons that deceive readers or steer terminals, from everybody who can give the authority one.
//! What is asserted beside each refusal is what an administrator reads afterwards: the log and the record.

use std::io;
use std::sync::{Arc, Mutex, Once};

use serde_json::json;
use tidegate_authority::BundleError;
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, devices::MAX_LABEL, path},
    hostile,
    problem::Code,
    statement::{Revocation, RevokeTarget, ServiceStatement, Statement},
    strict::to_base64url,
    text::{deceives, readable},
};
use tracing_subscriber::fmt::MakeWriter;

use crate::introduction::{NEW, Old, code};
use crate::support::{Stage, client::Device};

static EVERYWHERE: Once = Once::new();

/// What is logged on this thread, as `tidegate hub` writes it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // Whether anybody wants to hear of a place in the code is asked once, when it is first passed: by the thread that passes
        // it. Another test's thread, on which nobody listens, would answer for this one too.
        EVERYWHERE.call_once(|| {
            let deaf = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_writer(io::sink);
            tracing::subscriber::set_global_default(deaf.finish()).unwrap();
        });
        let log = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(self.clone());
        tracing::subscriber::set_default(log.finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_device_that_calls_itself_something_deceiving_is_refused_and_leaves_a_clean_record() {
    let stage = Stage::new().await;
    let old = Old::of(&stage, "ana").await;
    let log = Log::default();
    let listening = log.listen();

    let mut refused = 0;
    for label in hostile::texts() {
        let new = Device::new();
        let mut client = stage.connect().await;
        let person = new.request(&stage.token(&new, "ana"), &client.hash);
        let request =
            json!({ "person": person, "label": &label, "commitment": to_base64url(&NEW) });
        let answer: Result<serde_json::Value, _> = client.post(path::INTRODUCE, &request).await;
        let fits = label.len() <= MAX_LABEL && !label.chars().any(deceives);
        match fits {
            true => assert_eq!(
                answer.unwrap()["label"],
                *label,
                "shown as it is: only text"
            ),
            false => {
                assert_eq!(code(answer), Some((400, Code::PeerBrokeProtocol.number())));
                refused += 1;
            }
        }
    }

    assert!(refused >= 10, "{refused}");
    drop(listening);
    let said = log.text();
    assert!(said.contains("request was refused"), "{said}");
    assert_eq!(readable(&said), said);
    assert_eq!(old.devices(&stage, None).await.unwrap().devices.len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn whatever_the_provider_calls_a_person_is_no_text_of_the_log_or_the_record() {
    let stage = Stage::new().await;
    let log = Log::default();
    let listening = log.listen();
    let device = stage.device("ana").await;

    for text in hostile::texts().into_iter().filter(|text| text.len() < 200) {
        let groups = ["data-science", text.as_str()];
        let mut claims = device.claims(&stage.provider, "ana", &groups, stage.now());
        for claim in ["email", "name", "preferred_username"] {
            claims[claim] = json!(text);
        }
        let token = stage.provider.sign(&claims);
        let answer = stage.connect().await.credential(&device, &token).await;
        assert!(answer.is_ok(), "{text:?}: {:?}", code(answer));
    }

    drop(listening);
    let said = log.text();
    assert!(said.contains("credential was issued"), "{said}");
    assert_eq!(readable(&said), said);
    assert_eq!(recorded(&stage), readable(&recorded(&stage)));
    stage.end().await;
}

/// The record as it is when it is read: signatures taken off.
fn recorded(stage: &Stage) -> String {
    let events: Vec<String> = stage
        .events()
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    events.join("\n")
}

#[tokio::test]
async fn a_bundle_with_a_title_that_deceives_is_refused_even_if_the_root_signed_it() {
    let mut stage = Stage::new().await;
    stage.org.version = 2;
    let good = stage.bundle();
    let root = stage.org.root.verify_key();

    for text in hostile::texts() {
        let mut bundle = good.clone();
        let mut entry = ServiceStatement::verify(&bundle.services[0], &root).unwrap();
        let fits = text.len() <= 120 && !text.chars().any(deceives);
        let begins: String = text.chars().take(40).collect();
        entry.title = text;
        bundle.services[0] = entry.sign(&stage.org.root);
        let verified = bundle.verify(root.peer_id(), &entry.org, stage.now());
        assert_eq!(verified.is_ok(), fits, "{begins:?}");
        if !fits {
            let refused = stage.authority.reload(bundle).await.err();
            assert!(
                matches!(refused, Some(BundleError::Statement(_))),
                "{begins:?}: {refused:?}"
            );
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn a_revocation_with_a_reason_that_deceives_is_refused_and_its_word_is_nowhere() {
    let stage = Stage::new().await;
    let log = Log::default();
    let listening = log.listen();

    for (number, reason) in hostile::texts().into_iter().enumerate() {
        let fits = reason.len() <= 400 && !reason.chars().any(deceives);
        let order = Revocation {
            org: "acme".parse().unwrap(),
            who: RevokeTarget::Subject("bob".parse().unwrap()),
            at: stage.now(),
            id: format!("r{number}"),
            reason,
        };
        let revocation = order.sign(&stage.org.root);
        let request = RevokeRequest { revocation };
        let answer: Result<RevokeAnswer, _> =
            stage.connect().await.post(path::REVOKE, &request).await;
        assert_eq!(answer.is_ok(), fits, "number {number}");
    }

    drop(listening);
    assert_eq!(readable(&log.text()), log.text());
    assert_eq!(recorded(&stage), readable(&recorded(&stage)));
    stage.end().await;
}
