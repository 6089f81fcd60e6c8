//! OpenSSL, as one end.

use std::mem;

use openssl::{
    pkey::PKey,
    ssl::{
        ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslSessionCacheMode, SslStream,
        SslVerifyMode, SslVersion,
    },
    x509::{X509, store::X509StoreBuilder},
};

use crate::{
    material::{Material, NAME, NOW},
    meter::Meter,
    peer::{Peer, Pipe, Wire, shake_hands},
    scenario::Scenario,
};

/// What the library calls itself.
pub fn version() -> &'static str {
    openssl::version::version()
}

/// Both pipes, while OpenSSL reads and writes.
#[derive(Default)]
struct Ends {
    incoming: Pipe,
    outgoing: Pipe,
}

impl std::io::Read for Ends {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        self.incoming.read(to)
    }
}

impl std::io::Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct End(SslStream<Ends>);

impl Peer for End {
    fn advance(&mut self, incoming: &mut Pipe, outgoing: &mut Pipe) -> bool {
        let Self(stream) = self;
        let swap = |ends: &mut Ends, incoming: &mut Pipe, outgoing: &mut Pipe| {
            mem::swap(&mut ends.incoming, incoming);
            mem::swap(&mut ends.outgoing, outgoing);
        };
        swap(stream.get_mut(), incoming, outgoing);
        let done = match stream.do_handshake() {
            Ok(()) => true,
            Err(error) if error.code() == ErrorCode::WANT_READ => false,
            Err(error) => panic!("{error}"),
        };
        swap(stream.get_mut(), incoming, outgoing);
        done
    }
}

/// Everything that handshakes have in common.
pub struct OpenSsl {
    client: SslContext,
    server: SslContext,
}

impl OpenSsl {
    pub fn new(scenario: &Scenario) -> Self {
        let certificates = &scenario.certificates;
        let mut client = context(SslMethod::tls_client());
        client.set_verify(SslVerifyMode::PEER);
        let mut store = X509StoreBuilder::new().expect("a store");
        store.add_cert(X509::from_pem(certificates.server.ca).expect("an authority")).expect("room");
        client.set_cert_store(store.build());
        let mut server = context(SslMethod::tls_server());
        show(&mut server, &certificates.server);
        Self { client: client.build(), server: server.build() }
    }

    pub fn shake_hands(&self, wire: &mut Wire, meter: &mut impl Meter) {
        let end = |context: &SslContext| Ssl::new(context).expect("memory");
        // A pipe of each end stays empty: it is made beforehand, as are those of the others.
        let (ours, theirs) = (Ends::default(), Ends::default());
        shake_hands(
            || {
                let mut ssl = end(&self.client);
                ssl.set_hostname(NAME).expect("a name");
                let wanted = ssl.param_mut();
                wanted.set_host(NAME).expect("a name");
                wanted.set_time(NOW.try_into().expect("a time"));
                ssl.set_connect_state();
                End(SslStream::new(ssl, ours).expect("memory"))
            },
            || {
                let mut ssl = end(&self.server);
                ssl.set_accept_state();
                End(SslStream::new(ssl, theirs).expect("memory"))
            },
            wire,
            meter,
        );
    }
}

fn context(method: SslMethod) -> SslContextBuilder {
    let mut context = SslContext::builder(method).expect("memory");
    context.set_min_proto_version(Some(SslVersion::TLS1_3)).expect("a version");
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256").expect("a suite");
    context.set_groups_list("X25519MLKEM768").expect("a group");
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_num_tickets(0).expect("none");
    context
}

fn show(context: &mut SslContextBuilder, material: &Material) {
    let chain = X509::stack_from_pem(material.chain).expect("a chain");
    context.set_certificate(&chain[0]).expect("a certificate");
    let key = PKey::private_key_from_pem(material.key).expect("a key");
    context.set_private_key(&key).expect("its key");
}
