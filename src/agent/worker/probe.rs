//! What a worker that was taken over might try, one by one: for the tests, and for `handclasp check`.

use std::{fs, net::UdpSocket, process::Command, thread};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{
        resource::{Resource, setrlimit},
        signal::kill,
    },
    unistd::{Pid, Uid, setresuid},
};

use super::sandbox;
use crate::agent::keyring::{self, KeySerial};

/// Each is to end the process.
pub(in crate::agent) const FORBIDDEN: &[(&str, fn())] = &[
    ("open a file", || drop(fs::read("/etc/passwd"))),
    ("make a file", || drop(fs::write("/tmp/handclasp-sandbox", ""))),
    ("remove a file", || drop(fs::remove_file("/tmp/handclasp-sandbox"))),
    ("make a socket", || drop(UdpSocket::bind("127.0.0.1:0"))),
    ("run a program", || drop(Command::new("/bin/true").status())),
    ("start a thread", || drop(thread::Builder::new().spawn(|| {}))),
    ("send a signal", || {
        let _ = kill(Pid::from_raw(1), None);
    }),
    ("read a key", || {
        let _ = KeySerial::new(1).map(keyring::read);
    }),
    ("become root again", || {
        let _ = setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0));
    }),
    ("raise a limit", || {
        let _ = setrlimit(Resource::RLIMIT_CORE, 1, 1);
    }),
    ("change a descriptor", || {
        let _ = fcntl(std::io::stdin(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    }),
];

/// Becomes a worker and tries that. It returns if it was not ended for it, or if the sandbox cannot be entered.
pub(in crate::agent) fn attempt(name: &str) -> Result<(), String> {
    sandbox::enter()?;
    FORBIDDEN.iter().filter(|(forbidden, _)| *forbidden == name).for_each(|(_, attempt)| attempt());
    Ok(())
}
