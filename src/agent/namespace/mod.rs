//! A network namespace whose requests the agent serves: the kernel has a queue and an ear for each.

pub(super) mod doorman;
mod set;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    keyring::{self, Loan},
    log::{self, Budget, Rate},
    netlink::{Answer, Kernel, KernelError},
    process,
    request::Incoming,
    status::Counters,
};

pub(super) use set::Namespaces;

/// How often the kernel is asked without having called: a READY can be lost.
pub(super) const SLOW_TIMER: Duration = Duration::from_secs(5);

/// How often it is told that the kernel was not heard: whoever has the rights in a namespace may call as often as the kernel.
const DEAFNESS: Rate = Rate { burst: 2, per_second: 1 };

/// Longer than any path.
const LONGEST_TIDINGS: usize = 8192;

/// Which namespaces are served beside our own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    names: Vec<String>,
    /// All that have a name in /run/netns.
    pub(super) all: bool,
}

impl Wanted {
    /// Adds one: by its name, whether that or the path of that name is given.
    pub(super) fn add(&mut self, name: &str) {
        self.names.push(doorman::bare(name).into());
    }

    pub(super) fn is_only_our_own(&self) -> bool {
        self.names.is_empty() && !self.all
    }

    /// How many there may be of them.
    pub(super) fn limit(&self) -> usize {
        if self.is_only_our_own() { 0 } else { doorman::MAX_NAMESPACES }
    }

    /// The command line of the [`doorman`].
    fn arguments(&self) -> Vec<&str> {
        let names = self.names.iter().flat_map(|name| ["--netns", name]);
        ["doorman"].into_iter().chain(names).chain(self.all.then_some("--netns-all")).collect()
    }
}

/// What the [`doorman`] tells: a letter, and a name or words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tidings {
    /// A namespace is there; its sockets are beside the message.
    Come = b'+' as isize,
    /// A namespace has lost its name: what holds on to it keeps it from ending.
    Gone = b'-' as isize,
    /// A namespace that was named is not there, or cannot be served, or is served by another name.
    Trouble = b'!' as isize,
    /// All that were there at the start have been told.
    Settled = b'.' as isize,
}

impl Tidings {
    const ALL: [Self; 4] = [Self::Come, Self::Gone, Self::Trouble, Self::Settled];
}

/// The kernel's side of one network namespace.
pub(super) struct Namespace {
    kernel: Kernel,
    /// Its counts, and its name; empty for our own.
    counters: Rc<Counters>,
    /// When to ask the kernel for requests, whether it calls or not.
    ask: Instant,
    /// For telling that it was not heard.
    deafness: Budget,
}

/// A request that was taken, and where its result goes.
pub(super) struct Call {
    pub(super) incoming: Incoming,
    /// The keyring that the kernel has linked with it, if any.
    pub(super) loan: Loan,
    pub(super) answers: Rc<dyn Answer>,
    /// Where its end is counted.
    pub(super) counters: Rc<Counters>,
}

impl Namespace {
    /// The one that the agent runs in.
    fn own() -> Result<Self, KernelError> {
        let kernel = Kernel::open()?;
        process::check_policy(&kernel);
        Ok(Self::new(kernel, ""))
    }

    /// One in which these sockets were opened.
    fn of(name: &str, sockets: Vec<OwnedFd>) -> Result<Self, KernelError> {
        let lost = |_| KernelError::Io("its sockets", io::Error::from_raw_os_error(libc::EMFILE));
        let kernel = Kernel::new(sockets.try_into().map_err(lost)?)?;
        Ok(Self::new(kernel, name))
    }

    fn new(kernel: Kernel, name: &str) -> Self {
        let (counters, deafness) = (Rc::new(Counters::new(name)), Budget::new(DEAFNESS));
        Self { kernel, counters, ask: Instant::now(), deafness }
    }

    fn is_called(&self, name: &str) -> bool {
        self.counters.netns() == name
    }

    /// The kernel is to be asked at once.
    fn hurry(&mut self) {
        self.ask = Instant::now();
    }

    fn postpone(&mut self) {
        self.ask = Instant::now() + SLOW_TIMER;
    }

    /// The kernel has called.
    fn hear(&mut self) {
        self.hurry();
        match self.kernel.drain_events() {
            Ok(true) if self.deafness.take(Instant::now()) => log::warning(format_args!(
                "the kernel called more often than it could be heard: consumers were refused meanwhile (ESRCH)"
            )),
            Ok(_) => {}
            Err(error) => log::warning(format_args!("netlink events: {error}")),
        }
    }

    /// Takes a request.
    fn take(&self) -> io::Result<Option<Call>> {
        let Some(accepted) = self.kernel.accept().transpose() else { return Ok(None) };
        let loan = Loan::requested();
        let mut incoming = accepted?;
        if let Ok(request) = incoming.request.as_mut() {
            request.keyring = request.keyring.or_else(keyring::requested);
        }
        Ok(Some(Call { incoming, loan, answers: self.kernel.answers(), counters: self.counters.clone() }))
    }
}

impl AsFd for Namespace {
    /// Readable when the kernel calls.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kernel.as_fd()
    }
}
