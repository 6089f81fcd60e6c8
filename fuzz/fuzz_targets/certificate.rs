//! Certificates: their DER, their paths (with good signatures over what the input makes up), and trust stores.
#![no_main]

use std::sync::{Arc, LazyLock};

use handclasp::crypto::{
    certificate::{ServerName, UnixTime},
    x509::{self, Policy, Request, RequiredPurpose, Revocation, Side, TrustStore, Verifier},
};
use handclasp_fuzz::{
    certificates::{sign, store},
    ends::NOW,
    input::Input,
};
use libfuzzer_sys::fuzz_target;

static STORE: LazyLock<Arc<TrustStore>> = LazyLock::new(|| Arc::new(store()));

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    match input.u8() & 3 {
        0 => read_one(input.0),
        1 => read_store(input.0),
        _ => find_path(&mut input),
    }
});

fn read_one(der: &[u8]) {
    assert!(!x509::describe(der).is_empty());
    let _ = (x509::validity(der), x509::public_key(der));
    let mut store = TrustStore::empty();
    let _ = store.add_crl(der, "input");
    store.add(der, "input");
    if let Ok(path) = Verifier::new(Arc::new(store)).find_path(&[der.to_vec()], &request(0, NOW)) {
        assert!(!path.subjects.is_empty());
    }
}

fn read_store(text: &[u8]) {
    let _ = TrustStore::empty().add_crl_pem(text, "input");
    match TrustStore::from_pem(text, "input") {
        Ok(store) => assert!(store.len() + store.set_aside().len() > 0),
        Err(error) => assert!(error.to_string().starts_with("input: ")),
    }
}

/// A chain, each certificate of which is properly signed by the key that all of them and the trust anchor have.
fn find_path(input: &mut Input<'_>) {
    let (bits, time) = (input.u8(), UnixTime(NOW.0 + u64::from(input.u16()) * 10_000));
    let policy = Policy {
        purpose: if bits & 4 > 0 { RequiredPurpose::RpcTls } else { RequiredPurpose::Tls },
        issuer_profile: bits & 8 > 0,
        revocation: if bits & 0x40 > 0 { Revocation::WholePath } else { Revocation::WhereKnown },
        ..Policy::default()
    };
    let mut store = STORE.clone();
    if bits & 2 > 0 {
        let crl = sign(input.block16());
        let mut with_crl = handclasp_fuzz::certificates::store();
        let _ = with_crl.add_crl(&crl, "crl");
        store = Arc::new(with_crl);
    }
    let mut chain = Vec::new();
    while !input.is_empty() && chain.len() < 8 {
        chain.push(sign(input.block16()));
    }
    let verifier = Verifier::with_policy(store, policy.clone());
    let found = verifier.find_path(&chain, &request(bits, time));
    assert_eq!(verifier.find_path(&chain, &request(bits, time)), found, "what it remembers changes nothing");
    match found {
        Ok(path) => {
            assert_eq!(Ok(&path.key), x509::public_key(&chain[0]).as_ref());
            let nobody = Verifier::with_policy(Arc::new(TrustStore::empty()), policy);
            assert!(nobody.find_path(&chain, &request(bits, time)).is_err(), "nobody is trusted");
            if let Some(signature) = chain[0].last_mut() {
                *signature ^= 1;
            }
            assert!(verifier.find_path(&chain, &request(bits, time)).is_err(), "the signature counts");
        }
        Err(rejection) => assert!(!rejection.detail.is_empty()),
    }
}

fn request(bits: u8, now: UnixTime) -> Request<'static> {
    static NAMES: LazyLock<[ServerName; 2]> =
        LazyLock::new(|| ["server.test", "192.0.2.1"].map(|name| ServerName::parse(name).expect("a name")));
    let names = match bits >> 4 & 3 {
        0 => &NAMES[..1],
        1 => &NAMES[1..],
        2 => &NAMES[..],
        _ => &[],
    };
    Request { side: if bits & 1 > 0 { Side::Client } else { Side::Server }, names, now }
}
