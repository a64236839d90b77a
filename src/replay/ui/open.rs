//! A capture in a browser of its own, at the original address: the page that
//! says what that is and has the button, and what its button does.

use askama::Template;

use super::moment::{Moment, clipped};
use super::problem::Problem;
use super::query::Query;
use super::{Site, UiResponse, html, link};
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

#[derive(Template)]
#[template(path = "replay/ui/open.html")]
struct Page {
    collection: String,
    home: String,
    shown: String,
    time: Moment,
    view: String,
    action: String,
    can_be: bool,
    outcome: Option<Result<(), String>>,
    command: String,
}

/// `posted` is set where the button was pressed, and not by another website.
pub(super) fn page(
    site: Site<'_>,
    collection: &Collection,
    query: &Query,
    posted: bool,
) -> Result<UiResponse, Problem> {
    let (asked, name) = (query.text("url"), &collection.name);
    let url = CanonicalUrl::parse(asked).map_err(|_| Problem::NoUrl(clipped(asked, 200)))?;
    let time: Timestamp14 = query.text("time").parse().map_err(|_| Problem::NoPage)?;
    let outcome = posted.then(|| site.opener.open(name, &url, time));
    let failed = matches!(outcome, Some(Err(_)));
    let page = Page {
        collection: name.clone(),
        home: link::collection(name),
        shown: clipped(url.as_str(), 300),
        time: Moment(time),
        view: link::view(name, time, &url),
        action: link::open(name, time, &url),
        can_be: site.opener.is_there(),
        outcome,
        command: format!(
            "lastlight replay {} --open {}",
            quoted(&collection.path.display().to_string()),
            quoted(url.as_str())
        ),
    };
    Ok(html(if failed { 503 } else { 200 }, &page))
}

/// A word of a shell's command line.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_line_stay_one_word() {
        assert_eq!(quoted("/a/b-1.warc.gz"), "/a/b-1.warc.gz");
        assert_eq!(quoted("http://x/?a=b&c"), "'http://x/?a=b&c'");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
        assert_eq!(quoted(""), "''");
    }
}
