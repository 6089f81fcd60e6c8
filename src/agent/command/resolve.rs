//! `handclasp resolve`: what the agent starts to look a name up; of no use to anybody else.

use std::process::ExitCode;

use super::{Argument, Arguments, CommandError};
use crate::agent::lookup;

/// Prints the name of an address, without any rights.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let address = match arguments.next()? {
        Some(Argument::Operand(address)) => address.parse().ok(),
        _ => None,
    };
    lookup::answer(address.ok_or_else(|| CommandError::Usage("an address is missing".into()))?)?;
    Ok(ExitCode::SUCCESS)
}
