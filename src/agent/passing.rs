//! Messages and descriptors on a socket between two processes of ours, and the start of the other one.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, getsockopt,
    recvmsg, sendmsg, setsockopt, socketpair,
    sockopt::{SndBuf, SndBufForce},
};

use super::{
    border::MAX_MESSAGE,
    system::{self, retry},
};

/// Starts a program, ourselves as a rule, with one end of a socket as standard input and no environment; returns the other end.
pub(super) fn start(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    stderr: Stdio,
) -> io::Result<(Child, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (socket, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    make_room(&socket)?;
    make_room(&theirs)?;
    let process = Command::new(program)
        .arg0("handclasp")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()?;
    Ok((process, socket))
}

/// Makes sure that the longest message fits, whatever the host's defaults are.
fn make_room(socket: &OwnedFd) -> io::Result<()> {
    // The kernel doubles the number, for its own overhead. Beyond the host's limit only CAP_NET_ADMIN goes.
    if setsockopt(socket, SndBufForce, &MAX_MESSAGE).is_err() {
        setsockopt(socket, SndBuf, &MAX_MESSAGE)?;
    }
    match getsockopt(socket, SndBuf)? {
        ..MAX_MESSAGE => Err(io::Error::other("the host grants too small a buffer (net.core.wmem_max)")),
        _ => Ok(()),
    }
}

/// Sends one message, made of these parts, and descriptors beside it.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    parts: &[&[u8]],
    descriptors: &[RawFd],
    flags: MsgFlags,
) -> nix::Result<()> {
    let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let rights = [ControlMessage::ScmRights(descriptors)];
    let control = if descriptors.is_empty() { &[][..] } else { &rights[..] };
    let flags = flags | MsgFlags::MSG_NOSIGNAL;
    retry(|| sendmsg::<UnixAddr>(socket.as_raw_fd(), &parts, control, flags, None)).map(drop)
}

/// The length of the next message, if there is one, and the descriptors beside it, or an error if those were lost.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> nix::Result<(usize, nix::Result<Vec<OwnedFd>>)> {
    let mut control = nix::cmsg_space!([RawFd; 2]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let descriptors = received.cmsgs().map(|messages| {
        let rights = messages.filter_map(|message| match message {
            ControlMessageOwned::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        rights.flatten().map(system::adopt_received).collect()
    });
    Ok((received.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_longest_message_fits_on_a_host_with_small_buffers() {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        setsockopt(&ours, SndBuf, &8192).unwrap();
        let message = vec![7; MAX_MESSAGE];
        let send = || send(ours.as_fd(), &[&message], &[], MsgFlags::MSG_DONTWAIT);
        assert_eq!(send(), Err(nix::errno::Errno::EMSGSIZE));
        make_room(&ours).unwrap();
        send().unwrap();
        let mut buffer = vec![0; MAX_MESSAGE];
        let (length, descriptors) = receive(theirs.as_fd(), &mut buffer).unwrap();
        assert!(length == MAX_MESSAGE && descriptors.unwrap().is_empty() && buffer == message);
    }
}
