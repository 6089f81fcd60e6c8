//! The system calls that neither std nor nix offers: the one file with `unsafe`.
#![allow(
    unsafe_code,
    reason = "system calls without a safe wrapper in std or nix; each block says why it is sound"
)]

use std::{
    ffi::c_int,
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

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

fn check(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
