//! What the fuzzer reaches beside the public interface: the agent's readers, without the kernel and the files around them.

use std::{ffi::OsString, path::Path};

use super::{
    border,
    command::{self, Arguments},
    config::Config,
    netlink,
    request::Request,
};

/// Reads a configuration file's text; the error is the one that a user sees.
pub fn read_configuration(text: &str) -> Result<(), String> {
    Config::parse(Path::new("config"), text).map(drop).map_err(|error| error.to_string())
}

/// Reads a netlink datagram as each of the answers that the agent waits for.
pub fn read_netlink(datagram: &[u8]) -> Result<(), String> {
    let request = |attributes: &[_]| drop(Request::read(attributes).map_err(|error| error.to_string()));
    netlink::read_for_fuzzing(datagram, request).map_err(|error| error.to_string())
}

/// Reads a command line; nothing is done, except that the files are read that `verify` and `--psk-file` name.
pub fn read_arguments(words: &[&str]) -> Result<(), String> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    command::read_for_fuzzing(Arguments::new(words)).map_err(|error| error.to_string())
}

/// Reads what a worker and its broker could tell each other; the worker may be a stranger's.
pub fn read_border(bytes: &[u8]) -> Result<(), String> {
    let order = border::read_order(bytes, None, &[]).map(drop);
    border::read_report(bytes).map(drop).or(order).map_err(|error| error.0.into())
}
