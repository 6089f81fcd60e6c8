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
    /// No group is allowed, or one is named twice, or a key share is asked for one that is not.
    Groups,
    /// No signature scheme is accepted, or one that is for certificates alone.
    SignatureSchemes,
    /// The name of the server is neither a DNS name nor an IP address, as `ServerName::parse` reads them.
    ServerName,
    /// A credential has no certificate, or an empty one.
    EmptyChain,
    /// The name of an application protocol is empty or longer than 255 bytes, or one is required and none is named.
    Protocols,
    /// The secret of a PSK has fewer than 16 bytes, or is all zero (RFC 9257, Section 6).
    PskSecret,
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

/// Makes the enum, the total map to alerts, and the words, from one table.
macro_rules! violations {
    ($($variant:ident $(($payload:ty))? $({ $($field:ident: $type:ty),* })? => $alert:ident, $words:literal;)*) => {
        /// A rule that the peer broke, or a negotiation that found nothing in common.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Violation {
            $(
                #[doc = concat!("The peer sent ", $words, ".")]
                $variant $(($payload))? $({
                    $(#[doc = concat!("Its ", stringify!($field), ".")] $field: $type),*
                })?,
            )*
        }

        impl Violation {
            /// The alert that RFC 8446 names for this violation.
            //= rfc8446#section-6.2
            //# the implementation MUST send alert X if it sends any alert.
            pub fn alert(&self) -> AlertDescription {
                match self { $(Self::$variant { .. } => AlertDescription::$alert,)* }
            }

            /// What the peer sent, in the words of a log line.
            fn words(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $words,)* }
            }
        }
    };
}

violations! {
    UnexpectedRecord(u8) => UnexpectedMessage, "a record of a type that cannot stand here";
    RecordTooLong => RecordOverflow, "a record longer than allowed";
    BadRecordMac => BadRecordMac, "a record that does not authenticate";
    EmptyRecord => UnexpectedMessage, "an empty handshake record or alert";
    NoContentType => UnexpectedMessage, "a protected record without a content type";
    BadChangeCipherSpec => UnexpectedMessage, "a change_cipher_spec that cannot stand here";
    InterleavedRecord => UnexpectedMessage, "another record in the middle of a handshake message";
    KeyChangeInsideRecord => UnexpectedMessage, "a record that goes on after a key change";
    TooManyUselessRecords => UnexpectedMessage, "too many records without content";
    MalformedAlert => DecodeError, "a malformed alert";
    MessageTooLong => IllegalParameter, "a handshake message beyond our limit";
    TooManyKeyUpdates => UnexpectedMessage, "too many KeyUpdates without data";

    UnknownMessage(u8) => UnexpectedMessage, "an unexpected message";
    UnexpectedMessage { message: HandshakeType, state: &'static str } => UnexpectedMessage, "an unexpected message";
    //= rfc8446#section-6
    //# contain an out-of-range length) MUST terminate the connection with a "decode_error" alert.
    Malformed(&'static str) => DecodeError, "a malformed message";
    DuplicateExtension(ExtensionType) => IllegalParameter, "an extension twice";
    TooManyExtensions => DecodeError, "too many extensions";
    MisplacedExtension(ExtensionType) => IllegalParameter, "an extension in a message where it cannot stand";
    UnsolicitedExtension(ExtensionType) => UnsupportedExtension, "an extension that was not asked for";
    MissingExtension(ExtensionType) => MissingExtension, "a message that lacks an extension";

    NotTls13 => ProtocolVersion, "no support of TLS 1.3";
    LegacyVersion => ProtocolVersion, "a legacy_version of SSL 3.0 or before";
    SelectedVersion => IllegalParameter, "a version that was not offered";
    Compression => IllegalParameter, "compression";
    SessionIdNotEchoed => IllegalParameter, "another legacy_session_id than ours";
    UnofferedSuite => IllegalParameter, "a cipher suite that was not offered";
    UnofferedGroup => IllegalParameter, "a group that was not offered";
    UnofferedPsk => IllegalParameter, "a PSK identity that was not offered";
    PskHash => IllegalParameter, "a cipher suite whose hash is not the PSK's";
    UnofferedProtocol => IllegalParameter, "an application protocol that was not offered";
    UnofferedScheme => IllegalParameter, "a signature scheme that was not offered or does not go with the key";
    RetryLegacyVersion => IllegalParameter, "a HelloRetryRequest whose legacy_version is not TLS 1.2";
    RetryChangesNothing => IllegalParameter, "a HelloRetryRequest that changes nothing";
    RetrySuiteChanged => IllegalParameter, "another cipher suite than in its HelloRetryRequest";
    RetryGroupChanged => IllegalParameter, "another group than in the HelloRetryRequest";
    SecondHelloChanged => IllegalParameter, "a second ClientHello that changes more than it may";
    CookieNotEchoed => IllegalParameter, "another cookie than ours";
    CookieTooLong => IllegalParameter, "a cookie beyond our limit";
    PskWithoutKeyShare => IllegalParameter, "a PSK selected without a key share";
    KeyShareOutsideGroups => IllegalParameter, "a key share outside supported_groups";
    DuplicateKeyShare => IllegalParameter, "two key shares for one group";
    //= rfc8446#section-6
    //# semantically invalid (e.g., a DHE share of p - 1, or an invalid enum) MUST terminate the connection
    //# with an "illegal_parameter" alert.
    BadKeyShare => IllegalParameter, "an invalid key share";
    PskNotLast => IllegalParameter, "pre_shared_key before another extension";
    BinderCount => IllegalParameter, "another number of PSK binders than identities";
    BadBinder => DecryptError, "a PSK binder that does not verify: same identity, another key?";
    RecordSizeLimit => IllegalParameter, "a record_size_limit out of range";
    RequestContext => IllegalParameter, "a certificate_request_context that is not the one asked for";
    ServerNameType => IllegalParameter, "more than one server name";
    KeyUpdateRequest => IllegalParameter, "a KeyUpdate that is neither a request nor an answer";

    NoCommonSuite => HandshakeFailure, "no cipher suite in common";
    NoCommonGroup => HandshakeFailure, "no group in common";
    NoCommonScheme => HandshakeFailure, "no signature scheme in common";
    NoNamedIssuer => HandshakeFailure, "no authority that issued one of our certificates";
    NoCommonProtocol => NoApplicationProtocol, "no application protocol in common";
    NoPskOffered => HandshakeFailure, "no PSK (nor can it use a certificate)";
    UnknownPskIdentity => UnknownPskIdentity, "only unknown PSK identities";
    PskNotAccepted => HandshakeFailure, "a ServerHello that selects none of our PSKs";
    NoCertificate => CertificateRequired, "no certificate, and one is required";
    EmptyCertificate => DecodeError, "an empty certificate list";
    TooManyCertificates => IllegalParameter, "more certificates than our limit";
    BadCertificateVerify => DecryptError, "a CertificateVerify that does not verify";
    BadFinished => DecryptError, "a Finished that does not verify";
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())?;
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
//= rfc8446#section-4.4.2.2
//# then it MUST abort the handshake with an appropriate certificate-related alert
fn certificate_alert(reason: Reason) -> AlertDescription {
    match reason {
        Reason::Bad | Reason::WrongName => AlertDescription::BadCertificate,
        Reason::Unsupported | Reason::WrongPurpose => AlertDescription::UnsupportedCertificate,
        Reason::Expired => AlertDescription::CertificateExpired,
        Reason::Revoked => AlertDescription::CertificateRevoked,
        Reason::UnknownAuthority => AlertDescription::UnknownCa,
        Reason::Denied => AlertDescription::AccessDenied,
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
            Self::Groups => {
                "no group is allowed, or one is named twice, or a key share is asked for one that is not"
            }
            Self::SignatureSchemes => {
                "no signature scheme is accepted, or one that is for certificates alone"
            }
            Self::ServerName => "the server's name is neither a DNS name nor an IP address",
            Self::EmptyChain => "a certificate chain is empty",
            Self::Protocols => {
                "the name of an application protocol is empty or longer than 255 bytes, or one is required but none named"
            }
            Self::PskSecret => "the secret of a PSK is shorter than 16 bytes or all zero",
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

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
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
