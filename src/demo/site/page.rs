//! The prose of the site: pages and documents as they stand in the text files
//! under `pages/`, and the filling-in of `{{names}}`. It knows nothing of HTTP.

/// One page of the site, as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Path from the root, as linked.
    pub(super) path: &'static str,
    /// Heading and title, plain text.
    pub(super) title: &'static str,
    /// A day such as `18 June 2025`, or empty.
    pub(super) date: &'static str,
    /// One sentence, plain text.
    pub(super) summary: &'static str,
    /// HTML with `{{names}}` to fill in.
    pub(super) body: &'static str,
}

/// One document of the evidence library, from which its PDF is made.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) number: &'static str,
    pub(super) title: &'static str,
    pub(super) date: &'static str,
    pub(super) author: &'static str,
    pub(super) paragraphs: Vec<&'static str>,
}

impl Document {
    pub(super) fn path(&self) -> String {
        format!("/evidence/{}.pdf", self.number)
    }
}

/// All pages in reading order; updates newest first.
pub(super) fn pages() -> Vec<Page> {
    [
        include_str!("pages/about.html"),
        include_str!("pages/findings.html"),
        include_str!("pages/questions.html"),
        include_str!("pages/letter.html"),
        include_str!("pages/updates.html"),
        include_str!("pages/notice-2021.html"),
    ]
    .into_iter()
    .flat_map(|text| entries(text, "@page "))
    .map(|([path, title, date, summary], body)| Page {
        path,
        title,
        date,
        summary,
        body,
    })
    .collect()
}

/// All documents of the evidence library, in order of their numbers.
pub(super) fn documents() -> Vec<Document> {
    entries(include_str!("pages/evidence.txt"), "@document ")
        .map(|([number, title, date, author], body)| Document {
            number,
            title,
            date,
            author,
            paragraphs: body.lines().collect(),
        })
        .collect()
}

/// An entry starts at a line of `mark` and four fields parted by `|`, and
/// reaches to the next such line.
fn entries(
    text: &'static str,
    mark: &'static str,
) -> impl Iterator<Item = ([&'static str; 4], &'static str)> {
    text.split(mark).skip(1).map(|entry| {
        let (heading, body) = entry.split_once('\n').unwrap_or((entry, ""));
        let mut fields = heading.split('|').map(str::trim);
        (
            std::array::from_fn(|_| fields.next().unwrap_or_default()),
            body.trim_end(),
        )
    })
}

/// Puts `values` in the place of `{{names}}`, in one pass: what is put in is
/// not looked at again. A name without a value stays as it is.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let value = after.split_once("}}").and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        if let Some((value, after)) = value {
            filled.push_str(value);
            rest = after;
        } else {
            filled.push_str("{{");
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

/// Text for HTML and XML, inside an attribute too.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_its_fields() {
        for page in pages() {
            assert!(page.path.starts_with('/'), "{page:?}");
            assert!(!page.title.is_empty() && !page.body.is_empty(), "{page:?}");
            assert!(page.summary.ends_with('.'), "{page:?}");
        }
        for document in documents() {
            assert!(document.number.starts_with("HV-"), "{document:?}");
            assert!(
                document.paragraphs.iter().all(|text| !text.is_empty()),
                "{document:?}"
            );
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let values = [("a", "{{b}}"), ("b", "x")];
        assert_eq!(fill("{{a}} {{b}} {{c}} {{", &values), "{{b}} x {{c}} {{");
    }
}
