//! `handclasp doorman`: what the agent starts for itself to open other network namespaces; of no use to anybody else.

use std::process::ExitCode;

use super::{Argument, Arguments, CommandError, unexpected_operand, unknown_option};
use crate::agent::namespace::{Wanted, doorman};

/// Runs a doorman over standard input.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let mut wanted = Wanted::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(name) if name == "netns" => wanted.add(&arguments.text()?),
            Argument::Option(name) if name == "netns-all" => wanted.all = true,
            Argument::Option(name) => return Err(unknown_option(&name)),
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    doorman::run(wanted).map_err(CommandError::Failure)?;
    Ok(ExitCode::SUCCESS)
}
