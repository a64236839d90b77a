//! The host of a key: IDNA, IPv4 in its many spellings, `www` left out, labels reversed.

use std::{borrow::Cow, net::Ipv4Addr};

use super::escape;

/// The host in lower case and ASCII, its escapes undone, without `www`; empty if there is none.
pub fn canonical(host: &str) -> String {
    let name = escape::unescaped(host);
    let mut ascii = String::with_capacity(name.len());
    match to_ascii(&name) {
        Some(encoded) => escape::push_escaped(&mut ascii, encoded.as_bytes()),
        None => escape::push_escaped(&mut ascii, &name),
    }
    let host = without_stray_dots(&ascii);
    match ipv4(&host) {
        Some(address) => address.to_string(),
        None => without_www(&host).to_owned(),
    }
}

/// Appends the labels from the top level down. Those of an IPv4 address are reversed like any.
pub fn push_reversed(key: &mut String, host: &str) {
    for (nth, label) in host.rsplit('.').enumerate() {
        if nth > 0 {
            key.push(',');
        }
        key.push_str(label);
    }
}

/// IDNA by the older rules (RFC 3490), which peers' keys follow: `ß` is `ss`, `ς` is `σ`, and
/// joiners vanish; bytes that aren't UTF-8 do too. None if the name is ASCII already or a label
/// can't be encoded; it is escaped as it stands then.
///
/// The mapping tables are those of the newer rules (UTS 46), which differ for names that no
/// registry gives out: unassigned characters, some of mixed direction, and ASCII signs such as
/// `|` beside other alphabets.
fn to_ascii(name: &[u8]) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    let mut mapped = String::with_capacity(name.len() + 8);
    for c in name.utf8_chunks().flat_map(|chunk| chunk.valid().chars()) {
        match c {
            'ß' | 'ẞ' => mapped.push_str("ss"),
            'ς' => mapped.push('σ'),
            '\u{200c}' | '\u{200d}' => {}
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => mapped.push('.'),
            _ => mapped.push(c),
        }
    }
    if mapped.is_empty() {
        return Some(mapped);
    }
    let labels = mapped.strip_suffix('.').unwrap_or(&mapped).split('.');
    let ascii: Option<Vec<_>> = labels.map(label_to_ascii).collect();
    Some(ascii?.join("."))
}

fn label_to_ascii(label: &str) -> Option<Cow<'_, str>> {
    // Punycode takes quadratic time, and no label this long can shrink to the 63 bytes allowed
    // unless it is padded with characters that vanish.
    if label.len() > 1024 {
        return None;
    }
    let ascii = if label.is_ascii() {
        Cow::Borrowed(label)
    } else {
        // The top level added here keeps a label of digits from being read as an IPv4 address.
        let ::url::Host::Domain(domain) = ::url::Host::parse(&format!("{label}.a")).ok()? else {
            return None;
        };
        Cow::Owned(domain.strip_suffix(".a")?.to_owned())
    };
    // RFC 1034 §3.1.
    (1..64).contains(&ascii.len()).then_some(ascii)
}

/// Without dots at either end, and with each pair of dots made one; three leave two, as peers have
/// it.
fn without_stray_dots(host: &str) -> String {
    host.trim_matches('.').replace("..", ".")
}

/// An address as a 32-bit decimal number of any size, or in the way of `inet_aton` (POSIX): two
/// to four parts, octal with a leading zero, the last filling what is left. Not hexadecimal.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    if !host.starts_with(|c: char| c.is_ascii_digit())
        || !host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return None;
    }
    let Some((leading, last)) = host.rsplit_once('.') else {
        let number = host.bytes().fold(0_u32, |number, digit| {
            number
                .wrapping_mul(10)
                .wrapping_add(u32::from(digit - b'0'))
        });
        return Some(Ipv4Addr::from_bits(number));
    };
    let mut bits = 0;
    let mut free = 32;
    for part in leading.split('.') {
        free -= 8;
        if free == 0 {
            return None;
        }
        bits |= u32::from(u8::try_from(part_of_address(part)?).ok()?) << free;
    }
    let last = part_of_address(last)?;
    (last >> free == 0).then(|| Ipv4Addr::from_bits(bits | last))
}

fn part_of_address(digits: &str) -> Option<u32> {
    let radix = if digits.starts_with('0') { 8 } else { 10 };
    u32::from_str_radix(digits, radix).ok()
}

/// Without `www` and any digits after it, once, if a host is left.
fn without_www(host: &str) -> &str {
    host.strip_prefix("www")
        .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_ipv4_address_is_one() {
        for (host, address) in [
            ("192.0.2.7", "192.0.2.7"),
            ("0300.0.02.07", "192.0.2.7"),
            ("3221225991", "192.0.2.7"),
            ("192.0.519", "192.0.2.7"),
            ("192.519", "192.0.2.7"),
            ("010", "0.0.0.10"),
            ("4294967297", "0.0.0.1"),
            ("192.16777215", "192.255.255.255"),
            ("\u{ff11}.\u{ff12}", "1.0.0.2"),
        ] {
            assert_eq!(canonical(host), address);
        }
        for other in [
            "256.1.2.3",
            "1.2.3.256",
            "1.08.3.4",
            "1.2.3.4.5",
            "1.2.3.0x4",
            "192.16777216",
            "0400.1.1.1",
        ] {
            assert_eq!(canonical(other), other);
        }
    }

    #[test]
    fn www_goes_once() {
        for (host, left) in [
            ("WWW.inquiry.example", "inquiry.example"),
            ("www12.inquiry.example", "inquiry.example"),
            ("www1.www2.example", "www2.example"),
            ("www..example.", "example"),
            ("www.", "www"),
            ("www...example", ".example"),
            ("www-1.example", "www-1.example"),
            ("wwwinquiry.example", "wwwinquiry.example"),
            ("%77ww%2einquiry.example", "inquiry.example"),
        ] {
            assert_eq!(canonical(host), left);
        }
    }

    #[test]
    fn other_alphabets_are_encoded_or_else_escaped() {
        let long = "é".repeat(64);
        for (host, ascii) in [
            ("CAFÉ.example", "xn--caf-dma.example"),
            ("caf%c3%a9.example", "xn--caf-dma.example"),
            ("straße.example", "strasse.example"),
            ("ΑΣ.example", "xn--mxa0b.example"),
            ("a\u{3002}b", "a.b"),
            ("a\u{200d}b.example", "ab.example"),
            ("\u{ff57}ww.é", "xn--9ca"),
            ("é..example", "%c3%a9.example"),
            ("\u{e000}.example", "%ee%80%80.example"),
            ("i%ff.example", "i.example"),
            ("%ff", ""),
            ("i%ff..example", "i%ff.example"),
            ("É..example", "%c3%89.example"),
            (&long, &"%c3%a9".repeat(64)),
        ] {
            assert_eq!(canonical(host), ascii);
        }
    }
}
