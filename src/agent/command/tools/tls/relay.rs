//! Carries standard input to the peer and the peer's data to standard output, both ways at once.

use std::{
    io::{self, Write},
    time::Duration,
};

use nix::poll::PollFlags;

use super::{
    input::{Turn, Typed},
    tunnel::Tunnel,
};
use crate::{agent::wait::wait, engine::Event};

/// For how long input must rest, when the peer has closed its direction, before we close ours.
const REST: Duration = Duration::from_millis(200);
/// How much may wait to be sent before no more input is taken.
const LARGEST_BACKLOG: usize = 1 << 17;

/// Relays until both directions are closed.
///
/// The end of the input closes our direction. When the peer closes its own, input that is still flowing is sent to its end, and
/// input that has come to rest does not keep the connection open.
pub(crate) fn relay(tunnel: &mut Tunnel, turn: &Turn<'_>) -> Result<(), String> {
    let mut peer_closed = false;
    while !(peer_closed && tunnel.is_closed() && tunnel.backlog() == 0) {
        let ready = poll(tunnel, turn, peer_closed).map_err(|error| error.to_string())?;
        if ready.input {
            take_input(tunnel, turn)?;
        } else if peer_closed && tunnel.backlog() == 0 {
            tunnel.close()?;
        }
        if ready.socket {
            peer_closed = receive(tunnel)?;
        }
        match tunnel.flush() {
            Err(_) if peer_closed => return Ok(()),
            Err(error) => return Err(explain(tunnel, &error)),
            Ok(()) => {}
        }
    }
    Ok(())
}

struct Ready {
    socket: bool,
    input: bool,
}

/// Waits until there is something to do, or until the input has come to rest and everything is sent.
fn poll(tunnel: &Tunnel, turn: &Turn<'_>, peer_closed: bool) -> io::Result<Ready> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, !peer_closed);
    flags.set(PollFlags::POLLOUT, tunnel.backlog() > 0);
    let mut interests = vec![(tunnel.descriptor(), flags)];
    if !tunnel.is_closed() && tunnel.backlog() < LARGEST_BACKLOG {
        interests.extend(turn.descriptor().map(|input| (input, PollFlags::POLLIN)));
    }
    let rest = if interests.len() > 1 { REST } else { Duration::ZERO };
    let patience = (peer_closed && tunnel.backlog() == 0).then_some(rest);
    let mut ready = wait(interests, patience)?.into_iter();
    Ok(Ready { socket: ready.next().unwrap_or(false) && !peer_closed, input: ready.next().unwrap_or(false) })
}

/// Takes one record; `true` if it is the last.
fn receive(tunnel: &mut Tunnel) -> Result<bool, String> {
    match tunnel.receive()? {
        Event::Nothing => Ok(false),
        Event::Closed => Ok(true),
        Event::Data(data) => {
            let mut output = io::stdout().lock();
            let written = output.write_all(&data).and_then(|()| output.flush());
            written.map(|()| false).map_err(|error| format!("standard output: {error}"))
        }
    }
}

fn take_input(tunnel: &mut Tunnel, turn: &Turn<'_>) -> Result<(), String> {
    match turn.read().map_err(|error| format!("standard input: {error}"))? {
        Typed::Nothing => Ok(()),
        Typed::Data(data) => tunnel.write(&data),
        Typed::End => tunnel.close(),
    }
}

/// When the peer takes no more, its last words may tell why.
fn explain(tunnel: &mut Tunnel, error: &io::Error) -> String {
    loop {
        match tunnel.next() {
            Ok(Event::Closed) => return format!("the peer closed before everything was sent ({error})"),
            Ok(_) => {}
            Err(reason) => return reason,
        }
    }
}
