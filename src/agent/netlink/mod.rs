//! The kernel's "handshake" generic netlink family (Linux, Documentation/netlink/specs/handshake.yaml).
//!
//! The only place that mentions neli, and that only as a codec ([`codec`]); the I/O and its checks are ours ([`socket`]).

mod codec;
mod policy;
mod socket;

use std::{
    cell::RefCell,
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    rc::Rc,
};

pub(super) use codec::{Attribute, Malformed};
pub(super) use policy::Policy;

use codec::{Body, Message, Outgoing};
use socket::Socket;

use super::request::Incoming;

const FAMILY: &str = "handshake";
const GROUP: &str = "tlshd";
const FAMILY_VERSION: u8 = 1;

/// GENL_ID_CTRL, its commands and attributes (linux/genetlink.h)
const CONTROLLER: u16 = 16;
const CONTROLLER_VERSION: u8 = 2;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_CMD_GETPOLICY: u8 = 10;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_NAME: u16 = 1;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;

/// The commands of the family, and their attributes (linux/handshake.h)
const HANDSHAKE_CMD_ACCEPT: u8 = 2;
const HANDSHAKE_CMD_DONE: u8 = 3;
const HANDSHAKE_A_ACCEPT_HANDLER_CLASS: u16 = 2;
const HANDSHAKE_HANDLER_CLASS_TLSHD: u32 = 1;
const HANDSHAKE_A_DONE_STATUS: u16 = 1;
const HANDSHAKE_A_DONE_SOCKFD: u16 = 2;
const HANDSHAKE_A_DONE_REMOTE_AUTH: u16 = 3;

/// How many events are read in one go: more than the kernel lets wait. Whoever has the rights in a namespace may send to the group.
const MAX_EVENTS: usize = 256;

/// Why the agent cannot talk to this kernel.
#[derive(Debug)]
pub(super) enum KernelError {
    /// The family does not exist.
    NoFamily,
    /// It exists, but without the multicast group.
    NoGroup,
    /// A system call failed.
    Io(&'static str, io::Error),
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFamily => f.write_str(
                "this kernel has no handshake service: it needs CONFIG_NET_HANDSHAKE (Linux 6.4 or newer, \
                 with NFS or NVMe/TCP support)",
            ),
            Self::NoGroup => write!(f, "the kernel's handshake service has no multicast group {GROUP:?}"),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

/// For commands, and for events.
pub(super) type Sockets = [OwnedFd; 2];

/// Opens what a [`Kernel`] is made of, in the namespace that we are in.
pub(super) fn sockets() -> io::Result<Sockets> {
    Ok([socket::open()?, socket::open()?])
}

/// The kernel's side of the agent: requests come from here, and their results go there.
#[derive(Debug)]
pub(super) struct Kernel {
    events: Socket,
    requests: Rc<Requests>,
}

/// The socket of commands; each [`super::pending::Pending`] holds it.
#[derive(Debug)]
struct Requests {
    socket: RefCell<Socket>,
    family: u16,
}

/// Takes the result of a request; a trait so that tests can watch the results.
pub(super) trait Answer {
    /// Sends DONE: a status (0 or an errno) and who the peer is (a key serial, or any number that is not 0).
    fn done(&self, socket: BorrowedFd<'_>, status: u32, remote_auth: Option<u32>) -> io::Result<()>;
}

impl Kernel {
    /// In the namespace that we are in.
    pub(super) fn open() -> Result<Self, KernelError> {
        Self::new(own_sockets()?)
    }

    /// To look only: the kernel queues no requests for who has not joined the group.
    pub(super) fn look() -> Result<Self, KernelError> {
        Ok(Self::find(own_sockets()?)?.0)
    }

    /// Finds the family and joins its group; from then on the kernel queues the requests of the sockets' namespace for us.
    pub(super) fn new(sockets: Sockets) -> Result<Self, KernelError> {
        let (kernel, group) = Self::find(sockets)?;
        kernel.events.join(group).map_err(|error| KernelError::Io("joining the tlshd group", error))?;
        Ok(kernel)
    }

    /// The family, and the number of its group.
    fn find(sockets: Sockets) -> Result<(Self, u32), KernelError> {
        let [mut socket, events] = sockets.map(Socket::new);
        let Family { id, group } = resolve(&mut socket)?;
        let requests = Rc::new(Requests { socket: RefCell::new(socket), family: id });
        Ok((Self { events, requests }, group))
    }

    /// Asks which attributes the kernel takes.
    pub(super) fn policy(&self) -> io::Result<Policy> {
        let family =
            Attribute { number: CTRL_ATTR_FAMILY_ID, payload: self.requests.family.to_ne_bytes().into() };
        let answer = self.requests.socket.borrow_mut().exchange(&Outgoing {
            family: CONTROLLER,
            version: CONTROLLER_VERSION,
            command: CTRL_CMD_GETPOLICY,
            dump: true,
            attributes: &[family],
        })?;
        let messages = answer.iter().filter_map(generic_attributes);
        Policy::read(messages).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Reads events away; what they say is only "ask with ACCEPT", and so does their loss (ENOBUFS). Whether some were lost.
    pub(super) fn drain_events(&self) -> io::Result<bool> {
        let mut were_lost = false;
        for _ in 0..MAX_EVENTS {
            match self.events.receive() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => were_lost = true,
                Err(error) => return Err(error),
            }
        }
        Ok(were_lost)
    }

    /// Takes the next request, if there is one.
    pub(super) fn accept(&self) -> io::Result<Option<Incoming>> {
        match self.requests.command(HANDSHAKE_CMD_ACCEPT, &[handler_class()]) {
            Ok(answer) => Ok(answer.iter().find_map(generic_attributes).map(Incoming::adopt)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where results go.
    pub(super) fn answers(&self) -> Rc<dyn Answer> {
        self.requests.clone()
    }
}

impl AsFd for Kernel {
    /// Readable when there are events.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

impl Requests {
    fn command(&self, command: u8, attributes: &[Attribute]) -> io::Result<Vec<Message>> {
        self.socket.borrow_mut().exchange(&Outgoing {
            family: self.family,
            version: FAMILY_VERSION,
            command,
            dump: false,
            attributes,
        })
    }
}

impl Answer for Requests {
    fn done(&self, socket: BorrowedFd<'_>, status: u32, remote_auth: Option<u32>) -> io::Result<()> {
        self.command(HANDSHAKE_CMD_DONE, &result(socket.as_raw_fd(), status, remote_auth)).map(drop)
    }
}

fn handler_class() -> Attribute {
    Attribute::u32(HANDSHAKE_A_ACCEPT_HANDLER_CLASS, HANDSHAKE_HANDLER_CLASS_TLSHD)
}

fn result(socket: RawFd, status: u32, remote_auth: Option<u32>) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::u32(HANDSHAKE_A_DONE_STATUS, status),
        Attribute::i32(HANDSHAKE_A_DONE_SOCKFD, socket),
    ];
    attributes.extend(remote_auth.map(|peer| Attribute::u32(HANDSHAKE_A_DONE_REMOTE_AUTH, peer)));
    attributes
}

/// The numbers that this kernel gave to the family and its group.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    id: u16,
    group: u32,
}

fn own_sockets() -> Result<Sockets, KernelError> {
    sockets().map_err(|error| KernelError::Io("netlink socket", error))
}

fn resolve(socket: &mut Socket) -> Result<Family, KernelError> {
    let request = Outgoing {
        family: CONTROLLER,
        version: CONTROLLER_VERSION,
        command: CTRL_CMD_GETFAMILY,
        dump: false,
        attributes: &[Attribute::string(CTRL_ATTR_FAMILY_NAME, FAMILY)],
    };
    let answer = socket.exchange(&request).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => KernelError::NoFamily,
        _ => KernelError::Io("looking for the handshake service", error),
    })?;
    let attributes = answer.iter().find_map(generic_attributes).ok_or(KernelError::NoFamily)?;
    let malformed = |error| KernelError::Io("looking for the handshake service", io::Error::other(error));
    read_family(attributes).map_err(malformed)?.ok_or(KernelError::NoGroup)
}

fn read_family(attributes: &[Attribute]) -> Result<Option<Family>, Malformed> {
    let id = find(attributes, CTRL_ATTR_FAMILY_ID).ok_or(Malformed("no family id"))?.as_u16()?;
    let Some(groups) = find(attributes, CTRL_ATTR_MCAST_GROUPS) else { return Ok(None) };
    for group in groups.nested()? {
        let group = group.nested()?;
        let name = find(&group, CTRL_ATTR_MCAST_GRP_NAME).ok_or(Malformed("a group without a name"))?;
        if name.as_string()? == GROUP {
            let group = find(&group, CTRL_ATTR_MCAST_GRP_ID).ok_or(Malformed("a group without an id"))?;
            return Ok(Some(Family { id, group: group.as_u32()? }));
        }
    }
    Ok(None)
}

fn find(attributes: &[Attribute], number: u16) -> Option<&Attribute> {
    attributes.iter().find(|attribute| attribute.number == number)
}

fn generic_attributes(message: &Message) -> Option<&[Attribute]> {
    match &message.body {
        Body::Generic { attributes, .. } => Some(attributes),
        Body::End(_) => None,
    }
}

/// Reads a datagram as each of the answers that the agent waits for, and hands on the attributes of its messages.
#[cfg(fuzzing)]
pub(super) fn read_for_fuzzing(datagram: &[u8], request: impl Fn(&[Attribute])) -> Result<(), Malformed> {
    let messages = codec::decode(datagram)?;
    messages.iter().filter_map(generic_attributes).for_each(|attributes| {
        request(attributes);
        let _ = read_family(attributes);
    });
    let policy = Policy::read(messages.iter().filter_map(generic_attributes))?;
    let _ = policy.takes_results();
    Ok(())
}

/// Side by side with code that was generated from the kernel's own specification (handshake.yaml).
#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{keyring::KeySerial, request::Request};
    use netlink_bindings::handshake::{Done, PushAccept};
    use nix::sys::socket::{NetlinkAddr, setsockopt, sockopt::RcvBufForce};
    use socket::tests::Stranger;
    use std::time::Duration;

    #[test]
    fn who_never_stops_sending_to_the_group_delays_nothing() {
        if !nix::unistd::getuid().is_root() {
            return;
        }
        let sockets = sockets().unwrap();
        setsockopt(&sockets[1], RcvBufForce, &(1 << 20)).unwrap();
        let [socket, events] = sockets.map(Socket::new);
        // The controller's own group, since not every kernel has ours.
        events.join(CONTROLLER.into()).unwrap();
        let kernel =
            Kernel { events, requests: Rc::new(Requests { socket: RefCell::new(socket), family: 0 }) };
        let (stranger, group) = (Stranger::new(), NetlinkAddr::new(0, 1 << (CONTROLLER - 1)));
        for _ in 0..=MAX_EVENTS {
            stranger.send(&group).unwrap();
        }
        assert!(!kernel.drain_events().unwrap());
        assert_eq!(kernel.events.receive().unwrap(), [], "the last");
        assert_eq!(kernel.events.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    /// The attributes of a request of ours, as bytes.
    fn sent(command: u8, attributes: &[Attribute]) -> Vec<u8> {
        let request = Outgoing { family: 31, version: FAMILY_VERSION, command, dump: false, attributes };
        codec::encode(&request, 1).split_off(20)
    }

    #[test]
    fn accept_is_what_the_specification_says() {
        let mut expected = Vec::new();
        PushAccept::new(&mut expected).push_handler_class(1);
        assert_eq!(sent(HANDSHAKE_CMD_ACCEPT, &[handler_class()]), expected);
    }

    #[test]
    fn done_is_read_by_the_specification() {
        // Not get_remote_auth(): that stops at the first attribute of another kind.
        let number = |done: Done| match done {
            Done::Status(status) => ("status", status),
            Done::Sockfd(socket) => ("socket", socket.unsigned_abs()),
            Done::RemoteAuth(peer) => ("peer", peer),
        };
        let read = |bytes: &[u8]| Done::new(bytes).map(|done| number(done.unwrap())).collect::<Vec<_>>();
        let bytes = sent(HANDSHAKE_CMD_DONE, &result(7, 13, Some(u32::MAX)));
        assert_eq!(read(&bytes), [("status", 13), ("socket", 7), ("peer", u32::MAX)]);
        let bytes = sent(HANDSHAKE_CMD_DONE, &result(7, 0, None));
        assert_eq!(read(&bytes), [("status", 0), ("socket", 7)]);
    }

    #[test]
    fn a_request_by_the_specification_is_read() {
        let mut bytes = vec![0; 20];
        let accept =
            PushAccept::new(&mut bytes).push_sockfd(-1).push_message_type(1).push_peername(c"server.test");
        let accept = accept.push_timeout(10_000).push_keyring(3).push_auth_mode(3);
        let accept = accept.nested_certificate().push_cert(4).push_privkey(5).end_nested();
        drop(accept.push_peer_identity(6).push_peer_identity(7));
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..6].copy_from_slice(&[&length.to_ne_bytes()[..], &31_u16.to_ne_bytes()].concat());
        let [message] = codec::decode(&bytes).unwrap().try_into().unwrap();
        let request = Incoming::adopt(generic_attributes(&message).unwrap()).request.unwrap();
        let key = |serial| KeySerial::new(serial).unwrap();
        let Request { peer_name, timeout, keyring, peer_identities, certificate, .. } = request;
        assert_eq!(peer_name.unwrap().to_string(), "server.test");
        assert_eq!((timeout, keyring), (Some(Duration::from_secs(10)), Some(key(3))));
        assert_eq!((peer_identities, certificate), (vec![key(6), key(7)], Some((key(4), key(5)))));
    }
}
