//! Opens sockets in other network namespaces, for the broker, who has no right to go there.
//!
//! To enter a namespace takes CAP_SYS_ADMIN, which is close to everything, and as long as namespaces come and go it is needed
//! again. The broker hears workers that may have been taken over: a thread of it that enters (it shares its capabilities) would
//! put that right within a bug's reach. So the broker gives the capability up, and this process keeps it: it reads nothing but
//! its command line, the names in a folder of root's, and which of those the broker could not serve; and only ever says which
//! namespaces are there and hands sockets over.
//! The sockets stay those of their namespace wherever they are used, and so do the requests that come through them.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, Metadata, OpenOptions},
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

use super::{LONGEST_TIDINGS, SLOW_TIMER, Tidings, Wanted};
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
    doorman.miss()?;
    doorman.say(Tidings::Settled, "", &[])?;
    loop {
        let interests = [(doorman.broker, PollFlags::POLLIN), (mounts.as_fd(), PollFlags::POLLPRI)];
        match wait(interests, Some(SLOW_TIMER)).map_err(|error| format!("poll: {error}"))?[..] {
            [true, _] if !doorman.hear() => return Ok(()),
            [true, false] => {}
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
        let present = self.present();
        let is_there = |name: &String, identity: &Identity| {
            present.iter().any(|(here, _, now)| (here, now) == (name, identity))
        };
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
        for (name, file, identity) in present {
            if [&self.open, &self.refused].iter().any(|known| known.get(&name) == Some(&identity)) {
                continue;
            }
            match self.open.iter().find(|(_, known)| **known == identity).map(|(first, _)| first.clone()) {
                Some(first) => {
                    self.refuse(name, identity, format_args!("it is served already, as {first}"))?
                }
                None => self.open(name, &file, identity)?,
            }
        }
        Ok(())
    }

    /// Hears the one thing that the broker says: a namespace that it could not serve, which the next look opens again. `false` when it
    /// has hung up.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; LONGEST_TIDINGS];
        let Ok((length @ 1.., _)) = passing::receive(self.broker, &mut buffer) else { return false };
        if let Some(Ok(name)) = buffer.get(..length).map(str::from_utf8) {
            self.open.remove(name);
            // Another name of it may be what is left of it by then.
            self.refused.clear();
        }
        true
    }

    /// Tells of the names that were given and stand for no namespace, or for our own.
    fn miss(&self) -> Result<(), String> {
        for name in &self.wanted.names {
            let why = match find(name) {
                None => "there is no such network namespace (yet)",
                Some((_, identity)) if self.is_own(identity) => {
                    "it is the agent's own, and served without a name"
                }
                Some(_) => continue,
            };
            self.say(Tidings::Trouble, &format!("{name}: {why}"), &[])?;
        }
        Ok(())
    }

    /// The namespaces that are wanted and there, but for our own. Of several names of one the first counts.
    fn present(&self) -> Vec<(String, File, Identity)> {
        let names = self.wanted.names.iter().cloned().chain(if self.wanted.all { names() } else { vec![] });
        let found = names.filter_map(|name| find(&name).map(|(file, identity)| (name, file, identity)));
        found.filter(|(_, _, identity)| !self.is_own(*identity)).collect()
    }

    fn is_own(&self, identity: Identity) -> bool {
        self.home.metadata().is_ok_and(|home| identity_of(&home) == identity)
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
            Err(error) => self.refuse(name, identity, format_args!("{error}"))?,
        }
        Ok(())
    }

    /// Tells once why a namespace is not served.
    fn refuse(&mut self, name: String, identity: Identity, why: fmt::Arguments<'_>) -> Result<(), String> {
        self.say(Tidings::Trouble, &format!("{name}: {why}"), &[])?;
        self.refused.insert(name, identity);
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

fn find(name: &str) -> Option<(File, Identity)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path(name)).ok()?;
    let identity = identity_of(&file.metadata().ok()?);
    Some((file, identity))
}

fn identity_of(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// A name of `ip netns`, or the path of any other file that stands for a namespace.
fn path(name: &str) -> PathBuf {
    if name.contains('/') { name.into() } else { Path::new(FOLDER).join(name) }
}

/// A namespace has one name for all that is said of it: that of `ip netns`, if it has one.
pub(in crate::agent) fn bare(name: &str) -> &str {
    let in_folder = name.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    in_folder.filter(|rest| !rest.contains('/')).unwrap_or(name)
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::passing::tests::pair;
    use std::{
        process::{Command, Stdio},
        thread,
        time::Duration,
    };

    fn identity(path: &str) -> Identity {
        identity_of(&fs::metadata(path).unwrap())
    }

    #[test]
    fn a_namespace_is_served_by_the_first_of_its_names() {
        if !nix::unistd::getuid().is_root() {
            return;
        }
        let mut other = Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
        let names =
            ["/proc/PID/task/PID/ns/net", "/proc/PID/ns/net", "/proc/PID/ns/nothing", "/proc/self/ns/net"]
                .map(|name| name.replace("PID", &other.id().to_string()));
        while identity(&names[0]) == identity("/proc/self/ns/net") {
            thread::sleep(Duration::from_millis(1));
        }
        let (ours, broker) = pair();
        let mut doorman = Doorman {
            broker: broker.as_fd(),
            home: File::open("/proc/thread-self/ns/net").unwrap(),
            wanted: Wanted { names: names.to_vec(), all: false },
            open: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        doorman.look().unwrap();
        doorman.look().unwrap();
        doorman.miss().unwrap();
        let said = || {
            let mut text = [0; 256];
            let (length, _) = passing::receive(ours.as_fd(), &mut text).ok()?;
            Some(String::from_utf8_lossy(&text[..length]).into_owned())
        };
        let [first, second, nothing, own] = names;
        assert_eq!(said(), Some(format!("+{first}")));
        assert_eq!(said(), Some(format!("!{second}: it is served already, as {first}")), "and once");
        assert_eq!(said(), Some(format!("!{nothing}: there is no such network namespace (yet)")));
        assert_eq!(said(), Some(format!("!{own}: it is the agent's own, and served without a name")));
        assert_eq!(said(), None);
        passing::send(ours.as_fd(), &[first.as_bytes()], &[], MsgFlags::empty()).unwrap();
        assert!(doorman.hear());
        doorman.look().unwrap();
        assert_eq!(said(), Some(format!("+{first}")), "the broker could not serve it");
        assert_eq!(
            said(),
            Some(format!("!{second}: it is served already, as {first}")),
            "it was looked at again"
        );
        drop(ours);
        assert!(!doorman.hear());
        drop(other.stdin.take());
        other.wait().unwrap();
    }

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
