//! Pages and style sheets as replay serves them: absolute URLs lead to content
//! origins at the reader's time, relative ones stay, since they already do.
//! The scanner that capture follows links with finds the places.

use std::ops::Range;

use super::way::Way;
use crate::scan::{self, Found, Kind, Role, Spot};
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Larger documents are served as they are.
pub const MAX_DOCUMENT: usize = 32 * 1024 * 1024;

/// The path, on every content origin, below which replay's own things are.
pub const RESERVED: &str = "/.lastlight/";

/// The document that is rewritten.
pub struct Document<'a> {
    /// Where addresses lead.
    pub way: Way<'a>,
    /// The URL that was asked for.
    pub url: &'a CanonicalUrl,
    /// When it was captured.
    pub captured: Timestamp14,
    /// Whether a browser shows it as a page, so that the runtime belongs in it.
    pub page: bool,
}

/// A rewritten document.
pub struct Rewritten {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is UTF-8 now and wasn't before.
    pub transcoded: bool,
}

impl Document<'_> {
    /// Rewrites the document; `charset` is what its Content-Type says.
    pub fn rewrite(&self, kind: Kind, source: &[u8], charset: Option<&str>) -> Rewritten {
        let scan = scan::scan(kind, source, self.url.url(), charset);
        let text = scan.text(source);
        let outer = scan.found.as_ptr_range();
        let replace = |found: &Found| {
            // Ranges within inner documents refer to texts of their own; there
            // a relative URL is mapped too, which leads to the same place.
            let is_outer = outer.contains(&std::ptr::from_ref(found));
            self.replacement(found, is_outer.then_some(text))
        };
        let spot = |spot: &Spot, _: &Range<usize>| match spot {
            Spot::Integrity | Spot::Ping | Spot::ContentSecurityPolicy | Spot::Hint => {
                Some(Vec::new())
            }
            Spot::HeadStart => self.page.then(|| self.runtime().into_bytes()),
        };
        Rewritten {
            bytes: scan::splice(source, &scan, replace, spot),
            transcoded: scan.transcoded.is_some(),
        }
    }

    fn replacement(&self, found: &Found, source: Option<&[u8]>) -> Option<String> {
        let text = source.and_then(|source| source.get(found.range.clone()));
        let stays = text.is_some_and(|text| self.way.stays(&String::from_utf8_lossy(text)));
        if stays || found.role == Role::Hint {
            return None;
        }
        self.way.address(found.url.clone(), Some(found.role))
    }

    /// The element that loads the runtime before anything of the page runs.
    fn runtime(&self) -> String {
        let (script, more) = self.way.runtime();
        // A canonical URL holds no quote and no `<`; `&` must be escaped.
        let url = self.url.as_str().replace('&', "&amp;").replace('"', "%22");
        let captured = self.captured;
        format!(
            "<script src=\"{script}\" data-url=\"{url}\" data-time=\"{captured}\"{more}></script>"
        )
    }
}
