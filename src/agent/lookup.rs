//! Names of addresses by reverse DNS, for consumers that name no peer, where the configuration wants it.
//!
//! Looking up means waiting, and parsing what strangers send. So each name is looked up by a process of its own, without privileges
//! and keys, which is killed when it takes too long; handshakes go on meanwhile, and at most [`MAX_LOOKUPS`] wait for a name.
//! There is no handshake without one.

mod resolver;

use std::{
    io::{self, Read},
    net::IpAddr,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;

use crate::crypto::certificate::ServerName;

pub(super) use resolver::answer;

use super::{log::Sanitised, pending::Pending, request::Request, status::Counters};

/// How many names are looked up at once.
const MAX_LOOKUPS: usize = 16;
/// How long looking up may take, and at most half of the handshake's time.
const LONGEST_LOOKUP: Duration = Duration::from_secs(3);
/// How an answer of the [`resolver`] begins that is a name, one that says why there is none, and one that says why none was found this time.
const NAME: &[u8] = b"name ";
const NONE: &[u8] = b"none ";
const LATER: &[u8] = b"later ";
/// More than the longest name.
const LONGEST_ANSWER: usize = 400;

/// The names that are being looked up.
pub(super) struct Lookups {
    program: PathBuf,
    arguments: Vec<String>,
    running: Vec<Lookup>,
    /// Those that have answered, or were killed, and are not yet reaped.
    remains: Vec<Child>,
}

/// A request that waits for its peer's name.
struct Lookup {
    waiting: Waiting,
    deadline: Instant,
    process: Child,
    output: ChildStdout,
    answer: Vec<u8>,
}

/// A request, and what it is about.
pub(super) struct Waiting {
    pub(super) pending: Pending,
    pub(super) request: Request,
    /// When it was accepted.
    pub(super) started: Instant,
    pub(super) counters: Rc<Counters>,
}

/// A request that waits no longer, and its peer's name, or why there is none.
pub(super) type Found = (Waiting, Result<ServerName, NoName>);

/// Why there is no name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoName {
    pub(super) reason: String,
    /// Whether there may be one when it is looked up again.
    pub(super) passes: bool,
}

impl NoName {
    fn for_good(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), passes: false }
    }

    fn for_now(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), passes: true }
    }
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            arguments: vec!["resolve".into()],
            running: Vec::new(),
            remains: Vec::new(),
        }
    }
}

impl Lookups {
    /// Looks the name of an address up, for a handshake that has so much time; `Some` if that cannot be done.
    pub(super) fn start(&mut self, waiting: Waiting, address: IpAddr, limit: Duration) -> Option<Found> {
        if self.running.len() >= MAX_LOOKUPS {
            let crowd = format!("{MAX_LOOKUPS} names are being looked up already");
            return Some((waiting, Err(NoName::for_now(crowd))));
        }
        match self.run(address) {
            Ok((process, output)) => {
                let deadline = waiting.started + LONGEST_LOOKUP.min(limit / 2);
                self.running.push(Lookup { waiting, deadline, process, output, answer: Vec::new() });
                None
            }
            Err(error) => Some((waiting, Err(NoName::for_now(error)))),
        }
    }

    /// Starts ourselves again; see [`answer`].
    fn run(&self, address: IpAddr) -> io::Result<(Child, ChildStdout)> {
        let mut process = Command::new(&self.program)
            .arg0("handclasp")
            .args(&self.arguments)
            .arg(address.to_string())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What strangers send may make it write anything, and our log is not theirs.
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        Ok((process, output))
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.running.iter().map(|lookup| (lookup.output.as_fd(), PollFlags::POLLIN))
    }

    /// When the first has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.running.iter().map(|lookup| lookup.deadline).min()
    }

    /// Goes on where [`Self::interests`] are met, and returns the requests that wait no longer.
    pub(super) fn advance(&mut self, ready: &[bool]) -> Vec<Found> {
        self.remains.retain_mut(|process| matches!(process.try_wait(), Ok(None)));
        let (now, mut found) = (Instant::now(), Vec::new());
        for (index, mut lookup) in std::mem::take(&mut self.running).into_iter().enumerate() {
            let answer = if ready.get(index) == Some(&true) { lookup.read() } else { None };
            let late = || Err(NoName::for_now("nobody knew it in time"));
            match answer.or_else(|| (lookup.deadline <= now).then(late)) {
                None => self.running.push(lookup),
                Some(name) => {
                    found.push((self.end(lookup), name));
                }
            }
        }
        found
    }

    /// Looks nothing up any more, and returns the requests that waited.
    pub(super) fn abandon(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.running).into_iter().map(|lookup| self.end(lookup)).collect()
    }

    fn end(&mut self, Lookup { waiting, mut process, .. }: Lookup) -> Waiting {
        // It may be gone already, which is the aim.
        let _ = process.kill();
        self.remains.push(process);
        waiting
    }
}

impl Lookup {
    /// Reads what there is; `Some` at the end of it.
    fn read(&mut self) -> Option<Result<ServerName, NoName>> {
        let mut buffer = [0; LONGEST_ANSWER];
        match self.output.read(&mut buffer) {
            Ok(0) => Some(understand(&self.answer)),
            Ok(length) => {
                self.answer.extend(buffer.iter().take(length));
                (self.answer.len() > LONGEST_ANSWER).then(|| Err(NoName::for_good("the answer is too long")))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) => Some(Err(NoName::for_now(error))),
        }
    }
}

fn understand(answer: &[u8]) -> Result<ServerName, NoName> {
    if let Some(reason) = answer.strip_prefix(NONE) {
        return Err(NoName::for_good(Sanitised(reason)));
    }
    if let Some(reason) = answer.strip_prefix(LATER) {
        return Err(NoName::for_now(Sanitised(reason)));
    }
    let ended = || NoName::for_now("the process that looked it up ended");
    let name = answer.strip_prefix(NAME).ok_or_else(ended)?;
    match std::str::from_utf8(name).ok().and_then(ServerName::parse) {
        Some(name @ ServerName::Dns(_)) => Ok(name),
        _ => Err(NoName::for_good(format_args!("\"{}\" is no host name", Sanitised(name)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{
        pending::tests::Recorder,
        request::{Authentication, Role},
        wait::wait,
    };
    use std::net::TcpListener;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn waiting() -> Waiting {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let pending = Pending::new(socket.into(), Rc::new(Recorder::default()));
        let request = Request {
            role: Role::Client,
            authentication: Authentication::Unauthenticated,
            peer_name: None,
            timeout: None,
            keyring: None,
            peer_identities: vec![],
            certificate: None,
        };
        Waiting { pending, request, started: Instant::now(), counters: Rc::default() }
    }

    fn lookups(script: &str) -> Lookups {
        let arguments = ["-c", script].map(String::from).into();
        Lookups { program: "/bin/sh".into(), arguments, ..Lookups::default() }
    }

    fn outcome(script: &str, limit: Duration) -> Result<ServerName, NoName> {
        let mut lookups = lookups(script);
        assert!(lookups.start(waiting(), ADDRESS, limit).is_none());
        loop {
            let patience = lookups.deadline().unwrap().saturating_duration_since(Instant::now());
            let ready = wait(lookups.interests(), Some(patience)).unwrap();
            if let Some((_, name)) = lookups.advance(&ready).pop() {
                assert_eq!(lookups.len(), 0);
                return name;
            }
        }
    }

    #[test]
    fn an_answer_is_a_host_name_or_none() {
        let long = Duration::from_secs(60);
        let server = ServerName::parse("server.test").unwrap();
        assert_eq!(outcome("printf 'name Server'; sleep 0.1; printf .test", long), Ok(server));
        for (script, reason, passes) in [
            ("printf 'none Name or service not known'", "Name or service not known", false),
            ("printf 'later Try again'", "Try again", true),
            ("exit 1", "the process that looked it up ended", true),
            ("printf 'name 192.0.2.1'", "\"192.0.2.1\" is no host name", false),
            ("printf 'name a b'", "\"a b\" is no host name", false),
            ("head -c 401 /dev/zero", "the answer is too long", false),
            ("sleep 60", "nobody knew it in time", true),
        ] {
            let limit = if script == "sleep 60" { Duration::from_millis(20) } else { long };
            assert_eq!(outcome(script, limit), Err(NoName { reason: reason.into(), passes }), "{script}");
        }
    }

    #[test]
    fn only_so_many_are_looked_up_at_once() {
        let mut lookups = lookups("sleep 60");
        for _ in 0..MAX_LOOKUPS {
            assert!(lookups.start(waiting(), ADDRESS, Duration::ZERO).is_none());
        }
        let (_, refusal) = lookups.start(waiting(), ADDRESS, Duration::ZERO).unwrap();
        assert_eq!(refusal, Err(NoName::for_now("16 names are being looked up already")));
        assert_eq!(lookups.advance(&[]).len(), MAX_LOOKUPS, "all are late");
        assert!(lookups.start(waiting(), ADDRESS, Duration::ZERO).is_none());
        lookups.advance(&[]);
    }

    #[test]
    fn whoever_waits_for_a_name_that_is_given_up_comes_back() {
        let mut lookups = lookups("printf 'name server.test'; sleep 60");
        for _ in 0..3 {
            assert!(lookups.start(waiting(), ADDRESS, Duration::from_secs(60)).is_none());
        }
        assert_eq!(lookups.abandon().len(), 3);
        assert_eq!((lookups.len(), lookups.deadline()), (0, None));
        for process in &mut lookups.remains {
            assert!(!process.wait().unwrap().success(), "it was killed");
        }
    }
}
