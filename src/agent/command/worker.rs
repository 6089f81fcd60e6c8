//! `handclasp worker`: what the agent starts for itself; of no use to anybody else.

use std::process::ExitCode;

use super::{Argument, Arguments, CommandError, unexpected_operand};
use crate::agent::worker;

/// Runs a worker over standard input, or lets one try what it must not (`--try`, for `handclasp check`).
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let result = match arguments.next()? {
        None => worker::process::run(),
        Some(Argument::Option(name)) if name == "try" => worker::probe::attempt(&arguments.text()?),
        Some(argument) => return Err(unexpected_operand(&format!("{argument:?}"))),
    };
    result.map_err(CommandError::Failure)?;
    Ok(ExitCode::SUCCESS)
}
