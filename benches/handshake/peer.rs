//! Two ends of a connection without a network, and a handshake between them.

use std::io::{self, Read, Write};

use crate::meter::{Meter, Side, Sides};

/// Bytes on their way; it never grows in a handshake, so it never shows in anybody's account.
pub struct Pipe {
    bytes: Vec<u8>,
    read: usize,
}

impl Default for Pipe {
    fn default() -> Self {
        Self { bytes: Vec::with_capacity(1 << 16), read: 0 }
    }
}

impl Pipe {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What waits to be read.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    pub fn consume(&mut self, count: usize) {
        self.read += count;
    }

    /// Everything since it was emptied.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }

    fn empty(&mut self) {
        self.bytes.clear();
        self.read = 0;
    }
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.waiting().read(to)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                self.consume(count);
                Ok(count)
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One end.
pub trait Peer {
    /// Goes on until bytes are missing; whether the handshake is done.
    fn advance(&mut self, incoming: &mut Pipe, outgoing: &mut Pipe) -> bool;
}

/// Both directions; `up` goes to the server.
#[derive(Default)]
pub struct Wire {
    pub up: Pipe,
    pub down: Pipe,
}

impl Wire {
    /// How many bytes each side sent.
    pub fn sent(&self) -> Sides<usize> {
        Sides { client: self.up.all().len(), server: self.down.all().len() }
    }
}

/// One handshake, from the creation of both ends until both are dropped.
pub fn shake_hands<C: Peer, S: Peer>(
    client: impl FnOnce() -> C,
    server: impl FnOnce() -> S,
    wire: &mut Wire,
    meter: &mut impl Meter,
) {
    wire.up.empty();
    wire.down.empty();
    let mut client = meter.measure(Side::Client, client);
    let mut server = meter.measure(Side::Server, server);
    let mut done = Sides { client: false, server: false };
    for _ in 0..8 {
        if !done.client {
            done.client = meter.measure(Side::Client, || client.advance(&mut wire.down, &mut wire.up));
        }
        if !done.server {
            done.server = meter.measure(Side::Server, || server.advance(&mut wire.up, &mut wire.down));
        }
        if done.client && done.server {
            meter.measure(Side::Client, || drop(client));
            meter.measure(Side::Server, || drop(server));
            return;
        }
        for side in [Side::Client, Side::Server].into_iter().filter(|side| !done.get(*side)) {
            meter.waits(side);
        }
    }
    panic!("the handshake hangs");
}
