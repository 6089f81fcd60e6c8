//! The client of each trace: the server's records in, ours compared.

use alloc::{boxed::Box, format, sync::Arc, vec};

use super::{
    CLIENT_AUTHENTICATION, COMPATIBILITY, HELLO_RETRY, SIMPLE, Trace,
    peer::{Log, Printed, Share, Verifier, check_session, done, receive, sent},
};
use crate::{
    crypto::{certificate::ServerName, hash::Hash, kx::NamedGroup, signature_scheme::SignatureScheme},
    engine::{
        Handshake, State, Step, client,
        config::{ClientConfig, Credential},
        error::{Error, Violation},
        message::{Certificate, Message},
        record::Records,
        transcript::Transcript,
    },
};

/// The certificates of a Certificate message.
pub(super) fn credential(message: &[u8], scheme: SignatureScheme) -> Credential {
    let certificate = Certificate::read(Message::read(message).unwrap().body).unwrap();
    let chain = certificate.entries().map(<[u8]>::to_vec).collect();
    Credential { chain, schemes: vec![scheme], issuers: vec![], issuer_required: false }
}

/// A handshake after the trace's first ClientHello.
pub(super) fn after_client_hello(trace: &Trace, log: &Arc<Log>, config: ClientConfig) -> Handshake {
    let config = ClientConfig {
        server_name: ServerName::parse("server"),
        verifier: Some(Arc::new(Verifier)),
        record_size_limit: Some(16385),
        key_log: Some(log.clone()),
        ..config
    };
    let share = Share::of(trace, "{client}");
    // Only the first trace with two shares retries: its first share meets no peer.
    let first = Share {
        group: NamedGroup::X25519,
        ours: trace.value("{client}  create", "public key").into(),
        ..share.clone()
    };
    let random = Printed { random: vec![], shares: vec![share] };
    let state = client::State::after_client_hello(
        Arc::new(config),
        Box::new(random),
        trace.message("{client}", "ClientHello"),
        Box::new(first),
    );
    let mut records = Records::client();
    records.allow_change_cipher_spec();
    Handshake { state: State::Client(state), records }
}

//= rfc8446#section-4.4.4
//= type=test
//# Any records following a Finished message MUST be encrypted under the appropriate application traffic key
//# as described in Section 7.2.
//= rfc8446#section-5.3
//= type=test
//# the first record transmitted under a particular traffic key MUST use sequence number 0.
#[test]
fn simple_one_rtt() {
    let (trace, log) = (Trace::read(SIMPLE), Arc::default());
    let config = ClientConfig { middlebox_compatibility: false, ..ClientConfig::default() };
    let mut handshake = after_client_hello(&trace, &log, config);
    let (ours, theirs) = (trace.records("{client}"), trace.records("{server}"));
    receive(&mut handshake, theirs[0]);
    receive(&mut handshake, theirs[1]);
    assert_eq!(sent(&mut handshake), ours[1]);
    log.check(&trace);
    check_session(done(&mut handshake), &trace, "{client}", "{server}");
}

#[test]
fn hello_retry_request() {
    let (trace, log) = (Trace::read(HELLO_RETRY), Arc::default());
    let config = ClientConfig { middlebox_compatibility: false, ..ClientConfig::default() };
    let mut handshake = after_client_hello(&trace, &log, config);
    let (ours, theirs) = (trace.records("{client}"), trace.records("{server}"));
    receive(&mut handshake, theirs[0]);
    handshake.records.forget_unsent();
    let mut transcript = Transcript::after_retry(Hash::Sha256, &ours[0][5..]);
    transcript.add(&theirs[0][5..]);
    transcript.add(&ours[1][5..]);
    handshake.state = match handshake.state {
        State::Client(client::State::WaitSecondServerHello(state)) => {
            State::Client(client::State::WaitSecondServerHello(state.with_transcript(transcript)))
        }
        other => panic!("{other:?}"),
    };
    receive(&mut handshake, theirs[1]);
    receive(&mut handshake, theirs[2]);
    assert_eq!(sent(&mut handshake), ours[2]);
    log.check(&trace);
    let session = done(&mut handshake);
    assert!(session.hello_retry);
    check_session(session, &trace, "{client}", "{server}");
}

#[test]
fn client_authentication() {
    let (trace, log) = (Trace::read(CLIENT_AUTHENTICATION), Arc::default());
    let certificate = trace.message("{client}", "Certificate");
    let credentials = vec![credential(certificate, SignatureScheme::RsaPssRsaeSha256)];
    let config = ClientConfig { middlebox_compatibility: false, credentials, ..ClientConfig::default() };
    let mut handshake = after_client_hello(&trace, &log, config);
    let (ours, theirs) = (trace.records("{client}"), trace.records("{server}"));
    receive(&mut handshake, theirs[0]);
    receive(&mut handshake, theirs[1]);
    super::server::sign(&mut handshake, &trace, "{client}");
    assert_eq!(sent(&mut handshake), ours[1]);
    log.check(&trace);
    let session = done(&mut handshake);
    assert_eq!(session.signature_scheme, Some(SignatureScheme::EcdsaSecp256r1Sha256));
    check_session(session, &trace, "{client}", "{server}");
}

#[test]
fn compatibility_mode() {
    let (trace, log) = (Trace::read(COMPATIBILITY), Arc::default());
    let mut handshake = after_client_hello(&trace, &log, ClientConfig::default());
    let (ours, theirs) = (trace.records("{client}"), trace.records("{server}"));
    for record in &theirs[..3] {
        receive(&mut handshake, record);
    }
    assert_eq!(sent(&mut handshake), ours[1..3].concat());
    log.check(&trace);
    check_session(done(&mut handshake), &trace, "{client}", "{server}");
}

//= rfc8446#section-6
//= type=test
//# Servers and clients MUST forget the secret values and keys established in failed connections
#[test]
fn a_failed_handshake_has_no_keys() {
    let trace = Trace::read(SIMPLE);
    let mut handshake = after_client_hello(&trace, &Arc::default(), ClientConfig::default());
    let theirs = trace.records("{server}");
    receive(&mut handshake, theirs[0]);
    let has_keys = |handshake: &Handshake| {
        let shown = format!("{handshake:?}");
        let has = |what| shown.contains(what);
        let (state, reading, writing) = (has("TrafficSecret"), !has("reading: None"), !has("writing: None"));
        assert!(state == reading && reading == writing, "{shown}");
        state
    };
    assert!(has_keys(&handshake));
    handshake.receive(&theirs[1][..5]);
    handshake.receive(&vec![0; theirs[1].len() - 5]);
    assert!(!has_keys(&handshake));
    assert!(!sent(&mut handshake).is_empty(), "but it tells why");
    assert!(matches!(handshake.step(), Step::Failed(Error::Peer(Violation::BadRecordMac))));
}
