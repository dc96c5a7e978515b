//! A service to connect to: echoes, says goodbye after the other side has finished, and remembers every byte that reached it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_proto::names::HubAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Target {
    pub(crate) address: HubAddress,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Inner {
    here: AtomicUsize,
    /// What each visitor said, in order of arrival.
    heard: Mutex<Vec<Vec<u8>>>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let inner = Arc::<Inner>::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            accepting,
        }
    }

    /// How many connections there ever were.
    pub(crate) fn came(&self) -> usize {
        self.inner.heard.lock().unwrap().len()
    }

    /// What was said by all who came after the first `visitors`.
    pub(crate) fn heard_since(&self, visitors: usize) -> Vec<Vec<u8>> {
        self.inner.heard.lock().unwrap()[visitors..].to_vec()
    }

    /// Once nobody is connected.
    pub(crate) async fn idle(&self) {
        while self.inner.here.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        inner.here.fetch_add(1, Ordering::SeqCst);
        let visitor = {
            let mut heard = inner.heard.lock().unwrap();
            heard.push(Vec::new());
            heard.len() - 1
        };
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            let _ = echo(tcp, &inner, visitor).await;
            inner.here.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn echo(mut tcp: TcpStream, inner: &Inner, visitor: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tcp.read(&mut buffer).await?;
        if read == 0 {
            tcp.write_all(b"goodbye").await?;
            return tcp.shutdown().await;
        }
        inner.heard.lock().unwrap()[visitor].extend_from_slice(&buffer[..read]);
        tcp.write_all(&buffer[..read]).await?;
    }
}
