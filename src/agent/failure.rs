//! How a handshake fails, for the log in words and for the kernel's consumer as an errno.
//!
//! sunrpc folds everything but EACCES and ETIMEDOUT into EACCES, and NVMe stops reconnecting on ENOKEY and EKEYREJECTED: so a peer
//! that only went away must not look like one that was refused, and neither must our own going away.

use std::{fmt, io, time::Duration};

use super::{border::Verdict, driver, keyring::KeyError, lookup::NoName, request::RequestError};
use crate::engine::{AlertDescription, ConfigError, Error, LocalError, Violation};

/// Why a consumer gets no session.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request makes no sense.
    Request(RequestError),
    /// The socket is not one that TLS runs on.
    NotTcp,
    /// Something that the handshake needs is not configured.
    Missing(String),
    /// The peer's name is not known.
    Lookup(NoName),
    /// A key in a keyring cannot be used.
    Key(KeyError),
    /// Our own certificate or key is broken.
    Material(String),
    /// The handshake itself.
    Handshake(driver::Failure),
    /// The time is over.
    Timeout(Duration),
    /// kTLS could not be set up: which step, and why.
    Ktls(&'static str, io::Error),
    /// The socket could not be asked.
    Socket(io::Error),
    /// The agent ends.
    Stopping,
    /// A panic.
    Bug,
    /// The process that did the handshake is no more.
    WorkerLost,
    /// It claimed what cannot be.
    WorkerLied(&'static str),
    /// There is no room, and its peer takes the most of it.
    Crowded,
}

impl Failure {
    /// All that is said of it; `psk`: the handshake was for a PSK.
    pub(super) fn verdict(&self, psk: bool) -> Verdict {
        Verdict {
            errno: self.errno(psk),
            alert: self.alert(),
            received: self.received(),
            cause: self.cause(),
            may_lack_group: self.may_lack_group(),
            reason: self.to_string(),
        }
    }

    fn received(&self) -> Option<AlertDescription> {
        match self {
            Self::Handshake(driver::Failure::Engine(Error::Alert(received))) => Some(*received),
            _ => None,
        }
    }

    fn may_lack_group(&self) -> bool {
        let Self::Handshake(driver::Failure::Engine(error)) = self else { return false };
        matches!(
            error,
            Error::Peer(Violation::NoCommonGroup) | Error::Alert(AlertDescription::HandshakeFailure)
        )
    }

    fn cause(&self) -> Cause {
        match self {
            Self::Request(_) | Self::NotTcp | Self::Lookup(_) => Cause::Request,
            Self::Missing(_) | Self::Material(_) => Cause::Configuration,
            Self::Key(_) => Cause::Key,
            Self::Handshake(driver::Failure::Engine(error)) => engine_cause(error),
            Self::Handshake(driver::Failure::Closed) => Cause::Closed,
            Self::Handshake(driver::Failure::Io(_)) | Self::Socket(_) => Cause::Connection,
            Self::Timeout(_) => Cause::Timeout,
            Self::Ktls(..) => Cause::Kernel,
            Self::Stopping => Cause::Stopping,
            Self::Crowded => Cause::Crowded,
            Self::Bug | Self::WorkerLost | Self::WorkerLied(_) => Cause::Internal,
        }
    }

    /// What DONE says.
    pub(super) fn errno(&self, psk: bool) -> i32 {
        match self {
            Self::Request(RequestError::Unknown(..) | RequestError::ServerUnauthenticated) | Self::NotTcp => {
                libc::EOPNOTSUPP
            }
            Self::Request(_) => libc::EINVAL,
            Self::Missing(_) | Self::Material(_) => libc::ENOKEY,
            // EACCES ends a mount for good.
            Self::Lookup(NoName { passes, .. }) => {
                if *passes {
                    libc::ETIMEDOUT
                } else {
                    libc::EACCES
                }
            }
            Self::Key(error) => key_errno(error),
            // It may go well the next time.
            Self::Handshake(driver::Failure::Closed)
            | Self::Timeout(_)
            | Self::Stopping
            | Self::WorkerLost
            | Self::Crowded => libc::ETIMEDOUT,
            Self::Handshake(driver::Failure::Io(error)) | Self::Socket(error) => io_errno(error),
            Self::Handshake(driver::Failure::Engine(error)) => engine_errno(error, psk),
            Self::Ktls(_, error) => io_errno(error),
            Self::Bug | Self::WorkerLied(_) => libc::EIO,
        }
    }

    /// The alert that the peer was sent for it, if any.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Handshake(driver::Failure::Engine(error)) => error.alert(),
            Self::Timeout(_) | Self::Stopping | Self::Crowded => Some(GIVING_UP),
            _ => None,
        }
    }
}

/// The kinds of failures, for counters and for who reads logs by machine: few, and their names stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The consumer's request makes no sense.
    Request,
    /// Something is missing or broken in the configuration.
    Configuration,
    /// A key in a keyring cannot be used.
    Key,
    /// The peer broke the protocol, or nothing in common was found.
    Peer,
    /// The peer's certificate was refused.
    Certificate,
    /// The peer refused, with an alert.
    Alert,
    /// The peer went away.
    Closed,
    /// The connection broke.
    Connection,
    /// The time was over.
    Timeout,
    /// The kernel took no session.
    Kernel,
    /// The agent was being stopped.
    Stopping,
    /// There was no room, and its peer took the most of it.
    Crowded,
    /// A bug, or a worker that was lost.
    Internal,
}

impl Cause {
    pub(super) const ALL: [Self; 13] = [
        Self::Request,
        Self::Configuration,
        Self::Key,
        Self::Peer,
        Self::Certificate,
        Self::Alert,
        Self::Closed,
        Self::Connection,
        Self::Timeout,
        Self::Kernel,
        Self::Stopping,
        Self::Crowded,
        Self::Internal,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Configuration => "configuration",
            Self::Key => "key",
            Self::Peer => "peer",
            Self::Certificate => "certificate",
            Self::Alert => "alert",
            Self::Closed => "closed",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Kernel => "kernel",
            Self::Stopping => "stopping",
            Self::Crowded => "crowded",
            Self::Internal => "internal",
        }
    }
}

fn engine_cause(error: &Error) -> Cause {
    match error {
        Error::Peer(_) => Cause::Peer,
        Error::Certificate(_) => Cause::Certificate,
        Error::Alert(_) => Cause::Alert,
        Error::Closed => Cause::Closed,
        Error::Config(_) => Cause::Configuration,
        Error::Local(LocalError::Aborted(_)) => Cause::Timeout,
        Error::Local(_) => Cause::Internal,
    }
}

/// What a peer is told when we run out of time or end.
pub(super) const GIVING_UP: AlertDescription = AlertDescription::UserCanceled;

fn key_errno(error: &KeyError) -> i32 {
    match error {
        KeyError::Missing(_) | KeyError::Revoked(_) | KeyError::Forbidden(_) => libc::ENOKEY,
        KeyError::Expired(_) => libc::EKEYREJECTED,
        KeyError::Other(_, error) => io_errno(error),
    }
}

fn io_errno(error: &io::Error) -> i32 {
    match error.raw_os_error() {
        Some(libc::ENOMEM | libc::ENOBUFS) => libc::ENOMEM,
        Some(
            libc::ETIMEDOUT
            | libc::ECONNRESET
            | libc::ECONNABORTED
            | libc::ENOTCONN
            | libc::EPIPE
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH,
        ) => libc::ETIMEDOUT,
        _ => libc::EIO,
    }
}

fn engine_errno(error: &Error, psk: bool) -> i32 {
    let alert = if let Error::Alert(received) = error { Some(*received) } else { error.alert() };
    match (error, alert) {
        (Error::Peer(_) | Error::Alert(_), Some(AlertDescription::UnknownPskIdentity)) => libc::EKEYREJECTED,
        (Error::Peer(_) | Error::Alert(_), Some(AlertDescription::DecryptError)) if psk => libc::EKEYREJECTED,
        (Error::Peer(_) | Error::Certificate(_) | Error::Alert(_), _) => libc::EACCES,
        // So ends a peer that gives up, as we do (GIVING_UP): it refused nothing.
        (Error::Closed | Error::Local(LocalError::Aborted(_)), _) => libc::ETIMEDOUT,
        (
            Error::Config(
                ConfigError::NoAuthentication | ConfigError::NoCredentials | ConfigError::NoVerifier,
            ),
            _,
        ) => libc::ENOKEY,
        (Error::Config(_), _) => libc::EINVAL,
        (
            Error::Local(
                LocalError::Random | LocalError::NotSigned | LocalError::Protection | LocalError::Misuse,
            ),
            _,
        ) => libc::EIO,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::NotTcp => f.write_str("only TCP sockets can carry kernel TLS"),
            Self::Missing(what) | Self::Material(what) => f.write_str(what),
            Self::Lookup(NoName { reason, passes }) => {
                let when = if *passes { " now" } else { "" };
                write!(
                    f,
                    "the kernel names no peer, and reverse DNS knows none for its address{when}: {reason}"
                )
            }
            Self::Key(error) => error.fmt(f),
            Self::Handshake(failure) => failure.fmt(f),
            Self::Timeout(limit) => write!(f, "the peer did not finish within {} ms", limit.as_millis()),
            Self::Ktls(step, error) if error.raw_os_error() == Some(libc::ENOENT) => {
                write!(
                    f,
                    "{step}: the kernel lacks its tls module, or the cipher's (handclasp check says which)"
                )
            }
            Self::Ktls(step, error) => write!(f, "{step}: {error}"),
            Self::Socket(error) => write!(f, "the socket: {error}"),
            Self::Stopping => f.write_str("the agent is being stopped"),
            Self::Bug => f.write_str("the agent met a bug of its own"),
            Self::WorkerLost => f.write_str("the process that did the handshake ended"),
            Self::Crowded => {
                f.write_str("too many handshakes are in flight, and its address has the most of them")
            }
            Self::WorkerLied(claim) => write!(f, "the process that did the handshake claimed {claim}"),
        }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Handshake(driver::Failure::Engine(error))
    }
}

/// The name of an errno that DONE may carry.
pub(super) fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EACCES => "EACCES",
        libc::EINVAL => "EINVAL",
        libc::EIO => "EIO",
        libc::EKEYREJECTED => "EKEYREJECTED",
        libc::ENOKEY => "ENOKEY",
        libc::ENOMEM => "ENOMEM",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::ETIMEDOUT => "ETIMEDOUT",
        _ => "errno",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::{keyring::KeySerial, netlink::Malformed},
        crypto::certificate::{Reason, Rejection},
    };

    fn engine(error: Error) -> Failure {
        error.into()
    }

    #[test]
    fn a_group_that_is_missing_is_told_from_other_failures() {
        let may_lack_group = |error: Error| engine(error).verdict(false).may_lack_group;
        assert!(may_lack_group(Error::Peer(Violation::NoCommonGroup)));
        assert!(!may_lack_group(Error::Peer(Violation::NoCommonSuite)), "the same alert, but we know better");
        assert!(may_lack_group(Error::Alert(AlertDescription::HandshakeFailure)));
        assert!(!may_lack_group(Error::Alert(AlertDescription::BadCertificate)));
        let rejection = Rejection { reason: Reason::Expired, detail: String::new() };
        assert!(!may_lack_group(Error::Certificate(rejection)));
        assert!(!Failure::Timeout(Duration::ZERO).verdict(false).may_lack_group);
    }

    #[test]
    fn each_failure_has_the_errno_that_its_consumer_understands() {
        let key = KeySerial::new(1).unwrap();
        let rejection = Rejection { reason: Reason::Expired, detail: String::new() };
        let alert = |alert| engine(Error::Alert(alert));
        for (failure, errno) in [
            (Failure::Request(RequestError::Malformed(Malformed("x"))), "EINVAL"),
            (Failure::Request(RequestError::PeerName("x y".into())), "EINVAL"),
            (Failure::Request(RequestError::Unknown("message type", 3)), "EOPNOTSUPP"),
            (Failure::NotTcp, "EOPNOTSUPP"),
            (Failure::Missing(String::new()), "ENOKEY"),
            (Failure::Key(KeyError::Missing(key)), "ENOKEY"),
            (Failure::Key(KeyError::Revoked(key)), "ENOKEY"),
            (Failure::Key(KeyError::Expired(key)), "EKEYREJECTED"),
            (Failure::Lookup(NoName { reason: String::new(), passes: false }), "EACCES"),
            (Failure::Lookup(NoName { reason: String::new(), passes: true }), "ETIMEDOUT"),
            (Failure::Timeout(Duration::ZERO), "ETIMEDOUT"),
            (Failure::Handshake(driver::Failure::Closed), "ETIMEDOUT"),
            (Failure::Handshake(driver::Failure::Io(io::Error::from_raw_os_error(libc::ENOBUFS))), "ENOMEM"),
            (Failure::Handshake(driver::Failure::Io(io::Error::from_raw_os_error(libc::EBADF))), "EIO"),
            (Failure::Socket(io::Error::from_raw_os_error(libc::ENETUNREACH)), "ETIMEDOUT"),
            (Failure::Socket(io::Error::from_raw_os_error(libc::ECONNABORTED)), "ETIMEDOUT"),
            (Failure::Ktls("", io::Error::from_raw_os_error(libc::ENOENT)), "EIO"),
            (Failure::Ktls("", io::Error::from_raw_os_error(libc::ENOMEM)), "ENOMEM"),
            (Failure::Ktls("", io::Error::from_raw_os_error(libc::ENOTCONN)), "ETIMEDOUT"),
            (Failure::Stopping, "ETIMEDOUT"),
            (Failure::WorkerLost, "ETIMEDOUT"),
            (Failure::WorkerLied("x"), "EIO"),
            (Failure::Bug, "EIO"),
            (Failure::Crowded, "ETIMEDOUT"),
            (engine(Error::Certificate(rejection)), "EACCES"),
            (engine(Error::Peer(Violation::NotTls13)), "EACCES"),
            (engine(Error::Peer(Violation::UnknownPskIdentity)), "EKEYREJECTED"),
            (engine(Error::Closed), "ETIMEDOUT"),
            (engine(Error::Config(ConfigError::NoCredentials)), "ENOKEY"),
            (engine(Error::Config(ConfigError::TooLong)), "EINVAL"),
            (engine(Error::Local(LocalError::Random)), "EIO"),
            (alert(AlertDescription::HandshakeFailure), "EACCES"),
            (alert(AlertDescription::UnknownPskIdentity), "EKEYREJECTED"),
            (alert(AlertDescription::DecryptError), "EACCES"),
        ] {
            let found = errno_name(failure.errno(false));
            assert_eq!(found, errno, "{failure:?}");
        }
    }

    #[test]
    fn causes_are_numbered_as_they_are_listed() {
        let numbers = Cause::ALL.map(|cause| cause as usize);
        assert_eq!(numbers, std::array::from_fn(|index| index));
    }

    #[test]
    fn a_wrong_psk_is_a_rejected_key() {
        for error in [Error::Alert(AlertDescription::DecryptError), Error::Peer(Violation::BadBinder)] {
            assert_eq!(engine(error).errno(true), libc::EKEYREJECTED);
        }
    }
}
