//! The programs at either end of a connection, and how each is told the same thing.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::lab::Lab;

/// An implementation of TLS 1.3 with a client and a server to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    Handclasp,
    OpenSsl,
    /// OpenSSL of Debian trixie, which has X25519MLKEM768.
    OpenSsl35,
    GnuTls,
}

use Implementation::{GnuTls, Handclasp, OpenSsl, OpenSsl35};

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Handclasp => "handclasp",
            OpenSsl => "openssl",
            OpenSsl35 => "openssl-3.5",
            GnuTls => "gnutls",
        })
    }
}

/// What an end is told, whoever it is.
#[derive(Clone, Default)]
pub struct Options {
    /// NAME.pem and NAME.key of the lab.
    pub certificate: Option<&'static str>,
    /// NAME.pem of the lab: whom to trust. A server that has one asks for a client certificate.
    pub authority: Option<&'static str>,
    /// The name a client asks for.
    pub name: &'static str,
    /// A server refuses clients without a certificate.
    pub require_certificate: bool,
    pub psk: Option<Psk>,
    /// Empty: the default ones.
    pub suites: &'static [Suite],
    /// Empty: the default ones.
    pub groups: &'static [Group],
    /// Empty: the default ones; foreign ends only.
    pub schemes: &'static [Scheme],
    pub alpn: Option<&'static str>,
    pub keylog: Option<PathBuf>,
    /// A peer that speaks TLS 1.2 and nothing newer.
    pub old: bool,
    /// In the implementation's own words.
    pub extra: Vec<String>,
}

/// An external PSK of the lab.
#[derive(Clone, Copy)]
pub struct Psk {
    pub identity: &'static str,
    pub key: &'static str,
    /// SHA-384 instead of SHA-256; OpenSSL then reads the key from psk-session.pem.
    pub sha384: bool,
}

/// A cipher suite, by what GnuTLS calls its cipher and by its IANA name.
#[derive(PartialEq, Eq)]
pub struct Suite {
    pub name: &'static str,
    gnutls: &'static str,
}

pub const AES_128_GCM: Suite = Suite { name: "TLS_AES_128_GCM_SHA256", gnutls: "AES-128-GCM" };
pub const AES_256_GCM: Suite = Suite { name: "TLS_AES_256_GCM_SHA384", gnutls: "AES-256-GCM" };
/// One that we do not have.
pub const AES_128_CCM: Suite = Suite { name: "TLS_AES_128_CCM_SHA256", gnutls: "AES-128-CCM" };
pub const CHACHA20: Suite = Suite { name: "TLS_CHACHA20_POLY1305_SHA256", gnutls: "CHACHA20-POLY1305" };

/// A group, by the names of IANA (ours), OpenSSL and GnuTLS.
#[derive(PartialEq, Eq)]
pub struct Group {
    pub name: &'static str,
    openssl: &'static str,
    gnutls: &'static str,
}

pub const X25519MLKEM768: Group =
    Group { name: "X25519MLKEM768", openssl: "X25519MLKEM768", gnutls: "X25519-MLKEM768" };
pub const X25519: Group = Group { name: "x25519", openssl: "X25519", gnutls: "X25519" };
pub const SECP256R1: Group = Group { name: "secp256r1", openssl: "P-256", gnutls: "SECP256R1" };
pub const SECP384R1: Group = Group { name: "secp384r1", openssl: "P-384", gnutls: "SECP384R1" };

/// One that we do not have.
pub const FFDHE2048: Group = Group { name: "ffdhe2048", openssl: "ffdhe2048", gnutls: "FFDHE2048" };

/// A signature scheme, by the names of RFC 8446 (OpenSSL's too) and of GnuTLS.
#[derive(PartialEq, Eq)]
pub struct Scheme {
    pub name: &'static str,
    gnutls: &'static str,
}

impl Scheme {
    pub const fn new(name: &'static str, gnutls: &'static str) -> Self {
        Self { name, gnutls }
    }
}

impl Options {
    /// A client that trusts our roots and asks for server.test.
    pub fn client() -> Self {
        Self { authority: Some("ca"), name: "server.test", ..Self::default() }
    }

    /// A server with this certificate.
    pub fn server(certificate: &'static str) -> Self {
        Self { certificate: Some(certificate), ..Self::default() }
    }

    /// A client or a server that knows nothing but this key.
    pub fn psk(psk: Psk) -> Self {
        Self { psk: Some(psk), name: "server.test", ..Self::default() }
    }

    /// The same with more words on the command line.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.extra.extend(words.iter().map(|&word| word.into()));
        self
    }
}

impl Implementation {
    /// The command that connects to a port of this machine.
    pub fn client(self, lab: &Lab, options: &Options, port: u16) -> Command {
        let mut line = Line::new(lab, options, false, self.program("connect", "s_client", "gnutls-cli"));
        match self {
            Handclasp => {
                line.handclasp();
                if options.authority.is_some() {
                    line.add(&["--servername", options.name]);
                }
                line.add(&[&format!("127.0.0.1:{port}")]);
            }
            OpenSsl | OpenSsl35 => {
                line.openssl();
                line.add(&["-connect", &format!("127.0.0.1:{port}"), "-servername", options.name]);
                if options.authority.is_some() {
                    line.add(&["-verify_return_error", "-verify_hostname", options.name]);
                }
            }
            GnuTls => {
                line.gnutls();
                line.add(&["--port", &port.to_string(), "--sni-hostname", options.name]);
                line.add(&["--verify-hostname", options.name, "127.0.0.1"]);
            }
        }
        line.command
    }

    /// The command that serves one connection (GnuTLS: any number) on a port that the system chooses.
    pub fn server(self, lab: &Lab, options: &Options) -> Command {
        let mut line = Line::new(lab, options, true, self.program("serve", "s_server", "gnutls-serv"));
        match self {
            Handclasp => {
                line.handclasp();
                line.add_if(options.require_certificate, &["--require-client-cert"]);
                line.add(&["--accept", "1", "127.0.0.1:0"]);
            }
            OpenSsl | OpenSsl35 => {
                line.openssl();
                line.add(&["-accept", "127.0.0.1:0", "-naccept", "1"]);
                line.add_if(options.certificate.is_none(), &["-nocert"]);
                if options.authority.is_some() {
                    let verify = if options.require_certificate { "-Verify" } else { "-verify" };
                    line.add(&[verify, "4", "-verify_return_error"]);
                }
            }
            GnuTls => {
                line.gnutls();
                line.add(&["--echo", "--port", "0"]);
                line.add_if(options.require_certificate, &["--require-client-cert"]);
                line.add_if(options.authority.is_some(), &["--verify-client-cert"]);
                line.add_if(options.authority.is_none(), &["--disable-client-cert"]);
            }
        }
        line.command
    }

    fn program(self, ours: &str, openssl: &str, gnutls: &str) -> Command {
        if self == OpenSsl35 {
            let mut command = openssl35();
            command.arg(openssl);
            return command;
        }
        let (program, arguments) = match self {
            Handclasp => (env!("CARGO_BIN_EXE_handclasp"), vec![ours]),
            OpenSsl | OpenSsl35 => ("openssl", vec![openssl]),
            // Line by line, or what the server prints about a session stays in its buffer.
            GnuTls if gnutls == "gnutls-serv" => ("stdbuf", vec!["-oL", gnutls]),
            GnuTls => (gnutls, vec![]),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }
}

/// The program of tests/peers/prepare, with its own loader and libraries.
fn openssl35() -> Command {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/trixie/usr");
    let libraries = tree.join("lib/x86_64-linux-gnu");
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(libraries).arg(tree.join("bin/openssl"));
    command
}

/// A command line that grows.
struct Line<'a> {
    lab: &'a Lab,
    options: &'a Options,
    is_server: bool,
    command: Command,
}

impl<'a> Line<'a> {
    fn new(lab: &'a Lab, options: &'a Options, is_server: bool, mut command: Command) -> Self {
        command.args(&options.extra);
        Self { lab, options, is_server, command }
    }

    fn add(&mut self, words: &[&str]) {
        self.command.args(words);
    }

    fn add_if(&mut self, condition: bool, words: &[&str]) {
        if condition {
            self.add(words);
        }
    }

    /// `flag PATH`, when there is such a file to name.
    fn add_file(&mut self, flag: &str, name: Option<String>) {
        if let Some(name) = name {
            self.command.arg(flag).arg(self.lab.file(&name));
        }
    }

    fn add_files(&mut self, authority: &str, certificate: &str, key: &str) {
        let Options { authority: trusted, certificate: own, .. } = *self.options;
        self.add_file(authority, trusted.map(|name| format!("{name}.pem")));
        self.add_file(certificate, own.map(|name| format!("{name}.pem")));
        self.add_file(key, own.map(|name| format!("{name}.key")));
    }

    fn add_keylog(&mut self, flag: &str) {
        if let Some(path) = &self.options.keylog {
            self.command.arg(flag).arg(path);
        }
    }

    fn handclasp(&mut self) {
        self.add_files("--cafile", "--cert", "--key");
        let Options { suites, groups, alpn, psk, .. } = *self.options;
        if !suites.is_empty() {
            self.add(&["--suites", &join(suites, ",", |suite| suite.name)]);
        }
        if !groups.is_empty() {
            self.add(&["--groups", &join(groups, ",", |group| group.name)]);
        }
        if let Some(protocols) = alpn {
            self.add(&["--alpn", protocols]);
        }
        if let Some(psk) = psk {
            self.add(&["--psk-identity", psk.identity, "--psk", psk.key]);
            self.add_if(psk.sha384, &["--psk-hash", "sha384"]);
        }
        self.add_keylog("--keylog");
    }

    fn openssl(&mut self) {
        self.add_files("-CAfile", "-cert", "-key");
        let Options { certificate, suites, groups, schemes, alpn, psk, old, .. } = *self.options;
        self.add_if(old, &["-tls1_2"]);
        let intermediates = certificate.map(|name| format!("{name}-intermediates.pem"));
        self.add_file("-cert_chain", intermediates.filter(|name| self.lab.file(name).exists()));
        if !suites.is_empty() {
            self.add(&["-ciphersuites", &join(suites, ":", |suite| suite.name)]);
        }
        if !groups.is_empty() {
            self.add(&["-groups", &join(groups, ":", |group| group.openssl)]);
        }
        if !schemes.is_empty() {
            self.add(&["-sigalgs", &join(schemes, ":", |scheme| scheme.name)]);
        }
        if let Some(protocols) = alpn {
            self.add(&["-alpn", protocols]);
        }
        match psk {
            Some(Psk { identity, sha384: true, .. }) => {
                self.add(&["-psk_identity", identity]);
                self.add_file("-psk_session", Some("psk-session.pem".into()));
            }
            Some(Psk { identity, key, .. }) => self.add(&["-psk_identity", identity, "-psk", key]),
            None => {}
        }
        self.add_keylog("-keylogfile");
    }

    fn gnutls(&mut self) {
        self.add_files("--x509cafile", "--x509certfile", "--x509keyfile");
        let Options { alpn, psk, .. } = *self.options;
        self.add(&["--priority", &self.priority()]);
        for protocol in alpn.into_iter().flat_map(|protocols| protocols.split(',')) {
            self.add(&["--alpn", protocol]);
        }
        if let Some(psk) = psk {
            if self.is_server {
                self.add_file("--pskpasswd", Some("psk.txt".into()));
            } else {
                self.add(&["--pskusername", psk.identity, "--pskkey", psk.key]);
            }
        }
        if let Some(path) = &self.options.keylog {
            self.command.env("SSLKEYLOGFILE", path);
        }
    }

    /// GnuTLS's priority string.
    fn priority(&self) -> String {
        let Options { suites, groups, schemes, psk, old, .. } = *self.options;
        let mut priority = format!("NORMAL:-VERS-ALL:+VERS-TLS1.{}", if old { 2 } else { 3 });
        if !suites.is_empty() {
            priority += ":-CIPHER-ALL:+";
            priority += &join(suites, ":+", |suite| suite.gnutls);
        }
        if !groups.is_empty() {
            priority += ":-GROUP-ALL:+GROUP-";
            priority += &join(groups, ":+GROUP-", |group| group.gnutls);
        }
        if !schemes.is_empty() {
            priority += ":-SIGN-ALL:+SIGN-";
            priority += &join(schemes, ":+SIGN-", |scheme| scheme.gnutls);
        }
        if psk.is_some() {
            priority += ":-KX-ALL:+ECDHE-PSK";
        }
        priority
    }
}

fn join<T>(items: &[T], separator: &str, name: impl Fn(&T) -> &str) -> String {
    items.iter().map(name).collect::<Vec<_>>().join(separator)
}
