//! Standard input, which one connection at a time may read.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::poll::PollFlags;

use crate::agent::wait::wait;

/// Standard input, shared by the connections of a server; the newest has the turn.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The number of the connection that may read.
    turn: u64,
    /// What the end of the input means while nothing has been read.
    empty_closes: bool,
    ended: bool,
}

/// The part of one connection in the input.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    input: &'a Input,
    number: u64,
}

/// What there was to read.
#[derive(Debug)]
pub(super) enum Typed {
    Nothing,
    Data(Vec<u8>),
    /// The user has nothing more to say.
    End,
}

impl Input {
    /// Takes over standard input; with `empty_closes` also its end is something said when nothing came before it.
    ///
    /// (A server whose input is /dev/null should not close its connections for that.)
    pub(crate) fn new(empty_closes: bool) -> io::Result<Self> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { file, state: Mutex::new(State { turn: 0, empty_closes, ended: false }) })
    }

    /// Gives the turn to a new connection.
    pub(crate) fn next_turn(&self) -> Turn<'_> {
        let mut state = self.lock();
        state.turn = state.turn.wrapping_add(1);
        Turn { input: self, number: state.turn }
    }

    fn is_readable(&self) -> io::Result<bool> {
        Ok(wait([(self.file.as_fd(), PollFlags::POLLIN)], Some(Duration::ZERO))?.contains(&true))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// What to poll for input, while it is this connection's turn.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let state = self.input.lock();
        (state.turn == self.number && !state.ended).then(|| self.input.file.as_fd())
    }

    /// Reads what there is, without waiting: two connections may have been told of the same bytes.
    pub(super) fn read(&self) -> io::Result<Typed> {
        let mut state = self.input.lock();
        if state.turn != self.number || state.ended || !self.input.is_readable()? {
            return Ok(Typed::Nothing);
        }
        let mut data = vec![0; 1 << 14];
        let count = (&self.input.file).read(&mut data)?;
        data.truncate(count);
        if count > 0 {
            state.empty_closes = true;
            return Ok(Typed::Data(data));
        }
        state.ended = true;
        Ok(if state.empty_closes { Typed::End } else { Typed::Nothing })
    }
}
