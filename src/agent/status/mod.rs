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
    /// Opens the socket, unless there is to be none; an agent without one is better than none.
    pub(super) fn start(socket: Option<&Path>) -> Self {
        let desk = socket.and_then(|path| {
            let refused =
                |error| log::warning(format_args!("{}: there is no status socket: {error}", path.display()));
            Desk::open(path).map_err(refused).ok()
        });
        let now = SystemTime::now();
        Self { started: now, desk, textfile: None, pauses: 0, loaded: now, trouble: None }
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
