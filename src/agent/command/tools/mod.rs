//! The commands that need no kernel consumer, and the kernel no agent for: TLS in user space, and path validation on its own.

pub(super) mod connect;
pub(super) mod serve;
mod tls;
pub(super) mod verify;

use std::{fmt, fs, path::Path};

use super::{Argument, Arguments, CommandError, complain, print, unexpected_operand, unknown_option};

impl Arguments {
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

/// Reads a file; the error names it.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|error| file_error(path, &error))
}

/// "PATH: why".
pub(crate) fn file_error(path: &Path, error: &dyn fmt::Display) -> CommandError {
    CommandError::Failure(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

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
        let mut line = arguments(&["--groups", "p-999"]);
        line.next().unwrap();
        assert!(line.list(|_| None::<()>).unwrap_err().to_string().contains("p-999"));
    }
}
