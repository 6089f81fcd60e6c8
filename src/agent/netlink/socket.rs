//! A generic netlink socket: bounded, checked datagrams from the kernel alone.

use std::{
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recvmsg, send, socket,
};

use super::codec::{self, Body, Message, Outgoing};
use crate::agent::system::{self, retry};

/// Larger than any answer of a family: the kernel sizes a dump's datagrams by the receiver's buffer, and an ACCEPT is below 1 KiB.
const DATAGRAM_LENGTH: usize = 32 * 1024;
const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;

/// A generic netlink socket that is connected to the kernel.
#[derive(Debug)]
pub(super) struct Socket {
    descriptor: OwnedFd,
    sequence: u32,
}

/// Opens one that only the kernel can send to: else whoever has the rights in its network namespace could fill it.
pub(super) fn open() -> io::Result<OwnedFd> {
    let descriptor =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkGeneric)?;
    // Not bound before, which would leave others the time to send.
    connect(descriptor.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(descriptor)
}

impl Socket {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self { descriptor, sequence: 0 }
    }

    /// Joins a multicast group by number; groups above 31 have no bit in an address, so this is the only way that always works.
    pub(super) fn join(&self, group: u32) -> io::Result<()> {
        system::set_socket_option(
            self.descriptor.as_fd(),
            SOL_NETLINK,
            NETLINK_ADD_MEMBERSHIP,
            &group.to_ne_bytes(),
        )
    }

    /// Sends a request and gathers its answer up to the acknowledgement; the kernel's refusal is an error with its errno.
    pub(super) fn exchange(&mut self, request: &Outgoing<'_>) -> io::Result<Vec<Message>> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = codec::encode(request, self.sequence);
        retry(|| send(self.descriptor.as_raw_fd(), &bytes, MsgFlags::empty()))?;
        let mut answer = Vec::new();
        loop {
            for message in self.receive()? {
                match message {
                    Message { sequence, .. } if sequence != self.sequence => {}
                    Message { body: Body::End(0), .. } => return Ok(answer),
                    Message { body: Body::End(errno), .. } => {
                        return Err(io::Error::from_raw_os_error(errno));
                    }
                    message => answer.push(message),
                }
            }
        }
    }

    /// The messages of the next datagram; none of one that somebody else sent to the group. Never waits, since the kernel answers
    /// before `send` returns.
    pub(super) fn receive(&self) -> io::Result<Vec<Message>> {
        let mut buffer = vec![0; DATAGRAM_LENGTH];
        let (length, truncated, sender) = retry(|| {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let descriptor = self.descriptor.as_raw_fd();
            let received = recvmsg::<NetlinkAddr>(descriptor, &mut parts, None, MsgFlags::MSG_DONTWAIT)?;
            let truncated = received.flags.contains(MsgFlags::MSG_TRUNC);
            Ok((received.bytes, truncated, received.address))
        })?;
        if sender.is_none_or(|address| address.pid() != 0) {
            return Ok(vec![]);
        }
        if truncated {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink message was cut off"));
        }
        codec::decode(buffer.get(..length).unwrap_or_default())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nix::{
        errno::Errno,
        sys::socket::{getsockname, sendto},
    };

    /// Somebody else's: neither bound nor connected.
    pub(in crate::agent::netlink) struct Stranger(OwnedFd);

    impl Stranger {
        pub(in crate::agent::netlink) fn new() -> Self {
            let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
            Self(socket(AddressFamily::Netlink, kind, flags, SockProtocol::NetlinkGeneric).unwrap())
        }

        /// Sends a message without content.
        pub(in crate::agent::netlink) fn send(&self, to: &NetlinkAddr) -> nix::Result<usize> {
            let message = [[16, 0, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
            sendto(self.0.as_raw_fd(), &message, to, MsgFlags::empty())
        }
    }

    #[test]
    fn nobody_but_the_kernel_can_send_to_a_socket() {
        let mut socket = Socket::new(open().unwrap());
        let address: NetlinkAddr = getsockname(socket.descriptor.as_raw_fd()).unwrap();
        let is_root = nix::unistd::getuid().is_root();
        // To others the kernel forbids it anyway.
        let refusal = if is_root { Errno::ECONNREFUSED } else { Errno::EPERM };
        assert_eq!(Stranger::new().send(&address), Err(refusal));
        assert_eq!(socket.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let name = [codec::Attribute::string(2, "nlctrl")];
        let request = Outgoing { family: 16, version: 2, command: 3, dump: false, attributes: &name };
        assert_eq!(socket.exchange(&request).unwrap().len(), 1, "the kernel is heard");
    }
}
