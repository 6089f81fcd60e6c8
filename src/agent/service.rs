//! The agent: one loop over the kernel's requests, the signals, and every handshake in flight.
//!
//! Nothing in it waits but `poll`: a slow or silent peer delays no other. Nothing that the kernel's netlink says ends it.

use std::{
    os::fd::AsFd,
    panic,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    poll::PollFlags,
    sys::{signal::Signal, signalfd::SignalFd},
};

use crate::engine::config::ClientAuthentication;

use super::{
    config::Section,
    crew::Crew,
    expiry::Calendar,
    flights::Flights,
    key_log::KeyLogFile,
    keyring::{self, Keyrings},
    log,
    material::Settings,
    namespace::{Namespaces, SLOW_TIMER, Wanted},
    notify::Manager,
    process::{self, now},
    reception::Reception,
    stamps::Stamps,
    status::{self, Status, View},
    wait::wait,
};

/// How many refusals of ACCEPT are borne in one go; each takes one request off the kernel's queue (at most 50), or none.
const MAX_REFUSALS: usize = 50;
/// How many requests are taken in one go, and how many begin in one turn: under a flood they never end.
const MAX_TAKEN: usize = 64;
const MAX_BEGUN: usize = 64;

/// The running agent.
struct Service {
    /// The configuration that was named; `None` to look for one.
    path: Option<PathBuf>,
    reception: Reception,
    namespaces: Namespaces,
    signals: SignalFd,
    status: Status,
    calendar: Calendar,
    manager: Manager,
    /// The files that the configuration was read from, or that it could not be read from.
    stamps: Stamps,
    /// When to look for keyrings and changed files.
    look: Instant,
    /// Whether requests were left to the kernel for lack of room or of workers.
    left_some: bool,
}

/// What can go on.
struct Ready {
    signalled: bool,
    /// Of the namespaces.
    called: Vec<bool>,
    /// Of those who ask for the status.
    asked: Vec<bool>,
    /// Of the requests that were taken.
    taken: Vec<bool>,
}

/// What the command line says.
pub(super) struct Options {
    /// The configuration; `None` to look for one.
    pub(super) path: Option<PathBuf>,
    pub(super) workers: usize,
    pub(super) log_format: log::Format,
    /// Where to write the sessions' secrets, for debugging.
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
    let ended = service.serve();
    service.manager.stopping();
    // Whatever the reason: who is in flight is to try again.
    ended.and(service.stop())
}

impl Service {
    fn start(options: Options) -> Result<Self, String> {
        let Options { path, workers, status, key_log, namespaces, .. } = options;
        let key_log = key_log.as_deref().map(begin_key_log).transpose()?;
        process::harden();
        process::be_prompt();
        let signals = process::take_signals().map_err(|error| format!("signals: {error}"))?;
        // The workers have our limit of descriptors.
        let room = process::room(namespaces.limit());
        let namespaces = Namespaces::start(&namespaces)?;
        process::give_up_rights();
        // They start while we read.
        let mut crew = Crew::start(workers);
        let mut stamps = Stamps::default();
        let settings = Settings::load(path.as_deref(), &mut stamps);
        let mut settings = settings.map_err(|error| error.to_string())?;
        log::set_debug(settings.config.debug);
        crew.renew(&mut settings)?;
        let abilities = process::probe_ktls();
        crew.get_ready()?;
        let flights = Flights::new(room, crew, key_log);
        let mut service = Self {
            path,
            calendar: Calendar::new(&settings),
            reception: Reception::new(settings, flights, abilities),
            namespaces,
            signals,
            status: Status::start(status),
            manager: Manager::of_environment(),
            stamps,
            look: Instant::now() + SLOW_TIMER,
            left_some: false,
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
        let Settings { config, client, server, .. } = &self.reception.settings;
        log::set_debug(config.debug);
        config.warnings.iter().for_each(|warning| log::warning(format_args!("{warning}")));
        self.reception.keyrings = Keyrings::new(&config.keyrings);
        self.reception.keyrings.refresh();
        for name in self.reception.keyrings.missing().filter(|name| config.keyrings.iter().any(|n| n == name))
        {
            log::warning(format_args!("{}: there is no keyring {name:?} (yet)", config.path.display()));
        }
        log::notice(format_args!(
            "{event} {}: client certificate {}, server certificate {}, client certificates {}",
            config.path.display(),
            if client.identity.is_some() { "set" } else { "not set" },
            if server.identity.is_some() { "set" } else { "not set" },
            client_certificates(&config.server),
        ));
        self.status.loaded(config.textfile.as_ref());
    }

    /// ACCEPT needs CAP_NET_ADMIN; without it the agent would sit in the kernel's way, which queues requests for it.
    fn check_permission(&mut self) -> Result<(), String> {
        match self.namespaces.take() {
            None => Ok(()),
            Some(Ok(call)) => {
                self.reception.receive(call);
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

    /// Turns until it is to end.
    fn serve(&mut self) -> Result<(), String> {
        while self.turn()? {}
        Ok(())
    }

    /// One turn of the loop; `Ok(false)` at the end.
    fn turn(&mut self) -> Result<bool, String> {
        self.look_around();
        Ok(!self.go_round()? || self.take_signal()?)
    }

    /// Waits, and goes on with whatever can; whether there is a signal.
    fn go_round(&mut self) -> Result<bool, String> {
        let Ready { signalled, called, asked, taken } = self.wait()?;
        self.namespaces.hear(&called)?;
        self.advance(&taken);
        self.tell(&asked);
        Ok(signalled)
    }

    /// Waits for whatever comes first.
    fn wait(&self) -> Result<Ready, String> {
        let signals = [(self.signals.as_fd(), PollFlags::POLLIN)];
        let (called, asked) = (self.namespaces.interests(), self.status.interests());
        let counts = (called.len(), asked.len());
        let interests = signals.into_iter().chain(called).chain(asked).chain(self.reception.interests());
        let ready = wait(interests, Some(self.patience())).map_err(|error| format!("poll: {error}"))?;
        let mut ready = ready.into_iter();
        Ok(Ready {
            signalled: ready.next() == Some(true),
            called: ready.by_ref().take(counts.0).collect(),
            asked: ready.by_ref().take(counts.1).collect(),
            taken: ready.collect(),
        })
    }

    /// Until the next deadline, or until the kernel is to be asked.
    fn patience(&self) -> Duration {
        let telling = [self.status.deadline(), self.manager.deadline(), log::deadline()];
        let due = telling.into_iter().flatten().chain(self.reception.deadline());
        let next = due.chain([self.namespaces.ask(), self.calendar.deadline()]).min();
        next.map_or(SLOW_TIMER, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Tells those who want to know how we are.
    fn tell(&mut self, asked: &[bool]) {
        self.calendar.warn_if_due(now());
        log::flush();
        let counters = &self.namespaces.counters();
        let (in_flight, crew) = (self.reception.flights.count(), self.reception.flights.crew());
        self.manager.live(|| status::line(counters, in_flight));
        if asked.contains(&true) || self.status.deadline().is_some_and(|due| due <= Instant::now()) {
            let view = View {
                counters,
                configuration: &self.reception.settings.config.path,
                lifetimes: &self.calendar.lifetimes,
                in_flight,
                max_in_flight: self.reception.flights.most(),
                workers: crew.workers(),
                workers_wanted: crew.wanted(),
                restarts: crew.restarts(),
            };
            self.status.advance(asked, &view);
        }
    }

    /// Looks now and then for keyrings that have come, and whether a file of the configuration was replaced.
    fn look_around(&mut self) {
        let now = Instant::now();
        if self.look <= now {
            self.look = now + SLOW_TIMER;
            self.reception.keyrings.refresh();
            self.status.open();
            if self.stamps.changed() {
                log::notice(format_args!("the configuration or a file that it names has changed"));
                self.reload();
            }
        }
    }

    /// Takes requests until there are no more, or no more can be borne.
    fn take(&mut self) {
        let mut refusals = 0;
        for taken in 0.. {
            // They begin first, and then it goes on.
            if self.reception.has_crowd() || taken >= MAX_TAKEN {
                return;
            }
            if !self.reception.can_take() {
                self.left_some = true;
                break;
            }
            if refusals >= MAX_REFUSALS {
                break;
            }
            match self.namespaces.take() {
                Some(Ok(call)) => self.reception.receive(call),
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
        if self.reception.is_full() {
            self.status.paused();
        }
        self.namespaces.postpone();
    }

    /// Goes on with the handshakes that can, and ends those whose time is over.
    fn advance(&mut self, ready: &[bool]) {
        self.reception.advance(ready);
        self.work();
        self.reception.flights.give_up_late();
        self.work();
        if self.left_some && self.reception.can_take() {
            self.left_some = false;
            self.namespaces.hurry();
        }
    }

    /// Begins what was taken and hears what the workers report, and before each takes the requests that have come: the kernel's
    /// queue has room for as few as three, and an answer can take a signature.
    fn work(&mut self) {
        for turn in 0.. {
            if self.namespaces.ask() <= Instant::now() {
                self.take();
            }
            let has_begun = turn < MAX_BEGUN && self.reception.begin_next();
            if !self.reception.flights.hear() && !has_begun {
                return;
            }
            self.namespaces.listen();
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
        let former = &self.reception.settings.config;
        let loaded = Settings::load(self.path.as_deref(), &mut self.stamps)
            .and_then(|settings| settings.config.replaces(former).map(|()| settings))
            .map_err(|error| error.to_string());
        let crew = self.reception.flights.crew_mut();
        match loaded.and_then(|mut settings| crew.renew(&mut settings).map(|()| settings)) {
            Ok(settings) => {
                self.calendar = Calendar::new(&settings);
                self.reception.settings = settings;
                self.apply("reloaded");
            }
            Err(error) => {
                log::error(format_args!("{error}; going on with the configuration as it was"));
                self.status.refused(&error);
            }
        }
        self.manager.ready();
    }

    /// Ends whatever is in flight, and begins nothing.
    fn stop(&mut self) -> Result<(), String> {
        let count = self.reception.count();
        self.reception.stop();
        self.work();
        while self.reception.count() > 0 {
            // Requests are left to the next agent, and another signal says nothing new.
            self.namespaces.postpone();
            if self.go_round()? {
                let _swallowed = self.signals.read_signal();
            }
        }
        log::notice(format_args!("stopped, with {count} handshakes in flight"));
        log::end();
        Ok(())
    }
}

/// What becomes of the certificates of clients, in words.
fn client_certificates(server: &Section) -> &'static str {
    match (server.client_authentication(), &server.truststore) {
        (ClientAuthentication::Required, _) => "required",
        (ClientAuthentication::Optional, _) => "verified",
        (ClientAuthentication::None, Some(_)) => "not asked for (policy.client_certificate=none)",
        (ClientAuthentication::None, None) => "not asked for (no truststore in [authenticate.server])",
    }
}

fn begin_key_log(path: &Path) -> Result<KeyLogFile, String> {
    let file = KeyLogFile::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    log::warning(format_args!("whoever reads {} can read every connection from here on", path.display()));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::config::Config;

    #[test]
    fn it_is_told_what_becomes_of_the_certificates_of_clients() {
        let told = |text: &str| {
            let text = format!("[authenticate.server]\n{text}");
            client_certificates(&Config::parse(Path::new("c"), &text).unwrap().server)
        };
        let trust = "x509.truststore=/ca.pem\npolicy.client_certificate=";
        assert_eq!(told(""), "not asked for (no truststore in [authenticate.server])");
        assert_eq!(told(&format!("{trust}none")), "not asked for (policy.client_certificate=none)");
        assert_eq!(told(&format!("{trust}optional")), "verified");
        assert_eq!(told(&format!("{trust}required")), "required");
    }
}
