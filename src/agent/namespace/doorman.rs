//! Opens sockets in other network namespaces, for the broker, who has no right to go there.
//!
//! To enter a namespace takes CAP_SYS_ADMIN, which is close to everything, and as long as namespaces come and go it is needed
//! again. The broker hears workers that may have been taken over: a thread of it that enters (it shares its capabilities) would
//! put that right within a bug's reach. So the broker gives the capability up, and this process keeps it: it reads nothing but
//! its command line and the names in a folder of root's, and only ever says which namespaces are there and hands sockets over.
//! The sockets stay those of their namespace wherever they are used, and so do the requests that come through them.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    poll::PollFlags,
    sched::{CloneFlags, setns},
    sys::{prctl, signal::Signal, socket::MsgFlags},
};

use super::{SLOW_TIMER, Tidings, Wanted};
use crate::agent::{
    netlink, passing, process,
    system::{self, CAP_NET_ADMIN, CAP_SYS_ADMIN},
    wait::wait,
};

/// Where `ip netns` keeps the namespaces that have names.
const FOLDER: &str = "/run/netns";
/// How many namespaces are served at most: each takes descriptors and memory of the agent.
pub(in crate::agent) const MAX_NAMESPACES: usize = 256;

/// What tells one namespace from another: the device and inode of its file.
type Identity = (u64, u64);

/// Watches namespaces until the broker hangs up. The error says why it cannot.
pub(in crate::agent) fn run(wanted: Wanted) -> Result<(), String> {
    enter()?;
    let home = File::open("/proc/self/ns/net").map_err(|error| format!("our own namespace: {error}"))?;
    // It tells when something was mounted: a namespace gets its name by being mounted on it.
    let mounts = File::open("/proc/self/mountinfo").map_err(|error| format!("mountinfo: {error}"))?;
    let stdin = io::stdin();
    let mut doorman =
        Doorman { broker: stdin.as_fd(), home, wanted, open: BTreeMap::new(), refused: BTreeMap::new() };
    doorman.look()?;
    doorman.say(Tidings::Settled, "", &[])?;
    loop {
        let interests = [(doorman.broker, PollFlags::POLLIN), (mounts.as_fd(), PollFlags::POLLPRI)];
        // The broker says nothing: it can only hang up.
        match wait(interests, Some(SLOW_TIMER)).map_err(|error| format!("poll: {error}"))?[..] {
            [true, _] => return Ok(()),
            _ => doorman.look()?,
        }
    }
}

/// Keeps the two capabilities that it takes to enter a namespace and to open a socket which the kernel takes commands from.
fn enter() -> Result<(), String> {
    let kept = CAP_NET_ADMIN | CAP_SYS_ADMIN;
    system::limit_capability_bounds(kept).map_err(|error| format!("capability bounds: {error}"))?;
    system::limit_capabilities(kept).map_err(|error| format!("capabilities: {error}"))?;
    let steps =
        [prctl::set_dumpable(false), prctl::set_pdeathsig(Signal::SIGKILL), prctl::set_no_new_privs()];
    steps.into_iter().collect::<Result<(), _>>().map_err(|error| format!("prctl: {error}"))?;
    process::ignore_signals().map_err(|error| format!("signals: {error}"))
}

struct Doorman<'a> {
    broker: BorrowedFd<'a>,
    home: File,
    wanted: Wanted,
    open: BTreeMap<String, Identity>,
    /// What could not be opened, and was told once.
    refused: BTreeMap<String, Identity>,
}

impl Doorman<'_> {
    /// Tells what has come and what has gone.
    fn look(&mut self) -> Result<(), String> {
        let present: BTreeMap<_, _> = self.present();
        let is_there =
            |name: &String, identity: &Identity| present.get(name).is_some_and(|(_, now)| now == identity);
        let gone: Vec<_> = self
            .open
            .iter()
            .filter(|(name, was)| !is_there(name, was))
            .map(|(name, _)| name.clone())
            .collect();
        self.refused.retain(|name, was| is_there(name, was));
        if !gone.is_empty() {
            // There is room again for what there was none for.
            self.refused.clear();
        }
        for name in gone {
            self.open.remove(&name);
            self.say(Tidings::Gone, &name, &[])?;
        }
        for (name, (file, identity)) in present {
            let is_known = self.open.values().chain(self.refused.get(&name)).any(|known| *known == identity);
            if !is_known {
                self.open(name, &file, identity)?;
            }
        }
        Ok(())
    }

    /// The namespaces that are wanted and there, but for our own.
    fn present(&self) -> BTreeMap<String, (File, Identity)> {
        let own = self.home.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
        let names = self.wanted.names.iter().cloned().chain(if self.wanted.all { names() } else { vec![] });
        let found = names.filter_map(|name| {
            let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path(&name)).ok()?;
            let metadata = file.metadata().ok()?;
            Some((name, (file, (metadata.dev(), metadata.ino()))))
        });
        found.filter(|(_, (_, identity))| Some(*identity) != own).collect()
    }

    fn open(&mut self, name: String, file: &File, identity: Identity) -> Result<(), String> {
        let sockets = match self.open.len() {
            ..MAX_NAMESPACES => self.sockets_in(file)?,
            _ => Err(io::Error::other(format!("there are more than {MAX_NAMESPACES}"))),
        };
        match sockets {
            Ok(sockets) => {
                let descriptors = sockets.each_ref().map(AsRawFd::as_raw_fd);
                self.say(Tidings::Come, &name, &descriptors)?;
                self.open.insert(name, identity);
            }
            // A name whose namespace is not mounted on it yet, or that is another file altogether.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => {
                self.say(Tidings::Trouble, &format!("{name}: {error}"), &[])?;
                self.refused.insert(name, identity);
            }
        }
        Ok(())
    }

    /// Opens the sockets in there, and comes back: whoever stays in a namespace keeps it from ending.
    fn sockets_in(&self, namespace: &File) -> Result<io::Result<netlink::Sockets>, String> {
        if let Err(error) = setns(namespace, CloneFlags::CLONE_NEWNET) {
            return Ok(Err(error.into()));
        }
        let sockets = netlink::sockets();
        setns(&self.home, CloneFlags::CLONE_NEWNET).map_err(|error| format!("coming back: {error}"))?;
        Ok(sockets)
    }

    fn say(&self, tidings: Tidings, text: &str, descriptors: &[i32]) -> Result<(), String> {
        let parts = [&[tidings as u8], text.as_bytes()];
        passing::send(self.broker, &parts, descriptors, MsgFlags::empty())
            .map_err(|error| format!("tidings: {error}"))
    }
}

/// A name of `ip netns`, or the path of any other file that stands for a namespace.
fn path(name: &str) -> PathBuf {
    if name.contains('/') { name.into() } else { Path::new(FOLDER).join(name) }
}

/// A namespace has one name for all that is said of it: that of `ip netns`, if it has one.
pub(super) fn bare(name: &str) -> &str {
    let in_folder = name.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    in_folder.filter(|rest| !rest.contains('/')).unwrap_or(name)
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_one_name() {
        for (given, expected) in [
            ("blue", "blue"),
            ("/run/netns/blue", "blue"),
            ("/run/netns/a/b", "/run/netns/a/b"),
            ("/proc/1/ns/net", "/proc/1/ns/net"),
        ] {
            assert_eq!(bare(given), expected);
        }
    }
}
