//! The key schedule of all five traces, value by value, and the binder of Section 4.

use alloc::format;

use super::{CLIENT_AUTHENTICATION, COMPATIBILITY, HELLO_RETRY, RESUMED, SIMPLE, Trace};
use crate::crypto::{
    hash::Hash,
    hkdf::{Expander, extract},
    key_schedule::{EarlySecret, FinishedKey, TrafficSecrets, WriteKeys},
    secret::Secret,
    suite::CipherSuite,
};

/// HKDF-Expand-Label with the label and the context of a printed `info`, which is HkdfLabel (RFC 8446, Section 7.1).
fn expand(secret: &[u8], info: &[u8]) -> Secret {
    let (length, rest) = info.split_first_chunk::<2>().unwrap();
    let (label, rest) = rest[1..].split_at(usize::from(rest[0]));
    let (context, rest) = rest[1..].split_at(usize::from(rest[0]));
    assert!(rest.is_empty());
    let label = label.strip_prefix(b"tls13 ").unwrap();
    Expander::new(Hash::Sha256, secret).label(label, context, u16::from_be_bytes(*length))
}

#[test]
fn every_extraction_and_every_expansion() {
    let (mut extracted, mut expanded) = (0, 0);
    for text in [SIMPLE, RESUMED, HELLO_RETRY, CLIENT_AUTHENTICATION, COMPATIBILITY] {
        for step in Trace::read(text).steps {
            if let (Some(salt), Some(input)) = (step.value("salt"), step.value("IKM")) {
                let secret = extract(Hash::Sha256, salt, input);
                assert_eq!(Some(secret.as_ref()), step.value("secret"), "{}", step.heading);
                extracted += 1;
            }
            for prefix in ["", "key ", "iv "] {
                let Some(info) = step.value(&format!("{prefix}info")) else { continue };
                let secret = expand(step.value("PRK").unwrap(), info);
                assert_eq!(
                    Some(secret.expose()),
                    step.value(&format!("{prefix}expanded")),
                    "{}",
                    step.heading
                );
                expanded += 1;
            }
        }
    }
    assert_eq!((extracted, expanded), (15, 59 + 21 + 21));
}

#[test]
fn every_secret_by_the_types_of_the_schedule() {
    for text in [SIMPLE, RESUMED, HELLO_RETRY, CLIENT_AUTHENTICATION, COMPATIBILITY] {
        let trace = Trace::read(text);
        let suite = CipherSuite::Aes128GcmSha256;
        let early =
            trace.steps.iter().find(|step| step.heading.contains("extract secret \"early\"")).unwrap();
        let psk = early.value("IKM").unwrap();
        let shared = trace.value("{server}  extract secret \"handshake\"", "IKM");
        let label =
            |label: &str, name| trace.value(&format!("{{server}}  derive secret \"tls13 {label}\""), name);
        let handshake = EarlySecret::new(Hash::Sha256, Some(psk)).handshake(&Secret::from_slice(shared));
        let hello = label("c hs traffic", "hash");
        let TrafficSecrets { client, server } = handshake.traffic(suite, hello);
        assert_eq!(client.expose(), label("c hs traffic", "expanded"));
        assert_eq!(server.expose(), label("s hs traffic", "expanded"));
        let keys = "{server}  derive write traffic keys for handshake data";
        let WriteKeys { key, iv } = server.write_keys();
        assert_eq!(key.expose(), trace.value(keys, "key expanded"));
        assert_eq!(iv.expose(), trace.value(keys, "iv expanded"));
        let (master, finished) = (handshake.master(), label("c ap traffic", "hash"));
        let TrafficSecrets { client, server } = master.traffic(suite, finished);
        assert_eq!(client.expose(), label("c ap traffic", "expanded"));
        assert_eq!(server.expose(), label("s ap traffic", "expanded"));
        assert_eq!(master.exporter(finished).expose(), label("exp master", "expanded"));
    }
}

#[test]
fn the_binder_of_the_resumed_handshake() {
    let trace = Trace::read(RESUMED);
    let binder = |name| trace.value("{client}  calculate PSK binder", name);
    let hash = Hash::Sha256.digest(binder("ClientHello prefix"));
    assert_eq!(hash.as_ref(), binder("binder hash"));
    let base = Secret::from_slice(binder("PRK"));
    let key = FinishedKey::of_base(Hash::Sha256, &base);
    assert_eq!(key.verify_data(&hash).as_ref(), binder("finished"));
    let hello = trace.records("{client}")[0];
    assert!(hello.ends_with(binder("finished")), "it stands at the end of the ClientHello");
}
