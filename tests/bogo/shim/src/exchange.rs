//! After the handshake: application data goes back to the runner, each byte inverted, and whatever else the flags ask for.

use std::io::ErrorKind;

use handclasp::engine::{AlertDescription, Connection, Event, Session};

use crate::{Failure, flags::Flags, wire::Wire};

/// Lengths around every boundary of records and of reads.
const DIFFERENT_SIZES: [usize; 11] = [0, 1, 255, 256, 257, 16383, 16384, 16385, 32767, 32768, 32769];

/// The alert that `-send-alert` stands for; TLS 1.3 has none of this number.
const DECOMPRESSION_FAILURE: u8 = 30;

struct Exchange<'a> {
    connection: Connection,
    wire: &'a mut Wire,
}

/// Carries the exchange to its end: the runner's close_notify, and ours.
pub fn run(flags: &Flags, session: Session, wire: &mut Wire) -> Result<(), Failure> {
    let first = first_words(flags, &session)?;
    let mut exchange = Exchange { connection: Connection::new(session), wire };
    for words in first {
        exchange.write(&words)?;
    }
    if flags.read_with_unfinished_write {
        exchange.begin_to_write(initial_write(flags))?;
    }
    if flags.send_alert {
        exchange.connection.abort(AlertDescription::from_code(DECOMPRESSION_FAILURE));
        return exchange.flush();
    }
    if flags.shim_shuts_down {
        exchange.close()?;
        return if flags.check_close_notify { exchange.expect_close() } else { Ok(()) };
    }
    if !flags.write_different_record_sizes {
        exchange.echo(flags)?;
    }
    exchange.close()
}

/// What we say before the runner says anything, in its order.
fn first_words(flags: &Flags, session: &Session) -> Result<Vec<Vec<u8>>, Failure> {
    let mut words = Vec::new();
    if let Some(length) = flags.export_keying_material {
        let (label, context) = (flags.export_label.as_bytes(), flags.export_context.as_bytes());
        let exported = session.exporter.export(label, context, length);
        words.push(exported.ok_or(Failure::Unexpected("exporter: too long".into()))?.expose().to_vec());
    }
    if flags.export_traffic_secrets {
        let (rx, tx) = (session.rx.secret.expose(), session.tx.secret.expose());
        let length = u16::try_from(rx.len()).expect("a hash's length").to_le_bytes();
        words.push([&length, rx, tx].concat());
    }
    if flags.write_different_record_sizes {
        words.extend(DIFFERENT_SIZES.map(|length| vec![0x42; length]));
    } else if flags.shim_writes_first {
        words.push(initial_write(flags).into());
    }
    Ok(words)
}

fn initial_write(flags: &Flags) -> &[u8] {
    flags.shim_initial_write.as_deref().unwrap_or("hello").as_bytes()
}

impl Exchange<'_> {
    fn echo(&mut self, flags: &Flags) -> Result<(), Failure> {
        loop {
            if flags.key_update_before_read {
                self.connection.update_keys(false)?;
                self.flush()?;
            }
            let Some(mut data) = self.read()? else { return Ok(()) };
            if flags.key_update {
                self.connection.update_keys(false)?;
            }
            for byte in &mut data {
                *byte ^= 0xff;
            }
            self.write(&data)?;
        }
    }

    /// The runner's next data; `None` when it closes.
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let Some(bytes) = self.wire.read(self.connection.wanted())? else {
                return Err(Failure::EndOfStream);
            };
            let event = self.connection.receive(&bytes);
            if event.is_err() {
                // The alert that says what went wrong.
                self.flush()?;
            }
            match event? {
                Event::Nothing => {}
                Event::Data(data) => return Ok(Some(data)),
                Event::Closed => return Ok(None),
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.connection.write(data)?;
        self.flush()
    }

    /// Sends no more than the first byte; the rest goes with the next flush.
    fn begin_to_write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.connection.write(data)?;
        let count = self.wire.write(&self.connection.outgoing()[..1])?;
        self.connection.sent(count);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        while !self.connection.outgoing().is_empty() {
            let count = self.wire.write(self.connection.outgoing())?;
            self.connection.sent(count);
        }
        Ok(())
    }

    /// Says that we are done; a runner that is gone already need not hear it.
    fn close(&mut self) -> Result<(), Failure> {
        self.connection.close()?;
        match self.flush() {
            Err(Failure::Io(error))
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    fn expect_close(&mut self) -> Result<(), Failure> {
        match self.read()? {
            None => Ok(()),
            Some(_) => Err(Failure::Unexpected("application data after our close_notify".into())),
        }
    }
}
