//! The company by its command line: keys, org, signature, hub and outlet, before any person is there.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use tidegate_tests::company::Blueprint;
use tidegate_tests::{
    CertificateAuthority, Company, Outcome, Program, Provider, Site, Stage, User, Warehouse,
};

#[tokio::test]
async fn an_administrator_founds_a_company_and_its_outlet_comes_up_behind_the_firewall() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let provider = Provider::start(&stage, &ca).await.unwrap();
    let warehouse = Warehouse::start(&stage, &ca).await.unwrap();

    let company = Company::found(&stage, &Blueprint::new(&provider, &warehouse, &ca))
        .await
        .unwrap();
    let link = company.admin.ticket(&provider.ana).await.unwrap();
    let started = company
        .outlet
        .event("start", Duration::from_secs(5), |event| {
            event["what"]["kind"] == "started"
        })
        .await;
    let verdict = company.outlet.verify_audit().await.unwrap();
    let root_key = [
        reads_the_root_key(&stage, Site::Internet, User::Admin).await,
        reads_the_root_key(&stage, Site::Internet, User::Hub).await,
        reads_the_root_key(&stage, Site::Private, User::Outlet).await,
        reads_the_root_key(&stage, Site::Cafe, User::Analyst).await,
    ];

    assert!(link.starts_with("tidegate://join?"), "{link}");
    started.unwrap();
    assert!(verdict.contains("\"whole\":true"), "{verdict}");
    only_its_owner_did(&stage, root_key);
    company.stop().await.unwrap();
    drop((warehouse, provider));
    stage.close().unwrap();
}

/// What `user` gets to see of the org root key's file, by the program that anybody has.
async fn reads_the_root_key(stage: &Arc<Stage>, site: Site, user: User) -> Outcome<String> {
    let file = stage.run().home(User::Admin).join("org/root.age");
    Program::new(&format!("cat-{}", user.name()), site, user, "cat")
        .arg(file)
        .output(stage, Duration::from_secs(5))
        .await
}

/// The first, who is the administrator, so that the others' failures are about who they are.
fn only_its_owner_did(stage: &Stage, said: [Outcome<String>; 4]) {
    let [owner, strangers @ ..] = said;
    assert!(
        owner.unwrap().contains("age-encryption.org"),
        "the administrator cannot read her own file"
    );
    if stage.run().real_uid(User::Admin).is_none() {
        println!(
            "not shown: everybody is one user on this machine, who may read the root key's file"
        );
        return;
    }
    for stranger in strangers {
        let trouble = stranger
            .expect_err("a stranger read the org root key")
            .to_string();
        assert!(trouble.contains("Permission denied"), "{trouble}");
    }
}
