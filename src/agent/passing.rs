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
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, getsockopt, recvmsg, sendmsg,
    setsockopt, socketpair,
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
    let (length, is_whole) = (received.bytes, !received.flags.contains(MsgFlags::MSG_CTRUNC));
    let descriptors = rights(&control).into_iter().map(system::adopt_received).collect();
    // Dropped, those that came are closed.
    Ok((length, if is_whole { Ok(descriptors) } else { Err(nix::errno::Errno::ENOBUFS) }))
}

/// The descriptors in a control message (cmsg(3)) of the kernel, which writes one at most: its length, SOL_SOCKET, SCM_RIGHTS, and
/// they. nix shows none of them when one was lost, and the others would stay open.
fn rights(control: &[u8]) -> Vec<RawFd> {
    let read = || {
        let (length, rest) = control.split_first_chunk()?;
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, descriptors) = rest.split_first_chunk()?;
        let is_rights =
            [level, kind].map(|number| i32::from_ne_bytes(*number)) == [libc::SOL_SOCKET, libc::SCM_RIGHTS];
        let header = control.len() - descriptors.len();
        let length = usize::from_ne_bytes(*length).checked_sub(header)?;
        descriptors.get(..length).filter(|_| is_rights)
    };
    let (descriptors, _) = read().unwrap_or_default().as_chunks();
    descriptors.iter().map(|number| RawFd::from_ne_bytes(*number)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::agent::wait::{tests::A_PROCESS_STARTS, wait};
    use nix::poll::PollFlags;
    use std::os::fd::AsFd;

    /// Two ends of a socket that keeps messages apart.
    pub(in crate::agent) fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    #[test]
    fn the_longest_message_fits_on_a_host_with_small_buffers() {
        let (ours, theirs) = pair();
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

    #[test]
    fn descriptors_that_came_without_the_others_are_closed() {
        let ((ours, theirs), (watch, passed)) = (pair(), pair());
        let receive = || receive(theirs.as_fd(), &mut [0; 8]).unwrap();
        let send =
            |descriptors: &[RawFd]| send(ours.as_fd(), &[b"x"], descriptors, MsgFlags::empty()).unwrap();
        for count in 0..=2 {
            send(&vec![passed.as_raw_fd(); count]);
            let (1, Ok(descriptors)) = receive() else { panic!("{count} descriptors") };
            assert_eq!(descriptors.len(), count);
        }
        send(&[passed.as_raw_fd(); 3]);
        assert!(matches!(receive(), (1, Err(_))), "there is room for two");
        drop(passed);
        wait([(watch.as_fd(), PollFlags::POLLIN)], Some(A_PROCESS_STARTS)).unwrap();
        let end = nix::sys::socket::recv(watch.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT);
        assert_eq!(end, Ok(0), "nobody has it open any more");
    }
}
