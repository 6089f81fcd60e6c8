//! What a bad peer changes: handshake messages, with the lengths around a change put right, and the records that carry them.

use crate::input::Input;

/// A change of one message, or of the records that carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Xor {
        position: u16,
        value: u8,
    },
    Overwrite {
        position: u16,
        bytes: Vec<u8>,
    },
    Splice {
        position: u16,
        removed: u8,
        bytes: Vec<u8>,
    },
    ReplaceBody(Vec<u8>),
    SetType(u8),
    Drop,
    Duplicate,
    SwapWithNext,
    InsertBefore {
        handshake_type: u8,
        body: Vec<u8>,
    },
    InsertExtension {
        position: u8,
        extension: Extension,
    },
    RemoveExtension(u8),
    ReplaceExtension {
        position: u8,
        content: Vec<u8>,
    },
    SpliceExtension {
        position: u8,
        at: u8,
        removed: u8,
        bytes: Vec<u8>,
    },
    RetypeExtension {
        position: u8,
        code: u16,
    },
    SwapExtensions(u8),
    /// A record of any type before the message, under the keys of the moment.
    RecordBefore {
        content_type: u8,
        content: Vec<u8>,
    },
    /// A record of any type before the message, in the clear.
    PlainRecordBefore {
        content_type: u8,
        content: Vec<u8>,
    },
    /// The message goes in records with fragments of this length and so much padding.
    Fragment {
        length: u8,
        padding: u16,
    },
    /// The message waits, and shares records with the one after it.
    JoinNext,
}

/// The code points of all extensions that RFC 8446 and RFC 8449 know, and one that nobody does.
const CODES: [u16; 24] =
    [0, 1, 5, 10, 13, 14, 15, 16, 18, 19, 20, 21, 28, 41, 42, 43, 44, 45, 47, 48, 49, 50, 51, 0x0a0a];

impl Change {
    /// Reads one change.
    pub fn read(input: &mut Input<'_>) -> Self {
        let bytes = |input: &mut Input<'_>| input.block8().to_vec();
        match input.u8() % 19 {
            0 => Self::Xor { position: input.u16(), value: input.u8() },
            1 => Self::Overwrite { position: input.u16(), bytes: bytes(input) },
            2 => Self::Splice { position: input.u16(), removed: input.u8(), bytes: bytes(input) },
            3 => Self::ReplaceBody(input.block16().into()),
            4 => Self::SetType(input.u8()),
            5 => Self::Drop,
            6 => Self::Duplicate,
            7 => Self::SwapWithNext,
            8 => Self::InsertBefore { handshake_type: input.u8(), body: bytes(input) },
            9 => {
                let (position, code) = (input.u8(), read_code(input));
                Self::InsertExtension { position, extension: Extension { code, content: bytes(input) } }
            }
            10 => Self::RemoveExtension(input.u8()),
            11 => Self::ReplaceExtension { position: input.u8(), content: bytes(input) },
            12 => Self::SpliceExtension {
                position: input.u8(),
                at: input.u8(),
                removed: input.u8(),
                bytes: bytes(input),
            },
            13 => Self::RetypeExtension { position: input.u8(), code: read_code(input) },
            14 => Self::SwapExtensions(input.u8()),
            15 => Self::RecordBefore { content_type: 20 + input.u8() % 6, content: bytes(input) },
            16 => Self::PlainRecordBefore { content_type: 20 + input.u8() % 6, content: bytes(input) },
            17 => Self::Fragment { length: input.u8(), padding: input.u16() % 600 },
            _ => Self::JoinNext,
        }
    }

    /// Changes the bytes of a message; what is not about its bytes leaves them alone.
    pub fn apply(&self, message: &mut Vec<u8>) {
        match self {
            Self::Xor { position, value } => {
                let length = message.len();
                message[usize::from(*position) % length] ^= value;
            }
            Self::Overwrite { position, bytes } => {
                let position = usize::from(*position) % message.len();
                message[position..].iter_mut().zip(bytes).for_each(|(old, new)| *old = *new);
            }
            Self::Splice { position, removed, bytes } => {
                splice(message, HEADER, *position, *removed, bytes);
                fix_length(message);
            }
            Self::ReplaceBody(body) => {
                message.truncate(HEADER);
                message.extend_from_slice(body);
                fix_length(message);
            }
            Self::SetType(handshake_type) => message[0] = *handshake_type,
            _ => {
                if let Some(mut block) = ExtensionBlock::find(message) {
                    self.apply_to_extensions(&mut block.extensions);
                    block.write_back(message);
                }
            }
        }
    }

    fn apply_to_extensions(&self, extensions: &mut Vec<Extension>) {
        let count = extensions.len();
        let at = |position: &u8| usize::from(*position) % count.max(1);
        match self {
            Self::InsertExtension { position, extension } => {
                extensions.insert(usize::from(*position) % (count + 1), extension.clone());
            }
            _ if count == 0 => {}
            Self::RemoveExtension(position) => drop(extensions.remove(at(position))),
            Self::ReplaceExtension { position, content } => {
                extensions[at(position)].content.clone_from(content);
            }
            Self::SpliceExtension { position, at: start, removed, bytes } => {
                splice(&mut extensions[at(position)].content, 0, u16::from(*start), *removed, bytes);
            }
            Self::RetypeExtension { position, code } => extensions[at(position)].code = *code,
            Self::SwapExtensions(position) => extensions.swap(at(position), count - 1),
            _ => {}
        }
    }
}

fn read_code(input: &mut Input<'_>) -> u16 {
    CODES[usize::from(input.u8()) % CODES.len()]
}

fn splice(bytes: &mut Vec<u8>, from: usize, position: u16, removed: u8, inserted: &[u8]) {
    let room = bytes.len().saturating_sub(from) + 1;
    let start = (from + usize::from(position) % room).min(bytes.len());
    let end = (start + usize::from(removed)).min(bytes.len());
    bytes.splice(start..end, inserted.iter().copied());
}

/// Type and length of a handshake message.
const HEADER: usize = 4;

/// Makes the header's length that of the body.
pub fn fix_length(message: &mut [u8]) {
    let length = u32::try_from(message.len() - HEADER).expect("a short message").to_be_bytes();
    message[1..HEADER].copy_from_slice(&length[1..]);
}

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub code: u16,
    pub content: Vec<u8>,
}

/// The extensions of a message, and where they stand.
struct ExtensionBlock {
    start: usize,
    end: usize,
    /// The three length bytes of a certificate_list around them.
    list: Option<usize>,
    extensions: Vec<Extension>,
}

impl ExtensionBlock {
    fn find(message: &[u8]) -> Option<Self> {
        let (start, list) = extensions_start(message)?;
        let mut block = Input(message.get(start..)?.get(2..)?);
        let length = usize::from(u16::from_be_bytes(message.get(start..start + 2)?.try_into().ok()?));
        let end = start + 2 + length;
        block.0 = block.0.get(..length)?;
        let mut extensions = Vec::new();
        while !block.is_empty() {
            extensions.push(Extension { code: block.u16(), content: block.block16().into() });
        }
        Some(Self { start, end, list, extensions })
    }

    fn write_back(self, message: &mut Vec<u8>) {
        let mut body = Vec::new();
        for Extension { code, content } in self.extensions {
            body.extend_from_slice(&code.to_be_bytes());
            body.extend_from_slice(&u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
            body.extend_from_slice(&content);
        }
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
        let before = message.len();
        message.splice(self.start..self.end, length.into_iter().chain(body));
        if let Some(list) = self.list {
            let field = &mut message[list..list + 3];
            let old = u32::from_be_bytes([0, field[0], field[1], field[2]]);
            let grown = i64::from(old) + message.len() as i64 - before as i64;
            let bytes = u32::try_from(grown).unwrap_or(0).to_be_bytes();
            message[list..list + 3].copy_from_slice(&bytes[1..]);
        }
        fix_length(message);
    }
}

/// Where a message's (first) extensions begin, and where the length of a certificate_list around them stands.
fn extensions_start(message: &[u8]) -> Option<(usize, Option<usize>)> {
    let byte = |at: usize| message.get(at).map(|byte| usize::from(*byte));
    let skip8 = |at: usize| byte(at).map(|length| at + 1 + length);
    let skip16 = |at: usize| Some(at + 2 + (byte(at)? << 8 | byte(at + 1)?));
    match message.first()? {
        1 => Some((skip8(skip16(skip8(HEADER + 34)?)?)?, None)),
        2 => Some((skip8(HEADER + 34)? + 3, None)),
        4 => Some((skip16(skip8(HEADER + 8)?)?, None)),
        8 => Some((HEADER, None)),
        11 => {
            let list = skip8(HEADER)?;
            let certificate = byte(list + 3)? << 16 | byte(list + 4)? << 8 | byte(list + 5)?;
            Some((list + 6 + certificate, Some(list)))
        }
        13 => Some((skip8(HEADER)?, None)),
        _ => None,
    }
}
