//! A kernel consumer's request, typed at the border: raw attributes become a [`Request`] here and nowhere else.

use std::{fmt, os::fd::OwnedFd, time::Duration};

use crate::crypto::certificate::ServerName;

use super::{
    keyring::KeySerial,
    netlink::{Attribute, Malformed},
    system,
};

/// `HANDSHAKE_A_ACCEPT_*` and `HANDSHAKE_A_X509_*` of linux/handshake.h
const SOCKFD: u16 = 1;
const MESSAGE_TYPE: u16 = 3;
const TIMEOUT: u16 = 4;
const AUTH_MODE: u16 = 5;
const PEER_IDENTITY: u16 = 6;
const CERTIFICATE: u16 = 7;
const PEERNAME: u16 = 8;
const KEYRING: u16 = 9;
const X509_CERT: u16 = 1;
const X509_PRIVKEY: u16 = 2;

/// Which hello the kernel's socket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Client,
    Server,
}

/// How the two sides prove themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Authentication {
    /// The client shows no certificate; the server does.
    Unauthenticated,
    Psk,
    X509,
}

/// What a consumer wants of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) role: Role,
    pub(super) authentication: Authentication,
    /// The server's name as the user typed it.
    pub(super) peer_name: Option<ServerName>,
    /// The consumer's own time limit.
    pub(super) timeout: Option<Duration>,
    pub(super) keyring: Option<KeySerial>,
    /// The PSKs to offer, in order.
    pub(super) peer_identities: Vec<KeySerial>,
    /// The keys with our certificate and its private key.
    pub(super) certificate: Option<(KeySerial, KeySerial)>,
}

/// Why a request makes no sense to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestError {
    Malformed(Malformed),
    Missing(&'static str),
    /// A number beyond those that we know.
    Unknown(&'static str, u32),
    /// There is no such handshake.
    ServerUnauthenticated,
    PeerName(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Missing(what) => write!(f, "the kernel's request has no {what}"),
            Self::Unknown(what, number) => write!(f, "the kernel's request has the unknown {what} {number}"),
            Self::ServerUnauthenticated => f.write_str("a server cannot be unauthenticated"),
            Self::PeerName(name) => write!(f, "{name:?} is neither a host name nor an address"),
        }
    }
}

impl From<Malformed> for RequestError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// The answer to ACCEPT: the socket is ours from here on, whatever the rest says.
#[derive(Debug)]
pub(super) struct Incoming {
    /// `None` when the kernel named no valid descriptor: then nothing can be answered.
    pub(super) socket: Option<OwnedFd>,
    pub(super) request: Result<Request, RequestError>,
}

impl Incoming {
    /// Takes the descriptor that the kernel installed for this answer; the answer is not used again.
    pub(super) fn adopt(attributes: &[Attribute]) -> Self {
        let socket = attributes.iter().find(|a| a.number == SOCKFD).and_then(|a| a.as_i32().ok());
        Self { socket: socket.and_then(system::adopt), request: Request::read(attributes) }
    }
}

impl Request {
    pub(super) fn read(attributes: &[Attribute]) -> Result<Self, RequestError> {
        let find = |number| attributes.iter().find(|attribute| attribute.number == number);
        let role = find(MESSAGE_TYPE).ok_or(RequestError::Missing("message type"))?.as_u32()?;
        let authentication = find(AUTH_MODE).ok_or(RequestError::Missing("authentication mode"))?.as_u32()?;
        let (role, authentication) = (Role::read(role)?, Authentication::read(authentication)?);
        if (role, authentication) == (Role::Server, Authentication::Unauthenticated) {
            return Err(RequestError::ServerUnauthenticated);
        }
        Ok(Self {
            role,
            authentication,
            peer_name: find(PEERNAME).map(read_peer_name).transpose()?,
            timeout: find(TIMEOUT).map(Attribute::as_u32).transpose()?.and_then(read_timeout),
            keyring: find(KEYRING).map(read_key).transpose()?.flatten(),
            peer_identities: read_identities(attributes)?,
            certificate: find(CERTIFICATE).map(read_certificate).transpose()?.flatten(),
        })
    }
}

impl Role {
    /// For counters and machines that read logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    fn read(number: u32) -> Result<Self, RequestError> {
        match number {
            1 => Ok(Self::Client),
            2 => Ok(Self::Server),
            _ => Err(RequestError::Unknown("message type", number)),
        }
    }
}

impl Authentication {
    /// For counters and machines that read logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "anonymous",
            Self::Psk => "psk",
            Self::X509 => "x509",
        }
    }

    fn read(number: u32) -> Result<Self, RequestError> {
        match number {
            1 => Ok(Self::Unauthenticated),
            2 => Ok(Self::Psk),
            3 => Ok(Self::X509),
            _ => Err(RequestError::Unknown("authentication mode", number)),
        }
    }
}

/// A host name or an address; the zone of a link-local address ("fe80::1%eth0") is not part of what a certificate names.
fn read_peer_name(attribute: &Attribute) -> Result<ServerName, RequestError> {
    let typed = attribute.as_string()?;
    let name = typed.split('%').next().unwrap_or_default();
    ServerName::parse(name).ok_or_else(|| RequestError::PeerName(typed.into()))
}

fn read_timeout(milliseconds: u32) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()))
}

/// A key's serial; 0 stands for none, and no kernel gives out a negative one.
fn read_key(attribute: &Attribute) -> Result<Option<KeySerial>, Malformed> {
    attribute.as_i32().map(KeySerial::new)
}

/// The nvme target sends one PEER_IDENTITY of 0, which means none.
fn read_identities(attributes: &[Attribute]) -> Result<Vec<KeySerial>, Malformed> {
    let identities = attributes.iter().filter(|attribute| attribute.number == PEER_IDENTITY);
    let keys: Vec<_> = identities.map(read_key).collect::<Result<_, _>>()?;
    Ok(keys.into_iter().flatten().collect())
}

fn read_certificate(attribute: &Attribute) -> Result<Option<(KeySerial, KeySerial)>, RequestError> {
    let nested = attribute.nested()?;
    let find = |number| nested.iter().find(|a| a.number == number).map(read_key).transpose();
    match (find(X509_CERT)?.flatten(), find(X509_PRIVKEY)?.flatten()) {
        (Some(certificate), Some(private_key)) => Ok(Some((certificate, private_key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(RequestError::Missing("private key for its certificate")),
        (None, Some(_)) => Err(RequestError::Missing("certificate for its private key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(serial: i32) -> KeySerial {
        KeySerial::new(serial).unwrap()
    }

    fn nfsd() -> Vec<Attribute> {
        vec![Attribute::u32(MESSAGE_TYPE, 2), Attribute::u32(AUTH_MODE, 3)]
    }

    #[test]
    fn what_an_nvme_host_asks() {
        let request = Request::read(&[
            Attribute::i32(SOCKFD, 7),
            Attribute::u32(MESSAGE_TYPE, 1),
            Attribute::u32(TIMEOUT, 10000),
            Attribute::u32(KEYRING, 0x1234),
            Attribute::u32(AUTH_MODE, 2),
            Attribute::u32(PEER_IDENTITY, 0x5678),
            Attribute::u32(PEER_IDENTITY, 0x9abc),
        ])
        .unwrap();
        assert_eq!(
            request,
            Request {
                role: Role::Client,
                authentication: Authentication::Psk,
                peer_name: None,
                timeout: Some(Duration::from_secs(10)),
                keyring: Some(key(0x1234)),
                peer_identities: vec![key(0x5678), key(0x9abc)],
                certificate: None,
            }
        );
    }

    #[test]
    fn what_an_nvme_target_asks_has_no_identity() {
        let mut attributes = vec![Attribute::u32(MESSAGE_TYPE, 2), Attribute::u32(AUTH_MODE, 2)];
        attributes.push(Attribute::u32(PEER_IDENTITY, 0));
        assert!(Request::read(&attributes).unwrap().peer_identities.is_empty());
    }

    #[test]
    fn what_an_nfs_client_asks() {
        let nest = [[8, 0, 1, 0], 5_i32.to_ne_bytes(), [8, 0, 2, 0], 6_i32.to_ne_bytes()].concat();
        let mut attributes = vec![
            Attribute::u32(MESSAGE_TYPE, 1),
            Attribute { number: PEERNAME, payload: b"Server.Test\0".into() },
            Attribute::u32(AUTH_MODE, 3),
            Attribute { number: CERTIFICATE, payload: nest.clone() },
        ];
        let request = Request::read(&attributes).unwrap();
        assert_eq!(request.peer_name, ServerName::parse("server.test"));
        assert_eq!((request.certificate, request.timeout), (Some((key(5), key(6))), None));

        attributes[3].payload.truncate(8);
        assert_eq!(Request::read(&attributes), Err(RequestError::Missing("private key for its certificate")));
        attributes[1].payload = b"fe80::1%eth0\0".into();
        attributes.truncate(3);
        assert_eq!(Request::read(&attributes).unwrap().peer_name, ServerName::parse("fe80::1"));
        attributes[1].payload = b"not a host\0".into();
        assert_eq!(Request::read(&attributes), Err(RequestError::PeerName("not a host".into())));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(Request::read(&nfsd()).is_ok());
        for (number, value, expected) in [
            (MESSAGE_TYPE, 0, RequestError::Unknown("message type", 0)),
            (MESSAGE_TYPE, 3, RequestError::Unknown("message type", 3)),
            (AUTH_MODE, 0, RequestError::Unknown("authentication mode", 0)),
            (AUTH_MODE, 1, RequestError::ServerUnauthenticated),
            (AUTH_MODE, 4, RequestError::Unknown("authentication mode", 4)),
        ] {
            let mut attributes = nfsd();
            attributes.retain(|attribute| attribute.number != number);
            assert!(matches!(Request::read(&attributes), Err(RequestError::Missing(_))));
            attributes.push(Attribute::u32(number, value));
            assert_eq!(Request::read(&attributes), Err(expected));
        }
        let mut attributes = nfsd();
        attributes.push(Attribute { number: TIMEOUT, payload: vec![1, 2] });
        assert!(matches!(Request::read(&attributes), Err(RequestError::Malformed(_))));
    }

    #[test]
    fn the_socket_is_taken_even_if_the_rest_is_wrong() {
        use std::os::fd::IntoRawFd;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let incoming = Incoming::adopt(&[Attribute::i32(SOCKFD, ours.into_raw_fd())]);
        assert!(incoming.request.is_err() && incoming.socket.is_some());
        drop(incoming);
        assert_eq!(std::io::Read::read(&mut &theirs, &mut [0]).unwrap(), 0, "it is closed when dropped");
        assert!(Incoming::adopt(&[Attribute::i32(SOCKFD, -1)]).socket.is_none());
    }
}
