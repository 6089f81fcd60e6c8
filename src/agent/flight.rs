//! One handshake in flight: from an accepted request to its DONE and its line in the log.

use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use nix::{
    poll::PollFlags,
    sys::socket::{SockaddrStorage, getpeername},
};

use crate::{
    crypto::{certificate::ServerName, x509},
    engine::{Peer, Session},
};

use super::{
    broker::Broker,
    driver::{Driver, Progress},
    failure::{self, Failure},
    flow::{Flow, time_limit},
    ktls,
    log::{self, Sanitised},
    pending::Pending,
    request::{Authentication, Request, RequestError, Role},
    system,
};

/// A handshake that waits for its peer.
pub(super) struct Flight {
    pending: Pending,
    driver: Driver,
    broker: Broker,
    subject: Subject,
    limit: Duration,
    interest: PollFlags,
}

/// What a line in the log is about.
pub(super) struct Subject {
    flow: Option<(Role, Authentication)>,
    name: Option<ServerName>,
    address: Option<SocketAddr>,
    started: Instant,
}

impl Flight {
    /// Prepares the handshake of an accepted request; `None` when it is refused at once.
    ///
    /// Nothing is sent yet: the kernel's short queue of requests comes before anybody's cryptography.
    pub(super) fn begin(
        pending: Pending,
        request: Result<Request, RequestError>,
        prepare: impl FnOnce(&Request, SocketAddr) -> Result<Flow, Failure>,
    ) -> Option<Self> {
        let mut subject = Subject { flow: None, name: None, address: None, started: Instant::now() };
        let prepared = request.map_err(Failure::from).and_then(|request| {
            subject.flow = Some((request.role, request.authentication));
            subject.name.clone_from(&request.peer_name);
            let address = peer_address(pending.socket())?;
            subject.address = Some(address);
            Ok((prepare(&request, address)?, time_limit(&request)))
        });
        match prepared {
            Ok((flow, limit)) => {
                let driver = Driver::new(flow.handshake);
                let interest = PollFlags::POLLIN | PollFlags::POLLOUT;
                Some(Self { pending, driver, broker: flow.broker, subject, limit, interest })
            }
            Err(failure) => {
                refuse(pending, &subject, &failure, None);
                None
            }
        }
    }

    /// The socket, and what to wait for on it.
    pub(super) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        (self.pending.socket(), self.interest)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.subject.started + self.limit
    }

    /// Goes on after an event on the socket; `None` when it ended.
    pub(super) fn advance(mut self) -> Option<Self> {
        match self.driver.advance(self.pending.socket(), &mut self.broker) {
            Progress::WaitReadable => self.interest = PollFlags::POLLIN,
            Progress::WaitWritable => self.interest = PollFlags::POLLOUT,
            Progress::Done(session) => return self.complete(&session),
            Progress::Failed(failure) => return self.fail(&Failure::Handshake(failure)),
        }
        Some(self)
    }

    /// Ends it, and tells the peer if that takes no waiting.
    pub(super) fn give_up(mut self, failure: &Failure) {
        self.driver.abort(self.pending.socket(), failure::GIVING_UP);
        self.fail(failure);
    }

    /// Why the time is over.
    pub(super) fn timeout(&self) -> Failure {
        Failure::Timeout(self.limit)
    }

    /// Gives the session to the kernel. The engine hands a session out only after everything about the peer was verified.
    fn complete(self, session: &Session) -> Option<Self> {
        if let Err(failure) = give_to_kernel(self.pending.socket(), session) {
            return self.fail(&failure);
        }
        let we_are_server = matches!(self.subject.flow, Some((Role::Server, _)));
        let remote_auth = self.broker.remote_auth(&session.peer, we_are_server);
        match self.pending.succeed(remote_auth) {
            //= rfc9289#section-6.1
            //# are REQUIRED to provide an audit log of RPC-with-TLS security mode selection.
            Ok(()) => log::info(format_args!(
                "{}: {}",
                self.subject,
                Outcome { session, broker: &self.broker, subject: &self.subject }
            )),
            Err(error) => {
                log::error(format_args!("{}: the kernel did not take the session: {error}", self.subject))
            }
        }
        None
    }

    fn fail(self, failure: &Failure) -> Option<Self> {
        refuse(self.pending, &self.subject, failure, self.broker.trouble());
        None
    }
}

/// Answers with the errno of a failure, and writes the line that says why.
fn refuse(pending: Pending, subject: &Subject, failure: &Failure, trouble: Option<&str>) {
    let errno = failure.errno(subject.flow.map(|(_, authentication)| authentication));
    let told = failure.alert().map(|alert| format!("; we sent alert {alert}")).unwrap_or_default();
    let trouble = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
    let name = failure::errno_name(errno);
    let milliseconds = subject.started.elapsed().as_millis();
    log::notice(format_args!("{subject}: FAILED with {name} in {milliseconds} ms: {failure}{trouble}{told}"));
    if let Err(error) = pending.fail(errno) {
        log::error(format_args!("{subject}: the kernel did not take the result: {error}"));
    }
}

fn give_to_kernel(socket: BorrowedFd<'_>, session: &Session) -> Result<(), Failure> {
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

/// The peer's address; TCP over IP is what TLS runs on here.
fn peer_address(socket: BorrowedFd<'_>) -> Result<SocketAddr, Failure> {
    let protocol = system::socket_protocol(socket).map_err(Failure::Socket)?;
    if protocol != libc::IPPROTO_TCP {
        return Err(Failure::NotTcp);
    }
    let address: SockaddrStorage =
        getpeername(socket.as_raw_fd()).map_err(|error| Failure::Socket(error.into()))?;
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    let v6 = address.as_sockaddr_in6().map(|v6| SocketAddr::from((v6.ip().to_canonical(), v6.port())));
    v4.or(v6).ok_or(Failure::NotTcp)
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.flow {
            None => "handshake",
            Some((Role::Client, Authentication::Unauthenticated)) => "client handshake",
            Some((Role::Client, Authentication::X509)) => "client x509 handshake",
            Some((Role::Client, Authentication::Psk)) => "client psk handshake",
            Some((Role::Server, Authentication::Psk)) => "server psk handshake",
            Some((Role::Server, _)) => "server x509 handshake",
        })?;
        match (&self.name, self.address) {
            (Some(name), Some(address)) => write!(f, " with {name} ({address})"),
            (Some(name), None) => write!(f, " with {name}"),
            (None, Some(address)) => write!(f, " with {address}"),
            (None, None) => Ok(()),
        }
    }
}

/// A session, for the log.
struct Outcome<'a> {
    session: &'a Session,
    broker: &'a Broker,
    subject: &'a Subject,
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, broker, subject } = self;
        let milliseconds = subject.started.elapsed().as_millis();
        write!(f, "done in {milliseconds} ms, {}, {}", session.suite.name(), session.group.name())?;
        match &session.peer {
            Peer::Anonymous => f.write_str(", peer without a certificate")?,
            Peer::Psk { identity, .. } => write!(f, ", psk \"{}\"", Sanitised(identity))?,
            Peer::Certificate { chain } => {
                let description = chain.first().map(|leaf| x509::describe(leaf)).unwrap_or_default();
                write!(f, ", peer \"{}\"", Sanitised(description.as_bytes()))?;
            }
        }
        if let Some(protocol) = &session.alpn {
            write!(f, ", alpn {}", Sanitised(protocol))?;
        }
        // What a mount with xprtsec=mtls is then refused for by the other side's export, without a word of why.
        if subject.flow == Some((Role::Client, Authentication::X509)) && !broker.has_signed() {
            f.write_str(", our certificate not shown: the server did not ask for one, or not for its kind")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{
        driver::tests::{psk_client, psk_server, session},
        pending::tests::Recorder,
    };
    use std::{
        io::Write,
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

    fn begin(socket: TcpStream, timeout: Duration) -> (Rc<Recorder>, Option<Flight>) {
        let recorder = Rc::new(Recorder::default());
        let pending = Pending::new(socket.into(), recorder.clone());
        let course = Flight::begin(pending, Ok(nvme_target(timeout)), |_, _| {
            Ok(Flow { handshake: psk_server(), broker: Broker::finder(vec![]) })
        });
        (recorder, course)
    }

    #[test]
    fn a_request_that_makes_no_sense_is_answered() {
        let recorder = Rc::new(Recorder::default());
        let pending = Pending::new(connection().0.into(), recorder.clone());
        let course = Flight::begin(pending, Err(RequestError::Missing("x")), |_, _| unreachable!());
        assert!(course.is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::EINVAL.unsigned_abs(), None)]);
    }

    #[test]
    fn a_socket_that_is_not_tcp_is_refused() {
        let recorder = Rc::new(Recorder::default());
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let pending = Pending::new(socket.into(), recorder.clone());
        let course = Flight::begin(pending, Ok(nvme_target(Duration::ZERO)), |_, _| unreachable!());
        assert!(course.is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::EOPNOTSUPP.unsigned_abs(), None)]);
    }

    #[test]
    fn a_silent_peer_runs_into_the_deadline_and_a_vanished_one_does_not() {
        let (client, server) = connection();
        let (recorder, course) = begin(server, Duration::from_secs(10));
        let flight = course.unwrap().advance().unwrap();
        assert_eq!(flight.interest().1, PollFlags::POLLIN);
        assert!(flight.deadline() <= flight.subject.started + Duration::from_secs(9));
        let failure = flight.timeout();
        flight.give_up(&failure);
        assert_eq!(*recorder.0.borrow(), [(libc::ETIMEDOUT.unsigned_abs(), None)]);
        drop(client);

        let (client, server) = connection();
        let (recorder, course) = begin(server, Duration::from_secs(10));
        let flight = course.unwrap();
        drop(client);
        assert!(flight.advance().is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::ETIMEDOUT.unsigned_abs(), None)]);
    }

    //= rfc9289#section-6.1
    //= type=test
    //# are REQUIRED to provide an audit log of RPC-with-TLS security mode selection.
    #[test]
    fn a_line_says_what_protects_a_session_and_who_the_peer_is() {
        let flow = Some((Role::Client, Authentication::X509));
        let subject = Subject { flow, name: None, address: None, started: Instant::now() };
        let broker = Broker::finder(vec![]);
        let line = |session: &Session| Outcome { session, broker: &broker, subject: &subject }.to_string();
        let mut session = session();
        let written = line(&session);
        assert!(written.contains("TLS_AES_128_GCM_SHA256, x25519, psk \"client@example\""), "{written}");
        session.peer = Peer::Anonymous;
        session.alpn = Some(b"sunrpc".into());
        let written = line(&session);
        assert!(
            written.contains("x25519, peer without a certificate, alpn sunrpc, our certificate not shown")
        );
        let certificate = include_bytes!("../../tests/vectors/agent/server.pem");
        session.peer = Peer::Certificate { chain: crate::crypto::pem::certificates(certificate).unwrap() };
        assert!(line(&session).contains("peer \"CN=server (SHA256:"), "{}", line(&session));
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
            let (recorder, course) = begin(server, Duration::from_secs(10));
            let flight = course.unwrap().advance().unwrap();
            client.write_all(bytes).unwrap();
            let mut ready = [nix::poll::PollFd::new(flight.interest().0, PollFlags::POLLIN)];
            nix::poll::poll(&mut ready, nix::poll::PollTimeout::NONE).unwrap();
            assert!(flight.advance().is_none());
            assert_eq!(*recorder.0.borrow(), [(errno.unsigned_abs(), None)]);
        }
    }
}
