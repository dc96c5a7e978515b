//! The laptop for itself: its session, keyring, browser and notebook kernel work before Tidegate is on it.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tidegate_tests::laptop::Findings;
use tidegate_tests::warehouse::{DATABASE, FLIGHTS, LOGIN};
use tidegate_tests::{CertificateAuthority, Laptop, Provider, Site, Stage, Warehouse};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_laptop_has_a_screen_a_bus_a_keyring_and_a_browser_that_trusts_the_company() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let provider = Provider::start(&stage, &ca).await.unwrap();
    let laptop = Laptop::switch_on(&stage, &ca).await.unwrap();
    let pictures = stage.checkout().join("tests/out");

    let store = "printf hush | secret-tool store --label=try tidegate try && secret-tool lookup tidegate try";
    let secret = laptop
        .terminal("keyring", "sh", &["-c", store])
        .await
        .unwrap();
    laptop
        .picture(&pictures.join("laptop-empty.png"))
        .await
        .unwrap();
    let page = format!("{}/.well-known/openid-configuration", provider.issuer);
    let opened = laptop
        .program("open", "sh")
        .args(["-c", "\"$BROWSER\" \"$1\"", "open", &page])
        .start(&stage)
        .unwrap();
    let browser = laptop.browser().await.unwrap();
    let shown = browser.page().await.unwrap();

    assert_eq!(secret, "hush");
    assert_eq!(shown.url, page);
    assert!(
        shown.text.contains("authorization_endpoint"),
        "{}",
        shown.text
    );
    browser.let_go().await.unwrap();
    drop(opened);
    drop((laptop, provider));
    stage.close().unwrap();
}

/// A page on the laptop's loopback that takes the provider's answer, as the product will. Browsers connect more often than they ask.
fn callback(stage: &Stage, port: u16) -> Receiver<String> {
    let bind = move || TcpListener::bind(("127.0.0.1", port)).unwrap();
    let listener = match stage.ground().network() {
        Some(network) => network.inside(Site::Cafe, bind).unwrap(),
        None => bind(),
    };
    let (told, answers) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            std::thread::spawn(move || answer(stream, &told));
        }
    });
    answers
}

fn answer(mut stream: TcpStream, told: &Sender<String>) {
    let mut request = [0; 4096];
    let size = stream.read(&mut request).unwrap_or_default();
    let request = String::from_utf8_lossy(&request[..size])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let done =
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 22\r\n\r\nYou can close this tab";
    let back = "HTTP/1.1 303 See Other\r\nlocation: /done\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let page = if request.contains("/callback") {
        back
    } else {
        done
    };
    let _ = stream.write_all(page.as_bytes());
    if request.contains("/callback") {
        let _ = told.send(request);
    }
}

#[tokio::test]
async fn she_signs_in_at_the_provider_in_her_own_browser() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let provider = Provider::start(&stage, &ca).await.unwrap();
    let laptop = Laptop::switch_on(&stage, &ca).await.unwrap();
    let answer = callback(&stage, 28250);
    let page = format!(
        "{}/v1/authorize?client_id=0oatidegate&response_type=code&scope=openid%20groups%20offline_access&state=s&nonce=n\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A28250%2Fcallback&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        provider.issuer
    );

    let opened = laptop
        .program("open", "sh")
        .args(["-c", "\"$BROWSER\" \"$1\"", "open", &page])
        .start(&stage)
        .unwrap();
    let browser = laptop.browser().await.unwrap();
    let shown = browser.sign_in(&provider.ana, None).await.unwrap();

    assert_eq!(shown.text, "You can close this tab");
    let request = answer.recv_timeout(LIMIT).unwrap();
    assert!(
        request.contains("code=") && request.contains("state=s") && request.contains("iss="),
        "{request}"
    );
    browser.let_go().await.unwrap();
    drop((opened, laptop, provider));
    stage.close().unwrap();
}

/// What nobody but the stage can do: a plain hole from the laptop's loopback to the database.
fn hole(stage: &Arc<Stage>, to: SocketAddr) -> u16 {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = match stage.ground().network() {
        Some(network) => network.inside(Site::Cafe, bind).unwrap(),
        None => bind(),
    };
    let port = listener.local_addr().unwrap().port();
    let stage = Arc::downgrade(stage);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Some(stage) = stage.upgrade() else { return };
            let far = stage.ground().connect(Site::Private, to, LIMIT).unwrap();
            copy(near.try_clone().unwrap(), far.try_clone().unwrap());
            copy(far, near);
        }
    });
    port
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[tokio::test]
async fn the_notebook_finds_the_worst_month_when_it_talks_to_the_database_itself() {
    let stage = Stage::set().unwrap();
    let ca = CertificateAuthority::new("Acme test CA").unwrap();
    let warehouse = Warehouse::start(&stage, &ca).await.unwrap();
    let laptop = Laptop::switch_on(&stage, &ca).await.unwrap();
    let chart = stage.checkout().join("tests/out/chart-direct.png");
    let port = hole(&stage, warehouse.address);
    let password = &warehouse.password;
    let direct = format!("postgresql+psycopg://{LOGIN}:{password}@localhost:{port}/{DATABASE}");
    let notebook = laptop.notebook().unwrap();

    let without = laptop
        .run_notebook(&notebook, &chart)
        .await
        .unwrap_err()
        .to_string();
    let notebook = notebook.replace("postgresql+psycopg://localhost:15432/nycflights", &direct);
    let found = laptop.run_notebook(&notebook, &chart).await.unwrap();

    assert!(
        without.contains("Connection refused"),
        "nothing listens at 15432 yet: {without}"
    );
    assert_eq!(
        found,
        Findings {
            flights: FLIGHTS,
            worst_month: 7
        }
    );
    drop((laptop, warehouse));
    stage.close().unwrap();
}
