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
        let pq = (self.subject.requires_pq && verdict.may_lack_group)
            .then_some("policy.require_pq or policy.groups allow no group but X25519MLKEM768");
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
mod tests;
