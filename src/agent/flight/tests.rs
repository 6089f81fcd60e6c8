use super::*;
use crate::{
    agent::{
        border::Config,
        driver::tests::{client_hello, session},
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
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::OwnedFd,
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
    let (flight, order) =
        Flight::begin(pending, Instant::now(), Ok(nvme_target(timeout)), UnixTime(0), &Rc::default(), flow)
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

/// What is answered to a request that is refused at once.
fn refusal(socket: impl Into<OwnedFd>, request: Result<Request, RequestError>) -> Rc<Recorder> {
    let recorder = Rc::new(Recorder::default());
    let pending = Pending::new(socket.into(), recorder.clone());
    let flight =
        Flight::begin(pending, Instant::now(), request, UnixTime(0), &Rc::default(), |_, _| unreachable!());
    assert!(flight.is_none());
    recorder
}

#[test]
fn a_request_that_makes_no_sense_is_answered() {
    let recorder = refusal(connection().0, Err(RequestError::Missing("x")));
    assert_eq!(*recorder.0.borrow(), [(libc::EINVAL.unsigned_abs(), None)]);
}

#[test]
fn a_socket_that_is_not_tcp_is_refused() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let recorder = refusal(socket, Ok(nvme_target(Duration::ZERO)));
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
    // Not closed: a process that another test has just started would keep it open.
    client.shutdown(Shutdown::Both).unwrap();
    wait(worker.interests(), None).unwrap();
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
    let (flight, _) = flight.give_up(&Failure::Bug).unwrap();
    assert!(flight.deadline() <= Instant::now() + GRACE);
    assert!(flight.give_up(&Failure::Timeout(GRACE)).is_none());
    assert_eq!(*recorder.0.borrow(), [(libc::EIO.unsigned_abs(), None)], "the first reason counts");
}

#[test]
fn an_unknown_psk_is_rejected_and_garbage_is_denied() {
    for (bytes, errno) in
        [(&client_hello()[..], libc::EKEYREJECTED), (b"GET / HTTP/1.0\r\n\r\n", libc::EACCES)]
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
