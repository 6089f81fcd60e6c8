//! TLS over a TCP connection in user space, for `connect` and `serve`: the options they share, the handshake, and what flows after it.

mod input;
mod options;
mod relay;
mod tunnel;

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;

use super::CommandError;
use crate::{
    agent::{
        driver::{Answers, Driver, Progress},
        wait::wait,
    },
    crypto::x509,
    engine::{Handshake, Peer, RECORD_SIZE_LIMITS, Session},
};

pub(crate) use self::{
    input::Input,
    options::{Material, TlsOptions, load_verifier},
    relay::relay,
    tunnel::Tunnel,
};

/// How long a peer may take for its handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a peer may take to read our last words.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(2);

/// Tells the user something, on a line of its own.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    write_line(&format!("handclasp: {message}\n"));
}

/// Writes a line to standard error in one go, so that whoever reads along gets it whole.
pub(crate) fn write_line(line: &str) {
    // Nobody may be there to listen any more.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Reads "HOST:PORT"; an IPv6 literal stands in brackets.
pub(crate) fn parse_address(text: &str) -> Result<(String, u16), CommandError> {
    let wrong = |why: &str| CommandError::Usage(format!("{text:?}: {why}"));
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("there is no port: HOST:PORT is needed"))?;
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() || bare == host && host.contains(':') {
        return Err(wrong("the host must be a name, an IPv4 address, or an IPv6 address in brackets"));
    }
    let port = port.parse().map_err(|_| wrong("the port is not a number up to 65535"))?;
    Ok((bare.to_owned(), port))
}

/// The longest record to ask for: any, so that a peer says its own limit; but the kernel may not be able to keep to that one.
pub(crate) fn record_size_limit(ktls: bool) -> Option<u16> {
    (!ktls).then_some(*RECORD_SIZE_LIMITS.end())
}

/// Makes the handshake over a connected socket; the error is for people.
pub(crate) fn establish(
    handshake: Handshake,
    socket: &TcpStream,
    answers: &mut dyn Answers,
) -> Result<Box<Session>, String> {
    let deadline = Instant::now() + HANDSHAKE_PATIENCE;
    let mut driver = Driver::new(handshake);
    loop {
        let direction = match driver.advance(socket.as_fd()) {
            Progress::Asks => {
                driver.answer(answers);
                continue;
            }
            Progress::WaitReadable => PollFlags::POLLIN,
            Progress::WaitWritable => PollFlags::POLLOUT,
            Progress::Done(session) => return Ok(session),
            Progress::Failed(failure) => return Err(failure.to_string()),
        };
        let Some(patience) = deadline.checked_duration_since(Instant::now()) else {
            return Err(format!(
                "the peer left the handshake waiting for {} s",
                HANDSHAKE_PATIENCE.as_secs()
            ));
        };
        wait([(socket.as_fd(), direction)], Some(patience)).map_err(|error| error.to_string())?;
    }
}

/// Sends nothing more, and reads until the peer has gone too: closing at once could destroy what is still under way to it.
pub(crate) fn hang_up(socket: &TcpStream) {
    let deadline = Instant::now() + FAREWELL_PATIENCE;
    // Whatever fails here, the connection is gone, which is the aim.
    let _ = socket.set_nonblocking(false);
    let _ = socket.shutdown(Shutdown::Write);
    let mut rest = [0; 1 << 14];
    while let Some(patience) = deadline.checked_duration_since(Instant::now()) {
        let _ = socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))));
        if !matches!((&mut &*socket).read(&mut rest), Ok(1..)) {
            return;
        }
    }
}

/// What a session is, in words.
#[derive(Debug)]
pub(crate) struct Description(Vec<(&'static str, String)>);

impl Description {
    /// Describes a session.
    pub(crate) fn new(session: &Session) -> Self {
        let mut facts = vec![
            ("suite", session.suite.name().to_owned()),
            ("group", session.group.name().to_owned()),
            ("hello_retry", if session.hello_retry { "yes" } else { "no" }.to_owned()),
            ("peer", describe_peer(&session.peer)),
        ];
        let optional = [
            ("signature", session.signature_scheme.map(|scheme| scheme.name().to_owned())),
            ("alpn", session.alpn.as_deref().map(printable)),
            ("server_name", session.server_name.as_deref().map(|name| printable(name.as_bytes()))),
        ];
        facts.extend(optional.into_iter().filter_map(|(key, value)| Some((key, value?))));
        Self(facts)
    }

    /// One fact a line, for a page.
    pub(crate) fn lines(&self) -> String {
        self.0.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&words.join(" "))
    }
}

fn describe_peer(peer: &Peer) -> String {
    match peer {
        Peer::Anonymous => "anonymous".into(),
        Peer::Psk { identity, .. } => format!("psk \"{}\"", printable(identity)),
        Peer::Certificate { chain } => {
            let subject = chain.first().map(|certificate| x509::describe(certificate)).unwrap_or_default();
            format!("certificate \"{}\"", printable(subject.as_bytes()))
        }
    }
}

/// A stranger's bytes, fit for a terminal.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_typed() {
        assert_eq!(parse_address("localhost:443").unwrap(), ("localhost".into(), 443));
        assert_eq!(parse_address("127.0.0.1:0").unwrap(), ("127.0.0.1".into(), 0));
        assert_eq!(parse_address("[::1]:4433").unwrap(), ("::1".into(), 4433));
        for wrong in ["localhost", "::1:443", ":443", "[]:443", "a:65536", "a:", "a:http"] {
            let error = parse_address(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_stranger_cannot_write_to_the_terminal() {
        assert_eq!(printable(b"\x1b[2Ja\"b\n\xff"), "\\u{1b}[2Ja\\\"b\\n\u{fffd}");
    }
}
