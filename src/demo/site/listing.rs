//! The pages that are made from others: lists of updates and documents, the
//! month pages of the calendar without end, the sitemap and the feed. All
//! return HTML or XML in which `{{names}}` may still stand.

use jiff::civil::{Date, Weekday};

use super::page::{Document, Page, escape};

/// Updates on one listing page.
const UPDATES: usize = 4;
/// Documents on one page of the evidence library.
const DOCUMENTS: usize = 3;

/// A made page: title, summary and body.
pub(super) struct Made {
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) body: String,
}

/// Paths of all listing pages, for the sitemap and the count.
pub(super) fn paths(updates: &[&Page], documents: &[Document]) -> Vec<String> {
    let updates = (1..=updates.len().div_ceil(UPDATES)).map(updates_path);
    let documents = (1..=documents.len().div_ceil(DOCUMENTS)).map(evidence_path);
    updates.chain(documents).collect()
}

fn updates_path(page: usize) -> String {
    match page {
        1 => "/updates/".to_owned(),
        page => format!("/updates/page/{page}/"),
    }
}

fn evidence_path(page: usize) -> String {
    match page {
        1 => "/evidence/".to_owned(),
        page => format!("/evidence/?page={page}"),
    }
}

/// One listing page of the updates, counted from 1, if there is such a page.
pub(super) fn updates(updates: &[&Page], page: usize) -> Option<Made> {
    let shown = updates.chunks(UPDATES).nth(page.checked_sub(1)?)?;
    let pages = updates.len().div_ceil(UPDATES);
    let mut body = cards(shown, "h2");
    body.insert_str(0, "<ul class=\"cards\">\n");
    body.push_str("</ul>\n");
    body.push_str(&pager(page, pages, updates_path, "Newer", "Older"));
    Some(Made {
        title: numbered("Updates", page),
        summary: "News from the Inquiry, the newest first.".to_owned(),
        body,
    })
}

/// The cards of some updates, as list items with headings of one level.
pub(super) fn cards(updates: &[&Page], level: &str) -> String {
    updates
        .iter()
        .map(|update| {
            format!(
                "<li><p class=\"kicker\">{}</p><{level}><a href=\"{}\">{}</a></{level}><p>{}</p></li>\n",
                update.date,
                update.path,
                escape(update.title),
                escape(update.summary)
            )
        })
        .collect::<Vec<_>>()
        .concat()
}

/// One page of the evidence library, counted from 1, if there is such a page.
pub(super) fn evidence(documents: &[Document], page: usize) -> Option<Made> {
    let shown = documents.chunks(DOCUMENTS).nth(page.checked_sub(1)?)?;
    let pages = documents.len().div_ceil(DOCUMENTS);
    let rows = shown
        .iter()
        .map(|document| {
            format!(
                "<tr><td class=\"number\">{}</td><td><a href=\"{{{{main}}}}{}\">{}</a> (PDF)</td><td>{}</td><td class=\"number\">{}</td></tr>\n",
                document.number,
                document.path(),
                escape(document.title),
                escape(document.author),
                document.date
            )
        })
        .collect::<Vec<_>>().concat();
    let body = format!(
        "<p>These are the documents that the findings rely on. Each opens with a sheet that says who disclosed it. \
         Names and addresses of private persons have been removed.</p>\n\
         <table><caption>Documents, page {page} of {pages}</caption>\n\
         <thead><tr><th>Number</th><th>Document</th><th>From</th><th>Date</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table>\n{}",
        pager(page, pages, evidence_path, "Previous page", "Next page")
    );
    Some(Made {
        title: numbered("Evidence library", page),
        summary: "The documents that the panel relied on, as PDF files.".to_owned(),
        body,
    })
}

fn numbered(title: &str, page: usize) -> String {
    match page {
        1 => title.to_owned(),
        page => format!("{title}, page {page}"),
    }
}

fn pager(
    page: usize,
    pages: usize,
    path: fn(usize) -> String,
    before: &str,
    after: &str,
) -> String {
    let link = |shown: bool, rel: &str, page: usize, name: &str| {
        if shown {
            format!("<a rel=\"{rel}\" href=\"{}\">{name}</a>\n", path(page))
        } else {
            String::new()
        }
    };
    let links =
        link(page > 1, "prev", page - 1, before) + &link(page < pages, "next", page + 1, after);
    format!("<nav class=\"pager\" aria-label=\"Pages\">\n{links}</nav>\n")
}

/// The chapters of the findings, as list items with relative links.
pub(super) fn chapters(chapters: &[&Page]) -> String {
    chapters
        .iter()
        .map(|chapter| {
            let link = chapter.path.strip_prefix("/findings/").unwrap_or_default();
            format!(
                "<li><a href=\"{link}\">{}</a></li>\n",
                escape(chapter.title)
            )
        })
        .collect::<Vec<_>>()
        .concat()
}

/// Links to the pages before and after one page of a series.
pub(super) fn neighbours(series: &[&Page], path: &str) -> String {
    let Some(at) = series.iter().position(|page| page.path == path) else {
        return String::new();
    };
    let link = |page: &&&Page, rel: &str| {
        format!(
            "<a rel=\"{rel}\" href=\"{}\">{}</a>\n",
            page.path,
            escape(page.title)
        )
    };
    let before = at.checked_sub(1).and_then(|at| series.get(at));
    let after = series.get(at + 1);
    format!(
        "<nav class=\"chapters\" aria-label=\"Before and after\">\n{}{}</nav>\n",
        before
            .as_ref()
            .map(|page| link(page, "prev"))
            .unwrap_or_default(),
        after
            .as_ref()
            .map(|page| link(page, "next"))
            .unwrap_or_default()
    )
}

/// A month of the calendar from the rest of its path, such as `2026/11`. Each
/// links to the month before and the month after; the years 1000 to 9999
/// are more than anyone will ask for.
pub(super) fn month(rest: &str) -> Option<Made> {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (year, month) = rest.split_once('/')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4
        || year.starts_with('0')
        || month.len() != 2
        || !digits(year)
        || !digits(month)
    {
        return None;
    }
    let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
    let name = |date: Date| {
        let name = usize::try_from(date.month() - 1).map_or("", |at| NAMES[at]);
        format!("{name} {}", date.year())
    };
    let link = |date: Option<Date>, rel: &str| {
        date.filter(|date| date.year() >= 1000)
            .map_or(String::new(), |date| {
                format!(
                    "<a rel=\"{rel}\" href=\"/calendar/{:04}/{:02}\">{}</a>\n",
                    date.year(),
                    date.month(),
                    name(date)
                )
            })
    };
    let mut cells: Vec<String> = Vec::with_capacity(42);
    let lead = first.weekday().since(Weekday::Monday);
    cells.extend((0..lead).map(|_| "<td class=\"empty\"></td>".to_owned()));
    cells.extend((1..=first.days_in_month()).map(|day| format!("<td>{day}</td>")));
    while !cells.len().is_multiple_of(7) {
        cells.push("<td class=\"empty\"></td>".to_owned());
    }
    let rows = cells
        .chunks(7)
        .map(|week| format!("<tr>{}</tr>\n", week.concat()))
        .collect::<Vec<_>>()
        .concat();
    let body = format!(
        "<p>There is no hearing in this month.</p>\n<table class=\"month\">\n\
         <thead><tr><th>Mon</th><th>Tue</th><th>Wed</th><th>Thu</th><th>Fri</th><th>Sat</th><th>Sun</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table>\n<nav class=\"pager\" aria-label=\"Months\">\n{}{}</nav>\n",
        link(first.yesterday().ok().map(Date::first_of_month), "prev"),
        link(first.last_of_month().tomorrow().ok(), "next")
    );
    Some(Made {
        title: name(first),
        summary: "The calendar of the Inquiry.".to_owned(),
        body,
    })
}

/// The sitemap (sitemaps.org, 0.9) of the given paths.
pub(super) fn sitemap(paths: &[String]) -> String {
    // What stands in a frame is no page of its own.
    let pages = paths.iter().filter(|path| !path.ends_with("/frame.html"));
    let urls = pages
        .map(|path| format!("<url><loc>{{{{main}}}}{path}</loc></url>\n"))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{urls}</urlset>\n"
    )
}

/// The updates as an Atom feed (RFC 4287).
pub(super) fn feed(updates: &[&Page]) -> String {
    let time = |update: &Page| {
        let date = Date::strptime("%d %B %Y", update.date);
        date.map_or(String::new(), |date| format!("{date}T09:00:00Z"))
    };
    let entries = updates
        .iter()
        .map(|update| {
            format!(
                "<entry><id>{{{{main}}}}{path}</id><title>{}</title><updated>{}</updated>\
                 <link href=\"{{{{main}}}}{path}\"/><summary>{}</summary></entry>\n",
                escape(update.title),
                time(update),
                escape(update.summary),
                path = update.path
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <id>{{{{main}}}}/updates/</id><title>The Harrow Vale Water Inquiry: updates</title>\n\
         <author><name>The Secretary</name></author><updated>{}</updated>\n\
         <link rel=\"self\" href=\"{{{{main}}}}/updates/feed.xml\"/>\n{entries}</feed>\n",
        updates
            .first()
            .map(|update| time(update))
            .unwrap_or_default()
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_goes_on_in_both_directions() {
        let made = month("2026/12").unwrap();
        assert_eq!(made.title, "December 2026");
        assert!(made.body.contains("/calendar/2026/11"));
        assert!(made.body.contains("/calendar/2027/01"));
        // 1 December 2026 is a Tuesday.
        assert!(
            made.body
                .contains("<tr><td class=\"empty\"></td><td>1</td>")
        );
        assert!(!month("1000/01").unwrap().body.contains("rel=\"prev\""));
        assert!(!month("9999/12").unwrap().body.contains("rel=\"next\""));
        for rest in [
            "2026", "2026/13", "2026/1", "0999/01", "2026/00", "2026/-1", "2026/11/",
        ] {
            assert!(month(rest).is_none(), "{rest}");
        }
    }
}
