//! `handclasp verify`: path validation on its own.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use super::{
    Argument, Arguments, CommandError, complain, file_error, print, read_file, unexpected_operand,
    unknown_option,
};
use crate::{
    agent::{
        process::now,
        trust_store::{self, Trust},
    },
    crypto::{
        certificate::{Reason, ServerName, UnixTime},
        pem,
        x509::{Policy, Request, RequiredPurpose, Revocation, Side, TrustStore, Verifier, time},
    },
};

const USAGE: &str = "\
Validates a certificate chain. Prints the path it found, end entity first, and exits with 0; or says why there is none, and exits with 1.

Usage: handclasp verify --cafile FILE [OPTIONS] CHAIN.pem      (the end entity first, then intermediates in any order)

  --cafile FILE          trust anchors: a PEM file or a directory of them; may be repeated
  --host NAME            a DNS name or IP address that the certificate must prove; any one of several
  --purpose PURPOSE      server (as without it), client, rpc-server or rpc-client (RFC 9289)
  --time TIME            the time to validate at, as 2026-01-31T12:00:00Z, instead of now
  --crl FILE             CRLs, in PEM or DER, or a directory of them; may be repeated
  --crl-required PART    end-entity or whole-path: what has no CRL is refused
  --max-intermediates N  the longest path to accept
  --as-agent             waive what the agent waives: rules for issuers whose breach endangers nobody
  -h, --help             this
";

/// Everything the command line says.
pub(in crate::agent::command) struct Options {
    store: TrustStore,
    names: Vec<ServerName>,
    side: Side,
    policy: Policy,
    now: UnixTime,
    chain: PathBuf,
}

/// Runs the command.
pub(in crate::agent::command) fn run(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let Some(options) = parse(arguments)? else {
        return print(format_args!("{USAGE}"));
    };
    let Options { store, names, side, policy, now, chain } = options;
    let certificates = pem::certificates(&read_file(&chain)?).map_err(|error| file_error(&chain, &error))?;
    if certificates.is_empty() {
        return Err(file_error(&chain, &"no certificate in it"));
    }
    let verifier = Verifier::with_policy(Arc::new(store), policy);
    let request = Request { side, names: &names, now };
    match verifier.find_path(&certificates, &request) {
        Ok(path) => {
            let subjects: String = path.subjects.iter().map(|subject| format!("{subject}\n")).collect();
            print(format_args!("{subjects}"))
        }
        Err(rejection) => {
            if rejection.reason == Reason::UnknownAuthority {
                let (idle, _) = verifier.idle_anchors(side, now);
                idle.iter().for_each(|note| complain(format_args!("not used: {note}")));
            }
            Err(CommandError::Failure(rejection.detail))
        }
    }
}

/// `None` if only help was asked for.
pub(in crate::agent::command) fn parse(mut arguments: Arguments) -> Result<Option<Options>, CommandError> {
    let mut options = Options {
        store: TrustStore::empty(),
        names: Vec::new(),
        side: Side::Server,
        policy: Policy::default(),
        now: now(),
        chain: PathBuf::new(),
    };
    let mut trusts_anyone = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Operand(chain) if options.chain.as_os_str().is_empty() => options.chain = chain.into(),
            Argument::Operand(more) => return Err(unexpected_operand(&more)),
            Argument::Option(name) => match name.as_str() {
                "h" | "help" => return Ok(None),
                "cafile" => {
                    trusts_anyone = true;
                    let trust = Trust::anchors(&arguments.path()?);
                    trust.and_then(|t| t.add_to(&mut options.store)).map_err(CommandError::Failure)?;
                }
                _ => options.take(&name, &mut arguments)?,
            },
        }
    }
    let missing = |what| CommandError::Usage(format!("{what} is missing; see handclasp verify --help"));
    if options.chain.as_os_str().is_empty() {
        return Err(missing("the chain to verify"));
    }
    if trusts_anyone { Ok(Some(options)) } else { Err(missing("--cafile")) }
}

impl Options {
    fn take(&mut self, name: &str, arguments: &mut Arguments) -> Result<(), CommandError> {
        match name {
            "host" => self.names.push(value(arguments, "a DNS name or an IP address", ServerName::parse)?),
            "purpose" => {
                (self.side, self.policy.purpose) =
                    value(arguments, "a purpose (server, client, rpc-server or rpc-client)", purpose)?;
            }
            "time" => {
                self.now = value(arguments, "a time like 2026-01-31T12:00:00Z", time::parse_rfc3339)?;
            }
            "crl" => {
                let trust = Trust::crls(&arguments.path()?);
                trust.and_then(|trust| trust.add_to(&mut self.store)).map_err(CommandError::Failure)?;
            }
            "crl-required" => {
                self.policy.revocation =
                    value(arguments, "a part of the path (end-entity or whole-path)", revocation)?;
            }
            "as-agent" => self.policy.issuer_profile = trust_store::policy().issuer_profile,
            "max-intermediates" => self.policy.max_intermediates = arguments.parse()?,
            _ => return Err(unknown_option(name)),
        }
        Ok(())
    }
}

fn value<T>(
    arguments: &mut Arguments,
    what: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, CommandError> {
    let text = arguments.text()?;
    parse(&text).ok_or_else(|| CommandError::Usage(format!("{text:?} is not {what}")))
}

fn revocation(text: &str) -> Option<Revocation> {
    Some(match text {
        "end-entity" => Revocation::EndEntity,
        "whole-path" => Revocation::WholePath,
        _ => return None,
    })
}

fn purpose(text: &str) -> Option<(Side, RequiredPurpose)> {
    Some(match text {
        "server" => (Side::Server, RequiredPurpose::Tls),
        "client" => (Side::Client, RequiredPurpose::Tls),
        "rpc-server" => (Side::Server, RequiredPurpose::RpcTls),
        "rpc-client" => (Side::Client, RequiredPurpose::RpcTls),
        _ => return None,
    })
}
