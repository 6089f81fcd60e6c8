//! Profiles: what a side does otherwise for some connections.
//!
//! `[authenticate.server.NAME]` has keys of two kinds. `match.*` say which connections it is for: each key that is there must be
//! met, by one of its values. All others are those of the side, and stand for the side's own; what a profile does not set, it has
//! from its side. Of the profiles that are for a connection the first in the file counts.

use std::net::{IpAddr, SocketAddr};

use crate::agent::{namespace::doorman::bare, request::Role};

use super::{
    key_file::{Problem, Setting, list},
    section::Section,
};

/// What a profile is chosen by.
#[derive(Clone, Copy, Debug)]
pub(in crate::agent) struct Connection<'a> {
    pub(in crate::agent) local: SocketAddr,
    pub(in crate::agent) peer: SocketAddr,
    /// The name of the network namespace; the agent's own has none.
    pub(in crate::agent) netns: Option<&'a str>,
}

/// A profile of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Profile {
    pub(in crate::agent) name: String,
    pub(in crate::agent) role: Role,
    matches: Matches,
    /// With all that it has from its side.
    pub(in crate::agent) section: Section,
}

/// `match.*`; an empty list is met by all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Matches {
    local_addresses: Vec<Network>,
    local_ports: Vec<u16>,
    peer_addresses: Vec<Network>,
    peer_ports: Vec<u16>,
    netns: Vec<String>,
}

/// The certificate and its key: who has one of them from the side would have a key of another certificate.
const IDENTITY: [&str; 2] = ["x509.certificate", "x509.private_key"];

impl Profile {
    pub(super) fn read(
        (role, name, line): (Role, &str, usize),
        own: &[Setting<'_>],
        of_side: &[Setting<'_>],
        warnings: &mut Vec<Problem>,
    ) -> Result<Self, Problem> {
        let (matching, own): (Vec<_>, Vec<_>) = own.iter().partition(|s| s.key.starts_with("match."));
        let mut matches = Matches::default();
        for setting in &matching {
            matches.set(setting).map_err(|problem| (setting.line, problem))?;
        }
        if matching.is_empty() {
            return Err((
                line,
                "a profile needs a match.* setting that says which connections it is for".into(),
            ));
        }
        let is_own = |key| own.iter().any(|setting| setting.key == key);
        let is_replaced = |key| is_own(key) || (IDENTITY.contains(&key) && IDENTITY.into_iter().any(is_own));
        let inherited = of_side.iter().filter(|setting| !is_replaced(setting.key));
        let section = Section::read((role, name), inherited.chain(own.iter().copied()), warnings)?;
        Ok(Self { name: name.into(), role, matches, section })
    }

    /// Whether it is for this connection.
    pub(in crate::agent) fn is_for(&self, connection: &Connection<'_>) -> bool {
        let Matches { local_addresses, local_ports, peer_addresses, peer_ports, netns } = &self.matches;
        let Connection { local, peer, netns: here } = connection;
        let has = |networks: &[Network], address: IpAddr| networks.iter().any(|network| network.has(address));
        (local_addresses.is_empty() || has(local_addresses, local.ip()))
            && (local_ports.is_empty() || local_ports.contains(&local.port()))
            && (peer_addresses.is_empty() || has(peer_addresses, peer.ip()))
            && (peer_ports.is_empty() || peer_ports.contains(&peer.port()))
            && (netns.is_empty() || here.is_some_and(|here| netns.iter().any(|name| name == here)))
    }
}

impl Matches {
    fn set(&mut self, Setting { key, value, .. }: &Setting<'_>) -> Result<(), String> {
        let entries = list(value);
        if entries.is_empty() {
            return Err(format!("{key} is empty"));
        }
        let networks = || entries.iter().map(|entry| Network::read(key, entry)).collect::<Result<_, _>>();
        let ports = || entries.iter().map(|entry| port(key, entry)).collect::<Result<_, _>>();
        match *key {
            "match.local_address" => self.local_addresses = networks()?,
            "match.local_port" => self.local_ports = ports()?,
            "match.peer_address" => self.peer_addresses = networks()?,
            "match.peer_port" => self.peer_ports = ports()?,
            "match.netns" => self.netns = entries.iter().map(|name| bare(name).into()).collect(),
            _ => {
                return Err(format!(
                    "there is no setting {key:?} (match.local_address, match.local_port, match.peer_address, match.peer_port, match.netns)"
                ));
            }
        }
        Ok(())
    }
}

fn port(key: &str, text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("{key} takes ports, not {text:?}"))
}

/// The addresses that begin like this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn read(key: &str, text: &str) -> Result<Self, String> {
        let error =
            || format!("{key} takes addresses and networks (192.0.2.0/24, 2001:db8::1), not {text:?}");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, prefix)| (a, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| error())?.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| error())?;
        let network = Self { address, prefix };
        if prefix > longest || network.rest(address) != 0 {
            return Err(format!("{key}: {text:?} is no network: the address has bits beyond the prefix"));
        }
        Ok(network)
    }

    fn has(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.start(address) == self.start(self.address)
    }

    /// The bits of an address within the prefix, at the upper end.
    fn start(self, address: IpAddr) -> u128 {
        self.rest_mask().map_or(bits(address), |mask| bits(address) & !mask)
    }

    /// The bits beyond the prefix.
    fn rest(self, address: IpAddr) -> u128 {
        self.rest_mask().map_or(0, |mask| bits(address) & mask)
    }

    fn rest_mask(self) -> Option<u128> {
        u128::MAX.checked_shr(self.prefix)
    }
}

/// An address as a number whose first bit is the address's.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => v6.into(),
    }
}
