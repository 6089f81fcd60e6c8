//! How a handshake fails: whose fault it is, as a type, and the alert for each violation, as one total map.

use core::fmt;

use super::{
    alert::AlertDescription,
    codec::{Malformed, TooLong},
    message::{ExtensionType, HandshakeType},
};
use crate::crypto::{
    aead::AeadError,
    certificate::{Reason, Rejection},
    kx::KeyExchangeError,
};

/// Why a handshake, or a connection, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The peer broke a rule of the protocol, or we have nothing in common with it.
    Peer(Violation),
    /// The peer's certificate was refused.
    Certificate(Rejection),
    /// The peer ended the handshake with this alert.
    Alert(AlertDescription),
    /// The peer closed the connection in good order (close_notify) before the handshake was done.
    Closed,
    /// Our own configuration cannot work.
    Config(ConfigError),
    /// Something failed on our side.
    Local(LocalError),
}

/// What is wrong with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No cipher suite is allowed, or none goes with the hash of any PSK.
    NoSuites,
    /// No group is allowed.
    NoGroups,
    /// A client has neither PSKs nor a way to verify a server's certificate and its name.
    NoAuthentication,
    /// A server has neither a certificate nor PSKs.
    NoCredentials,
    /// A server asks for client certificates but has no way to verify them.
    NoVerifier,
    /// record_size_limit is outside 64..=16385.
    RecordSizeLimit,
    /// The names, certificates or identities are too long for the message that carries them.
    TooLong,
    /// The identity of a PSK to import is empty, or too long together with its context.
    PskIdentity,
}

/// What failed on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalError {
    /// The system gave no randomness.
    Random,
    /// Whoever holds the private key did not sign.
    NotSigned,
    /// A record could not be protected, or its key is used up.
    Protection,
    /// The caller answered a question that was not asked, or gave another number of bytes than was asked for.
    Misuse,
    /// The caller gave up and chose this alert.
    Aborted(AlertDescription),
}

/// A rule that the peer broke, or a negotiation that found nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`Violation::describe` says what each one means, in the words of the log")]
pub enum Violation {
    UnexpectedRecord(u8),
    RecordTooLong,
    BadRecordMac,
    EmptyHandshakeRecord,
    NoContentType,
    BadChangeCipherSpec,
    InterleavedRecord,
    KeyChangeInsideRecord,
    TooManyUselessRecords,
    MalformedAlert,
    MessageTooLong,
    TooManyKeyUpdates,

    UnknownMessage(u8),
    UnexpectedMessage { message: HandshakeType, state: &'static str },
    Malformed(&'static str),
    DuplicateExtension(ExtensionType),
    TooManyExtensions,
    MisplacedExtension(ExtensionType),
    UnsolicitedExtension(ExtensionType),
    MissingExtension(ExtensionType),

    NotTls13,
    LegacyVersion,
    SelectedVersion,
    Compression,
    SessionIdNotEchoed,
    UnofferedSuite,
    UnofferedGroup,
    UnofferedPsk,
    PskHash,
    UnofferedProtocol,
    UnofferedScheme,
    RetryChangesNothing,
    RetrySuiteChanged,
    RetryGroupChanged,
    SecondHelloChanged,
    CookieNotEchoed,
    KeyShareOutsideGroups,
    DuplicateKeyShare,
    BadKeyShare,
    PskNotLast,
    BinderCount,
    BadBinder,
    RecordSizeLimit,
    RequestContext,
    ServerNameType,
    KeyUpdateRequest,

    NoCommonSuite,
    NoCommonGroup,
    NoCommonScheme,
    NoCommonProtocol,
    NoPskOffered,
    UnknownPskIdentity,
    PskNotAccepted,
    NoCertificate,
    EmptyCertificate,
    BadCertificateVerify,
    BadFinished,
}

use Violation as V;

impl Violation {
    /// The alert that RFC 8446 names for this violation: the whole map, without a wildcard.
    pub fn alert(&self) -> AlertDescription {
        use AlertDescription as A;
        match self {
            V::UnexpectedRecord(_)
            | V::EmptyHandshakeRecord
            | V::NoContentType
            | V::BadChangeCipherSpec
            | V::InterleavedRecord
            | V::KeyChangeInsideRecord
            | V::TooManyUselessRecords
            | V::TooManyKeyUpdates
            | V::UnknownMessage(_)
            | V::UnexpectedMessage { .. } => A::UnexpectedMessage,
            V::RecordTooLong => A::RecordOverflow,
            V::BadRecordMac => A::BadRecordMac,
            V::MalformedAlert | V::Malformed(_) | V::TooManyExtensions | V::EmptyCertificate => {
                A::DecodeError
            }
            V::UnsolicitedExtension(_) => A::UnsupportedExtension,
            V::MissingExtension(_) => A::MissingExtension,
            V::NotTls13 | V::LegacyVersion => A::ProtocolVersion,
            V::MessageTooLong
            | V::DuplicateExtension(_)
            | V::MisplacedExtension(_)
            | V::SelectedVersion
            | V::Compression
            | V::SessionIdNotEchoed
            | V::UnofferedSuite
            | V::UnofferedGroup
            | V::UnofferedPsk
            | V::PskHash
            | V::UnofferedProtocol
            | V::UnofferedScheme
            | V::RetryChangesNothing
            | V::RetrySuiteChanged
            | V::RetryGroupChanged
            | V::SecondHelloChanged
            | V::CookieNotEchoed
            | V::KeyShareOutsideGroups
            | V::DuplicateKeyShare
            | V::BadKeyShare
            | V::PskNotLast
            | V::BinderCount
            | V::RecordSizeLimit
            | V::RequestContext
            | V::ServerNameType
            | V::KeyUpdateRequest => A::IllegalParameter,
            V::NoCommonSuite | V::NoCommonGroup | V::NoCommonScheme | V::NoPskOffered | V::PskNotAccepted => {
                A::HandshakeFailure
            }
            V::NoCommonProtocol => A::NoApplicationProtocol,
            V::UnknownPskIdentity => A::UnknownPskIdentity,
            V::NoCertificate => A::CertificateRequired,
            V::BadBinder | V::BadCertificateVerify | V::BadFinished => A::DecryptError,
        }
    }

    /// What happened, in the words of a log line.
    fn describe(&self) -> &'static str {
        match self {
            V::UnexpectedRecord(_) => "a record of a type that cannot stand here",
            V::RecordTooLong => "a record longer than allowed",
            V::BadRecordMac => "a record that does not authenticate",
            V::EmptyHandshakeRecord => "an empty handshake record",
            V::NoContentType => "a protected record without a content type",
            V::BadChangeCipherSpec => "a change_cipher_spec that cannot stand here",
            V::InterleavedRecord => "another record in the middle of a handshake message",
            V::KeyChangeInsideRecord => "a record that goes on beyond its keys or its turn",
            V::TooManyUselessRecords => "too many records without content",
            V::MalformedAlert => "a malformed alert",
            V::MessageTooLong => "a handshake message beyond our limit",
            V::TooManyKeyUpdates => "too many KeyUpdates without data",
            V::UnknownMessage(_) | V::UnexpectedMessage { .. } => "an unexpected message",
            V::Malformed(_) => "a malformed message",
            V::DuplicateExtension(_) => "an extension twice",
            V::TooManyExtensions => "too many extensions",
            V::MisplacedExtension(_) => "an extension in a message where it cannot stand",
            V::UnsolicitedExtension(_) => "an extension that was not asked for",
            V::MissingExtension(_) => "a message that lacks an extension",
            V::NotTls13 => "no support of TLS 1.3",
            V::LegacyVersion => "a legacy_version of SSL 3.0 or before",
            V::SelectedVersion => "a version that was not offered",
            V::Compression => "compression",
            V::SessionIdNotEchoed => "another legacy_session_id than ours",
            V::UnofferedSuite => "a cipher suite that was not offered",
            V::UnofferedGroup => "a group that was not offered",
            V::UnofferedPsk => "a PSK identity that was not offered",
            V::PskHash => "a cipher suite whose hash is not the PSK's",
            V::UnofferedProtocol => "an application protocol that was not offered",
            V::UnofferedScheme => "a signature scheme that was not offered or does not go with the key",
            V::RetryChangesNothing => "a HelloRetryRequest that changes nothing",
            V::RetrySuiteChanged => "another cipher suite than in its HelloRetryRequest",
            V::RetryGroupChanged => "another group than in the HelloRetryRequest",
            V::SecondHelloChanged => "a second ClientHello that changes more than it may",
            V::CookieNotEchoed => "another cookie than ours",
            V::KeyShareOutsideGroups => "a key share outside supported_groups",
            V::DuplicateKeyShare => "two key shares for one group",
            V::BadKeyShare => "an invalid key share",
            V::PskNotLast => "pre_shared_key before another extension",
            V::BinderCount => "another number of PSK binders than identities",
            V::BadBinder => "a PSK binder that does not verify: same identity, another key?",
            V::RecordSizeLimit => "a record_size_limit out of range",
            V::RequestContext => "a certificate_request_context that is not the one asked for",
            V::ServerNameType => "more than one server name",
            V::KeyUpdateRequest => "a KeyUpdate that is neither a request nor an answer",
            V::NoCommonSuite => "no cipher suite in common",
            V::NoCommonGroup => "no group in common",
            V::NoCommonScheme => "no signature scheme in common",
            V::NoCommonProtocol => "no application protocol in common",
            V::NoPskOffered => "no PSK (nor can it use a certificate)",
            V::UnknownPskIdentity => "only unknown PSK identities",
            V::PskNotAccepted => "none of our PSKs accepted",
            V::NoCertificate => "no certificate, and one is required",
            V::EmptyCertificate => "an empty certificate list",
            V::BadCertificateVerify => "a CertificateVerify that does not verify",
            V::BadFinished => "a Finished that does not verify",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())?;
        match self {
            Self::UnexpectedRecord(content_type) => write!(f, " (type {content_type})"),
            Self::UnknownMessage(handshake_type) => write!(f, " (of unknown type {handshake_type})"),
            Self::UnexpectedMessage { message, state } => write!(f, " ({message} in state {state})"),
            Self::Malformed(name) => write!(f, " ({name})"),
            Self::DuplicateExtension(extension)
            | Self::MisplacedExtension(extension)
            | Self::UnsolicitedExtension(extension)
            | Self::MissingExtension(extension) => write!(f, " ({extension})"),
            _ => Ok(()),
        }
    }
}

impl Error {
    /// The alert that tells the peer; `None` where the peer ended it or there is nobody to tell yet.
    pub fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Peer(violation) => Some(violation.alert()),
            Self::Certificate(rejection) => Some(certificate_alert(rejection.reason)),
            Self::Alert(_) => None,
            Self::Closed => Some(AlertDescription::CloseNotify),
            Self::Local(LocalError::Aborted(alert)) => Some(*alert),
            Self::Config(_) | Self::Local(_) => Some(AlertDescription::InternalError),
        }
    }
}

/// RFC 8446, Section 6.2, over the reasons of path validation.
fn certificate_alert(reason: Reason) -> AlertDescription {
    match reason {
        Reason::Bad | Reason::WrongName => AlertDescription::BadCertificate,
        Reason::Unsupported | Reason::WrongPurpose => AlertDescription::UnsupportedCertificate,
        Reason::Expired => AlertDescription::CertificateExpired,
        Reason::Revoked => AlertDescription::CertificateRevoked,
        Reason::UnknownAuthority => AlertDescription::UnknownCa,
        Reason::StatusUnknown => AlertDescription::CertificateUnknown,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(violation) => write!(f, "the peer sent {violation}"),
            Self::Certificate(rejection) => write!(f, "the peer's certificate was refused: {rejection}"),
            Self::Alert(alert) => write!(f, "the peer refused with alert {alert}"),
            Self::Closed => f.write_str("the peer closed the connection during the handshake"),
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::Local(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuites => "no cipher suite is allowed, or none goes with a PSK's hash",
            Self::NoGroups => "no group is allowed",
            Self::NoAuthentication => {
                "neither a PSK nor trust anchors and a server name to authenticate the server with"
            }
            Self::NoCredentials => "neither a certificate nor PSKs to authenticate with",
            Self::NoVerifier => {
                "client certificates are asked for, but there are no trust anchors to verify them with"
            }
            Self::RecordSizeLimit => "the record size limit is outside 64..=16385",
            Self::TooLong => "names, certificates or identities are too long for their message",
            Self::PskIdentity => "the identity of a PSK to import is empty or too long",
        })
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("the system gave no randomness"),
            Self::NotSigned => f.write_str("the private key did not sign"),
            Self::Protection => f.write_str("a record could not be protected"),
            Self::Misuse => f.write_str("the engine was answered out of turn"),
            Self::Aborted(alert) => write!(f, "the handshake was given up ({alert})"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Peer(violation)
    }
}

impl From<Malformed> for Violation {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Peer(malformed.into())
    }
}

impl From<TooLong> for Error {
    fn from(_: TooLong) -> Self {
        Self::Config(ConfigError::TooLong)
    }
}

impl From<AeadError> for Error {
    fn from(_: AeadError) -> Self {
        Self::Local(LocalError::Protection)
    }
}

impl From<KeyExchangeError> for Error {
    fn from(error: KeyExchangeError) -> Self {
        match error {
            KeyExchangeError::PeerShare => Self::Peer(Violation::BadKeyShare),
            KeyExchangeError::Random => Self::Local(LocalError::Random),
        }
    }
}
