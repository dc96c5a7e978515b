//! The authority's signing key, or the provider's, in a thief's hands: each alone opens nothing.
//! Both together are the two legs of three that an authority could fake; the third, enrolment, is then its word (PROTOCOL section 1).

use tidegate_proto::{
    auth::{Auth, prove},
    problem::Code,
    statement::PassRole,
};

use crate::client::Device;
use crate::company::{Company, within};
use crate::laptop::{Said, handshake, present, relay_link};
use crate::papers::{minted, minted_pass};

#[tokio::test]
async fn the_authoritys_signing_key_alone_admits_nobody() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let stolen = company.stolen_hub_keys().signing;
    let link = relay_link(
        &company,
        minted_pass(&stolen, PassRole::Agent, ana.handle()),
    );
    let link = link.await.unwrap();
    // An insider: her own device, her own good sign-in, in no group that may.
    let eve = company.device("eve").await;
    let eves = company.token(&eve, "eve", &["sales"]);
    let other_provider = crate::provider::Provider::start().await;
    let forged = other_provider.sign(&eve.claims(
        &company.provider,
        "ana",
        &["data-science"],
        tidegate_link::now(),
    ));

    let mut said = Vec::new();
    for (sub, token) in [
        ("ana", &eves),
        ("ana", &ana.token),
        ("ana", &forged),
        ("eve", &ana.token),
    ] {
        let token_of_circuit = link.open(ana.handle()).await.unwrap();
        let outlet = company.outlet_keys.noise.public();
        let circuit = handshake(&company.address, token_of_circuit, "warehouse", outlet);
        let mut secure = circuit.await.unwrap();
        let auth = Auth {
            credential: minted(&stolen, sub, &eve.identity.verify_key()),
            id_token_0: token.clone(),
            rz: eve.rz,
            identity: eve.identity.verify_key(),
            signature: prove(&secure.hash, &eve.identity),
            ..ana.auth(&secure.hash)
        };
        said.push(present(&mut secure, &auth).await);
    }
    // As herself she is admitted, and forbidden all the same: groups come from the provider alone.
    let token = link.open(ana.handle()).await.unwrap();
    let outlet = company.outlet_keys.noise.public();
    let circuit = handshake(&company.address, token, "warehouse", outlet);
    let mut secure = circuit.await.unwrap();
    let auth = Auth {
        credential: minted(&stolen, "eve", &eve.identity.verify_key()),
        id_token_0: eves.clone(),
        rz: eve.rz,
        identity: eve.identity.verify_key(),
        signature: prove(&secure.hash, &eve.identity),
        ..ana.auth(&secure.hash)
    };
    let as_herself = present(&mut secure, &auth).await;

    for said in said {
        assert!(
            matches!(&said[..], [Said::Refused(code, ..), Said::Ended] if *code == Code::NotAdmitted.number()),
            "{said:?}"
        );
    }
    assert!(
        matches!(&as_herself[..], [Said::Admitted, Said::Refused(code, ..)] if *code == Code::NotAvailable.number()),
        "{as_herself:?}"
    );
    company.nothing_opened();
    drop(secure);
    within(link.shutdown()).await;
    ana.shutdown().await;
    company.end().await;
}

#[tokio::test]
async fn the_providers_signing_key_alone_admits_no_device_that_was_never_enrolled() {
    let company = Company::start().await;
    let ana = company.ana().await;
    let (thief, bobs) = (Device::new(), company.device("bob").await);

    // With the provider's own key anything can be said of anybody; only the device cannot be made up.
    let never = company.token(&thief, "ana", &["data-science", "ops"]);
    let never = company.api().await.credential(&thief, &never).await;
    let anothers = company.token(&bobs, "ana", &["data-science", "ops"]);
    let anothers = company.api().await.credential(&bobs, &anothers).await;

    assert_eq!(
        never.err().map(|(_, code)| code),
        Some(Code::NotEnrolled.number())
    );
    assert_eq!(
        anothers.err().map(|(_, code)| code),
        Some(Code::WrongAccount.number())
    );
    // Without the authority's word the outlet does not want it either.
    let mut secure = ana.handshake().await.unwrap();
    let auth = Auth {
        credential: minted(&thief.identity, "ana", &thief.identity.verify_key()),
        id_token_0: company.token(&thief, "ana", &["data-science"]),
        rz: thief.rz,
        identity: thief.identity.verify_key(),
        signature: prove(&secure.hash, &thief.identity),
        ..ana.auth(&secure.hash)
    };
    let said = present(&mut secure, &auth).await;
    assert!(
        matches!(&said[..], [Said::Refused(..), Said::Ended]),
        "{said:?}"
    );
    company.nothing_opened();
    ana.shutdown().await;
    company.end().await;
}
