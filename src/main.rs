//! The command line: parse, dispatch, nothing else.

use std::{env, process::ExitCode};

use handclasp::agent::command::{Arguments, COMMANDS, Command, CommandError, complain, print};

const USAGE: &str = "\
TLS 1.3 handshakes for the Linux kernel's NFS and NVMe/TCP.

Usage: handclasp COMMAND [OPTIONS]   (or --version; handclasp COMMAND --help tells the options)

Commands:
";

fn main() -> ExitCode {
    dispatch(Arguments::new(env::args_os().skip(1))).unwrap_or_else(|error| {
        complain(format_args!("{error}"));
        error.exit_code()
    })
}

fn dispatch(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    match arguments.command()?.as_str() {
        "--help" | "help" => print(format_args!("{USAGE}{}", summaries())),
        "--version" => print(format_args!("handclasp {}\n", env!("CARGO_PKG_VERSION"))),
        name => {
            let command = COMMANDS.iter().find(|command| command.name == name);
            let unknown =
                || CommandError::Usage(format!("there is no command {name:?}; see handclasp --help"));
            (command.ok_or_else(unknown)?.run)(arguments)
        }
    }
}

fn summaries() -> String {
    let line = |command: &Command| Some(format!("  {:9} {}\n", command.name, command.summary?));
    COMMANDS.iter().filter_map(line).collect()
}
