//! A finished session over its socket: user space encrypts, or the kernel does.

use std::{
    io::{self, IoSliceMut},
    net::TcpStream,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::socket::{ControlMessageOwned, MsgFlags, TlsGetRecordType, recvmsg},
};

use super::say;
use crate::{
    agent::{
        driver::{fill, send_some},
        ktls,
        wait::wait,
    },
    engine::{AlertDescription, Connection, Event, Session},
};

/// The kernel hands out at most one record at a time (RFC 8446, Section 5.2).
const LONGEST_PLAINTEXT: usize = 1 << 14;
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const NEW_SESSION_TICKET: u8 = 4;

/// A connection that carries application data; nothing here waits unless it says so.
#[derive(Debug)]
pub(crate) struct Tunnel {
    socket: TcpStream,
    layer: Layer,
    closed: bool,
}

#[derive(Debug)]
enum Layer {
    /// With the record that is being read.
    UserSpace(Box<Connection>, Vec<u8>),
    /// With the plaintext that the kernel has not taken yet.
    Kernel(Vec<u8>),
}

impl Tunnel {
    /// Goes on after a handshake; with `ktls` the kernel encrypts, if it can.
    pub(crate) fn new(socket: TcpStream, session: Session, ktls: bool) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let layer = if ktls && attach(&socket) {
            let (tx, rx) = (&session.tx, &session.rx);
            ktls::install(socket.as_fd(), (&tx.secret, tx.next_sequence), (&rx.secret, rx.next_sequence))?;
            Layer::Kernel(Vec::new())
        } else {
            Layer::UserSpace(Box::new(Connection::new(session)), Vec::new())
        };
        Ok(Self { socket, layer, closed: false })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// How many bytes wait to be sent.
    pub(super) fn backlog(&self) -> usize {
        match &self.layer {
            Layer::UserSpace(connection, _) => connection.outgoing().len(),
            Layer::Kernel(outgoing) => outgoing.len(),
        }
    }

    /// Whether we closed our direction.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Queues application data.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), String> {
        match &mut self.layer {
            Layer::UserSpace(connection, _) => connection.write(data).map_err(|error| error.to_string()),
            Layer::Kernel(outgoing) => {
                outgoing.extend_from_slice(data);
                Ok(())
            }
        }
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.backlog() > 0 {
            let outgoing = match &self.layer {
                Layer::UserSpace(connection, _) => connection.outgoing(),
                Layer::Kernel(outgoing) => outgoing,
            };
            match send_some(self.socket.as_fd(), outgoing) {
                Ok(count) => self.sent(count),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sent(&mut self, count: usize) {
        match &mut self.layer {
            Layer::UserSpace(connection, _) => connection.sent(count),
            Layer::Kernel(outgoing) => drop(outgoing.drain(..count)),
        }
    }

    /// Sends everything, waiting as long as it takes.
    pub(crate) fn flush_all(&mut self) -> io::Result<()> {
        self.flush()?;
        while self.backlog() > 0 {
            wait([(self.socket.as_fd(), PollFlags::POLLOUT)], None)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Closes our direction with close_notify, after everything that was written.
    pub(crate) fn close(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        if let Layer::UserSpace(connection, _) = &mut self.layer {
            return connection.close().map_err(|error| error.to_string());
        }
        self.flush_all().and_then(|()| self.send_close_notify()).map_err(|error| error.to_string())
    }

    /// The kernel takes an alert only as a record of its own.
    fn send_close_notify(&self) -> io::Result<()> {
        while let Err(error) = ktls::send_alert(self.socket.as_fd(), CLOSE_NOTIFY) {
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            wait([(self.socket.as_fd(), PollFlags::POLLOUT)], None)?;
        }
        Ok(())
    }

    /// Waits for the next thing that comes.
    pub(crate) fn next(&mut self) -> Result<Event, String> {
        loop {
            wait([(self.socket.as_fd(), PollFlags::POLLIN)], None).map_err(|error| error.to_string())?;
            match self.receive()? {
                Event::Nothing => {}
                incoming => return Ok(incoming),
            }
        }
    }

    /// Takes what has come, one record at most.
    pub(super) fn receive(&mut self) -> Result<Event, String> {
        match &mut self.layer {
            Layer::UserSpace(connection, record) => receive_record(&self.socket, connection, record),
            Layer::Kernel(_) => receive_from_kernel(&self.socket),
        }
    }
}

fn attach(socket: &TcpStream) -> bool {
    ktls::attach(socket.as_fd())
        .inspect_err(|error| say(format_args!("no kTLS here ({error}): encrypting in user space")))
        .is_ok()
}

fn receive_record(
    socket: &TcpStream,
    connection: &mut Connection,
    record: &mut Vec<u8>,
) -> Result<Event, String> {
    let wanted = connection.wanted();
    if came(fill(socket.as_fd(), record, wanted))? && record.len() == wanted {
        let event = connection.receive(record);
        record.clear();
        return event.map_err(|error| error.to_string());
    }
    Ok(Event::Nothing)
}

/// Whether bytes came; the end of the stream is an error, since close_notify comes before it (RFC 8446, Section 6.1).
fn came(received: nix::Result<usize>) -> Result<bool, String> {
    match received {
        Ok(0) => Err("the peer ended the connection without close_notify: what came may be cut short".into()),
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
        Err(error) => Err(format!("the connection broke: {}", io::Error::from(error))),
    }
}

fn receive_from_kernel(socket: &TcpStream) -> Result<Event, String> {
    let (mut data, mut control) = (vec![0; LONGEST_PLAINTEXT], nix::cmsg_space!(u8));
    let mut buffers = [IoSliceMut::new(&mut data)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut buffers, Some(&mut control), MsgFlags::MSG_DONTWAIT);
    let content_type = message.as_ref().ok().and_then(|message| {
        message.cmsgs().ok()?.find_map(|control| match control {
            ControlMessageOwned::TlsGetRecordType(content_type) => Some(content_type),
            _ => None,
        })
    });
    let received = message.map(|message| message.bytes);
    if !came(received)? {
        return Ok(Event::Nothing);
    }
    data.truncate(received.unwrap_or(0));
    match content_type {
        Some(TlsGetRecordType::ApplicationData) => Ok(Event::Data(data)),
        Some(TlsGetRecordType::Alert) => match data[..] {
            // The level says nothing (RFC 8446, Section 6).
            [_, code] if code == AlertDescription::CloseNotify.code() => Ok(Event::Closed),
            [_, code] if code == AlertDescription::UserCanceled.code() => Ok(Event::Nothing),
            _ => Err(format!("the peer sent the alert {}", data.last().unwrap_or(&0))),
        },
        Some(TlsGetRecordType::Handshake) if data.first() == Some(&NEW_SESSION_TICKET) => Ok(Event::Nothing),
        Some(TlsGetRecordType::Handshake) => {
            Err("the peer changes its keys, which --ktls cannot follow".into())
        }
        other => Err(format!("the kernel delivered a record of the type {other:?}")),
    }
}
