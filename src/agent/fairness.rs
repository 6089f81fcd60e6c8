//! Fairness between peers: when there is no more room, whoever takes the most of it gives way.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use super::border::Number;

/// Where a peer is. Whoever has an IPv6 address has all of its /64.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    /// An address means something else in each namespace.
    netns: String,
    network: IpAddr,
}

impl Origin {
    pub(super) fn new(netns: &str, address: IpAddr) -> Self {
        let network = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        };
        Self { netns: netns.to_owned(), network }
    }
}

/// The newest handshake of the origin that has the most; the numbers of handshakes tell their age.
pub(super) fn who_gives_way(handshakes: impl Iterator<Item = (Number, Origin)>) -> Option<Number> {
    let mut shares: BTreeMap<Origin, (usize, Number)> = BTreeMap::new();
    for (number, origin) in handshakes {
        let (count, newest) = shares.entry(origin).or_default();
        (*count, *newest) = (*count + 1, number.max(*newest));
    }
    shares.into_values().max().map(|(_, newest)| newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loser(handshakes: &[(Number, &str)]) -> Option<Number> {
        who_gives_way(handshakes.iter().map(|(n, address)| (*n, Origin::new("", address.parse().unwrap()))))
    }

    #[test]
    fn the_newest_of_the_greediest_gives_way() {
        assert_eq!(loser(&[(1, "192.0.2.1"), (2, "192.0.2.1"), (3, "192.0.2.2")]), Some(2));
        assert_eq!(loser(&[(1, "192.0.2.1"), (2, "192.0.2.2")]), Some(2), "among equals the last to come");
        assert_eq!(loser(&[]), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_origin_and_a_namespace_another() {
        assert_eq!(loser(&[(1, "2001:db8::1"), (2, "2001:db8::2:0:0:1"), (3, "2001:db8:0:1::1")]), Some(2));
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert_ne!(Origin::new("blue", address), Origin::new("", address));
    }
}
