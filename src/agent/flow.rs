//! The five flows: what each request becomes for the engine.
//!
//! ```text
//!   client unauthenticated   the server proves its name                       NFS xprtsec=tls
//!   client x509              and we show a certificate when asked             NFS xprtsec=mtls
//!   client PSK               all the request's PSKs in one offer              NVMe host
//!   server x509              we show a certificate, the client may            nfsd
//!   server PSK               the client offers identities, we look them up    NVMe target
//! ```

use std::{sync::Arc, time::Duration};

use crate::{
    crypto::{certificate::ServerName, hash::Hash, suite::CipherSuite},
    engine::{
        Psk, RECORD_SIZE_LIMITS,
        config::{ClientConfig, ServerConfig},
    },
};

use super::{
    border::Config,
    broker::Broker,
    config::{Alpn, Connection},
    failure::Failure,
    keyring::{self, KeySerial},
    material::{Choice, Identity, Settings, identity_from_keys},
    request::{Authentication, Request, Role},
};

/// RFC 9289, Section 5: the application protocol of RPC-with-TLS. A consumer does not tell its name: that it is RPC is known by
/// the port, unless the configuration says it.
const SUNRPC: &[u8] = b"sunrpc";
/// NFS, and NFS over RDMA, whose port some servers have for TCP, too (RFC 7530, Section 3.1; RFC 8267, Section 6.1).
const NFS_PORTS: [u16; 2] = [2049, 20049];

/// What the kernel can do, as far as handshakes differ by it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Abilities {
    /// It can be told the largest record to send (TLS_TX_MAX_PAYLOAD_LEN); without that, no limit may be negotiated.
    pub(super) record_size_limit: bool,
}

/// What a handshake may do, and who answers its questions.
pub(super) struct Flow {
    pub(super) config: Config,
    /// The trust store of the configuration's verifier, if it has one.
    pub(super) trust: usize,
    pub(super) broker: Broker,
    /// How long it may take.
    pub(super) limit: Duration,
    /// The section of the configuration that it is by, if that is a profile.
    pub(super) profile: Option<String>,
}

/// Everything beside the request that decides a flow.
pub(super) struct Circumstances<'a> {
    pub(super) settings: &'a Settings,
    /// The keyrings to look for PSKs in, after the request's own.
    pub(super) keyrings: &'a [KeySerial],
    pub(super) abilities: Abilities,
    pub(super) connection: Connection<'a>,
}

impl Flow {
    /// Prepares the handshake that a request asks for.
    pub(super) fn new(request: &Request, circumstances: &Circumstances<'_>) -> Result<Self, Failure> {
        let choice = circumstances.settings.choose(request.role, &circumstances.connection);
        let (config, broker) = match (request.role, request.authentication) {
            (Role::Client, Authentication::Psk) => client_psk(request, circumstances, choice),
            (Role::Client, _) => client_certificate(request, circumstances, choice),
            (Role::Server, Authentication::Psk) => server_psk(request, circumstances, choice),
            (Role::Server, _) => server_certificate(request, circumstances, choice),
        }?;
        let limit = time_limit(request, choice.section.deadline);
        let own = circumstances.settings.side(request.role).name;
        let profile = (choice.name != own).then(|| choice.name.into());
        Ok(Self { config, trust: choice.side.trust, broker, limit, profile })
    }
}

type Prepared = Result<(Config, Broker), Failure>;

fn client_certificate(request: &Request, circumstances: &Circumstances<'_>, choice: Choice<'_>) -> Prepared {
    let peer = circumstances.connection.peer;
    let identity = match request.authentication {
        Authentication::X509 => Some(own_identity(request, choice)?),
        _ => None,
    };
    let verifier = choice.side.verifier.clone().ok_or_else(|| {
        Failure::Missing(format!("there are no trust anchors: set x509.truststore in [{}]", choice.name))
    })?;
    let (alpn, alpn_required) = protocols(choice.section.alpn, peer.port());
    let config = ClientConfig {
        //= rfc9289#section-5.2.1
        //# Server certificate validation MUST include a check on whether the locally configured expected
        //# DNS-ID or iPAddress subjectAltName of the server that is contacted matches its presented
        //# certificate.
        //= rfc6125#section-6.2.1
        //# The client MUST construct a list of acceptable reference identifiers, and MUST do so independently
        //# of the identifiers presented by the service.
        //= rfc6125#section-6.2.1
        //# The extracted data MUST include only information that can be securely parsed out of the inputs
        server_name: Some(request.peer_name.clone().unwrap_or(ServerName::Ip(peer.ip()))),
        //= rfc9289#section-4.2
        //# If authentication of either peer fails, or if authorization based on those identities blocks
        //# access to the server, the peers MUST reject the association.
        //= rfc9289#section-5.2.1
        //# RPC-with-TLS implementations are REQUIRED to support the PKIX mechanism described in [RFC5280].
        verifier: Some(verifier as _),
        //= rfc9289#section-5
        //# Implementations MUST support certificate-based mutual authentication.
        credentials: identity.iter().map(|identity| identity.credential.clone()).collect(),
        // Who asked for mutual authentication is not to become an anonymous client instead.
        certificate_required: identity.is_some(),
        //= rfc9289#section-5
        //# Client implementations MUST include the "application_layer_protocol_negotiation(16)" extension
        //# [RFC7301] in their "ClientHello" message and MUST include the protocol identifier
        //= rfc9289#section-5
        //= type=exception
        //= reason=A server that answers another protocol is refused, but one that answers none is only with policy.alpn=required: tlshd, which most servers run, does not know ALPN.
        //# the client MUST NOT establish a TLS session for use with RPC on this connection.
        alpn,
        alpn_required,
        ..client_config(circumstances, choice)
    };
    Ok((Config::Client(config), Broker::signer(identity)))
}

/// The application protocols to name on a connection to or from such a port of the server, and whether to insist.
fn protocols(alpn: Alpn, port: u16) -> (Vec<Vec<u8>>, bool) {
    let is_named = match alpn {
        Alpn::NfsPorts => NFS_PORTS.contains(&port),
        Alpn::Always | Alpn::Required => true,
        Alpn::Never => false,
    };
    (is_named.then(|| SUNRPC.into()).into_iter().collect(), alpn == Alpn::Required)
}

/// Our certificate: the one that the request names, else the configured one.
fn own_identity(request: &Request, Choice { name, side, .. }: Choice<'_>) -> Result<Arc<Identity>, Failure> {
    if let Some((certificate, private_key)) = request.certificate {
        return identity_from_keys(certificate, private_key).map(Arc::new);
    }
    side.identity.clone().ok_or_else(|| {
        Failure::Missing(format!(
            "there is no certificate to show: set x509.certificate and x509.private_key in [{name}]"
        ))
    })
}

fn client_psk(request: &Request, circumstances: &Circumstances<'_>, choice: Choice<'_>) -> Prepared {
    if request.peer_identities.is_empty() {
        return Err(Failure::Missing("the kernel names no PSK to offer".into()));
    }
    let psks = request.peer_identities.iter().map(|key| read_psk(*key)).collect::<Result<Vec<_>, _>>()?;
    let suites = suites_for(&psks, choice.section.suites())?;
    let identities = psks.iter().map(|psk| psk.identity().to_vec());
    let offered = request.peer_identities.iter().copied().zip(identities).collect();
    let config = ClientConfig { suites, psks, ..client_config(circumstances, choice) };
    Ok((Config::Client(config), Broker::offerer(offered)))
}

/// A PSK from its key: the description is the identity.
pub(super) fn read_psk(key: KeySerial) -> Result<Psk, Failure> {
    let unfit = |problem: &str| Failure::Material(format!("{key}: {problem}"));
    let description = keyring::describe(key)?;
    if !matches!(description.kind.as_str(), "psk" | "user") {
        return Err(unfit(&format!("a key of type {} cannot be a PSK", description.kind)));
    }
    let hash = psk_hash(&description.text)
        .ok_or_else(|| unfit("its NVMe identity asks for a hash other than 01 (SHA-256) and 02 (SHA-384)"))?;
    let secret = keyring::read(key)?;
    Psk::external(&description.text, secret.expose(), hash).map_err(|error| unfit(&error.to_string()))
}

/// The hash that an identity asks for: "NVMe0R02 ..." (TP 8018) is SHA-384; what is not NVMe's is SHA-256, as RFC 8446,
/// Section 4.2.11, has it for an external PSK that says nothing.
pub(super) fn psk_hash(identity: &[u8]) -> Option<Hash> {
    let Some([version, kind, first, second, rest @ ..]) = identity.strip_prefix(b"NVMe") else {
        return Some(Hash::Sha256);
    };
    let is_nvme = version.is_ascii_digit() && kind.is_ascii_uppercase() && rest.first() == Some(&b' ');
    match [*first, *second] {
        _ if !is_nvme => Some(Hash::Sha256),
        [b'0', b'1'] => Some(Hash::Sha256),
        [b'0', b'2'] => Some(Hash::Sha384),
        _ => None,
    }
}

/// The allowed suites with the hashes of the PSKs, the hash of the first PSK first; each PSK must have one.
fn suites_for(psks: &[Psk], allowed: &[CipherSuite]) -> Result<Vec<CipherSuite>, Failure> {
    let mut suites = Vec::new();
    for psk in psks {
        let fitting = || allowed.iter().filter(|suite| suite.hash() == psk.hash());
        if fitting().next().is_none() {
            let hash = psk.hash();
            return Err(Failure::Missing(format!("policy.suites has no suite for a PSK of {hash:?}")));
        }
        suites.extend(fitting().filter(|suite| !suites.contains(*suite)).copied().collect::<Vec<_>>());
    }
    Ok(suites)
}

fn server_certificate(request: &Request, circumstances: &Circumstances<'_>, choice: Choice<'_>) -> Prepared {
    //= rfc9289#section-4.2
    //# Each RPC server that supports RPC-with-TLS MUST possess a unique global identity
    let identity = own_identity(request, choice)?;
    let (alpn, alpn_required) = protocols(choice.section.alpn, circumstances.connection.local.port());
    let config = ServerConfig {
        credentials: vec![identity.credential.clone()],
        //= rfc9289#section-4.2
        //= type=exception
        //= reason=Without a truststore for clients nobody could vouch for them, so none is asked; with one, each is, unless policy.client_certificate=none.
        //# Such an RPC server MUST request a TLS peer identity from each client upon first contact.
        client_authentication: choice.section.client_authentication(),
        //= rfc9289#section-5.2.1
        //# The server MUST use a procedure conformant to Section 6 of [RFC5280] to validate the client
        //# certificate's certification path.
        verifier: choice.side.verifier.clone().map(|verifier| verifier as _),
        //= rfc9289#section-5
        //# server implementations MUST include the "application_layer_protocol_negotiation(16)" extension
        //# [RFC7301] in their "ServerHello" message and MUST include only the protocol identifier
        alpn,
        alpn_required,
        ..server_config(circumstances, choice)
    };
    Ok((Config::Server(config), Broker::signer(Some(identity))))
}

fn server_psk(request: &Request, circumstances: &Circumstances<'_>, choice: Choice<'_>) -> Prepared {
    let keyrings = to_search(request, circumstances);
    if keyrings.is_empty() {
        return Err(Failure::Missing(
            "there is no keyring to look for PSKs in (.nvme comes with nvmet-tcp)".into(),
        ));
    }
    let config = ServerConfig { psk: true, ..server_config(circumstances, choice) };
    Ok((Config::Server(config), Broker::finder(keyrings)))
}

/// The request's own keyring and then the others, each once: it may be one of them.
fn to_search(request: &Request, circumstances: &Circumstances<'_>) -> Vec<KeySerial> {
    let others = circumstances.keyrings.iter().filter(|keyring| request.keyring != Some(**keyring));
    request.keyring.iter().chain(others).copied().collect()
}

fn client_config(circumstances: &Circumstances<'_>, Choice { section, .. }: Choice<'_>) -> ClientConfig {
    let (suites, groups) = (section.suites().into(), section.groups());
    ClientConfig {
        suites,
        groups,
        record_size_limit: record_size_limit(circumstances),
        ..ClientConfig::default()
    }
}

fn server_config(circumstances: &Circumstances<'_>, Choice { section, .. }: Choice<'_>) -> ServerConfig {
    let (suites, groups) = (section.suites().into(), section.groups());
    ServerConfig {
        suites,
        groups,
        record_size_limit: record_size_limit(circumstances),
        ..ServerConfig::default()
    }
}

fn record_size_limit(circumstances: &Circumstances<'_>) -> Option<u16> {
    // The kernel takes all.
    circumstances.abilities.record_size_limit.then_some(*RECORD_SIZE_LIMITS.end())
}

/// How long a handshake may take: always a little less than its consumer waits, so that it hears our reason.
pub(super) fn time_limit(request: &Request, deadline: Option<Duration>) -> Duration {
    let of_consumer = match (request.timeout, request.role) {
        (Some(timeout), _) => timeout * 9 / 10,
        // nfsd waits for 5 s (SVC_HANDSHAKE_TO).
        (None, Role::Server) => Duration::from_millis(4500),
        // The NFS client waits for 10 s (XS_TLS_HANDSHAKE_TO).
        (None, Role::Client) => Duration::from_secs(9),
    };
    deadline.map_or(of_consumer, |deadline| of_consumer.min(deadline))
}

#[cfg(test)]
mod tests;
