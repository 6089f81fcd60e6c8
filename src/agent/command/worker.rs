//! `handclasp worker`: what the agent starts for itself; of no use to anybody else.

use std::process::ExitCode;

use super::{Arguments, CommandError, unexpected_operand};
use crate::agent::worker;

/// Runs a worker over standard input.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    if let Some(argument) = arguments.next()? {
        return Err(unexpected_operand(&format!("{argument:?}")));
    }
    worker::process::run().map_err(CommandError::Failure)?;
    Ok(ExitCode::SUCCESS)
}
