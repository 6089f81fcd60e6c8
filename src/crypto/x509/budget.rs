//! How much work one search for a path may cost.

use super::problem::Problem;

/// What a search may still spend. No honest chain comes near; a hostile one is refused after a bounded amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Signatures verified: the dear part. RSA-4096 or P-384 take a millisecond at worst, so all of them take less than 0.1 s.
    pub signatures: usize,
    /// Issuers of the right name tried, for whatever reason they were then dropped.
    pub nodes: usize,
    /// Names compared: with name constraints, and with the issuer that authorityKeyIdentifier names. Long names count for more,
    /// so all of them together are a few megabytes to read, and take less than 0.2 s.
    pub comparisons: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { signatures: 64, nodes: 2_000, comparisons: 100_000 }
    }
}

impl Budget {
    pub(super) fn signature(&mut self) -> Result<(), Problem> {
        spend(&mut self.signatures, 1, "signatures")
    }

    pub(super) fn node(&mut self) -> Result<(), Problem> {
        spend(&mut self.nodes, 1, "candidates for an issuer")
    }

    /// Pays for `times` comparisons, in each of which so many octets are read.
    pub(super) fn comparisons(&mut self, times: usize, octets: usize) -> Result<(), Problem> {
        /// What is read for the price of the comparison itself.
        const OCTETS: usize = 64;
        let each = (octets / OCTETS).saturating_add(1);
        spend(&mut self.comparisons, times.saturating_mul(each), "name constraints and names")
    }
}

fn spend(allowance: &mut usize, cost: usize, what: &'static str) -> Result<(), Problem> {
    *allowance = allowance.checked_sub(cost).ok_or(Problem::Budget(what))?;
    Ok(())
}
