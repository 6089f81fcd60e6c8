//! The process that looks one name up: it gives up all rights, asks the system's resolver, and says what it heard.

use std::{
    io::{self, Write},
    net::IpAddr,
};

use super::{LATER, NAME, NONE};
use crate::agent::{
    system,
    worker::{NOBODY, become_user, confine},
};

/// How much memory it may have, with what libc maps to look up.
const MAX_MEMORY: u64 = 256 << 20;

/// Gives up all rights, looks the name of an address up, and says it.
pub(in crate::agent) fn answer(address: IpAddr) -> io::Result<()> {
    let found = give_up().map(|()| system::host_name(address));
    let answer = match found {
        Ok(Ok(name)) => [NAME, &name].concat(),
        Ok(Err((libc::EAI_NONAME | libc::EAI_OVERFLOW, reason))) => [NONE, reason.as_bytes()].concat(),
        Ok(Err((_, reason))) => [LATER, reason.as_bytes()].concat(),
        Err(error) => [LATER, format!("giving up rights: {error}").as_bytes()].concat(),
    };
    let mut output = io::stdout();
    output.write_all(&answer)?;
    output.flush()
}

/// Gives up what can be. There is no seccomp and no Landlock: what the system is configured to ask, and how, is libc's to know.
fn give_up() -> io::Result<()> {
    system::keyctl_leave_session()?;
    // Not the workers' user, where they have one of their own: it could signal them.
    become_user(NOBODY)?;
    confine(MAX_MEMORY)?;
    system::close_others()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::process::tests::alone;
    use nix::sys::{prctl, signal::Signal};
    use std::{env, fs, process::Command};

    const PROBE: &str = "HANDCLASP_LOOKUP_PROBE";
    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    #[ignore = "run by the test below, in a process of its own"]
    fn probe() {
        if env::var_os(PROBE).is_none() {
            return;
        }
        give_up().unwrap();
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        for line in [
            "Uid:\t65534\t65534\t65534\t65534",
            "Gid:\t65534\t65534\t65534\t65534",
            "Groups:\t ",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
        ] {
            assert!(status.lines().any(|found| found == line), "{line} in {status}");
        }
        assert_eq!(prctl::get_pdeathsig(), Ok(Some(Signal::SIGKILL)));
        assert!(Command::new("/bin/true").spawn().is_err(), "starts a process");
        assert!(Vec::<u8>::new().try_reserve(256 << 20).is_err(), "has memory without end");
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
        let mut entries = hosts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let entry = entries.find(|words| words.first() == Some(&"127.0.0.1")).unwrap();
        assert_eq!(system::host_name(ADDRESS).unwrap(), entry[1].as_bytes());
        println!("confined");
    }

    #[test]
    fn who_looks_up_has_no_rights_and_can_still_look_up() {
        if !nix::unistd::getuid().is_root() {
            return;
        }
        let output = alone("agent::lookup::resolver::tests::probe").env(PROBE, "").output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains("confined"), "{stdout}{stderr}");
    }
}
