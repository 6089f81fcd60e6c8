//! `handclasp status`: asks the agent how it is.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use super::{Argument, Arguments, CommandError, print, unexpected_operand, unknown_option};
use crate::agent::status::{Form, SOCKET};

const USAGE: &str = "\
Prints the agent's status: how long it has been running, which handshakes succeeded with which group, which failed and
why, how long they took, how many are in flight, its workers, its certificates, its configuration.

Usage: handclasp status [OPTIONS]

  -j, --json          as an object of JSON
  -p, --prometheus    in the text format of Prometheus, for the node exporter's textfile collector
                      (which the agent can write by itself: textfile in [metrics] of its configuration)
  -s, --socket PATH   where the agent listens, if not at /run/handclasp/status
  -h, --help          this text

It needs root, or the group of the agent. Exit code 1: no agent answers; 2: a wrong command line.
";

/// How long to wait for an agent that is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks, and prints the answer.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let (mut path, mut form) = (PathBuf::from(SOCKET), Form::Human);
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "j" | "json" => form = Form::Json,
                "p" | "prometheus" => form = Form::Prometheus,
                "s" | "socket" => path = arguments.path()?,
                "h" | "help" => {
                    return print(format_args!("{USAGE}"));
                }
                other => return Err(unknown_option(other)),
            },
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    let silence = |error| CommandError::Failure(format!("{}: no agent answers: {error}", path.display()));
    let answer = ask(&path, form).map_err(silence)?;
    print(format_args!("{answer}"))
}

fn ask(path: &Path, form: Form) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", form.name()).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}
