//! A request that waits for its answer: exactly one DONE, whatever happens.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    rc::Rc,
};

use super::netlink::Answer;

/// An accepted request. Dropping it without an answer answers it with EIO, so that no consumer waits for its own time-out.
pub(super) struct Pending {
    socket: OwnedFd,
    answers: Rc<dyn Answer>,
    is_answered: bool,
}

impl Pending {
    pub(super) fn new(socket: OwnedFd, answers: Rc<dyn Answer>) -> Self {
        Self { socket, answers, is_answered: false }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The session stands; `remote_auth` says who the peer is. The consumer uses the socket from within this call.
    pub(super) fn succeed(self, remote_auth: Option<u32>) -> io::Result<()> {
        self.answer(0, remote_auth)
    }

    /// There is no session, because of this errno.
    pub(super) fn fail(self, errno: i32) -> io::Result<()> {
        self.answer(errno.unsigned_abs(), None)
    }

    fn answer(mut self, status: u32, remote_auth: Option<u32>) -> io::Result<()> {
        // What did not reach the kernel is said again: its memory comes back, and a consumer waits.
        let result = (0..3).map(|_| self.answers.done(self.socket.as_fd(), status, remote_auth)).find(|result| {
            !matches!(result, Err(error) if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM)))
        });
        // What the kernel did not take it may take without the rest: then [`Drop`] says that there is no session.
        self.is_answered = matches!(result, Some(Ok(())));
        result.unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::ENOBUFS)))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_answered {
            let _nobody_to_tell = self.answers.done(self.socket.as_fd(), libc::EIO.unsigned_abs(), None);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{
        cell::{Cell, RefCell},
        os::unix::net::UnixStream,
    };

    /// Writes the answers down.
    #[derive(Default)]
    pub(in crate::agent) struct Recorder(pub(in crate::agent) RefCell<Vec<(u32, Option<u32>)>>);

    impl Answer for Recorder {
        fn done(&self, _: BorrowedFd<'_>, status: u32, remote_auth: Option<u32>) -> io::Result<()> {
            self.0.borrow_mut().push((status, remote_auth));
            Ok(())
        }
    }

    #[test]
    fn each_request_is_answered_once() {
        let recorder = Rc::new(Recorder::default());
        let pending = || Pending::new(UnixStream::pair().unwrap().0.into(), recorder.clone());
        pending().succeed(Some(7)).unwrap();
        pending().fail(libc::EACCES).unwrap();
        drop(pending());
        assert_eq!(*recorder.0.borrow(), [(0, Some(7)), (13, None), (5, None)]);
    }
    /// Refuses the first answers with an errno.
    struct Refuser {
        errno: i32,
        count: Cell<usize>,
        taken: Recorder,
    }

    impl Answer for Refuser {
        fn done(&self, socket: BorrowedFd<'_>, status: u32, remote_auth: Option<u32>) -> io::Result<()> {
            match self.count.get().checked_sub(1) {
                Some(count) => {
                    self.count.set(count);
                    Err(io::Error::from_raw_os_error(self.errno))
                }
                None => self.taken.done(socket, status, remote_auth),
            }
        }
    }

    #[test]
    fn an_answer_that_is_refused_is_said_again_or_becomes_a_plain_failure() {
        let cases = [
            (libc::ENOMEM, 1, true, (0, Some(7))),
            (libc::ENOMEM, 3, false, (5, None)),
            (libc::EINVAL, 1, false, (5, None)),
        ];
        for (errno, count, succeeds, taken) in cases {
            let refuser = Rc::new(Refuser { errno, count: Cell::new(count), taken: Recorder::default() });
            let pending = Pending::new(UnixStream::pair().unwrap().0.into(), refuser.clone());
            assert_eq!(pending.succeed(Some(7)).is_ok(), succeeds);
            assert_eq!(*refuser.taken.0.borrow(), [taken], "errno {errno}, {count} times");
        }
    }
}
