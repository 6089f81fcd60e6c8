//! A whole handshake of a client with raw bytes for a server; its questions are answered as the input says.
#![no_main]

use handclasp::engine::Role;
use handclasp_fuzz::ends::End;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| End::meets(Role::Client, bytes));
