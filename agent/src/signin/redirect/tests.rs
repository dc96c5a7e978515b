//! The redirect listener against everything that is not a browser coming back.
//! Real sockets; no sleep, the listener answers each request.
#![allow(clippy::unwrap_used)]

use super::*;

const ISSUER: &str = "https://idp.example/oauth2/default";

async fn listening() -> (Answering, u16) {
    listening_on(&Porch::default()).await
}

async fn listening_on(porch: &Porch) -> (Answering, u16) {
    let redirect = Redirect::bind(&[0], porch.enter().await).await.unwrap();
    let port = redirect.port;
    (
        redirect.answer(Zeroizing::new("right-state".into()), ISSUER.into()),
        port,
    )
}

async fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    // The listener may hang up before it has read all of a bad request.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(port: u16, target: &str) -> String {
    raw(
        port,
        &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
    )
    .await
}

fn code(callback: Option<Callback>) -> String {
    match callback {
        Some(Callback::Code(code)) => code.to_string(),
        Some(Callback::Error(error)) => panic!("{error}"),
        None => panic!("nothing was caught"),
    }
}

#[tokio::test]
async fn takes_the_code_once_and_sends_the_browser_to_a_page_without_it() {
    let (mut answering, port) = listening().await;

    let first = get(port, "/callback?code=the-code&state=right-state").await;
    let second = get(port, "/callback?code=another&state=right-state").await;

    assert!(first.starts_with("HTTP/1.1 303 "));
    assert!(first.contains("\r\nLocation: /done\r\n"));
    assert!(
        first.contains("Cache-Control: no-store") && first.contains("Referrer-Policy: no-referrer")
    );
    assert!(!first.contains("the-code"));
    assert!(second.starts_with("HTTP/1.1 410 "));
    assert_eq!(code(answering.callback().await), "the-code");
}

#[tokio::test]
async fn the_tab_learns_what_happened_and_the_port_closes() {
    let (answering, port) = listening().await;
    get(port, "/callback?code=c&state=right-state").await;
    let tab = tokio::spawn(async move { get(port, "/done").await });

    answering
        .finish(Page::failed("Sign-in failed", "because", "do this"))
        .await;

    let page = tab.await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 "));
    assert!(page.contains("Sign-in failed") && page.contains("close this tab"));
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn nothing_but_the_right_answer_ends_the_wait() {
    let (mut answering, port) = listening().await;
    let elsewhere = format!(
        "GET /callback?code=x&state=right-state HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"
    );
    let post = format!(
        "POST /callback?code=x&state=right-state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"
    );
    let huge = format!(
        "GET /callback?code={} HTTP/1.1\r\n",
        "x".repeat(2 * MAX_HEAD)
    );

    assert!(raw(port, &elsewhere).await.starts_with("HTTP/1.1 421 "));
    assert!(raw(port, &post).await.starts_with("HTTP/1.1 405 "));
    assert_eq!(raw(port, &huge).await, "");
    for bad in [
        "/callback?code=x&state=wrong-state",
        "/callback?code=x&state=right-stat",
        "/callback?code=x&state=",
        "/callback?code=x",
        "/callback?error=access_denied",
        "/callback?state=right-state",
        "/callback?code=x&error=y&state=right-state",
        "/callback?code=x&state=right-state&iss=https%3A%2F%2Fidp.example",
        "/callback?code=x&code=y&state=right-state",
    ] {
        assert!(get(port, bad).await.starts_with("HTTP/1.1 400 "), "{bad}");
    }
    assert!(get(port, "/favicon.ico").await.starts_with("HTTP/1.1 404 "));
    assert!(get(port, "/done").await.starts_with("HTTP/1.1 404 "));
    let iss = "https%3A%2F%2Fidp.example%2Foauth2%2Fdefault";
    get(
        port,
        &format!("/callback?code=good&state=right-state&iss={iss}"),
    )
    .await;

    assert_eq!(code(answering.callback().await), "good");
}

#[tokio::test]
async fn an_error_with_our_state_is_an_answer() {
    let (mut answering, port) = listening().await;

    get(
        port,
        "/callback?error=access_denied&error_description=no&state=right-state",
    )
    .await;

    assert!(matches!(answering.callback().await, Some(Callback::Error(e)) if e == "access_denied"));
}

#[tokio::test]
async fn idle_connections_do_not_keep_the_browser_out() {
    let (mut answering, port) = listening().await;
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS - 1 {
        idle.push(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .unwrap(),
        );
    }

    get(port, "/callback?code=c&state=right-state").await;

    assert_eq!(code(answering.callback().await), "c");
}

#[tokio::test]
async fn takes_the_first_free_port_and_names_who_holds_the_others() {
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = first.local_addr().unwrap().port();
    let second = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = second.local_addr().unwrap().port();

    let place = async || Porch::default().enter().await;

    let error = Redirect::bind(&[taken, free], place().await)
        .await
        .err()
        .unwrap();
    drop(second);
    let redirect = Redirect::bind(&[taken, free], place().await)
        .await
        .ok()
        .unwrap();

    assert_eq!(error.0.len(), 2);
    assert!(error.0.iter().all(|(_, holder)| {
        holder
            .as_ref()
            .is_some_and(|h| h.pid == Some(std::process::id()))
    }));
    assert_eq!(redirect.uri(), format!("http://127.0.0.1:{free}/callback"));
}

#[tokio::test]
async fn dropping_it_closes_the_port() {
    let (answering, port) = listening().await;

    drop(answering);
    tokio::task::yield_now().await;

    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
    );
}
