//! Holds what a worker claims of a session against what its handshake could become: a worker may have been taken over.

use crate::{
    crypto::{kx::NamedGroup, suite::CipherSuite},
    engine::config::ClientAuthentication,
};

use super::{
    border::{Config, Established, Proved},
    broker::Broker,
};

/// What a handshake could become.
pub(super) struct Bounds {
    suites: Vec<CipherSuite>,
    groups: Vec<NamedGroup>,
    alpn: Vec<Vec<u8>>,
    alpn_required: bool,
    record_size_limit: bool,
    /// Whether we authenticate with a signature, always.
    signs: bool,
    peer: Expected,
}

/// Who the peer could prove to be.
enum Expected {
    Nobody,
    NobodyOrCertificate,
    Certificate,
    Psk,
}

impl Expected {
    fn of(config: &Config) -> Self {
        match config {
            Config::Client(config) if config.psks.is_empty() => Self::Certificate,
            Config::Server(config) if !config.psk => match config.client_authentication {
                ClientAuthentication::None => Self::Nobody,
                ClientAuthentication::Optional => Self::NobodyOrCertificate,
                ClientAuthentication::Required => Self::Certificate,
            },
            Config::Client(_) | Config::Server(_) => Self::Psk,
        }
    }
}

impl Bounds {
    pub(super) fn of(config: &Config) -> Self {
        let (suites, groups, alpn, alpn_required, limit) = match config {
            Config::Client(c) => (&c.suites, &c.groups, &c.alpn, c.alpn_required, c.record_size_limit),
            Config::Server(c) => (&c.suites, &c.groups, &c.alpn, c.alpn_required, c.record_size_limit),
        };
        let (suites, groups, alpn) = (suites.clone(), groups.clone(), alpn.clone());
        let signs = matches!(config, Config::Server(config) if !config.psk);
        let (record_size_limit, peer) = (limit.is_some(), Expected::of(config));
        Self { suites, groups, alpn, alpn_required, record_size_limit, signs, peer }
    }

    /// The error says what cannot be.
    pub(super) fn check(&self, session: &Established, broker: &Broker) -> Result<(), &'static str> {
        let fits_peer = match (&self.peer, &session.peer) {
            (Expected::Nobody | Expected::NobodyOrCertificate, Proved::Nobody)
            | (Expected::NobodyOrCertificate | Expected::Certificate, Proved::Certificate(_)) => true,
            (Expected::Psk, Proved::Psk { identity, index }) => broker.knows_psk(*index, identity),
            _ => false,
        };
        let claims = [
            (fits_peer, "a peer that its handshake cannot have"),
            (broker.has_signed() || !self.signs, "a session for which we have not signed"),
            (self.suites.contains(&session.suite), "a cipher suite that is not allowed"),
            (self.groups.contains(&session.group), "a group that is not allowed"),
            (
                session.alpn.as_ref().map_or(!self.alpn_required, |name| self.alpn.contains(name)),
                "an application protocol that is not allowed",
            ),
            (
                session.peer_record_size_limit.is_none() || self.record_size_limit,
                "a limit that we did not negotiate",
            ),
        ];
        claims.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, lie)| Err(*lie))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::{driver::tests::session, keyring::KeySerial},
        crypto::hash::Hash,
        engine::{
            Peer, Psk, Session,
            config::{ClientConfig, ServerConfig},
        },
    };

    fn certified() -> Proved {
        Proved::Certificate("CN=peer".into())
    }

    fn psk(index: usize, identity: &[u8]) -> Proved {
        Proved::Psk { identity: identity.into(), index }
    }

    fn check(
        config: Config,
        broker: &Broker,
        change: impl FnOnce(&mut Established),
    ) -> Result<(), &'static str> {
        let mut claim = Established::from(Session { peer: Peer::Anonymous, ..session() });
        change(&mut claim);
        Bounds::of(&config).check(&claim, broker)
    }

    #[test]
    fn a_client_cannot_be_told_that_its_server_is_nobody() {
        let config = || Config::Client(ClientConfig::default());
        let signer = Broker::signer(None);
        assert_eq!(check(config(), &signer, |claim| claim.peer = certified()), Ok(()));
        for lie in [Proved::Nobody, psk(0, b"host")] {
            check(config(), &signer, |claim| claim.peer = lie).unwrap_err();
        }
    }

    #[test]
    fn a_psk_is_one_that_was_offered() {
        let offered = Psk::external(b"host", &[7; 32], Hash::Sha256).unwrap();
        let config = Config::Client(ClientConfig { psks: vec![offered], ..ClientConfig::default() });
        let bounds = Bounds::of(&config);
        let broker = Broker::offerer(vec![(KeySerial::new(11).unwrap(), b"host".into())]);
        let mut claim = Established::from(session());
        for (peer, is_true) in [
            (psk(0, b"host"), true),
            (psk(0, b"another"), false),
            (psk(1, b"host"), false),
            (Proved::Nobody, false),
            (certified(), false),
        ] {
            claim.peer = peer;
            assert_eq!(bounds.check(&claim, &broker).is_ok(), is_true, "{:?}", claim.peer);
        }
        let target = Bounds::of(&Config::Server(ServerConfig { psk: true, ..ServerConfig::default() }));
        claim.peer = psk(0, b"host");
        target.check(&claim, &Broker::finder(vec![])).expect_err("none was found");
    }

    #[test]
    fn a_server_has_signed_and_knows_only_whom_it_asked() {
        let config = |client_authentication| {
            Config::Server(ServerConfig { client_authentication, ..ServerConfig::default() })
        };
        let (mut signer, unused) = (Broker::signer(None), Broker::signer(None));
        signer.note_signature();
        for (asked, nobody, certificate) in [
            (ClientAuthentication::None, true, false),
            (ClientAuthentication::Optional, true, true),
            (ClientAuthentication::Required, false, true),
        ] {
            for (peer, is_true) in
                [(Proved::Nobody, nobody), (certified(), certificate), (psk(0, b"host"), false)]
            {
                let told = check(config(asked), &signer, |claim| claim.peer = peer.clone());
                assert_eq!(told.is_ok(), is_true, "{asked:?} {peer:?}");
            }
        }
        check(config(ClientAuthentication::None), &unused, |_| {}).expect_err("we have not signed");
    }

    #[test]
    fn parameters_are_among_those_of_the_configuration() {
        let config = |suites, groups, alpn: &[&[u8]], record_size_limit| {
            let alpn = alpn.iter().map(|name| name.to_vec()).collect();
            Config::Client(ClientConfig {
                suites,
                groups,
                alpn,
                record_size_limit,
                ..ClientConfig::default()
            })
        };
        let (suites, groups) = (|| CipherSuite::ALL.to_vec(), || vec![session().group]);
        let told = |config, change: fn(&mut Established)| {
            check(config, &Broker::signer(None), |claim| {
                claim.peer = certified();
                change(claim);
            })
        };
        let rpc = |claim: &mut Established| claim.alpn = Some(b"sunrpc".into());
        let limited = |claim: &mut Established| claim.peer_record_size_limit = Some(512);
        assert_eq!(told(config(suites(), groups(), &[b"sunrpc"], Some(512)), rpc), Ok(()));
        assert_eq!(told(config(suites(), groups(), &[], Some(512)), limited), Ok(()));
        told(config(vec![], groups(), &[], None), |_| {}).unwrap_err();
        told(config(suites(), vec![], &[], None), |_| {}).unwrap_err();
        told(config(suites(), groups(), &[b"h2"], None), rpc).unwrap_err();
        told(config(suites(), groups(), &[], None), limited).unwrap_err();
        let demanding =
            ClientConfig { alpn_required: true, alpn: vec![b"sunrpc".into()], ..ClientConfig::default() };
        assert_eq!(
            told(Config::Client(demanding), |_| {}),
            Err("an application protocol that is not allowed")
        );
    }
}
