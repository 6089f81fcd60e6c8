//! The seam between the handshake and path validation: what the engine asks, and how a certificate is refused.

use alloc::{string::String, vec::Vec};
use core::{fmt, net::IpAddr};

use super::public_key::PublicKey;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

/// The name a client expects its server to prove (RFC 9525).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// A DNS name in A-label form, without a trailing dot; it goes into server_name (RFC 6066, Section 3).
    Dns(String),
    /// An IP address; it is matched against iPAddress names and never sent.
    Ip(IpAddr),
}

impl ServerName {
    /// Reads a name as a user types it: an IP literal, or a DNS name (one trailing dot is dropped).
    ///
    /// An IPv4-mapped IPv6 address is the IPv4 address that it stands for: no certificate may name it in the long form.
    /// `None` for anything that is neither: empty or over-long labels, or characters beyond letters, digits, `-` and `_`.
    pub fn parse(text: &str) -> Option<Self> {
        let literal = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Some(Self::Ip(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        is_host_name(name).then(|| Self::Dns(name.to_ascii_lowercase()))
    }

    /// Whether it is written as [`ServerName::parse`] would write it.
    pub(crate) fn is_canonical(&self) -> bool {
        match self {
            Self::Dns(name) => is_host_name(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase()),
            Self::Ip(address) => address.to_canonical() == *address,
        }
    }
}

/// Whether it is made of labels, the last of which is no number: or else it would be an address.
fn is_host_name(name: &str) -> bool {
    let mut labels = name.as_bytes().split(|byte| *byte == b'.');
    let looks_numeric = labels.clone().next_back().is_some_and(|label| label.iter().all(u8::is_ascii_digit));
    let labels_fit =
        labels.all(|label| (1..=63).contains(&label.len()) && label.iter().copied().all(is_host_byte));
    labels_fit && name.len() <= 253 && !looks_numeric
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// What a certificate is presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// A server's certificate, for this name.
    Server(&'a ServerName),
    /// A client's certificate.
    Client,
}

/// Validates the certificates of a peer.
pub trait CertificateVerifier: Send + Sync + fmt::Debug {
    /// Finds a path from `chain[0]`, the end entity, to a trust anchor and returns the end entity's key.
    ///
    /// `chain` holds each certificate in DER, as the peer sent them; it has at least one entry.
    fn verify(&self, chain: &[Vec<u8>], purpose: Purpose<'_>, now: UnixTime) -> Result<PublicKey, Rejection>;

    /// The distinguished names (DER) for certificate_authorities of a CertificateRequest; empty for none.
    fn authorities(&self) -> &[Vec<u8>] {
        &[]
    }
}

/// Why a certificate was refused, as far as the peer is told (each reason has its alert, RFC 8446, Section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not well-formed, or a signature in its path is wrong, or it breaks a rule of RFC 5280.
    Bad,
    /// It is of a kind that is not accepted: its key, its signature algorithm, a critical extension.
    Unsupported,
    /// Its time is over, or has not come.
    Expired,
    /// Its issuer took it back.
    Revoked,
    /// No path leads to a trust anchor.
    UnknownAuthority,
    /// It is valid, but for another name.
    WrongName,
    /// It is valid, but for another purpose.
    WrongPurpose,
    /// It is valid, but not wanted.
    Denied,
    /// Its status could not be found out, and the policy asks for it.
    StatusUnknown,
}

/// The refusal of a certificate, fit for one log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What the peer is told.
    pub reason: Reason,
    /// Which certificate, which rule: "intermediate 'CN=Lab CA 2': pathLenConstraint 0 exceeded".
    pub detail: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_names_are_read_as_typed() {
        assert_eq!(ServerName::parse("Server.Test."), Some(ServerName::Dns("server.test".into())));
        assert_eq!(ServerName::parse("::1"), Some(ServerName::Ip("::1".parse().unwrap())));
        assert_eq!(ServerName::parse("[::1]"), Some(ServerName::Ip("::1".parse().unwrap())));
        assert_eq!(ServerName::parse("::ffff:10.0.0.1"), ServerName::parse("10.0.0.1"));
        for bad in ["", ".", "a..b", "1.2.3", "1.2.3.256", "a b", "caf\u{e9}.test", "*.test"] {
            assert_eq!(ServerName::parse(bad), None, "{bad:?}");
        }
    }
}
