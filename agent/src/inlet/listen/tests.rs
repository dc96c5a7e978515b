//! Inlets with real sockets and an opener that never reaches an outlet.
//! What happens behind an open portal is the business of the circuit's tests and the stage.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;

use super::*;
use crate::inlet::bind::bind;

/// Counts who asks, and lets them wait until the door closes.
#[derive(Default)]
struct Waiting(AtomicUsize);

impl Opener for Waiting {
    fn open<'a>(
        &'a self,
        _: &'a ServiceName,
        _: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

struct Open {
    inlet: Inlet,
    port: u16,
    opener: Arc<Waiting>,
    ends: mpsc::Receiver<VisitEnd>,
}

async fn open(max_connections: usize) -> Open {
    let port = crate::testing::free_port();
    let opener = Arc::new(Waiting::default());
    let (ends, ended) = mpsc::channel(16);
    let parts = InletParts {
        service: "warehouse".parse().unwrap(),
        kind: ServiceKind::Tcp,
        opener: Arc::clone(&opener) as Arc<dyn Opener>,
        front: Arc::new(Front::new()),
        awaited: watch::channel(None).1,
        max_connections,
        ends,
    };
    Open {
        inlet: Inlet::start(bind(port).await.unwrap(), parts),
        port,
        opener,
        ends: ended,
    }
}

async fn call(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

#[tokio::test]
async fn closing_refuses_at_once_and_resets_who_is_inside() {
    let mut open = open(8).await;
    let mut inside = call(open.port).await;
    while open.opener.0.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let why = Problem::new(Code::DisconnectedByYou);

    open.inlet.close(why.clone()).await;

    let refused = TcpStream::connect(("127.0.0.1", open.port))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(
        inside.read(&mut [0; 1]).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    let why = why.service(&"warehouse".parse().unwrap());
    assert_eq!(open.ends.recv().await, Some(VisitEnd::Refused(why)));
    assert_eq!(open.ends.recv().await, None);
}

#[tokio::test]
async fn a_program_over_the_limit_is_told_and_the_others_stay() {
    let mut open = open(1).await;
    let _inside = call(open.port).await;
    let _second = call(open.port).await;

    let end = open.ends.recv().await.unwrap();

    let full = Problem::new(Code::TooManyConnections).service(&"warehouse".parse().unwrap());
    assert_eq!(end, VisitEnd::Refused(full));
    assert_eq!(open.opener.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nothing_is_opened_for_another_users_program() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can start a program as somebody else
    }
    let mut open = open(8).await;
    let mut foreign = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "bash",
            "-c",
        ])
        .arg(format!(
            "exec 3<>/dev/tcp/127.0.0.1/{}; read -r -u 3 _",
            open.port
        ))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    let end = open.ends.recv().await.unwrap();

    let problem = Problem::new(Code::ForeignProgram).service(&"warehouse".parse().unwrap());
    assert_eq!(end, VisitEnd::Refused(problem));
    assert_eq!(open.opener.0.load(Ordering::SeqCst), 0);
    assert!(
        !tokio::task::spawn_blocking(move || foreign.wait())
            .await
            .unwrap()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn a_dead_client_opens_nothing() {
    let open = open(8).await;

    // On this one thread the inlet cannot accept before the client has gone.
    drop(call(open.port).await);
    let _alive = call(open.port).await;
    while open.opener.0.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(open.opener.0.load(Ordering::SeqCst), 1);
}
