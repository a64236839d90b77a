//! Tokens of a script, as far as strings need them: comments and regular
//! expressions hold no strings, and the holes of templates hold code. Anything
//! is read; a quote that isn't closed in its line is a letter like any other,
//! so that one misreading doesn't turn the rest inside out.

/// How many nested holes and brackets are remembered.
const DEPTH: usize = 256;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name, a keyword or a number.
    Word(&'t str),
    /// One byte of punctuation.
    Mark(u8),
    /// The content of a string, escapes as they stand.
    String(&'t str),
    /// A stretch of a template literal between its ends and holes.
    Template {
        text: &'t str,
        /// Whether a hole stands before it.
        after_hole: bool,
        /// Whether a hole stands behind it.
        before_hole: bool,
    },
    /// A regular expression.
    Pattern,
    /// The text of a comment.
    Comment(&'t str),
}

/// The tokens of a text.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
    /// Whether a slash begins a regular expression here.
    pattern_may_follow: bool,
    /// Round brackets that are open: whether a condition stands in them, after
    /// which a statement begins.
    conditions: Vec<bool>,
    /// Whether the last word makes a condition of the brackets behind it.
    is_condition: bool,
    /// How many curly brackets are open.
    curly: usize,
    /// The holes of templates that are open: the curly brackets around them.
    holes: Vec<usize>,
    /// How many bytes may still be looked through in vain for an end.
    patience: usize,
}

/// How far an end is looked for once the patience is used up.
const NEAR: usize = 256;

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            pattern_may_follow: true,
            conditions: Vec::new(),
            is_condition: false,
            curly: 0,
            holes: Vec::new(),
            patience: 8 * text.len() + (64 << 10),
        }
    }

    /// The bytes in which what begins at `start` may end.
    fn within(&self, start: usize) -> &'t [u8] {
        let bytes = self.text.as_bytes();
        match self.patience {
            0 => &bytes[..bytes.len().min(start + NEAR)],
            _ => bytes,
        }
    }

    /// No end was found up to `at`: what began at `start` is no such token.
    fn vain<T>(&mut self, start: usize, at: usize) -> Option<T> {
        self.patience = self.patience.saturating_sub(at - start);
        None
    }

    /// What comes next, whitespace left out.
    pub(super) fn ahead(&self) -> &'t str {
        let rest = &self.text[self.at..];
        rest.trim_start_matches([' ', '\t', '\n', '\r'])
    }

    fn comment(&mut self, start: usize) -> Option<Token<'t>> {
        let rest = &self.text[start..];
        let length = match rest.as_bytes().get(1)? {
            b'/' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            b'*' => {
                let within = &self.within(start)[start + 2..];
                let Some(end) = within.windows(2).position(|pair| pair == b"*/") else {
                    return self.vain(start, start + within.len());
                };
                2 + end + 2
            }
            _ => return None,
        };
        self.at = start + length;
        let text = rest[2..length].trim_end_matches("*/");
        Some(Token::Comment(text))
    }

    fn pattern(&mut self, start: usize) -> Option<Token<'t>> {
        let bytes = self.within(start);
        let mut in_class = false;
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                None | Some(b'\n' | b'\r') => return self.vain(start, at),
                Some(b'\\') => at += 1,
                Some(b'[') => in_class = true,
                Some(b']') => in_class = false,
                Some(b'/') if !in_class => break,
                _ => {}
            }
            at += 1;
        }
        // Its flags are read as a word that stands for nothing.
        self.at = at + 1;
        while bytes.get(self.at).is_some_and(u8::is_ascii_alphabetic) {
            self.at += 1;
        }
        self.pattern_may_follow = false;
        Some(Token::Pattern)
    }

    fn string(&mut self, start: usize, quote: u8) -> Option<Token<'t>> {
        let bytes = self.within(start);
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                None | Some(b'\n') => return self.vain(start, at),
                Some(b'\\') if bytes.get(at + 1..at + 3) == Some(b"\r\n") => at += 3,
                Some(b'\\') => at += 2,
                Some(byte) if *byte == quote => break,
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        self.pattern_may_follow = false;
        Some(Token::String(&self.text[start + 1..at]))
    }

    /// A stretch of a template that starts at `start`; `None` where it doesn't end.
    fn template(&mut self, start: usize, after_hole: bool) -> Option<Token<'t>> {
        let bytes = self.within(start);
        let has_room = self.holes.len() < DEPTH;
        let mut at = start;
        let before_hole = loop {
            match bytes.get(at) {
                None => return self.vain(start, at),
                Some(b'`') => break false,
                Some(b'$') if has_room && bytes.get(at + 1) == Some(&b'{') => break true,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        };
        if before_hole {
            self.holes.push(self.curly);
        }
        self.at = at + 1 + usize::from(before_hole);
        self.pattern_may_follow = before_hole;
        Some(Token::Template {
            text: &self.text[start..at],
            after_hole,
            before_hole,
        })
    }

    fn word(&mut self, start: usize) -> Token<'t> {
        let rest = &self.text[start..];
        let length = rest.bytes().position(|byte| !is_word(byte));
        let word = &rest[..length.unwrap_or(rest.len())];
        self.at = start + word.len();
        self.pattern_may_follow = matches!(
            word,
            "return"
                | "typeof"
                | "instanceof"
                | "in"
                | "of"
                | "new"
                | "delete"
                | "void"
                | "throw"
                | "case"
                | "do"
                | "else"
                | "yield"
                | "await"
        );
        self.is_condition = matches!(word, "if" | "while" | "for" | "with");
        Token::Word(word)
    }

    fn mark(&mut self, start: usize, byte: u8) -> Token<'t> {
        let is_condition = std::mem::take(&mut self.is_condition);
        self.pattern_may_follow = !matches!(byte, b')' | b']' | b'}');
        match byte {
            b'(' if self.conditions.len() < DEPTH => self.conditions.push(is_condition),
            b')' => self.pattern_may_follow = self.conditions.pop().unwrap_or(false),
            b'{' => self.curly += 1,
            b'}' => self.curly = self.curly.saturating_sub(1),
            _ => {}
        }
        self.at = start + 1;
        Token::Mark(byte)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let start = self.at;
        let byte = *bytes.get(start)?;
        let token = match byte {
            b'/' => self.comment(start).or_else(|| {
                self.pattern_may_follow
                    .then(|| self.pattern(start))
                    .flatten()
            }),
            b'"' | b'\'' => self.string(start, byte),
            b'`' => self.template(start + 1, false),
            b'}' if self.holes.last() == Some(&self.curly) => {
                self.holes.pop();
                self.template(start + 1, true)
            }
            _ if is_word(byte) => return Some(self.word(start)),
            _ => None,
        };
        Some(token.unwrap_or_else(|| self.mark(start, byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strings(text: &str) -> Vec<&str> {
        Tokens::new(text)
            .filter_map(|token| match token {
                Token::String(text) | Token::Template { text, .. } => Some(text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn strings_are_told_from_comments_patterns_and_holes() {
        for (text, expected) in [
            (r#"a="b"+'c'"#, vec!["b", "c"]),
            ("// don't\n'a'", vec!["a"]),
            ("/* it's */'a'", vec!["a"]),
            (r#"x=/"/g;y="a""#, vec!["a"]),
            (r#"x=/[/"]/.test(y)&&"a""#, vec!["a"]),
            (r#"return/"/,"a""#, vec!["a"]),
            (r#"if(x)/"/.test("a")"#, vec!["a"]),
            (r#"x=(y)/2+"a"/z"#, vec!["a"]),
            (r#"x=y[0]/2+"a"/z"#, vec!["a"]),
            (
                "`a${b?'c':`d${'e'}f`}g`+'h'",
                vec!["a", "c", "d", "e", "f", "g", "h"],
            ),
            ("`a${{b:'c'}}d`", vec!["a", "c", "d"]),
            (r#"'a\'b'+"c\\""#, vec!["a\\'b", "c\\\\"]),
            ("don't\n'a'", vec!["a"]),
            ("'a\\\nb'", vec!["a\\\nb"]),
            ("'a\\\r\nb'", vec!["a\\\r\nb"]),
            ("'a", vec![]),
            ("`a", vec![]),
            ("/* a", vec![]),
            ("}}`a`", vec!["a"]),
        ] {
            assert_eq!(strings(text), expected, "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_read_to_its_end() {
        for open in ["`${", "(", "{", "[", "if(", "`", "'\\", "/*", "=/\\", "`\\"] {
            // Takes hours if each of these is looked for to the end.
            let text = format!("{}'a'", open.repeat(500_000));
            Tokens::new(&text).for_each(drop);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[a/*'\"`${}()\\[\\]\\\\\n\ré+;=]{0,80}") {
            let mut tokens = Tokens::new(&text);
            let mut before = 0;
            while tokens.next().is_some() {
                prop_assert!(tokens.at > before && tokens.at <= text.len());
                before = tokens.at;
                tokens.ahead();
            }
        }
    }
}
