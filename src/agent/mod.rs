//! The handshake agent and the command line: Linux only, and the only place with I/O.
//!
//! Reading order: `ktls` (what the kernel is given in the end) and `driver` (how a handshake meets a socket).
#![deny(unsafe_code)]

mod border;
mod broker;
mod claim;
pub mod command;
mod config;
mod crew;
mod driver;
mod expiry;
mod failure;
mod fairness;
mod flight;
mod flights;
mod flow;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod key_log;
mod keyring;
mod ktls;
mod log;
mod lookup;
mod material;
mod namespace;
mod netlink;
mod notify;
mod passing;
mod pending;
mod process;
mod reception;
mod request;
mod service;
mod stamps;
mod status;
mod system;
mod tracer;
mod trust_store;
mod wait;
mod worker;
