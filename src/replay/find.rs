//! The one capture that stands for a URL at a time. The answer to a request
//! and what the interface says of it are made from it alike, so the banner
//! tells of what is shown.

use super::content::Capture;
use super::resolve;
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
    /// The URL that was captured, where it stands for one with a query.
    pub without_query: Option<CanonicalUrl>,
}

/// Why a capture can't be shown, though its record can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It redirects to its own URL.
    Loop,
    /// It refers to an earlier capture that the collection doesn't hold.
    Dangling,
    /// The record isn't the one that the index names, or holds no answer.
    Unfit,
    /// A captcha or bot wall.
    Challenge,
    /// A page that says "not found" without the status.
    Soft404,
}

impl Gap {
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
    Gap(Gap, CdxjEntry),
    /// No capture.
    Nothing,
}

/// The first candidate that can be shown. An error only where none can, and
/// reading one failed.
/// Where a revisit refers to what the collection doesn't hold, `others` may.
pub fn find(
    collection: &Collection,
    others: &[Collection],
    wanted: Wanted<'_>,
) -> Result<Outcome, SnapshotError> {
    let Wanted { url, at, .. } = wanted;
    let mut candidates = match wanted.posted {
        Some(posted) => resolve::with_key(collection, &posted.key(url.as_str()), url, at)?,
        None => resolve::candidates(collection, url, at)?,
    };
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
                    without_query,
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
        (None, Some((gap, entry))) => Ok(Outcome::Gap(gap, entry)),
        (None, None) => Ok(Outcome::Nothing),
    }
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
        _ => None,
    }
}

fn leads_back(capture: &Capture, url: &CanonicalUrl) -> bool {
    let head = capture.head();
    let location = head.value("location");
    matches!(capture.status(), 300..=399)
        && location.is_some_and(|to| url.join(&to).is_ok_and(|target| target == *url))
}
