//! Which addresses may be connected to. A page of a public site may name
//! `http://192.168.0.1/` or a name that resolves there; fetching that would
//! archive the archivist's own network.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::RwLock;

use super::HostPattern;
use crate::url::HostKey;

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
            // The parser would take a sign.
            Some((_, prefix)) if !prefix.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(error());
            }
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

impl From<Ipv4Addr> for Cidr {
    /// The network of this address alone.
    fn from(address: Ipv4Addr) -> Self {
        Self {
            network: mapped(address.into()),
            prefix: 128,
        }
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
    allowed: Vec<HostPattern>,
    seeds: RwLock<Seeds>,
}

/// What seeds name that would be refused otherwise.
#[derive(Debug, Default)]
struct Seeds {
    addresses: HashSet<(IpAddr, u16)>,
    hosts: HashMap<String, HashSet<u16>>,
}

impl AddressGuard {
    /// Allows public addresses and these networks; and behind a proxy, public
    /// names and these.
    pub fn new(allowed: Vec<HostPattern>) -> Self {
        Self {
            allowed,
            seeds: RwLock::default(),
        }
    }

    /// Allows what a seed names: its address where it is written as one (or as
    /// `localhost`, which is one by RFC 6761), at its port. A name that a
    /// resolver answers for opens nothing: whoever owns the name chooses the
    /// answer, and may choose the archivist's network.
    pub fn allow_seed(&self, seed: &HostKey) {
        let mut seeds = self
            .seeds
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let ports = seeds.hosts.entry(seed.host().to_owned()).or_default();
        ports.insert(seed.port());
        let port = service(seed.port());
        if let Some(address) = seed.literal_address() {
            seeds.addresses.insert((address.to_canonical(), port));
        } else if seed.is_localhost() {
            let loopback = LOOPBACK.map(|address| (address, port));
            seeds.addresses.extend(loopback);
        }
    }

    /// Whether a connection to this address of the host may be opened. A
    /// seed's address is open only to URLs that write it out themselves: not to
    /// names that a resolver leads there, and not at other ports.
    pub fn admits(&self, host: &HostKey, address: IpAddr) -> bool {
        if is_public(address) || self.allowed.iter().any(|a| a.contains(address)) {
            return true;
        }
        let is_written_out = host.literal_address().is_some() || host.is_localhost();
        is_written_out
            && self
                .seeds()
                .addresses
                .contains(&(address.to_canonical(), service(host.port())))
    }

    /// Whether the host's port is one that HTTP is asked for at. A page that
    /// names `http://mail.example:25/` makes its reader talk to another protocol.
    pub fn admits_port(&self, host: &HostKey) -> bool {
        BAD_PORTS.binary_search(&host.port()).is_err()
            || self
                .seeds()
                .hosts
                .get(host.host())
                .is_some_and(|ports| ports.contains(&host.port()))
    }

    /// Whether a host may be asked for whose name a proxy looks up, so that its
    /// address isn't known here: where the name can be public, a seed has that
    /// host, or it was allowed by name.
    pub fn admits_name(&self, host: &HostKey) -> bool {
        may_be_public(host.host())
            || self.seeds().hosts.contains_key(host.host())
            || self.allowed.iter().any(|allowed| allowed.matches(host))
    }

    fn seeds(&self) -> std::sync::RwLockReadGuard<'_, Seeds> {
        self.seeds
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The addresses of `localhost` and all names below it (RFC 6761 §6.3).
pub const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// http and https at their own ports are one site.
fn service(port: u16) -> u16 {
    if port == 443 { 80 } else { port }
}

/// Ports that browsers don't ask for either ("bad port", Fetch standard §2.9),
/// in order.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// Whether the world's DNS may know a name: it is below a public suffix, and
/// not among the names that are kept for networks of one's own (RFC 6762,
/// RFC 8375, and ICANN's resolution on .internal).
fn may_be_public(name: &str) -> bool {
    const OWN: [&str; 4] = [".local", ".localhost", ".internal", ".home.arpa"];
    let name = name.trim_end_matches('.');
    name.contains('.')
        && !OWN.iter().any(|own| name.ends_with(own))
        && psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

/// Whether an address is on the public internet: in no range of the IANA
/// special-purpose registries (RFC 6890), and no cloud's metadata service.
/// An IPv6 address that carries an IPv4 one is as public as that.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // Azure's, which lies in a public range; others are link-local, shared or
    // among the protocol assignments.
    const METADATA: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let [a, b, c, _] = address.octets();
    let this_network = a == 0;
    let shared = a == 100 && (64..128).contains(&b);
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let relays_of_6to4 = (a, b, c) == (192, 88, 99);
    let benchmarking = a == 198 && (18..20).contains(&b);
    let reserved_and_broadcast = a >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || this_network
        || shared
        || protocol_assignments
        || relays_of_6to4
        || benchmarking
        || reserved_and_broadcast
        || address == METADATA)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match segments {
        // 6to4 (RFC 3056), NAT64 (RFC 6052).
        [0x2002, high, low, ..] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            return is_public_v4(v4(high, low));
        }
        // ISATAP (RFC 5214 §6.1) under whatever prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] if !is_public_v4(v4(high, low)) => return false,
        _ => {}
    }
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    // Teredo, benchmarking and ORCHID among them.
    let protocol_assignments = segments[0] == 0x2001 && segments[1] < 0x200;
    let documentation = (segments[0] == 0x2001 && segments[1] == 0x0db8)
        || (segments[0] == 0x3fff && segments[1] < 0x1000);
    global_unicast && !protocol_assignments && !documentation
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url::CanonicalUrl;

    fn host(url: &str) -> HostKey {
        CanonicalUrl::parse(url).unwrap().host_key()
    }

    #[test]
    fn no_special_range_is_public_from_its_first_to_its_last_address() {
        // Every range with what lies right outside it, where that is public.
        for (first, last, before, after) in [
            ("0.0.0.0", "0.255.255.255", "", "1.0.0.0"),
            ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            (
                "100.64.0.0",
                "100.127.255.255",
                "100.63.255.255",
                "100.128.0.0",
            ),
            (
                "127.0.0.0",
                "127.255.255.255",
                "126.255.255.255",
                "128.0.0.0",
            ),
            (
                "169.254.0.0",
                "169.254.255.255",
                "169.253.255.255",
                "169.255.0.0",
            ),
            (
                "172.16.0.0",
                "172.31.255.255",
                "172.15.255.255",
                "172.32.0.0",
            ),
            ("192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"),
            ("192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"),
            (
                "192.88.99.0",
                "192.88.99.255",
                "192.88.98.255",
                "192.88.100.0",
            ),
            (
                "192.168.0.0",
                "192.168.255.255",
                "192.167.255.255",
                "192.169.0.0",
            ),
            (
                "198.18.0.0",
                "198.19.255.255",
                "198.17.255.255",
                "198.20.0.0",
            ),
            (
                "198.51.100.0",
                "198.51.100.255",
                "198.51.99.255",
                "198.51.101.0",
            ),
            (
                "203.0.113.0",
                "203.0.113.255",
                "203.0.112.255",
                "203.0.114.0",
            ),
            ("224.0.0.0", "255.255.255.255", "223.255.255.255", ""),
            (
                "168.63.129.16",
                "168.63.129.16",
                "168.63.129.15",
                "168.63.129.17",
            ),
            ("::", "::ffff", "", ""),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "", ""),
            ("100::", "100::ffff:ffff:ffff:ffff", "", ""),
            (
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "",
                "2001:200::",
            ),
            (
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db7:ffff::1",
                "2001:db9::",
            ),
            (
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3ffe:ffff::1",
                "3fff:1000::",
            ),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""),
            ("fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""),
        ] {
            for (address, public) in [(first, false), (last, false), (before, true), (after, true)]
            {
                if !address.is_empty() {
                    assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_cannot_be_public_is_admitted_where_it_is_named() {
        let allowed = ["wiki.internal", ".corp", "10.0.0.0/8"];
        let guard = AddressGuard::new(allowed.map(|text| text.parse().unwrap()).to_vec());
        guard.allow_seed(&host("http://intranet:8080/"));
        for url in [
            "http://www.example.org/",
            "https://a.co.uk./",
            "http://xn--e1afmkfd.xn--p1ai/",
            "http://expyuzz4wqqyqhjn.onion/",
            "http://wiki.internal/",
            "http://db.corp/",
            "http://intranet/",
        ] {
            assert!(guard.admits_name(&host(url)), "{url}");
        }
        for url in [
            "http://wiki/",
            "http://files.internal/",
            "http://printer.local./",
            "http://nas.home.arpa/",
            "http://x.unheard-of/",
            "http://x.intranet/",
        ] {
            assert!(!guard.admits_name(&host(url)), "{url}");
        }
    }

    #[test]
    fn metadata_services_are_refused() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_ipv6_address_is_no_more_public_than_the_ipv4_address_in_it() {
        let inside = |v4: &str| {
            let v4: Ipv4Addr = v4.parse().unwrap();
            let [a, b, c, d] = v4.octets();
            let hex = format!("{a:02x}{b:02x}:{c:02x}{d:02x}");
            [
                format!("::ffff:{hex}"),
                format!("2002:{hex}::1"),
                format!("64:ff9b::{hex}"),
                format!("2600:1:2:3:0:5efe:{hex}"),
                format!("2600:1:2:3:200:5efe:{hex}"),
            ]
        };
        for v4 in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1"] {
            for address in inside(v4) {
                assert!(!is_public(address.parse().unwrap()), "{address}");
            }
        }
        for address in inside("93.184.216.34") {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        // Deprecated or local forms are refused whatever they carry.
        for address in ["::8.8.8.8", "::ffff:0:808:808", "64:ff9b:1::808:808"] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn no_spelling_of_a_private_address_gets_past() {
        let guard = AddressGuard::default();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.1/",
            "http://0/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://0177.0x0.0.1/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://127.1./",
            "http://%31%32%37.0.0.1/",
            "http://127%2e0%2e0%2e1/",
            "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
            "http://127\u{3002}0\u{ff0e}0\u{ff61}1/",
            "http://\u{2460}\u{2461}\u{2466}.0.0.1/",
            "http://public.example@127.0.0.1/",
            "http://public.example:80@127.0.0.1:80/",
            "http://public.example%40127.0.0.1@10.0.0.1/",
            "http:\\\\127.0.0.1\\",
            "http:127.0.0.1/",
            "http:///127.0.0.1/",
            "http://127.0.0.1#@public.example/",
            "http://12\t7.0.0\n.1/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::127.0.0.1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0000:0000:0000:0000:0000:ffff:7f00:0001]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[fd00:ec2::254]/",
            "http://169.254.169.254/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://2852039166/",
            "http://192.168.257/",
        ] {
            let host = host(url);
            let address = host.literal_address().expect(url);
            assert!(!guard.admits(&host, address), "{url}");
        }
        // These are no addresses at all, to browsers as to us.
        for url in [
            "http://256.0.0.1/",
            "http://0x100000000/",
            "http://127.0.0.0.1/",
            "http://09.0.0.1/",
            "http://[fe80::1%25eth0]/",
            "http://[::1/",
            "http://127.0.0.1%00.public.example/",
        ] {
            assert!(CanonicalUrl::parse(url).is_err(), "{url}");
        }
        for url in [
            "http://localhost/",
            "http://LOCALHOST./",
            "http://any.localhost/",
            "http://a.b.localhost./",
            "http://loc%61lhost/",
            "http://\u{24db}ocalhost/",
        ] {
            let host = host(url);
            assert!(host.is_localhost(), "{url}");
            assert!(LOOPBACK.iter().all(|&at| !guard.admits(&host, at)), "{url}");
        }
    }

    #[test]
    fn a_seed_opens_its_own_address_at_its_own_port_to_those_who_write_it_out() {
        let guard = AddressGuard::default();
        guard.allow_seed(&host("http://10.1.2.3:8080/"));
        guard.allow_seed(&host("http://127.0.0.1/"));
        let admits = |url: &str, at: &str| guard.admits(&host(url), at.parse().unwrap());
        assert!(admits("http://10.1.2.3:8080/", "10.1.2.3"));
        assert!(admits("http://[::ffff:10.1.2.3]:8080/", "::ffff:10.1.2.3"));
        assert!(admits("https://127.0.0.1/", "127.0.0.1"));
        assert!(admits("http://localhost/", "127.0.0.1"));
        // Another port is another service.
        assert!(!admits("http://10.1.2.3/", "10.1.2.3"));
        assert!(!admits("http://127.0.0.1:8080/", "127.0.0.1"));
        // A name that is made to lead there is somebody else's.
        assert!(!admits("http://rebound.example:8080/", "10.1.2.3"));
        assert!(!admits("http://10.1.2.3.nip.io:8080/", "10.1.2.3"));
        assert!(!admits("http://10.1.2.4:8080/", "10.1.2.4"));
    }

    #[test]
    fn a_seed_that_is_a_name_opens_no_address() {
        let guard = AddressGuard::default();
        guard.allow_seed(&host("http://intranet.example/"));
        let private = "10.0.0.1".parse().unwrap();
        assert!(!guard.admits(&host("http://intranet.example/"), private));
        guard.allow_seed(&host("http://site.localhost:8000/"));
        for loopback in LOOPBACK {
            assert!(guard.admits(&host("http://pictures.localhost:8000/"), loopback));
        }
    }

    #[test]
    fn an_allowed_network_is_open_to_all_names_and_just_itself() {
        let guard = AddressGuard::new(vec!["10.2.0.0/16".parse().unwrap()]);
        let any = host("http://wiki.example:81/");
        let admits = |address: &str| guard.admits(&any, address.parse().unwrap());
        assert!(admits("10.2.3.4") && admits("::ffff:10.2.3.4"));
        assert!(!admits("10.3.0.1") && !admits("10.1.255.255"));
        for text in [
            "10.0.0.0/33",
            "home",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "10.1/16",
            "",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        let everything: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains("9.9.9.9".parse().unwrap()));
        assert!(!everything.contains("fd00::1".parse().unwrap()));
    }

    #[test]
    fn ports_of_other_protocols_are_refused_unless_a_seed_names_them() {
        assert!(BAD_PORTS.is_sorted());
        let guard = AddressGuard::default();
        guard.allow_seed(&host("http://old.example:6667/"));
        for (url, admitted) in [
            ("http://a.example/", true),
            ("https://a.example/", true),
            ("http://a.example:8080/", true),
            ("http://a.example:25/", false),
            ("http://a.example:0/", false),
            ("https://a.example:22/", false),
            ("http://a.example:10080/", false),
            ("http://a.example:6667/", false),
            ("http://old.example:6667/", true),
        ] {
            assert_eq!(guard.admits_port(&host(url)), admitted, "{url}");
        }
    }
}
