//! Who does the handshakes: worker processes, or in a minimal build this process itself.
//!
//! Nothing here waits for a worker: what one does not take yet is kept for it, and one that breaks the protocol, ends or no longer
//! answers is replaced. Its handshakes are reported as failed at once.

mod member;

use std::{
    collections::{BTreeMap, VecDeque},
    os::fd::BorrowedFd,
    time::Instant,
};

use nix::poll::PollFlags;

use super::{
    border::{Number, Order, Report},
    failure::GIVING_UP,
    worker::Worker,
};
use member::{Member, lost};

pub(super) use member::Recruitment;

/// The workers and what they do.
pub(super) enum Crew {
    /// This process, for builds and hosts that cannot have others.
    Alone(Worker),
    /// Processes of their own.
    Processes { members: Vec<Member>, assigned: BTreeMap<Number, usize>, reports: VecDeque<(Number, Report)> },
}

impl Crew {
    /// Starts so many workers.
    pub(super) fn start(count: usize, recruitment: &Recruitment) -> Self {
        if count == 0 {
            return Self::Alone(Worker::default());
        }
        let members = (0..count).map(|_| Member::start(recruitment)).collect();
        Self::Processes { members, assigned: BTreeMap::new(), reports: VecDeque::new() }
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Self::Alone(worker) => worker.interests().collect(),
            Self::Processes { members, .. } => members.iter().filter_map(Member::interest).collect(),
        }
    }

    /// When somebody is to be started again, or has been silent for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Alone(_) => None,
            Self::Processes { members, .. } => members.iter().filter_map(Member::deadline).min(),
        }
    }

    /// Gives an order to the worker of this handshake; a new handshake goes to the one that has the fewest.
    pub(super) fn order(&mut self, number: Number, order: Order) {
        match self {
            Self::Alone(worker) => worker.take(number, order),
            Self::Processes { members, assigned, reports } => {
                if matches!(order, Order::Begin { .. }) {
                    let load = |index: &usize| assigned.values().filter(|member| *member == index).count();
                    let able =
                        (0..members.len()).filter(|index| members.get(*index).is_some_and(Member::is_there));
                    let Some(index) = able.min_by_key(load) else {
                        return reports.push_back((number, lost()));
                    };
                    assigned.insert(number, index);
                }
                let Some(member) = assigned.get(&number).and_then(|index| members.get_mut(*index)) else {
                    return;
                };
                member.send(number, order);
                self.bury();
            }
        }
    }

    /// Goes on where [`Self::interests`] are met, and starts who is to be started.
    pub(super) fn advance(&mut self, ready: &[bool], recruitment: &Recruitment) {
        match self {
            Self::Alone(worker) => worker.advance(ready),
            Self::Processes { members, assigned, reports } => {
                let mut ready = ready.iter();
                for (index, member) in members.iter_mut().enumerate() {
                    if member.is_there() && ready.next() == Some(&true) {
                        member.hear(|number| assigned.get(&number) == Some(&index), reports);
                    }
                    member.dismiss_if_silent();
                }
                self.bury();
                self.restart(recruitment);
            }
        }
    }

    /// Ends a handshake that has had its answer without the worker's last word.
    pub(super) fn forget(&mut self, number: Number) {
        if let Self::Processes { assigned, .. } = self
            && !assigned.contains_key(&number)
        {
            return;
        }
        self.order(number, Order::Abort(GIVING_UP));
        if let Self::Processes { assigned, .. } = self {
            assigned.remove(&number);
        }
    }

    /// New settings: who starts a handshake from now on starts it with these.
    pub(super) fn renew(&mut self, recruitment: &Recruitment) {
        if let Self::Processes { members, .. } = self {
            members.iter_mut().for_each(|member| member.renew(recruitment));
        }
    }

    /// The next report, if there is one.
    pub(super) fn report(&mut self) -> Option<(Number, Report)> {
        match self {
            Self::Alone(worker) => worker.report(),
            Self::Processes { assigned, reports, .. } => {
                let (number, report) = reports.pop_front()?;
                if matches!(report, Report::Done(_) | Report::Failed(_)) {
                    assigned.remove(&number);
                }
                Some((number, report))
            }
        }
    }

    fn restart(&mut self, recruitment: &Recruitment) {
        let Self::Processes { members, .. } = self else { return };
        members.iter_mut().for_each(|member| member.restart_if_due(recruitment));
    }

    /// Reports the handshakes of those who are gone.
    fn bury(&mut self) {
        let Self::Processes { members, assigned, reports } = self else { return };
        let gone = |index: &usize| !members.get(*index).is_some_and(Member::is_there);
        let numbers: Vec<Number> =
            assigned.iter().filter(|(_, index)| gone(index)).map(|(n, _)| *n).collect();
        for number in numbers {
            assigned.remove(&number);
            reports.push_back((number, lost()));
        }
    }
}

#[cfg(test)]
mod tests;
