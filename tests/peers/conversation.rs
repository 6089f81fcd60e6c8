//! A connection between two ends, from the first byte to the last.

use std::fmt;

use crate::{
    ends::{
        Implementation::{self, GnuTls, Handclasp, OpenSsl, OpenSsl35},
        Options,
    },
    lab::Lab,
    process::Process,
};

/// Who connects to whom.
#[derive(Clone, Copy)]
pub struct Pair {
    pub client: Implementation,
    pub server: Implementation,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.client, self.server)
    }
}

impl Pair {
    /// Whether it is these two.
    pub fn is(self, client: Implementation, server: Implementation) -> bool {
        self.client == client && self.server == server
    }
}

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// An alert, by the name of RFC 8446 and by its number.
#[derive(Clone, Copy)]
pub struct Alert(pub &'static str, pub u8);

/// A client and a server, connected.
pub struct Conversation {
    pair: Pair,
    pub client: Process,
    pub server: Process,
    lines: usize,
}

impl Conversation {
    /// Starts the server and then the client; the handshake goes on in the background.
    pub fn start(lab: &Lab, pair: Pair, client: &Options, server: &Options) -> Result<Self, String> {
        let mut server = Process::start("server", pair.server.server(lab, server))?;
        let port = server.port()?;
        let client = Process::start("client", pair.client.client(lab, client, port))?;
        Ok(Self { pair, client, server, lines: 0 })
    }

    /// The process on that side.
    pub fn process(&mut self, side: Side) -> &mut Process {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// The program on that side.
    pub fn implementation(&self, side: Side) -> Implementation {
        match side {
            Side::Client => self.pair.client,
            Side::Server => self.pair.server,
        }
    }

    /// Sends one line to the server and one back.
    pub fn exchange(&mut self) -> Result<(), String> {
        self.lines += 1;
        let (question, answer) = (format!("hello {}.\n", self.lines), format!("answer {}.\n", self.lines));
        let result = self.client.send(&question).and_then(|()| self.server.expect(question.trim()));
        result.and_then(|()| self.answer(&question, &answer)).map_err(|problem| self.both(&problem))
    }

    /// gnutls-serv cannot be told what to send: it echoes.
    fn answer(&mut self, question: &str, answer: &str) -> Result<(), String> {
        if self.pair.server == GnuTls {
            return self.client.expect(question.trim());
        }
        self.server.send(answer)?;
        self.client.expect(answer.trim())
    }

    /// Sends one byte to the other side, and waits until something arrived.
    pub fn trickle(&mut self, from: Side) -> Result<(), String> {
        // gnutls-serv says nothing of its own, but what it echoes arrives at the client.
        let echoes = self.pair.server == GnuTls;
        if echoes && from == Side::Server {
            return Ok(());
        }
        let to = if echoes { Side::Client } else { from.other() };
        let before = self.process(to).length();
        self.process(from).send("\n")?;
        let result = self.process(to).expect_length(before + 1);
        result.map_err(|problem| self.both(&problem))
    }

    /// Lets the client close; both ends must be content with how it went (gnutls-serv never ends).
    pub fn close(&mut self) -> Result<(), String> {
        self.client.close_input();
        let result = self.client.exit_with(0);
        let result = result.and_then(|()| match self.pair.server {
            GnuTls => Ok(()),
            OpenSsl | OpenSsl35 | Handclasp => self.server.exit_with(0),
        });
        result.map_err(|problem| self.both(&problem))
    }

    /// What our end says about the session, if one end is ours.
    pub fn expect_ours(&self, words: &[String]) -> Result<(), String> {
        for (implementation, process) in [(self.pair.client, &self.client), (self.pair.server, &self.server)]
        {
            if implementation == Handclasp {
                words.iter().try_for_each(|word| process.expect(word))?;
            }
        }
        Ok(())
    }

    /// The handshake must fail: `refuser` sends `alert`, for this reason if it is ours, and the other end tells of it.
    pub fn expect_refusal(&mut self, refuser: Side, alert: Alert, reason: &str) -> Result<(), String> {
        let refused = refuser.other();
        let received = self.implementation(refused).received(alert, refused);
        let mut result = Ok(());
        if self.implementation(refuser) == Handclasp {
            result = self.expect_failure(refuser, reason);
        }
        result = result.and_then(|()| match self.implementation(refused) {
            Handclasp => self.expect_failure(refused, &received),
            OpenSsl | OpenSsl35 | GnuTls => self.process(refused).expect(&received),
        });
        result.map_err(|problem| self.both(&problem))
    }

    /// Our end must exit with code 1 and these words.
    fn expect_failure(&mut self, side: Side, words: &str) -> Result<(), String> {
        self.process(side).exit_with(1)?;
        self.process(side).expect(words)
    }

    fn both(&self, problem: &str) -> String {
        format!(
            "{problem}\n=== {}\n=== {}",
            self.client.report("the client"),
            self.server.report("the server")
        )
    }
}

impl Implementation {
    /// What it prints when it receives this alert.
    fn received(self, Alert(name, number): Alert, side: Side) -> String {
        match (self, side) {
            (Handclasp, _) => format!("refused with alert {name}"),
            (OpenSsl | OpenSsl35, _) => format!("SSL alert number {number}"),
            (GnuTls, Side::Client) => format!("Received alert [{number}]"),
            (GnuTls, Side::Server) => format!("Received alert '{number}'"),
        }
    }
}
