//! Which key exchange a database took last: asking for another one first costs a round trip in each TLS handshake.
//! No session is ever kept for resumption: a stored ticket would outlive a CA that was taken away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls12Resumption,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

/// The only one that PostgreSQL up to 17 takes, unless its `ssl_ecdh_curve` says otherwise; later ones take it too.
const FIRST_GUESS: NamedGroup = NamedGroup::secp256r1;

/// What the database of one service took last.
#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<Option<(ServerName<'static>, NamedGroup)>>);

impl Groups {
    pub(super) fn without_sessions(self: Arc<Self>) -> Resumption {
        Resumption::store(self).tls12_resumption(Tls12Resumption::Disabled)
    }

    fn last(&self) -> MutexGuard<'_, Option<(ServerName<'static>, NamedGroup)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Groups {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        *self.last() = Some((name, group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        match &*self.last() {
            Some((of, group)) if of == name => Some(*group),
            _ => Some(FIRST_GUESS),
        }
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

    fn provider() -> rustls::crypto::CryptoProvider {
        rustls::crypto::aws_lc_rs::default_provider()
    }

    /// A server that takes only the curves of these names, and settings that trust it.
    fn server_and_client(
        takes: &[NamedGroup],
        groups: &Arc<Groups>,
    ) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let made = rcgen::generate_simple_self_signed(vec!["db".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut picky = provider();
        picky
            .kx_groups
            .retain(|group| takes.contains(&group.name()));
        let server = ServerConfig::builder_with_provider(Arc::new(picky))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Arc::clone(groups).without_sessions();
        (Arc::new(server), Arc::new(client))
    }

    /// Whole handshakes; gives how each went.
    fn kinds_of_handshakes(
        (server, client): (Arc<ServerConfig>, Arc<ClientConfig>),
        how_many: usize,
    ) -> Vec<rustls::HandshakeKind> {
        let once = |_| {
            let name = ServerName::try_from("db").unwrap();
            let mut asks = ClientConnection::new(Arc::clone(&client), name).unwrap();
            let mut answers = ServerConnection::new(Arc::clone(&server)).unwrap();
            while asks.is_handshaking() || answers.is_handshaking() || answers.wants_write() {
                let (mut there, mut back) = (Vec::new(), Vec::new());
                asks.write_tls(&mut there).unwrap();
                answers.read_tls(&mut there.as_slice()).unwrap();
                answers.process_new_packets().unwrap();
                answers.write_tls(&mut back).unwrap();
                asks.read_tls(&mut back.as_slice()).unwrap();
                asks.process_new_packets().unwrap();
            }
            asks.handshake_kind().unwrap()
        };
        (0..how_many).map(once).collect()
    }

    #[test]
    fn a_database_as_it_comes_is_never_asked_twice() {
        let groups = Arc::default();
        let database = server_and_client(&[NamedGroup::secp256r1], &groups);

        let went = kinds_of_handshakes(database, 2);

        assert_eq!(went, [rustls::HandshakeKind::Full; 2]);
    }

    #[test]
    fn a_database_that_wants_another_curve_is_asked_twice_once() {
        let groups = Arc::default();
        let database = server_and_client(&[NamedGroup::secp384r1], &groups);

        let went = kinds_of_handshakes(database, 3);

        let (again, full) = (
            rustls::HandshakeKind::FullWithHelloRetryRequest,
            rustls::HandshakeKind::Full,
        );
        assert_eq!(went, [again, full, full]);
    }
}
