//! The page around what is no page: an image, a film, a text in the shell's
//! frame. It tells the banner what is shown, which the file itself can't.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};

use super::address::Base;
use super::notice::{escape, in_script};
use super::rewrite::RESERVED;
use crate::url::CanonicalUrl;

/// What the page is made of.
pub struct Viewer<'a> {
    /// The status of the capture.
    pub status: StatusCode,
    /// The URL that was asked for.
    pub url: &'a CanonicalUrl,
    /// The media type; empty where there is none.
    pub media_type: &'a str,
    /// The message to the shell.
    pub message: serde_json::Value,
}

impl Viewer<'_> {
    /// The page.
    pub fn page(&self, base: &Base) -> Response<Vec<u8>> {
        let target = self.url.request_target();
        let file = format!("{RESERVED}file{target}");
        let name = target.split('?').next().unwrap_or_default();
        let name = escape(name.rsplit('/').next().unwrap_or_default());
        let (source, inner) = (escape(&target), escape(&file));
        let shown = match self.media_type.split('/').next().unwrap_or_default() {
            "image" => format!("<img src=\"{source}\" alt=\"{name}\">"),
            "video" => format!("<video controls src=\"{source}\"></video>"),
            "audio" => format!("<audio controls src=\"{source}\"></audio>"),
            _ => format!("<iframe src=\"{inner}\" title=\"{name}\"></iframe>"),
        };
        // A frame of the archived page's own shows the file as it did.
        let body = format!(
            "<!doctype html>\n<html>\n<meta charset=\"utf-8\">\n<title>{name}</title>\n<style>\n\
             :root {{ color-scheme: light dark }}\nhtml, body {{ margin: 0; height: 100% }}\n\
             iframe {{ border: 0; display: block; width: 100%; height: 100% }}\n\
             img, video, audio {{ display: block; margin: auto; max-width: 100% }}\n</style>\n\
             <script>if (parent !== top) location.replace({});\n\
             else if (parent !== self) parent.postMessage({}, \"{}\")</script>\n{shown}\n",
            in_script(&serde_json::Value::from(file)),
            in_script(&self.message),
            base.ui_origin()
        );
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = self.status;
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
        response
    }
}
