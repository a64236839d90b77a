//! The texts of a page without its markup: what a reader sees, and the scripts
//! from which he may see something.

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Of the title.
    Title,
    /// Of the page.
    Body,
    /// A script's.
    Script,
}

/// Gives every text between two tags; comments and styles are left out.
pub fn each_text(page: &[u8], mut sink: impl FnMut(&[u8], Part)) {
    let mut rest = page;
    let mut part = Part::Body;
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'<');
        let (text, tag) = rest.split_at(end.unwrap_or(rest.len()));
        sink(text, part);
        if tag.starts_with(b"<!--") {
            let end = tag.windows(3).position(|end| end == b"-->");
            rest = end.map_or(&[], |end| &tag[end + 3..]);
            continue;
        }
        let is = |name: &[u8]| {
            tag.get(1..=name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
                && tag
                    .get(name.len() + 1)
                    .is_none_or(|b| !b.is_ascii_alphanumeric())
        };
        part = if is(b"title") {
            Part::Title
        } else {
            Part::Body
        };
        let end = tag.iter().position(|&byte| byte == b'>');
        let after = end.map_or(&[][..], |end| &tag[end + 1..]);
        let is_script = is(b"script");
        let closed_by: Option<&[u8]> = if is_script {
            Some(b"</script")
        } else if is(b"style") {
            Some(b"</style")
        } else {
            None
        };
        rest = after;
        if let Some(close) = closed_by {
            let at = after
                .windows(close.len())
                .position(|tag| tag.eq_ignore_ascii_case(close));
            let (hidden, next) = after.split_at(at.unwrap_or(after.len()));
            if is_script {
                sink(hidden, Part::Script);
            }
            rest = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_markup_wherever_a_page_is_cut() {
        let html = b"<title>T 12</title><!-- no --><STYLE>no</STYLE>a<b>b</b><script>1</script>c-d";
        let mut texts = Vec::new();
        each_text(html, |text, part| {
            if !text.is_empty() {
                texts.push((String::from_utf8_lossy(text).into_owned(), part));
            }
        });
        let told: Vec<_> = texts
            .iter()
            .map(|(text, part)| (&text[..], *part))
            .collect();
        assert_eq!(
            told,
            [
                ("T 12", Part::Title),
                ("a", Part::Body),
                ("b", Part::Body),
                ("1", Part::Script),
                ("c-d", Part::Body),
            ]
        );
        for cut in 0..html.len() {
            each_text(&html[..cut], |_, _| {});
        }
    }
}
