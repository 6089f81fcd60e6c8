//! A worker at work, from the broker's side: what it is sent, and what it says.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    process::Child,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::socket::{MsgFlags, recv},
};
use zeroize::Zeroize;

use super::{recruitment::Recruitment, voice::Voice};
use crate::agent::{
    border::{self, Number, Order, Parcel, Report},
    failure::GIVING_UP,
    passing,
    status::WorkerState,
    system::retry,
};

/// A question and an end: what may still come of a handshake that was taken back.
const STRAYS: usize = 2;
/// How many messages are read of one worker before the others have their turn.
const MAX_MESSAGES: usize = 16;
/// How long a worker may owe an answer that takes it no time.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);

/// A worker process, and our end of its sockets.
pub(super) struct Post {
    process: Child,
    socket: OwnedFd,
    voice: Voice,
    started: Instant,
    /// Whether it has said that it is ready.
    is_ready: bool,
    /// How many handshakes it was given.
    begun: u32,
    /// The handshake that it is to end, which takes no time, and since when.
    owes: Option<(Number, Instant)>,
    /// How many reports there may still be of handshakes that were ended without it.
    strays: usize,
    waiting: VecDeque<(Parcel, Option<OwnedFd>)>,
}

impl Post {
    pub(super) fn start(recruitment: &Recruitment) -> io::Result<Self> {
        let (process, socket, voice) = recruitment.start()?;
        Ok(Self {
            process,
            socket,
            voice,
            started: Instant::now(),
            is_ready: false,
            begun: 0,
            owes: None,
            strays: 0,
            waiting: VecDeque::new(),
        })
    }

    pub(super) fn number(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn state(&self) -> WorkerState {
        WorkerState { process: self.number(), is_ready: self.is_ready }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// How many handshakes it was given.
    pub(super) fn begun(&self) -> u32 {
        self.begun
    }

    /// Since when it lives.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// What to wait for: its socket, and what it says, if it can say anything.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let writing = if self.waiting.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
        [(self.socket.as_fd(), PollFlags::POLLIN | writing)].into_iter().chain(self.voice.interest())
    }

    /// When it is taken for lost, or its words are to be told.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let owes = self.owes.map(|(_, since)| since + LONGEST_SILENCE);
        owes.into_iter().chain(self.voice.deadline()).min()
    }

    /// Whether it hangs. A busy host is no reason: whoever waits for one of its handshakes was answered long ago.
    pub(super) fn is_silent(&self) -> bool {
        self.owes.is_some_and(|(_, since)| since.elapsed() >= LONGEST_SILENCE)
    }

    /// Goes on where [`Self::interests`] are met; `ready` tells it of each. The error says why it is of no use any more.
    pub(super) fn advance<'a>(
        &mut self,
        ready: &mut impl Iterator<Item = &'a bool>,
        buffer: &mut [u8],
        is_its_own: impl Fn(Number) -> bool,
        reports: &mut VecDeque<(Number, Report)>,
    ) -> Result<(), String> {
        let called = ready.next() == Some(&true);
        if self.voice.interest().is_some() && ready.next() == Some(&true) {
            self.voice.hear(self.process.id());
        }
        self.voice.tell_if_due(self.process.id());
        if called {
            self.flush()?;
            self.hear(buffer, is_its_own, reports)?;
        }
        Ok(())
    }

    /// Sends an order, now or when the worker takes it.
    pub(super) fn send(&mut self, number: Number, order: Order) -> Result<(), String> {
        if matches!(order, Order::Abort(_)) {
            self.owes.get_or_insert((number, Instant::now()));
        }
        if matches!(order, Order::Begin { .. }) {
            self.begun = self.begun.saturating_add(1);
        }
        let parcel = border::write_order(number, &order).map_err(|_| "an order is too long to be sent")?;
        let descriptor = match order {
            Order::Begin { socket, .. } => Some(socket),
            Order::Trust { file, .. } => Some(file),
            _ => None,
        };
        self.waiting.push_back((parcel, descriptor));
        self.flush()
    }

    /// Takes a handshake back that has had its answer.
    pub(super) fn forget(&mut self, number: Number) -> Result<(), String> {
        self.strays += STRAYS;
        self.send(number, Order::Abort(GIVING_UP))
    }

    fn flush(&mut self) -> Result<(), String> {
        while let Some((parcel, descriptor)) = self.waiting.front() {
            let parts = [&parcel.public[..], parcel.secrets.expose()];
            let descriptors: Vec<_> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
            match passing::send(self.socket.as_fd(), &parts, &descriptors, MsgFlags::MSG_DONTWAIT) {
                Ok(()) => drop(self.waiting.pop_front()),
                // Memory comes back; a worker that is ended for it takes its handshakes along.
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM | Errno::ETOOMANYREFS) => break,
                Err(error) => return Err(format!("it takes no orders: {error}")),
            }
        }
        Ok(())
    }

    /// Reads what it reports; only of handshakes that are its own.
    fn hear(
        &mut self,
        buffer: &mut [u8],
        is_its_own: impl Fn(Number) -> bool,
        reports: &mut VecDeque<(Number, Report)>,
    ) -> Result<(), String> {
        for _ in 0..MAX_MESSAGES {
            // A longer message than the buffer is cut, and then malformed. Descriptors are not taken.
            let length = match retry(|| recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)) {
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.to_string()),
                Ok(0) => return Err("it ended".into()),
                Ok(length) => length,
            };
            let bytes = buffer.get_mut(..length).unwrap_or_default();
            let report = border::read_report(bytes);
            bytes.zeroize();
            match report.map_err(|error| format!("it sent a malformed {}", error.0))? {
                (_, Report::Ready) if !self.is_ready => self.is_ready = true,
                (number, report) => {
                    let report = self.note(number, report, is_its_own(number))?;
                    reports.extend(report.map(|report| (number, report)));
                }
            }
        }
        Ok(())
    }

    /// Takes note of a report; `None` if it is of a handshake that was given up meanwhile.
    fn note(
        &mut self,
        number: Number,
        report: Report,
        is_its_own: bool,
    ) -> Result<Option<Report>, &'static str> {
        if report.is_last() && self.owes.is_some_and(|(owed, _)| owed == number) {
            self.owes = None;
        }
        if is_its_own {
            return Ok(Some(report));
        }
        self.strays = self.strays.checked_sub(1).ok_or("it reports handshakes that are not its own")?;
        Ok(None)
    }

    /// Ends it, and returns what is to be reaped. It may be gone already, which is the aim.
    pub(super) fn kill(mut self) -> Child {
        // Its last words may be why.
        self.voice.hear(self.process.id());
        let _ = self.process.kill();
        self.process
    }

    /// Hangs up, which tells it to end. Without CAP_KILL there is no other way, and only a process that was killed is waited for.
    pub(super) fn hang_up(self) {
        let Self { mut process, socket, .. } = self;
        drop(socket);
        if process.kill().is_ok() {
            let _reaped = process.wait();
        }
    }
}
