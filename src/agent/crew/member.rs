//! One worker process, from the broker's side: started, fed, listened to, and replaced when it is gone.

use std::{
    collections::VecDeque,
    fmt, io,
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
    border::{self, MAX_MESSAGE, Number, Order, Parcel, Report},
    failure::{Failure, GIVING_UP},
    log, passing,
    status::WorkerState,
    system::retry,
};

/// A question and an end: what may still come of a handshake that was taken back.
const STRAYS: usize = 2;
/// How many messages are read of one worker before the kernel and the others have their turn: an answer can take a signature, and
/// the kernel's queue may have room for three requests.
const MAX_MESSAGES: usize = 2;
/// How long a worker must have lived for its successor to start at once.
const LONG_LIFE: Duration = Duration::from_secs(10);
/// How long a worker may owe an answer that takes it no time.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A place for a worker.
pub(in crate::agent) struct Member {
    post: Option<Post>,
    /// How long to wait before the next start, if the last one did not live long.
    pause: Duration,
    restart: Option<Instant>,
    /// How often one was started here.
    starts: u64,
    /// Those that were ended and not yet reaped.
    remains: Vec<Child>,
    buffer: Vec<u8>,
}

/// A worker at work.
struct Post {
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

impl Member {
    pub(super) fn start(recruitment: &Recruitment) -> Self {
        let mut member = Self {
            post: None,
            pause: Duration::ZERO,
            restart: Some(Instant::now()),
            starts: 0,
            remains: Vec::new(),
            buffer: vec![0; MAX_MESSAGE],
        };
        member.restart_if_due(recruitment);
        member
    }

    pub(super) fn is_there(&self) -> bool {
        self.post.is_some()
    }

    /// Whether it can be given handshakes.
    pub(super) fn is_ready(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.is_ready)
    }

    /// Whether it was given so many.
    pub(super) fn has_served(&self, service: u32) -> bool {
        self.post.as_ref().is_some_and(|post| post.begun >= service)
    }

    /// What to wait for: its socket, if it is there, and what it says, if it can say anything.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let post = self.post.as_ref();
        post.map(Post::interest).into_iter().chain(post.and_then(|post| post.voice.interest()))
    }

    /// Goes on where [`Self::interests`] are met; `ready` tells it of each.
    pub(super) fn advance<'a>(
        &mut self,
        ready: &mut impl Iterator<Item = &'a bool>,
        is_its_own: impl Fn(Number) -> bool,
        reports: &mut VecDeque<(Number, Report)>,
    ) {
        let Some(post) = &mut self.post else { return };
        let called = ready.next() == Some(&true);
        if post.voice.interest().is_some() && ready.next() == Some(&true) {
            post.voice.hear(post.process.id());
        }
        post.voice.tell_if_due(post.process.id());
        if called {
            self.hear(is_its_own, reports);
        }
    }

    /// Its process, if there is one.
    pub(super) fn state(&self) -> Option<WorkerState> {
        let Post { process, is_ready, .. } = self.post.as_ref()?;
        Some(WorkerState { process: process.id(), is_ready: *is_ready })
    }

    /// How often one was started in place of another.
    pub(super) fn restarts(&self) -> u64 {
        self.starts.saturating_sub(1)
    }

    /// When it is to be started again, if it is gone, or is taken for lost, if it is silent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let post = self.post.as_ref();
        let owes = post.and_then(|post| post.owes).map(|(_, since)| since + LONGEST_SILENCE);
        let voice = post.and_then(|post| post.voice.deadline());
        self.restart.into_iter().chain(owes).chain(voice).min()
    }

    /// Ends it if it hangs. A busy host is no reason: whoever waits for one of its handshakes was answered long ago.
    pub(super) fn dismiss_if_silent(&mut self) {
        let owes = self.post.as_ref().and_then(|post| post.owes);
        if owes.is_some_and(|(_, since)| since.elapsed() >= LONGEST_SILENCE) {
            log::error(format_args!("{self} is replaced: it does not answer any more"));
            self.dismiss();
        }
    }

    pub(super) fn restart_if_due(&mut self, recruitment: &Recruitment) {
        self.remains.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if self.restart.is_none_or(|restart| restart > Instant::now()) {
            return;
        }
        self.restart = None;
        match Post::start(recruitment) {
            Ok(post) => {
                log::debug(format_args!("worker {} started", post.process.id()));
                self.starts += 1;
                self.post = Some(post);
                self.renew(recruitment);
            }
            Err(error) => {
                log::error(format_args!("a worker could not be started: {error}"));
                self.pause_before_restart();
            }
        }
    }

    /// Hands over the trust stores, for the handshakes from here on.
    pub(super) fn renew(&mut self, recruitment: &Recruitment) {
        match recruitment.trust.try_clone() {
            Ok(file) => self.send(0, Order::Trust { file, is_debug: recruitment.is_debug }),
            Err(error) => {
                log::error(format_args!("a worker could not be given the trust stores: {error}"));
                self.dismiss();
            }
        }
    }

    /// Sends an order, now or when the worker takes it.
    pub(super) fn send(&mut self, number: Number, order: Order) {
        let Some(post) = &mut self.post else { return };
        if matches!(order, Order::Abort(_)) {
            post.owes.get_or_insert((number, Instant::now()));
        }
        if matches!(order, Order::Begin { .. }) {
            post.begun = post.begun.saturating_add(1);
        }
        let parcel = border::write_order(number, &order);
        let descriptor = match order {
            Order::Begin { socket, .. } => Some(socket),
            Order::Trust { file, .. } => Some(file),
            _ => None,
        };
        match parcel {
            Ok(parcel) => {
                post.waiting.push_back((parcel, descriptor));
                self.flush();
            }
            Err(_) => {
                log::error(format_args!("{self}: an order is too long to be sent"));
                self.dismiss();
            }
        }
    }

    fn flush(&mut self) {
        let Some(post) = &mut self.post else { return };
        while let Some((parcel, descriptor)) = post.waiting.front() {
            let parts = [&parcel.public[..], parcel.secrets.expose()];
            let descriptors: Vec<_> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
            match passing::send(post.socket.as_fd(), &parts, &descriptors, MsgFlags::MSG_DONTWAIT) {
                Ok(()) => drop(post.waiting.pop_front()),
                // Memory comes back; a worker that is ended for it takes its handshakes along.
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM | Errno::ETOOMANYREFS) => return,
                Err(error) => {
                    log::error(format_args!("{self} takes no orders: {error}"));
                    return self.dismiss();
                }
            }
        }
    }

    /// Reads what it reports; only of handshakes that are its own.
    fn hear(&mut self, is_its_own: impl Fn(Number) -> bool, reports: &mut VecDeque<(Number, Report)>) {
        self.flush();
        for _ in 0..MAX_MESSAGES {
            let Some(post) = &mut self.post else { return };
            // A longer message than the buffer is cut, and then malformed. Descriptors are not taken.
            let received = retry(|| recv(post.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT));
            let problem = match received {
                Err(Errno::EAGAIN) => return,
                Err(error) => error.to_string(),
                Ok(0) => String::from("it ended"),
                Ok(length) => {
                    let bytes = self.buffer.get_mut(..length).unwrap_or_default();
                    let report = border::read_report(bytes);
                    bytes.zeroize();
                    match report {
                        Ok((_, Report::Ready)) if !post.is_ready => {
                            post.is_ready = true;
                            continue;
                        }
                        Ok((number, report)) => match post.note(number, report, is_its_own(number)) {
                            Ok(report) => {
                                reports.extend(report.map(|report| (number, report)));
                                continue;
                            }
                            Err(problem) => problem.into(),
                        },
                        Err(error) => format!("it sent a malformed {}", error.0),
                    }
                }
            };
            log::error(format_args!("{self} is replaced: {problem}"));
            return self.dismiss();
        }
    }

    /// Takes a handshake back that has had its answer.
    pub(super) fn forget(&mut self, number: Number) {
        self.send(number, Order::Abort(GIVING_UP));
        if let Some(post) = &mut self.post {
            post.strays += STRAYS;
        }
    }

    /// Ends it in good order: it has nothing to do. Another takes its place at once.
    pub(super) fn retire(&mut self) {
        log::debug(format_args!("{self} retires"));
        self.dismiss();
        self.pause = Duration::ZERO;
        self.restart = Some(Instant::now());
        // Not one of those that an operator should ask about.
        self.starts = self.starts.saturating_sub(1);
    }

    /// Ends it.
    pub(super) fn dismiss(&mut self) {
        let Some(mut post) = self.post.take() else { return };
        // Its last words may be why.
        post.voice.hear(post.process.id());
        // It may be gone already, which is the aim.
        let _ = post.process.kill();
        if post.started.elapsed() > LONG_LIFE {
            self.pause = Duration::ZERO;
        }
        self.remains.push(post.process);
        self.pause_before_restart();
    }

    fn pause_before_restart(&mut self) {
        self.restart = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }
}

impl Post {
    fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let writing = if self.waiting.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
        (self.socket.as_fd(), PollFlags::POLLIN | writing)
    }

    /// Takes note of a report; `None` if it is of a handshake that was given up meanwhile.
    fn note(
        &mut self,
        number: Number,
        report: Report,
        is_its_own: bool,
    ) -> Result<Option<Report>, &'static str> {
        let is_last = matches!(report, Report::Done(_) | Report::Failed(_));
        if is_last && self.owes.is_some_and(|(owed, _)| owed == number) {
            self.owes = None;
        }
        if is_its_own {
            return Ok(Some(report));
        }
        self.strays = self.strays.checked_sub(1).ok_or("it reports handshakes that are not its own")?;
        Ok(None)
    }

    fn start(recruitment: &Recruitment) -> io::Result<Self> {
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
}

impl Drop for Member {
    fn drop(&mut self) {
        // Without CAP_KILL the closed socket tells it to end; only a process that was killed is waited for.
        let Some(Post { mut process, socket, .. }) = self.post.take() else { return };
        drop(socket);
        if process.kill().is_ok() {
            let _reaped = process.wait();
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.post {
            Some(post) => write!(f, "worker {}", post.process.id()),
            None => f.write_str("a worker"),
        }
    }
}

/// What is told of a handshake whose worker is gone.
pub(super) fn lost() -> Report {
    Report::Failed(Failure::WorkerLost.verdict(false))
}
