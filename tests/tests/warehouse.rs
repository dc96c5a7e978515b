//! The database and the provider of the scene, each for itself: real, strict, and as the notebook expects them.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tidegate_tests::warehouse::{DATABASE, LOGIN};
use tidegate_tests::{CertificateAuthority, Program, Provider, Site, Stage, User, Warehouse};

const LIMIT: Duration = Duration::from_secs(30);

fn psql(name: &str, warehouse: &Warehouse, how: &str, password: &str, query: &str) -> Program {
    let (host, ip, port) = (
        &warehouse.host,
        warehouse.address.ip(),
        warehouse.address.port(),
    );
    let target =
        format!("host={host} hostaddr={ip} port={port} user={LOGIN} dbname={DATABASE} {how}");
    Program::new(name, Site::Private, User::Outlet, "psql")
        .args(["-X", "-A", "-t", "-c", query, &target])
        .env("PGPASSWORD", password)
}

#[tokio::test]
async fn the_warehouse_has_the_flights_and_lets_nobody_in_without_scram_and_tls() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let warehouse = Warehouse::start(&stage, &ca).await.unwrap();
    let trusted = stage.run().home(User::Outlet).join("ca.pem");
    stage
        .run()
        .private_file(User::Outlet, &trusted, ca.pem())
        .unwrap();
    let full = format!("sslmode=verify-full sslrootcert={}", trusted.display());

    let facts = "select count(*) from flights; select count(*) from weather where wind_gust is null; \
                 select count(*) from pg_constraint where contype in ('p', 'f') and connamespace = 'public'::regnamespace; \
                 select (select count(*) from airlines), (select count(*) from airports), (select count(*) from planes), (select count(*) from weather); \
                 select string_agg(distinct table_name || ' ' || data_type, ', ' order by table_name || ' ' || data_type) \
                 from information_schema.columns where table_schema = 'public'";
    let answer = psql("facts", &warehouse, &full, &warehouse.password, facts)
        .output(&stage, LIMIT)
        .await
        .unwrap();
    let written = psql(
        "write",
        &warehouse,
        &full,
        &warehouse.password,
        "delete from flights",
    );
    let wrong = psql("wrong", &warehouse, &full, "guess", "select 1");
    let clear = psql(
        "clear",
        &warehouse,
        "sslmode=disable",
        &warehouse.password,
        "select 1",
    );

    let types = "airlines text, airports double precision, airports integer, airports smallint, airports text, \
                 flights integer, flights smallint, flights text, flights timestamp with time zone, \
                 planes smallint, planes text, \
                 weather double precision, weather smallint, weather text, weather timestamp with time zone";
    assert_eq!(
        answer,
        format!("336776\n20778\n8\n16|1458|3322|26115\n{types}\n")
    );
    let refusal = |result: Result<String, tidegate_tests::Trouble>| result.unwrap_err().to_string();
    assert!(refusal(written.output(&stage, LIMIT).await).contains("permission denied"));
    assert!(refusal(wrong.output(&stage, LIMIT).await).contains("password authentication failed"));
    assert!(refusal(clear.output(&stage, LIMIT).await).contains("no encryption"));
    warehouse.stop().await.unwrap();
    stage.close().unwrap();
}

#[tokio::test]
async fn the_provider_answers_from_the_cafe_under_the_stages_certificate() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let provider = Provider::start(&stage, &ca).await.unwrap();
    let trusted = stage.run().home(User::Analyst).join("ca.pem");
    stage
        .run()
        .private_file(User::Analyst, &trusted, ca.pem())
        .unwrap();
    let fetch = |name: &str| {
        let page = format!("{}/.well-known/openid-configuration", provider.issuer);
        Program::new(name, Site::Cafe, User::Analyst, "curl").args(["-sS", &page])
    };

    let untrusted = fetch("untrusted").output(&stage, LIMIT).await;
    let page = fetch("trusted")
        .arg("--cacert")
        .arg(&trusted)
        .output(&stage, LIMIT)
        .await
        .unwrap();

    assert!(untrusted.unwrap_err().to_string().contains("certificate"));
    let settings: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!(settings["issuer"], provider.issuer);
    assert_eq!(
        settings["token_endpoint"],
        format!("{}/v1/token", provider.issuer)
    );
    assert!(provider.rotate_keys(true).is_ok());
    drop(provider);
    stage.close().unwrap();
}
