//! What is measured of each side: time, heap, or (in `steps`) instructions.

use std::{sync::atomic::Ordering, time::Instant};

use crate::counting::{ALLOCATIONS, HELD, PEAK};

/// Which end of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// One value for each side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides<T> {
    pub client: T,
    pub server: T,
}

impl<T> Sides<T> {
    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    pub fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

/// Measures a part of a handshake, and adds it to the account of a side.
pub trait Meter {
    fn measure<T>(&mut self, side: Side, part: impl FnOnce() -> T) -> T;

    /// Takes note that a side now waits for its peer.
    fn waits(&mut self, _: Side) {}
}

/// Seconds.
#[derive(Default)]
pub struct Clock(pub Sides<f64>);

impl Meter for Clock {
    fn measure<T>(&mut self, side: Side, part: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = part();
        *self.0.get_mut(side) += start.elapsed().as_secs_f64();
        result
    }
}

/// What one side takes of the heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub allocations: usize,
    held: usize,
    /// The most that was held at any time, in bytes.
    pub peak: usize,
    /// The most that was held while waiting for the peer.
    pub waiting: usize,
}

/// Allocations and bytes.
#[derive(Default)]
pub struct Heap(pub Sides<Account>);

impl Meter for Heap {
    fn measure<T>(&mut self, side: Side, part: impl FnOnce() -> T) -> T {
        let (allocations, held) = (ALLOCATIONS.load(Ordering::Relaxed), HELD.load(Ordering::Relaxed));
        PEAK.store(held, Ordering::Relaxed);
        let result = part();
        let account = self.0.get_mut(side);
        account.allocations += ALLOCATIONS.load(Ordering::Relaxed) - allocations;
        account.peak = account.peak.max(account.held + PEAK.load(Ordering::Relaxed) - held);
        account.held = (account.held + HELD.load(Ordering::Relaxed)).saturating_sub(held);
        result
    }

    fn waits(&mut self, side: Side) {
        let account = self.0.get_mut(side);
        account.waiting = account.waiting.max(account.held);
    }
}
