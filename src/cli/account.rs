//! The account of a crawl as text: the sentence to sign, and below it what is
//! missing.

use std::fmt::Write as _;

use crate::count::Kept;
use crate::verify::Account;

/// Entries of a list that are printed; the rest are counted.
const SHOWN: usize = 10;

/// The account, indented, a line an entry.
pub fn text(account: &Account) -> String {
    let mut text = format!("  {}\n", account.sentence());
    let reasons = &account.reasons;
    list(&mut text, "reasons", reasons, |reason| {
        let why = match reason.reason.as_str() {
            "" => "no reason given",
            why => why,
        };
        format!("{} {}: {}", reason.urls, reason.state, printable(why))
    });
    let what = "failed or unreached, by the page that names them first";
    list(&mut text, what, &account.pages, |page| {
        let named_by = match page.page.as_str() {
            "" => "no page",
            page => page,
        };
        let more = page.urls - page.some.len() as u64;
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let some = page.some.join(" ");
        printable(&format!("{named_by}: {} ({some}{more})", page.urls))
    });
    if account.pages.more > 0 || account.pages.largest.len() > SHOWN {
        text.push_str("      --missing FILE lists them all\n");
    }
    let what = "hosts that gave trouble, with the URLs that failed or were left";
    list(&mut text, what, &account.hosts, |host| {
        let reasons = host.reasons.iter();
        let reasons: Vec<String> = reasons.map(|(why, urls)| format!("{urls} {why}")).collect();
        let told = format!("{}: {} ({})", host.host, host.urls, reasons.join("; "));
        printable(&told)
    });
    if let Some(sitemaps) = &account.sitemaps {
        let others = sitemaps.others.iter();
        let (listed, captured) = (sitemaps.listed, sitemaps.captured);
        let _ = write!(text, "    sitemaps list {listed}: {captured} captured");
        for (what, urls) in others {
            let _ = write!(text, ", {urls} {what}");
        }
        text.push('\n');
    }
    text
}

fn list<T>(text: &mut String, what: &str, kept: &Kept<T>, entry: impl Fn(&T) -> String) {
    if kept.largest.is_empty() {
        return;
    }
    let _ = writeln!(text, "    {what}");
    for each in kept.largest.iter().take(SHOWN) {
        let _ = writeln!(text, "      {}", entry(each));
    }
    let more = kept.largest.len().saturating_sub(SHOWN) as u64 + kept.more;
    if more > 0 {
        let _ = writeln!(text, "      and {more} more (--json lists the largest)");
    }
}

/// What comes from a ledger must not forge a line of the report.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
