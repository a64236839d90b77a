//! URLs in CSS: `url()`, `@import`, `image-set()` strings, in sheets, `<style>`
//! elements and `style` attributes. It never follows an import, and it reads
//! flat: a block that isn't closed hides nothing.

use super::Role;
use cssparser::{Parser, Token};
use std::borrow::Cow;
use std::ops::Range;

/// A URL in CSS source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CssUrl {
    /// The URL's text without quotes and parentheses.
    pub(super) range: Range<usize>,
    /// The quote that encloses it; `None` in an unquoted `url()`.
    pub(super) quote: Option<u8>,
    pub(super) role: Role,
    /// The construct, for explanations: `url()`, `@import`, `@font-face`, `image-set()`.
    pub(super) construct: &'static str,
}

/// Reports the URLs in `css` in order.
pub(super) fn urls(css: &str, report: impl FnMut(CssUrl)) {
    Reader {
        css,
        report,
        open: Vec::new(),
        prelude: Prelude::None,
    }
    .read();
}

/// What encloses the current token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Parenthesis,
    Square,
    Curly,
    FontFace,
    /// `url(` or `src(` before a string.
    Url,
    ImageSet,
    /// `AlphaImageLoader(src='..')` of old Internet Explorers.
    ImageLoader,
}

impl Block {
    fn closes_with(self) -> Self {
        match self {
            Self::Square => Self::Square,
            Self::Curly | Self::FontFace => Self::Curly,
            _ => Self::Parenthesis,
        }
    }
}

/// The at-rule before whose block or semicolon the current token stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prelude {
    None,
    /// `@import`, its URL still to come.
    Import,
    FontFace,
    /// `@namespace`, `@charset` and `@document`, whose strings and URLs are
    /// names and are never fetched.
    Names,
}

struct Reader<'i, F> {
    css: &'i str,
    report: F,
    open: Vec<Block>,
    prelude: Prelude,
}

impl<F: FnMut(CssUrl)> Reader<'_, F> {
    fn read(mut self) {
        // A parser skips the block that its last token opened, unless it is
        // entered by recursion; so a new one starts in each block, which costs
        // nothing and needs no stack.
        let mut start = 0;
        while let Some(css) = self.css.get(start..)
            && !css.is_empty()
        {
            let mut parser = Parser::new(css);
            loop {
                let from = start + parser.position().byte_index();
                let Ok(token) = parser.next_including_whitespace_and_comments() else {
                    return;
                };
                let opened = opens(token).map(|block| self.refine(block, token));
                if opened.is_none() && matches!(token, Token::WhiteSpace(_) | Token::Comment(_)) {
                    continue;
                }
                let kind = Seen::of(token);
                let to = start + parser.position().byte_index();
                self.see(kind, from..to);
                if let Some(block) = opened {
                    self.open.push(block);
                    if matches!(block, Block::Curly | Block::FontFace) {
                        self.prelude = Prelude::None;
                    }
                    start = to;
                    break;
                }
            }
        }
    }

    /// Gives a block the meaning that it has where it stands.
    fn refine(&self, block: Block, token: &Token<'_>) -> Block {
        match token {
            Token::CurlyBracketBlock if self.prelude == Prelude::FontFace => Block::FontFace,
            Token::Function(name) => function(name),
            _ => block,
        }
    }

    fn see(&mut self, seen: Seen, range: Range<usize>) {
        match seen {
            Seen::Rule(prelude) => self.prelude = prelude,
            Seen::Semicolon => self.prelude = Prelude::None,
            Seen::Url => {
                let inner = unquoted_url(&self.css[range.clone()]);
                self.found(range.start + inner.start..range.start + inner.end, None);
            }
            Seen::String => {
                let bytes = self.css[range.clone()].as_bytes();
                let Some(quote) = bytes.first().copied() else {
                    return;
                };
                let closed = bytes.len() > 1 && bytes.last() == Some(&quote);
                let inner = range.start + 1..range.end - usize::from(closed);
                self.found(inner, Some(quote));
            }
            Seen::Close(block) => self.close(block),
            // A URL of an import stands first or nowhere.
            Seen::Other if self.prelude == Prelude::Import => self.prelude = Prelude::None,
            Seen::Other | Seen::UrlFunction => {}
        }
    }

    fn found(&mut self, range: Range<usize>, quote: Option<u8>) {
        let within = self.open.last().copied();
        let (role, construct) = match (self.prelude, within) {
            (Prelude::Names, _) => return,
            (Prelude::Import, _) => (Role::Stylesheet, "@import"),
            (_, Some(Block::ImageSet)) => (Role::Image, "image-set()"),
            (_, Some(Block::ImageLoader)) if self.is_source_parameter(range.start) => {
                (Role::Image, "filter")
            }
            (_, Some(Block::Url)) => self.of_declaration(),
            (_, _) if quote.is_none() => self.of_declaration(),
            _ => return,
        };
        if self.prelude == Prelude::Import {
            self.prelude = Prelude::None;
        }
        (self.report)(CssUrl {
            range,
            quote,
            role,
            construct,
        });
    }

    /// Whether the string whose text starts at `start` follows `src=`.
    fn is_source_parameter(&self, start: usize) -> bool {
        let before = &self.css.as_bytes()[..start.saturating_sub(1)];
        let Some(name) = before.trim_ascii_end().strip_suffix(b"=") else {
            return false;
        };
        let name = name.trim_ascii_end();
        name.len() >= 3 && name[name.len() - 3..].eq_ignore_ascii_case(b"src")
    }

    fn of_declaration(&self) -> (Role, &'static str) {
        // The innermost curly block decides; few blocks stand above it.
        let block = self
            .open
            .iter()
            .rev()
            .take(8)
            .find(|block| block.closes_with() == Block::Curly);
        match block {
            Some(Block::FontFace) => (Role::Font, "@font-face"),
            _ => (Role::Image, "url()"),
        }
    }

    /// Closes the innermost block of the kind, and what was left open in it. A
    /// closing bracket without an opening one is passed over.
    fn close(&mut self, kind: Block) {
        // Looked for in a few levels alone, so that a sheet of stray brackets
        // doesn't cost the square of its length.
        let depth = self
            .open
            .iter()
            .rev()
            .take(32)
            .position(|block| block.closes_with() == kind);
        if let Some(depth) = depth {
            self.open.truncate(self.open.len() - depth - 1);
        }
    }
}

/// What matters of a token; it doesn't borrow from the parser.
#[derive(Clone, Copy)]
enum Seen {
    Rule(Prelude),
    Semicolon,
    Url,
    UrlFunction,
    String,
    Close(Block),
    Other,
}

impl Seen {
    fn of(token: &Token<'_>) -> Self {
        match token {
            Token::AtKeyword(name) => Self::Rule(prelude(name)),
            Token::Semicolon => Self::Semicolon,
            Token::UnquotedUrl(_) => Self::Url,
            Token::QuotedString(_) => Self::String,
            Token::Function(name) if function(name) == Block::Url => Self::UrlFunction,
            Token::CloseParenthesis => Self::Close(Block::Parenthesis),
            Token::CloseSquareBracket => Self::Close(Block::Square),
            Token::CloseCurlyBracket => Self::Close(Block::Curly),
            _ => Self::Other,
        }
    }
}

fn opens(token: &Token<'_>) -> Option<Block> {
    match token {
        Token::Function(_) | Token::ParenthesisBlock => Some(Block::Parenthesis),
        Token::SquareBracketBlock => Some(Block::Square),
        Token::CurlyBracketBlock => Some(Block::Curly),
        _ => None,
    }
}

fn prelude(name: &str) -> Prelude {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("import") {
        Prelude::Import
    } else if is("font-face") {
        Prelude::FontFace
    } else if is("namespace") || is("charset") || is("document") || is("-moz-document") {
        Prelude::Names
    } else {
        Prelude::None
    }
}

fn function(name: &str) -> Block {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("url") || is("src") {
        Block::Url
    } else if is("image-set") || is("-webkit-image-set") {
        Block::ImageSet
    } else if is("alphaimageloader") {
        Block::ImageLoader
    } else {
        Block::Parenthesis
    }
}

/// The URL's range in the text of an unquoted `url(..)` token.
fn unquoted_url(token: &str) -> Range<usize> {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c);
    let bytes = token.as_bytes();
    // `url` itself may be written with escapes, which never hold a parenthesis.
    let mut start = bytes.iter().position(|b| *b == b'(').map_or(0, |at| at + 1);
    let mut end = bytes.len();
    while start < end && is_space(bytes[start]) {
        start += 1;
    }
    if end > start && bytes[end - 1] == b')' && !is_escaped(&bytes[start..end - 1]) {
        end -= 1;
    }
    while end > start && is_space(bytes[end - 1]) && !is_escaped(&bytes[start..end - 1]) {
        end -= 1;
    }
    start..end
}

/// Whether what follows `before` is escaped by an odd run of backslashes.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// Resolves the escapes of a URL's text (CSS Syntax 3 §4.3.7).
pub(super) fn unescape(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        let mut code = 0;
        let mut digits = 0;
        while digits < 6
            && let Some(digit) = characters.peek().and_then(|c| c.to_digit(16))
        {
            code = code * 16 + digit;
            digits += 1;
            characters.next();
        }
        if digits > 0 {
            let decoded = char::from_u32(code).filter(|c| *c != '\0');
            out.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
            // One whitespace ends the escape; CR LF counts as one.
            if characters.next_if_eq(&'\r').is_some() {
                characters.next_if_eq(&'\n');
            } else {
                characters.next_if(|c| matches!(c, ' ' | '\t' | '\n' | '\u{c}'));
            }
            continue;
        }
        match characters.next() {
            // An escaped newline continues a string on the next line.
            Some('\n' | '\u{c}') => {}
            Some('\r') => {
                characters.next_if_eq(&'\n');
            }
            Some(escaped) => out.push(escaped),
            None => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(css: &str) -> Vec<(&str, Role)> {
        let mut all = Vec::new();
        urls(css, |url| all.push((&css[url.range], url.role)));
        all
    }

    #[test]
    fn each_construct_gives_its_urls_with_their_roles() {
        use Role::{Font, Image, Stylesheet};
        for (css, expected) in [
            ("a{background:url(a.png)}", vec![("a.png", Image)]),
            ("a{background:URL( \n'a.png' )}", vec![("a.png", Image)]),
            ("a{background:u\\72l( a.png )}", vec![("a.png", Image)]),
            ("a{background:url(a\\)b.png)}", vec![("a\\)b.png", Image)]),
            ("a{background:url(a\\ )}", vec![("a\\ ", Image)]),
            ("@import 'a.css';", vec![("a.css", Stylesheet)]),
            (
                "@import 'a.css' layer(x) supports(a:b) screen;",
                vec![("a.css", Stylesheet)],
            ),
            (
                "@import url(a.css) layer;b{c:url(d)}",
                vec![("a.css", Stylesheet), ("d", Image)],
            ),
            (
                "a{b{background:url(c)} &:hover{cursor:url(d.cur),auto}}",
                vec![("c", Image), ("d.cur", Image)],
            ),
            (
                "@layer x{@font-face{src:url(f.woff2)tech(color-COLRv1),local(x)}}",
                vec![("f.woff2", Font)],
            ),
            (
                "@media print{@font-face{src:url('f')}a{b:url(c)}}",
                vec![("f", Font), ("c", Image)],
            ),
            (
                "a{b:-webkit-image-set(url(c) 1x, url(d) 2x),cross-fade(url(e),url(f))}",
                vec![("c", Image), ("d", Image), ("e", Image), ("f", Image)],
            ),
            (
                "a{--x:url( 'b' );--y:image-set('c' 1x);--z:'d'}",
                vec![("b", Image), ("c", Image)],
            ),
            (
                "a{behavior:url(b.htc);-moz-binding:url(c.xml#d)}",
                vec![("b.htc", Image), ("c.xml#d", Image)],
            ),
            (
                "a{mask:url(b.svg#c);filter:url(d);clip-path:url('e');offset-path:url(f)}",
                vec![("b.svg#c", Image), ("d", Image), ("e", Image), ("f", Image)],
            ),
            (
                "@\\69mport 'a.css';b{c:\\75 rl(d)}",
                vec![("a.css", Stylesheet), ("d", Image)],
            ),
            ("a{b:src('c')}", vec![("c", Image)]),
            ("@charset 'x';@import'a.css'", vec![("a.css", Stylesheet)]),
            (
                "@property --x{initial-value:url(a)}@page{background:url(b)}",
                vec![("a", Image), ("b", Image)],
            ),
            ("@IMPORT/**/url(a.css) print;", vec![("a.css", Stylesheet)]),
            (
                "@import url(\"a.css\") supports(background: url(b.png)); c{d:url(e)}",
                vec![("a.css", Stylesheet), ("b.png", Image), ("e", Image)],
            ),
            (
                "@font-face{font-family:'F';src:local('L'),url(f.woff2) format('woff2'),url('f.ttf')} a{b:url(c)}",
                vec![("f.woff2", Font), ("f.ttf", Font), ("c", Image)],
            ),
            (
                "a{b:image-set('a.png' 1x type('image/png'), url(b.png) 2x)}",
                vec![("a.png", Image), ("b.png", Image)],
            ),
            (
                "@media print{@supports (a:b){a{b:-webkit-image-set(url('c') 1x)}}}",
                vec![("c", Image)],
            ),
            (
                "@namespace svg url(http://www.w3.org/2000/svg);a{b:url(c)}",
                vec![("c", Image)],
            ),
            (
                "@-moz-document url(http://x/){a{b:url(c)}}",
                vec![("c", Image)],
            ),
            (":root{--a:url(b.png);--c:\"d\"}", vec![("b.png", Image)]),
            ("a{content:'x';b:url()}", vec![("", Image)]),
            ("/* url(a) */ b{c:url(d)", vec![("d", Image)]),
            ("a{b:url(c d)} e{f:url(g)}", vec![("g", Image)]),
            ("a{b:'unclosed\n} c{d:url(e)}", vec![("e", Image)]),
            ("}}]) a{b:url(c)}", vec![("c", Image)]),
            ("a{b:(((url(c)}", vec![("c", Image)]),
            ("a{b:url(c", vec![("c", Image)]),
            ("a{b:url('c", vec![("c", Image)]),
            ("<!-- a{b:url(c)} -->", vec![("c", Image)]),
            (
                "a{filter:progid:DXImageTransform.Microsoft.AlphaImageLoader(src='i.png',sizingMethod='scale')}",
                vec![("i.png", Image)],
            ),
        ] {
            assert_eq!(found(css), expected, "{css}");
        }
    }

    #[test]
    fn escapes_are_resolved_as_the_standard_says() {
        for (text, expected) in [
            ("a\\)b", "a)b"),
            ("a\\20 b", "a b"),
            ("\\000061b", "ab"),
            ("a\\\nb", "ab"),
            ("a\\", "a\u{fffd}"),
            ("\\0 x", "\u{fffd}x"),
            ("\\26\r\nx", "&x"),
        ] {
            assert_eq!(unescape(Cow::Borrowed(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_sheet_nested_without_end_is_read_to_its_end() {
        let css = format!("{}a{{b:url(c)}}", "(".repeat(200_000));
        assert_eq!(found(&css), [("c", Role::Image)]);
        let css = format!(
            "{}{}a{{b:url(c)}}",
            "{".repeat(100_000),
            ")".repeat(100_000)
        );
        assert_eq!(found(&css), [("c", Role::Image)]);
    }

    proptest! {
        #[test]
        fn ranges_of_any_text_are_within_it_and_ascend(css in ".{0,200}|[@a-z(){}\\[\\]'\"; \\\\/*:.]{0,200}") {
            let mut end = 0;
            urls(&css, |url| {
                assert!(url.range.start >= end && url.range.end >= url.range.start);
                assert!(css.get(url.range.clone()).is_some());
                end = url.range.end;
            });
        }
    }
}
