//! How many lines strangers may cause: a bucket of tokens, and a count of what was left out.

use std::time::{Duration, Instant};

/// How often it is told how many lines were left out.
pub(super) const TELLING: Duration = Duration::from_secs(10);

/// So many lines at once, and so many in each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Rate {
    pub(in crate::agent) burst: u32,
    pub(in crate::agent) per_second: u32,
}

/// What is left of a [`Rate`].
#[derive(Debug)]
pub(in crate::agent) struct Budget {
    rate: Rate,
    /// Tokens, each of which is a line.
    left: u32,
    /// Until when the tokens that time brings are counted; `None`: nothing was ever taken.
    counted: Option<Instant>,
    /// Lines left out since that was last told, and since when.
    left_out: u64,
    since: Option<Instant>,
}

impl Budget {
    pub(in crate::agent) const fn new(rate: Rate) -> Self {
        Self { rate, left: rate.burst, counted: None, left_out: 0, since: None }
    }

    /// Whether a line may be written; it is counted if not.
    pub(in crate::agent) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left_out += 1;
                self.since.get_or_insert(now);
                false
            }
        }
    }

    fn refill(&mut self, now: Instant) {
        let counted = *self.counted.get_or_insert(now);
        let interval = Duration::from_secs(1) / self.rate.per_second.max(1);
        let elapsed = now.saturating_duration_since(counted);
        let tokens = u32::try_from(elapsed.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u32::MAX);
        if tokens >= self.rate.burst {
            (self.left, self.counted) = (self.rate.burst, Some(now));
        } else {
            self.left = (self.left + tokens).min(self.rate.burst);
            self.counted = Some(counted + interval * tokens);
        }
    }

    /// When it is to be told what was left out.
    pub(in crate::agent) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + TELLING)
    }

    /// How many lines were left out, if it is time to tell.
    pub(in crate::agent) fn due(&mut self, now: Instant) -> Option<u64> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        self.since = None;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_the_rate_and_counted() {
        let mut budget = Budget::new(Rate { burst: 3, per_second: 2 });
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let taken = |budget: &mut Budget, now| (0..10).filter(|_| budget.take(now)).count();
        assert_eq!(taken(&mut budget, at(0)), 3);
        assert_eq!(taken(&mut budget, at(499)), 0);
        assert_eq!(taken(&mut budget, at(501)), 1);
        assert_eq!(taken(&mut budget, at(1001)), 1);
        assert_eq!(budget.due(at(9_999)), None);
        assert_eq!(budget.deadline(), Some(at(10_000)));
        assert_eq!(budget.due(at(10_000)), Some(35));
        assert_eq!((budget.due(at(60_000)), budget.deadline()), (None, None));
        assert_eq!(taken(&mut budget, at(60_000)), 3, "no more than a burst is saved up");
        assert_eq!(taken(&mut budget, at(1_000_000_000)), 3);
    }
}
