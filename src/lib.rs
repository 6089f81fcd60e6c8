//! Handclasp: a TLS 1.3 handshake engine without I/O, and the handshake agent of the Linux kernel built on it.
#![cfg_attr(not(feature = "x509"), no_std)]

extern crate alloc;

#[cfg(feature = "agent")]
pub mod agent;
pub mod crypto;
pub mod engine;
