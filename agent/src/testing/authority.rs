//! A real authority on loopback, for what two devices do with each other: org, tickets, and its doors.
//! There is no relay behind it and no service in its catalogue: nothing is carried in these tests.

use std::sync::Arc;
use std::time::Duration;

use tidegate_authority::{Anchor, Authority, AuthorityConfig, AuthorityKeys};
use tidegate_link::{Doorstep, Preface, read_preface};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::names::HubAddress;
use tidegate_proto::statement::{
    AuthorityStatement, IdpStatement, JoinLink, JoinTicket, OrgBundle, RootStatement, Statement,
    TicketKind, TicketStatement,
};
use tidegate_proto::time::UnixTime;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Hand;
use super::org::{SUBJECT, name};

/// The agents' clock.
struct Wall(crate::Clock);

impl tidegate_authority::Clock for Wall {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

pub(crate) struct Headquarters {
    root: SigningKey,
    hand: Hand,
    address: HubAddress,
    authority: Arc<Authority>,
    closing: CancellationToken,
    server: JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Headquarters {
    pub(crate) async fn new(idp: IdpStatement, hand: Hand) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (root, now) = (SigningKey::generate(&SystemEntropy), hand.clock().now());
        let home = data.path().join("data");
        let public = AuthorityKeys::open_or_make(&home, &SystemEntropy)
            .unwrap()
            .public();
        let first = RootStatement {
            org: name(),
            key: root.verify_key(),
            number: 1,
        };
        let statement = AuthorityStatement {
            org: name(),
            key: public.key,
            noise: public.noise,
            not_before: now,
            not_after: now.plus(AuthorityStatement::LIFE),
            version: 1,
        };
        let bundle = OrgBundle {
            roots: vec![first.sign(&root)],
            root: root.verify_key(),
            authority: statement.sign(&root),
            idp: idp.sign(&root),
            services: Vec::new(),
            policies: Vec::new(),
        };
        let anchor = Anchor {
            org: name(),
            root: root.verify_key().peer_id(),
        };
        let config = AuthorityConfig { data: home, anchor };
        let clock = Arc::new(Wall(hand.clock()));
        let authority = Arc::new(Authority::open(config, bundle, clock).await.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let closing = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Arc::clone(&authority), closing.clone()));
        Self {
            root,
            hand,
            address,
            authority,
            closing,
            server,
            _data: data,
        }
    }

    /// A join link with a ticket for the person of these tests.
    pub(crate) fn link(&self) -> String {
        let key = SigningKey::generate(&SystemEntropy);
        let at = self.hand.clock().now();
        let ticket = TicketStatement {
            org: name(),
            kind: TicketKind::Device {
                sub: SUBJECT.parse().unwrap(),
            },
            key: key.verify_key(),
            at,
            not_after: at.plus(3600),
            id: key.verify_key().peer_id().to_string(),
            services: vec![],
        };
        let link = JoinLink {
            address: self.address.clone(),
            org: name(),
            root: self.root.verify_key().peer_id(),
            ticket: Some(JoinTicket {
                jws: ticket.sign(&self.root),
                key,
            }),
        };
        link.to_link().to_string()
    }

    pub(crate) async fn end(self) {
        self.authority.drain();
        self.closing.cancel();
        timeout(Duration::from_secs(5), self.server)
            .await
            .unwrap()
            .unwrap();
        Arc::into_inner(self.authority).unwrap().shutdown().await;
    }
}

async fn serve(listener: TcpListener, authority: Arc<Authority>, closing: CancellationToken) {
    let doorstep = Doorstep::new(64);
    let mut connections = JoinSet::new();
    while let Some(Ok((mut tcp, _))) = closing.run_until_cancelled(listener.accept()).await {
        let (authority, guest) = (Arc::clone(&authority), doorstep.enter());
        connections.spawn(async move {
            if let Ok(Preface::Api) = guest.within(read_preface(&mut tcp)).await {
                let _ = authority.serve_api(tcp, guest).await;
            }
        });
    }
    while connections.join_next().await.is_some() {}
}
