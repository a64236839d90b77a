//! Which addresses may be connected to. A page of a public site may name
//! `http://192.168.0.1/` or a name that resolves there; fetching that would
//! archive the archivist's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::RwLock;

/// A network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: u128,
    prefix: u32,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network such as 10.0.0.0/8, fd00::/8 or 192.168.1.7")]
pub struct CidrError(String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let error = || CidrError(text.to_owned());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().map_err(|_| error())?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return Err(error());
        }
        let prefix = prefix + 128 - width;
        Ok(Self {
            network: mapped(address) & mask(prefix),
            prefix,
        })
    }
}

impl Cidr {
    /// Whether the address is in the network.
    pub fn contains(self, address: IpAddr) -> bool {
        mapped(address) & mask(self.prefix) == self.network
    }
}

/// IPv4 addresses as IPv6 maps them (RFC 4291 §2.5.5.2), so that one
/// comparison serves both.
fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

/// The rule for one crawl.
#[derive(Debug, Default)]
pub struct AddressGuard {
    allowed: Vec<Cidr>,
    seeds: RwLock<Vec<IpAddr>>,
}

impl AddressGuard {
    /// Allows public addresses and these networks.
    pub fn new(allowed: Vec<Cidr>) -> Self {
        Self {
            allowed,
            seeds: RwLock::default(),
        }
    }

    /// Allows an address because a seed names it or resolves to it.
    pub fn allow_seed(&self, address: IpAddr) {
        let mut seeds = self
            .seeds
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !seeds.contains(&address) {
            seeds.push(address);
        }
    }

    /// Whether a connection to the address may be opened.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address)
            || self.allowed.iter().any(|cidr| cidr.contains(address))
            || self
                .seeds
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .contains(&address)
    }
}

/// Whether an address is on the public internet (IANA special-purpose
/// registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let benchmarking = a == 198 && (18..20).contains(&b);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || shared
        || protocol_assignments
        || benchmarking)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let documentation = segments[0] == 0x2001 && segments[1] == 0x0db8;
    // 6to4 and NAT64 carry an IPv4 address that must be public itself.
    if segments[0] == 0x2002 {
        let v4 = (u32::from(segments[1]) << 16) | u32::from(segments[2]);
        return is_public_v4(Ipv4Addr::from_bits(v4));
    }
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let v4 = (u32::from(segments[6]) << 16) | u32::from(segments[7]);
        return is_public_v4(Ipv4Addr::from_bits(v4));
    }
    global_unicast && !documentation
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_public_addresses_are_admitted() {
        let guard = AddressGuard::default();
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::a00:1",
            "2001:db8::1",
        ] {
            assert!(!guard.admits(private.parse().unwrap()), "{private}");
        }
        for public in ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"] {
            assert!(guard.admits(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_seed_and_a_network_open_just_themselves() {
        let guard = AddressGuard::new(vec!["10.2.0.0/16".parse().unwrap()]);
        guard.allow_seed("127.0.0.1".parse().unwrap());
        let admits = |address: &str| guard.admits(address.parse().unwrap());
        assert!(admits("127.0.0.1") && admits("10.2.3.4"));
        assert!(!admits("127.0.0.2") && !admits("10.3.0.1"));
        assert!("10.0.0.0/33".parse::<Cidr>().is_err() && "home".parse::<Cidr>().is_err());
        assert!(
            "0.0.0.0/0"
                .parse::<Cidr>()
                .unwrap()
                .contains("9.9.9.9".parse().unwrap())
        );
    }
}
