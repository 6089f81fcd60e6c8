//! Changes to handshake messages, as a peer would make them who breaks one rule.

/// `HandshakeType`
pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(crate) const CERTIFICATE: u8 = 11;
pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
pub(crate) const FINISHED: u8 = 20;

/// The extensions of a message: type and content.
pub(crate) type Extensions = Vec<(u16, Vec<u8>)>;

/// A message, header and all, with its body replaced.
pub(crate) fn message(handshake_type: u8, body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[handshake_type, a, b, c], body].concat()
}

/// Where the extensions of a message begin: at their two length bytes.
fn extensions_at(message: &[u8]) -> usize {
    let after_random = 4 + 2 + 32;
    let after_session_id = |message: &[u8]| after_random + 1 + usize::from(message[after_random]);
    match message[0] {
        CLIENT_HELLO => {
            let suites = after_session_id(message);
            let compression =
                suites + 2 + usize::from(u16::from_be_bytes([message[suites], message[suites + 1]]));
            compression + 1 + usize::from(message[compression])
        }
        SERVER_HELLO => after_session_id(message) + 3,
        ENCRYPTED_EXTENSIONS => 4,
        CERTIFICATE_REQUEST => 5 + usize::from(message[4]),
        // Those of the last certificate, which has none.
        CERTIFICATE => message.len() - 2,
        other => panic!("message {other} has no extensions of its own"),
    }
}

/// The extensions of a message.
pub(crate) fn extensions_of(whole: &[u8]) -> Extensions {
    let mut rest = &whole[extensions_at(whole) + 2..];
    let mut extensions = Extensions::new();
    while let Some((header, content)) = rest.split_first_chunk::<4>() {
        let (content, after) = content.split_at(usize::from(u16::from_be_bytes([header[2], header[3]])));
        extensions.push((u16::from_be_bytes([header[0], header[1]]), content.to_vec()));
        rest = after;
    }
    extensions
}

/// Changes the extensions of a message.
pub(crate) fn with_extensions(whole: &mut Vec<u8>, change: impl FnOnce(&mut Extensions)) {
    let at = extensions_at(whole);
    let mut extensions = extensions_of(whole);
    change(&mut extensions);
    let mut block = Vec::new();
    for (code, content) in extensions {
        block.extend(code.to_be_bytes());
        block.extend(vector16(&content));
    }
    *whole = message(whole[0], &[&whole[4..at], &vector16(&block)[..]].concat());
    if whole[0] == CERTIFICATE {
        // The length of the list around them, behind an empty certificate_request_context.
        let list = u16::try_from(whole.len() - 8).unwrap().to_be_bytes();
        whole[6..8].copy_from_slice(&list);
    }
}

/// `content` behind a length of two bytes.
pub(crate) fn vector16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
}

/// Gives an extension another content, or adds it before the last.
pub(crate) fn set(extensions: &mut Extensions, code: u16, content: &[u8]) {
    match extensions.iter_mut().find(|extension| extension.0 == code) {
        Some(extension) => extension.1 = content.into(),
        None => extensions.insert(0, (code, content.into())),
    }
}

/// Takes an extension away.
pub(crate) fn remove(extensions: &mut Extensions, code: u16) {
    let before = extensions.len();
    extensions.retain(|extension| extension.0 != code);
    assert_eq!(extensions.len() + 1, before, "extension {code} was there");
}

/// The offset of the cipher suites' length in a ClientHello; in a ServerHello that of the cipher suite.
pub(crate) fn suites_at(message: &[u8]) -> usize {
    4 + 2 + 32 + 1 + usize::from(message[4 + 2 + 32])
}
