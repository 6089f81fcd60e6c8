//! What the agent sets up for itself as a process: hardening, signals, limits, and what it finds out about its host.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::{
    prctl,
    resource::{Resource, getrlimit, setrlimit},
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

use crate::crypto::certificate::UnixTime;

use super::{flow::Abilities, ktls, log, netlink::Kernel, system};

/// How many handshakes are in flight at most. Each holds two descriptors, and in its worker up to
/// [`crate::engine::HANDSHAKE_MEMORY`], so this bounds the memory that strangers can take. Beyond it some give way.
const MAX_IN_FLIGHT: usize = 1024;
/// How many may be giving way: their peers are told first, which takes a moment. While that many do, requests wait in the
/// kernel, which holds up to 50.
const MAX_GIVING_WAY: usize = 16;
/// The shortest slice of the processor that there is, in nanoseconds.
const SLICE: u64 = 100_000;
/// Descriptors that are not a handshake's: netlink, signals, stderr, files that are being read, and some to spare.
const OTHER_DESCRIPTORS: u64 = 64;

/// The time for certificates.
pub(crate) fn now() -> UnixTime {
    // A clock before 1970 makes every certificate not yet valid, which is the safe side.
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()))
}

/// No core file and no debugger sees the keys.
pub(super) fn harden() {
    let results = [prctl::set_dumpable(false), setrlimit(Resource::RLIMIT_CORE, 0, 0)];
    for error in results.into_iter().filter_map(Result::err) {
        log::warning(format_args!("the agent's memory is not protected from core dumps: {error}"));
    }
}

/// The kernel's queue of requests is short, and its consumers need not wait for us: on a busy host the agent goes on soon, and for a
/// short time. Workers do not have that from it.
pub(super) fn be_prompt() {
    if let Err(error) = system::set_slice(SLICE) {
        log::debug(format_args!("the agent is scheduled as any other process: {error}"));
    }
}

pub(super) fn take_signals() -> nix::Result<SignalFd> {
    ignore_signals()?;
    SignalFd::with_flags(&signals(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Leaves the signals that mean the agent as a whole to its first process: a terminal and a service manager send them to all.
pub(super) fn ignore_signals() -> nix::Result<()> {
    signals().thread_block()
}

fn signals() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect()
}

/// Keeps the right to everything out of reach of whoever takes the agent over, and of what the agent starts: nothing that it
/// does needs it. Outside a service manager's bounds root would have it back with the next program.
pub(super) fn give_up_rights() {
    let kept = !system::CAP_SYS_ADMIN;
    // Each, whatever becomes of the others: the first needs CAP_SETPCAP.
    let steps = [
        system::limit_capability_bounds(kept),
        system::limit_capabilities(kept),
        prctl::set_no_new_privs().map_err(Into::into),
    ];
    if let Some(error) = steps.into_iter().find_map(Result::err) {
        log::warning(format_args!("CAP_SYS_ADMIN cannot be given up for good: {error}"));
    }
}

/// How many handshakes there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// How many in all.
    pub(super) total: usize,
    /// Beyond how many the greediest peer's newest gives way; a little less.
    pub(super) fair: usize,
}

/// Room for as many handshakes as there may be descriptors for, up to [`MAX_IN_FLIGHT`] and [`MAX_GIVING_WAY`]: each has one
/// here, and one for its worker; so many other namespaces have two each.
pub(super) fn room(namespaces: usize) -> Room {
    let most = MAX_IN_FLIGHT + MAX_GIVING_WAY;
    let others = OTHER_DESCRIPTORS + 2 * namespaces as u64;
    let wanted = 2 * most as u64 + others;
    let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => {
            let raised = wanted.min(hard).max(soft);
            if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft }
        }
        Err(_) => wanted / 4,
    };
    let total = usize::try_from(limit.saturating_sub(others) / 2).unwrap_or(most).clamp(1, most);
    Room { total, fair: total - MAX_GIVING_WAY.min(total / 4) }
}

/// DONE's attributes are as old as the family; a kernel that differs is told of, and served as well as can be.
pub(super) fn check_policy(kernel: &Kernel) {
    match kernel.policy() {
        Ok(policy) if policy.takes_results() => log::debug(format_args!("policy of the kernel: {policy:?}")),
        Ok(policy) => {
            log::warning(format_args!("the kernel's handshake service takes other results: {policy:?}"))
        }
        Err(error) => {
            log::warning(format_args!("the kernel's handshake service does not tell its policy: {error}"))
        }
    }
}

/// Loads the tls module, and finds out what it can do.
pub(super) fn probe_ktls() -> Abilities {
    match ktls::probe() {
        Ok(record_size_limit) => Abilities { record_size_limit },
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
            log::warning(format_args!(
                "the kernel's tls module is missing: every handshake will fail (modprobe tls)"
            ));
            Abilities::default()
        }
        Err(error) => {
            log::warning(format_args!(
                "kernel TLS cannot be tried on a loopback connection (is lo up?): {error}"
            ));
            Abilities::default()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{env, process::Command};

    /// This very test binary, as a process of its own that runs one test, which is ignored otherwise.
    pub(in crate::agent) fn alone(test: &str) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]);
        command
    }
}
