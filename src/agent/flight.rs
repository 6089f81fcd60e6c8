//! One handshake in flight: from an accepted request to its DONE and its line in the log.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    rc::Rc,
    time::{Duration, Instant},
};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};

use crate::crypto::certificate::UnixTime;

use super::{
    border::{Established, Order, Report, Verdict},
    broker::Broker,
    claim::Bounds,
    driver::Answers,
    failure::{self, Failure},
    fairness::Origin,
    flow::Flow,
    ktls,
    log::{self, Ended, Outcome, Subject},
    pending::Pending,
    request::{Request, RequestError},
    status::Counters,
    system,
};

/// How long a worker has to tell the peer of our giving up before the consumer is answered without its word.
const GRACE: Duration = Duration::from_millis(200);
/// How often a worker may ask for one handshake: for a signature, and for PSKs as often as the broker looks for them.
const MAX_QUESTIONS: u8 = 8;

/// A handshake that a worker does: the broker's half of it.
pub(super) struct Flight {
    pending: Pending,
    broker: Broker,
    bounds: Bounds,
    subject: Subject,
    counters: Rc<Counters>,
    limit: Duration,
    deadline: Instant,
    /// Why it was given up, once it was: then only the worker's answer is waited for.
    given_up: Option<Verdict>,
    questions: u8,
}

/// A worker said what no honest one says; its handshake has ended for it.
#[derive(Debug)]
pub(super) struct Lie;

impl Flight {
    /// Prepares the handshake of an accepted request, and the order for a worker; `None` when it is refused at once.
    pub(super) fn begin(
        pending: Pending,
        started: Instant,
        request: Result<Request, RequestError>,
        now: UnixTime,
        counters: &Rc<Counters>,
        prepare: impl FnOnce(&Request, Addresses) -> Result<Flow, Failure>,
    ) -> Option<(Self, Order)> {
        let mut subject = Subject { started, ..Subject::new(counters.netns()) };
        let prepared = request.map_err(Failure::from).and_then(|request| {
            subject.flow = Some((request.role, request.authentication));
            subject.name.clone_from(&request.peer_name);
            let addresses = addresses(pending.socket())?;
            subject.address = Some(addresses.peer);
            let Flow { config, trust, broker, limit, profile } = prepare(&request, addresses)?;
            subject.profile = profile;
            subject.requires_pq = config.groups().iter().all(|group| group.is_post_quantum());
            let bounds = Bounds::of(&config);
            let socket = pending.socket().try_clone_to_owned().map_err(Failure::Socket)?;
            Ok((Order::Begin { config, trust, now, socket }, broker, bounds, limit))
        });
        match prepared {
            Ok((order, broker, bounds, limit)) => {
                let (deadline, counters) = (subject.started + limit, counters.clone());
                let (given_up, questions) = (None, 0);
                let flight =
                    Self { pending, broker, bounds, subject, counters, limit, deadline, given_up, questions };
                Some((flight, order))
            }
            Err(failure) => {
                let verdict = failure.verdict(subject.is_psk());
                let told = pending.fail(verdict.errno);
                end(&subject, counters, Outcome::Failed { verdict: &verdict, trouble: None }, told);
                None
            }
        }
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes a worker's report, and answers with the next order; `None` when the handshake ended.
    pub(super) fn hear(mut self, report: Report) -> Result<Option<(Self, Order)>, Lie> {
        match report {
            Report::Done(session) => match self.bounds.check(&session, &self.broker) {
                Ok(()) => self.complete(&session),
                Err(claim) => return Err(self.disbelieve(claim)),
            },
            Report::Failed(verdict) => self.fail(&verdict),
            question => match self.answer(question) {
                Some(order) => return Ok(Some((self, order))),
                None => return Err(self.disbelieve("to have more to ask than any handshake has")),
            },
        }
        Ok(None)
    }

    fn disbelieve(self, claim: &'static str) -> Lie {
        self.fail(&Failure::WorkerLied(claim).verdict(false));
        Lie
    }

    /// `None` to what no honest worker says: no handshake has so much to ask, and none is ready twice.
    fn answer(&mut self, question: Report) -> Option<Order> {
        self.questions = self.questions.checked_add(1).filter(|count| *count <= MAX_QUESTIONS)?;
        match question {
            Report::Sign { scheme, message } => {
                let we_are_server = self.subject.we_are_server();
                Some(Order::Signature(self.broker.sign_content(we_are_server, scheme, &message)))
            }
            Report::FindPsk(offers) => Some(Order::Psk(self.broker.find_psk(&offers))),
            Report::Ready | Report::Done(_) | Report::Failed(_) => None,
        }
    }

    /// Gives it up: the worker tells the peer and reports. `None` when it was given up before, and no report came.
    pub(super) fn give_up(mut self, failure: &Failure) -> Option<(Self, Order)> {
        if let Some(verdict) = self.given_up.take() {
            self.fail(&verdict);
            return None;
        }
        self.given_up = Some(failure.verdict(self.subject.is_psk()));
        self.deadline = Instant::now() + GRACE.min(self.limit / 20);
        Some((self, Order::Abort(failure::GIVING_UP)))
    }

    /// Ends it before any worker has heard of it.
    pub(super) fn turn_away(self, failure: &Failure) {
        let verdict = Verdict { alert: None, ..failure.verdict(self.subject.is_psk()) };
        self.fail(&verdict);
    }

    /// Where its peer is; `None` once it is given up, and takes no more room.
    pub(super) fn origin(&self) -> Option<Origin> {
        let address = self.subject.address.filter(|_| self.given_up.is_none())?;
        Some(Origin::new(&self.subject.netns, address.ip()))
    }

    /// Why the time is over.
    pub(super) fn timeout(&self) -> Failure {
        Failure::Timeout(self.limit)
    }

    /// Gives the session to the kernel. The engine hands a session out only after everything about the peer was verified.
    fn complete(self, session: &Established) {
        if let Err(failure) = give_to_kernel(self.pending.socket(), session) {
            let verdict = failure.verdict(self.subject.is_psk());
            return self.fail(&verdict);
        }
        let remote_auth = self.broker.remote_auth(&session.peer, self.subject.we_are_server());
        let told = self.pending.succeed(remote_auth);
        let outcome = Outcome::Done { session, has_signed: self.broker.has_signed() };
        end(&self.subject, &self.counters, outcome, told);
    }

    fn fail(self, verdict: &Verdict) {
        let verdict = self.given_up.as_ref().unwrap_or(verdict);
        let pq = self.subject.requires_pq.then_some("policy.require_pq allows no group but X25519MLKEM768");
        let told = self.pending.fail(verdict.errno);
        let outcome = Outcome::Failed { verdict, trouble: self.broker.trouble().or(pq) };
        end(&self.subject, &self.counters, outcome, told);
    }
}

/// Counts a handshake whose consumer was answered, and writes its line.
//= rfc9289#section-6.1
//# are REQUIRED to provide an audit log of RPC-with-TLS security mode selection.
fn end(subject: &Subject, counters: &Counters, outcome: Outcome<'_>, told: io::Result<()>) {
    let ended = Ended { subject, outcome, elapsed: subject.started.elapsed(), told };
    counters.count(&ended);
    log::handshake(&ended);
}

fn give_to_kernel(socket: BorrowedFd<'_>, session: &Established) -> Result<(), Failure> {
    let step = |what| move |error| Failure::Ktls(what, error);
    ktls::attach(socket).map_err(step("turning kernel TLS on"))?;
    let tx = (&session.tx.secret, session.tx.next_sequence);
    let rx = (&session.rx.secret, session.rx.next_sequence);
    ktls::install(socket, tx, rx).map_err(step("giving the keys to the kernel"))?;
    let Some(limit) = session.peer_record_size_limit else { return Ok(()) };
    match ktls::limit_records(socket, limit).map_err(step("limiting the size of records"))? {
        true => Ok(()),
        false => Err(step("limiting the size of records")(io::Error::from_raw_os_error(libc::ENOPROTOOPT))),
    }
}

/// Where a connection is from and to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// The addresses of a connection; TCP over IP is what TLS runs on here.
pub(super) fn addresses(socket: BorrowedFd<'_>) -> Result<Addresses, Failure> {
    let protocol = system::socket_protocol(socket).map_err(Failure::Socket)?;
    if protocol != libc::IPPROTO_TCP {
        return Err(Failure::NotTcp);
    }
    let error = |error: nix::Error| Failure::Socket(error.into());
    let local = getsockname(socket.as_raw_fd()).map_err(error).and_then(internet)?;
    let peer = getpeername(socket.as_raw_fd()).map_err(error).and_then(internet)?;
    Ok(Addresses { local, peer })
}

fn internet(address: SockaddrStorage) -> Result<SocketAddr, Failure> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    let v6 = address.as_sockaddr_in6().map(|v6| SocketAddr::from((v6.ip().to_canonical(), v6.port())));
    v4.or(v6).ok_or(Failure::NotTcp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::{
            border::Config,
            driver::tests::{psk_client, session},
            pending::tests::Recorder,
            request::{Authentication, Role},
            wait::wait,
            worker::Worker,
        },
        engine::config::ServerConfig,
    };
    use nix::poll::PollFlags;
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        rc::Rc,
    };

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn nvme_target(timeout: Duration) -> Request {
        Request {
            role: Role::Server,
            authentication: Authentication::Psk,
            peer_name: None,
            timeout: Some(timeout),
            keyring: None,
            peer_identities: vec![],
            certificate: None,
        }
    }

    /// A target that knows no PSK, and the worker that has been told to be it.
    fn begin(socket: TcpStream, timeout: Duration) -> (Rc<Recorder>, Flight, Worker) {
        let recorder = Rc::new(Recorder::default());
        let pending = Pending::new(socket.into(), recorder.clone());
        let config = || Config::Server(ServerConfig { psk: true, ..ServerConfig::default() });
        let flow = |request: &Request, _| {
            let (broker, limit) = (Broker::finder(vec![]), request.timeout.unwrap() * 9 / 10);
            Ok(Flow { config: config(), trust: 0, broker, limit, profile: None })
        };
        let (flight, order) = Flight::begin(
            pending,
            Instant::now(),
            Ok(nvme_target(timeout)),
            UnixTime(0),
            &Rc::default(),
            flow,
        )
        .unwrap();
        let mut worker = Worker::default();
        worker.take(1, order);
        (recorder, flight, worker)
    }

    /// Lets the worker go on, and the flight hear what it reports; `None` when it ended.
    fn go_on(flight: Flight, worker: &mut Worker) -> Option<Flight> {
        worker.advance(&[true]);
        let mut flight = Some(flight);
        while let Some((number, report)) = worker.report() {
            let (next, order) = flight.take()?.hear(report).unwrap()?;
            worker.take(number, order);
            flight = Some(next);
        }
        flight
    }

    #[test]
    fn a_request_that_makes_no_sense_is_answered() {
        let recorder = Rc::new(Recorder::default());
        let pending = Pending::new(connection().0.into(), recorder.clone());
        let course = Flight::begin(
            pending,
            Instant::now(),
            Err(RequestError::Missing("x")),
            UnixTime(0),
            &Rc::default(),
            |_, _| unreachable!(),
        );
        assert!(course.is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::EINVAL.unsigned_abs(), None)]);
    }

    #[test]
    fn a_socket_that_is_not_tcp_is_refused() {
        let recorder = Rc::new(Recorder::default());
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let pending = Pending::new(socket.into(), recorder.clone());
        let course = Flight::begin(
            pending,
            Instant::now(),
            Ok(nvme_target(Duration::ZERO)),
            UnixTime(0),
            &Rc::default(),
            |_, _| unreachable!(),
        );
        assert!(course.is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::EOPNOTSUPP.unsigned_abs(), None)]);
    }

    #[test]
    fn a_silent_peer_runs_into_the_deadline_and_a_vanished_one_does_not() {
        let (client, server) = connection();
        let (recorder, flight, mut worker) = begin(server, Duration::from_secs(10));
        let flight = go_on(flight, &mut worker).unwrap();
        assert_eq!(worker.interests().next().unwrap().1, PollFlags::POLLIN);
        assert!(flight.deadline() <= flight.subject.started + Duration::from_secs(9));
        let failure = flight.timeout();
        let (flight, order) = flight.give_up(&failure).unwrap();
        assert!(recorder.0.borrow().is_empty(), "the peer is told first");
        worker.take(1, order);
        assert!(go_on(flight, &mut worker).is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::ETIMEDOUT.unsigned_abs(), None)]);
        let mut alert = [0; 7];
        (&client).read_exact(&mut alert).unwrap();
        assert_eq!(alert, [21, 3, 3, 0, 2, 1, 90]);

        let (client, server) = connection();
        let (recorder, flight, mut worker) = begin(server, Duration::from_secs(10));
        drop(client);
        assert!(go_on(flight, &mut worker).is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::ETIMEDOUT.unsigned_abs(), None)]);
    }

    #[test]
    fn a_worker_that_lies_gives_nobody_a_session() {
        let reports: [fn() -> Report; 2] = [|| Report::Done(Box::new(session().into())), || Report::Ready];
        for report in reports {
            let (_client, server) = connection();
            let (recorder, flight, _worker) = begin(server, Duration::from_secs(10));
            flight.hear(report()).err().unwrap();
            assert_eq!(*recorder.0.borrow(), [(libc::EIO.unsigned_abs(), None)]);
        }
    }

    #[test]
    fn a_worker_that_does_not_answer_is_not_waited_for() {
        let (_client, server) = connection();
        let (recorder, flight, _silent) = begin(server, Duration::from_secs(10));
        let (flight, _) = flight.give_up(&Failure::Stopping).unwrap();
        assert!(flight.deadline() <= Instant::now() + GRACE);
        assert!(flight.give_up(&Failure::Timeout(GRACE)).is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::EIO.unsigned_abs(), None)], "the first reason counts");
    }

    #[test]
    fn an_unknown_psk_is_rejected_and_garbage_is_denied() {
        let client_hello = {
            let mut handshake = psk_client();
            let crate::engine::Step::Send(bytes) = handshake.step() else { unreachable!() };
            bytes.to_vec()
        };
        for (bytes, errno) in
            [(client_hello.as_slice(), libc::EKEYREJECTED), (b"GET / HTTP/1.0\r\n\r\n", libc::EACCES)]
        {
            let (mut client, server) = connection();
            let (recorder, flight, mut worker) = begin(server, Duration::from_secs(10));
            let flight = go_on(flight, &mut worker).unwrap();
            client.write_all(bytes).unwrap();
            wait(worker.interests(), None).unwrap();
            assert!(go_on(flight, &mut worker).is_none());
            assert_eq!(*recorder.0.borrow(), [(errno.unsigned_abs(), None)]);
        }
    }
}
