//! Every handshake in flight, and the crew that does them: how many there may be, who gives way, and what becomes of each.

use std::{
    collections::BTreeMap,
    os::fd::BorrowedFd,
    panic::{self, AssertUnwindSafe},
    time::Instant,
};

use nix::poll::PollFlags;

use super::{
    border::{Number, Order, Report},
    crew::Crew,
    failure::Failure,
    fairness::who_gives_way,
    flight::{Flight, Lie},
    key_log::KeyLogFile,
    log,
    process::Room,
};

/// The handshakes in flight.
pub(super) struct Flights {
    flights: BTreeMap<Number, Flight>,
    last: Number,
    room: Room,
    crew: Crew,
    key_log: Option<KeyLogFile>,
}

impl Flights {
    pub(super) fn new(room: Room, crew: Crew, key_log: Option<KeyLogFile>) -> Self {
        Self { flights: BTreeMap::new(), last: 0, room, crew, key_log }
    }

    pub(super) fn count(&self) -> usize {
        self.flights.len()
    }

    /// How many there may be before some give way.
    pub(super) fn most(&self) -> usize {
        self.room.fair
    }

    pub(super) fn crew(&self) -> &Crew {
        &self.crew
    }

    pub(super) fn crew_mut(&mut self) -> &mut Crew {
        &mut self.crew
    }

    /// Whether there is no room for another beside so many that are yet to begin.
    pub(super) fn is_full(&self, to_begin: usize) -> bool {
        self.flights.len() + to_begin >= self.room.total
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        self.crew.interests()
    }

    /// When the first is late, or the crew has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.flights.values().map(Flight::deadline).chain(self.crew.deadline()).min()
    }

    /// Begins a handshake, if it is not refused at once.
    pub(super) fn begin(&mut self, begin: impl FnOnce() -> Option<(Flight, Order)>) {
        let Some((flight, mut order)) = contained(begin) else { return };
        if let (Order::Begin { config, .. }, Some(_)) = (&mut order, &self.key_log) {
            config.log_keys();
        }
        self.last = self.last.wrapping_add(1).max(1);
        log::debug(format_args!("handshake {}: {}", self.last, flight.subject()));
        self.flights.insert(self.last, flight);
        if self.has_place(self.last) {
            self.crew.order(self.last, order);
        }
    }

    /// Whether a newcomer may stay: when it is crowded, it or another must give way.
    fn has_place(&mut self, newcomer: Number) -> bool {
        if self.flights.len() <= self.room.fair {
            return true;
        }
        let origins = self.flights.iter().filter_map(|(number, flight)| Some((*number, flight.origin()?)));
        let origins: Vec<_> = origins.collect();
        let loser = if origins.len() > self.room.fair { who_gives_way(origins.into_iter()) } else { None };
        match loser {
            Some(number) if number == newcomer => {
                let newcomer = self.flights.remove(&number);
                newcomer.into_iter().for_each(|flight| flight.turn_away(&Failure::Crowded));
                false
            }
            Some(number) => {
                self.give_up(number, |_| Failure::Crowded);
                true
            }
            None => true,
        }
    }

    /// Goes on where [`Self::interests`] are met.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        self.crew.advance(ready);
    }

    /// Hears the next report; whether there was one.
    pub(super) fn hear(&mut self) -> bool {
        let Some((number, report)) = self.crew.report() else { return false };
        let Some(flight) = self.flights.remove(&number) else { return true };
        if let (Some(file), Report::Done(session)) = (&self.key_log, &report) {
            file.write_session(session, flight.subject().we_are_server());
        }
        match contained(|| Some(flight.hear(report))) {
            Some(Ok(Some((flight, order)))) => {
                self.flights.insert(number, flight);
                self.crew.order(number, order);
            }
            Some(Err(Lie)) => self.crew.distrust(number),
            Some(Ok(None)) | None => self.crew.forget(number),
        }
        true
    }

    /// Gives those up whose time is over.
    pub(super) fn give_up_late(&mut self) {
        let now = Instant::now();
        let late: Vec<Number> =
            self.flights.iter().filter(|(_, flight)| flight.deadline() <= now).map(|(n, _)| *n).collect();
        late.into_iter().for_each(|number| self.give_up(number, Flight::timeout));
    }

    /// Gives all up, and has no room for others.
    pub(super) fn stop(&mut self) {
        self.room.total = 0;
        let numbers: Vec<Number> = self.flights.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.give_up(number, |_| Failure::Stopping));
    }

    /// Gives a handshake up; a second time because nobody answered to the first.
    fn give_up(&mut self, number: Number, why: impl FnOnce(&Flight) -> Failure) {
        let Some(flight) = self.flights.remove(&number) else { return };
        let failure = why(&flight);
        match contained(|| flight.give_up(&failure)) {
            Some((flight, order)) => {
                self.flights.insert(number, flight);
                self.crew.order(number, order);
            }
            None => self.crew.forget(number),
        }
    }
}

/// A bug that panics costs one handshake, not all: unwinding drops that one's [`Pending`](super::pending::Pending), which answers
/// the kernel.
fn contained<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        log::error(format_args!("a handshake ended in a bug of the agent; please report the message above"));
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::pending::{Pending, tests::Recorder};
    use std::{os::unix::net::UnixStream, rc::Rc};

    #[test]
    fn a_bug_in_one_handshake_is_answered_and_contained() {
        let recorder = Rc::new(Recorder::default());
        let pending = Pending::new(UnixStream::pair().unwrap().0.into(), recorder.clone());
        let flight: Option<()> = contained(|| {
            let _pending = pending;
            panic!("a bug");
        });
        assert!(flight.is_none());
        assert_eq!(*recorder.0.borrow(), [(libc::EIO.unsigned_abs(), None)]);
    }
}
