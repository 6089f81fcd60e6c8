//! The commands, and how they read their arguments.

pub mod agent;
pub mod check;
pub mod connect;
pub mod serve;
mod tls;
pub mod verify;
pub mod worker;

use std::{
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use lexopt::{Arg, Parser, ValueExt};

/// One line for each command, for `handclasp --help`.
pub const SUMMARY: &str = "\
Commands:
\x20 agent     do the handshakes that the kernel asks for, in place of tlshd
\x20 check     tell whether this host is ready, and what to do if it is not
\x20 connect   a TLS 1.3 client for standard input and output
\x20 serve     a TLS 1.3 server
\x20 verify    validate a certificate chain
";

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

    /// The value of the option that was just read, a list with commas: `find` knows each name.
    pub(crate) fn list<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, CommandError> {
        let text = self.text()?;
        let entries = text.split(',').map(str::trim);
        entries.map(|name| find(name).ok_or_else(|| unknown_value(name))).collect()
    }
}

fn unknown_value(name: &str) -> CommandError {
    CommandError::Usage(format!("{name:?} is not known here"))
}

pub(crate) fn unknown_option(name: &str) -> CommandError {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    CommandError::Usage(format!("there is no option {dashes}{name}"))
}

pub(crate) fn unexpected_operand(operand: &str) -> CommandError {
    CommandError::Usage(format!("nothing is to be done with {operand:?}"))
}

/// Reads a file; the error names it.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|error| file_error(path, &error))
}

/// "PATH: why".
pub(crate) fn file_error(path: &Path, error: &dyn fmt::Display) -> CommandError {
    CommandError::Failure(format!("{}: {error}", path.display()))
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::Failure(error.to_string())
    }
}

/// Reads a command line, the command included, as far as that goes without acting on it.
#[cfg(fuzzing)]
pub(super) fn read_for_fuzzing(mut arguments: Arguments) -> Result<(), CommandError> {
    match arguments.command()?.as_str() {
        "connect" => connect::parse(arguments).map(drop),
        "serve" => serve::parse(arguments).map(drop),
        "verify" => verify::parse(arguments).map(drop),
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
    fn options_operands_and_lists() {
        let mut line = arguments(&["serve", "--groups", "a, b", "-x", "host:1"]);
        assert_eq!(line.command().unwrap(), "serve");
        assert_eq!(line.next().unwrap(), Some(Argument::Option("groups".into())));
        assert_eq!(line.list(|name| Some(name.to_owned())).unwrap(), ["a", "b"]);
        assert_eq!(line.next().unwrap(), Some(Argument::Option("x".into())));
        assert_eq!(line.next().unwrap(), Some(Argument::Operand("host:1".into())));
        assert_eq!(line.next().unwrap(), None);
    }

    #[test]
    fn errors_name_what_was_typed() {
        assert!(arguments(&["--nonsense"]).command().unwrap_err().to_string().contains("--nonsense"));
        let mut line = arguments(&["--groups", "p-999"]);
        line.next().unwrap();
        assert!(line.list(|_| None::<()>).unwrap_err().to_string().contains("p-999"));
    }
}
