//! The commands, how they read their arguments, and how they print.
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader is gone: print() and complain() do not"
)]

mod agent;
mod check;
mod doorman;
mod resolve;
mod status;
#[cfg(feature = "tools")]
mod tools;
mod worker;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
};

use lexopt::{Arg, Parser, ValueExt};

/// A command of the program.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The word that it is called by.
    pub name: &'static str,
    /// What it does, for `handclasp --help`; nothing for what is not for people.
    pub summary: Option<&'static str>,
    /// Does it, with the arguments after the word.
    pub run: fn(Arguments) -> Result<ExitCode, CommandError>,
}

impl Command {
    const fn new(
        name: &'static str,
        summary: Option<&'static str>,
        run: fn(Arguments) -> Result<ExitCode, CommandError>,
    ) -> Self {
        Self { name, summary, run }
    }
}

/// All commands of this build.
pub const COMMANDS: &[Command] = &[
    Command::new("agent", Some("do the handshakes that the kernel asks for, in place of tlshd"), agent::run),
    Command::new("check", Some("tell whether this host is ready, and what to do if it is not"), check::run),
    #[cfg(feature = "tools")]
    Command::new("connect", Some("a TLS 1.3 client for standard input and output"), tools::connect::run),
    #[cfg(feature = "tools")]
    Command::new("serve", Some("a TLS 1.3 server"), tools::serve::run),
    Command::new("status", Some("print the agent's status"), status::run),
    #[cfg(feature = "tools")]
    Command::new("verify", Some("validate a certificate chain"), tools::verify::run),
    Command::new("doorman", None, doorman::run),
    Command::new("worker", None, worker::run),
    Command::new("resolve", None, resolve::run),
];

/// Why a command cannot do what it was asked.
#[derive(Debug)]
pub enum CommandError {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// The command line is fine, the rest is not: exit code 1.
    Failure(String),
}

impl CommandError {
    /// 2 for a wrong command line, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failure(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failure(message) => f.write_str(message),
        }
    }
}

impl From<lexopt::Error> for CommandError {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// The arguments of a command line that are not read yet.
#[derive(Debug)]
pub struct Arguments(Parser);

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// `--name`, or `-n`; without the dashes.
    Option(String),
    /// Anything that is not an option.
    Operand(String),
}

impl Arguments {
    /// Takes the arguments without the program's name.
    pub fn new(arguments: impl IntoIterator<Item = OsString> + 'static) -> Self {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        Self(Parser::from_args(arguments))
    }

    /// The first argument: a command, `--help` or `--version`.
    pub fn command(&mut self) -> Result<String, CommandError> {
        match self.next()? {
            Some(Argument::Operand(name)) => Ok(name),
            Some(Argument::Option(name)) if matches!(name.as_str(), "h" | "help") => Ok("--help".into()),
            Some(Argument::Option(name)) if matches!(name.as_str(), "V" | "version") => {
                Ok("--version".into())
            }
            Some(Argument::Option(name)) => Err(unknown_option(&name)),
            None => Err(CommandError::Usage("a command is missing; see handclasp --help".into())),
        }
    }

    /// The next option or operand.
    pub(crate) fn next(&mut self) -> Result<Option<Argument>, CommandError> {
        Ok(match self.0.next()? {
            None => None,
            Some(Arg::Long(name)) => Some(Argument::Option(name.into())),
            Some(Arg::Short(letter)) => Some(Argument::Option(letter.into())),
            Some(Arg::Value(value)) => Some(Argument::Operand(value.string()?)),
        })
    }

    /// The value of the option that was just read.
    pub(crate) fn text(&mut self) -> Result<String, CommandError> {
        Ok(self.0.value()?.string()?)
    }

    /// The value of the option that was just read, as a path.
    pub(crate) fn path(&mut self) -> Result<PathBuf, CommandError> {
        Ok(self.0.value()?.into())
    }

    /// The value of the option that was just read, as a number or an address.
    pub(crate) fn parse<T: FromStr>(&mut self) -> Result<T, CommandError>
    where
        T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Ok(self.0.value()?.parse()?)
    }
}

pub(crate) fn unknown_option(name: &str) -> CommandError {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    CommandError::Usage(format!("there is no option {dashes}{name}"))
}

pub(crate) fn unexpected_operand(operand: &str) -> CommandError {
    CommandError::Usage(format!("nothing is to be done with {operand:?}"))
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::Failure(error.to_string())
    }
}

/// Writes to standard output. A reader that has seen enough (`handclasp check | head -1`) is no failure.
pub fn print(text: fmt::Arguments<'_>) -> Result<ExitCode, CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::Failure(format!("standard output: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Says on standard error what is wrong, to whoever listens.
pub fn complain(message: fmt::Arguments<'_>) {
    let _nobody_listens = writeln!(io::stderr(), "handclasp: {message}");
}

/// Reads a command line, the command included, as far as that goes without acting on it.
#[cfg(all(fuzzing, feature = "tools"))]
pub(super) fn read_for_fuzzing(mut arguments: Arguments) -> Result<(), CommandError> {
    match arguments.command()?.as_str() {
        "connect" => tools::connect::parse(arguments).map(drop),
        "serve" => tools::serve::parse(arguments).map(drop),
        "verify" => tools::verify::parse(arguments).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::new(words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn errors_name_what_was_typed() {
        assert!(arguments(&["--nonsense"]).command().unwrap_err().to_string().contains("--nonsense"));
    }

    #[test]
    fn a_command_has_one_name() {
        let mut names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
