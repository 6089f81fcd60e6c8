//! What the fuzzer reaches beside the public interface: a message reader without a handshake around it.

use super::{
    error::Violation,
    message::{HandshakeType, Message},
};

/// Reads one handshake message, header included.
pub fn read_message(bytes: &[u8]) -> Result<HandshakeType, Violation> {
    let message = Message::read(bytes)?;
    message.read_body()?;
    Ok(message.handshake_type)
}
