//! rustls, as one end.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    time_provider::TimeProvider,
    version::TLS13,
};
use rustls_pki_types::{ServerName, UnixTime};

use crate::{
    material::{NAME, NOW},
    meter::Meter,
    peer::{Peer, Pipe, Wire, shake_hands},
    scenario::Scenario,
};

struct End(Connection);

impl Peer for End {
    fn advance(&mut self, incoming: &mut Pipe, outgoing: &mut Pipe) -> bool {
        let Self(connection) = self;
        loop {
            while connection.wants_write() {
                connection.write_tls(outgoing).expect("memory");
            }
            if !connection.is_handshaking() {
                return true;
            }
            if incoming.waiting().is_empty() {
                return false;
            }
            connection.read_tls(incoming).expect("memory");
            connection.process_new_packets().expect("a handshake");
        }
    }
}

/// How many bytes a connection is, without its heap.
pub const SIZE: usize = size_of::<ClientConnection>();

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

/// Everything that handshakes have in common.
pub struct Theirs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Theirs {
    pub fn new(scenario: &Scenario) -> Self {
        let ring = rustls::crypto::ring::default_provider();
        let suites = vec![rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let (x25519, p256) =
            (rustls::crypto::ring::kx_group::X25519, rustls::crypto::ring::kx_group::SECP256R1);
        let offered = if scenario.retry { vec![p256, x25519] } else { vec![x25519] };
        let client = CryptoProvider { cipher_suites: suites.clone(), kx_groups: offered, ..ring.clone() };
        let server = CryptoProvider { cipher_suites: suites, kx_groups: vec![x25519], ..ring };
        Self::with(scenario, client, server)
    }

    /// X25519MLKEM768, which rustls has from aws-lc-rs.
    #[cfg(feature = "post-quantum")]
    pub fn post_quantum(scenario: &Scenario) -> Self {
        use rustls::crypto::aws_lc_rs;
        let provider = CryptoProvider {
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
            ..aws_lc_rs::default_provider()
        };
        Self::with(scenario, provider.clone(), provider)
    }

    fn with(scenario: &Scenario, client: CryptoProvider, server: CryptoProvider) -> Self {
        let (client, server) = (Arc::new(client), Arc::new(server));
        let certificates = &scenario.certificates;
        let mut roots = RootCertStore::empty();
        roots.add(certificates.server.authority()).expect("an authority");
        let roots = Arc::new(roots);

        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&client));
        let builder = ClientConfig::builder_with_details(client, Arc::new(Fixed))
            .with_protocol_versions(&[&TLS13])
            .expect("a version")
            .with_webpki_verifier(verifier.build().expect("a verifier"));
        let ours = &certificates.client;
        let mut client = match scenario.mutual {
            true => {
                builder.with_client_auth_cert(ours.certificates(), ours.key().into()).expect("a certificate")
            }
            false => builder.with_no_client_auth(),
        };
        client.resumption = Resumption::disabled();

        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&server));
        let builder = ServerConfig::builder_with_details(server, Arc::new(Fixed))
            .with_protocol_versions(&[&TLS13])
            .expect("a version");
        let builder = match scenario.mutual {
            true => builder.with_client_cert_verifier(verifier.build().expect("a verifier")),
            false => builder.with_no_client_auth(),
        };
        let ours = &certificates.server;
        let mut server =
            builder.with_single_cert(ours.certificates(), ours.key().into()).expect("a certificate");
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        Self { client: Arc::new(client), server: Arc::new(server) }
    }

    pub fn shake_hands(&self, wire: &mut Wire, meter: &mut impl Meter) {
        let name = ServerName::try_from(NAME).expect("a name");
        shake_hands(
            || {
                let connection = ClientConnection::new(Arc::clone(&self.client), name);
                End(connection.expect("it begins").into())
            },
            || End(ServerConnection::new(Arc::clone(&self.server)).expect("it begins").into()),
            wire,
            meter,
        );
    }
}
