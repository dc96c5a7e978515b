//! One key of one end: a laptop's device key without its person, an outlet's link key without the outlet's other keys.
//! Each belongs to a leg and is none: the rest of that leg is not on the same disk, or not good without it.

use std::time::Duration;

use tidegate_link::{LinkError, RelayLink};
use tidegate_proto::{
    auth::{Auth, prove},
    identity::SigningKey,
    problem::Code,
    wire::link::RelayRefusal,
};

use crate::client::Device;
use crate::company::{Company, acme, within};
use crate::laptop::{Said, present};
use crate::stolen_hub::deceived;

#[tokio::test]
async fn a_laptops_device_key_alone_opens_nothing_without_its_persons_sign_in() {
    let company = Company::start().await;
    let ana = company.ana().await;
    // An insider, with a sign-in and papers of his own, and Ana's key.
    let eve = company.laptop("eve", &["data-science"]).await;
    let hers = || Device {
        identity: SigningKey::from_seed(&ana.device.identity.seed()),
        ..Device::new()
    };
    let signed_in = company.token(&hers(), "eve", &["data-science"]);

    let mut at_the_authority = Vec::new();
    for token in [&eve.token, &signed_in, &String::new()] {
        let answer = company.api().await.credential(&hers(), token).await;
        at_the_authority.push(answer.err().map(|(_, code)| code));
    }
    let mut at_the_outlet = Vec::new();
    for token in [&eve.token, &signed_in] {
        let mut secure = eve.handshake().await.unwrap();
        let auth = Auth {
            id_token_0: token.clone(),
            rz: hers().rz,
            identity: hers().identity.verify_key(),
            signature: prove(&secure.hash, &hers().identity),
            ..eve.auth(&secure.hash)
        };
        at_the_outlet.push(present(&mut secure, &auth).await);
    }

    let (refused, wrong_account) = (Code::NotAdmitted.number(), Code::WrongAccount.number());
    assert_eq!(
        at_the_authority,
        [Some(refused), Some(wrong_account), Some(refused)]
    );
    let is_refused = |said: &Vec<Said>| matches!(&said[..], [Said::Refused(code, ..), Said::Ended] if *code == Code::NotAdmitted.number());
    assert!(at_the_outlet.iter().all(is_refused), "{at_the_outlet:?}");
    company.nothing_opened();
    eve.shutdown().await;
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn an_outlets_link_key_and_pass_draw_circuits_that_nobody_believes_in() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let (key, pass) = within(company.stolen_link_key_and_pass()).await;
    let relay = company.relay_key().public();
    let connect = async |pass: &str| {
        RelayLink::connect(&company.address, relay, &key, &acme(), pass.to_owned()).await
    };

    // Passes are bound to the key they were made for.
    let alone = within(connect(&ana.answer.pass)).await;
    assert_eq!(alone.err(), Some(LinkError::Refused(RelayRefusal::Pass)));
    let link = within(connect(&pass)).await.unwrap();
    let deceived = deceived(&company, &ana, &link).await;

    assert!(deceived > 0, "the thief was never asked");
    company.nothing_opened();
    within(link.shutdown()).await;
    ana.shutdown().await;
    company.end().await;
}

impl Company {
    /// What a thief finds in the outlet's data directory, once the outlet has put it there; not its identity, nor its Noise key.
    async fn stolen_link_key_and_pass(&self) -> (tidegate_proto::identity::NoiseSecret, String) {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let data = self.outlet_data();
        let key = std::fs::read_to_string(data.join("link.key")).unwrap();
        let key: Vec<u8> = URL_SAFE_NO_PAD.decode(key.trim_end()).unwrap();
        let key = tidegate_proto::identity::NoiseSecret::from_bytes(&key.try_into().unwrap());
        loop {
            let known = std::fs::read(data.join("known.json")).unwrap_or_default();
            let known: serde_json::Value = serde_json::from_slice(&known).unwrap_or_default();
            if let Some(pass) = known["pass"].as_str() {
                return (key, pass.to_owned());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
