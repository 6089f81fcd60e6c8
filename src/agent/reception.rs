//! From a request that was taken to its handshake: what the configuration has for it, and who the peer is to be.

use std::{
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
    keyring::{self, Keyrings},
    log,
    lookup::{Found, Lookups, Waiting},
    material::Settings,
    namespace::Call,
    pending::Pending,
    process::now,
    request::{Authentication, Request, RequestError, Role},
    status::Counters,
};

/// Where requests go.
pub(super) struct Reception {
    pub(super) settings: Settings,
    pub(super) keyrings: Keyrings,
    pub(super) flights: Flights,
    abilities: Abilities,
    lookups: Lookups,
}

impl Reception {
    pub(super) fn new(settings: Settings, flights: Flights, abilities: Abilities) -> Self {
        Self { settings, keyrings: Keyrings::default(), flights, abilities, lookups: Lookups::default() }
    }

    /// How many requests have no answer yet.
    pub(super) fn count(&self) -> usize {
        self.flights.count() + self.lookups.len()
    }

    /// What to wait for: names that are looked up, then handshakes.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.lookups.interests().chain(self.flights.interests())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.flights.deadline().into_iter().chain(self.lookups.deadline()).min()
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
        for Waiting { pending, request, started, counters } in self.lookups.abandon() {
            self.fly((pending, counters), started, Ok(request), Some(Failure::Stopping));
        }
    }

    /// Begins what a request asks for, now or when its peer's name is known.
    pub(super) fn begin(&mut self, Call { incoming, answers, counters }: Call) {
        let Some(socket) = incoming.socket else {
            log::error(format_args!("the kernel gave a request without a socket"));
            return;
        };
        let (pending, started) = (Pending::new(socket, answers), Instant::now());
        if incoming.request.as_ref().is_ok_and(needs_keyrings) {
            self.keyrings.refresh();
        }
        match incoming.request {
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
        if let Some(Err(error)) = request.keyring.map(keyring::possess_requested_again) {
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

/// Whether a request has to do with keys in keyrings; finding those takes reading /proc/keys when one is missing.
fn needs_keyrings(request: &Request) -> bool {
    request.authentication == Authentication::Psk || request.certificate.is_some()
}
