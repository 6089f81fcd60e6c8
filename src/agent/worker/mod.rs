//! Does handshakes: the one part of the agent that parses what strangers send. It has no private key, no file and no kernel's ear.
//!
//! It never waits: it takes orders, goes on with whatever socket is ready, and reports.

pub(super) mod probe;
pub(super) mod process;
pub(super) mod sandbox;
pub(super) mod trust;

use std::{
    collections::VecDeque,
    mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;

pub(super) use sandbox::{NOBODY, become_user, confine};

use super::{
    border::{Config, Established, Number, Order, Proved, Report, Verdict},
    driver::{Answers, Driver, Progress},
    failure::{Cause, Failure},
    key_log::Collector,
    log,
    tracer::Tracer,
};
use crate::{
    crypto::{certificate::UnixTime, random::SystemRandom, x509},
    engine::{Handshake, Peer, Psk, PskOffer, Session, SignRequest, Step, config::Trace},
};

/// How many handshakes go on in one turn, however many could: each turn takes milliseconds, and reports and orders wait for its end.
const MAX_ADVANCES: usize = 16;

/// Past which no other one does: a chain of certificates can cost as much as hundreds of honest handshakes.
const LONGEST_TURN: Duration = Duration::from_millis(100);

/// How long a reset can go unnoticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// The handshakes of one worker, and what it has to report of them.
#[derive(Default)]
pub(super) struct Worker {
    courses: Vec<Course>,
    reports: VecDeque<(Number, Report)>,
}

/// One handshake on its way.
struct Course {
    number: Number,
    socket: OwnedFd,
    driver: Driver,
    /// What to wait for on the socket; nothing while a question is open.
    interest: PollFlags,
    /// Whether the request was for a PSK, which decides how a failure is told.
    psk: bool,
    /// Keeps the secrets, if there is a key log.
    collector: Option<Arc<Collector>>,
}

impl Worker {
    /// The sockets that are waited for, and for what; not those of handshakes with an open question, whatever happens to them.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let waiting = self.courses.iter().filter(|course| course.waits());
        waiting.map(|course| (course.socket.as_fd(), course.interest))
    }

    /// How long to wait for them: the kernel's RPC client, while its handshake goes on, wakes nobody when its connection is reset.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.courses.iter().any(Course::waits).then_some(LONGEST_SLEEP)
    }

    /// The next report, if there is one.
    pub(super) fn report(&mut self) -> Option<(Number, Report)> {
        self.reports.pop_front()
    }

    /// Takes an order; one for a handshake that has ended meanwhile is for nobody.
    pub(super) fn take(&mut self, number: Number, order: Order) {
        if let Order::Begin { config, now, socket, trust: _ } = order {
            return self.begin(number, config, now, socket);
        }
        let Some(index) = self.courses.iter().position(|course| course.number == number) else { return };
        let mut course = self.courses.swap_remove(index);
        match order {
            Order::Begin { .. } | Order::Trust { .. } => {}
            Order::Signature(signature) => {
                self.advance_one(course, Some(Given { signature, psk: None }));
            }
            Order::Psk(psk) => self.advance_one(course, Some(Given { signature: None, psk })),
            Order::Abort(alert) => {
                course.driver.abort(course.socket.as_fd(), alert);
                let verdict = Verdict {
                    errno: libc::ETIMEDOUT,
                    alert: Some(alert),
                    received: None,
                    cause: Cause::Timeout,
                    may_lack_group: false,
                    reason: "the broker gave up".into(),
                };
                self.reports.push_back((number, Report::Failed(verdict)));
            }
        }
    }

    /// Goes on with handshakes whose sockets are ready, in the order of [`Self::interests`]. Who went on is the last in the next turn.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        self.advance_within(LONGEST_TURN, ready);
    }

    fn advance_within(&mut self, limit: Duration, ready: &[bool]) {
        let start = Instant::now();
        let mut ready = ready.iter();
        let mut left = MAX_ADVANCES;
        let (able, others): (Vec<_>, Vec<_>) = mem::take(&mut self.courses).into_iter().partition(|course| {
            let is_able = course.waits() && ready.next() == Some(&true) && left > 0;
            left = left.saturating_sub(usize::from(is_able));
            is_able
        });
        self.courses = others;
        let mut able = able.into_iter();
        for course in able.by_ref() {
            self.advance_one(course, None);
            if start.elapsed() >= limit {
                break;
            }
        }
        // Those who did not come to it are the first in the next turn.
        self.courses.splice(..0, able);
    }

    /// Nothing is sent yet: the kernel's short queue of requests comes before anybody's cryptography.
    fn begin(&mut self, number: Number, config: Config, now: UnixTime, socket: OwnedFd) {
        let random = Box::new(SystemRandom);
        let collector = config.logs_keys().then(Arc::<Collector>::default);
        let key_log = collector.clone().map(|collector| collector as _);
        let (psk, handshake) = match config {
            Config::Client(mut config) => {
                (config.trace, config.key_log) = (tracer(number), key_log);
                (!config.psks.is_empty(), Handshake::client(Arc::new(config), random, now))
            }
            Config::Server(mut config) => {
                (config.trace, config.key_log) = (tracer(number), key_log);
                (config.psk, Handshake::server(Arc::new(config), random, now))
            }
        };
        match handshake {
            Ok(handshake) => {
                let (driver, interest) = (Driver::new(handshake), PollFlags::POLLIN | PollFlags::POLLOUT);
                self.courses.push(Course { number, socket, driver, interest, psk, collector });
            }
            Err(error) => self.fail(number, &error.into(), psk),
        }
    }

    fn advance_one(&mut self, mut course: Course, given: Option<Given>) {
        let number = course.number;
        // A bug that panics costs one handshake, not all.
        match panic::catch_unwind(AssertUnwindSafe(|| course.advance(given))) {
            Ok(Progress::WaitReadable) => course.interest = PollFlags::POLLIN,
            Ok(Progress::WaitWritable) => course.interest = PollFlags::POLLOUT,
            Ok(Progress::Asks) => {
                course.interest = PollFlags::empty();
                self.reports.extend(course.question().map(|question| (number, question)));
            }
            Ok(Progress::Done(session)) => {
                // The socket goes first: it is the consumer's from the moment that it hears of the session.
                let collector = course.collector.take();
                drop(course);
                let key_log = collector.and_then(|collector| collector.take());
                let established = Established { key_log, ..Established::from(*session) };
                return self.reports.push_back((number, Report::Done(Box::new(established))));
            }
            Ok(Progress::Failed(failure)) => {
                let psk = course.psk;
                drop(course);
                return self.fail(number, &Failure::Handshake(failure), psk);
            }
            Err(_) => {
                log::error(format_args!(
                    "a handshake met a bug of the agent; please report the message above"
                ));
                return self.fail(number, &Failure::Bug, course.psk);
            }
        }
        self.courses.push(course);
    }

    /// Refuses a handshake that could not begin, or of which the broker cannot be told.
    pub(super) fn refuse(&mut self, number: Number, failure: &Failure) {
        self.courses.retain(|course| course.number != number);
        self.fail(number, failure, false);
    }

    fn fail(&mut self, number: Number, failure: &Failure, psk: bool) {
        self.reports.push_back((number, Report::Failed(failure.verdict(psk))));
    }
}

impl Course {
    fn waits(&self) -> bool {
        !self.interest.is_empty()
    }

    fn advance(&mut self, given: Option<Given>) -> Progress {
        given.into_iter().for_each(|mut given| self.driver.answer(&mut given));
        self.driver.advance(self.socket.as_fd())
    }

    /// What the handshake asks for.
    fn question(&mut self) -> Option<Report> {
        match self.driver.handshake.step() {
            Step::Sign(request) => {
                Some(Report::Sign { scheme: request.scheme, message: request.message.into() })
            }
            Step::FindPsk(offers) => Some(Report::FindPsk(offers.into())),
            _ => None,
        }
    }
}

/// A debug message for each message of a handshake.
fn tracer(number: Number) -> Option<Arc<dyn Trace>> {
    log::is_debug().then(|| Tracer::of(format!("handshake {number}"), log::debug))
}

/// An answer that has come.
struct Given {
    signature: Option<Vec<u8>>,
    psk: Option<(usize, Psk)>,
}

impl Answers for Given {
    fn sign(&mut self, _: &SignRequest<'_>) -> Option<Vec<u8>> {
        self.signature.take()
    }

    fn find_psk(&mut self, _: &[PskOffer]) -> Option<(usize, Psk)> {
        self.psk.take()
    }
}

impl From<Session> for Established {
    fn from(session: Session) -> Self {
        let Session { suite, group, tx, rx, peer_record_size_limit, alpn, peer, .. } = session;
        let peer = match peer {
            Peer::Anonymous => Proved::Nobody,
            Peer::Psk { identity, index } => Proved::Psk { identity, index },
            Peer::Certificate { chain } => {
                Proved::Certificate(chain.first().map(|leaf| x509::describe(leaf)).unwrap_or_default())
            }
        };
        Self { suite, group, tx, rx, peer_record_size_limit, alpn, peer, key_log: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::ServerConfig;
    use std::{io::Write, os::unix::net::UnixStream};

    /// Begins the handshake of a server whose peer has sent this.
    fn begin(worker: &mut Worker, number: usize, sent: &[u8]) -> UnixStream {
        let (mut peer, socket) = UnixStream::pair().unwrap();
        peer.write_all(sent).unwrap();
        let config = Config::Server(ServerConfig { psk: true, ..ServerConfig::default() });
        let number = Number::try_from(number).unwrap();
        worker.take(number, Order::Begin { config, trust: 0, now: UnixTime(0), socket: socket.into() });
        peer
    }

    /// A turn is short, and those that went on in it do not keep the others from theirs.
    #[test]
    fn each_has_its_turn() {
        let mut worker = Worker::default();
        // The first wait for more of a record; the others are refused.
        let sent = |number| if number <= MAX_ADVANCES { &b"\x16"[..] } else { b"HTTP/1.0 " };
        let numbers = 1..=2 * MAX_ADVANCES;
        let _peers: Vec<_> = numbers.map(|number| begin(&mut worker, number, sent(number))).collect();
        let mut turn = || {
            worker.advance(&vec![true; worker.courses.len()]);
            std::iter::from_fn(|| worker.report()).count()
        };
        assert_eq!([turn(), turn(), turn()], [0, MAX_ADVANCES, 0]);
    }

    #[test]
    fn a_long_turn_ends_with_whoever_made_it_long() {
        let mut worker = Worker::default();
        let _peers = [1, 2, 3].map(|number| begin(&mut worker, number, b"HTTP/1.0 "));
        for number in 1..=3 {
            worker.advance_within(Duration::ZERO, &vec![true; worker.courses.len()]);
            assert!(matches!(worker.report(), Some((first, Report::Failed(_))) if first == number));
            assert!(worker.report().is_none());
        }
    }
}
