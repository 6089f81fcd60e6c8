//! What a worker says on its standard error: lines for our log, or whatever somebody says who took it over.
//!
//! They are bounded in length and number, freed of what a terminal acts on, and marked with the worker's number.

use std::{
    io::{self, PipeReader, PipeWriter, Read},
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::PollFlags,
};

use crate::agent::log::{self, Budget, Priority, Rate};

/// The longest line; the rest of one is left out.
const LONGEST: usize = 1000;
/// How much is read before others have their turn.
const MOST: usize = 16 * 1024;
/// An honest worker says little, and much only if it is bidden to.
const LINES: Rate = Rate { burst: 50, per_second: 5 };
const DEBUG_LINES: Rate = Rate { burst: 20_000, per_second: 2_000 };

/// A worker's standard error.
pub(super) struct Voice {
    /// `None` once the worker has closed it.
    pipe: Option<PipeReader>,
    line: Vec<u8>,
    lines: Budget,
    debug_lines: Budget,
}

impl Voice {
    /// A pipe, and the end of it that is the worker's.
    pub(super) fn new() -> io::Result<(Self, PipeWriter)> {
        let (pipe, theirs) = io::pipe()?;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (lines, debug_lines) = (Budget::new(LINES), Budget::new(DEBUG_LINES));
        Ok((Self { pipe: Some(pipe), line: Vec::new(), lines, debug_lines }, theirs))
    }

    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        self.pipe.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN))
    }

    /// When to tell how much was left out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lines.deadline().into_iter().chain(self.debug_lines.deadline()).min()
    }

    /// Logs what was said.
    pub(super) fn hear(&mut self, process: u32) {
        let mut bytes = vec![0; MOST];
        match self.pipe.as_mut().map(|pipe| pipe.read(&mut bytes)) {
            None | Some(Err(_)) => {}
            Some(Ok(0)) => self.pipe = None,
            Some(Ok(length)) => self.take(bytes.get(..length).unwrap_or_default(), process),
        }
    }

    fn take(&mut self, bytes: &[u8], process: u32) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(process),
                byte if self.line.len() < LONGEST => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self, process: u32) {
        let line = std::mem::take(&mut self.line);
        let (priority, text) = read_priority(&line);
        let budget = if priority == Priority::Debug { &mut self.debug_lines } else { &mut self.lines };
        if budget.take(Instant::now()) {
            log::worker(process, priority, text);
        }
    }

    pub(super) fn tell_if_due(&mut self, process: u32) {
        for budget in [&mut self.lines, &mut self.debug_lines] {
            if let Some(count) = budget.due(Instant::now()) {
                log::warning(format_args!("worker {process} said {count} lines too many"));
            }
        }
    }
}

/// Our own lines begin with their priority, as in sd-daemon(3); what has none is an error.
fn read_priority(line: &[u8]) -> (Priority, &[u8]) {
    match line {
        [b'<', digit @ b'3'..=b'7', b'>', text @ ..] => (Priority::from_digit(*digit), text),
        text => (Priority::Error, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::wait::{tests::A_PROCESS_STARTS, wait};
    use std::io::Write;

    #[test]
    fn lines_have_a_priority_an_end_and_a_number() {
        assert_eq!(read_priority(b"<7>x"), (Priority::Debug, &b"x"[..]));
        for line in [&b"<0>x"[..], b"<33>x", b"x", b""] {
            assert_eq!(read_priority(line), (Priority::Error, line));
        }
        let (mut voice, mut theirs) = Voice::new().unwrap();
        assert!(voice.interest().is_some());
        voice.hear(1);
        theirs.write_all(&[b'x'; 5000]).unwrap();
        voice.hear(1);
        assert_eq!(voice.line.len(), LONGEST);
        theirs.write_all(&[b'\n'; 100]).unwrap();
        voice.hear(1);
        assert!(voice.line.is_empty() && voice.deadline().is_some(), "more than 50 lines at once");
        drop(theirs);
        wait(voice.interest(), Some(A_PROCESS_STARTS)).unwrap();
        voice.hear(1);
        assert!(voice.interest().is_none(), "nobody waits for what was closed");
    }
}
