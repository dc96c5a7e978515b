//! What a thief finds on a laptop or in the network: an ID token, a credential, a circuit token.
//! None of them speaks without the device's key, which is not among them.

use std::time::Duration;

use tidegate_link::circuit;
use tidegate_proto::{
    auth::{Auth, prove},
    problem::Code,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::company::{Company, within};
use crate::laptop::{Said, echoes, handshake, present};

fn is_refused(said: &[Said]) -> bool {
    matches!(said, [Said::Refused(code, ..), Said::Ended] if *code == Code::NotAdmitted.number())
}

#[tokio::test]
async fn a_stolen_id_token_opens_nothing_at_authority_or_outlet() {
    let company = Company::start().await;
    let ana = company.ana().await;
    // The thief is an insider with everything of his own in order.
    let eve = company.laptop("eve", &["data-science"]).await;
    let second = company.device("ana").await;

    for device in [&eve.device, &second] {
        let answer = company.api().await.credential(device, &ana.token).await;
        assert_eq!(
            answer.err().map(|(_, code)| code),
            Some(Code::NotAdmitted.number())
        );
    }
    let mut secure = eve.handshake().await.unwrap();
    let auth = Auth {
        id_token_0: ana.token.clone(),
        rz: ana.device.rz,
        ..eve.auth(&secure.hash)
    };
    let said = present(&mut secure, &auth).await;

    assert!(is_refused(&said), "{said:?}");
    company.nothing_opened();
    eve.shutdown().await;
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn a_stolen_credential_opens_nothing_without_its_key() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let eve = company.laptop("eve", &["sales"]).await;

    let mut said = Vec::new();
    for part in 0..3 {
        let mut secure = ana.handshake().await.unwrap();
        let (hers, his) = (ana.auth(&secure.hash), eve.auth(&secure.hash));
        let auth = match part {
            // The credential alone, in his papers.
            0 => Auth {
                credential: hers.credential,
                ..his
            },
            // All of her papers, his key and signature.
            1 => Auth {
                identity: his.identity,
                signature: his.signature,
                ..hers
            },
            // All of her papers and her key, his signature.
            _ => Auth {
                signature: prove(&secure.hash, &eve.device.identity),
                ..hers
            },
        };
        said.push(present(&mut secure, &auth).await);
    }
    // And a signature of hers that was made for another circuit.
    let (elsewhere, mut here) = (
        ana.handshake().await.unwrap(),
        ana.handshake().await.unwrap(),
    );
    said.push(present(&mut here, &ana.auth(&elsewhere.hash)).await);

    assert!(said.iter().all(|said| is_refused(said)), "{said:?}");
    assert_eq!(
        eve.answer.services.len(),
        0,
        "she is not even shown the warehouse"
    );
    company.nothing_opened();
    drop((elsewhere, here));
    eve.shutdown().await;
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn a_stolen_circuit_token_breaks_that_circuit_and_enters_nothing() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let mut running = ana.portal().await;
    echoes(&mut running).await;
    let outlet = company.outlet_keys.noise.public();

    // The thief is there first, with every key but hers.
    let token = ana.link.open(ana.handle()).await.unwrap();
    let mut stolen = circuit(&company.address, token, Duration::from_secs(5))
        .await
        .unwrap();
    let hers = within(handshake(&company.address, token, "warehouse", outlet)).await;
    stolen.write_all(&[1; 3000]).await.unwrap();
    let _ = stolen.shutdown().await;
    let mut got = Vec::new();
    let _ = within(stolen.read_to_end(&mut got)).await;

    assert!(hers.is_err(), "one token, one circuit");
    assert_eq!(
        company.target.came(),
        1,
        "only the portal that was there before"
    );
    // A token is worth nothing the second time, and the portal that was running never noticed.
    let mut late = circuit(&company.address, token, Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(within(late.read_to_end(&mut got)).await.unwrap_or(0), 0);
    echoes(&mut running).await;
    drop(running);
    within(company.target.idle()).await;
    ana.shutdown().await;
    company.end().await;
}
