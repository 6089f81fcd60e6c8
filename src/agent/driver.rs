//! Drives a [`Handshake`] over a socket without ever waiting, and without a byte read beyond what it asks for.
//!
//! The socket may be in blocking mode: a kernel consumer shares it, so its mode is not ours to change. Each call has
//! MSG_DONTWAIT instead.

use std::{
    fmt, io,
    os::fd::{AsRawFd, BorrowedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv, send},
};

use super::system::retry;
use crate::engine::{AlertDescription, Error, Handshake, Psk, PskOffer, Session, SignRequest, Step};

/// How many reads one call of [`Driver::advance`] makes at most, so that a peer that never stops sending delays no other:
/// enough for an ordinary handshake in one go, with two reads for each record.
const MAX_READS: usize = 64;

/// Answers the engine's questions: whoever has the private keys and the PSKs.
pub(crate) trait Answers {
    /// A signature, or `None` if the key does not sign.
    fn sign(&mut self, request: &SignRequest<'_>) -> Option<Vec<u8>>;

    /// The PSK for one of the identities, with the index of that identity.
    fn find_psk(&mut self, offers: &[PskOffer]) -> Option<(usize, Psk)>;
}

/// How far a handshake has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It goes on when the socket is readable.
    WaitReadable,
    /// It goes on when the socket is writable.
    WaitWritable,
    /// It goes on when its question is answered ([`Driver::handshake`] says which one it is).
    Asks,
    /// It is done.
    Done(Box<Session>),
    /// It failed.
    Failed(Failure),
}

/// Why a handshake over a socket failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The handshake itself.
    Engine(Error),
    /// The peer closed the connection without an alert, or the kernel's consumer gave up.
    Closed,
    /// The connection broke.
    Io(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Closed => f.write_str("the connection was closed during the handshake, without an alert"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
        }
    }
}

/// A handshake and the record that is being read for it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) handshake: Handshake,
    record: Vec<u8>,
}

impl Driver {
    pub(crate) fn new(handshake: Handshake) -> Self {
        Self { handshake, record: Vec::new() }
    }

    /// Goes on as far as it can without waiting.
    pub(crate) fn advance(&mut self, socket: BorrowedFd<'_>) -> Progress {
        let mut reads = 0;
        loop {
            let result = match self.handshake.step() {
                Step::Send(bytes) => match send_some(socket, bytes) {
                    Ok(count) => {
                        self.handshake.sent(count);
                        Ok(())
                    }
                    Err(Errno::EAGAIN) => return Progress::WaitWritable,
                    Err(error) => Err(self.after_broken_send(error)),
                },
                Step::Receive(_) if reads == MAX_READS => return Progress::WaitReadable,
                Step::Receive(length) => match self.receive(socket, length) {
                    Ok(true) => {
                        reads += 1;
                        Ok(())
                    }
                    Ok(false) => Err(Failure::Closed),
                    Err(Errno::EAGAIN) => return Progress::WaitReadable,
                    Err(error) => Err(broken(error)),
                },
                Step::Sign(_) | Step::FindPsk(_) => return Progress::Asks,
                Step::Done(session) => return Progress::Done(session),
                Step::Failed(error) => Err(Failure::Engine(error)),
            };
            if let Err(failure) = result {
                return Progress::Failed(failure);
            }
        }
    }

    /// Answers the handshake's question, if it has one.
    pub(crate) fn answer(&mut self, answers: &mut dyn Answers) {
        match self.handshake.step() {
            Step::Sign(request) => match answers.sign(&request) {
                Some(signature) => self.handshake.signed(&signature),
                None => self.handshake.sign_failed(),
            },
            Step::FindPsk(offers) => match answers.find_psk(offers) {
                Some((index, psk)) => self.handshake.psk(index, psk),
                None => self.handshake.no_psk(),
            },
            _ => {}
        }
    }

    /// Gives up with an alert, which is sent only if that takes no waiting.
    pub(crate) fn abort(&mut self, socket: BorrowedFd<'_>, alert: AlertDescription) {
        self.handshake.abort(alert);
        if let Step::Send(bytes) = self.handshake.step() {
            let _unsent = send_some(socket, bytes);
        }
    }

    /// Reads up to `length` bytes in total; `Ok(false)` at the end of the stream.
    fn receive(&mut self, socket: BorrowedFd<'_>, length: usize) -> nix::Result<bool> {
        let received = fill(socket, &mut self.record, length);
        if self.record.len() == length {
            self.handshake.receive(&self.record);
            self.record.clear();
        }
        received.map(|count| count > 0)
    }

    /// When an alert cannot be sent because the peer is gone, the failure that it was to tell is the one that counts.
    fn after_broken_send(&mut self, error: Errno) -> Failure {
        if let Step::Send(bytes) = self.handshake.step() {
            let length = bytes.len();
            self.handshake.sent(length);
        }
        match self.handshake.step() {
            Step::Failed(error) => Failure::Engine(error),
            _ => broken(error),
        }
    }
}

/// Reads what has come of a record of so many bytes in total, and not a byte beyond it; how many came, 0 at the end of the stream.
pub(crate) fn fill(socket: BorrowedFd<'_>, record: &mut Vec<u8>, length: usize) -> nix::Result<usize> {
    let filled = record.len();
    record.resize(length, 0);
    let missing = record.get_mut(filled..).unwrap_or_default();
    let received = retry(|| recv(socket.as_raw_fd(), missing, MsgFlags::MSG_DONTWAIT));
    record.truncate(filled + received.unwrap_or(0));
    received
}

/// Sends what the socket takes without waiting.
pub(crate) fn send_some(socket: BorrowedFd<'_>, bytes: &[u8]) -> nix::Result<usize> {
    retry(|| send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL))
}

/// A reset or a closed pipe is how the other end goes away; everything else is trouble of the network or ours.
fn broken(error: Errno) -> Failure {
    match error {
        Errno::ECONNRESET | Errno::EPIPE | Errno::ENOTCONN => Failure::Closed,
        error => Failure::Io(error.into()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        crypto::{certificate::UnixTime, hash::Hash, kx::NamedGroup, random::SystemRandom},
        engine::config::{ClientConfig, ServerConfig},
    };
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::{
        io::{Read, Write},
        net::Shutdown,
        os::{fd::AsFd, unix::net::UnixStream},
        sync::Arc,
    };

    const IDENTITY: &[u8] = b"client@example";

    fn psk() -> Psk {
        Psk::external(IDENTITY, &[7; 32], Hash::Sha256).unwrap()
    }

    /// Its ClientHello fits into a socket's buffer even in records of one byte.
    fn psk_client() -> Handshake {
        let groups = vec![NamedGroup::X25519];
        let config = ClientConfig { psks: vec![psk()], groups, ..ClientConfig::default() };
        let suites = config.suites.iter().copied().filter(|suite| suite.hash() == Hash::Sha256).collect();
        let config = ClientConfig { suites, ..config };
        Handshake::client(Arc::new(config), Box::new(SystemRandom), UnixTime(0)).unwrap()
    }

    pub(in crate::agent) fn client_hello() -> Vec<u8> {
        let mut handshake = psk_client();
        let Step::Send(bytes) = handshake.step() else { unreachable!() };
        bytes.to_vec()
    }

    pub(in crate::agent) fn psk_server() -> Handshake {
        let config = ServerConfig { psk: true, ..ServerConfig::default() };
        Handshake::server(Arc::new(config), Box::new(SystemRandom), UnixTime(0)).unwrap()
    }

    /// Knows one PSK.
    struct OnePsk;

    impl Answers for OnePsk {
        fn sign(&mut self, _: &SignRequest<'_>) -> Option<Vec<u8>> {
            None
        }

        fn find_psk(&mut self, offers: &[PskOffer]) -> Option<(usize, Psk)> {
            let index = offers.iter().position(|offer| offer.identity == IDENTITY)?;
            Some((index, psk()))
        }
    }

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    fn advance(driver: &mut Driver, stream: &UnixStream) -> Progress {
        loop {
            match driver.advance(stream.as_fd()) {
                Progress::Asks => driver.answer(&mut OnePsk),
                progress => return progress,
            }
        }
    }

    /// A client's session.
    pub(in crate::agent) fn session() -> Session {
        let (client_end, server_end) = pair();
        let (mut client, mut server) = (Driver::new(psk_client()), Driver::new(psk_server()));
        advance(&mut client, &client_end);
        advance(&mut server, &server_end);
        let Progress::Done(session) = advance(&mut client, &client_end) else { panic!("a session") };
        *session
    }

    #[test]
    fn not_a_byte_is_read_beyond_the_last_handshake_record() {
        let (client_end, server_end) = pair();
        let (mut client, mut server) = (Driver::new(psk_client()), Driver::new(psk_server()));
        assert!(matches!(advance(&mut client, &client_end), Progress::WaitReadable));
        assert!(matches!(advance(&mut server, &server_end), Progress::WaitReadable));
        assert!(matches!(advance(&mut client, &client_end), Progress::Done(_)));
        (&client_end).write_all(b"the kernel's own").unwrap();
        assert!(matches!(advance(&mut server, &server_end), Progress::Done(_)));
        let mut rest = [0; 32];
        assert_eq!((&server_end).read(&mut rest).unwrap(), 16);
        assert_eq!(&rest[..16], b"the kernel's own");
    }

    #[test]
    fn single_bytes_are_enough() {
        let (client_end, mut from_client) = pair();
        let (mut to_server, server_end) = pair();
        let (mut client, mut server) = (Driver::new(psk_client()), Driver::new(psk_server()));
        advance(&mut client, &client_end);
        advance(&mut server, &server_end);
        let mut byte = [0];
        from_client.set_nonblocking(true).unwrap();
        while from_client.read_exact(&mut byte).is_ok() {
            to_server.write_all(&byte).unwrap();
            let progress = advance(&mut server, &server_end);
            assert!(matches!(progress, Progress::WaitReadable), "{progress:?}");
        }
        let mut flight = [0; 4096];
        let length = to_server.read(&mut flight).unwrap();
        assert!(length > 100, "the server's flight is there after the last byte, and not before");
    }

    #[test]
    fn a_flood_of_records_is_read_in_turns() {
        let hello = client_hello();
        let message = &hello[5..];
        assert!(message.len() > MAX_READS);
        let (mut client_end, server_end) = pair();
        for byte in message {
            client_end.write_all(&[22, 3, 1, 0, 1, *byte]).unwrap();
        }
        let mut server = Driver::new(psk_server());
        let turns = (1..).find(|_| {
            let mut ready = [PollFd::new(server_end.as_fd(), PollFlags::POLLIN)];
            let is_ready = poll(&mut ready, PollTimeout::ZERO).unwrap() == 1;
            assert!(matches!(advance(&mut server, &server_end), Progress::WaitReadable));
            !is_ready
        });
        assert!(turns.unwrap() > 2);
        let mut flight = [0; 4096];
        assert!(client_end.read(&mut flight).unwrap() > 100);
    }

    #[test]
    fn a_peer_that_goes_away_is_told_from_one_that_refuses() {
        let (client_end, server_end) = pair();
        let mut client = Driver::new(psk_client());
        advance(&mut client, &client_end);
        // Not closed: a process that another test has just started would keep it open.
        server_end.shutdown(Shutdown::Both).unwrap();
        assert!(matches!(advance(&mut client, &client_end), Progress::Failed(Failure::Closed)));

        let (client_end, mut server_end) = pair();
        let mut client = Driver::new(psk_client());
        advance(&mut client, &client_end);
        server_end.write_all(&[21, 3, 3, 0, 2, 2, 115]).unwrap();
        drop(server_end);
        let progress = advance(&mut client, &client_end);
        let Progress::Failed(Failure::Engine(Error::Alert(alert))) = progress else { panic!("{progress:?}") };
        assert_eq!(alert.to_string(), "unknown_psk_identity");
    }

    #[test]
    fn what_went_wrong_counts_even_if_the_alert_cannot_be_sent() {
        let (client_end, mut server_end) = pair();
        let mut client = Driver::new(psk_client());
        advance(&mut client, &client_end);
        server_end.write_all(&[99, 3, 3, 0, 1, 0]).unwrap();
        drop(server_end);
        let progress = advance(&mut client, &client_end);
        assert!(matches!(progress, Progress::Failed(Failure::Engine(Error::Peer(_)))), "{progress:?}");
    }
}
