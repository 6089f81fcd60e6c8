//! Purposes: extendedKeyUsage (RFC 5280, Section 4.2.1.12; RFC 9289, Section 5.2.1.1).

use core::ops::BitAnd;

use der::{Decode, asn1::ObjectIdentifier};

use super::{extensions::for_each, oid::Oid, problem::Problem};
use crate::crypto::der_reader::DerReader;

const SERVER_AUTH: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"));
const CLIENT_AUTH: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"));
const RPC_TLS_CLIENT: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.33"));
const RPC_TLS_SERVER: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.34"));
const ANY: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.37.0"));

/// Which role the end entity plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It authenticates a server.
    Server,
    /// It authenticates a client.
    Client,
}

/// Which purposes of an end entity are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequiredPurpose {
    /// id-kp-serverAuth or id-kp-clientAuth, or the RFC 9289 purpose of that side; no extendedKeyUsage at all allows every purpose.
    #[default]
    Tls,
    /// The same, but extendedKeyUsage must be there.
    ExplicitTls,
    /// id-kp-rpcTLSServer or id-kp-rpcTLSClient, which must be there.
    RpcTls,
}

impl RequiredPurpose {
    fn of(self, side: Side) -> (u8, &'static str) {
        match (self, side) {
            (Self::Tls | Self::ExplicitTls, Side::Server) => {
                (KeyPurposes::SERVER | KeyPurposes::RPC_SERVER, "serverAuth")
            }
            (Self::Tls | Self::ExplicitTls, Side::Client) => {
                (KeyPurposes::CLIENT | KeyPurposes::RPC_CLIENT, "clientAuth")
            }
            (Self::RpcTls, Side::Server) => (KeyPurposes::RPC_SERVER, "rpcTLSServer"),
            (Self::RpcTls, Side::Client) => (KeyPurposes::RPC_CLIENT, "rpcTLSClient"),
        }
    }

    /// Whether these purposes, or what is left of them, will do (`None`: without extendedKeyUsage).
    ///
    /// In an end entity anyExtendedKeyUsage does not stand for the purpose, as RFC 5280 allows: its key may have signed anything.
    //= rfc5280#section-4.2.1.12
    //# If the extension is present, then the certificate MUST only be used for one of the purposes indicated.
    pub(super) fn check(self, side: Side, purposes: Option<KeyPurposes>) -> Result<(), Problem> {
        let (accepted, name) = self.of(side);
        let allowed = match purposes {
            Some(purposes) => purposes.bits & accepted != 0,
            None => self == Self::Tls,
        };
        if allowed { Ok(()) } else { Err(Problem::Purpose(name)) }
    }
}

/// A set of the purposes that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyPurposes {
    bits: u8,
    /// anyExtendedKeyUsage was listed.
    any: bool,
}

impl KeyPurposes {
    const SERVER: u8 = 1;
    const CLIENT: u8 = 2;
    const RPC_SERVER: u8 = 4;
    const RPC_CLIENT: u8 = 8;
    /// What a certificate without the extension allows.
    pub(super) const ALL: Self = Self { bits: u8::MAX, any: true };

    pub(super) fn read(reader: &mut DerReader<'_>) -> Result<Self, Problem> {
        let mut purposes = Self { bits: 0, any: false };
        for_each(reader, |r, _| {
            match Oid::decode(r)? {
                SERVER_AUTH => purposes.bits |= Self::SERVER,
                CLIENT_AUTH => purposes.bits |= Self::CLIENT,
                RPC_TLS_SERVER => purposes.bits |= Self::RPC_SERVER,
                RPC_TLS_CLIENT => purposes.bits |= Self::RPC_CLIENT,
                ANY => purposes.any = true,
                _ => {}
            }
            Ok(())
        })?;
        Ok(purposes)
    }

    pub(super) fn lists_any(self) -> bool {
        self.any
    }

    /// What an authority with this extension lets its certificates do: there, anyExtendedKeyUsage restricts nothing.
    pub(super) fn of_authority(self) -> Self {
        if self.any { Self::ALL } else { self }
    }
}

impl BitAnd for KeyPurposes {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self { bits: self.bits & other.bits, any: self.any && other.any }
    }
}
