//! The connection to the runner: TCP, one byte at a time where the case asks for it.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpStream},
};

use crate::flags::Flags;

/// A stream to the runner.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    one_byte_at_a_time: bool,
}

impl Wire {
    /// Connects, and says which case this is. We are the TCP client even where we are the TLS server.
    pub fn connect(flags: &Flags) -> io::Result<Self> {
        let mut stream = if flags.ipv6 {
            TcpStream::connect((Ipv6Addr::LOCALHOST, flags.port))?
        } else {
            TcpStream::connect((Ipv4Addr::LOCALHOST, flags.port))?
        };
        stream.set_nodelay(true)?;
        stream.write_all(&flags.shim_id.to_le_bytes())?;
        Ok(Self { stream, one_byte_at_a_time: flags.one_byte_at_a_time })
    }

    /// Reads exactly `length` bytes; `None` at the end of the stream before the first of them.
    pub fn read(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; length];
        let mut have = 0;
        while have < length {
            match self.stream.read(&mut bytes[have..])? {
                0 if have == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => have += count,
            }
        }
        Ok(Some(bytes))
    }

    /// Writes some of `bytes` and says how many.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = if self.one_byte_at_a_time { 1 } else { bytes.len() };
        self.stream.write_all(&bytes[..count])?;
        Ok(count)
    }
}

impl Drop for Wire {
    /// Ends our half and reads the rest of the runner's: a reset would take our last record, an alert perhaps, away from it.
    fn drop(&mut self) {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            let _ = io::copy(&mut self.stream, &mut io::sink());
        }
    }
}
