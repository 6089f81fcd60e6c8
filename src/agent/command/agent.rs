//! `handclasp agent`: serves the kernel's handshake requests.

use std::process::ExitCode;

use super::{Argument, Arguments, CommandError, unexpected_operand, unknown_option};
use crate::agent::service;

const USAGE: &str = "\
Does the TLS handshakes that the kernel's NFS and NVMe/TCP ask for.

Usage: handclasp agent [OPTIONS]

  -c, --config FILE   the configuration, in tlshd's format; without it the first that exists of
                      /etc/handclasp/config, /etc/tlshd/config and /etc/tlshd.conf, or the defaults
  -w, --workers N     how many processes without privileges parse what peers send (2); 0: this one does it,
                      private keys and all, where there can be no others
  -h, --help          this text

It stays in the foreground and logs to stderr. SIGHUP: read the configuration and its files again, as
happens by itself within five seconds of a change. SIGTERM, SIGINT: end. Exit code 1: it cannot run
(`handclasp check` says why); 2: a wrong command line.
";

const DEFAULT_WORKERS: usize = 2;

/// Runs the agent.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let (mut path, mut workers) = (None, DEFAULT_WORKERS);
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "c" | "config" => path = Some(arguments.path()?),
                "w" | "workers" => workers = arguments.parse()?,
                "h" | "help" => {
                    print!("{USAGE}");
                    return Ok(ExitCode::SUCCESS);
                }
                other => return Err(unknown_option(other)),
            },
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    service::run(path, workers).map_err(CommandError::Failure)?;
    Ok(ExitCode::SUCCESS)
}
