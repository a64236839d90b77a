//! The one capture that stands for a URL at a time. The answer to a request
//! and what the interface says of it are made from it alike, so the banner
//! tells of what is shown.

use std::sync::Arc;

use super::content::{Capture, peek};
use super::near::{self, Near};
use super::resolve;
use crate::http::coding::PROBE;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::snapshot::posted::Posted;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// So many captures of one URL are tried until one can be read.
const MAX_TRIED: usize = 20;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The archived URL.
    pub url: &'a CanonicalUrl,
    /// The reader's time.
    pub at: Timestamp14,
    /// What was sent with the request, where it isn't a GET.
    pub posted: Option<&'a Posted>,
    /// Whether a page without the URL's query may stand for it.
    pub may_lose_query: bool,
    /// Whether a near capture may stand for it, and as what that is wanted, as
    /// browsers say it in `Sec-Fetch-Dest`.
    pub may_be_near: Option<&'a str>,
    /// Whether a redirect to itself is passed over, as nothing comes of it in
    /// a browser.
    pub passes_loops: bool,
    /// Whether what isn't the site's is passed over: challenges, and pages that
    /// only say "not found".
    pub passes_marked: bool,
}

/// A capture that can be shown.
pub struct Found {
    /// The capture.
    pub capture: Capture,
    /// Set where it is of another URL than the one asked for.
    pub instead: Option<Instead>,
}

/// How a capture of another URL stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// It is of the URL without its query, which it is given here.
    WithoutQuery(CanonicalUrl),
    /// It differs in what says nothing of the document.
    Near(Near),
}

impl Instead {
    /// The URL that was captured.
    pub fn url(&self) -> &CanonicalUrl {
        match self {
            Self::WithoutQuery(url) => url,
            Self::Near(near) => &near.url,
        }
    }

    /// By what it stands for the other: `query`, or the names of rules.
    pub fn names(&self) -> String {
        match self {
            Self::WithoutQuery(_) => "query".to_owned(),
            Self::Near(near) => near.names(),
        }
    }
}

/// Why a capture can't be shown, though its record can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It redirects to its own URL.
    Loop,
    /// It refers to an earlier capture that the collection doesn't hold.
    Dangling,
    /// It refers to a capture that the operator of the replay withholds.
    Denied,
    /// The record isn't the one that the index names, or holds no answer.
    Unfit,
    /// A captcha or bot wall.
    Challenge,
    /// A page that says "not found" without the status.
    Soft404,
    /// A page that says that the site has closed, in the place of its own.
    ClosingNotice,
}

impl Gap {
    /// What it is called, where it is kept from replay by its mark alone and shown to
    /// who asks for it.
    pub fn marked_as(self) -> Option<&'static str> {
        match self {
            Self::Challenge => Some("A challenge page was captured here"),
            Self::Soft404 => Some("The site had no such page"),
            Self::ClosingNotice => Some("A closing notice was captured here"),
            Self::Loop | Self::Dangling | Self::Denied | Self::Unfit => None,
        }
    }

    /// The reason in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Loop => {
                "It was captured as a redirect to itself, which the site answered differently \
                 the second time; what it led to was not captured."
            }
            Self::Dangling => {
                "Its record is a revisit: it says that the content was that of an earlier \
                 capture, and no collection that is open here holds that one."
            }
            Self::Challenge => {
                "A captcha or a bot wall stood in the place of the page: what was captured \
                 isn't the site's."
            }
            Self::Soft404 => {
                "The site answered as it does for pages that don't exist, though not with \
                 that status."
            }
            Self::ClosingNotice => {
                "A notice that the site has closed stood in the place of the page."
            }
            Self::Denied => {
                "Its record is a revisit: its content is that of a capture which the operator of \
                 this replay withholds."
            }
            Self::Unfit => {
                "The index names a record that isn't a capture of this URL. `lastlight verify` \
                 says more."
            }
        }
    }
}

/// What there is for a URL.
pub enum Outcome {
    /// A capture to show.
    Found(Box<Found>),
    /// Captures of which none can be shown; the best of them, and why.
    Gap(Gap, Box<CdxjEntry>),
    /// No capture.
    Nothing,
    /// The operator of the replay withholds it.
    Denied,
}

/// The first candidate that can be shown. An error only where none can, and
/// reading one failed.
/// Where a revisit refers to what the collection doesn't hold, `others` may.
pub fn find(
    collection: &Collection,
    others: &[Arc<Collection>],
    wanted: Wanted<'_>,
) -> Result<Outcome, SnapshotError> {
    let Wanted { url, at, .. } = wanted;
    if collection.denies(url.as_str()) {
        return Ok(Outcome::Denied);
    }
    let mut candidates = match wanted.posted {
        Some(posted) => resolve::with_key(collection, &posted.key(url.as_str()), url, at)?,
        None => resolve::candidates(collection, url, at)?,
    };
    if candidates.is_empty()
        && wanted.posted.is_none()
        && let Some(dest) = wanted.may_be_near
    {
        // What differs in nothing that matters would be what is withheld.
        if near::is_denied(collection, url) {
            return Ok(Outcome::Denied);
        }
        if let Some(found) = near_capture(collection, others, wanted, dest)? {
            return Ok(Outcome::Found(Box::new(found)));
        }
    }
    let mut without_query = None;
    if candidates.is_empty()
        && wanted.may_lose_query
        && wanted.posted.is_none()
        && let Some((plain, pages)) = resolve::without_query(collection, url, at)?
    {
        candidates = pages;
        without_query = Some(plain);
    }
    let (mut failed, mut first) = (None, None);
    for entry in candidates.into_iter().take(MAX_TRIED) {
        if let Some(gap) = marked(&entry).filter(|_| wanted.passes_marked) {
            first = first.or(Some((gap, entry)));
            continue;
        }
        let gap = match Capture::open(collection, others, entry.clone()) {
            Ok(Ok(capture)) if wanted.passes_loops && leads_back(&capture, url) => Gap::Loop,
            Ok(Ok(capture)) => {
                return Ok(Outcome::Found(Box::new(Found {
                    capture,
                    instead: without_query.map(Instead::WithoutQuery),
                })));
            }
            Ok(Err(gap)) => gap,
            Err(error) => {
                failed = failed.or(Some(error));
                continue;
            }
        };
        first = first.or(Some((gap, entry)));
    }
    match (failed, first) {
        (Some(error), _) => Err(error),
        (None, Some((gap, entry))) => Ok(Outcome::Gap(gap, Box::new(entry))),
        // The page that would stand for it may be withheld.
        (None, None)
            if wanted.may_lose_query
                && resolve::plain(url).is_some_and(|url| collection.denies(url.as_str())) =>
        {
            Ok(Outcome::Denied)
        }
        (None, None) => Ok(Outcome::Nothing),
    }
}

/// The first near capture that can be shown and fits. One that can't be read is
/// passed over: it was not what was asked for.
fn near_capture(
    collection: &Collection,
    others: &[Arc<Collection>],
    wanted: Wanted<'_>,
    dest: &str,
) -> Result<Option<Found>, SnapshotError> {
    let start = |capture: &Capture| {
        capture.entity(collection, others, |entity| {
            let (first, mut entity) = peek(entity, PROBE);
            near::decoded_start(&capture.coding(&first), &mut entity)
        })
    };
    let candidates = near::candidates(collection, wanted.url, wanted.at)?;
    for (entry, near) in candidates.into_iter().take(MAX_TRIED) {
        if wanted.passes_marked && marked(&entry).is_some() {
            continue;
        }
        let Ok(Ok(capture)) = Capture::open(collection, others, entry) else {
            continue;
        };
        if near.fits(dest, &capture, start).unwrap_or_default() {
            return Ok(Some(Found {
                capture,
                instead: Some(Instead::Near(near)),
            }));
        }
    }
    Ok(None)
}

/// Whether a URL has an answer with something in it; told by the index alone.
pub fn is_there(collection: &Collection, url: &::url::Url, at: Timestamp14) -> bool {
    let Ok(url) = CanonicalUrl::of(url.clone()) else {
        return false;
    };
    resolve::candidates(collection, &url, at).is_ok_and(|entries| {
        // A record that isn't of HTTP has no status.
        let answers = |entry: &CdxjEntry| {
            let status = entry.status_code();
            marked(entry).is_none() && status.is_none_or(|status| (200..400).contains(&status))
        };
        entries.iter().any(answers)
    })
}

/// What keeps a capture out of the default replay.
fn marked(entry: &CdxjEntry) -> Option<Gap> {
    match entry.mark.as_deref()? {
        "challenge" => Some(Gap::Challenge),
        "soft-404" => Some(Gap::Soft404),
        "closing-notice" => Some(Gap::ClosingNotice),
        _ => None,
    }
}

fn leads_back(capture: &Capture, url: &CanonicalUrl) -> bool {
    let head = capture.head();
    let location = head.value("location");
    matches!(capture.status(), 300..=399)
        && location.is_some_and(|to| url.join(&to).is_ok_and(|target| target == *url))
}
