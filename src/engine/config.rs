//! What a handshake is allowed and what it has to offer: shared by many handshakes, holding no private key.

use alloc::{sync::Arc, vec, vec::Vec};
use core::fmt;

use super::{
    alert::AlertDescription, error::ConfigError, glimpse::Glimpse, message::RECORD_SIZE_LIMITS, psk::Psk,
};
use crate::crypto::{
    certificate::{CertificateVerifier, ServerName},
    kx::NamedGroup,
    public_key::KeyAlgorithm,
    signature_scheme::SignatureScheme,
    suite::CipherSuite,
};

/// A certificate chain, and the schemes in which the holder of its key signs.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The certificates in DER, the end entity's first.
    pub chain: Vec<Vec<u8>>,
    /// The schemes, the preferred one first.
    pub schemes: Vec<SignatureScheme>,
    /// The issuers of the chain, as distinguished names in DER, to find it by a peer's certificate_authorities; may be empty.
    pub issuers: Vec<Vec<u8>>,
    /// Whether a peer that names none of `issuers` never sees it.
    pub issuer_required: bool,
}

impl Credential {
    /// A chain whose end entity has a key of this kind.
    pub fn new(chain: Vec<Vec<u8>>, algorithm: KeyAlgorithm) -> Self {
        Self { chain, schemes: algorithm.schemes().into(), issuers: vec![], issuer_required: false }
    }
}

/// Receives the secrets of a handshake, for debugging with a capture; it undoes all protection.
pub trait KeyLog: Send + Sync + fmt::Debug {
    /// Takes one secret under its NSS label ("CLIENT_TRAFFIC_SECRET_0", ...).
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);
}

/// Which way something passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the peer.
    Sent,
    /// From the peer.
    Received,
}

/// Watches a handshake's messages pass, for debugging and for learning; it sees no secret.
pub trait Trace: Send + Sync + fmt::Debug {
    /// A handshake message.
    fn message(&self, way: Way, message: &Glimpse<'_>);

    /// An alert.
    fn alert(&self, way: Way, alert: AlertDescription);
}

/// What a client offers and demands.
#[derive(Debug)]
pub struct ClientConfig {
    /// Cipher suites in order of preference.
    pub suites: Vec<CipherSuite>,
    /// Groups in order of preference.
    pub groups: Vec<NamedGroup>,
    /// The groups that get a key share in the first ClientHello, each one of `groups`; none asks for a HelloRetryRequest. `None`: the
    /// first, and with a hybrid the X25519 share that is in it anyway.
    pub key_shares: Option<Vec<NamedGroup>>,
    /// The name that the server's certificate must prove; a DNS name is sent as server_name. `None` only with PSKs.
    pub server_name: Option<ServerName>,
    /// Verifies the server's certificate; `None`: only a PSK authenticates.
    pub verifier: Option<Arc<dyn CertificateVerifier>>,
    /// Schemes in which the server may prove its key, in order of preference; those of its certificates are the verifier's to judge.
    pub signature_schemes: Vec<SignatureScheme>,
    /// Certificates to answer a CertificateRequest with, in order of preference.
    pub credentials: Vec<Credential>,
    /// Whether to end the handshake if a server asks for a certificate and none of `credentials` will do. Otherwise it gets an empty
    /// one, and may go on with a client that it does not know.
    pub certificate_required: bool,
    /// PSKs, offered in this order.
    pub psks: Vec<Psk>,
    /// Application protocols in order of preference.
    pub alpn: Vec<Vec<u8>>,
    /// Whether to refuse a server that selects none of them.
    pub alpn_required: bool,
    /// The longest record to accept, content type included (RFC 8449); `None`: the extension is not sent.
    pub record_size_limit: Option<u16>,
    /// Middlebox compatibility mode (RFC 8446, Section D.4).
    pub middlebox_compatibility: bool,
    /// Where secrets are logged to; `None` nearly always.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// Who watches messages pass; `None` nearly always.
    pub trace: Option<Arc<dyn Trace>>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            suites: CipherSuite::ALL.into(),
            groups: NamedGroup::ALL.into(),
            key_shares: None,
            server_name: None,
            verifier: None,
            signature_schemes: SignatureScheme::HANDSHAKE.into(),
            credentials: vec![],
            certificate_required: false,
            psks: vec![],
            alpn: vec![],
            alpn_required: false,
            record_size_limit: None,
            middlebox_compatibility: true,
            key_log: None,
            trace: None,
        }
    }
}

impl ClientConfig {
    /// The groups of the first ClientHello's key shares, in the order of `groups` (RFC 8446, Section 4.2.8).
    pub(crate) fn offered_shares(&self) -> Vec<NamedGroup> {
        let first = self.groups.first();
        let is_offered = |group: &NamedGroup| match &self.key_shares {
            Some(wanted) => wanted.contains(group),
            None => first == Some(group) || first.and_then(|first| first.part()) == Some(*group),
        };
        self.groups.iter().copied().filter(is_offered).collect()
    }

    /// The name for server_name: a DNS name, and only when certificates are verified.
    pub(crate) fn server_name_to_send(&self) -> Option<&str> {
        match (&self.server_name, &self.verifier) {
            (Some(ServerName::Dns(name)), Some(_)) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_suites_and_groups(&self.suites, &self.groups)?;
        if self.key_shares.iter().flatten().any(|group| !self.groups.contains(group)) {
            return Err(ConfigError::Groups);
        }
        check_schemes(&self.signature_schemes)?;
        check_offer(&self.credentials, (&self.alpn, self.alpn_required), self.record_size_limit)?;
        let has_suite = |psk: &Psk| self.suites.iter().any(|suite| suite.hash() == psk.hash());
        if !self.psks.iter().all(has_suite) {
            return Err(ConfigError::NoSuites);
        }
        match &self.server_name {
            Some(name) if !name.is_canonical() => Err(ConfigError::ServerName),
            None if self.verifier.is_some() => Err(ConfigError::NoAuthentication),
            _ if self.psks.is_empty() && self.verifier.is_none() => Err(ConfigError::NoAuthentication),
            _ => Ok(()),
        }
    }
}

/// Whether a server asks for a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// It does not.
    None,
    /// It does, and goes on without one; a certificate that does not verify still ends the handshake.
    Optional,
    /// It does, and ends the handshake without one.
    Required,
}

/// What a server accepts and demands.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Cipher suites in order of preference; the server's preference decides.
    pub suites: Vec<CipherSuite>,
    /// Groups in order of preference: the first that the client supports is taken, at the price of a HelloRetryRequest if need be.
    pub groups: Vec<NamedGroup>,
    /// Certificates in order of preference; empty: only PSKs.
    pub credentials: Vec<Credential>,
    /// Whether to look for the PSKs that a client offers (`Step::FindPsk`).
    pub psk: bool,
    /// Whether to ask for a client's certificate; never done under a PSK, so that a client with one gets past `Required`.
    pub client_authentication: ClientAuthentication,
    /// Verifies a client's certificate.
    pub verifier: Option<Arc<dyn CertificateVerifier>>,
    /// Schemes in which a client may prove its key, in order of preference; those of its certificates are the verifier's to judge.
    pub signature_schemes: Vec<SignatureScheme>,
    /// Application protocols in order of preference. A client that offers only others is refused, one that offers none never is;
    /// empty: the extension is ignored.
    pub alpn: Vec<Vec<u8>>,
    /// Whether to refuse a client that offers none, too.
    pub alpn_required: bool,
    /// The longest record to accept, content type included (RFC 8449); `None`: the extension is ignored.
    pub record_size_limit: Option<u16>,
    /// Whether a HelloRetryRequest carries a cookie that the client must echo.
    pub hello_retry_cookie: bool,
    /// Where secrets are logged to; `None` nearly always.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// Who watches messages pass; `None` nearly always.
    pub trace: Option<Arc<dyn Trace>>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            suites: CipherSuite::ALL.into(),
            groups: NamedGroup::ALL.into(),
            credentials: vec![],
            psk: false,
            client_authentication: ClientAuthentication::None,
            verifier: None,
            signature_schemes: SignatureScheme::HANDSHAKE.into(),
            alpn: vec![],
            alpn_required: false,
            record_size_limit: None,
            hello_retry_cookie: false,
            key_log: None,
            trace: None,
        }
    }
}

impl ServerConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_suites_and_groups(&self.suites, &self.groups)?;
        check_schemes(&self.signature_schemes)?;
        check_offer(&self.credentials, (&self.alpn, self.alpn_required), self.record_size_limit)?;
        if self.credentials.is_empty() && !self.psk {
            return Err(ConfigError::NoCredentials);
        }
        if self.client_authentication != ClientAuthentication::None && self.verifier.is_none() {
            return Err(ConfigError::NoVerifier);
        }
        Ok(())
    }
}

/// At least one of each, and no group twice: two key shares for one are forbidden (RFC 8446, Section 4.2.8).
fn check_suites_and_groups(suites: &[CipherSuite], groups: &[NamedGroup]) -> Result<(), ConfigError> {
    if suites.is_empty() {
        return Err(ConfigError::NoSuites);
    }
    let is_repeated = |(index, group)| groups.iter().take(index).any(|earlier| earlier == group);
    //= rfc8446#section-4.2.8
    //# Clients MUST NOT offer multiple KeyShareEntry values for the same group.
    if groups.is_empty() || groups.iter().enumerate().any(is_repeated) {
        return Err(ConfigError::Groups);
    }
    Ok(())
}

/// At least one, and none that is for certificates alone (RFC 8446, Section 4.2.3).
fn check_schemes(schemes: &[SignatureScheme]) -> Result<(), ConfigError> {
    let is_for_certificates = |scheme| !SignatureScheme::HANDSHAKE.contains(scheme);
    if schemes.is_empty() || schemes.iter().any(is_for_certificates) {
        return Err(ConfigError::SignatureSchemes);
    }
    Ok(())
}

/// What goes onto the wire from a configuration is well-formed there.
fn check_offer(
    credentials: &[Credential],
    (alpn, alpn_required): (&[Vec<u8>], bool),
    limit: Option<u16>,
) -> Result<(), ConfigError> {
    //= rfc8446#section-4.4.2
    //# The server's certificate_list MUST always be non-empty.
    if credentials.iter().any(|c| c.chain.is_empty() || c.chain.iter().any(Vec::is_empty)) {
        return Err(ConfigError::EmptyChain);
    }
    //= rfc7301#section-3.1
    //# Empty strings MUST NOT be included and byte strings MUST NOT be truncated.
    if alpn.iter().any(|name| !(1..=255).contains(&name.len())) || alpn_required && alpn.is_empty() {
        return Err(ConfigError::Protocols);
    }
    //= rfc8449#section-4
    //# an endpoint MUST NOT send a value higher than the protocol-defined maximum record size
    //= rfc8449#section-4
    //# Endpoints MUST NOT send a "record_size_limit" extension with a value smaller than 64.
    if limit.is_some_and(|limit| !RECORD_SIZE_LIMITS.contains(&limit)) {
        return Err(ConfigError::RecordSizeLimit);
    }
    Ok(())
}
