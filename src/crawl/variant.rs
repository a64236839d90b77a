//! URLs that are another spelling or view of one page: with another session
//! id, with their parameters in another order, with a parameter that sorts,
//! shares or replies.

use crate::config::Traps;
use crate::url::CanonicalUrl;

/// What a URL is a variant of, and how many such variants are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The trap's name in the ledger.
    pub trap: String,
    /// Equal for variants of one page of one kind.
    pub key: String,
    /// The page without what makes the variant; none where no spelling is the
    /// plain one.
    pub page: Option<CanonicalUrl>,
    /// Variants that are taken besides the first.
    pub most: u32,
    /// Whether it is one only if what they show is the same: its session id is
    /// one by its look, and may be a story's.
    pub is_guess: bool,
}

/// The name of the trap of session ids.
pub const SESSION_ID: &str = "trap-session-id";

/// Everything that a URL is a variant of.
pub fn variants(url: &CanonicalUrl, traps: &Traps) -> Vec<Variant> {
    let mut variants = Vec::new();
    let mut page = url.url().clone();
    if drop_sessions(&mut page, &|field| is_session(field, traps)) {
        variants.extend(variant(SESSION_ID.into(), &page, traps.sessions));
    }
    if drop_sessions(&mut page, &|field| is_guessed(field, traps)) {
        let guess = variant(SESSION_ID.into(), &page, traps.sessions);
        variants.extend(guess.map(|variant| Variant {
            key: format!("guessed {}", variant.key),
            is_guess: true,
            ..variant
        }));
    }
    let views = views(&page, traps);
    if let Some((name, most)) = views.iter().min_by_key(|(_, most)| *most) {
        let trap = format!("trap-parameter: {name}");
        keep_fields(&mut page, |field| view(field, traps).is_none());
        variants.extend(variant(trap, &page, *most));
    }
    if let Some(key) = in_order(url) {
        variants.push(Variant {
            trap: "trap-query-permutation".into(),
            key,
            page: None,
            most: traps.permutations,
            is_guess: false,
        });
    }
    variants
}

/// A URL without what is, or looks like, a session id.
pub fn without_sessions(url: &CanonicalUrl, traps: &Traps) -> String {
    let mut page = url.url().clone();
    drop_sessions(&mut page, &|field| {
        is_session(field, traps) || is_guessed(field, traps)
    });
    page.into()
}

/// What in a URL may be a session id by its name and value.
pub fn guessed_id(url: &CanonicalUrl, traps: &Traps) -> Option<String> {
    if !url.as_str().contains(['?', ';']) {
        return None;
    }
    let in_path = url.url().path().split(['/', ';']);
    let in_query = url.url().query().unwrap_or_default().split('&');
    let ids: Vec<&str> = in_path
        .chain(in_query)
        .filter(|field| is_guessed(field, traps))
        .collect();
    (!ids.is_empty()).then(|| ids.join("&"))
}

fn variant(trap: String, page: &::url::Url, most: u32) -> Option<Variant> {
    let page = CanonicalUrl::of(page.clone()).ok()?;
    let key = format!("{trap} {page}");
    Some(Variant {
        trap,
        key,
        page: Some(page),
        most,
        is_guess: false,
    })
}

/// The parameters of a URL that act or make a view, each with its budget.
fn views(url: &::url::Url, traps: &Traps) -> Vec<(String, u32)> {
    let fields = url.query().unwrap_or_default().split('&');
    fields.filter_map(|field| view(field, traps)).collect()
}

/// The name and budget of a field that acts or makes a view. What only may make
/// one is told by its value: `?dir=asc` does, and `?dir=reports` is a page.
fn view(field: &str, traps: &Traps) -> Option<(String, u32)> {
    let name = name(field);
    if let Some(&most) = traps.parameters.get(&name) {
        return Some((name, most));
    }
    let most = *traps.views.get(&name)?;
    let value = field.split_once('=').map_or("", |(_, value)| value);
    is_view(value, traps).then_some((name, most))
}

/// Whether a value is made of words that sort or show: `price`, `-post_date`,
/// `name:asc`, `price%20desc`.
fn is_view(value: &str, traps: &Traps) -> bool {
    let value = value.to_ascii_lowercase();
    let value = ["%20", "%2b", "%2c", "%3a", "%7c", "%5b", "%5d"]
        .iter()
        .fold(value, |value, escape| value.replace(escape, "+"));
    value
        .split(|c: char| c.is_ascii_punctuation() && c != '%')
        .filter(|word| !word.is_empty())
        .all(|word| traps.view_values.contains(word))
}

/// The key of a URL with two parameters at least: those in order of their
/// names. The values of one name keep theirs, which may mean something.
fn in_order(url: &CanonicalUrl) -> Option<String> {
    let (before, query) = url.as_str().split_once('?')?;
    let mut fields: Vec<&str> = query.split('&').collect();
    if fields.len() < 2 {
        return None;
    }
    fields.sort_by_key(|field| field.split('=').next());
    Some(format!("order {before}?{}", fields.join("&")))
}

/// The path of a URL with the names of its parameters in order, and the path
/// alone.
pub fn names(url: &CanonicalUrl) -> Option<(String, &str)> {
    let (path, query) = url.as_str().split_once('?')?;
    let mut names: Vec<&str> = query
        .split('&')
        .map(|field| field.split('=').next().unwrap_or_default())
        .collect();
    names.sort_unstable();
    Some((format!("{path}?{}", names.join("&")), path))
}

/// The name of a field as lists have it: `a%5B%5D` is `a[]`, in lower case.
fn name(field: &str) -> String {
    let name = field.split('=').next().unwrap_or_default();
    let name = name.replace("%5B", "[").replace("%5D", "]");
    name.to_ascii_lowercase()
}

fn keep_fields(url: &mut ::url::Url, keep: impl Fn(&str) -> bool) {
    let query = url.query().unwrap_or_default();
    let kept: Vec<&str> = query.split('&').filter(|field| keep(field)).collect();
    let kept = kept.join("&");
    url.set_query((!kept.is_empty()).then_some(&kept));
}

/// Takes the session ids out of a URL; whether there were any.
fn drop_sessions(url: &mut ::url::Url, is_session: &dyn Fn(&str) -> bool) -> bool {
    let mut dropped = false;
    if let Some(query) = url.query()
        && query.split('&').any(is_session)
    {
        dropped = true;
        keep_fields(url, |field| !is_session(field));
    }
    let path = url.path();
    if !path.contains(';') && !path.contains("/(") {
        return dropped;
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        // ASP.NET's cookieless sessions: /(S(24 letters or digits))/.
        if segment.starts_with('(') && segment.ends_with("))") && segment.len() > 20 {
            continue;
        }
        let mut pieces = segment.split(';');
        let mut kept = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces.filter(|piece| !is_session(piece)) {
            kept.push(';');
            kept.push_str(piece);
        }
        segments.push(kept);
    }
    let kept = segments.join("/");
    if kept == path {
        return dropped;
    }
    url.set_path(&kept);
    true
}

/// Whether a field is a session id by its name.
fn is_session(field: &str, traps: &Traps) -> bool {
    is_listed(field, &traps.session_ids).is_some()
}

/// Whether a field may be a session id by its name and value.
fn is_guessed(field: &str, traps: &Traps) -> bool {
    is_listed(field, &traps.random_ids).is_some_and(is_random)
}

/// The value of a field whose name is listed, if it has one.
fn is_listed<'f>(field: &'f str, list: &[String]) -> Option<&'f str> {
    let (_, value) = field.split_once('=')?;
    let name = name(field);
    let is_listed = list.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(&start.to_ascii_lowercase()),
        None => name.eq_ignore_ascii_case(known),
    });
    (is_listed && !value.is_empty()).then_some(value)
}

/// 16 letters, digits or hyphens at least, with a letter and two digits among
/// them: no word that a reader searches for, and no number.
fn is_random(value: &str) -> bool {
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let others = value.bytes().filter(|b| matches!(b, b'-' | b'_')).count();
    value.len() >= 16 && letters > 0 && digits > 1 && letters + digits + others == value.len()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;

    /// Trap, page and budget of each variant.
    fn of(path: &str) -> Vec<(String, Option<String>, u32)> {
        let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        let found = variants(&url, &Config::defaults().traps).into_iter();
        found
            .map(|v| {
                (
                    v.trap,
                    v.page
                        .map(|page| page.url()[::url::Position::BeforePath..].to_owned()),
                    v.most,
                )
            })
            .collect()
    }

    #[test]
    fn session_ids_are_known_by_name_or_by_their_look() {
        for (path, page) in [
            ("/a;jsessionid=1A2B?x=1", "/a?x=1"),
            ("/a;v=2;jsessionid=1A2B/b", "/a;v=2/b"),
            ("/a?PHPSESSID=abc&x=1", "/a?x=1"),
            ("/a?ASPSESSIONIDQWERTYUI=ABCDEFGH", "/a"),
            ("/a?x=1&sid=0123456789abcdef0123456789abcdef", "/a?x=1"),
            ("/(S(abcdefghij0123456789abcd))/page.aspx", "/page.aspx"),
        ] {
            let found = of(path);
            assert_eq!(found[0].0, "trap-session-id", "{path}");
            assert_eq!(found[0].1.as_deref(), Some(page), "{path}");
        }
        for path in [
            "/a?sid=17",
            "/a?s=parliament",
            "/a?session=2026",
            "/a?sid=2026-11-12-03-04-05",
            "/a;v=2",
            "/(a)",
        ] {
            assert_eq!(of(path), [], "{path}");
        }
    }

    #[test]
    fn views_and_orders_are_variants() {
        let one = |trap: &str, page: &str, most| (trap.to_owned(), Some(page.to_owned()), most);
        assert_eq!(
            of("/p/?replytocom=7"),
            [one("trap-parameter: replytocom", "/p/", 0)]
        );
        assert_eq!(
            of("/p?page=2&Sort=price&replytocom=1")[0],
            one("trap-parameter: replytocom", "/p?page=2", 0)
        );
        assert_eq!(of("/p?sort=price"), [one("trap-parameter: sort", "/p", 5)]);
        let key = |path: &str| {
            variants(
                &CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap(),
                &Config::defaults().traps,
            )[0]
            .key
            .clone()
        };
        assert_eq!(key("/p?b=2&a=1"), key("/p?a=1&b=2"));
        assert_ne!(
            key("/p?a=1&a=2"),
            key("/p?a=2&a=1"),
            "the order of one name's values may mean something"
        );
        assert_eq!(of("/p?a=1"), []);
    }

    #[test]
    fn an_id_that_only_looks_like_a_sessions_is_a_guess() {
        let guesses = |path: &str| -> Vec<(bool, String)> {
            let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
            let found = variants(&url, &Config::defaults().traps).into_iter();
            found
                .filter_map(|v| Some((v.is_guess, v.page?.url().query()?.to_owned())))
                .collect()
        };
        let id = "sid=0123456789abcdef0123456789abcdef";
        assert_eq!(guesses(&format!("/a?x=1&{id}")), [(true, "x=1".into())]);
        // Taking out the one that certainly is leaves the other.
        assert_eq!(
            guesses(&format!("/a?x=1&{id}&PHPSESSID=1")),
            [(false, format!("x=1&{id}")), (true, "x=1".into())]
        );
    }

    #[test]
    fn a_parameter_makes_a_view_only_with_a_value_that_looks_like_one() {
        for path in [
            "/p?dir=desc",
            "/p?order=price",
            "/p?sort=-post_date",
            "/p?sort=Name%3AASC",
            "/p?sort_by=price%20desc",
            "/p?order=0",
            "/p?print=1",
            "/p?print",
            "/p?printable=yes",
            "/p?share=twitter",
        ] {
            assert_eq!(
                of(path).iter().map(|v| v.1.as_deref()).collect::<Vec<_>>(),
                [Some("/p")],
                "{path}"
            );
        }
        for path in [
            "/p?dir=reports",
            "/p?dir=/reports/2019",
            "/p?order=12345",
            "/p?print=linocut-3",
            "/p?sort=apples",
            "/p?share=8f14e45f",
            "/p?order=caf%C3%A9",
        ] {
            assert_eq!(of(path), [], "{path}");
        }
        // What is a page of its own has views of its own.
        assert_eq!(
            of("/p?order=12345&print=1")[0],
            (
                "trap-parameter: print".into(),
                Some("/p?order=12345".into()),
                2
            )
        );
    }
}
