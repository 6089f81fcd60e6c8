//! The one place where the agent waits: for whichever of its sockets can go on first.

use std::{io, os::fd::BorrowedFd, time::Duration};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// Waits until one of these can go on, but not longer than `patience` (`None`: for ever); tells which can.
pub(super) fn wait<'a>(
    interests: impl IntoIterator<Item = (BorrowedFd<'a>, PollFlags)>,
    patience: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let mut entries: Vec<_> = interests.into_iter().map(|(fd, flags)| PollFd::new(fd, flags)).collect();
    // Rounded up to milliseconds, lest a caller turns round and round in the last one.
    let patience = patience.map_or(PollTimeout::NONE, |patience| {
        PollTimeout::try_from(patience + Duration::from_nanos(999_999)).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut entries, patience) {
        // After a signal nothing is ready, and the caller looks at its clock again.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(entries.iter().map(|entry| entry.any().unwrap_or(true)).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{
        io::Write,
        os::{fd::AsFd, unix::net::UnixStream},
    };

    /// As long as what is closed may still be open: a process that another test starts has it, too, until it is another program.
    pub(in crate::agent) const A_PROCESS_STARTS: Duration = Duration::from_secs(10);

    #[test]
    fn what_can_go_on_is_told_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let interests = || [(ours.as_fd(), PollFlags::POLLIN), (theirs.as_fd(), PollFlags::POLLIN)];
        assert_eq!(wait(interests(), Some(Duration::ZERO)).unwrap(), [false, false]);
        (&ours).write_all(b"x").unwrap();
        assert_eq!(wait(interests(), None).unwrap(), [false, true]);
        drop(theirs);
        assert_eq!(
            wait([(ours.as_fd(), PollFlags::empty())], None).unwrap(),
            [true],
            "a hang-up is told, too"
        );
    }
}
