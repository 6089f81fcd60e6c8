//! One handshake: the flags as a configuration, and the engine's questions answered.

use std::sync::Arc;

use handclasp::{
    crypto::{
        certificate::ServerName, kx::NamedGroup, random::SystemRandom, signature_scheme::SignatureScheme,
        suite::CipherSuite,
    },
    engine::{
        AlertDescription, Handshake, Peer, Session, Step,
        config::{ClientAuthentication, ClientConfig, ServerConfig},
    },
};

use crate::{
    Failure,
    credentials::Credentials,
    flags::{FlagError, Flags},
    policy::{self, Policy},
    verify::{self, Verifier},
    wire::Wire,
};

/// A handshake that is done.
pub struct Done {
    pub session: Box<Session>,
    /// The runner's number of the credential that was used on our side.
    pub selected: Option<i32>,
    /// What the peer sent.
    pub received: Vec<u8>,
}

/// Shakes hands as the flags say.
pub fn run(flags: &Flags, wire: &mut Wire) -> Result<Done, Failure> {
    let policy = flags.policy.unwrap_or(policy::DEFAULT);
    let mut credentials = Credentials::load(flags)?;
    if flags.policy.is_some() {
        credentials.sign_only_with(policy.schemes);
    }
    let start = if flags.server { server } else { client };
    let handshake = start(flags, &policy, &credentials)?;
    drive(handshake, flags, &credentials, wire)
}

fn client(flags: &Flags, policy: &Policy, credentials: &Credentials) -> Result<Handshake, Failure> {
    let psks = credentials.psks()?;
    // As in BoringSSL, a client with PSKs takes a certificate instead only if it is told to verify one.
    let takes_certificates = psks.is_empty() || flags.verify_peer;
    let groups = groups(flags, policy)?;
    let config = ClientConfig {
        suites: suites(flags, policy)?,
        key_shares: key_shares(flags, &groups)?,
        groups,
        server_name: Some(server_name(flags)?),
        verifier: takes_certificates.then(|| Verifier::new(flags) as _),
        signature_schemes: signature_schemes(flags, policy),
        certificate_required: !credentials.certificates().is_empty(),
        credentials: credentials.certificates(),
        psks,
        alpn: flags.advertise_alpn.as_deref().map(protocols).unwrap_or_default(),
        ..ClientConfig::default()
    };
    Ok(Handshake::client(Arc::new(config), Box::new(SystemRandom), verify::now())?)
}

fn server(flags: &Flags, policy: &Policy, credentials: &Credentials) -> Result<Handshake, Failure> {
    let client_authentication = match flags {
        Flags { require_any_client_certificate: true, .. } => ClientAuthentication::Required,
        Flags { verify_peer: true, .. } => ClientAuthentication::Optional,
        _ => ClientAuthentication::None,
    };
    let mut alpn: Vec<Vec<u8>> =
        flags.select_alpn.iter().map(|protocol| protocol.as_bytes().into()).collect();
    if flags.reject_alpn {
        alpn.push(b"none that a client offers".into());
    }
    let config = ServerConfig {
        suites: suites(flags, policy)?,
        groups: groups(flags, policy)?,
        credentials: credentials.certificates(),
        psk: credentials.has_psks(),
        client_authentication,
        verifier: Some(Verifier::new(flags)),
        signature_schemes: signature_schemes(flags, policy),
        alpn,
        ..ServerConfig::default()
    };
    Ok(Handshake::server(Arc::new(config), Box::new(SystemRandom), verify::now())?)
}

/// The configured values that we have. One that we lack, the runner may want negotiated: without any left, the case is not for us.
fn known<T>(flag: &str, codes: &[u16], from_code: impl Fn(u16) -> Option<T>) -> Result<Vec<T>, FlagError> {
    let unknown = |code: &u16| FlagError::Unimplemented(format!("{flag} {code}"));
    codes.iter().map(|code| from_code(*code).ok_or_else(|| unknown(code))).collect()
}

fn suites(flags: &Flags, policy: &Policy) -> Result<Vec<CipherSuite>, FlagError> {
    if flags.tls13_ciphers.is_empty() {
        return Ok(policy.suites.into());
    }
    known("-tls13-ciphers", &flags.tls13_ciphers, CipherSuite::from_code)
}

fn groups(flags: &Flags, policy: &Policy) -> Result<Vec<NamedGroup>, FlagError> {
    if flags.curves.is_empty() {
        return Ok(policy.groups.into());
    }
    known("-curves", &flags.curves, NamedGroup::from_code)
}

/// The schemes that the peer may prove its key in. One that cannot sign a handshake is left out: what is tested then is that the
/// peer's use of it is refused.
fn signature_schemes(flags: &Flags, policy: &Policy) -> Vec<SignatureScheme> {
    let schemes = flags.verify_prefs.iter().filter_map(|code| SignatureScheme::from_code(*code));
    let schemes: Vec<_> = schemes.filter(|scheme| SignatureScheme::HANDSHAKE.contains(scheme)).collect();
    if schemes.is_empty() { policy.schemes.into() } else { schemes }
}

/// The groups that get a key share: those that the flags name, else as BoringSSL does it the first, and the first of the other kind,
/// post-quantum or not.
fn key_shares(flags: &Flags, groups: &[NamedGroup]) -> Result<Option<Vec<NamedGroup>>, FlagError> {
    if let Some(codes) = &flags.key_shares {
        return known("-key-shares", codes, NamedGroup::from_code).map(Some);
    }
    let first = groups.first();
    let other =
        groups.iter().find(|group| first.is_some_and(|f| f.is_post_quantum() != group.is_post_quantum()));
    Ok(Some(first.into_iter().chain(other).copied().collect()))
}

/// Without `-host-name` a client sends no name; an address is never sent.
fn server_name(flags: &Flags) -> Result<ServerName, FlagError> {
    let name = flags.host_name.as_deref().unwrap_or("127.0.0.1");
    ServerName::parse(name).ok_or_else(|| FlagError::Invalid(format!("-host-name {name}")))
}

/// A list of protocols as it stands in ALPN's extension: each after its length in one byte.
fn protocols(list: &str) -> Vec<Vec<u8>> {
    let mut rest = list.as_bytes();
    let mut protocols = Vec::new();
    while let [length, after @ ..] = rest {
        let (protocol, after) = after.split_at(usize::from(*length));
        protocols.push(protocol.into());
        rest = after;
    }
    protocols
}

fn drive(
    mut handshake: Handshake,
    flags: &Flags,
    credentials: &Credentials,
    wire: &mut Wire,
) -> Result<Done, Failure> {
    let (mut selected, mut received) = (None, Vec::new());
    loop {
        match handshake.step() {
            Step::Send(bytes) => {
                let count = wire.write(bytes)?;
                handshake.sent(count);
            }
            Step::Receive(length) => match wire.read(length)? {
                Some(_) if flags.fail_early_callback => handshake.abort(AlertDescription::HandshakeFailure),
                Some(_) if flags.fail_ddos_callback => handshake.abort(AlertDescription::InternalError),
                Some(bytes) => {
                    handshake.receive(&bytes);
                    received.extend(bytes);
                }
                None => return Err(Failure::EndOfStream),
            },
            Step::Sign(_) if flags.fail_cert_callback => match flags.fail_cert_callback_alert {
                Some(alert) => handshake.abort(AlertDescription::from_code(alert)),
                None => handshake.sign_failed(),
            },
            Step::Sign(request) => {
                let (number, signature) = credentials.sign(&request);
                selected = Some(number);
                match signature {
                    Ok(signature) => handshake.signed(&signature),
                    Err(_) => handshake.sign_failed(),
                }
            }
            Step::FindPsk(offers) => match credentials.find_psk(offers) {
                Some((index, psk)) => handshake.psk(index, psk),
                None => handshake.no_psk(),
            },
            Step::Done(session) => {
                if let Peer::Psk { identity, .. } = &session.peer {
                    selected = credentials.number_of(identity);
                }
                return Ok(Done { session, selected, received });
            }
            Step::Failed(error) => return Err(error.into()),
        }
    }
}
