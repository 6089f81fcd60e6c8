//! The local socket that tells how the agent is: who connects and says a form gets the status in it.
//!
//! Nothing here waits, and there is an end to all of it: [`MOST`] connections, [`LONGEST`] for each, a question of one word.

use std::{
    fs, io,
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::{
            fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket},
};

use super::Form;

/// Connections at the same time; more wait in the kernel.
const MOST: usize = 8;
/// How long one may take.
const LONGEST: Duration = Duration::from_secs(2);
/// How long nobody is let in after that failed: whoever waits is still there then, and descriptors may be, too.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest question.
const QUESTION: usize = 16;

/// The socket, and who is connected to it.
#[derive(Debug)]
pub(super) struct Desk {
    path: PathBuf,
    listener: UnixListener,
    /// Until when nobody is let in.
    closed: Option<Instant>,
    visitors: Vec<Visitor>,
}

#[derive(Debug)]
struct Visitor {
    stream: UnixStream,
    question: Vec<u8>,
    /// What is left to be sent, once the question is there.
    answer: Option<Vec<u8>>,
    deadline: Instant,
}

impl Desk {
    /// Opens the socket, with mode 0660. One that a dead agent left is replaced; one that answers is another agent's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::DirBuilder::new().mode(0o755).create(folder)?;
        }
        let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
        if is_socket && answers(path)? {
            return Err(io::Error::other("another agent has this socket"));
        } else if is_socket {
            fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        Ok(Self { path: path.into(), listener, closed: None, visitors: Vec::new() })
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let is_open = self.visitors.len() < MOST && self.closed.is_none();
        let listener = if is_open { PollFlags::POLLIN } else { PollFlags::empty() };
        let visitors = self.visitors.iter().map(|visitor| (visitor.stream.as_fd(), visitor.interest()));
        std::iter::once((self.listener.as_fd(), listener)).chain(visitors).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.visitors.iter().map(|visitor| visitor.deadline).chain(self.closed).min()
    }

    /// Goes on with whoever is ready; `tell` writes the status.
    pub(super) fn advance(&mut self, ready: &[bool], tell: impl Fn(Form) -> String) {
        let (called, ready) = ready.split_first().unwrap_or((&false, &[]));
        let mut ready = ready.iter();
        let now = Instant::now();
        self.visitors.retain_mut(|visitor| {
            let goes_on = ready.next() != Some(&true) || visitor.advance(&tell).is_ok();
            goes_on && visitor.deadline > now
        });
        self.closed = self.closed.filter(|until| *until > now);
        if *called {
            self.let_in(now);
        }
    }

    fn let_in(&mut self, now: Instant) {
        while self.visitors.len() < MOST {
            match self.listener.accept() {
                Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => {
                    let deadline = now + LONGEST;
                    self.visitors.push(Visitor { stream, question: Vec::new(), answer: None, deadline });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.closed = Some(now + PAUSE);
                    return;
                }
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _left_behind = fs::remove_file(&self.path);
    }
}

impl Visitor {
    fn interest(&self) -> PollFlags {
        if self.answer.is_some() { PollFlags::POLLOUT } else { PollFlags::POLLIN }
    }

    /// An error when it is over, well or not.
    fn advance(&mut self, tell: &impl Fn(Form) -> String) -> io::Result<()> {
        let Some(answer) = &mut self.answer else { return self.listen(tell) };
        match self.stream.write(answer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                answer.drain(..count);
                if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
            }
            Err(error) => Err(error),
        }
    }

    /// A question is a word and the end of the line.
    fn listen(&mut self, tell: &impl Fn(Form) -> String) -> io::Result<()> {
        let mut bytes = [0; QUESTION];
        let count = match self.stream.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            result => result?,
        };
        self.question.extend(bytes.iter().take(count));
        let Some(word) = self.question.strip_suffix(b"\n") else {
            let goes_on = self.question.len() < QUESTION;
            return if goes_on { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) };
        };
        let form = str::from_utf8(word).ok().and_then(Form::from_name).ok_or(io::ErrorKind::InvalidData)?;
        self.answer = Some(tell(form).into_bytes());
        Ok(())
    }
}

/// Whether somebody listens there; a queue that is full is somebody's, too.
fn answers(path: &Path) -> io::Result<bool> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let probe = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    match connect(probe.as_raw_fd(), &UnixAddr::new(path)?) {
        Ok(()) | Err(Errno::EAGAIN) => Ok(true),
        Err(Errno::ECONNREFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::process::tests::alone;
    use nix::{
        poll::{PollFd, PollTimeout, poll},
        sys::resource::{Resource, getrlimit, setrlimit},
        sys::socket::bind,
    };

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("handclasp-{}-{name}", std::process::id()))
    }

    fn turn(desk: &mut Desk) {
        let interests = desk.interests();
        let mut entries: Vec<_> = interests.into_iter().map(|(fd, flags)| PollFd::new(fd, flags)).collect();
        poll(&mut entries, PollTimeout::from(20_u8)).unwrap();
        let ready: Vec<bool> = entries.iter().map(|entry| entry.any().unwrap()).collect();
        desk.advance(&ready, |form| format!("{form:?}\n"));
    }

    #[test]
    fn whoever_asks_is_answered_in_the_form_that_was_asked_for() {
        let path = path("status");
        let mut desk = Desk::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        for (question, expected) in
            [("human\n", "Human\n"), ("json\n", "Json\n"), ("prometheus\n", "Prometheus\n"), ("x\n", "")]
        {
            let mut stream = UnixStream::connect(&path).unwrap();
            // In two pieces.
            let (first, rest) = question.split_at(1);
            stream.write_all(first.as_bytes()).unwrap();
            turn(&mut desk);
            turn(&mut desk);
            stream.write_all(rest.as_bytes()).unwrap();
            while !desk.visitors.is_empty() {
                turn(&mut desk);
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, expected);
        }
        drop(desk);
        assert!(!path.exists());
    }

    #[test]
    fn who_says_nothing_is_sent_away_and_the_rest_waits_outside() {
        let path = path("silent");
        let mut desk = Desk::open(&path).unwrap();
        let silent: Vec<_> = (0..MOST).map(|_| UnixStream::connect(&path).unwrap()).collect();
        let mut asking = UnixStream::connect(&path).unwrap();
        asking.write_all(b"human\n").unwrap();
        turn(&mut desk);
        assert_eq!(desk.visitors.len(), MOST);
        assert_eq!(desk.interests()[0].1, PollFlags::empty());
        desk.visitors.iter_mut().for_each(|visitor| visitor.deadline = Instant::now());
        turn(&mut desk);
        assert!(desk.visitors.is_empty() && desk.deadline().is_none());
        assert_eq!((&silent[0]).read(&mut [0]).unwrap(), 0);
        (0..3).for_each(|_| turn(&mut desk));
        let mut answer = String::new();
        asking.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "Human\n");
    }

    const PROBE: &str = "HANDCLASP_DESK_PROBE";

    #[test]
    #[ignore = "run by the test below, in a process of its own"]
    fn probe() {
        let Some(path) = std::env::var_os(PROBE) else { return };
        let mut desk = Desk::open(Path::new(&path)).unwrap();
        let _visitor = UnixStream::connect(&path).unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
        desk.advance(&[true], |_| unreachable!());
        assert_eq!(desk.interests()[0].1, PollFlags::empty());
        assert!(desk.deadline().unwrap() <= Instant::now() + PAUSE, "but not for ever");
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        desk.closed = Some(Instant::now());
        desk.advance(&[false], |_| unreachable!());
        assert_eq!(desk.interests()[0].1, PollFlags::POLLIN);
        desk.advance(&[true], |_| unreachable!());
        assert_eq!(desk.visitors.len(), 1);
        println!("let in");
    }

    #[test]
    fn who_cannot_be_let_in_is_left_alone_for_a_while() {
        let output = alone("agent::status::socket::tests::probe").env(PROBE, path("full")).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("let in"), "{output:?}");
    }

    #[test]
    fn a_socket_is_taken_over_only_from_the_dead() {
        let path = path("taken");
        let desk = Desk::open(&path).unwrap();
        assert!(Desk::open(&path).unwrap_err().to_string().contains("another agent"));
        // Nobody listens behind it, as behind a dead agent's. One that listened and was closed would not do: a process that another
        // test has just started keeps it open until it is another program.
        let dead = path.with_extension("dead");
        let silent = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(silent.as_raw_fd(), &UnixAddr::new(&dead).unwrap()).unwrap();
        let dead = Desk::open(&dead).unwrap();
        drop((desk, dead));
        fs::write(&path, "no socket").unwrap();
        assert!(Desk::open(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"no socket");
        fs::remove_file(&path).unwrap();
    }
}
