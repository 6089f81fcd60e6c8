//! What the fuzzer reaches beside the public interface: a message reader without a handshake around it.

use super::{
    error::Violation,
    message::{HandshakeType, Message},
};

/// Reads one handshake message, header included.
pub fn read_message(bytes: &[u8]) -> Result<HandshakeType, Violation> {
    Message::read(bytes).map(|message| message.handshake_type())
}
