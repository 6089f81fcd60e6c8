//! Alerts (RFC 8446, Section 6).

use core::fmt;

/// `AlertDescription`: why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are RFC 8446's, Section 6.2, where each is described")]
pub enum AlertDescription {
    CloseNotify,
    UnexpectedMessage,
    BadRecordMac,
    RecordOverflow,
    HandshakeFailure,
    BadCertificate,
    UnsupportedCertificate,
    CertificateRevoked,
    CertificateExpired,
    CertificateUnknown,
    IllegalParameter,
    UnknownCa,
    AccessDenied,
    DecodeError,
    DecryptError,
    ProtocolVersion,
    InsufficientSecurity,
    InternalError,
    InappropriateFallback,
    UserCanceled,
    MissingExtension,
    UnsupportedExtension,
    UnrecognizedName,
    BadCertificateStatusResponse,
    UnknownPskIdentity,
    CertificateRequired,
    NoApplicationProtocol,
    /// A code point outside Section 6; it ends the connection like every other.
    Unknown(u8),
}

use AlertDescription as A;

/// Code point, description and the RFC's name of each alert.
const TABLE: [(u8, AlertDescription, &str); 27] = [
    (0, A::CloseNotify, "close_notify"),
    (10, A::UnexpectedMessage, "unexpected_message"),
    (20, A::BadRecordMac, "bad_record_mac"),
    (22, A::RecordOverflow, "record_overflow"),
    (40, A::HandshakeFailure, "handshake_failure"),
    (42, A::BadCertificate, "bad_certificate"),
    (43, A::UnsupportedCertificate, "unsupported_certificate"),
    (44, A::CertificateRevoked, "certificate_revoked"),
    (45, A::CertificateExpired, "certificate_expired"),
    (46, A::CertificateUnknown, "certificate_unknown"),
    (47, A::IllegalParameter, "illegal_parameter"),
    (48, A::UnknownCa, "unknown_ca"),
    (49, A::AccessDenied, "access_denied"),
    (50, A::DecodeError, "decode_error"),
    (51, A::DecryptError, "decrypt_error"),
    (70, A::ProtocolVersion, "protocol_version"),
    (71, A::InsufficientSecurity, "insufficient_security"),
    (80, A::InternalError, "internal_error"),
    (86, A::InappropriateFallback, "inappropriate_fallback"),
    (90, A::UserCanceled, "user_canceled"),
    (109, A::MissingExtension, "missing_extension"),
    (110, A::UnsupportedExtension, "unsupported_extension"),
    (112, A::UnrecognizedName, "unrecognized_name"),
    (113, A::BadCertificateStatusResponse, "bad_certificate_status_response"),
    (115, A::UnknownPskIdentity, "unknown_psk_identity"),
    (116, A::CertificateRequired, "certificate_required"),
    (120, A::NoApplicationProtocol, "no_application_protocol"),
];

impl AlertDescription {
    /// The code point.
    pub fn code(self) -> u8 {
        match self {
            Self::Unknown(code) => code,
            known => TABLE.iter().find(|row| row.1 == known).expect("every alert has its row").0,
        }
    }

    /// The alert of a code point.
    //= rfc8446#section-6
    //# Unknown Alert types MUST be treated as error alerts.
    pub fn from_code(code: u8) -> Self {
        TABLE.iter().find(|row| row.0 == code).map_or(Self::Unknown(code), |row| row.1)
    }

    /// The two bytes of an alert: everything but the two closure alerts is fatal (RFC 8446, Section 6).
    pub(crate) fn message(self) -> [u8; 2] {
        const WARNING: u8 = 1;
        const FATAL: u8 = 2;
        match self {
            Self::CloseNotify | Self::UserCanceled => [WARNING, self.code()],
            //= rfc8446#section-6
            //# MUST be sent with AlertLevel=fatal
            _ => [FATAL, self.code()],
        }
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TABLE.iter().find(|row| row.1 == *self) {
            Some(row) => f.write_str(row.2),
            None => write!(f, "alert {}", self.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_point_reads_back() {
        for code in 0..=255 {
            assert_eq!(AlertDescription::from_code(code).code(), code);
        }
    }
}
