//! The command line: parse, dispatch, nothing else.

use std::{env, process::ExitCode};

use handclasp::agent::command::{self, Arguments, CommandError};

const USAGE: &str = "\
TLS 1.3 handshakes for the Linux kernel's NFS and NVMe/TCP.

Usage: handclasp COMMAND [OPTIONS]   (or --version; handclasp COMMAND --help tells the options)

";

fn main() -> ExitCode {
    dispatch(Arguments::new(env::args_os().skip(1))).unwrap_or_else(|error| {
        eprintln!("handclasp: {error}");
        error.exit_code()
    })
}

fn dispatch(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    match arguments.command()?.as_str() {
        "agent" => return command::agent::run(arguments),
        "check" => return command::check::run(arguments),
        "connect" => return command::connect::run(arguments),
        "serve" => return command::serve::run(arguments),
        "verify" => return command::verify::run(arguments),
        "worker" => return command::worker::run(arguments),
        "--help" | "help" => print!("{USAGE}{}", command::SUMMARY),
        "--version" => println!("handclasp {}", env!("CARGO_PKG_VERSION")),
        other => {
            return Err(CommandError::Usage(format!("there is no command {other:?}; see handclasp --help")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
