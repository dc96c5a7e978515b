//! The same job without a window: join, sign in, connect and disconnect from a terminal.
//! Every part is real; only the browser is headless.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use tidegate_tests::company::{Blueprint, SERVICE, SERVICE_PORT};
use tidegate_tests::process::Signal;
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{CertificateAuthority, Company, Laptop, Provider, Stage, Warehouse};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn ana_reads_the_warehouse_from_a_terminal_until_she_presses_ctrl_c() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let provider = Provider::start(&stage, &ca).await.unwrap();
    let warehouse = Warehouse::start(&stage, &ca).await.unwrap();
    let company = Company::found(&stage, &Blueprint::new(&provider, &warehouse, &ca))
        .await
        .unwrap();
    let laptop = Laptop::switch_on(&stage, &ca).await.unwrap();
    let tidegate = stage.binary("tidegate").unwrap();
    let link = company.admin.ticket(&provider.ana).await.unwrap();
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");

    let joined = laptop.join(&link).await.unwrap();
    let mut connect = laptop
        .program("connect", &tidegate)
        .args(["connect", SERVICE])
        .start(&stage)
        .unwrap();
    let browser = laptop.browser().await.unwrap();
    let page = browser.sign_in(&provider.ana, None).await.unwrap();
    connect.says(&url, LIMIT).await.unwrap();
    let count = ["-X", "-A", "-t", "-c", "select count(*) from flights", &url];
    let flights = laptop.terminal("psql", "psql", &count).await.unwrap();
    let interrupted = Instant::now();
    connect.signal(Signal::INT).unwrap();
    let ended = connect.ended(Duration::from_secs(5)).await.unwrap();
    let after = laptop
        .terminal("psql-after", "psql", &count)
        .await
        .unwrap_err()
        .to_string();

    assert!(joined.starts_with("Joined acme at "), "{joined}");
    assert!(page.text.to_lowercase().contains("close"), "{}", page.text);
    assert_eq!(flights, "336776\n");
    assert!(
        ended.success() && interrupted.elapsed() < Duration::from_secs(5),
        "{ended}: {}",
        connect.stderr()
    );
    assert!(after.contains("Connection refused"), "{after}");
    assert!(
        company
            .outlet
            .verify_audit()
            .await
            .unwrap()
            .contains("\"open\":0"),
        "every record is closed"
    );
    browser.let_go().await.unwrap();
    drop((connect, laptop));
    company.stop().await.unwrap();
    drop((warehouse, provider));
    stage.close().unwrap();
}
