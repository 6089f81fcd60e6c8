//! Where lines go: stderr, and never a wait for it.
//!
//! A pipe that nobody reads, a full disk and a stopped terminal keep lines waiting here, up to [`MOST`] bytes; what comes on top is
//! lost and counted, and the count is written as soon as there is room again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{MsgFlags, send},
};

/// Some thousand lines: more than a storm of failures may cause (see [`super::REFUSALS`]).
const MOST: usize = 256 * 1024;
/// How often a stderr that takes nothing is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How a line is written without waiting.
#[derive(Debug)]
enum Way {
    /// It is written as any program does; a command that ends soon may wait.
    Plain,
    /// A description of the same pipe or terminal, which is ours alone to make non-blocking.
    Own(File),
    /// A socket: the journal's.
    Socket,
    /// A file, which always takes or refuses; or what could not be opened again.
    Asked,
}

/// Stderr.
#[derive(Debug)]
pub(super) struct Sink {
    way: Way,
    pending: Vec<u8>,
    /// Lines that had no room.
    lost: u64,
    retry: Option<Instant>,
}

impl Sink {
    pub(super) const fn new() -> Self {
        Self { way: Way::Plain, pending: Vec::new(), lost: 0, retry: None }
    }

    /// Never waits from here on.
    pub(super) fn stop_waiting(&mut self) {
        let kind = std::fs::metadata("/proc/self/fd/2").map(|metadata| metadata.file_type());
        self.way = match kind {
            Ok(kind) if kind.is_socket() => Way::Socket,
            Ok(kind) if kind.is_fifo() || kind.is_char_device() => open_again().map_or(Way::Asked, Way::Own),
            _ => Way::Asked,
        };
    }

    /// Writes a line, now or when it is taken.
    pub(super) fn write(&mut self, line: &str) {
        if let Way::Plain = self.way {
            let _unwritten = io::stderr().write_all(line.as_bytes());
        } else if self.lost > 0 || self.pending.len() + line.len() > MOST {
            self.lost += 1;
        } else {
            self.pending.extend(line.as_bytes());
            self.flush();
        }
    }

    /// Writes what waits, as far as it is taken.
    pub(super) fn flush(&mut self) {
        while !self.pending.is_empty() {
            match self.write_some() {
                Ok(count) if count > 0 => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Whatever it is (nobody reads, no space, no reader): it may pass.
                _ => {
                    self.retry = Some(Instant::now() + RETRY);
                    return;
                }
            }
        }
        self.pending.shrink_to(4096);
        self.retry = None;
    }

    /// When to try again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry
    }

    /// How many lines had no room, once there is room to tell it: after the last that had.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        (self.lost > 0 && self.pending.is_empty()).then(|| std::mem::take(&mut self.lost))
    }

    fn write_some(&self) -> io::Result<usize> {
        let stderr = io::stderr();
        match &self.way {
            Way::Own(file) => (&mut &*file).write(&self.pending),
            Way::Socket => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                Ok(send(stderr.as_fd().as_raw_fd(), &self.pending, flags)?)
            }
            Way::Plain | Way::Asked => {
                let mut asked = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
                poll(&mut asked, PollTimeout::ZERO)?;
                match asked.map(|entry| entry.revents()) {
                    // So much of a pipe is free when it can be written to at all.
                    [Some(PollFlags::POLLOUT)] => {
                        stderr.lock().write(self.pending.get(..libc::PIPE_BUF).unwrap_or(&self.pending))
                    }
                    _ => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }
}

fn open_again() -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open("/proc/self/fd/2")
}
