//! The flows that the properties are tested on.

use std::sync::Arc;

use handclasp::{
    crypto::{certificate::CertificateVerifier, hash::Hash},
    engine::{
        Psk,
        config::{ClientAuthentication, ClientConfig, ServerConfig},
    },
};

use super::{End, Identity, client_config, keys::Secrets, seeded, server_config};

/// One way to shake hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A server with a certificate.
    Certificate,
    /// Both with a certificate.
    ClientCertificate,
    /// A certificate, after a HelloRetryRequest with a cookie.
    HelloRetry,
    /// An external PSK, the second of two.
    Psk,
    /// An external PSK, after a HelloRetryRequest.
    PskHelloRetry,
}

impl Flow {
    pub(crate) const ALL: [Self; 5] =
        [Self::Certificate, Self::ClientCertificate, Self::HelloRetry, Self::Psk, Self::PskHelloRetry];

    pub(crate) fn is_psk(self) -> bool {
        matches!(self, Self::Psk | Self::PskHelloRetry)
    }

    pub(crate) fn retries(self) -> bool {
        matches!(self, Self::HelloRetry | Self::PskHelloRetry)
    }
}

/// Those who take part, and the secrets of their last handshake.
pub(crate) struct Cast {
    server: Identity,
    client: Identity,
    pub(crate) log: Arc<Secrets>,
    /// Who judges certificates instead of those who know them.
    pub(crate) verifier: Option<Arc<dyn CertificateVerifier>>,
}

/// The one that the server knows is bound to SHA-256.
fn psk(identity: &[u8]) -> Psk {
    let hash = if identity == b"known" { Hash::Sha256 } else { Hash::Sha384 };
    Psk::external(identity, &[7; 32], hash).unwrap()
}

impl Cast {
    pub(crate) fn new() -> Self {
        let [server, client] = ["server", "client"].map(seeded::identity);
        Self { server, client, log: Arc::default(), verifier: None }
    }

    /// Both ends at the start of a flow; the same seed gives the same bytes.
    pub(crate) fn ends(&self, flow: Flow, seed: u64) -> (End<'_>, End<'_>) {
        self.logging_ends(flow, seed, [Arc::default(), self.log.clone()])
    }

    /// The same, each with a key log of its own.
    pub(crate) fn logging_ends(
        &self,
        flow: Flow,
        seed: u64,
        [client_log, server_log]: [Arc<Secrets>; 2],
    ) -> (End<'_>, End<'_>) {
        let (mut ours, mut theirs) = (client_config(&self.server), server_config(&self.server));
        if flow.is_psk() {
            ours = ClientConfig { psks: vec![psk(b"other"), psk(b"known")], ..ClientConfig::default() };
            theirs = ServerConfig { psk: true, ..ServerConfig::default() };
        }
        ours.alpn = vec![b"sunrpc".into()];
        theirs.alpn = ours.alpn.clone();
        (ours.record_size_limit, theirs.record_size_limit) = (Some(16385), Some(16385));
        theirs.hello_retry_cookie = true;
        ours.key_log = Some(client_log);
        theirs.key_log = Some(server_log);
        if flow.retries() {
            ours.key_shares = Some(vec![]);
        }
        if flow == Flow::ClientCertificate {
            ours.credentials = vec![self.client.credential.clone()];
            theirs.client_authentication = ClientAuthentication::Required;
            theirs.verifier = Some(self.client.pinned.clone());
        }
        if let Some(verifier) = &self.verifier {
            ours.verifier = Some(verifier.clone());
            theirs.verifier = Some(verifier.clone());
        }
        let client = seeded::client(ours, Some(&self.client.key), seed);
        let server = seeded::server(theirs, Some(&self.server.key), seed.wrapping_add(1 << 32));
        (client, server.with_psk(|identity| (identity == b"known").then(|| psk(identity))))
    }
}
