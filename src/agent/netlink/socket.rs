//! A generic netlink socket: bounded, checked datagrams from the kernel alone.

use std::{
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg, sendto, socket,
};

use super::codec::{self, Body, Message, Outgoing};
use crate::agent::system::{self, retry};

/// Larger than any answer of a family: the kernel sizes a dump's datagrams by the receiver's buffer, and an ACCEPT is below 1 KiB.
const DATAGRAM_LENGTH: usize = 32 * 1024;
const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;

/// A bound generic netlink socket.
#[derive(Debug)]
pub(super) struct Socket {
    descriptor: OwnedFd,
    sequence: u32,
}

pub(super) fn open() -> io::Result<OwnedFd> {
    let descriptor =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkGeneric)?;
    bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
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
        let kernel = NetlinkAddr::new(0, 0);
        retry(|| sendto(self.descriptor.as_raw_fd(), &bytes, &kernel, MsgFlags::empty()))?;
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

    /// The messages of the next datagram; never waits, since the kernel answers before `sendmsg` returns.
    pub(super) fn receive(&self) -> io::Result<Vec<Message>> {
        loop {
            let mut buffer = vec![0; DATAGRAM_LENGTH];
            let (length, truncated, sender) = retry(|| {
                let mut parts = [IoSliceMut::new(&mut buffer)];
                let descriptor = self.descriptor.as_raw_fd();
                let received = recvmsg::<NetlinkAddr>(descriptor, &mut parts, None, MsgFlags::MSG_DONTWAIT)?;
                let truncated = received.flags.contains(MsgFlags::MSG_TRUNC);
                Ok((received.bytes, truncated, received.address))
            })?;
            if sender.is_none_or(|address| address.pid() != 0) {
                continue;
            }
            if truncated {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink message was cut off"));
            }
            return codec::decode(buffer.get(..length).unwrap_or_default())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
