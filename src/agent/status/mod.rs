//! How the agent is: what it counted, told over a local socket and in a file for Prometheus' node exporter.

mod counters;
mod forms;
mod histogram;
mod socket;
mod textfile;

use std::{
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Instant, SystemTime},
};

use nix::poll::PollFlags;

use super::{expiry::Lifetime, log};
pub(super) use counters::Counters;
use socket::Desk;
use textfile::Textfile;

/// Where the socket is if nothing else is said.
pub(super) const SOCKET: &str = "/run/handclasp/status";

/// In which form the status is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Human,
    Json,
    Prometheus,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Prometheus => "prometheus",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Human, Self::Json, Self::Prometheus].into_iter().find(|form| form.name() == name)
    }
}

/// What only this part of the agent knows.
#[derive(Debug)]
pub(super) struct Status {
    started: SystemTime,
    /// Where the socket is to be, if there is to be one; and why it is not there.
    socket: Option<PathBuf>,
    refusal: Option<String>,
    desk: Option<Desk>,
    textfile: Option<Textfile>,
    /// How often there was no room for another handshake, so that requests waited in the kernel.
    pauses: u64,
    /// When the configuration was last read, and whether it was good.
    loaded: SystemTime,
    trouble: Option<String>,
}

/// The state of a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkerState {
    pub(super) process: u32,
    pub(super) is_ready: bool,
}

/// What the rest of the agent adds.
pub(super) struct View<'a> {
    pub(super) counters: &'a [Rc<Counters>],
    pub(super) configuration: &'a Path,
    pub(super) lifetimes: &'a [Lifetime],
    pub(super) in_flight: usize,
    pub(super) max_in_flight: usize,
    /// The workers that are there, and how many there are to be.
    pub(super) workers: Vec<WorkerState>,
    pub(super) workers_wanted: usize,
    /// How many workers were lost, and replaced.
    pub(super) restarts: u64,
}

/// The state in a few words, for the service manager.
pub(super) fn line(counters: &[Rc<Counters>], in_flight: usize) -> String {
    let totals = counters.iter().map(|counters| counters.totals());
    let (done, failed) = totals.fold((0, 0), |(done, failed), (d, f)| (done + d, failed + f));
    format!("{done} handshakes done, {failed} failed, {in_flight} in flight")
}

impl Status {
    /// Opens the socket, unless there is to be none.
    pub(super) fn start(socket: Option<PathBuf>) -> Self {
        let started = SystemTime::now();
        let (refusal, desk, textfile, trouble) = (None, None, None, None);
        let mut status =
            Self { started, socket, refusal, desk, textfile, pauses: 0, loaded: started, trouble };
        status.open();
        status
    }

    /// Opens the socket if it is to be there and is not: an agent without one is better than none, but what is in its way (another
    /// agent, a folder that is not mounted yet) may go.
    pub(super) fn open(&mut self) {
        let Some(path) = self.socket.as_deref().filter(|_| self.desk.is_none()) else { return };
        let refusal = match Desk::open(path) {
            Ok(desk) => {
                self.desk = Some(desk);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        match &refusal {
            Some(refusal) if self.refusal.as_ref() != Some(refusal) => {
                log::warning(format_args!("{}: there is no status socket: {refusal}", path.display()));
            }
            None if self.refusal.is_some() => {
                log::notice(format_args!("{}: the status socket is there", path.display()));
            }
            _ => {}
        }
        self.refusal = refusal;
    }

    /// Takes note of what became of the configuration, and where to keep the file for Prometheus.
    pub(super) fn loaded(&mut self, textfile: Option<&PathBuf>) {
        (self.loaded, self.trouble) = (SystemTime::now(), None);
        self.textfile = textfile.map(|path| Textfile::new(path));
    }

    /// Takes note that a new configuration was refused.
    pub(super) fn refused(&mut self, trouble: &str) {
        (self.loaded, self.trouble) = (SystemTime::now(), Some(trouble.to_owned()));
    }

    /// Takes note that there is no room for another handshake.
    pub(super) fn paused(&mut self) {
        self.pauses += 1;
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        self.desk.as_ref().map(Desk::interests).unwrap_or_default()
    }

    /// When there is something to do, whoever asks.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let desk = self.desk.as_ref().and_then(Desk::deadline);
        desk.into_iter().chain(self.textfile.as_ref().map(Textfile::deadline)).min()
    }

    /// Answers who asked, and keeps the file fresh.
    pub(super) fn advance(&mut self, ready: &[bool], view: &View<'_>) {
        let (mut desk, mut textfile) = (self.desk.take(), self.textfile.take());
        let tell = |form| forms::tell(self, view, form);
        desk.iter_mut().for_each(|desk| desk.advance(ready, tell));
        textfile.iter_mut().for_each(|file| file.refresh(|| tell(Form::Prometheus)));
        (self.desk, self.textfile) = (desk, textfile);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_another_agent_had_is_taken_over_in_time() {
        let path = std::env::temp_dir().join(format!("handclasp-{}-two-agents", std::process::id()));
        let first = Status::start(Some(path.clone()));
        let mut second = Status::start(Some(path.clone()));
        assert!(first.desk.is_some() && second.desk.is_none());
        second.open();
        assert!(second.desk.is_none());
        assert_eq!(second.refusal.as_deref(), Some("another agent has this socket"));
        drop(first);
        second.open();
        assert!(second.desk.is_some() && second.refusal.is_none() && path.exists());
    }
}
