//! PEM files, private keys in PEM and DER, and public keys.
#![no_main]

use handclasp::crypto::{
    pem,
    public_key::{KeyAlgorithm, PublicKey},
    sign::SigningKey,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = PublicKey::from_spki(bytes) {
        verify_nonsense(&key);
    }
    let _ = SigningKey::from_der(bytes);
    let from_pem = SigningKey::from_pem(bytes);
    let blocks = pem::Blocks::new(bytes).map_while(Result::ok);
    let first = blocks.into_iter().find(|block| block.label.ends_with("PRIVATE KEY"));
    if let (Ok(key), Some(block)) = (from_pem, first) {
        check_key(&key, block.contents.expose());
    }
    if let Ok(certificates) = pem::certificates(bytes) {
        assert!(certificates.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    }
});

fn verify_nonsense(key: &PublicKey) {
    for scheme in key.algorithm().schemes() {
        assert!(key.verify_scheme(*scheme, b"message", b"no signature").is_err());
    }
}

/// The same key comes from the block's DER, and it signs; RSA does so too, but takes too long.
fn check_key(key: &SigningKey, der: &[u8]) {
    let again = SigningKey::from_der(der).expect("what PEM holds is DER");
    assert_eq!(key.algorithm(), again.algorithm());
    if matches!(key.algorithm(), KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss(_)) {
        return;
    }
    let scheme = key.algorithm().schemes()[0];
    assert!(!key.sign(scheme, b"message").expect("it signs").is_empty());
}
