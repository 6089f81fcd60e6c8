//! `handclasp agent`: serves the kernel's handshake requests.

use std::{path::Path, process::ExitCode};

use super::{Argument, Arguments, CommandError, print, unexpected_operand, unknown_option};
use crate::agent::{
    log::{self, Format},
    namespace::Wanted,
    service::{self, Options},
    status,
};

const USAGE: &str = "\
Does the TLS handshakes that the kernel's NFS and NVMe/TCP ask for.

Usage: handclasp agent [OPTIONS]

  -c, --config FILE   the configuration, in tlshd's format; without it the first that exists of
                      /etc/handclasp/config, /etc/tlshd.conf and /etc/tlshd/config, or the defaults
  -w, --workers N     how many processes without privileges parse what peers send (2); 0: this one does it,
                      private keys and all, where there can be no others
  -l, --log-format F  human (the default) or json: an object on each line, as monitoring.md tells
  -s, --status PATH   the socket that `handclasp status` asks, of mode 0660 and the agent's own group
                      (/run/handclasp/status); none: there is none
  --keylog FILE       for debugging a capture: write the secrets of each session, in NSS key log format, to a new
                      file of mode 0600 (no restart while it is there); they undo all protection
  --netns NAME        serve this network namespace, too: a name of `ip netns`, or the path of its file; may be
                      given often, and the namespace may come and go
  --netns-all         serve all network namespaces that have names in /run/netns, as they come and go
  -h, --help          this text

It stays in the foreground and logs to stderr. SIGHUP: read the configuration and its files again, as
happens by itself within five seconds of a change. SIGTERM, SIGINT: end. Exit code 1: it cannot run
(`handclasp check` says why); 2: a wrong command line. It never waits for whoever reads stderr: up to
256 KiB of lines are kept, more are lost, counted and told of. Of failed handshakes up to 50 lines of each cause
are written at once and 5 per second, the rest is counted.
";

pub(super) const DEFAULT_WORKERS: usize = 2;

/// More would only be in each other's way.
const MOST_WORKERS: usize = 64;

/// The value of `--workers`, which was just read.
pub(super) fn workers(arguments: &mut Arguments) -> Result<usize, CommandError> {
    match arguments.parse()? {
        count @ ..=MOST_WORKERS => Ok(count),
        count => Err(CommandError::Usage(format!("--workers {count}: at most {MOST_WORKERS}"))),
    }
}

/// Runs the agent.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let mut options = Options {
        path: None,
        workers: DEFAULT_WORKERS,
        log_format: Format::Human,
        key_log: None,
        status: Some(status::SOCKET.into()),
        namespaces: Wanted::default(),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "c" | "config" => options.path = Some(arguments.path()?),
                "w" | "workers" => options.workers = workers(&mut arguments)?,
                "l" | "log-format" => options.log_format = arguments.parse()?,
                "keylog" => options.key_log = Some(arguments.path()?),
                "s" | "status" => {
                    options.status = Some(arguments.path()?).filter(|path| path != Path::new("none"))
                }
                "netns" => options.namespaces.add(&arguments.text()?),
                "netns-all" => options.namespaces.all = true,
                "h" | "help" => {
                    return print(format_args!("{USAGE}"));
                }
                other => return Err(unknown_option(other)),
            },
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    if let Err(error) = service::run(options) {
        // Like all that the agent says: with the journal's priority, and in the format that was asked for.
        log::error(format_args!("{error}"));
        log::flush();
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
