//! From a request that was taken to its handshake: what the configuration has for it, and who the peer is to be.

use std::{
    collections::VecDeque,
    net::IpAddr,
    os::fd::BorrowedFd,
    rc::Rc,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;

use super::{
    config::Connection,
    failure::Failure,
    flight::{Addresses, Flight, addresses},
    flights::Flights,
    flow::{Abilities, Circumstances, Flow, time_limit},
    keyring::{Keyrings, Loan},
    log,
    lookup::{Found, Lookups, Waiting},
    material::Settings,
    namespace::Call,
    pending::Pending,
    process::now,
    request::{Authentication, Request, RequestError, Role},
    status::Counters,
};

/// How many requests wait for their turn at most. Under a flood there is always another, and for each the kernel calls: where some
/// two hundred of its calls wait to be heard, it refuses whoever asks.
const MAX_ARRIVED: usize = 64;

/// Where requests go.
pub(super) struct Reception {
    pub(super) settings: Settings,
    pub(super) keyrings: Keyrings,
    pub(super) flights: Flights,
    abilities: Abilities,
    arrived: VecDeque<Arrival>,
    lookups: Lookups,
}

/// A request that was taken, and is yet to begin.
struct Arrival {
    pending: Pending,
    started: Instant,
    request: Result<Request, RequestError>,
    counters: Rc<Counters>,
}

impl Reception {
    pub(super) fn new(settings: Settings, flights: Flights, abilities: Abilities) -> Self {
        let (keyrings, arrived, lookups) = Default::default();
        Self { settings, keyrings, flights, abilities, arrived, lookups }
    }

    /// How many requests have no answer yet.
    pub(super) fn count(&self) -> usize {
        self.flights.count() + self.to_begin()
    }

    /// How many requests were taken and have not begun.
    fn to_begin(&self) -> usize {
        self.arrived.len() + self.lookups.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.flights.is_full(self.to_begin())
    }

    /// Whether there is room; without a worker a request is better left to the kernel, which keeps it until there is one again.
    pub(super) fn can_take(&self) -> bool {
        !self.is_full() && self.flights.crew().is_able()
    }

    /// Whether as many as it may be wait for their turn.
    pub(super) fn has_crowd(&self) -> bool {
        self.arrived.len() >= MAX_ARRIVED
    }

    /// What to wait for: names that are looked up, then handshakes.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.lookups.interests().chain(self.flights.interests())
    }

    /// When there is something to do without anything to wait for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let arrived = self.arrived.front().map(|arrival| arrival.started);
        [arrived, self.flights.deadline(), self.lookups.deadline()].into_iter().flatten().min()
    }

    /// Goes on where [`Self::interests`] are met.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        let (of_lookups, of_flights) = ready.split_at_checked(self.lookups.len()).unwrap_or_default();
        self.flights.advance(of_flights);
        for found in self.lookups.advance(of_lookups) {
            self.go_on(found);
        }
    }

    /// Ends whatever is there.
    pub(super) fn stop(&mut self) {
        self.flights.stop();
        for Arrival { pending, started, request, counters } in std::mem::take(&mut self.arrived) {
            self.fly((pending, counters), started, request, Some(Failure::Stopping));
        }
        for Waiting { pending, request, started, counters } in self.lookups.abandon() {
            self.fly((pending, counters), started, Ok(request), Some(Failure::Stopping));
        }
    }

    /// Receives a request that was taken. It begins in its turn, but at once if its keyring is none of those that we possess for
    /// good: then that is ours only meanwhile.
    pub(super) fn receive(&mut self, Call { incoming, loan: _loan, answers, counters }: Call) {
        let Some(socket) = incoming.socket else {
            log::error(format_args!("the kernel gave a request without a socket"));
            return;
        };
        let keyring = incoming.request.as_ref().ok().and_then(|request| request.keyring);
        let (pending, started) = (Pending::new(socket, answers), Instant::now());
        let arrival = Arrival { pending, started, request: incoming.request, counters };
        match keyring.is_none_or(|keyring| self.keyrings.has(keyring)) {
            true => self.arrived.push_back(arrival),
            false => self.begin(arrival),
        }
    }

    /// Begins what the next request asks for; whether there was one.
    pub(super) fn begin_next(&mut self) -> bool {
        self.arrived.pop_front().map(|arrival| self.begin(arrival)).is_some()
    }

    /// Begins what a request asks for, now or when its peer's name is known.
    fn begin(&mut self, Arrival { pending, started, request, counters }: Arrival) {
        if request.as_ref().is_ok_and(|request| self.may_miss_keyrings(request)) {
            self.keyrings.refresh();
        }
        match request {
            Ok(request) => match self.name_to_look_up(&request, &pending, &counters) {
                Some((address, limit)) => {
                    let waiting = Waiting { pending, request, started, counters };
                    let refused = self.lookups.start(waiting, address, limit);
                    refused.into_iter().for_each(|found| self.go_on(found));
                }
                None => self.fly((pending, counters), started, Ok(request), None),
            },
            request => self.fly((pending, counters), started, request, None),
        }
    }

    /// Whether a request has to do with keys, and not in a keyring that we have; finding one takes reading /proc/keys.
    fn may_miss_keyrings(&self, request: &Request) -> bool {
        let needs_keys = request.authentication == Authentication::Psk || request.certificate.is_some();
        needs_keys && !request.keyring.is_some_and(|keyring| self.keyrings.has(keyring))
    }

    /// The address whose name is to be looked up before anything else, and how long the handshake may take.
    fn name_to_look_up(
        &self,
        request: &Request,
        pending: &Pending,
        counters: &Counters,
    ) -> Option<(IpAddr, Duration)> {
        let is_needed = request.role == Role::Client
            && request.authentication != Authentication::Psk
            && request.peer_name.is_none();
        let addresses = is_needed.then(|| addresses(pending.socket()))?;
        let connection = connection(addresses.ok()?, counters);
        let section = self.settings.choose(request.role, &connection).section;
        section.reverse_dns.then(|| (connection.peer.ip(), time_limit(request, section.deadline)))
    }

    /// Goes on with a request whose peer's name was looked up.
    fn go_on(&mut self, (Waiting { pending, mut request, started, counters }, name): Found) {
        let loan = request.keyring.map(Loan::of);
        if let Some(Err(error)) = &loan {
            log::debug(format_args!("the keyring of a request that waited cannot be linked again: {error}"));
        }
        let trouble = match name {
            Ok(name) => {
                request.peer_name = Some(name);
                None
            }
            Err(problem) => Some(Failure::Lookup(problem)),
        };
        self.fly((pending, counters), started, Ok(request), trouble);
    }

    /// Begins a handshake, unless there is trouble already.
    fn fly(
        &mut self,
        (pending, counters): (Pending, Rc<Counters>),
        started: Instant,
        request: Result<Request, RequestError>,
        trouble: Option<Failure>,
    ) {
        let Self { settings, keyrings, abilities, flights, .. } = self;
        let prepare = |request: &Request, addresses| {
            trouble.map_or(Ok(()), Err)?;
            let connection = connection(addresses, &counters);
            log::debug(format_args!("{}: {request:?}", connection.peer));
            let keyrings: Vec<_> = keyrings.present().map(|(_, keyring)| keyring).collect();
            Flow::new(
                request,
                &Circumstances { settings, keyrings: &keyrings, abilities: *abilities, connection },
            )
        };
        flights.begin(|| Flight::begin(pending, started, request, now(), &counters, prepare));
    }
}

/// What a profile is chosen by; our own network namespace has no name.
fn connection(Addresses { local, peer }: Addresses, counters: &Counters) -> Connection<'_> {
    Connection { local, peer, netns: Some(counters.netns()).filter(|name| !name.is_empty()) }
}
