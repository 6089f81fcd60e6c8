//! The program that BoGo, BoringSSL's protocol test runner, drives: each case is one command line that describes one or more
//! connections to the runner, which plays a peer with a fault. See ../README.md.

mod check;
mod credentials;
mod exchange;
mod flags;
mod handshake;
mod policy;
mod verify;
mod wire;

use std::{env, fmt, io, process::ExitCode};

use flags::{FlagError, Flags};
use handclasp::engine::Error;
use wire::Wire;

/// Tells the runner that the case is about something that we do not have.
const UNIMPLEMENTED: u8 = 89;

/// Why a case failed, in words that config.json maps to BoringSSL's.
#[derive(Debug)]
pub enum Failure {
    /// The engine's verdict.
    Tls(Error),
    /// The runner closed the transport without a close_notify.
    EndOfStream,
    /// The transport's, or a file's.
    Io(io::Error),
    /// The case is not for us.
    Flag(FlagError),
    /// The handshake was done, but not as the flags expect.
    Unexpected(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "{error:?}: {error}"),
            Self::EndOfStream => f.write_str("end of stream without close_notify"),
            Self::Io(error) => error.fmt(f),
            Self::Flag(error) => error.fmt(f),
            Self::Unexpected(what) => write!(f, "unexpected {what}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FlagError> for Failure {
    fn from(error: FlagError) -> Self {
        Self::Flag(error)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "-is-handshaker-supported") {
        println!("No");
        return ExitCode::SUCCESS;
    }
    let Err(failure) = run(&arguments) else { return ExitCode::SUCCESS };
    eprintln!("{failure}");
    match failure {
        Failure::Flag(FlagError::Unimplemented(_)) => ExitCode::from(UNIMPLEMENTED),
        _ => ExitCode::FAILURE,
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let initial = Flags::parse(arguments, 0)?;
    let connections = (0..=initial.resume_count).map(|index| Flags::parse(arguments, index));
    let connections = connections.collect::<Result<Vec<_>, _>>()?;
    if initial.wait_for_debugger {
        stop();
    }
    connections.iter().try_for_each(connect)
}

fn connect(flags: &Flags) -> Result<(), Failure> {
    let mut wire = Wire::connect(flags)?;
    let done = handshake::run(flags, &mut wire)?;
    check::check(flags, &done)?;
    exchange::run(flags, *done.session, &mut wire)
}

/// Waits for a debugger to attach and to let us go on.
fn stop() {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-STOP", &pid]).status();
}
