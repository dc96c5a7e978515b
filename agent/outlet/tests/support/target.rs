//! A service to connect to: echoes what it gets, answers after a half-close, and counts who came.
//! Real TCP on a real port.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_proto::names::HubAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Target {
    pub(crate) address: HubAddress,
    came: Arc<AtomicUsize>,
    here: Arc<AtomicUsize>,
    said: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let (came, here) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let said = Arc::<AtomicUsize>::default();
        let counts = (Arc::clone(&came), Arc::clone(&here), Arc::clone(&said));
        let accepting = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                counts.0.fetch_add(1, Ordering::SeqCst);
                counts.1.fetch_add(1, Ordering::SeqCst);
                let (here, said) = (Arc::clone(&counts.1), Arc::clone(&counts.2));
                tokio::spawn(async move {
                    let _ = echo(tcp, &said).await;
                    here.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            came,
            here,
            said,
            accepting,
        }
    }

    /// How many connections there ever were.
    pub(crate) fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    /// Once nobody is connected.
    pub(crate) async fn idle(&self) {
        while self.here.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Once a flood has filled every buffer on its way and stands still.
    pub(crate) async fn is_stuck(&self) {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let said = self.said.load(Ordering::SeqCst);
            if said > 0 && said == before {
                return;
            }
            before = said;
        }
    }

    /// Nobody listens there any more.
    pub(crate) async fn close(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

/// Echoes, and says goodbye after the other side has finished.
async fn echo(mut tcp: TcpStream, said: &AtomicUsize) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tcp.read(&mut buffer).await?;
        if read == 0 {
            tcp.write_all(b"goodbye").await?;
            return tcp.shutdown().await;
        }
        if buffer[..read].starts_with(b"flood") {
            return flood(tcp, said).await;
        }
        tcp.write_all(&buffer[..read]).await?;
    }
}

/// Says more than anybody reads, and listens to nothing.
async fn flood(mut tcp: TcpStream, said: &AtomicUsize) -> std::io::Result<()> {
    let (mut reading, mut writing) = tcp.split();
    let mut nowhere = tokio::io::sink();
    let talk = async {
        loop {
            writing.write_all(&[0; 16 * 1024]).await?;
            said.fetch_add(1, Ordering::SeqCst);
        }
    };
    tokio::select! {
        ended = talk => ended,
        ended = tokio::io::copy(&mut reading, &mut nowhere) => ended.map(drop),
    }
}
