//! The agent: one loop over the kernel's requests, the signals, and every handshake in flight.
//!
//! Nothing in it waits but `poll`: a slow or silent peer delays no other. Nothing that the kernel's netlink says ends it.

use std::{
    net::IpAddr,
    os::fd::AsFd,
    panic,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::{
    poll::PollFlags,
    sys::{signal::Signal, signalfd::SignalFd},
};

use crate::crypto::certificate::UnixTime;

use super::{
    config::Connection,
    crew::Crew,
    expiry::Calendar,
    failure::Failure,
    flight::{Addresses, Flight, addresses},
    flights::Flights,
    flow::{Abilities, Circumstances, Flow, time_limit},
    key_log::KeyLogFile,
    keyring::{self, Keyrings},
    log,
    lookup::{Found, Lookups, Waiting},
    material::Settings,
    namespace::{Call, Namespaces, SLOW_TIMER, Wanted},
    notify::Manager,
    pending::Pending,
    process,
    request::{Authentication, Request, RequestError, Role},
    status::{self, Counters, Status, View},
    wait::wait,
};

/// How many refusals of ACCEPT are borne in one go; each takes one request off the kernel's queue (at most 50), or none.
const MAX_REFUSALS: usize = 50;
/// How many requests are taken in one go: under a flood they never end.
const MAX_TAKEN: usize = 256;

/// The running agent.
struct Service {
    /// The configuration that was named; `None` to look for one.
    path: Option<PathBuf>,
    settings: Settings,
    keyrings: Keyrings,
    abilities: Abilities,
    namespaces: Namespaces,
    signals: SignalFd,
    lookups: Lookups,
    flights: Flights,
    status: Status,
    calendar: Calendar,
    manager: Manager,
    /// When to look for changed files.
    look: Instant,
}

/// What can go on.
struct Ready {
    signalled: bool,
    /// Of the namespaces.
    called: Vec<bool>,
    /// Of those who ask for the status.
    asked: Vec<bool>,
    /// Of the names that are looked up, and of the sockets of the crew.
    crew: Vec<bool>,
}

/// What the command line says.
pub(super) struct Options {
    /// The configuration; `None` to look for one.
    pub(super) path: Option<PathBuf>,
    pub(super) workers: usize,
    pub(super) log_format: log::Format,
    /// Where to write the sessions' secrets, for who debugs.
    pub(super) key_log: Option<PathBuf>,
    /// Where to tell the status, if anywhere.
    pub(super) status: Option<PathBuf>,
    /// The network namespaces that are served beside our own.
    pub(super) namespaces: Wanted,
}

/// Runs until SIGTERM or SIGINT. The error says why it cannot run at all.
pub(super) fn run(options: Options) -> Result<(), String> {
    log::start(options.log_format);
    // std's own message would wait for whoever reads stderr.
    panic::set_hook(Box::new(|panic| log::error(format_args!("a bug: {panic}"))));
    let mut service = Service::start(options)?;
    service.manager.ready();
    while service.turn()? {}
    service.manager.stopping();
    service.stop()
}

impl Service {
    fn start(options: Options) -> Result<Self, String> {
        let Options { path, workers, status, key_log, namespaces, .. } = options;
        let key_log = key_log.as_deref().map(begin_key_log).transpose()?;
        process::harden();
        let signals = process::take_signals().map_err(|error| format!("signals: {error}"))?;
        let settings = Settings::load(path.as_deref()).map_err(|error| error.to_string())?;
        log::set_debug(settings.config.debug);
        // The workers have our limit of descriptors.
        let room = process::room(namespaces.limit());
        let namespaces = Namespaces::start(&namespaces)?;
        process::give_up_rights();
        let crew = Crew::start(workers, &settings)?;
        let mut service = Self {
            path,
            keyrings: Keyrings::default(),
            calendar: Calendar::new(&settings),
            settings,
            abilities: process::probe_ktls(),
            namespaces,
            signals,
            lookups: Lookups::default(),
            flights: Flights::new(room, crew, key_log),
            status: Status::start(status.as_deref()),
            manager: Manager::of_environment(),
            look: Instant::now() + SLOW_TIMER,
        };
        if let Err(error) = keyring::possess_user_keyring() {
            log::debug(format_args!("root's user keyring cannot be linked: {error}"));
        }
        service.apply("ready with");
        service.check_permission()?;
        Ok(service)
    }

    /// What follows from new settings; `event` opens the line that tells of them.
    fn apply(&mut self, event: &str) {
        let Settings { config, client, server, .. } = &self.settings;
        log::set_debug(config.debug);
        config.warnings.iter().for_each(|warning| log::warning(format_args!("{warning}")));
        self.keyrings = Keyrings::new(&config.keyrings);
        self.keyrings.refresh();
        for name in self.keyrings.missing().filter(|name| config.keyrings.iter().any(|n| n == name)) {
            log::warning(format_args!("{}: there is no keyring {name:?} (yet)", config.path.display()));
        }
        log::notice(format_args!(
            "{event} {}: client certificate {}, server certificate {}, client certificates {}",
            config.path.display(),
            if client.identity.is_some() { "set" } else { "not set" },
            if server.identity.is_some() { "set" } else { "not set" },
            if server.verifier.is_some() {
                "verified"
            } else {
                "not asked for (no truststore in [authenticate.server])"
            },
        ));
        self.status.loaded(config.textfile.as_ref());
        self.calendar = Calendar::new(&self.settings);
    }

    /// ACCEPT needs CAP_NET_ADMIN; without it the agent would sit in the kernel's way, which queues requests for it.
    fn check_permission(&mut self) -> Result<(), String> {
        match self.namespaces.take() {
            None => Ok(()),
            Some(Ok(call)) => {
                self.begin(call);
                Ok(())
            }
            Some(Err(error)) if error.raw_os_error() == Some(libc::EPERM) => {
                Err("the kernel gives handshakes only to root (CAP_NET_ADMIN in the initial user namespace)"
                    .into())
            }
            Some(Err(error)) => {
                log::warning(format_args!("ACCEPT: {error}"));
                Ok(())
            }
        }
    }

    /// One turn of the loop; `Ok(false)` at the end.
    fn turn(&mut self) -> Result<bool, String> {
        if self.namespaces.ask() <= Instant::now() {
            self.watch_files();
            self.accept();
            self.flights.hear();
        }
        Ok(!self.go_round()? || self.take_signal()?)
    }

    /// Waits, and goes on with whatever can; whether there is a signal.
    fn go_round(&mut self) -> Result<bool, String> {
        let Ready { signalled, called, asked, crew } = self.wait()?;
        self.namespaces.hear(&called)?;
        self.advance(&crew);
        self.tell(&asked);
        Ok(signalled)
    }

    /// Waits for whatever comes first.
    fn wait(&self) -> Result<Ready, String> {
        let signals = [(self.signals.as_fd(), PollFlags::POLLIN)];
        let (called, asked) = (self.namespaces.interests(), self.status.interests());
        let counts = (called.len(), asked.len());
        let others = self.lookups.interests().chain(self.flights.interests());
        let interests = signals.into_iter().chain(called).chain(asked).chain(others);
        let ready = wait(interests, Some(self.patience())).map_err(|error| format!("poll: {error}"))?;
        let mut ready = ready.into_iter();
        Ok(Ready {
            signalled: ready.next() == Some(true),
            called: ready.by_ref().take(counts.0).collect(),
            asked: ready.by_ref().take(counts.1).collect(),
            crew: ready.collect(),
        })
    }

    /// Until the next deadline, or until the kernel is to be asked.
    fn patience(&self) -> Duration {
        let due = [self.flights.deadline(), self.lookups.deadline(), self.status.deadline()];
        let due = due.into_iter().chain([self.manager.deadline(), log::deadline()]).flatten();
        let next = due.chain([self.namespaces.ask(), self.calendar.deadline()]).min();
        next.map_or(SLOW_TIMER, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Tells those who want to know how we are.
    fn tell(&mut self, asked: &[bool]) {
        self.calendar.warn_if_due(now());
        log::flush();
        let counters = &self.namespaces.counters();
        let (in_flight, crew) = (self.flights.count(), self.flights.crew());
        self.manager.live(|| status::line(counters, in_flight));
        if asked.contains(&true) || self.status.deadline().is_some_and(|due| due <= Instant::now()) {
            let view = View {
                counters,
                configuration: &self.settings.config.path,
                lifetimes: &self.calendar.lifetimes,
                in_flight,
                max_in_flight: self.flights.most(),
                workers: crew.workers(),
                workers_wanted: crew.wanted(),
                restarts: crew.restarts(),
            };
            self.status.advance(asked, &view);
        }
    }

    /// Looks now and then whether a file of the configuration was replaced.
    fn watch_files(&mut self) {
        let now = Instant::now();
        if self.look <= now {
            self.look = now + SLOW_TIMER;
            if self.settings.stamps.changed() {
                log::notice(format_args!("the configuration or a file that it names has changed"));
                self.reload();
            }
        }
    }

    /// Takes requests until there are no more, or no more can be borne.
    fn accept(&mut self) {
        let (mut refusals, mut taken) = (0, 0);
        while self.flights.can_take() && refusals < MAX_REFUSALS {
            // The others have their turn, and then it goes on.
            if taken == MAX_TAKEN {
                return;
            }
            taken += 1;
            match self.namespaces.take() {
                Some(Ok(call)) => self.begin(call),
                None => return,
                Some(Err(error)) => {
                    refusals += 1;
                    log::error(format_args!("a request could not be accepted: {error}"));
                    if matches!(
                        error.raw_os_error(),
                        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
                    ) {
                        break;
                    }
                }
            }
        }
        if self.flights.is_full() {
            self.status.paused();
        }
        self.namespaces.postpone();
    }

    fn begin(&mut self, Call { incoming, answers, counters }: Call) {
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
        let connection = connection(addresses(pending.socket()).ok().filter(|_| is_needed)?, counters);
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

    /// Goes on with the handshakes that can, and ends those whose time is over.
    fn advance(&mut self, ready: &[bool]) {
        let could_take = self.flights.can_take();
        let (of_lookups, of_crew) = ready.split_at_checked(self.lookups.len()).unwrap_or_default();
        self.flights.advance(of_crew);
        for found in self.lookups.advance(of_lookups) {
            self.go_on(found);
        }
        self.flights.hear();
        if !could_take && self.flights.can_take() {
            self.namespaces.hurry();
        }
    }

    /// `Ok(false)` when the signal is to end.
    fn take_signal(&mut self) -> Result<bool, String> {
        let Ok(Some(information)) = self.signals.read_signal() else { return Ok(true) };
        if information.ssi_signo != Signal::SIGHUP as u32 {
            return Ok(false);
        }
        self.reload();
        Ok(true)
    }

    /// Reads the configuration and its files again; what was good stays until it is replaced by something good.
    fn reload(&mut self) {
        self.manager.reloading();
        let former = &self.settings.config;
        let loaded = Settings::load(self.path.as_deref())
            .and_then(|settings| settings.config.replaces(former).map(|()| settings))
            .map_err(|error| error.to_string());
        match loaded.and_then(|settings| self.flights.crew_mut().renew(&settings).map(|()| settings)) {
            Ok(settings) => {
                self.settings = settings;
                self.apply("reloaded");
            }
            Err(error) => {
                log::error(format_args!("{error}; going on with the configuration as it was"));
                self.status.refused(&error);
                self.settings.stamps.renew();
            }
        }
        self.manager.ready();
    }

    /// Ends whatever is in flight, and begins nothing.
    fn stop(&mut self) -> Result<(), String> {
        let waiting = self.lookups.abandon();
        let count = self.flights.count() + waiting.len();
        self.flights.stop();
        for Waiting { pending, request, started, counters } in waiting {
            self.fly((pending, counters), started, Ok(request), Some(Failure::Stopping));
        }
        while self.flights.count() > 0 {
            // Requests are left to the next agent, and another signal says nothing new.
            self.namespaces.postpone();
            if self.go_round()? {
                let _swallowed = self.signals.read_signal();
            }
        }
        log::notice(format_args!("stopped, with {count} handshakes in flight"));
        log::flush();
        Ok(())
    }
}

fn begin_key_log(path: &Path) -> Result<KeyLogFile, String> {
    let file = KeyLogFile::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    log::warning(format_args!("whoever reads {} can read every connection from here on", path.display()));
    Ok(file)
}

/// What a profile is chosen by; our own network namespace has no name.
fn connection(Addresses { local, peer }: Addresses, counters: &Counters) -> Connection<'_> {
    Connection { local, peer, netns: Some(counters.netns()).filter(|name| !name.is_empty()) }
}

/// Whether a request has to do with keys in keyrings; finding those takes reading /proc/keys when one is missing.
fn needs_keyrings(request: &Request) -> bool {
    request.authentication == Authentication::Psk || request.certificate.is_some()
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()))
}
