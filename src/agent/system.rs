//! The system calls that neither std nor nix offers as we need them: the one file with `unsafe`.
#![allow(
    unsafe_code,
    reason = "system calls without a safe wrapper in std or nix; each block says why it is sound"
)]

use std::{
    ffi::{CStr, c_int},
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// Makes a system call again when a signal interrupted it.
pub(super) fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(nix::errno::Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// `setsockopt(socket, level, name, value, value.len())`.
pub(super) fn set_socket_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length are those of a live slice, which the kernel only reads.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    check(result.into()).map(drop)
}

/// Sends `payload` as one record of a kTLS socket, of the content type `content_type` (`TLS_SET_RECORD_TYPE`).
pub(super) fn send_record(socket: BorrowedFd<'_>, content_type: u8, payload: &[u8]) -> io::Result<()> {
    let mut control = [0_u64; 4];
    let mut vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
    // SAFETY: CMSG_SPACE only computes; msghdr is plain data, for which zeros are a valid value.
    let (space, mut message) = unsafe { (libc::CMSG_SPACE(1), mem::zeroed::<libc::msghdr>()) };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = space as _;
    // SAFETY: msg_control points to `control`, 32 aligned bytes, which hold a header of 16 bytes and one byte of data
    // (CMSG_SPACE(1) is 24), so the first header and its data lie within; `vector` outlives the call, and sendmsg only reads it.
    let result = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_TLS;
        (*header).cmsg_type = libc::TLS_SET_RECORD_TYPE;
        (*header).cmsg_len = libc::CMSG_LEN(1) as _;
        ptr::write(libc::CMSG_DATA(header), content_type);
        libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
    };
    check(result as i64).map(drop)
}

/// The transport protocol of a socket (SO_PROTOCOL).
pub(super) fn socket_protocol(socket: BorrowedFd<'_>) -> io::Result<c_int> {
    let mut protocol: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the live integer that the pointer is of.
    let result = unsafe {
        let value = (&raw mut protocol).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PROTOCOL, value, &raw mut length)
    };
    check(result.into()).map(|_| protocol)
}

fn check(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Takes a descriptor that the kernel has just installed for us; `None` if there is none of that number.
pub(super) fn adopt(descriptor: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD takes no argument and only looks the number up; an unused or negative one is refused with EBADF.
    let exists = unsafe { libc::fcntl(descriptor, libc::F_GETFD) } >= 0;
    // SAFETY: the descriptor is open, and nobody else owns it: the only caller passes the number of an ACCEPT reply (or, in a
    // test, of a socket it gave up), which the kernel installed in this process for the receiver of that reply alone.
    exists.then(|| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// `keyctl(operation, key, buffer, length)`, for operations that fill a buffer; returns the full length, which may be larger.
pub(super) fn keyctl_into(operation: u32, key: i32, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to a live, exclusively borrowed slice.
    let length =
        unsafe { libc::syscall(libc::SYS_keyctl, operation, key, buffer.as_mut_ptr(), buffer.len()) };
    check(length).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}

/// `KEYCTL_SEARCH` without a destination.
pub(super) fn keyctl_search(keyring: i32, kind: &CStr, description: &CStr) -> io::Result<i32> {
    let (kind, description) = (kind.as_ptr(), description.as_ptr());
    // SAFETY: both pointers are those of live strings that end with NUL, which the kernel only reads.
    let key = unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SEARCH, keyring, kind, description, 0) };
    check(key).map(|key| i32::try_from(key).unwrap_or(0))
}

/// `KEYCTL_LINK`
pub(super) fn keyctl_link(key: i32, keyring: i32) -> io::Result<()> {
    // SAFETY: KEYCTL_LINK takes two numbers and touches no memory of ours.
    check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_LINK, key, keyring) }).map(drop)
}
