//! A worker as a process of its own: orders come on standard input, a socket, and reports go back the same way.

use std::{
    io,
    mem::replace,
    os::fd::{AsFd, BorrowedFd},
    panic,
};

use nix::{errno::Errno, poll::PollFlags, sys::socket::MsgFlags};
use zeroize::Zeroize;

use super::{Worker, sandbox, trust};
use crate::agent::{
    border::{self, MAX_MESSAGE, Number, Order, Report, Verifiers},
    failure::Failure,
    log, passing,
    wait::wait,
};

/// Works until the broker hangs up. The error says why it cannot.
pub(in crate::agent) fn run() -> Result<(), String> {
    log::start_as_worker();
    panic::set_hook(Box::new(|panic| log::error(format_args!("a bug: {panic}"))));
    sandbox::enter()?;
    let stdin = io::stdin();
    let mut post = Post {
        broker: stdin.as_fd(),
        worker: Worker::default(),
        verifiers: Vec::new(),
        is_ready: false,
        buffer: vec![0; MAX_MESSAGE],
    };
    while post.turn()? {}
    Ok(())
}

struct Post<'a> {
    broker: BorrowedFd<'a>,
    worker: Worker,
    verifiers: Verifiers,
    /// Whether the broker was told that we are ready.
    is_ready: bool,
    buffer: Vec<u8>,
}

impl Post<'_> {
    /// One turn of the loop; `Ok(false)` when the broker has hung up.
    fn turn(&mut self) -> Result<bool, String> {
        let interests = [(self.broker, PollFlags::POLLIN)].into_iter().chain(self.worker.interests());
        let ready = wait(interests, self.worker.patience()).map_err(|error| format!("poll: {error}"))?;
        let (called, ready) = ready.split_first().unwrap_or((&false, &[]));
        // An order comes before all cryptography: the broker waits for the end that it asked for. Who is ready is then asked anew.
        let goes_on = if *called {
            self.take_orders()?
        } else {
            self.worker.advance(ready);
            true
        };
        while let Some((number, report)) = self.worker.report() {
            if !self.send(number, &report)? {
                self.worker.refuse(number, &Failure::Bug);
            }
        }
        Ok(goes_on)
    }

    fn take_orders(&mut self) -> Result<bool, String> {
        loop {
            let (length, descriptors) = match passing::receive(self.broker, &mut self.buffer) {
                Ok((0, _)) | Err(Errno::ECONNRESET) => return Ok(false),
                Ok(received) => received,
                Err(Errno::EAGAIN) => return Ok(true),
                Err(error) => return Err(format!("an order: {error}")),
            };
            let bytes = self.buffer.get_mut(..length).unwrap_or_default();
            let Ok(mut descriptors) = descriptors else {
                // Its socket did not fit into our table of descriptors: the others go on.
                let number = border::number_of(bytes).ok_or("an order is malformed")?;
                bytes.zeroize();
                self.worker.refuse(number, &Failure::Socket(io::Error::from_raw_os_error(libc::ENOMEM)));
                continue;
            };
            let order = border::read_order(bytes, descriptors.pop(), &self.verifiers);
            bytes.zeroize();
            match order.map_err(|error| format!("an order is malformed: {}", error.0))? {
                (_, Order::Trust { file, is_debug }) => {
                    log::set_debug(is_debug);
                    self.verifiers = trust::verifiers(file)?;
                    if !replace(&mut self.is_ready, true) {
                        self.send(0, &Report::Ready)?;
                    }
                }
                (number, order) => self.worker.take(number, order),
            }
        }
    }

    /// Whether the report is not too long. Waits if it must: the broker takes all reports, and never waits for us.
    fn send(&self, number: Number, report: &Report) -> Result<bool, String> {
        let Ok(parcel) = border::write_report(number, report) else { return Ok(false) };
        let parts = [&parcel.public[..], parcel.secrets.expose()];
        passing::send(self.broker, &parts, &[], MsgFlags::empty())
            .map_err(|error| format!("a report: {error}"))?;
        Ok(true)
    }
}
