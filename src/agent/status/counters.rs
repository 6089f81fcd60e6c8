//! How handshakes ended, counted: by flow, and by result.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
};

use super::histogram::Histogram;
use crate::agent::{
    failure::{Cause, errno_name},
    log::{Ended, Outcome},
    request::{Authentication, Role},
};

/// Which of the kernel's five flows; `None`: a request that made no sense.
pub(super) type Flow = Option<(Role, Authentication)>;

/// The counts of one network namespace.
#[derive(Debug, Default)]
pub(in crate::agent) struct Counters {
    netns: String,
    flows: RefCell<BTreeMap<Flow, Counts>>,
}

/// The counts of one flow; the keys are names of ours, so there is an end to them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By group and cipher suite.
    pub(super) done: BTreeMap<(&'static str, &'static str), u64>,
    /// By cause and errno.
    pub(super) failed: BTreeMap<(Cause, &'static str), u64>,
    /// How long those that succeeded took, from ACCEPT to DONE.
    pub(super) latency: Histogram,
}

impl Counters {
    /// For the namespace of this name; empty for the agent's own.
    pub(in crate::agent) fn new(netns: &str) -> Self {
        Self { netns: netns.to_owned(), flows: RefCell::default() }
    }

    pub(in crate::agent) fn netns(&self) -> &str {
        &self.netns
    }

    pub(in crate::agent) fn count(&self, ended: &Ended<'_>) {
        let mut flows = self.flows.borrow_mut();
        let counts = flows.entry(ended.subject.flow).or_default();
        match (&ended.outcome, ended.cause()) {
            (Outcome::Done { session, .. }, None) => {
                *counts.done.entry((session.group.name(), session.suite.name())).or_default() += 1;
                counts.latency.add(ended.elapsed);
            }
            (Outcome::Failed { verdict, .. }, Some(cause)) => {
                *counts.failed.entry((cause, errno_name(verdict.errno))).or_default() += 1;
            }
            // The session stood, but the kernel's consumer was gone.
            (_, cause) => *counts.failed.entry((cause.unwrap_or(Cause::Kernel), "none")).or_default() += 1,
        }
    }

    pub(super) fn flows(&self) -> Ref<'_, BTreeMap<Flow, Counts>> {
        self.flows.borrow()
    }

    /// How many succeeded, and how many failed.
    pub(super) fn totals(&self) -> (u64, u64) {
        let flows = self.flows();
        let done = flows.values().flat_map(|counts| counts.done.values()).sum();
        (done, flows.values().flat_map(|counts| counts.failed.values()).sum())
    }
}
