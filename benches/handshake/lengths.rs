//! How long the messages of a handshake are, read off its records.

use crate::{meter::Sides, peer::Wire};

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// What the floor hashes, opens and seals, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lengths {
    /// Where there is a HelloRetryRequest.
    pub first_client_hello: usize,
    pub hello_retry_request: usize,
    pub client_hello: usize,
    pub server_hello: usize,
    /// What each side protects, up to its Finished.
    pub flights: Sides<usize>,
}

impl Lengths {
    pub fn of(wire: &Wire) -> Self {
        let (up, down) = (records(wire.up.all()), records(wire.down.all()));
        let plain = |records: &[(u8, usize)]| -> Vec<usize> {
            records.iter().filter(|(kind, _)| *kind == HANDSHAKE).map(|(_, length)| *length).collect()
        };
        // Each protected record has a content type and a tag.
        let protected = |records: &[(u8, usize)]| -> usize {
            records.iter().filter(|(kind, _)| *kind == APPLICATION_DATA).map(|(_, length)| length - 17).sum()
        };
        let flights = Sides { client: protected(&up), server: protected(&down) };
        match (&plain(&up)[..], &plain(&down)[..]) {
            (&[client_hello], &[server_hello]) => {
                Self { client_hello, server_hello, flights, ..Self::default() }
            }
            (&[first_client_hello, client_hello], &[hello_retry_request, server_hello]) => {
                Self { first_client_hello, hello_retry_request, client_hello, server_hello, flights }
            }
            _ => panic!("not a handshake of ours"),
        }
    }
}

/// The type and length of each record.
fn records(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut records = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*kind, length));
        bytes = &rest[length..];
    }
    records
}
