//! How long handshakes took: a histogram of a fixed size, in which an entry is known to an eighth.

use std::time::Duration;

/// Everything below 2^6 microseconds is in the first bucket.
const FIRST_OCTAVE: u32 = 6;
/// Up to 2^25 microseconds, half a minute: longer than any handshake may take.
const OCTAVES: usize = 19;
const STEPS: usize = 8;

/// Counts by duration: eight buckets for each doubling.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Histogram {
    buckets: [u64; OCTAVES * STEPS],
    sum: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; OCTAVES * STEPS], sum: Duration::ZERO }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, duration: Duration) {
        let index = bucket(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        if let Some(count) = self.buckets.get_mut(index) {
            *count += 1;
            self.sum += duration;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }

    /// What so many of a thousand did not exceed, rounded up to the end of its bucket; `None` if there are no entries.
    pub(super) fn quantile(&self, per_mille: u64) -> Option<Duration> {
        let rank = (self.count() * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let index = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(end(index))
    }

    /// For each doubling its end, and how many entries lie below that.
    pub(super) fn octaves(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut seen = 0;
        self.buckets.chunks(STEPS).enumerate().map(move |(octave, counts)| {
            seen += counts.iter().sum::<u64>();
            (end(octave * STEPS + STEPS - 1), seen)
        })
    }
}

fn bucket(microseconds: u64) -> usize {
    let value = microseconds.max(1 << FIRST_OCTAVE);
    let octave = value.ilog2();
    let step = usize::try_from(value >> (octave - 3)).unwrap_or(0) % STEPS;
    let octave = usize::try_from(octave - FIRST_OCTAVE).unwrap_or(OCTAVES);
    if octave < OCTAVES { octave * STEPS + step } else { OCTAVES * STEPS - 1 }
}

fn end(index: usize) -> Duration {
    let (octave, step) = (index / STEPS, index % STEPS);
    let microseconds = (STEPS + step + 1) << (octave + 3);
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_its_bucket() {
        for microseconds in (0..2000).chain([9_999, 10_000, 16_777_215, 16_777_216, 33_554_431]) {
            let index = bucket(microseconds);
            assert!(Duration::from_micros(microseconds) < end(index), "{microseconds}");
            assert!(index == 0 || Duration::from_micros(microseconds) >= end(index - 1), "{microseconds}");
        }
        assert_eq!(bucket(u64::MAX), OCTAVES * STEPS - 1);
        assert_eq!(end(7), Duration::from_micros(128));
    }

    #[test]
    fn quantiles_and_octaves_count_all() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(500), None);
        (1..=1000).for_each(|ms| histogram.add(Duration::from_millis(ms)));
        for (per_mille, exact) in [(0, 1), (500, 500), (990, 990), (1000, 1000)] {
            let found = histogram.quantile(per_mille).unwrap();
            let exact = Duration::from_millis(exact);
            assert!(found > exact && found <= exact * 9 / 8, "{per_mille}: {found:?}");
        }
        assert_eq!((histogram.count(), histogram.sum()), (1000, Duration::from_millis(500_500)));
        let (ends, counts): (Vec<_>, Vec<_>) = histogram.octaves().unzip();
        let at =
            |microseconds| ends.iter().position(|end| *end == Duration::from_micros(microseconds)).unwrap();
        assert_eq!((counts[at(131_072)], counts.last()), (131, Some(&1000)));
    }
}
