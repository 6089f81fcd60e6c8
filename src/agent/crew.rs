//! Who does the handshakes: worker processes, or in a minimal build this process itself.
//!
//! Nothing here waits for a worker: what one does not take yet is kept for it, and one that breaks the protocol, ends or no longer
//! answers is replaced. Its handshakes are reported as failed at once.

mod member;
mod post;
mod recruitment;
mod voice;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;

use super::{
    border::{Number, Order, Report},
    failure::GIVING_UP,
    log,
    material::Settings,
    status::WorkerState,
    wait::wait,
    worker::Worker,
};
use member::{Member, lost};
use recruitment::Recruitment;

/// How long the first worker may take to get ready: a host that starts is busy.
const LONGEST_START: Duration = Duration::from_secs(20);
/// How often it is looked whether one that did not start can be started again.
const FIRST_LOOKS: Duration = Duration::from_millis(100);

/// The workers and what they do.
pub(super) enum Crew {
    /// This process, for builds and hosts that cannot have others.
    Alone(Worker),
    /// Processes of their own.
    Processes(Pool),
}

/// Worker processes.
pub(super) struct Pool {
    recruitment: Recruitment,
    /// How many there are to be.
    wanted: usize,
    /// Their places, and one more: for the successor of one that has served its time and is still at work.
    members: Vec<Member>,
    /// Who does which handshake.
    assigned: BTreeMap<Number, usize>,
    reports: VecDeque<(Number, Report)>,
    /// The handshake that ended last, and who did it.
    ended: Option<(Number, usize)>,
    /// Whose turn it is.
    next: usize,
}

impl Crew {
    /// Starts so many workers, who wait for [`Self::renew`]; none: this process does it.
    pub(super) fn start(count: usize) -> Self {
        match count {
            0 => Self::Alone(Worker::default()),
            _ => Self::Processes(Pool::start(count, Recruitment::default())),
        }
    }

    /// Waits until the first is ready. The error is for people.
    pub(super) fn get_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + LONGEST_START;
        while !self.is_able() {
            let patience = deadline.checked_duration_since(Instant::now());
            let patience = patience.ok_or("no worker got ready (--workers 0 does without)")?;
            let ready = wait(self.interests(), Some(patience.min(FIRST_LOOKS)));
            self.advance(&ready.map_err(|error| format!("poll: {error}"))?);
        }
        Ok(())
    }

    /// Whether there is somebody to do a handshake.
    pub(super) fn is_able(&self) -> bool {
        match self {
            Self::Alone(_) => true,
            Self::Processes(pool) => pool.members.iter().any(Member::is_ready),
        }
    }

    /// How many workers there are to be.
    pub(super) fn wanted(&self) -> usize {
        match self {
            Self::Alone(_) => 0,
            Self::Processes(pool) => pool.wanted,
        }
    }

    /// How the workers are that are there; none if there are no processes of their own.
    pub(super) fn workers(&self) -> Vec<WorkerState> {
        match self {
            Self::Alone(_) => vec![],
            Self::Processes(pool) => pool.members.iter().filter_map(Member::state).collect(),
        }
    }

    /// How many were lost, and replaced.
    pub(super) fn restarts(&self) -> u64 {
        match self {
            Self::Alone(_) => 0,
            Self::Processes(pool) => pool.members.iter().map(Member::losses).sum(),
        }
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Self::Alone(worker) => worker.interests().collect(),
            Self::Processes(pool) => pool.members.iter().flat_map(Member::interests).collect(),
        }
    }

    /// When somebody is to be started again, or has been silent for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Alone(worker) => worker.patience().map(|patience| Instant::now() + patience),
            Self::Processes(pool) => pool.deadline(),
        }
    }

    /// Gives an order to the worker of this handshake.
    pub(super) fn order(&mut self, number: Number, order: Order) {
        match self {
            Self::Alone(worker) => worker.take(number, order),
            Self::Processes(pool) => pool.order(number, order),
        }
    }

    /// Goes on where [`Self::interests`] are met, and starts who is to be started.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        match self {
            Self::Alone(worker) => worker.advance(ready),
            Self::Processes(pool) => pool.advance(ready),
        }
    }

    /// Ends a handshake that has had its answer without the worker's last word.
    pub(super) fn forget(&mut self, number: Number) {
        match self {
            Self::Alone(worker) => worker.take(number, Order::Abort(GIVING_UP)),
            Self::Processes(pool) => pool.forget(number),
        }
    }

    /// Replaces the worker whose last report, about this handshake, cannot be true.
    pub(super) fn distrust(&mut self, number: Number) {
        if let Self::Processes(pool) = self {
            pool.distrust(number);
        }
    }

    /// New settings: who starts a handshake from now on starts it with these. Nothing changes if they cannot be handed over.
    pub(super) fn renew(&mut self, settings: &mut Settings) -> Result<(), String> {
        if let Self::Processes(pool) = self {
            pool.recruitment = Recruitment::new(settings)?;
            settings.hand_trust_over();
            pool.members.iter_mut().for_each(|member| member.renew(&pool.recruitment));
        }
        Ok(())
    }

    /// The next report, if there is one.
    pub(super) fn report(&mut self) -> Option<(Number, Report)> {
        match self {
            Self::Alone(worker) => worker.report(),
            Self::Processes(pool) => pool.report(),
        }
    }
}

impl Pool {
    fn start(count: usize, recruitment: Recruitment) -> Self {
        let members = (0..=count).map(|_| Member::new()).collect();
        let (assigned, reports) = (BTreeMap::new(), VecDeque::new());
        let mut pool = Self { recruitment, wanted: count, members, assigned, reports, ended: None, next: 0 };
        pool.recruit();
        pool
    }

    /// The places where somebody is to be started: so that as many as are wanted have not served their time.
    fn vacancies(&self) -> Vec<usize> {
        let is_fresh = |member: &&Member| member.is_there() && !member.has_served(self.recruitment.service);
        let missing = self.wanted.saturating_sub(self.members.iter().filter(is_fresh).count());
        let members = self.members.iter().enumerate();
        let mut vacant: Vec<_> = members.filter(|(_, member)| !member.is_there()).collect();
        // Whoever was lost is made up for in their own place, and not before it opens.
        let now = Instant::now();
        vacant.sort_by_key(|(_, member)| Reverse(member.opens().max(now)));
        vacant.into_iter().map(|(index, _)| index).take(missing).collect()
    }

    /// Starts whoever is to be started, and can be by now.
    fn recruit(&mut self) {
        for index in self.vacancies() {
            if let Some(member) = self.members.get_mut(index) {
                member.fill(&self.recruitment);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let vacancies = self.vacancies().into_iter();
        let opens = vacancies.filter_map(|index| self.members.get(index).map(Member::opens));
        let retires = self.idle().first().map(|_| Instant::now());
        self.members.iter().filter_map(Member::deadline).chain(opens).chain(retires).min()
    }

    /// A new handshake goes to the next in turn: whoever has the fewest may have them because it ends them all at once.
    fn order(&mut self, number: Number, order: Order) {
        if matches!(order, Order::Begin { .. }) {
            let Some(index) = self.whose_turn() else {
                return self.reports.push_back((number, lost()));
            };
            self.next = index + 1;
            self.assigned.insert(number, index);
        }
        if let Some(member) = self.at_work_on(number) {
            member.send(number, order);
        }
        self.bury();
    }

    /// The next who is ready and has not served its time; else the first who is ready, so that the others come to their end.
    fn whose_turn(&self) -> Option<usize> {
        let count = self.members.len();
        let member = |index: usize| self.members.get(index).filter(|member| member.is_ready());
        let is_fresh = |index: usize| member(index).is_some_and(|m| !m.has_served(self.recruitment.service));
        let in_turn = (0..count).map(|offset| (self.next + offset) % count).find(|index| is_fresh(*index));
        in_turn.or_else(|| (0..count).find(|index| member(*index).is_some()))
    }

    /// Who has served its time and has nothing to do, once somebody can do its work.
    fn idle(&self) -> Vec<usize> {
        let has_served = |member: &Member| member.has_served(self.recruitment.service);
        if !self.members.iter().any(|member| member.is_ready() && !has_served(member)) {
            return vec![];
        }
        let is_idle = |index: usize| !self.assigned.values().any(|assigned| *assigned == index);
        let members = self.members.iter().enumerate();
        members
            .filter(|(index, member)| has_served(member) && is_idle(*index))
            .map(|(index, _)| index)
            .collect()
    }

    fn retire(&mut self) {
        for index in self.idle() {
            if let Some(member) = self.members.get_mut(index) {
                member.retire();
            }
        }
    }

    fn advance(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        for (index, member) in self.members.iter_mut().enumerate() {
            let assigned = &self.assigned;
            let is_its_own = |number: Number| assigned.get(&number) == Some(&index);
            member.advance(&mut ready, is_its_own, &mut self.reports);
        }
        self.bury();
        self.retire();
        self.members.iter_mut().for_each(Member::reap);
        self.recruit();
    }

    fn forget(&mut self, number: Number) {
        if let Some(member) = self.at_work_on(number) {
            member.forget(number);
            self.assigned.remove(&number);
            self.bury();
        }
    }

    fn report(&mut self) -> Option<(Number, Report)> {
        let (number, report) = self.reports.pop_front()?;
        if report.is_last() {
            self.ended = self.assigned.remove(&number).map(|index| (number, index));
        }
        Some((number, report))
    }

    fn distrust(&mut self, number: Number) {
        let ended = self.ended.filter(|(ended, _)| *ended == number).map(|(_, index)| index);
        let index = self.assigned.remove(&number).or(ended);
        if let Some(member) = index.and_then(|index| self.members.get_mut(index)) {
            log::error(format_args!("{member} is replaced: it claimed what cannot be"));
            member.dismiss();
            self.bury();
        }
    }

    /// Who does a handshake, unless its last report waits to be heard: then nobody would answer an order.
    fn at_work_on(&mut self, number: Number) -> Option<&mut Member> {
        let has_ended = self.reports.iter().any(|(ended, report)| *ended == number && report.is_last());
        let index = self.assigned.get(&number).filter(|_| !has_ended)?;
        self.members.get_mut(*index)
    }

    /// Reports the handshakes of those who are gone.
    fn bury(&mut self) {
        let gone = |index: &usize| !self.members.get(*index).is_some_and(Member::is_there);
        let numbers: Vec<Number> =
            self.assigned.iter().filter(|(_, index)| gone(index)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.assigned.remove(&number);
            self.reports.push_back((number, lost()));
        }
    }
}

#[cfg(test)]
mod tests;
