//! The query of a key: its fields sorted, session ids left out.

use super::escape;

/// The query sorted by name and then value, a field without `=` first; empty if nothing is left.
pub fn canonical(query: &str) -> String {
    let mut query = escape::canonical(query);
    strip_session_ids(&mut query);
    if !query.contains('&') {
        return query;
    }
    let mut fields: Vec<_> = query.split('&').collect();
    fields.sort_by_key(|field| match field.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (*field, None),
    });
    fields.join("&")
}

/// Takes out the last id of each kind that servers are known to add, in this order, as
/// `URLRegexTransformer` of webarchive-commons has it.
fn strip_session_ids(query: &mut String) {
    // Every kind has this in its name, and most queries don't have any.
    if !query.contains("id") {
        return;
    }
    strip_last(query, |field| ends_with_id(field, "jsessionid="));
    strip_last(query, |field| ends_with_id(field, "phpsessid="));
    strip_last(query, |field| ends_with_id(field, "sid="));
    strip_last(query, ends_with_asp_session);
    strip_coldfusion(query);
}

/// Removes, in the last field in which `find` finds an id, all from it to the next field.
fn strip_last(query: &mut String, find: impl Fn(&str) -> Option<usize>) {
    let mut end = query.len();
    for field in query.rsplit('&') {
        let start = end - field.len();
        if let Some(at) = find(field) {
            remove(query, start + at, end);
            return;
        }
        end = start.saturating_sub(1);
    }
}

/// Removes `start..end` and the `&` after it.
fn remove(query: &mut String, start: usize, end: usize) {
    query.replace_range(start..(end + 1).min(query.len()), "");
}

/// Where `name` followed by 32 letters or digits begins, at the end of `field`.
fn ends_with_id(field: &str, name: &str) -> Option<usize> {
    let (before, id) = field.split_at_checked(field.len().checked_sub(32)?)?;
    let letters = id.bytes().all(|b| b.is_ascii_alphanumeric());
    (letters && before.ends_with(name)).then(|| before.len() - name.len())
}

/// `ASPSESSIONID`, 8 letters, `=` and 24 letters.
fn ends_with_asp_session(field: &str) -> Option<usize> {
    const NAME: &str = "aspsessionid";
    let start = field.len().checked_sub(NAME.len() + 8 + 1 + 24)?;
    let (suffix, id) = field.get(start..)?.strip_prefix(NAME)?.split_once('=')?;
    let letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphabetic());
    (suffix.len() == 8 && letters(suffix) && letters(id)).then_some(start)
}

/// `CFID` and, in the next field, `CFTOKEN`, neither of them empty.
fn strip_coldfusion(query: &mut String) {
    let mut end = query.len();
    let mut token_end = None;
    for field in query.rsplit('&') {
        let start = end - field.len();
        let id = field.get(..field.len().saturating_sub(1));
        if let (Some(token_end), Some(at)) = (token_end, id.and_then(|id| id.rfind("cfid="))) {
            remove(query, start + at, token_end);
            return;
        }
        let is_token = field
            .strip_prefix("cftoken=")
            .is_some_and(|t| !t.is_empty());
        token_end = is_token.then_some(end);
        end = start.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn fields_sort_by_name_then_value() {
        for (query, sorted) in [
            ("b&a&c=&a=1&=2&&", "&&=2&a&a=1&b&c="),
            ("a-=c&a=b", "a=b&a-=c"),
            ("b=&b&b==&b=a", "b&b=&b==&b=a"),
            ("b%26a", "a&b"),
            ("B&a&C", "a&b&c"),
        ] {
            assert_eq!(canonical(query), sorted, "{query}");
        }
    }

    #[test]
    fn the_last_id_of_each_kind_goes() {
        for (query, left) in [
            (format!("jsessionid={ID}&b"), "b".to_owned()),
            (
                format!("z&jsessionid={ID}&jsessionid={ID}&y"),
                format!("jsessionid={ID}&y&z"),
            ),
            (
                format!("phpsessid={ID}&phpsessid={ID}&b"),
                "phpsesb".to_owned(),
            ),
            (
                format!("a&sid={ID}&PHPSESSID={ID}&jsessionid={ID}"),
                "&a".to_owned(),
            ),
            (format!("z&jsessionid={ID}x"), format!("jsessionid={ID}x&z")),
            (
                "xASPSESSIONIDABCDEFGH=ABCDEFGHIJKLMNOPQRSTUVWX&c".to_owned(),
                "xc".to_owned(),
            ),
            ("a&CFID=1&CFTOKEN=2&b".to_owned(), "a&b".to_owned()),
            (
                "cfid=1&cftoken=2cfid=3&cftoken=4&b".to_owned(),
                "cfid=1&cftoken=2b".to_owned(),
            ),
            ("cfid=cfid=&cftoken=cftoken=".to_owned(), String::new()),
            (
                "cfid=1&x&cftoken=2".to_owned(),
                "cfid=1&cftoken=2&x".to_owned(),
            ),
            (
                "cfid=&cftoken=2&b".to_owned(),
                "b&cfid=&cftoken=2".to_owned(),
            ),
        ] {
            assert_eq!(canonical(&query), left, "{query}");
        }
    }
}
