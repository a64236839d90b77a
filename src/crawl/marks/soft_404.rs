//! Pages that say "not found" with the status of a page that is there. What
//! they look like is learned per host by asking once for a URL that can't exist.
//! A real page must never be taken for one: a page is marked only where its
//! words are the probe's, but for its own address, numbers, and a few others
//! under the probe's very title.

use std::collections::HashSet;

use crate::crawl::page_text::{Part, each_text};
use crate::http::Head;
use crate::url::CanonicalUrl;

/// Bytes of a page that are looked at.
pub const LOOKED_AT: usize = 256 * 1024;
/// Bins of a page's sketch.
const BINS: usize = 64;
/// Bins that must agree for pages of one title to be alike: about 95 of a
/// hundred sequences of words.
const ALIKE: usize = 61;
/// Pages with fewer words have too little to be alike; one that has a script
/// too is made by it.
const FEW_WORDS: u32 = 20;

/// What an answer looks like to somebody who looks for missing pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imprints {
    /// A page.
    Page(Box<PageImprint>),
    /// It leads to this URL.
    Redirect(String),
}

/// A page's words in few bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageImprint {
    /// Of all words in order.
    text: u64,
    /// Of the title's.
    title: u64,
    words: u32,
    /// Whether a script makes it.
    is_shell: bool,
    /// The least hash of three words in a row in each bin.
    bins: [u32; BINS],
}

/// What a host's missing pages look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// They say so by their status, or nothing can be learned.
    Plain,
    /// Like this.
    Like(Imprints),
}

impl Look {
    /// What a probe's answer teaches. `known` are pages that are certainly
    /// there: a host that answers everything alike (an application in one
    /// page) tells nothing by it.
    pub fn learned(probe: Option<Imprints>, known: &[Imprints]) -> Self {
        let Some(look) = probe.map(Self::Like) else {
            return Self::Plain;
        };
        // Every page of an application that scripts make may look so, and none
        // that the server tells to be missing.
        let is_shell = matches!(&look, Self::Like(Imprints::Page(page)) if page.is_shell);
        if is_shell || known.iter().any(|page| look.is_like(page)) {
            return Self::Plain;
        }
        look
    }

    /// Whether an answer is one of the missing pages.
    pub fn is_like(&self, imprints: &Imprints) -> bool {
        match (self, imprints) {
            (Self::Like(Imprints::Redirect(target)), Imprints::Redirect(other)) => target == other,
            (Self::Like(Imprints::Page(probe)), Imprints::Page(page)) => probe.is_like(page),
            _ => false,
        }
    }

    /// As the store keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain => Vec::new(),
            Self::Like(imprints) => imprints.to_bytes(),
        }
    }

    /// As the store kept it.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Imprints::from_bytes(bytes).map_or(Self::Plain, Self::Like)
    }
}

impl Imprints {
    /// What the answer to `url` looks like; `None` for what is neither a page
    /// nor a redirect. `page` is the payload of a page, its codings removed.
    pub fn of(url: &CanonicalUrl, head: &Head<'_>, page: Option<&[u8]>) -> Option<Self> {
        match head.status()? {
            200 => page.map(|page| Self::Page(Box::new(PageImprint::of(url, page)))),
            301 | 302 | 303 | 307 | 308 => {
                let target = crate::links::redirect(url, head)?;
                // To the same page elsewhere, or to a login that leads back.
                let last = url.url().path_segments()?.rfind(|part| !part.is_empty());
                let last = last.unwrap_or_default().to_ascii_lowercase();
                let stem = last.split('.').next().unwrap_or_default();
                let says_itself =
                    last.is_empty() || target.as_str().to_ascii_lowercase().contains(&last);
                let is_front = matches!(stem, "index" | "default" | "home" | "main" | "start");
                (!says_itself && !is_front).then(|| Self::Redirect(target.to_string()))
            }
            _ => None,
        }
    }

    /// As the store keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Redirect(target) => [b"r", target.as_bytes()].concat(),
            Self::Page(page) => {
                let mut bytes = b"p".to_vec();
                bytes.extend_from_slice(&page.text.to_le_bytes());
                bytes.extend_from_slice(&page.title.to_le_bytes());
                bytes.extend_from_slice(&page.words.to_le_bytes());
                bytes.extend(page.bins.iter().flat_map(|bin| bin.to_le_bytes()));
                bytes.push(u8::from(page.is_shell));
                bytes
            }
        }
    }

    /// As the store kept it.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        if *kind == b'r' {
            return Some(Self::Redirect(String::from_utf8_lossy(rest).into_owned()));
        }
        let (text, rest) = rest.split_first_chunk::<8>()?;
        let (title, rest) = rest.split_first_chunk::<8>()?;
        let (words, rest) = rest.split_first_chunk::<4>()?;
        let mut bins = [0; BINS];
        for (bin, bytes) in bins.iter_mut().zip(rest.as_chunks::<4>().0) {
            *bin = u32::from_le_bytes(*bytes);
        }
        Some(Self::Page(Box::new(PageImprint {
            text: u64::from_le_bytes(*text),
            title: u64::from_le_bytes(*title),
            words: u32::from_le_bytes(*words),
            is_shell: rest.get(BINS * 4) == Some(&1),
            bins,
        })))
    }
}

impl PageImprint {
    /// The words of a page, without those of its own address and with all
    /// numbers alike.
    fn of(url: &CanonicalUrl, page: &[u8]) -> Self {
        let own = own_words(url);
        let mut imprint = Self {
            text: SEED,
            title: SEED,
            words: 0,
            is_shell: false,
            bins: [u32::MAX; BINS],
        };
        let mut before = [0; 2];
        let page = &page[..page.len().min(LOOKED_AT)];
        let mut has_script = false;
        let mut take = |word: &[u8], is_title| {
            if own.contains(word) {
                return;
            }
            let hash = hash(SEED, word);
            let sum = if is_title {
                &mut imprint.title
            } else {
                &mut imprint.text
            };
            *sum = mixed(*sum ^ hash);
            if is_title {
                return;
            }
            imprint.words += 1;
            let three = mixed(before[0] ^ mixed(before[1] ^ mixed(hash)));
            before = [before[1], hash];
            let bin = &mut imprint.bins[(three % BINS as u64) as usize];
            *bin = (*bin).min((three >> 32) as u32);
        };
        each_text(page, |text, part| match part {
            Part::Script => has_script = true,
            _ => words_of(text, &mut |word: &[u8]| take(word, part == Part::Title)),
        });
        imprint.is_shell = has_script && imprint.words < FEW_WORDS;
        imprint
    }

    /// A page is alike where its words are the same; or nearly, under the same
    /// title.
    fn is_like(&self, page: &Self) -> bool {
        if self.title != page.title {
            return false;
        }
        if self.text == page.text && self.words == page.words {
            return true;
        }
        let (less, more) = (self.words.min(page.words), self.words.max(page.words));
        let agree = self.bins.iter().zip(&page.bins).filter(|(a, b)| a == b);
        less >= FEW_WORDS && more - less <= more / 20 && agree.count() >= ALIKE && self.has_title()
    }

    /// Under no title nothing but the same words is alike.
    fn has_title(&self) -> bool {
        self.title != SEED
    }
}

/// What a page says, as a number: all its words but those of its own address;
/// and whether those are few, as a script makes the page.
pub fn text(url: &CanonicalUrl, page: &[u8]) -> (u64, bool) {
    let page = PageImprint::of(url, page);
    (mixed(page.title ^ mixed(page.text)), page.is_shell)
}

/// The words of a URL's path and query, as a page may repeat them.
fn own_words(url: &CanonicalUrl) -> HashSet<Vec<u8>> {
    let target = url.request_target();
    let mut decoded = Vec::new();
    let mut bytes = target.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |digit: Option<u8>| digit.and_then(|digit| (digit as char).to_digit(16));
        if byte == b'%' {
            let mut ahead = bytes.clone();
            if let (Some(high), Some(low)) = (hex(ahead.next()), hex(ahead.next())) {
                decoded.push((high * 16 + low) as u8);
                bytes = ahead;
                continue;
            }
        }
        decoded.push(byte);
    }
    let mut words = HashSet::new();
    for text in [target.as_bytes(), &decoded] {
        words_of(text, &mut |word: &[u8]| {
            words.insert(word.to_vec());
        });
    }
    words
}

/// Gives the words that a reader of a page sees, in lower case and with all
/// numbers as `0`, and whether they stand in its title.
pub fn each_word(page: &[u8], mut sink: impl FnMut(&[u8], bool)) {
    each_text(page, |text, part| {
        if part != Part::Script {
            words_of(text, &mut |word: &[u8]| sink(word, part == Part::Title));
        }
    });
}

fn words_of(text: &[u8], sink: &mut dyn FnMut(&[u8])) {
    let mut word = Vec::new();
    let separates = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    for part in text.split(separates).filter(|part| !part.is_empty()) {
        word.clear();
        for &byte in part {
            if !byte.is_ascii_digit() {
                word.push(byte.to_ascii_lowercase());
            } else if word.last() != Some(&b'0') {
                word.push(b'0');
            }
        }
        sink(&word);
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: the same on every machine, since it goes into the store.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(seed, step)
}

fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const MENU: &str = "<nav>Home About the inquiry Hearings Evidence Reports Contact Search \
        Accessibility Cookies Privacy notice Terms of reference Core participants News</nav>";

    fn page(path: &str, title: &str, body: &str) -> Imprints {
        let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        let html = format!("<html><title>{title}</title><script>var t = 1</script>{MENU}{body}");
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        Imprints::of(&url, &Head::parse(head), Some(html.as_bytes())).unwrap()
    }

    fn redirect(path: &str, to: &str) -> Option<Imprints> {
        let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n");
        Imprints::of(&url, &Head::parse(head.as_bytes()), None)
    }

    #[test]
    fn what_differs_by_address_and_numbers_only_is_alike() {
        let missing = |path: &str, id: u32| {
            let body = format!("<p>Sorry, we can't find {path}. Incident {id} at 10:0{id}.</p>");
            page(path, "Not found", &body)
        };
        let look = Look::learned(Some(missing("/lastlight-probe-1a2b", 1)), &[]);
        assert!(look.is_like(&missing("/old/caf%C3%A9", 7)));
        assert_eq!(Look::from_bytes(&look.to_bytes()), look);
        // A page with the same menu, and as little of its own.
        assert!(!look.is_like(&page(
            "/old/page",
            "Hearing",
            "<p>Adjourned until Monday.</p>"
        )));
        // Even under the same title.
        assert!(!look.is_like(&page(
            "/x",
            "Not found",
            "<p>A history of things not found.</p>"
        )));
    }

    #[test]
    fn a_few_other_words_count_under_the_same_title_only() {
        let long =
            "the requested page could not be found on this server anywhere today ".repeat(20);
        let with = |title: &str, word: &str| {
            let numbered = "alpha beta gamma delta epsilon zeta eta theta ".repeat(25);
            page("/p", title, &format!("{long}{numbered}<p>{word}</p>"))
        };
        let look = Look::learned(Some(with("Gone", "first")), &[]);
        assert!(look.is_like(&with("Gone", "second")));
        assert!(!look.is_like(&with("Report of the second day", "second")));
        let nameless = Look::learned(Some(with("", "first")), &[]);
        assert!(!nameless.is_like(&with("", "second")));
    }

    #[test]
    fn a_host_that_answers_everything_alike_tells_nothing() {
        let app = |path: &str| page(path, "App", "<div id=root></div>");
        let look = Look::learned(Some(app("/probe")), &[app("/")]);
        assert_eq!(look, Look::Plain);
        assert!(!look.is_like(&app("/any")));
        assert_eq!(Look::learned(None, &[app("/")]), Look::Plain);
    }

    #[test]
    fn a_shell_that_scripts_fill_tells_nothing() {
        let html = |path: &str, body: &str| {
            let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
            let head = b"HTTP/1.1 200 OK\r\n\r\n";
            Imprints::of(&url, &Head::parse(head), Some(body.as_bytes())).unwrap()
        };
        let shell = "<title>Museum</title><noscript>You need to enable JavaScript to run this \
            app.</noscript><div id=root></div><script src=/app.js></script>";
        // The front page is made by the server, so it doesn't look so.
        let front = html("/", &format!("<title>Museum</title>{MENU}{MENU}"));
        let look = Look::learned(Some(html("/probe", shell)), std::slice::from_ref(&front));
        assert_eq!(look, Look::Plain);
        let plain = shell.replace("script", "b");
        let look = Look::learned(Some(html("/probe", &plain)), std::slice::from_ref(&front));
        assert!(look.is_like(&html("/x", &plain)));
        let long = format!("{shell}{MENU}<p>Sorry, there is no such page on this site of ours.");
        let look = Look::learned(Some(html("/probe", &long)), &[front]);
        assert!(look.is_like(&html("/x", &long)));
        let kept = html("/probe", shell);
        assert_eq!(Imprints::from_bytes(&kept.to_bytes()), Some(kept));
    }

    #[test]
    fn redirects_to_one_place_are_alike_unless_they_name_the_page() {
        let look = Look::learned(redirect("/probe-1", "/"), &[]);
        assert!(look.is_like(&redirect("/gone.html", "http://a.example/").unwrap()));
        assert!(!look.is_like(&redirect("/gone.html", "/archive/").unwrap()));
        assert_eq!(redirect("/index.html", "/"), None);
        assert_eq!(redirect("/a/page", "https://a.example/a/page"), None);
        assert_eq!(redirect("/a/page", "/login?next=%2Fa%2Fpage"), None);
        assert_eq!(Look::from_bytes(&look.to_bytes()), look);
    }

    #[test]
    fn words_are_those_that_a_reader_sees_and_nothing_panics() {
        let html =
            b"<title>T 12</title><!-- no --><STYLE>no</STYLE>a<b>b</b><script>no</script>c-d";
        let mut words = Vec::new();
        each_word(html, |word, title| {
            words.push((String::from_utf8_lossy(word).into_owned(), title));
        });
        let told: Vec<(&str, bool)> = words
            .iter()
            .map(|(word, title)| (&word[..], *title))
            .collect();
        assert_eq!(
            told,
            [
                ("t", true),
                ("0", true),
                ("a", false),
                ("b", false),
                ("c", false),
                ("d", false)
            ]
        );
        for cut in 0..html.len() {
            each_word(&html[..cut], |_, _| {});
        }
    }
}
