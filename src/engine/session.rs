//! The outcome of a handshake: exactly what kTLS needs, and who the peer is.

use alloc::{string::String, vec::Vec};

use super::authentication::VerifiedFinished;
use crate::crypto::{
    key_schedule::{ExporterSecret, TrafficSecret},
    kx::NamedGroup,
    signature_scheme::SignatureScheme,
    suite::CipherSuite,
};

/// Which end of a connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that sent the ClientHello.
    Client,
    /// The end that sent the ServerHello.
    Server,
}

/// One direction of traffic.
#[derive(Debug)]
pub struct Direction {
    /// `[sender]_application_traffic_secret_0`
    pub secret: TrafficSecret,
    /// The sequence number of the next record.
    pub next_sequence: u64,
}

/// Who the peer proved to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Nobody: a client without a certificate.
    Anonymous,
    /// A holder of this PSK.
    Psk {
        /// The identity that was selected.
        identity: Vec<u8>,
        /// On a client its index in `ClientConfig::psks`, on a server its index among those that the client offered.
        index: usize,
    },
    /// The subject of a certificate that was verified.
    Certificate {
        /// The certificates in DER as they were sent, the end entity's first.
        chain: Vec<Vec<u8>>,
    },
}

/// A finished handshake.
#[derive(Debug)]
pub struct Session {
    /// Which end we are.
    pub role: Role,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The group of the key exchange.
    pub group: NamedGroup,
    /// What we send.
    pub tx: Direction,
    /// What we receive.
    pub rx: Direction,
    /// The peer's identity.
    pub peer: Peer,
    /// The application protocol selected, if any.
    pub alpn: Option<Vec<u8>>,
    /// On a server: the name that the client asked for.
    pub server_name: Option<String>,
    /// The longest record we accept, content type included, if it was negotiated (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// The longest record the peer accepts, content type included, if it was negotiated (RFC 8449).
    pub peer_record_size_limit: Option<u16>,
    /// The scheme of the peer's CertificateVerify, if it sent one.
    pub signature_scheme: Option<SignatureScheme>,
    /// Whether there was a HelloRetryRequest.
    pub hello_retry: bool,
    /// Exports keying material (RFC 8446, Section 7.5).
    pub exporter: ExporterSecret,
}

/// What a handshake learned before its end.
#[derive(Debug)]
pub(crate) struct Negotiated {
    pub(crate) suite: CipherSuite,
    pub(crate) group: NamedGroup,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) server_name: Option<String>,
    /// Ours, the peer's.
    pub(crate) record_size_limits: Option<(u16, u16)>,
    pub(crate) hello_retry: bool,
}

/// The secrets of application data.
#[derive(Debug)]
pub(crate) struct ApplicationSecrets {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
    pub(crate) exporter: ExporterSecret,
}

impl Session {
    pub(super) fn new(
        _proof: VerifiedFinished,
        role: Role,
        negotiated: Negotiated,
        secrets: ApplicationSecrets,
        peer: Peer,
        signature_scheme: Option<SignatureScheme>,
    ) -> Self {
        let Negotiated { suite, group, alpn, server_name, record_size_limits, hello_retry } = negotiated;
        let ApplicationSecrets { client, server, exporter } = secrets;
        let (tx, rx) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Self {
            role,
            suite,
            group,
            tx: Direction { secret: tx, next_sequence: 0 },
            rx: Direction { secret: rx, next_sequence: 0 },
            peer,
            alpn,
            server_name,
            record_size_limit: record_size_limits.map(|(ours, _)| ours),
            peer_record_size_limit: record_size_limits.map(|(_, peers)| peers),
            signature_scheme,
            hello_retry,
            exporter,
        }
    }
}
