//! The border between those who have the keys and those who parse what strangers send: orders go down, reports come up.
//!
//! ```text
//!   broker                                                        worker
//!     | Begin (configuration, socket)  ------------------------->   | ClientHello ...
//!     | <------------------------------  Sign, FindPsk (one each)   |
//!     | Signature, Psk                 ------------------------->   |
//!     | <---------------------------------------  Done, Failed      |
//! ```
//!
//! In one process the values themselves pass; between two, [`wire`] writes and reads them. A worker may have been taken over by
//! a peer: the broker believes a report only for the handshake it is about, and checks what it signs.

mod wire;

use std::{os::fd::OwnedFd, sync::Arc};

use super::{
    failure::Cause,
    key_log::{Collector, KeyLogEntry},
};
use crate::{
    crypto::{
        certificate::UnixTime, key_schedule::TrafficSecret, kx::NamedGroup, secret::Secret,
        signature_scheme::SignatureScheme, suite::CipherSuite,
    },
    engine::{
        AlertDescription, Direction, Psk, PskOffer,
        config::{ClientConfig, ServerConfig},
    },
};

pub(super) use wire::{
    MAX_MESSAGE, Parcel, Verifiers, number_of, read_order, read_report, write_order, write_report,
};

/// The number of a handshake, as long as the agent runs.
pub(super) type Number = u32;

/// What a handshake may do and has to offer; a verifier in it stands for one that the worker has.
#[derive(Debug)]
pub(super) enum Config {
    Client(ClientConfig),
    Server(ServerConfig),
}

impl Config {
    /// Has its secrets collected.
    pub(super) fn log_keys(&mut self) {
        let collector = Some(Arc::new(Collector::default()) as _);
        match self {
            Self::Client(config) => config.key_log = collector,
            Self::Server(config) => config.key_log = collector,
        }
    }

    /// Whether its secrets are wanted.
    pub(super) fn logs_keys(&self) -> bool {
        match self {
            Self::Client(config) => config.key_log.is_some(),
            Self::Server(config) => config.key_log.is_some(),
        }
    }

    pub(super) fn groups(&self) -> &[NamedGroup] {
        match self {
            Self::Client(config) => &config.groups,
            Self::Server(config) => &config.groups,
        }
    }
}

/// What the broker tells a worker about one handshake.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "an order is written or followed at once, and never kept")]
pub(super) enum Order {
    /// Do a handshake on this socket, at this time; if the configuration has a verifier, it is the one of this trust store.
    Begin { config: Config, trust: usize, now: UnixTime, socket: OwnedFd },
    /// The signature that was asked for; `None`: there is none.
    Signature(Option<Vec<u8>>),
    /// The PSK that was asked for, and which of the offers it is; `None`: none is known.
    Psk(Option<(usize, Psk)>),
    /// Give up, and tell the peer with this alert.
    Abort(AlertDescription),
    /// Verify peers with the trust stores in this file, and write debug messages or not, from now on; it is for the worker as a whole.
    Trust { file: OwnedFd, is_debug: bool },
}

/// What a worker tells the broker about one handshake.
#[derive(Debug)]
pub(super) enum Report {
    /// The worker has given up its rights and has its trust stores; it is of no handshake.
    Ready,
    /// Sign this with the private key of the certificate.
    Sign { scheme: SignatureScheme, message: Vec<u8> },
    /// Look for one of these.
    FindPsk(Vec<PskOffer>),
    /// The handshake is done.
    Done(Box<Established>),
    /// The handshake failed.
    Failed(Verdict),
}

impl Report {
    /// Whether no other follows of this handshake.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }
}

/// A session, as far as the kernel, its consumer and the log need it.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) suite: CipherSuite,
    pub(super) group: NamedGroup,
    pub(super) tx: Direction,
    pub(super) rx: Direction,
    pub(super) peer_record_size_limit: Option<u16>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) peer: Proved,
    /// For a key log, if there is one.
    pub(super) key_log: Option<KeyLogEntry>,
}

/// Who the peer proved to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proved {
    Nobody,
    /// The holder of a PSK: its identity, and which of the offers it was.
    Psk {
        identity: Vec<u8>,
        index: usize,
    },
    /// The subject of a certificate, in words.
    Certificate(String),
}

/// Why a handshake failed: for the kernel's consumer, for the peer, and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What DONE says.
    pub(super) errno: i32,
    /// The alert that the peer was sent.
    pub(super) alert: Option<AlertDescription>,
    /// The alert that the peer sent.
    pub(super) received: Option<AlertDescription>,
    /// Of which kind it is.
    pub(super) cause: Cause,
    /// Whether the ends may have no group in common: so it was found, or the peer's alert can mean it (RFC 8446, Section 4.1.1).
    pub(super) may_lack_group: bool,
    /// One line's worth of words; a peer may have chosen some of them.
    pub(super) reason: String,
}

impl Established {
    /// Each as long as the suite's hash, in the order in which they cross the border.
    fn secrets(&self) -> Vec<&[u8]> {
        let handshake = self.key_log.iter().flat_map(|entry| &entry.handshake);
        let session = [&self.tx.secret, &self.rx.secret].map(TrafficSecret::expose);
        session.into_iter().chain(handshake.map(Secret::expose)).collect()
    }
}
