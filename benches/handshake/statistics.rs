//! Samples of each side, and what is told of them.

use std::fmt;

use crate::meter::{Side, Sides};

/// Seconds, one for each round.
#[derive(Default)]
pub struct Samples(Sides<Vec<f64>>);

impl Samples {
    pub fn add(&mut self, seconds: Sides<f64>) {
        self.0.client.push(seconds.client);
        self.0.server.push(seconds.server);
    }

    /// `None` if there are none.
    pub fn times(&self, side: Side) -> Option<Times> {
        let mut sorted = self.0.get(side).clone();
        sorted.sort_by(f64::total_cmp);
        Some(Times { fast: sorted.get(sorted.len() / 10)? * 1e6, median: sorted[sorted.len() / 2] * 1e6 })
    }
}

/// In microseconds: what the fastest tenth stays below, and the median.
#[derive(Clone, Copy)]
pub struct Times {
    fast: f64,
    median: f64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.1} {:8.1}", self.fast, self.median)
    }
}

/// Of the fastest tenths.
pub fn ratio(ours: Option<Times>, theirs: Option<Times>) -> String {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => format!("{:8.3}", ours.fast / theirs.fast),
        _ => String::new(),
    }
}
