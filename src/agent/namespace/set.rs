//! The network namespaces that the agent serves: its own, and those that the [doorman](super::doorman) opens.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    process::{Child, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use nix::{errno::Errno, poll::PollFlags, sys::socket::MsgFlags};

use super::{Call, LONGEST_TIDINGS, Namespace, Tidings, Wanted};
use crate::agent::{log, passing, status::Counters, wait::wait};

/// How long the namespaces that are there at the start may take to be opened.
const LONGEST_START: Duration = Duration::from_secs(5);

/// All namespaces that are served.
pub(in crate::agent) struct Namespaces {
    list: Vec<Namespace>,
    doorman: Option<Doorman>,
}

struct Doorman {
    process: Child,
    socket: OwnedFd,
    /// Whether all that were there at the start are open.
    has_settled: bool,
}

impl Namespaces {
    /// Opens our own, and those that are wanted and there. The error is for people.
    pub(in crate::agent) fn start(wanted: &Wanted) -> Result<Self, String> {
        let mut namespaces =
            Self { list: vec![Namespace::own().map_err(|error| error.to_string())?], doorman: None };
        if wanted.is_only_our_own() {
            return Ok(namespaces);
        }
        let (process, socket) =
            passing::start(Path::new("/proc/self/exe"), wanted.arguments(), Stdio::inherit())
                .map_err(|error| format!("the process that opens network namespaces: {error}"))?;
        namespaces.doorman = Some(Doorman { process, socket, has_settled: false });
        let deadline = Instant::now() + LONGEST_START;
        while namespaces.doorman.as_ref().is_some_and(|doorman| !doorman.has_settled) {
            let patience =
                deadline.checked_duration_since(Instant::now()).ok_or("no network namespace was opened")?;
            let ready =
                wait(namespaces.interests(), Some(patience)).map_err(|error| format!("poll: {error}"))?;
            namespaces.hear(&ready)?;
        }
        Ok(namespaces)
    }

    /// What to wait for.
    pub(in crate::agent) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let doorman = self.doorman.iter().map(|doorman| doorman.socket.as_fd());
        self.list
            .iter()
            .map(Namespace::as_fd)
            .chain(doorman)
            .map(|socket| (socket, PollFlags::POLLIN))
            .collect()
    }

    /// Takes note of who called, in the order of [`Self::interests`]. The error ends the agent, which has given up the right to
    /// open namespaces: it has to be started again, or deleted ones would never end.
    pub(in crate::agent) fn hear(&mut self, ready: &[bool]) -> Result<(), String> {
        self.hear_kernel(ready);
        if ready.get(self.list.len()) == Some(&true) {
            return self.hear_doorman();
        }
        Ok(())
    }

    fn hear_kernel(&mut self, ready: &[bool]) {
        let called = self.list.iter_mut().zip(ready).filter(|(_, called)| **called);
        called.for_each(|(namespace, _)| namespace.hear());
    }

    /// Takes note of whether the kernel calls right now.
    pub(in crate::agent) fn listen(&mut self) {
        let ears = self.list.iter().map(|namespace| (namespace.as_fd(), PollFlags::POLLIN));
        // What cannot be asked is asked again in the next turn.
        let ready = wait(ears, Some(Duration::ZERO)).unwrap_or_default();
        self.hear_kernel(&ready);
    }

    fn hear_doorman(&mut self) -> Result<(), String> {
        while let Some(doorman) = &mut self.doorman {
            let mut buffer = [0; LONGEST_TIDINGS];
            let (length, sockets) = match passing::receive(doorman.socket.as_fd(), &mut buffer) {
                Err(Errno::EAGAIN) => return Ok(()),
                Ok((0, _)) | Err(_) => {
                    self.dismiss_doorman();
                    return Err("the process that opens network namespaces is gone".into());
                }
                Ok(received) => received,
            };
            let Some((kind, text)) = buffer.get(..length).and_then(<[u8]>::split_first) else {
                return Ok(());
            };
            let text = String::from_utf8_lossy(text);
            match Tidings::ALL.into_iter().find(|tidings| *tidings as u8 == *kind) {
                Some(Tidings::Settled) => doorman.has_settled = true,
                Some(Tidings::Come) => self.come(&text, sockets.unwrap_or_default()),
                Some(Tidings::Gone) => self.go(&text),
                Some(Tidings::Trouble) | None => log::warning(format_args!("netns {text}")),
            }
        }
        Ok(())
    }

    fn come(&mut self, name: &str, sockets: Vec<OwnedFd>) {
        match Namespace::of(name, sockets) {
            Ok(namespace) => {
                log::notice(format_args!("netns {name}: served"));
                self.list.push(namespace);
            }
            Err(error) => {
                log::error(format_args!("netns {name}: {error}; it is tried again"));
                self.give_back(name);
            }
        }
    }

    /// Has the doorman open a namespace again, which it believes to be served.
    fn give_back(&self, name: &str) {
        let Some(doorman) = &self.doorman else { return };
        let parts = [name.as_bytes()];
        // If it cannot be told it is gone, which the next turn finds out.
        let _untold = passing::send(doorman.socket.as_fd(), &parts, &[], MsgFlags::MSG_DONTWAIT);
    }

    /// Closes what keeps a namespace from ending; its handshakes in flight go on to their own end.
    fn go(&mut self, name: &str) {
        log::notice(format_args!("netns {name}: gone"));
        self.list.retain(|namespace| !namespace.is_called(name));
    }

    fn dismiss_doorman(&mut self) {
        if let Some(mut doorman) = self.doorman.take() {
            // It ends by itself when it is hung up on. Nobody waits for it: it may stand in a file system that does not answer.
            drop(doorman.socket);
            let _unkilled = doorman.process.kill();
        }
    }

    pub(in crate::agent) fn counters(&self) -> Vec<Rc<Counters>> {
        self.list.iter().map(|namespace| namespace.counters.clone()).collect()
    }

    /// When to ask one of the kernel's queues.
    pub(in crate::agent) fn ask(&self) -> Instant {
        // Our own is always among them.
        self.list.iter().map(|namespace| namespace.ask).min().unwrap_or_else(Instant::now)
    }

    /// All are to be asked at once.
    pub(in crate::agent) fn hurry(&mut self) {
        self.list.iter_mut().for_each(Namespace::hurry);
    }

    /// Whom it is time to ask, and has not been: they are not asked for now.
    pub(in crate::agent) fn postpone(&mut self) {
        let now = Instant::now();
        self.list.iter_mut().filter(|namespace| namespace.ask <= now).for_each(Namespace::postpone);
    }

    /// Takes a request of one that it is time to ask, in turn; `None` when nobody has any.
    pub(in crate::agent) fn take(&mut self) -> Option<io::Result<Call>> {
        let now = Instant::now();
        for _ in 0..self.list.len() {
            self.list.rotate_left(1);
            let namespace = self.list.last_mut().filter(|namespace| namespace.ask <= now);
            match namespace.map(|namespace| (namespace.take(), namespace)) {
                None => {}
                Some((Ok(None), namespace)) => namespace.postpone(),
                Some((taken, _)) => return taken.transpose(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::passing::tests::pair;
    use std::process::Command;

    #[test]
    fn a_namespace_that_could_not_be_served_is_given_back() {
        let (socket, theirs) = pair();
        let process = Command::new("true").spawn().unwrap();
        let doorman = Some(Doorman { process, socket, has_settled: true });
        let mut namespaces = Namespaces { list: vec![], doorman };
        // Its sockets were lost, as they are where there is no room for descriptors.
        passing::send(theirs.as_fd(), &[b"+blue"], &[], MsgFlags::empty()).unwrap();
        namespaces.hear(&[true]).unwrap();
        let mut name = [0; 16];
        let (length, _) = passing::receive(theirs.as_fd(), &mut name).unwrap();
        assert_eq!((&name[..length], namespaces.list.len()), (&b"blue"[..], 0));
    }
}
