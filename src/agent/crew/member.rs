//! A place for a worker process: filled, and filled again when the worker is gone.

use std::{
    collections::VecDeque,
    fmt,
    os::fd::BorrowedFd,
    process::Child,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;

use super::{post::Post, recruitment::Recruitment};
use crate::agent::{
    border::{MAX_MESSAGE, Number, Order, Report},
    failure::Failure,
    log,
    status::WorkerState,
};

/// How long a worker must have lived for its successor to start after the first pause again.
const LONG_LIFE: Duration = Duration::from_secs(10);
/// Before the successor of one that was lost starts: if it was memory that ended, its start would be the next to ask for some.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A place for a worker.
pub(in crate::agent) struct Member {
    post: Option<Post>,
    /// How long to wait before the next start, if this one is lost.
    pause: Duration,
    /// When one may be started here.
    opens: Instant,
    /// How many were lost here.
    losses: u64,
    /// Those that were ended and not yet reaped.
    remains: Vec<Child>,
    buffer: Vec<u8>,
}

impl Member {
    /// Nobody's place.
    pub(super) fn new() -> Self {
        Self {
            post: None,
            pause: FIRST_PAUSE,
            opens: Instant::now(),
            losses: 0,
            remains: Vec::new(),
            buffer: vec![0; MAX_MESSAGE],
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.post.is_some()
    }

    /// Whether it can be given handshakes.
    pub(super) fn is_ready(&self) -> bool {
        self.post.as_ref().is_some_and(Post::is_ready)
    }

    /// Whether it was given so many.
    pub(super) fn has_served(&self, service: u32) -> bool {
        self.post.as_ref().is_some_and(|post| post.begun() >= service)
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.post.iter().flat_map(Post::interests)
    }

    /// Goes on where [`Self::interests`] are met; `ready` tells it of each.
    pub(super) fn advance<'a>(
        &mut self,
        ready: &mut impl Iterator<Item = &'a bool>,
        is_its_own: impl Fn(Number) -> bool,
        reports: &mut VecDeque<(Number, Report)>,
    ) {
        let Some(post) = &mut self.post else { return };
        let result = post.advance(ready, &mut self.buffer, is_its_own, reports);
        self.replace_if(result);
        if self.post.as_ref().is_some_and(Post::is_silent) {
            self.replace_if(Err("it does not answer any more".into()));
        }
    }

    /// Its process, if there is one.
    pub(super) fn state(&self) -> Option<WorkerState> {
        self.post.as_ref().map(Post::state)
    }

    /// How many were lost here.
    pub(super) fn losses(&self) -> u64 {
        self.losses
    }

    /// When one may be started here.
    pub(super) fn opens(&self) -> Instant {
        self.opens
    }

    /// When the worker here has something to say, or is taken for lost.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.post.as_ref().and_then(Post::deadline)
    }

    /// Starts one here, if it is time for that.
    pub(super) fn fill(&mut self, recruitment: &Recruitment) {
        if self.opens > Instant::now() {
            return;
        }
        match Post::start(recruitment) {
            Ok(post) => {
                log::debug(format_args!("worker {} started", post.number()));
                self.post = Some(post);
                self.renew(recruitment);
            }
            Err(error) => {
                log::error(format_args!("a worker could not be started: {error}"));
                self.close_for_a_while();
            }
        }
    }

    /// Lets the system forget those that have ended.
    pub(super) fn reap(&mut self) {
        self.remains.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// Hands over the trust stores, for the handshakes from here on.
    pub(super) fn renew(&mut self, recruitment: &Recruitment) {
        let Some(trust) = &recruitment.trust else { return };
        match trust.try_clone() {
            Ok(file) => self.send(0, Order::Trust { file, is_debug: recruitment.is_debug }),
            Err(error) => self.replace_if(Err(format!("it could not be given the trust stores: {error}"))),
        }
    }

    /// Sends an order, now or when the worker takes it.
    pub(super) fn send(&mut self, number: Number, order: Order) {
        let result = self.post.as_mut().map_or(Ok(()), |post| post.send(number, order));
        self.replace_if(result);
    }

    /// Takes a handshake back that has had its answer.
    pub(super) fn forget(&mut self, number: Number) {
        let result = self.post.as_mut().map_or(Ok(()), |post| post.forget(number));
        self.replace_if(result);
    }

    /// Ends it in good order: it has nothing to do, and is none of those that an operator should ask about.
    pub(super) fn retire(&mut self) {
        let Some(post) = self.post.take() else { return };
        log::debug(format_args!("worker {} retires", post.number()));
        self.remains.push(post.kill());
        (self.pause, self.opens) = (FIRST_PAUSE, Instant::now());
    }

    fn replace_if(&mut self, result: Result<(), String>) {
        if let Err(problem) = result {
            log::error(format_args!("{self} is replaced: {problem}"));
            self.dismiss();
        }
    }

    /// Ends it.
    pub(super) fn dismiss(&mut self) {
        let Some(post) = self.post.take() else { return };
        if post.started().elapsed() > LONG_LIFE {
            self.pause = FIRST_PAUSE;
        }
        self.remains.push(post.kill());
        self.losses += 1;
        self.close_for_a_while();
    }

    fn close_for_a_while(&mut self) {
        self.opens = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(post) = self.post.take() {
            post.hang_up();
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.post {
            Some(post) => write!(f, "worker {}", post.number()),
            None => f.write_str("a worker"),
        }
    }
}

/// What is told of a handshake whose worker is gone.
pub(super) fn lost() -> Report {
    Report::Failed(Failure::WorkerLost.verdict(false))
}
