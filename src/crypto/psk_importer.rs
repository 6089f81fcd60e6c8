//! The importer of external PSKs (RFC 9258), for those who share one key between hashes or protocols.

use super::{
    hash::Hash,
    hkdf::Expander,
    secret::{CIPHER_STACK, Secret, without_trace},
};

/// Diversifies an external PSK into the one that goes with an ImportedIdentity (RFC 9258, Section 5.1).
///
/// ```text
/// epskx = HKDF-Extract(0, epsk)
/// ipskx = HKDF-Expand-Label(epskx, "derived psk", Hash(ImportedIdentity), L)
/// ```
/// `hash` is the external PSK's own, `target` that of the handshakes it will be used in.
pub(crate) fn import_psk(hash: Hash, base_key: &[u8], imported_identity: &[u8], target: Hash) -> Secret {
    let context = hash.digest(imported_identity);
    without_trace::<CIPHER_STACK, _>(|| {
        let epskx = Expander::extract(hash, b"", base_key);
        epskx.label(b"derived psk", context.as_ref(), target.output_length())
    })
}
