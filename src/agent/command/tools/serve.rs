//! `handclasp serve`: a TLS 1.3 server for standard input and output, or of one small page.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    process::ExitCode,
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{
    Argument, Arguments, CommandError, print,
    tls::{self, Description, Input, Material, TlsOptions, Tunnel},
    unexpected_operand, unknown_option,
};
use crate::{
    agent::process::now,
    crypto::random::SystemRandom,
    engine::{
        Event, Handshake,
        config::{ClientAuthentication, ServerConfig},
    },
};

const USAGE: &str = "\
Usage: handclasp serve [OPTIONS] ADDR:PORT

A TLS 1.3 server. What clients send goes to standard output; standard input goes to the
client that came last, and its end closes our direction (but not if it was empty from the
start, as </dev/null). Clients are served at the same time. Port 0 lets the system choose;
\"listening on ADDR:PORT\" on standard error says where. Each session and each failure is
one line there. A wrong command line: exit code 2.

  --cafile FILE           ask clients for a certificate of these authorities (PEM)
  --require-client-cert   refuse clients without one
  --http                  answer each request with a page about the session, and close
  --accept N              end after N connections: exit code 1 if one of them failed
";
/// The longest request that is read before it is answered all the same.
const LONGEST_REQUEST: usize = 1 << 16;

/// What every connection needs.
struct Server {
    config: Arc<ServerConfig>,
    material: Material,
    input: Input,
    http: bool,
    ktls: bool,
}

#[derive(Default)]
pub(in crate::agent::command) struct ServeOptions {
    tls: TlsOptions,
    require_client_cert: bool,
    http: bool,
    accept: Option<u64>,
}

/// Runs the command.
pub(in crate::agent::command) fn run(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let Some((options, address)) = parse(arguments)? else {
        return print(format_args!("{USAGE}{}", TlsOptions::HELP));
    };
    let accept = options.accept;
    serve(&Arc::new(options.load()?), &address, accept)
}

/// A host and a port.
type Address = (String, u16);

/// The options and the address; `None` if only help was asked for.
pub(in crate::agent::command) fn parse(
    mut arguments: Arguments,
) -> Result<Option<(ServeOptions, Address)>, CommandError> {
    let (mut options, mut address) = (ServeOptions::default(), None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(option) if matches!(&*option, "h" | "help") => return Ok(None),
            Argument::Option(option) if options.take(&option, &mut arguments)? => {}
            Argument::Option(option) => return Err(unknown_option(&option)),
            Argument::Operand(operand) if address.is_none() => {
                address = Some(tls::parse_address(&operand)?);
            }
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    let address = address.ok_or_else(|| CommandError::Usage("ADDR:PORT is missing".into()))?;
    options.check()?;
    Ok(Some((options, address)))
}

impl ServeOptions {
    fn take(&mut self, name: &str, arguments: &mut Arguments) -> Result<bool, CommandError> {
        match name {
            "require-client-cert" => self.require_client_cert = true,
            "http" => self.http = true,
            "accept" => self.accept = Some(arguments.parse()?),
            _ => return self.tls.take(name, arguments),
        }
        Ok(true)
    }

    fn check(&self) -> Result<(), CommandError> {
        let wrong = |why: &str| Err(CommandError::Usage(why.into()));
        if !self.tls.has_certificate() && !self.tls.has_psk() {
            return wrong("a server needs --cert or --psk-identity");
        }
        if self.require_client_cert && self.tls.cafile.is_none() {
            return wrong("--require-client-cert needs --cafile: whose certificates are good?");
        }
        if self.require_client_cert && self.tls.has_psk() {
            return wrong(
                "--require-client-cert goes without --psk-identity: with a PSK a client shows none",
            );
        }
        Ok(())
    }

    fn client_authentication(&self) -> ClientAuthentication {
        match (&self.tls.cafile, self.require_client_cert) {
            (None, _) => ClientAuthentication::None,
            (Some(_), false) => ClientAuthentication::Optional,
            (Some(_), true) => ClientAuthentication::Required,
        }
    }

    fn load(self) -> Result<Server, CommandError> {
        let (http, ktls, psk) = (self.http, self.tls.ktls, self.tls.has_psk());
        let client_authentication = self.client_authentication();
        let mut material = self.tls.load()?;
        let config = ServerConfig {
            suites: material.suites.clone(),
            groups: material.groups.clone(),
            credentials: std::mem::take(&mut material.credentials),
            psk,
            client_authentication,
            verifier: material.verifier.take(),
            // RFC 7301, Section 3.2: nothing in common is the end, once there is something to have in common.
            alpn: material.alpn.clone(),
            record_size_limit: tls::record_size_limit(ktls),
            key_log: material.key_log.take(),
            ..ServerConfig::default()
        };
        Ok(Server { config: Arc::new(config), material, input: Input::new(false)?, http, ktls })
    }
}

impl Server {
    /// The configuration for one connection: whoever watches its messages knows whose they are.
    fn config(&self, address: SocketAddr) -> Arc<ServerConfig> {
        match self.material.tracer(format!("{address}: server")) {
            None => Arc::clone(&self.config),
            trace => Arc::new(ServerConfig { trace, ..ServerConfig::clone(&self.config) }),
        }
    }
}

/// Accepts connections, each on a thread of its own: a silent peer delays nobody.
fn serve(
    server: &Arc<Server>,
    (host, port): &(String, u16),
    accept: Option<u64>,
) -> Result<ExitCode, CommandError> {
    let failure = |error: io::Error| CommandError::Failure(format!("{host}:{port}: {error}"));
    let listener = TcpListener::bind((host.as_str(), *port)).map_err(failure)?;
    tls::write_line(&format!("listening on {}\n", listener.local_addr().map_err(failure)?));
    let (mut connections, mut accepted) = (Vec::new(), 0);
    while accept.is_none_or(|limit| accepted < limit) {
        match listener.accept() {
            Ok((socket, address)) => connections.push(start(server, socket, address).map_err(failure)?),
            // Whoever went away before it was accepted was no connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(failure(error)),
        }
        accepted += 1;
        if accept.is_none() {
            connections.clear();
        }
    }
    drop(listener);
    // Each is waited for, also after one that failed.
    let results: Vec<bool> =
        connections.into_iter().map(|connection| connection.join().unwrap_or(false)).collect();
    Ok(if results.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn start(server: &Arc<Server>, socket: TcpStream, address: SocketAddr) -> io::Result<JoinHandle<bool>> {
    let server = Arc::clone(server);
    thread::Builder::new().spawn(move || {
        let result = handle(&server, &socket, address);
        if let Err(why) = &result {
            tls::say(format_args!("{address}: {why}"));
        }
        tls::hang_up(&socket);
        result.is_ok()
    })
}

fn handle(server: &Server, socket: &TcpStream, address: SocketAddr) -> Result<(), String> {
    let broken = |error: io::Error| error.to_string();
    socket.set_nodelay(true).map_err(broken)?;
    let handshake = Handshake::server(server.config(address), Box::new(SystemRandom), now());
    let handshake = handshake.map_err(|error| error.to_string())?;
    let session = tls::establish(handshake, socket, &mut &server.material.keys)?;
    let description = Description::new(&session);
    tls::say(format_args!("{address}: {description}"));
    server.material.export(&session);
    let mut tunnel =
        Tunnel::new(socket.try_clone().map_err(broken)?, *session, server.ktls).map_err(broken)?;
    let result = if server.http {
        answer(&mut tunnel, &description)
    } else {
        tls::relay(&mut tunnel, &server.input.next_turn())
    };
    if result.is_err() {
        // An alert of ours may wait to be sent; the failure is told either way.
        let _ = tunnel.flush();
    }
    result
}

/// Reads a request's first line, whatever it asks for, and answers it; what else comes is read while we hang up.
fn answer(tunnel: &mut Tunnel, description: &Description) -> Result<(), String> {
    let mut length = 0;
    while length < LONGEST_REQUEST {
        match tunnel.next()? {
            Event::Data(data) if data.contains(&b'\n') => break,
            Event::Data(data) => length += data.len(),
            Event::Closed => break,
            Event::Nothing => {}
        }
    }
    let page = format!("Handclasp {}\n\n{}", env!("CARGO_PKG_VERSION"), description.lines());
    let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
    tunnel.write(format!("{head}Content-Length: {}\r\n\r\n{page}", page.len()).as_bytes())?;
    tunnel.close()?;
    tunnel.flush_all().map_err(|error| error.to_string())
}
