//! A whole handshake of a server with raw bytes for a client; its questions are answered as the input says.
#![no_main]

use handclasp::engine::Role;
use handclasp_fuzz::ends::End;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| End::meets(Role::Server, bytes));
