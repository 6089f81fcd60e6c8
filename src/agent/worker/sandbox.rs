//! What a worker gives up before it takes its first order: everything but its memory, the sockets it is handed, and randomness.
//!
//! ```text
//!   uid, gid, groups    nobody's, or those of the user "handclasp" if there is one; no capability, now or later
//!   no_new_privs        nothing that is executed gains anything (and nothing can be executed)
//!   resource limits     no file grows, no process starts, memory is bounded, no core
//!   Landlock            no path of the file system, no TCP port, where the kernel has it
//!   seccomp             the system calls in [`ALLOWED`] and no other; no memory becomes executable
//! ```
//! Whatever of this fails ends the worker, save that a kernel may be too old for Landlock.

use nix::{
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        signal::Signal,
    },
    unistd::{Gid, Uid, getuid, setgroups, setresgid, setresuid},
};
use std::fs;

use crate::agent::{
    process,
    system::{self, Condition},
};

/// Above what a worker can need: 1024 handshakes of [`crate::engine::HANDSHAKE_MEMORY`] are 384 MiB.
const MAX_MEMORY: u64 = 768 << 20;
/// The user and group that have no files.
pub(in crate::agent) const NOBODY: (u32, u32) = (65534, 65534);
/// Weighs a third of the broker's (sched(7)).
const NICENESS: i32 = 5;
/// The user that a worker is, if the system has it.
const USER: &str = "handclasp";

/// The system calls that a worker makes: to talk on the sockets it has, to wait, to have memory and randomness, and to end.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_gettid, // std's message about a panic says which thread it was
    libc::SYS_clock_gettime,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The same, but no memory becomes executable, and of a descriptor it can only be asked whether it is open.
const LIMITED: &[(libc::c_long, Condition)] = &[
    (libc::SYS_mmap, Condition::ThirdLacks(libc::PROT_EXEC)),
    (libc::SYS_mprotect, Condition::ThirdLacks(libc::PROT_EXEC)),
    (libc::SYS_fcntl, Condition::SecondIs(libc::F_GETFD)),
];

/// Gives everything up.
pub(super) fn enter() -> Result<(), String> {
    let step = |what: &'static str| move |error| format!("sandbox: {what}: {error}");
    // Where time is short, the broker goes first: it takes requests off the kernel's queue.
    system::be_nice(NICENESS);
    let _best_effort = system::set_slice(0);
    become_user(own_user().unwrap_or(NOBODY)).map_err(step("changing the user"))?;
    let errno = |what: &'static str| move |error: nix::Error| format!("sandbox: {what}: {error}");
    confine(MAX_MEMORY).map_err(errno("process controls and resource limits"))?;
    process::ignore_signals().map_err(errno("signals"))?;
    system::landlock().map_err(step("Landlock"))?;
    system::close_others().map_err(step("closing descriptors"))?;
    system::seccomp(ALLOWED, LIMITED).map_err(step("seccomp"))
}

/// Root becomes somebody else for good; whoever is not root stays who it is. Nobody keeps a capability.
pub(in crate::agent) fn become_user((uid, gid): (u32, u32)) -> std::io::Result<()> {
    if getuid().is_root() {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        system::limit_capability_bounds(0)?;
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    system::limit_capabilities(0)
}

/// Takes what a process can be denied that has become its user: debuggers, a life after its parent's, rights by execution, core
/// files, other files and processes, and memory beyond so much.
pub(in crate::agent) fn confine(max_memory: u64) -> nix::Result<()> {
    // A change of user undoes both.
    prctl::set_dumpable(false)?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()?;
    for (resource, limit) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_AS, max_memory),
    ] {
        setrlimit(resource, limit, limit)?;
    }
    Ok(())
}

/// The workers' own user, from /etc/passwd: the system's other sources of users may be on a network that is not there yet.
pub(in crate::agent) fn own_user() -> Option<(u32, u32)> {
    user(&fs::read_to_string("/etc/passwd").ok()?)
}

/// Finds it in a passwd(5) file.
fn user(passwd: &str) -> Option<(u32, u32)> {
    let mut fields = passwd.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'))?.split(':');
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0).then_some((uid, gid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{process::tests::alone, worker::probe};
    use std::{env, os::unix::process::ExitStatusExt, panic::catch_unwind, process::ExitStatus};

    const PROBE: &str = "HANDCLASP_SANDBOX_PROBE";

    /// What is forbidden beside [`probe::FORBIDDEN`], and takes unsafe code to try.
    const FORBIDDEN_TOO: &[(&str, fn())] = &[
        ("make memory executable", system::tests::map_executable),
        ("trace a process", system::tests::trace),
    ];

    /// What a worker needs, even in trouble.
    const ALLOWED_THINGS: &[(&str, fn())] = &[
        ("nothing", || {}),
        ("survive a panic", || assert!(catch_unwind(|| panic!("a bug")).is_err())),
        ("have more memory", || drop(vec![1_u8; 16 << 20])),
    ];

    /// Runs in a process of its own, which ends in it.
    #[test]
    #[ignore = "run by the tests below, in a process of its own"]
    fn probe() {
        let Ok(wanted) = env::var(PROBE) else { return };
        enter().unwrap();
        if let Some((_, attempt)) = probe::FORBIDDEN
            .iter()
            .chain(FORBIDDEN_TOO)
            .chain(ALLOWED_THINGS)
            .find(|(name, _)| *name == wanted)
        {
            attempt();
        }
        std::process::exit(0);
    }

    fn run(probe: &str) -> ExitStatus {
        let mut command = alone("agent::worker::sandbox::tests::probe");
        command.env(PROBE, probe).env_remove("RUST_BACKTRACE").output().unwrap().status
    }

    #[test]
    fn whatever_is_forbidden_ends_the_worker() {
        for (probe, _) in probe::FORBIDDEN.iter().chain(FORBIDDEN_TOO) {
            assert_eq!(run(probe).signal(), Some(libc::SIGSYS), "{probe}");
        }
        for (probe, _) in ALLOWED_THINGS {
            assert_eq!(run(probe).code(), Some(0), "{probe}");
        }
    }

    #[test]
    fn a_user_of_its_own_is_found() {
        let passwd =
            "root:x:0:0:root:/:/bin/sh\nhandclasp2:x:7:7::/:\nhandclasp:x:105:112::/nonexistent:/bin/false\n";
        assert_eq!(user(passwd), Some((105, 112)));
        assert_eq!(user("handclasp:x:0:0::/:\n"), None, "root is not");
        assert_eq!(user("handclasp:x\n"), None);
    }
}
