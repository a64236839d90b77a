//! The small pages that stand in the place of archived content: not in this
//! archive, a PDF or a file that the shell must take over, a refusal.

use std::fmt::Write as _;

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::address::Base;

/// The shell's sandbox lets no link out of the frame, and the banner has its
/// own: the link is for a page that stands alone.
/// In a frame of the archived page's own it asks the shell.
fn framed_link(url: Option<&str>, shell: &str) -> String {
    let open = in_script(&json!({"lastlight": "open", "url": url}));
    format!(
        "<script>\nif (parent !== self && parent === top) \
         document.querySelector(\"a\").parentElement.remove();\n\
         else if (parent !== self) document.querySelector(\"a\").onclick = (event) => {{\n\
         event.preventDefault();\ntop.postMessage({open}, \"{shell}\");\n}};\n</script>"
    )
}

/// What a small page says, and what it tells the shell around it.
pub struct Notice<'a> {
    /// The status.
    pub status: StatusCode,
    /// The heading.
    pub heading: &'a str,
    /// A sentence or two below it.
    pub text: &'a str,
    /// The archived URL that it is about.
    pub url: Option<&'a str>,
    /// Where it leads: an address and the words of the link.
    pub link: Option<(&'a str, &'a str)>,
    /// The message to the shell.
    pub message: Option<serde_json::Value>,
}

impl Notice<'_> {
    /// The page.
    pub fn page(&self, base: &Base) -> Response<Vec<u8>> {
        let heading = escape(self.heading);
        let mut body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{heading}</title>\n\
             <style>\n:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}\n\
             body {{ margin: 4rem auto; max-width: 40rem; padding: 0 1rem }}\n\
             code {{ overflow-wrap: anywhere }}\n</style>\n<h1>{heading}</h1>\n<p>{}</p>\n",
            escape(self.text)
        );
        // Writing to a String can't fail.
        if let Some(url) = self.url {
            let _ = writeln!(body, "<p><code>{}</code></p>", escape(url));
        }
        if let Some((address, words)) = self.link {
            let (address, words) = (escape(address), escape(words));
            let script = framed_link(self.url, &base.ui_origin());
            let _ = writeln!(body, "<p><a href=\"{address}\">{words}</a></p>\n{script}");
        }
        if let Some(message) = &self.message {
            let message = in_script(message);
            let shell = base.ui_origin();
            let _ = writeln!(
                body,
                "<script>if (parent !== self && parent === top) parent.postMessage({message}, \"{shell}\")</script>"
            );
        }
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = self.status;
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
        response
    }
}

/// A value as a script in HTML takes it: there, `<` is all that could end the
/// element or open a comment.
pub(super) fn in_script(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// A text within HTML, attribute values too.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
