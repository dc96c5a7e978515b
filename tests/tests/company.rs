//! The company by its command line: keys, org, signature, hub and outlet, before any person is there.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tidegate_tests::company::Blueprint;
use tidegate_tests::{CertificateAuthority, Company, Provider, Stage, Warehouse};

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

    assert!(link.starts_with("tidegate://join?"), "{link}");
    started.unwrap();
    assert!(verdict.contains("\"whole\":true"), "{verdict}");
    company.stop().await.unwrap();
    drop((warehouse, provider));
    stage.close().unwrap();
}
