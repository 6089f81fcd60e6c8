//! The handshake agent and the command line: Linux only, and the only place with I/O.
//!
//! Reading order, about an hour, as a request meets them:
//!
//! ```text
//!   request        what the kernel asks for
//!   reception      what must be known before the handshake can begin
//!   flow           what the request becomes for the engine
//!   flight         from the accepted request to its DONE
//!   border/mod     what passes between those who have the keys and those who parse
//!   worker/mod     who parses
//!   driver         how the engine meets a socket
//!   broker         who answers its questions
//!   ktls           what the kernel is given in the end
//! ```
//! Around them turns the loop of `service`.
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
