//! What can be wrong with a certificate in its place in a path, and what of it the peer is told.

use alloc::{format, string::String};
use core::fmt;

use super::{text, time};
use crate::crypto::{
    certificate::{Reason, Rejection, UnixTime},
    public_key::KeyError,
};

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not DER, or not of the structure it should have: what.
    Malformed(&'static str),
    /// It breaks a rule that RFC 5280, Section 4 sets for every issuer: which.
    Profile(&'static str),
    /// It breaks a rule that the CA/Browser Forum's Baseline Requirements set for public authorities: which.
    Baseline(&'static str),
    /// An extension marked critical is not one that this validator understands.
    CriticalExtension(String),
    /// It is of a kind that this validator does not handle: which.
    Unsupported(&'static str),
    /// Its key is not acceptable.
    Key(KeyError),
    /// The algorithm of its signature is not acceptable.
    SignatureAlgorithm(KeyError),
    /// Its signature is wrong under the key of the one it names as its issuer.
    Signature,
    /// Its time is over: notAfter.
    Expired(UnixTime),
    /// Its time has not come: notBefore.
    NotYetValid(UnixTime),
    /// It does not belong to a certification authority.
    NotAuthority,
    /// Its keyUsage lacks this bit.
    KeyUsage(&'static str),
    /// More intermediates follow than its pathLenConstraint allows.
    PathLength(u8),
    /// More intermediates follow than the configuration allows.
    Depth(usize),
    /// Its extendedKeyUsage, or that of a CA above it, leaves out this purpose.
    Purpose(&'static str),
    /// None of its names is the one that was asked for: the one asked for, those it has.
    Name(String, String),
    /// It is not on the allow-list: which property of it is not, and what it shows of that.
    NotAllowed(&'static str, String),
    /// Its key, of RSA with so many bits, is shorter than the policy demands: the number it demands.
    ShortKey(usize, usize),
    /// A CA above it may not issue for this name: the name, the CA, and how.
    NameConstraint(String, String, &'static str),
    /// No certificate at hand belongs to its issuer: the issuer.
    UnknownIssuer(String),
    /// Its issuer's name is known, but its authorityKeyIdentifier names another key or certificate: the issuer.
    OtherKey(String),
    /// It is self-signed, and not in the trust store.
    UntrustedRoot,
    /// A CA in the path asks for a certificate policy that the path does not keep.
    Policy,
    /// It was revoked: when and why.
    Revoked(UnixTime, &'static str),
    /// Whether it was revoked cannot be found out: why.
    StatusUnknown(String),
    /// The search was given up: which allowance was spent.
    Budget(&'static str),
}

impl Problem {
    /// What the peer is told.
    pub fn reason(&self) -> Reason {
        match self {
            Self::SignatureAlgorithm(KeyError::WeakHash) => Reason::Bad,
            Self::CriticalExtension(_)
            | Self::Unsupported(_)
            | Self::Key(_)
            | Self::ShortKey(..)
            | Self::SignatureAlgorithm(_) => Reason::Unsupported,
            Self::Expired(_) | Self::NotYetValid(_) => Reason::Expired,
            Self::Purpose(_) => Reason::WrongPurpose,
            Self::Name(..) => Reason::WrongName,
            Self::NotAllowed(..) => Reason::Denied,
            Self::UnknownIssuer(_) | Self::OtherKey(_) | Self::UntrustedRoot | Self::Depth(_) => {
                Reason::UnknownAuthority
            }
            Self::Revoked(..) => Reason::Revoked,
            Self::StatusUnknown(_) => Reason::StatusUnknown,
            Self::Malformed(_)
            | Self::Profile(_)
            | Self::Baseline(_)
            | Self::Signature
            | Self::NotAuthority
            | Self::KeyUsage(_)
            | Self::PathLength(_)
            | Self::NameConstraint(..)
            | Self::Policy
            | Self::Budget(_) => Reason::Bad,
        }
    }

    /// How much it tells about why there is no path: of many failed paths, the most telling problem is reported.
    ///
    /// A wrong signature may only mean that two authorities share a name; a missing issuer, that a stray certificate lay about.
    fn weight(&self) -> u8 {
        match self {
            Self::UnknownIssuer(_) => 0,
            Self::OtherKey(_) | Self::UntrustedRoot => 1,
            Self::Malformed(_) => 2,
            Self::Signature => 3,
            Self::StatusUnknown(_) => 5,
            Self::Budget(_) => 6,
            Self::Revoked(..) => 7,
            _ => 4,
        }
    }
}

impl From<der::Error> for Problem {
    fn from(_: der::Error) -> Self {
        Self::Malformed("it is not DER of the structure it should have")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::Profile(rule) => write!(f, "breaks RFC 5280: {rule}"),
            Self::Baseline(rule) => write!(f, "breaks the Baseline Requirements for public CAs: {rule}"),
            Self::CriticalExtension(oid) => write!(f, "critical extension {oid} is not supported"),
            Self::Unsupported(what) => write!(f, "{what} are not supported"),
            Self::Key(error) => write!(f, "{error}"),
            Self::SignatureAlgorithm(KeyError::Algorithm) => f.write_str(
                "its signature algorithm is not accepted (SHA-256, -384 and -512 with RSA, SHA-256 and -384 with ECDSA, Ed25519 are)",
            ),
            Self::SignatureAlgorithm(KeyError::WeakHash) => {
                f.write_str("its signature hashes with MD5 or SHA-1, which are broken")
            }
            Self::SignatureAlgorithm(_) => f.write_str("its signatureAlgorithm is malformed"),
            Self::Signature => f.write_str("its signature is wrong"),
            Self::Expired(at) => write!(f, "expired at {}", time::Rfc3339(*at)),
            Self::NotYetValid(from) => write!(f, "not valid before {}", time::Rfc3339(*from)),
            Self::NotAuthority => f.write_str("issued a certificate, but is not a CA (basicConstraints)"),
            Self::KeyUsage(bit) => write!(f, "keyUsage lacks {bit}"),
            Self::PathLength(limit) => write!(f, "pathLenConstraint {limit} exceeded"),
            Self::Depth(limit) => write!(f, "more than {limit} intermediates"),
            Self::Purpose(purpose) => write!(f, "extendedKeyUsage does not allow {purpose}"),
            Self::Name(expected, found) => write!(f, "is for {found}, not for '{expected}'"),
            Self::NotAllowed(property, shown) => write!(f, "not allowed by {property}: it shows {shown}"),
            Self::ShortKey(bits, minimum) => write!(f, "an RSA key of {bits} bits, and {minimum} are demanded"),
            Self::NameConstraint(name, by, how) => write!(f, "'{name}' is {how} by '{by}'"),
            Self::UnknownIssuer(issuer) => write!(f, "its issuer '{issuer}' is neither sent nor trusted"),
            Self::OtherKey(issuer) => {
                write!(f, "its issuer '{issuer}' is known with another key than the one it names")
            }
            Self::UntrustedRoot => f.write_str("is self-signed and not trusted"),
            Self::Policy => f.write_str("no certificate policy is valid along the path, and a CA in it requires one"),
            Self::Revoked(at, why) => write!(f, "revoked at {} ({why})", time::Rfc3339(*at)),
            Self::StatusUnknown(why) => write!(f, "revocation status unknown: {why}"),
            Self::Budget(what) => write!(f, "path search given up: too many {what}"),
        }
    }
}

/// Where in a path a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The end entity of a server.
    Server,
    /// The end entity of a client.
    Client,
    /// Sent beside it.
    Intermediate,
    /// From the trust store.
    Anchor,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server certificate",
            Self::Client => "client certificate",
            Self::Intermediate => "intermediate",
            Self::Anchor => "trust anchor",
        })
    }
}

/// A problem, and the certificate it concerns.
#[derive(Clone, Debug)]
pub(super) struct Failure<'a> {
    pub(super) role: Role,
    /// The subject in DER; empty if the certificate could not be read.
    pub(super) subject: &'a [u8],
    pub(super) problem: Problem,
}

impl Failure<'_> {
    /// The one of two failures that tells more; the earlier one if they tell the same.
    pub(super) fn more_telling(self, other: Self) -> Self {
        if other.problem.weight() > self.problem.weight() { other } else { self }
    }

    /// Whether it is no use to try another path.
    pub(super) fn ends_search(&self) -> bool {
        matches!(self.problem, Problem::Budget(_))
    }

    pub(super) fn reject(self) -> Rejection {
        let Self { role, subject, problem } = self;
        let name = text::name(subject);
        let detail = match name.as_str() {
            "" => format!("{role}: {problem}"),
            name => format!("{role} '{name}': {problem}"),
        };
        Rejection { reason: problem.reason(), detail }
    }
}
