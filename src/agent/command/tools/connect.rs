//! `handclasp connect`: a TLS 1.3 client for standard input and output.

use std::{io, net::TcpStream, path::Path, process::ExitCode, sync::Arc};

use super::{
    Argument, Arguments, CommandError, print,
    tls::{self, Description, Input, Material, TlsOptions, Tunnel},
    unexpected_operand, unknown_option,
};
use crate::{
    agent::{material::system_store, process::now},
    crypto::{certificate::ServerName, random::SystemRandom},
    engine::{Handshake, config::ClientConfig},
};

const USAGE: &str = "\
Usage: handclasp connect [OPTIONS] HOST:PORT

A TLS 1.3 client. Standard input goes to the server, what the server sends goes to
standard output. The end of the input closes our direction (close_notify); the server's
close_notify ends the command with exit code 0. A connection that ends without it, a
failed handshake: one line that says why, and exit code 1. A wrong command line: 2.

  --cafile FILE           trust these authorities (PEM) instead of the system's;
                          with a PSK and without --cafile, only the PSK is trusted
  --servername NAME       the name or IP address to ask for and to verify, if it is
                          not HOST
";

/// Everything the command line says.
pub(in crate::agent::command) struct Options {
    tls: TlsOptions,
    name: Option<ServerName>,
    target: (String, u16),
}

/// Runs the command.
pub(in crate::agent::command) fn run(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let Some(Options { tls, name, target }) = parse(arguments)? else {
        return print(format_args!("{USAGE}{}", TlsOptions::HELP));
    };
    connect(tls, name, &target)
}

/// `None` if only help was asked for.
pub(in crate::agent::command) fn parse(mut arguments: Arguments) -> Result<Option<Options>, CommandError> {
    let (mut options, mut name, mut target) = (TlsOptions::default(), None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(option) if matches!(&*option, "h" | "help") => return Ok(None),
            Argument::Option(option) if option == "servername" => {
                name = Some(parse_name(&arguments.text()?)?);
            }
            Argument::Option(option) if options.take(&option, &mut arguments)? => {}
            Argument::Option(option) => return Err(unknown_option(&option)),
            Argument::Operand(operand) if target.is_none() => target = Some(tls::parse_address(&operand)?),
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    let target = target.ok_or_else(|| CommandError::Usage("HOST:PORT is missing".into()))?;
    Ok(Some(Options { tls: options, name, target }))
}

fn parse_name(text: &str) -> Result<ServerName, CommandError> {
    ServerName::parse(text)
        .ok_or_else(|| CommandError::Usage(format!("{text:?} is neither a DNS name nor an IP address")))
}

fn connect(
    options: TlsOptions,
    name: Option<ServerName>,
    (host, port): &(String, u16),
) -> Result<ExitCode, CommandError> {
    let (ktls, only_psk) = (options.ktls, options.has_psk() && options.cafile.is_none());
    let mut material = options.load()?;
    if material.verifier.is_none() && !only_psk {
        let store = system_store().ok_or_else(|| {
            CommandError::Failure("this system has no trusted authorities: --cafile FILE is needed".into())
        })?;
        material.verifier = Some(tls::load_verifier(Path::new(store))?);
    }
    let name = name.map_or_else(|| parse_name(host), Ok)?;
    let config = Arc::new(configuration(&mut material, name, ktls));
    let socket = TcpStream::connect((host.as_str(), *port))
        .map_err(|error| CommandError::Failure(format!("{host}:{port}: {error}")))?;
    let result = converse(&socket, config, &material, ktls);
    if let Err(why) = &result {
        tls::say(format_args!("{host}:{port}: {why}"));
        tls::hang_up(&socket);
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn configuration(material: &mut Material, name: ServerName, ktls: bool) -> ClientConfig {
    ClientConfig {
        suites: material.suites.clone(),
        groups: material.groups.clone(),
        server_name: Some(name),
        verifier: material.verifier.take(),
        credentials: std::mem::take(&mut material.credentials),
        psks: material.keys.psk().into_iter().collect(),
        alpn: material.alpn.clone(),
        record_size_limit: tls::record_size_limit(ktls),
        key_log: material.key_log.take(),
        trace: material.tracer("client".into()),
        ..ClientConfig::default()
    }
}

fn converse(
    socket: &TcpStream,
    config: Arc<ClientConfig>,
    material: &Material,
    ktls: bool,
) -> Result<(), String> {
    let broken = |error: io::Error| error.to_string();
    socket.set_nodelay(true).map_err(broken)?;
    let handshake = Handshake::client(config, Box::new(SystemRandom), now()).map_err(|e| e.to_string())?;
    let session = tls::establish(handshake, socket, &mut &material.keys)?;
    let address = socket.peer_addr().map_err(broken)?;
    tls::say(format_args!("connected to {address}: {}", Description::new(&session)));
    material.export(&session);
    let mut tunnel = Tunnel::new(socket.try_clone().map_err(broken)?, *session, ktls).map_err(broken)?;
    let input = Input::new(true).map_err(broken)?;
    let result = tls::relay(&mut tunnel, &input.next_turn());
    if result.is_err() {
        // An alert of ours may wait to be sent; the failure is told either way.
        let _ = tunnel.flush();
    }
    result
}
