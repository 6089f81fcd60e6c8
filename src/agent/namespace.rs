//! A network namespace whose requests the agent serves: the kernel has a queue and an ear for each.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    keyring, log,
    netlink::{Answer, Kernel, KernelError},
    process,
    request::Incoming,
    status::Counters,
};

/// How often the kernel is asked without having called: a READY can be lost.
pub(super) const SLOW_TIMER: Duration = Duration::from_secs(5);

/// The kernel's side of one network namespace.
pub(super) struct Namespace {
    kernel: Kernel,
    counters: Rc<Counters>,
    /// When to ask the kernel for requests, whether it calls or not.
    ask: Instant,
}

/// A request that was taken, and where its result goes.
pub(super) struct Call {
    pub(super) incoming: Incoming,
    pub(super) answers: Rc<dyn Answer>,
    /// Where its end is counted.
    pub(super) counters: Rc<Counters>,
}

impl Namespace {
    /// The one that the agent runs in.
    pub(super) fn own() -> Result<Self, KernelError> {
        let kernel = Kernel::open()?;
        process::check_policy(&kernel);
        Ok(Self { kernel, counters: Rc::new(Counters::new("")), ask: Instant::now() })
    }

    pub(super) fn counters(&self) -> &Rc<Counters> {
        &self.counters
    }

    /// When to ask the kernel.
    pub(super) fn ask(&self) -> Instant {
        self.ask
    }

    /// The kernel is to be asked at once.
    pub(super) fn hurry(&mut self) {
        self.ask = Instant::now();
    }

    /// The kernel is being asked.
    pub(super) fn postpone(&mut self) {
        self.ask = Instant::now() + SLOW_TIMER;
    }

    /// The kernel has called.
    pub(super) fn hear(&mut self) {
        self.hurry();
        if let Err(error) = self.kernel.drain_events() {
            log::warning(format_args!("netlink events: {error}"));
        }
    }

    /// Takes a request, and makes the keyring that it came with its own.
    pub(super) fn take(&self) -> io::Result<Option<Call>> {
        if let Err(error) = keyring::forget_requested() {
            log::debug(format_args!("the keyrings of former requests stay linked: {error}"));
        }
        let Some(mut incoming) = self.kernel.accept()? else { return Ok(None) };
        if let Ok(request) = incoming.request.as_mut() {
            request.keyring = request.keyring.or_else(keyring::requested);
        }
        Ok(Some(Call { incoming, answers: self.kernel.answers(), counters: self.counters.clone() }))
    }
}

impl AsFd for Namespace {
    /// Readable when the kernel calls.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kernel.as_fd()
    }
}
