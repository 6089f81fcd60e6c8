//! The choice of parameters: a pure function of a ClientHello and the configuration, without keys and without I/O.

use alloc::vec::Vec;

use crate::{
    crypto::{kx::NamedGroup, signature_scheme::SignatureScheme, suite::CipherSuite},
    engine::{
        authentication::choose_credential,
        config::ServerConfig,
        error::Violation,
        message::{ClientHello, ExtensionType, SSL3},
        psk::Psk,
    },
};

/// What a server chose.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) suite: CipherSuite,
    pub(super) group: NamedGroup,
    /// The client's share for the group; without one it is asked for by a HelloRetryRequest.
    pub(super) key_exchange: Option<&'a [u8]>,
    pub(super) authentication: Authentication<'a>,
    pub(super) protocol: Option<Vec<u8>>,
    /// Ours, the client's.
    pub(super) record_size_limits: Option<(u16, u16)>,
}

impl<'a> Selection<'a> {
    /// The PSK that authenticates us, if one does.
    pub(super) fn psk(&self) -> Option<&'a FoundPsk> {
        if let Authentication::Psk(found) = self.authentication { Some(found) } else { None }
    }
}

/// How a server authenticates itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Authentication<'a> {
    /// By this PSK.
    Psk(&'a FoundPsk),
    /// By this credential, signing in this scheme.
    Certificate(usize, SignatureScheme),
}

/// What became of the PSKs that a client offers.
#[derive(Debug)]
pub(super) enum PskSearch {
    /// There are none, or none that could be used.
    NotAsked,
    /// They were looked for, and nobody knows them.
    Unknown,
    /// One of them is known.
    Found(FoundPsk),
}

/// A PSK, and its index in the offer.
#[derive(Debug)]
pub(super) struct FoundPsk {
    pub(super) index: u16,
    pub(super) psk: Psk,
}

/// Checks what every ClientHello must be, whatever the configuration (RFC 8446, Sections 4.1.2, 4.2.8, 4.2.9 and 9.2).
pub(super) fn check(hello: &ClientHello<'_>) -> Result<(), Violation> {
    //= rfc8446#appendix-D.5
    //# Any endpoint receiving a Hello message with
    //# ClientHello.legacy_version or ServerHello.legacy_version set to
    //# 0x0300 MUST abort the handshake with a "protocol_version" alert.
    //= rfc8446#appendix-D.5
    //# for the reasons enumerated in [RFC7568], and it MUST NOT be negotiated for any reason.
    if hello.legacy_version <= SSL3 {
        return Err(Violation::LegacyVersion);
    }
    //= rfc9289#section-5
    //# Implementations MUST NOT negotiate TLS versions prior to 1.3 (for TLS [RFC8446]
    //= rfc8446#section-4.2.1
    //# Servers MUST be prepared to receive ClientHellos that include this extension but do not include 0x0304
    //# in the list of versions.
    //= rfc8446#appendix-D.2
    //# If the "supported_versions" extension is present, the server MUST negotiate using that extension as
    //# described in Section 4.2.1.
    //= rfc8446#appendix-D.2
    //# the server MUST abort the handshake with a "protocol_version" alert.
    if !hello.offers_tls13() {
        return Err(Violation::NotTls13);
    }
    //= rfc8446#section-4.1.2
    //# For every TLS 1.3 ClientHello, this vector
    //# MUST contain exactly one byte, set to zero, which corresponds to
    //# the "null" compression method in prior versions of TLS.
    //= rfc8446#section-4.1.2
    //# the server MUST abort the handshake with an "illegal_parameter" alert.
    if hello.compression_methods != [0] {
        return Err(Violation::Compression);
    }
    check_mandatory_extensions(hello)?;
    check_key_shares(hello)
}

//= rfc8446#section-9.2
//# Servers receiving a ClientHello which does not conform to these
//# requirements MUST abort the handshake with a "missing_extension"
//# alert.
fn check_mandatory_extensions(hello: &ClientHello<'_>) -> Result<(), Violation> {
    //= rfc8446#section-9.2
    //# Such a ClientHello message MUST meet the following requirements:
    let extensions = &hello.extensions;
    let missing = |extension| Err(Violation::MissingExtension(extension));
    //= rfc8446#section-9.2
    //# If not containing a "pre_shared_key" extension, it MUST contain both a "signature_algorithms"
    //# extension and a "supported_groups" extension.
    if extensions.pre_shared_key.is_none() {
        if extensions.signature_algorithms.is_none() {
            return missing(ExtensionType::SIGNATURE_ALGORITHMS);
        }
        if extensions.supported_groups.is_none() {
            return missing(ExtensionType::SUPPORTED_GROUPS);
        }
    //= rfc8446#section-4.2.9
    //# If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension, servers MUST abort the
    //# handshake.
    } else if extensions.psk_key_exchange_modes.is_none() {
        return missing(ExtensionType::PSK_KEY_EXCHANGE_MODES);
    }
    //= rfc8446#section-9.2
    //# If containing a "supported_groups" extension, it MUST also contain a "key_share" extension, and vice
    //# versa.
    match (extensions.supported_groups, extensions.key_share) {
        (Some(_), None) => missing(ExtensionType::KEY_SHARE),
        (None, Some(_)) => missing(ExtensionType::SUPPORTED_GROUPS),
        _ => Ok(()),
    }
}

//= rfc8446#section-4.2.8
//# Clients MUST NOT offer multiple KeyShareEntry values
//# for the same group.  Clients MUST NOT offer any KeyShareEntry values
//# for groups not listed in the client's "supported_groups" extension.
//# Servers MAY check for violations of these rules and abort the
//# handshake with an "illegal_parameter" alert if one is violated.
fn check_key_shares(hello: &ClientHello<'_>) -> Result<(), Violation> {
    let (Some(groups), Some(shares)) = (hello.extensions.supported_groups, hello.extensions.key_share) else {
        return Ok(());
    };
    // Only for the groups that we know: a search over all of a stranger's shares would be quadratic.
    for group in NamedGroup::ALL {
        match shares.iter().filter(|share| share.group == group.code()).count() {
            0 => {}
            1 if groups.contains(group.code()) => {}
            1 => return Err(Violation::KeyShareOutsideGroups),
            _ => return Err(Violation::DuplicateKeyShare),
        }
    }
    Ok(())
}

/// Selects the parameters, with one of these suites.
pub(super) fn select<'a>(
    hello: &ClientHello<'a>,
    config: &ServerConfig,
    search: &'a PskSearch,
    suites: &[CipherSuite],
) -> Result<Selection<'a>, Violation> {
    let (suite, authentication) = match search {
        PskSearch::Found(found) => select_under_psk(hello, config, suites, found)?,
        search => (select_suite(hello, suites, None)?, select_certificate(hello, config, search)?),
    };
    let (group, key_exchange) = select_group(hello, config)?;
    let protocol = select_protocol(hello, config)?;
    let record_size_limits = config.record_size_limit.zip(hello.extensions.record_size_limit);
    Ok(Selection { suite, group, key_exchange, authentication, protocol, record_size_limits })
}

/// Uses the PSK, unless its hash goes with no suite in common and a certificate will do.
//= rfc8446#section-4.2.11
//# The server MUST ensure that it selects a compatible PSK
//# (if any) and cipher suite.
fn select_under_psk<'a>(
    hello: &ClientHello<'_>,
    config: &ServerConfig,
    suites: &[CipherSuite],
    found: &'a FoundPsk,
) -> Result<(CipherSuite, Authentication<'a>), Violation> {
    match select_suite(hello, suites, Some(&found.psk)) {
        Ok(suite) => Ok((suite, Authentication::Psk(found))),
        Err(violation) if config.credentials.is_empty() => Err(violation),
        Err(_) => {
            let certificate = select_certificate(hello, config, &PskSearch::NotAsked)?;
            Ok((select_suite(hello, suites, None)?, certificate))
        }
    }
}

/// Whether the client has one of these suites, with the hash of this PSK.
pub(super) fn goes_with(hello: &ClientHello<'_>, suites: &[CipherSuite], psk: &Psk) -> bool {
    select_suite(hello, suites, Some(psk)).is_ok()
}

fn select_suite(
    hello: &ClientHello<'_>,
    suites: &[CipherSuite],
    psk: Option<&Psk>,
) -> Result<CipherSuite, Violation> {
    //= rfc8446#section-4.1.2
    //# the server MUST ignore those cipher suites and process the remaining ones as usual.
    let fits = |suite: &&CipherSuite| {
        hello.cipher_suites.contains(suite.code()) && psk.is_none_or(|psk| psk.hash() == suite.hash())
    };
    //= rfc8446#section-2.1
    //# If no common cryptographic parameters can be negotiated, the server MUST abort the handshake with an
    //# appropriate alert.
    //= rfc8446#section-4.1.1
    //# it MUST abort the handshake with either a "handshake_failure" or "insufficient_security" fatal alert
    suites.iter().find(fits).copied().ok_or(Violation::NoCommonSuite)
}

fn select_certificate(
    hello: &ClientHello<'_>,
    config: &ServerConfig,
    search: &PskSearch,
) -> Result<Authentication<'static>, Violation> {
    let is_unknown = matches!(search, PskSearch::Unknown);
    if config.credentials.is_empty() {
        return Err(if is_unknown { Violation::UnknownPskIdentity } else { Violation::NoPskOffered });
    }
    //= rfc8446#section-4.2.3
    //# If a server is
    //# authenticating via a certificate and the client has not sent a
    //# "signature_algorithms" extension, then the server MUST abort the
    //# handshake with a "missing_extension" alert (see Section 9.2).
    let schemes = match hello.extensions.signature_algorithms {
        Some(schemes) => schemes,
        None if is_unknown => return Err(Violation::UnknownPskIdentity),
        None => return Err(Violation::MissingExtension(ExtensionType::SIGNATURE_ALGORITHMS)),
    };
    choose_credential(&config.credentials, schemes, hello.extensions.certificate_authorities)
        .map(|(index, scheme)| Authentication::Certificate(index, scheme))
}

/// The first of our groups that the client supports; if the client sent no share for it, a HelloRetryRequest asks for one.
fn select_group<'a>(
    hello: &ClientHello<'a>,
    config: &ServerConfig,
) -> Result<(NamedGroup, Option<&'a [u8]>), Violation> {
    let missing = Violation::MissingExtension(ExtensionType::SUPPORTED_GROUPS);
    let groups = hello.extensions.supported_groups.ok_or(missing)?;
    let shares = hello.extensions.key_share.ok_or(Violation::MissingExtension(ExtensionType::KEY_SHARE))?;
    //= rfc8446#section-4.2.8
    //# Servers MUST NOT send a KeyShareEntry for any group not indicated in the client's "supported_groups"
    //# extension
    let group = config.groups.iter().find(|group| groups.contains(group.code()));
    //= rfc8446#section-4.1.1
    //# the server MUST abort the handshake with a "handshake_failure" or an "insufficient_security" alert.
    let group = *group.ok_or(Violation::NoCommonGroup)?;
    //= rfc8446#section-2
    //# the server's share MUST be in the same group as one of the client's shares.
    let share = shares.iter().find(|share| share.group == group.code());
    Ok((group, share.map(|share| share.key_exchange)))
}

/// Our preference decides; a server that names no protocols ignores the extension.
//= rfc7301#section-3.2
//# In the event that the server supports no
//# protocols that the client advertises, then the server SHALL respond
//# with a fatal "no_application_protocol" alert.
fn select_protocol(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Option<Vec<u8>>, Violation> {
    let Some(offered) = hello.extensions.protocols.filter(|_| !config.alpn.is_empty()) else {
        return if config.alpn_required { Err(Violation::NoCommonProtocol) } else { Ok(None) };
    };
    let selected = config.alpn.iter().find(|ours| offered.iter().any(|theirs| theirs == ours.as_slice()));
    selected.cloned().map(Some).ok_or(Violation::NoCommonProtocol)
}
