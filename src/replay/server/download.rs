//! What the interface's files to take away have in common.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};

/// The collection's name where a path of the interface is that of a file of it.
pub(super) fn collection<'a>(path: &'a str, file: &str) -> Option<&'a str> {
    let name = path.strip_prefix("/c/")?.strip_suffix(file)?;
    let name = name.strip_suffix('/')?;
    (!name.contains('/')).then_some(name)
}

/// The parameters of a query by name.
pub(super) fn parameters(query: Option<&str>) -> impl Fn(&str) -> Option<String> {
    let query = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let query: Vec<(String, String)> = query.into_owned().collect();
    move |name| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }
}

/// The head of an answer that browsers store under a name of letters, digits, `.` and `-`.
pub(super) fn attachment(kind: &'static str, name: &str) -> Response<()> {
    let mut response = Response::new(());
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = format!("attachment; filename=\"{name}\"").parse() {
        fields.insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// Why there is no such file.
pub(super) fn plain(status: StatusCode, text: String) -> Response<Vec<u8>> {
    let mut response = Response::new(text.into_bytes());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

pub(super) fn no_collection() -> Response<Vec<u8>> {
    let text = "there is no collection of this name\n".to_owned();
    plain(StatusCode::NOT_FOUND, text)
}
