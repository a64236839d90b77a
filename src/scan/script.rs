//! What scripts and data name. Imports, workers and `new URL(.., import.meta.url)`
//! are certain; the arguments of `fetch` and of navigations nearly so; any other
//! string is a guess, guarded so that junk stays out. Nothing is ever rewritten
//! here, and nothing is run: strings are joined where they are added to each
//! other or to a constant, and that is all.

use super::entity::{self, Place};
use super::mention::Resolved;
use super::{Mention, Role, json};
use encoding_rs::{Encoding, UTF_8};
use guard::Ground;
use std::borrow::Cow;
use std::collections::HashMap;
use token::{Token, Tokens};
use url::Url;

mod guard;
mod token;

/// Longer strings hold data, not URLs; what stands in them is not looked for.
const LONGEST: usize = 256 << 10;
/// Texts that one script may name.
const MOST: usize = 20_000;
/// Constants of one script that are remembered.
const CONSTANTS: usize = 2_000;

/// Reads a script or a JSON document that is an answer of its own. `own` is its
/// address, which modules are relative to; `page` the page that uses it, which
/// everything else is relative to. Without a page such texts are passed over.
pub fn mentions(
    source: &[u8],
    own: &Url,
    page: Option<&Url>,
    http_charset: Option<&str>,
) -> Vec<Mention> {
    let charset = http_charset
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .unwrap_or(UTF_8);
    // The mark goes before what HTTP says.
    let (text, charset, _) = charset.decode(source);
    let mut resolved = Resolved::default();
    read(&text, &mut |named| {
        let base = match named.against {
            Against::Script => Some(own),
            Against::Page => page.or_else(|| is_absolute(&named.text).then_some(own)),
            // What a comment tells about other sites is no part of this one.
            Against::Site if is_on_site(&named.text, own) => Some(own),
            Against::Site => None,
        };
        if let Some(base) = base {
            resolved.add(&named.text, named.role, base, charset);
        }
    });
    resolved.mentions
}

/// Whether a text means the same whatever page of a site it is resolved on.
fn is_absolute(text: &str) -> bool {
    text.starts_with('/') || text.contains("://")
}

fn is_on_site(text: &str, own: &Url) -> bool {
    Url::parse(text).is_ok_and(|url| url.host() == own.host())
}

/// What a text is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// The script's own address.
    Script,
    /// The page that runs it.
    Page,
    /// Nothing: it counts only where it is absolute and of the script's site.
    Site,
}

/// A text that is likely to be a URL.
pub(super) struct Named<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) role: Role,
    pub(super) against: Against,
}

impl<'t> Named<'t> {
    /// A text that is relative to the page.
    pub(super) fn of_page(text: Cow<'t, str>, role: Role) -> Self {
        Self {
            text,
            role,
            against: Against::Page,
        }
    }

    /// Whether it counts only where it is of the script's own site, which a
    /// page's scripts have none of.
    pub(super) fn is_of_another_site(&self) -> bool {
        self.against == Against::Site
    }
}

/// Whether a value that is named like a URL's is likely to be one.
pub(super) fn is_reference(text: &str) -> bool {
    guard::is_url(text, Ground::Named)
}

/// Whether a value that a person may have typed names a page or document.
pub(super) fn is_document(text: &str) -> bool {
    guard::is_document(text)
}

/// Whether the value of something of this name is likely to be a URL.
pub(super) fn is_value(name: &str, value: &str) -> bool {
    let ground = if is_url_name(name) {
        Ground::Named
    } else {
        Ground::Bare
    };
    guard::is_url(value, ground)
}

/// Reports what a script or a JSON text names, in order.
pub(super) fn read<'t>(text: &'t str, report: &mut dyn FnMut(Named<'t>)) {
    read_on(text, Ground::Bare, report);
}

/// Reports what the code of an event handler or of a `javascript:` URL names.
pub(super) fn read_handler<'t>(text: &'t str, report: &mut dyn FnMut(Named<'t>)) {
    read_on(text, Ground::Handler, report);
}

fn read_on<'t>(text: &'t str, ground: Ground, report: &mut dyn FnMut(Named<'t>)) {
    let mut reader = Reader {
        before: [Seen::Nothing; 4],
        constants: HashMap::new(),
        pending: None,
        imports_scripts: false,
        ground,
        named: 0,
        report,
    };
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        reader.token(token, &tokens);
        if reader.named > MOST {
            return;
        }
    }
    reader.flush(false);
}

/// Reports what a text names that is markup, a template or a list: only what
/// needs no code to be read.
pub(super) fn read_text<'t>(text: &'t str, report: &mut dyn FnMut(Named<'t>)) {
    pieces(text, |piece, is_named| {
        let ground = if is_named {
            Ground::Named
        } else {
            Ground::Bare
        };
        let text = decoded(piece, is_named);
        if guard::is_url(&text, ground) {
            report(Named::of_page(text, Role::Guess));
        }
    });
}

/// What was read before the current token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen<'t> {
    Nothing,
    Word(&'t str),
    Mark(u8),
    String(&'t str),
}

/// What a string is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// `import`, `export .. from`, `import(..)`.
    Module,
    /// `new Worker(..)` and its kin.
    Worker,
    /// `importScripts(..)`.
    Scripts,
    /// `new URL(.., import.meta.url)`.
    Asset,
    /// `location = ..`, `window.open(..)`.
    Navigation,
    /// Anything else.
    Other(Ground),
}

/// A string, or several that are added, whose end isn't known yet.
struct Pending<'t> {
    text: Cow<'t, str>,
    purpose: Use,
    /// Whether something unknown stands before it.
    is_open: bool,
    /// The constant that it defines.
    name: Option<&'t str>,
}

struct Reader<'t, 'r> {
    /// The last tokens, comments left out, the newest first.
    before: [Seen<'t>; 4],
    /// The value of each constant; `None` where it has several.
    constants: HashMap<&'t str, Option<String>>,
    pending: Option<Pending<'t>>,
    /// Whether the arguments of `importScripts` are being read.
    imports_scripts: bool,
    /// How a string stands that nothing is told of.
    ground: Ground,
    named: usize,
    report: &'r mut dyn FnMut(Named<'t>),
}

impl<'t> Reader<'t, '_> {
    fn token(&mut self, token: Token<'t>, tokens: &Tokens<'t>) {
        let seen = match token {
            Token::Comment(text) => return self.comment(text),
            Token::String(text) => {
                self.string(text, false, tokens.ahead());
                Seen::String(text)
            }
            Token::Template {
                text,
                after_hole,
                before_hole,
            } => {
                self.string(text, after_hole, tokens.ahead());
                if before_hole {
                    self.flush(true);
                }
                Seen::String(text)
            }
            Token::Word(word) => {
                self.word(word, tokens.ahead());
                Seen::Word(word)
            }
            // What is added may still follow.
            Token::Mark(b'+') if self.pending.is_some() => Seen::Mark(b'+'),
            Token::Mark(mark) => {
                self.flush(false);
                self.imports_scripts &= mark != b')';
                Seen::Mark(mark)
            }
            Token::Pattern => {
                self.flush(false);
                Seen::Nothing
            }
        };
        self.before.rotate_right(1);
        self.before[0] = seen;
    }

    fn string(&mut self, text: &'t str, is_open: bool, ahead: &str) {
        let text = if text.len() > LONGEST { "" } else { text };
        let text = json::unescape(Cow::Borrowed(text));
        if is_open {
            self.flush(true);
        }
        if self.before[0] == Seen::Mark(b'+')
            && let Some(pending) = &mut self.pending
        {
            if pending.text.len() + text.len() <= LONGEST {
                pending.text.to_mut().push_str(&text);
            }
            return;
        }
        self.begin(text, is_open, ahead);
    }

    /// A string begins, or a constant that strings are added to.
    fn begin(&mut self, text: Cow<'t, str>, is_open: bool, ahead: &str) {
        self.flush(false);
        let name = match self.before {
            [
                Seen::Mark(b'='),
                Seen::Word(name),
                Seen::Word("const" | "let" | "var") | Seen::Mark(b','),
                _,
            ] if name.len() > 2 => Some(name),
            _ => None,
        };
        self.pending = Some(Pending {
            text,
            purpose: self.purpose(ahead),
            is_open: is_open || self.before[0] == Seen::Mark(b'+'),
            name,
        });
    }

    fn word(&mut self, word: &'t str, ahead: &str) {
        let value = (word.len() > 2)
            .then(|| self.constants.get(word).cloned().flatten())
            .flatten();
        // A member of that name is something else.
        let value = value.filter(|_| self.before[0] != Seen::Mark(b'.'));
        let goes_on = !ahead.starts_with(['.', '(', '[']);
        let is_added = self.before[0] == Seen::Mark(b'+') && self.pending.is_some();
        match value {
            Some(value) if is_added && goes_on => {
                if let Some(pending) = &mut self.pending
                    && pending.text.len() + value.len() <= LONGEST
                {
                    pending.text.to_mut().push_str(&value);
                }
            }
            Some(value) if ahead.starts_with('+') && !ahead[1..].starts_with(['+', '=']) => {
                self.begin(Cow::Owned(value), false, ahead);
            }
            _ => {
                self.flush(is_added);
                self.imports_scripts |= word == "importScripts";
            }
        }
    }

    /// What the string is used for that begins behind the last tokens; `ahead`
    /// is what stands behind it.
    fn purpose(&self, ahead: &str) -> Use {
        use Seen::{Mark, String, Word};
        let [b0, b1, b2, b3] = self.before;
        let is_member = |seen| seen == Mark(b'.');
        match (b0, b1) {
            (Word("import" | "from"), _) if !is_member(b1) => Use::Module,
            (Mark(b'('), Word("import")) if !is_member(b2) => Use::Module,
            (Mark(b'('), Word("Worker" | "SharedWorker")) if b2 == Word("new") => Use::Worker,
            (Mark(b'('), Word("register")) if b3 == Word("serviceWorker") => Use::Worker,
            (Mark(b'('), Word("addModule")) if is_member(b2) => Use::Worker,
            (Mark(b'(' | b','), _) if self.imports_scripts => Use::Scripts,
            (Mark(b'('), Word("URL")) if b2 == Word("new") && is_own_address(ahead) => Use::Asset,
            (Mark(b'('), Word("fetch" | "getJSON" | "getScript" | "EventSource" | "Request")) => {
                Use::Other(Ground::Taken)
            }
            (Mark(b','), String("GET" | "get" | "HEAD")) if b3 == Word("open") => {
                Use::Other(Ground::Taken)
            }
            (Mark(b'='), Word("location")) => Use::Navigation,
            (Mark(b'='), Word("href")) | (Mark(b'('), Word("assign" | "replace"))
                if is_member(b2) && b3 == Word("location") =>
            {
                Use::Navigation
            }
            (Mark(b'('), Word("open")) if !is_member(b2) || b3 == Word("window") => Use::Navigation,
            (Mark(b'='), Word("src" | "href" | "action" | "poster")) if is_member(b2) => {
                Use::Other(Ground::Taken)
            }
            (Mark(b':' | b'=' | b','), Word(name) | String(name)) if is_url_name(name) => {
                Use::Other(Ground::Named)
            }
            (Mark(b'('), Word("get" | "ajax" | "load" | "when" | "navigate")) if is_member(b2) => {
                Use::Other(Ground::Named)
            }
            _ => Use::Other(self.ground),
        }
    }

    /// The pending string is whole, or goes on with something unknown.
    fn flush(&mut self, goes_on: bool) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let is_whole = !goes_on && !pending.is_open;
        if let Some(name) = pending.name
            && is_whole
        {
            self.define(name, &pending.text);
        }
        let (role, against, ground) = match pending.purpose {
            Use::Module => {
                if is_whole && is_specifier(&pending.text) {
                    self.name(pending.text, Role::Script, Against::Script);
                } else if is_whole
                    && pending.text.contains('/')
                    && guard::is_file_url(&pending.text)
                {
                    // An import map maps it: mostly the name of a folder to that folder,
                    // which is at the site's root or beside the script.
                    let at_root = Cow::Owned(format!("/{}", pending.text));
                    self.name(at_root, Role::Guess, Against::Script);
                    self.name(pending.text, Role::Guess, Against::Script);
                }
                return;
            }
            Use::Worker => (Role::Script, Against::Page, Ground::Taken),
            Use::Scripts => (Role::Script, Against::Script, Ground::Taken),
            Use::Asset => (Role::Requisite, Against::Script, Ground::Taken),
            Use::Navigation => (Role::Page, Against::Page, Ground::Taken),
            Use::Other(ground) => (Role::Guess, Against::Page, ground),
        };
        if is_whole {
            if guard::is_url(&pending.text, ground) {
                return self.name(pending.text, role, against);
            }
        } else if !pending.is_open {
            let known = guard::known_part(&pending.text);
            if let Some(known) = known.filter(|known| guard::is_url(known, Ground::Bare)) {
                return self.name(Cow::Owned(known.to_owned()), Role::Guess, against);
            }
        } else if !goes_on && guard::is_file_url(&pending.text) {
            return self.name(pending.text, Role::Guess, against);
        } else if !goes_on && guard::is_picture(&pending.text) {
            // It takes the place of another, whose folder is mostly the script's.
            return self.name(pending.text, Role::Guess, Against::Script);
        }
        self.embedded(&pending, goes_on);
    }

    /// URLs in a string of markup, CSS or JSON.
    fn embedded(&mut self, pending: &Pending<'t>, goes_on: bool) {
        if !pending.text.contains(['<', '(', ' ', '"', '\'']) {
            return;
        }
        // JSON in a string is escaped once more.
        let unescaped = pending.text.contains("\\/");
        let unescaped = unescaped.then(|| pending.text.replace("\\/", "/"));
        let text = unescaped.as_deref().unwrap_or(&pending.text);
        let mut found = Vec::new();
        pieces(text, |piece, is_named| {
            let start = piece.as_ptr().addr() - text.as_ptr().addr();
            let is_cut =
                (pending.is_open && start == 0) || (goes_on && start + piece.len() == text.len());
            if is_cut {
                return;
            }
            let decoded = decoded(piece, is_named);
            let is_url = if is_named {
                guard::is_url(&decoded, Ground::Named)
            } else {
                guard::is_file_url(&decoded)
            };
            if is_url {
                found.push(decoded.into_owned());
            }
        });
        for text in found {
            self.name(Cow::Owned(text), Role::Guess, Against::Page);
        }
    }

    fn define(&mut self, name: &'t str, text: &str) {
        if text.len() > 200 || self.constants.len() >= CONSTANTS {
            return;
        }
        let value = self.constants.entry(name);
        value
            .and_modify(|value| {
                if value.as_deref() != Some(text) {
                    *value = None;
                }
            })
            .or_insert_with(|| Some(text.to_owned()));
    }

    fn comment(&mut self, text: &'t str) {
        let mark = text.strip_prefix(['#', '@']).map(str::trim_start);
        if let Some(url) = mark.and_then(|text| text.strip_prefix("sourceMappingURL=")) {
            let url = url.split_whitespace().next().unwrap_or_default();
            if !url.starts_with("data:") {
                self.name(Cow::Borrowed(url), Role::Guess, Against::Script);
            }
            return;
        }
        if text.contains("://") {
            pieces(text, |piece, _| {
                if piece.contains("://") && guard::is_url(piece, Ground::Bare) {
                    self.name(Cow::Borrowed(piece), Role::Guess, Against::Site);
                }
            });
        }
    }

    fn name(&mut self, text: Cow<'t, str>, role: Role, against: Against) {
        self.named += 1;
        (self.report)(Named {
            text,
            role,
            against,
        });
    }
}

/// Whether the script's own address is the base that follows: `, import.meta.url)`.
fn is_own_address(ahead: &str) -> bool {
    ahead
        .strip_prefix(',')
        .is_some_and(|rest| rest.trim_start().starts_with("import.meta.url"))
}

/// Whether a module's name is a URL: not bare, which an import map resolves.
fn is_specifier(text: &str) -> bool {
    ["/", "./", "../", "http://", "https://"]
        .iter()
        .any(|start| text.starts_with(start))
        && !text.contains(char::is_whitespace)
}

/// Whether a member, variable or attribute of this name is likely to hold a URL.
pub(super) fn is_url_name(name: &str) -> bool {
    const ENDS: &[&str] = &[
        "action",
        "endpoint",
        "file",
        "href",
        "icon",
        "image",
        "img",
        "link",
        "location",
        "logo",
        "page",
        "path",
        "permalink",
        "poster",
        "redirect",
        "route",
        "src",
        "thumb",
        "thumbnail",
        "uri",
        "url",
    ];
    let ends_with = |end: &&&str| {
        name.len() >= end.len()
            && name.is_char_boundary(name.len() - end.len())
            && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    name == "to" || ENDS.iter().any(|end| ends_with(&end))
}

/// The pieces of a text between quotes, brackets and spaces, and whether each is
/// the value of an attribute that is named like a URL's.
fn pieces<'t>(text: &'t str, mut report: impl FnMut(&'t str, bool)) {
    let gap = |c: char| c.is_whitespace() || "\"'<>()[]\\`|".contains(c);
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = rest.find(gap).unwrap_or(rest.len());
        let piece = rest[..length].trim_end_matches([',', ';', '.', ':']);
        // What follows a template's hole is a part of something.
        let is_part = text[..at].ends_with("%>") || text[..at].ends_with("?>");
        if piece.len() > 1 && !is_part {
            match piece.split_once('=') {
                // An attribute without quotes.
                Some((name, value)) if is_attribute(name) => {
                    if is_url_name(name) {
                        report(value, true);
                    }
                }
                _ => report(piece, is_quoted_value(&text[..at])),
            }
        }
        at += length + rest[length..].chars().next().map_or(1, char::len_utf8);
    }
}

/// A piece; the references of an attribute's value are decoded.
fn decoded(piece: &str, is_value: bool) -> Cow<'_, str> {
    if is_value {
        entity::decode(Cow::Borrowed(piece), Place::Attribute)
    } else {
        Cow::Borrowed(piece)
    }
}

fn is_attribute(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether the text ends with the name of a URL's attribute, `=` and a quote.
fn is_quoted_value(before: &str) -> bool {
    let name = before
        .strip_suffix(['"', '\''])
        .and_then(|rest| rest.strip_suffix('='));
    name.is_some_and(|name| {
        let mut words = name.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.next().is_some_and(is_url_name)
    })
}

#[cfg(test)]
mod tests;
