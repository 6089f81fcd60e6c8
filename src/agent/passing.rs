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
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg,
    sendmsg, socketpair,
};

use super::system::{self, retry};

/// Starts a program, ourselves as a rule, with one end of a socket as standard input and no environment; returns the other end.
pub(super) fn start(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    stderr: Stdio,
) -> io::Result<(Child, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (socket, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
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
