//! PEM text, as loosely as key and certificate files are written in practice (RFC 7468, Section 2: preambles, bundles, any line
//! length, an editor's byte order mark), and strict in what stands between the lines: no damaged block is taken for a preamble.

use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::secret::Secret;

/// One block: its label, and its contents, which may be a private key.
#[derive(Debug)]
pub struct Block<'a> {
    /// "CERTIFICATE", "PRIVATE KEY", ...
    pub label: &'a str,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The decoded contents; empty for an encrypted block.
    pub contents: Secret,
    /// Whether it has the headers of a traditionally encrypted key (RFC 1421, Section 4.6).
    pub encrypted: bool,
}

/// Where and why a PEM text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PemError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// The blocks of a PEM text, in order; text outside blocks is passed over.
pub struct Blocks<'a> {
    lines: core::iter::Enumerate<Lines<'a>>,
}

/// Not the text, in which there may be a private key.
impl fmt::Debug for Blocks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").finish_non_exhaustive()
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

type Lines<'a> = core::slice::Split<'a, u8, fn(&u8) -> bool>;

impl<'a> Blocks<'a> {
    /// Reads `text`, which need not be UTF-8 outside its blocks.
    pub fn new(text: &'a [u8]) -> Self {
        let is_newline: fn(&u8) -> bool = |byte| *byte == b'\n';
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        Self { lines: text.split(is_newline).enumerate() }
    }

    fn next_line(&mut self) -> Option<(usize, &'a [u8])> {
        self.lines.next().map(|(index, line)| (index.saturating_add(1), line.trim_ascii()))
    }

    fn body(&mut self, label: &'a str, begin: usize) -> Result<Block<'a>, PemError> {
        let mut base64 = Zeroizing::new(Vec::with_capacity(self.body_length()));
        let mut encrypted = false;
        while let Some((line, text)) = self.next_line() {
            if text.starts_with(END) {
                if marker(text, END) != Some(label) {
                    return Err(PemError { line, problem: "END does not name the block that began" });
                }
                let contents = if encrypted { Secret::zeroed(0) } else { decode(&base64, line)? };
                return Ok(Block { label, line: begin, contents, encrypted });
            }
            if text.starts_with(BEGIN) {
                return Err(PemError { line, problem: "a block begins within a block" });
            }
            encrypted |= text.starts_with(b"Proc-Type:");
            base64.extend_from_slice(text);
        }
        Err(PemError { line: begin, problem: "the block does not end" })
    }

    /// How much there is in a block that has begun: a buffer that grew would leave copies of a private key behind.
    fn body_length(&self) -> usize {
        let lines = self.lines.clone().map(|(_, line)| line.trim_ascii());
        lines.take_while(|line| !line.starts_with(END) && !line.starts_with(BEGIN)).map(<[u8]>::len).sum()
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, PemError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, text) = self.next_line()?;
            if let Some(label) = marker(text, BEGIN) {
                return Some(self.body(label, line));
            }
            if text.starts_with(END) {
                return Some(Err(PemError { line, problem: "a block ends that did not begin" }));
            }
        }
    }
}

/// Every certificate of a PEM text, in order; other blocks are passed over.
pub fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    let mut certificates = Vec::new();
    for block in Blocks::new(text) {
        let block = block?;
        if matches!(block.label, "CERTIFICATE" | "X509 CERTIFICATE") {
            certificates.push(block.contents.expose().into());
        }
    }
    Ok(certificates)
}

fn marker<'a>(line: &'a [u8], opening: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(opening)?.strip_suffix(b"-----")?;
    core::str::from_utf8(label).ok()
}

fn decode(base64: &[u8], line: usize) -> Result<Secret, PemError> {
    let mut decoded = Secret::zeroed(base64.len().div_ceil(4).saturating_mul(3));
    let length = Base64::decode(base64, decoded.expose_mut())
        .map_err(|_| PemError { line, problem: "the block above is not base64" })?
        .len();
    Ok(Secret::from_slice(decoded.expose().split_at(length).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bundles_with_preambles_and_long_lines() {
        let text = b"subject=CN = a\r\n-----BEGIN CERTIFICATE-----\r\nAAEC\r\nAwQ=\r\n-----END CERTIFICATE-----\r\n\xff\n\
            -----BEGIN CERTIFICATE-----\nBQ==\n-----END CERTIFICATE-----";
        assert_eq!(certificates(text).unwrap(), [alloc::vec![0, 1, 2, 3, 4], alloc::vec![5]]);
    }

    #[test]
    fn passes_over_one_byte_order_mark() {
        let text = "\u{feff}-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----";
        assert_eq!(certificates(text.as_bytes()).unwrap(), [[0, 1, 2]]);
        assert_eq!(certificates(alloc::format!("\u{feff}{text}").as_bytes()).unwrap_err().line, 3);
    }

    #[test]
    fn makes_room_for_a_block_alone() {
        let text =
            b"-----BEGIN A-----\nAAEC\r\nAwQ=\n-----END A-----\n-----BEGIN A-----\nBQ==\n-----END A-----";
        let mut blocks = Blocks::new(text);
        blocks.next_line();
        assert_eq!(blocks.body_length(), 8);
    }

    #[test]
    fn says_where_a_text_is_broken() {
        let line = |text: &[u8]| certificates(text).unwrap_err().line;
        assert_eq!(line(b"\n-----BEGIN CERTIFICATE-----\nAAEC\n"), 2);
        assert_eq!(line(b"-----BEGIN CERTIFICATE-----\nA*==\n-----END CERTIFICATE-----"), 3);
        assert_eq!(line(b"-----BEGIN CERTIFICATE-----\n-----END X-----"), 2);
        assert_eq!(line(b"-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----"), 2);
        assert_eq!(line(b"-----BEGIN CERTIFICATE----\nAAEC\n-----END CERTIFICATE-----"), 3);
        assert_eq!(line(b"----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----"), 3);
        assert_eq!(line(b"-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE----"), 3);
    }
}
