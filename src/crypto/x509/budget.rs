//! How much work one search for a path may cost.

use super::problem::Problem;

/// What a search may still spend. No honest chain comes near; a hostile one is refused after a bounded amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Signatures verified: the dear part. RSA-4096 or P-384 take a millisecond at worst, so all of them take less than 0.1 s.
    pub signatures: usize,
    /// Issuers tried, for whatever reason they were then dropped.
    pub nodes: usize,
    /// Names compared with name constraints.
    pub comparisons: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { signatures: 64, nodes: 2_000, comparisons: 100_000 }
    }
}

impl Budget {
    pub(super) fn signature(&mut self) -> Result<(), Problem> {
        spend(&mut self.signatures, "signatures")
    }

    pub(super) fn node(&mut self) -> Result<(), Problem> {
        spend(&mut self.nodes, "candidates for an issuer")
    }

    pub(super) fn comparison(&mut self) -> Result<(), Problem> {
        spend(&mut self.comparisons, "name constraints and names")
    }
}

fn spend(allowance: &mut usize, what: &'static str) -> Result<(), Problem> {
    *allowance = allowance.checked_sub(1).ok_or(Problem::Budget(what))?;
    Ok(())
}
