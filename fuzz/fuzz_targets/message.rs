//! Every reader of a handshake message.
#![no_main]

use handclasp::engine::{HandshakeType, fuzzing::read_message};
use handclasp_fuzz::mutation::fix_length;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match read_message(bytes) {
        // Only its length bounds a Finished, and a ClientHello of TLS 1.2 has no extensions.
        Ok(HandshakeType::Finished | HandshakeType::ClientHello) | Err(_) => {}
        Ok(_) => no_prefix_parses(bytes),
    }
});

/// Cuts the message at a place that depends on it, and makes its length fit again.
fn no_prefix_parses(bytes: &[u8]) {
    let body = bytes.len() - 4;
    if body > 0 {
        let sum = bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
        let mut prefix = bytes[..4 + sum % body].to_vec();
        fix_length(&mut prefix);
        assert!(read_message(&prefix).is_err(), "a strict prefix is no message");
    }
}
