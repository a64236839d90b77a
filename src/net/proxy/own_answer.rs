//! Telling what a forwarding proxy says itself from what it passes on. Only
//! what is certain is taken for the proxy's: anything else is the site's answer
//! and captured as such.

use crate::http::Head;

/// What a proxy answered in the host's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAnswer {
    /// What it says.
    pub reason: String,
    /// Whether it won't have this very request, rather than that there is no way
    /// for now.
    pub is_denial: bool,
}

/// `Server` of programs that forward for their users, where they answer
/// themselves. A host that stands behind one is passed on with `Via`.
const PROGRAMS: [&str; 3] = ["squid", "tinyproxy", "mitmproxy"];

/// Reasons in Privoxy's own status lines; it names itself nowhere else in the
/// head.
const REASONS: [&str; 5] = [
    "Request blocked by Privoxy",
    "No such domain",
    "Forwarding failure",
    "No server or forwarder data received",
    "Server or forwarder response invalid",
];

/// Types of `Proxy-Status` errors of which RFC 9209 §2.3 says that only an
/// intermediary generates such an answer, by their beginnings.
const NO_ANSWER: [&str; 9] = [
    "dns_",
    "destination_",
    "connection_refused",
    "connection_timeout",
    "connection_limit_reached",
    "tls_certificate_error",
    "http_request_",
    "http_upgrade_failed",
    "proxy_",
];

/// What the proxy itself says with this head, if it is certain that it does.
pub fn recognise(head: &Head<'_>) -> Option<OwnAnswer> {
    let status = head.status().filter(|status| *status >= 400)?;
    let own = |reason: String| {
        Some(OwnAnswer {
            reason,
            is_denial: status < 500 && status != 407,
        })
    };
    if status == 407 {
        return own("it asks for a login (407): set proxy.login".into());
    }
    // Whoever is passed on through a second proxy may have got its error from
    // one before the host: that is the site's.
    let passed_on = head.values("via").flat_map(|via| members(&via)).count();
    if passed_on > 1 {
        return None;
    }
    if let Some(error) = proxy_status_error(head) {
        let says_so = NO_ANSWER.iter().any(|kind| error.starts_with(kind));
        if says_so || matches!(status, 502..=504) {
            return own(format!("it answers {status} itself: {error}"));
        }
    }
    if let Some(error) = head.value("x-squid-error") {
        let error = error.split_ascii_whitespace().next().unwrap_or_default();
        return own(format!("it answers {status} itself: {error}"));
    }
    if passed_on > 0 {
        return None;
    }
    let server = head.value("server").unwrap_or_default();
    let server = server.to_ascii_lowercase();
    let program = server.split(['/', ' ']).next().unwrap_or_default();
    let line = String::from_utf8_lossy(head.start_line);
    let is_privoxy = REASONS.iter().any(|reason| {
        let before = line.trim_end().strip_suffix(reason);
        before.is_some_and(|before| before.ends_with(' '))
    });
    if is_privoxy || PROGRAMS.contains(&program) {
        return own(format!("it answers {:?} itself", line.trim_end()));
    }
    None
}

/// The error of the proxy that is nearest to us: the last member's, as each adds
/// its own at the end (RFC 9209 §2).
fn proxy_status_error(head: &Head<'_>) -> Option<String> {
    let last = head.values("proxy-status").last()?;
    let member = members(&last).pop()?;
    let parameters = split_outside_strings(&member, ';');
    parameters.iter().skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == "error").then(|| value.trim().to_owned())
    })
}

/// The members of a list.
fn members(list: &str) -> Vec<String> {
    let members = split_outside_strings(list, ',').into_iter();
    members
        .map(|member| member.trim().to_owned())
        .filter(|member| !member.is_empty())
        .collect()
}

/// Splits where a separator stands outside of quoted strings (RFC 8941 §3.3.3).
fn split_outside_strings(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut is_string, mut is_escaped) = (false, false);
    for c in text.chars() {
        if c == separator && !is_string {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        is_string ^= c == '"' && !is_escaped;
        is_escaped = is_string && c == '\\' && !is_escaped;
        part.push(c);
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Option<OwnAnswer> {
        recognise(&Head::parse(head.as_bytes()))
    }

    #[test]
    fn a_proxys_own_errors_are_told() {
        for (head, word, is_denial) in [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                "407",
                false,
            ),
            (
                "HTTP/1.1 504 Gateway Timeout\r\nProxy-Status: cdn.example, mine;error=connection_timeout\r\n\r\n",
                "connection_timeout",
                false,
            ),
            (
                "HTTP/1.1 502 Bad Gateway\r\nProxy-Status: a\r\nproxy-status: \"b;error=x,\" ; details=\"a;error=y,\\\"\"; error=tls_alert_received\r\n\r\n",
                "tls_alert_received",
                false,
            ),
            (
                "HTTP/1.1 403 Forbidden\r\nProxy-Status: mine; error=http_request_denied\r\n\r\n",
                "http_request_denied",
                true,
            ),
            (
                "HTTP/1.1 503 Service Unavailable\r\nServer: squid/5.7\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\nVia: 1.1 mine (squid/5.7)\r\n\r\n",
                "ERR_DNS_FAIL",
                false,
            ),
            (
                "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n",
                "ERR_ACCESS_DENIED",
                true,
            ),
            (
                "HTTP/1.0 500 Unable to connect\r\nServer: tinyproxy/1.11.1\r\n\r\n",
                "Unable to connect",
                false,
            ),
            (
                "HTTP/1.1 502 Bad Gateway\r\nServer: mitmproxy 10.1.5\r\n\r\n",
                "502",
                false,
            ),
            (
                "HTTP/1.1 404 No such domain\r\n\r\n",
                "No such domain",
                true,
            ),
        ] {
            let own = of(head).unwrap_or_else(|| panic!("{head}"));
            assert!(own.reason.contains(word), "{own:?}");
            assert_eq!(own.is_denial, is_denial, "{own:?}");
        }
    }

    #[test]
    fn what_may_be_the_sites_is_the_sites() {
        for head in [
            "HTTP/1.1 200 OK\r\nX-Squid-Error: ERR_NONE\r\n\r\n",
            "HTTP/1.1 403 Forbidden\r\nServer: nginx\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\nServer: squid/5.7\r\nVia: 1.1 mine\r\n\r\n",
            // The site's own proxy, and ours behind it.
            "HTTP/1.1 503 Unavailable\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\nVia: 1.1 cdn, 1.1 mine\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway\r\nProxy-Status: cdn;error=dns_error, mine\r\nVia: 1.1 mine\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nProxy-Status: mine;error=http_response_incomplete\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nProxy-Status: mine;details=\"x;error=dns_error\"\r\n\r\n",
            "",
        ] {
            assert_eq!(of(head), None, "{head}");
        }
    }
}
