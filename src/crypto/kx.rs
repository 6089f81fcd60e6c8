//! Key exchange: the groups of RFC 8446, Section 4.2.7, and one ephemeral key of our own.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use ring::{agreement, rand::SecureRandom};

use super::{
    random::Random,
    secret::{CURVE_STACK, Overwritten, Secret, without_trace, words},
};

#[cfg(feature = "pq")]
pub mod hybrid;

/// A group for (EC)DHE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedGroup {
    /// X25519MLKEM768, ML-KEM-768 beside X25519 (draft-ietf-tls-ecdhe-mlkem)
    #[cfg(feature = "pq")]
    X25519MlKem768,
    /// x25519 (RFC 7748)
    X25519,
    /// secp256r1, NIST P-256
    Secp256r1,
    /// secp384r1, NIST P-384
    Secp384r1,
}

impl NamedGroup {
    /// All groups, in the default order of preference.
    //= rfc8446#section-9.1
    //# MUST support key exchange with secp256r1 (NIST P-256)
    //= rfc8446#appendix-B.3.1.4
    //# Values within "obsolete_RESERVED" ranges are used in previous versions of TLS and MUST NOT be offered
    //# or negotiated by TLS 1.3 implementations.
    pub const ALL: &[Self] = &[
        #[cfg(feature = "pq")]
        Self::X25519MlKem768,
        Self::X25519,
        Self::Secp256r1,
        Self::Secp384r1,
    ];

    /// The code point (RFC 8446, Section 4.2.7).
    pub fn code(self) -> u16 {
        match self {
            #[cfg(feature = "pq")]
            Self::X25519MlKem768 => 0x11ec,
            Self::X25519 => 0x001d,
            Self::Secp256r1 => 0x0017,
            Self::Secp384r1 => 0x0018,
        }
    }

    /// The group of a code point, if it is one of ours.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|group| group.code() == code)
    }

    /// The name in the IANA registry.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "pq")]
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::X25519 => "x25519",
            Self::Secp256r1 => "secp256r1",
            Self::Secp384r1 => "secp384r1",
        }
    }

    /// The group of a name, in letters of either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|group| group.name().eq_ignore_ascii_case(name))
    }

    /// The group that this one, a hybrid, contains and that can be offered on its own too.
    pub(crate) fn part(self) -> Option<Self> {
        match self {
            #[cfg(feature = "pq")]
            Self::X25519MlKem768 => Some(Self::X25519),
            Self::X25519 | Self::Secp256r1 | Self::Secp384r1 => None,
        }
    }

    /// Whether traffic that is recorded today stays secret from a quantum computer.
    pub fn is_post_quantum(self) -> bool {
        match self {
            #[cfg(feature = "pq")]
            Self::X25519MlKem768 => true,
            Self::X25519 | Self::Secp256r1 | Self::Secp384r1 => false,
        }
    }
}

/// Why a key exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchangeError {
    /// The peer's share is not a point of the group, has the wrong length, or gives the all-zero secret.
    PeerShare,
    /// The system gave no randomness.
    Random,
}

/// An ephemeral key of ours, good for one exchange.
pub trait KeyShare: Send {
    /// Its group.
    fn group(&self) -> NamedGroup;

    /// `key_exchange` of our KeyShareEntry (RFC 8446, Section 4.2.8).
    fn public(&self) -> &[u8];

    /// Computes the shared secret with the peer's `key_exchange` (RFC 8446, Section 7.4).
    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError>;

    /// The share within a hybrid that can be offered on its own too.
    fn part(&self) -> Option<&dyn KeyShare> {
        None
    }

    /// What is left of a hybrid when only [`KeyShare::part`] is used.
    fn into_part(self: Box<Self>) -> Option<Box<dyn KeyShare>> {
        None
    }
}

impl fmt::Debug for dyn KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare({})", self.group().name())
    }
}

/// The ephemeral keys of a ClientHello.
#[derive(Debug)]
pub(crate) struct KeyShares {
    groups: Vec<NamedGroup>,
    shares: Vec<Box<dyn KeyShare>>,
}

impl KeyShares {
    /// Makes shares for these groups. Where both a hybrid and its X25519 are among them, they have one key in common: RFC 9954,
    /// Section 3.2, lifts for this the rule that no two shares have. Only one of them is ever used.
    pub(crate) fn generate(
        groups: Vec<NamedGroup>,
        random: &mut dyn Random,
    ) -> Result<Self, KeyExchangeError> {
        // Hybrids first, whatever their place: the others may be parts of theirs.
        let mut shares: Vec<Box<dyn KeyShare>> = Vec::with_capacity(groups.len());
        for is_hybrid in [true, false] {
            for group in groups.iter().filter(|group| group.part().is_some() == is_hybrid) {
                if find(&shares, *group).is_none() {
                    shares.push(random.key_share(*group)?);
                }
            }
        }
        Ok(Self { groups, shares })
    }

    /// What is offered, in the order of the groups: each group, and its `key_exchange`.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NamedGroup, &[u8])> {
        self.groups.iter().filter_map(|group| Some((*group, find(&self.shares, *group)?.public())))
    }

    pub(crate) fn has(&self, group: NamedGroup) -> bool {
        self.iter().any(|(offered, _)| offered == group)
    }

    /// The share that the server chose, if it was offered; the others are dropped.
    pub(crate) fn take(self, code: u16) -> Option<Box<dyn KeyShare>> {
        let (group, _) = self.iter().find(|(offered, _)| offered.code() == code)?;
        self.shares.into_iter().find_map(|share| {
            if share.group() == group {
                return Some(share);
            }
            share.into_part().filter(|part| part.group() == group)
        })
    }
}

/// The share for a group, alone or within a hybrid.
fn find(shares: &[Box<dyn KeyShare>], group: NamedGroup) -> Option<&dyn KeyShare> {
    let mut shares = shares.iter().flat_map(|share| [Some(&**share), share.part()]).flatten();
    shares.find(|share| share.group() == group)
}

/// ring's private key.
type PrivateKey = Overwritten<agreement::EphemeralPrivateKey, { words::<agreement::EphemeralPrivateKey>() }>;

/// A key share made by ring, whose private half is overwritten when it is used or dropped: ring does not wipe it.
struct EphemeralKey {
    group: NamedGroup,
    private: PrivateKey,
    public: agreement::PublicKey,
}

/// Generates an ephemeral key; what is not made by ring alone takes its randomness from `random`.
pub(crate) fn generate<R: Random>(
    group: NamedGroup,
    ring_random: &dyn SecureRandom,
    #[cfg_attr(not(feature = "pq"), expect(unused_variables, reason = "only hybrids ask for it"))]
    random: &mut R,
) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
    let algorithm = match group {
        #[cfg(feature = "pq")]
        NamedGroup::X25519MlKem768 => return hybrid::generate(random),
        NamedGroup::X25519 => &agreement::X25519,
        NamedGroup::Secp256r1 => &agreement::ECDH_P256,
        NamedGroup::Secp384r1 => &agreement::ECDH_P384,
    };
    without_trace::<CURVE_STACK, _>(|| {
        let made = agreement::EphemeralPrivateKey::generate(algorithm, ring_random);
        let private = made.map_err(|_| KeyExchangeError::Random)?;
        let public = private.compute_public_key().map_err(|_| KeyExchangeError::Random)?;
        let share: Box<dyn KeyShare> =
            Box::new(EphemeralKey { group, private: PrivateKey::new(private), public });
        Ok(share)
    })
}

impl KeyShare for EphemeralKey {
    fn group(&self) -> NamedGroup {
        self.group
    }

    fn public(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn agree(mut self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        without_trace::<CURVE_STACK, _>(|| {
            let private = self.private.take().ok_or(KeyExchangeError::Random)?;
            let peer = agreement::UnparsedPublicKey::new(private.algorithm(), peer);
            //= rfc8446#section-4.2.8.2
            //# peers MUST validate each other's public value Q by ensuring that the point is a valid point on
            //# the elliptic curve.
            //= rfc8446#section-7.4.2
            //# leading zeros found in this octet string MUST NOT be truncated.
            //= rfc8446#section-7.4.2
            //# Implementations MUST check whether the computed Diffie-Hellman shared secret is the all-zero
            //# value and abort if so
            agreement::agree_ephemeral(private, &peer, Secret::from_slice)
                .map_err(|_| KeyExchangeError::PeerShare)
        })
    }
}

/// Our answer to a client's share: `key_exchange` of the server's KeyShareEntry, and the shared secret.
pub struct Response {
    /// What the client is sent.
    pub public: Vec<u8>,
    /// What both sides now share.
    pub shared_secret: Secret,
}

#[cfg(test)]
impl KeyShares {
    /// As if another implementation had made it.
    pub(crate) fn of(share: Box<dyn KeyShare>) -> Self {
        Self { groups: Vec::from([share.group()]), shares: Vec::from([share]) }
    }
}
