//! The system calls that neither std nor nix offers as we need them: the one file with `unsafe`.
#![allow(
    unsafe_code,
    reason = "system calls without a safe wrapper in std or nix; each block says why it is sound"
)]

use std::{
    ffi::{CStr, c_int},
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use nix::sys::socket::{SockaddrLike, SockaddrStorage};

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
#[cfg(feature = "tools")]
pub(super) fn send_record(socket: BorrowedFd<'_>, content_type: u8, payload: &[u8]) -> io::Result<()> {
    let mut control = [0_u64; 4];
    let mut vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
    // SAFETY: CMSG_SPACE only computes; msghdr is plain data, for which zeros are a valid value.
    let (space, mut message) = unsafe { (libc::CMSG_SPACE(1), std::mem::zeroed::<libc::msghdr>()) };
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

/// `KEYCTL_JOIN_SESSION_KEYRING` with a new one: nothing of the old one is possessed any longer.
pub(super) fn keyctl_leave_session() -> io::Result<()> {
    let (operation, anonymous) = (libc::KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<libc::c_char>());
    // SAFETY: without a name no memory of ours is touched.
    check(unsafe { libc::syscall(libc::SYS_keyctl, operation, anonymous) }).map(drop)
}

/// `getnameinfo` with NI_NAMEREQD: the name of an address, or its error (EAI_NONAME, ...), and that in words. It may wait for long.
pub(super) fn host_name(address: IpAddr) -> Result<Vec<u8>, (c_int, String)> {
    let address = SockaddrStorage::from(SocketAddr::new(address, 0));
    let mut name = [0_u8; libc::NI_MAXHOST as usize];
    let (host, length, service) = (name.as_mut_ptr().cast(), libc::NI_MAXHOST, ptr::null_mut());
    // SAFETY: the address and its length are those of a live sockaddr, which is only read; at most `name.len()` bytes are
    // written to `name`, the last of them NUL; no service is asked for.
    let result = unsafe {
        libc::getnameinfo(address.as_ptr(), address.len(), host, length, service, 0, libc::NI_NAMEREQD)
    };
    match result {
        0 => Ok(CStr::from_bytes_until_nul(&name).map(|name| name.to_bytes().to_vec()).unwrap_or_default()),
        libc::EAI_SYSTEM => Err((libc::EAI_SYSTEM, io::Error::last_os_error().to_string())),
        code => {
            // SAFETY: gai_strerror returns a string that ends with NUL and lives for ever, whatever the number.
            let words = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
            Err((code, words.to_string_lossy().into_owned()))
        }
    }
}

/// `KEYCTL_CLEAR`
pub(super) fn keyctl_clear(keyring: i32) -> io::Result<()> {
    // SAFETY: KEYCTL_CLEAR takes a number and touches no memory of ours.
    check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_CLEAR, keyring) }).map(drop)
}

/// Lets others go first (nice(2)); this cannot fail for a number above 0.
pub(super) fn be_nice(increment: i32) {
    // SAFETY: it takes a number and touches no memory of ours.
    let _niceness = unsafe { libc::nice(increment) };
}

/// Asks for the processor in slices of this length, and so with little delay, where the kernel has such (sched(7), since Linux
/// 6.12); 0: of the usual length.
pub(super) fn set_slice(nanoseconds: u64) -> io::Result<()> {
    // SAFETY: it takes numbers and touches no memory of ours.
    let niceness = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: sched_attr is plain data, for which zeros are a valid value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    attributes.size = size_of::<libc::sched_attr>() as u32;
    attributes.sched_nice = niceness;
    attributes.sched_runtime = nanoseconds;
    // SAFETY: the pointer is to a live structure whose size it tells, and the kernel writes nothing but that size into it.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut attributes, 0) }).map(drop)
}

/// Capabilities as bits of a set (linux/capability.h).
pub(super) const CAP_NET_ADMIN: u64 = 1 << 12;
pub(super) const CAP_SYS_ADMIN: u64 = 1 << 21;

/// Takes all capabilities but these out of the bounding set: nothing that is executed can have them.
pub(super) fn limit_capability_bounds(kept: u64) -> io::Result<()> {
    // PR_CAPBSET_READ fails beyond the last capability that the kernel knows.
    // SAFETY: both operations take numbers and touch no memory of ours.
    let known = (0..64).take_while(|c| unsafe { libc::prctl(libc::PR_CAPBSET_READ, *c, 0, 0, 0) } >= 0);
    for capability in known.filter(|capability| kept & 1 << capability == 0) {
        // SAFETY: as above.
        check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }.into())?;
    }
    Ok(())
}

/// Gives up all capabilities of this process but these, and makes sure of it.
pub(super) fn limit_capabilities(kept: u64) -> io::Result<()> {
    // SAFETY: PR_CAP_AMBIENT takes numbers and touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }.into())?;
    // struct __user_cap_header_struct (_LINUX_CAPABILITY_VERSION_3, ourselves), and two of __user_cap_data_struct: effective,
    // permitted and inheritable, of the lower 32 capabilities and then of the upper ones.
    let (mut header, mut sets) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    // SAFETY: the kernel reads and may write the header, and writes the sets, whose sizes the version tells.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) })?;
    let (lower, upper) = (kept as u32, (kept >> 32) as u32);
    let kept = [lower, lower, 0, upper, upper, 0];
    sets.iter_mut().zip(kept).for_each(|(set, kept)| *set &= kept);
    // SAFETY: as above, but it only reads.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) }).map(drop)
}

/// Closes every descriptor but the standard three.
pub(super) fn close_others() -> io::Result<()> {
    // SAFETY: nothing in this process owns a descriptor above 2: it is called before a worker has any.
    match check(unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) }) {
        // Linux before 5.9; ours are all closed on exec anyway.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        result => result.map(drop),
    }
}

/// Takes a descriptor that came beside a message (SCM_RIGHTS).
pub(super) fn adopt_received(descriptor: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made it for the receiver of this message; the only caller passes each one on once.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Forbids every path, TCP port, abstract socket and signal to others that the kernel's Landlock can; `Ok` too if it has none.
pub(super) fn landlock() -> io::Result<()> {
    const VERSION: u32 = 1;
    const TCP: u64 = 0b11;
    const SCOPES: u64 = 0b11;
    // SAFETY: without a ruleset this asks for the version alone.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u64>(), 0_usize, VERSION) };
    // The rights on files that each version knows; what is handled and allowed by no rule is forbidden.
    let (files, length) = match version {
        ..1 => return Ok(()),
        1 => (13, 1),
        2 => (14, 1),
        3 => (15, 1),
        4 => (15, 2),
        5 => (16, 2),
        _ => (16, 3),
    };
    let attributes: [u64; 3] = [(1 << files) - 1, TCP, SCOPES];
    // SAFETY: the kernel reads `length` of the three live numbers.
    let ruleset = unsafe {
        let size = length * size_of::<u64>();
        libc::syscall(libc::SYS_landlock_create_ruleset, attributes.as_ptr(), size, 0_u32)
    };
    let ruleset = c_int::try_from(check(ruleset)?).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    let ruleset = unsafe { OwnedFd::from_raw_fd(ruleset) };
    // SAFETY: two numbers; no memory of ours is touched.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    check(result).map(drop)
}

/// What an argument of a system call must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    /// The second is this.
    SecondIs(c_int),
    /// The third has none of these bits.
    ThirdLacks(c_int),
}

/// Kills the process at any system call but these, and at those of `limited` that do not meet their condition.
pub(super) fn seccomp(allowed: &[libc::c_long], limited: &[(libc::c_long, Condition)]) -> io::Result<()> {
    let filter = seccomp_filter(allowed, limited);
    let length = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program and its filter outlive the call, which copies them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0_u32, &raw const program) };
    check(result).map(drop)
}

/// A program for the kernel's classic BPF machine over `struct seccomp_data`.
fn seccomp_filter(allowed: &[libc::c_long], limited: &[(libc::c_long, Condition)]) -> Vec<libc::sock_filter> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const JUMP_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// `offsetof(struct seccomp_data, ...)`; of the arguments the lower halves, on a little-endian machine.
    const NUMBER: u32 = 0;
    const ARCHITECTURE: u32 = 4;
    const SECOND_ARGUMENT: u32 = 16 + 8;
    const THIRD_ARGUMENT: u32 = 16 + 2 * 8;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = |call: &libc::c_long| u32::try_from(*call).unwrap_or(u32::MAX);
    let kill = step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS);
    let allow = step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    let mut filter = vec![
        step(LOAD, 0, 0, ARCHITECTURE),
        step(JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        kill,
        step(LOAD, 0, 0, NUMBER),
    ];
    for call in allowed {
        filter.extend([step(JUMP_EQUAL, 0, 1, number(call)), allow]);
    }
    for (call, condition) in limited {
        let (argument, test) = match *condition {
            Condition::SecondIs(value) => (SECOND_ARGUMENT, step(JUMP_EQUAL, 1, 0, value as u32)),
            Condition::ThirdLacks(bits) => (THIRD_ARGUMENT, step(JUMP_SET, 0, 1, bits as u32)),
        };
        filter.extend([step(JUMP_EQUAL, 0, 4, number(call)), step(LOAD, 0, 0, argument), test, kill, allow]);
    }
    filter.push(kill);
    filter
}

/// The architecture whose system call numbers a filter knows (linux/audit.h).
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What an attacker does to run code of his own.
    pub(in crate::agent) fn map_executable() {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, which nothing uses.
        let _mapped = unsafe { libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0) };
    }

    /// What an attacker does to read another process.
    pub(in crate::agent) fn trace() {
        // SAFETY: PTRACE_TRACEME takes no pointers.
        let _traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    }

    /// `add_key(kind, description, payload, payload.len(), keyring)`
    pub(in crate::agent) fn add_key(
        kind: &CStr,
        description: &CStr,
        payload: &[u8],
        keyring: i32,
    ) -> io::Result<i32> {
        let (kind, description) = (kind.as_ptr(), description.as_ptr());
        // SAFETY: the pointers are those of live strings that end with NUL and of a live slice, which the kernel only reads.
        let key = unsafe {
            libc::syscall(libc::SYS_add_key, kind, description, payload.as_ptr(), payload.len(), keyring)
        };
        check(key).map(|key| i32::try_from(key).unwrap_or(0))
    }

    #[test]
    fn landlock_closes_the_file_system_where_there_is_landlock() {
        let opens = std::thread::spawn(|| {
            landlock().unwrap();
            std::fs::read("/etc/passwd").map_err(|error| error.kind())
        });
        // SAFETY: without a ruleset this asks for the version alone.
        let version =
            unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u64>(), 0_usize, 1_u32) };
        let refused = opens.join().unwrap() == Err(io::ErrorKind::PermissionDenied);
        assert_eq!(refused, version > 0);
    }
}
