//! The style sheet, script and icon of the interface, compiled in.

use super::UiResponse;

/// The style sheet.
pub(in crate::replay) const STYLE: &str = include_str!("ui.css");
/// The icon's address.
pub(super) const ICON: &str = "/-/icon.svg";

/// A file below `/-/`.
pub(super) fn file(name: &str) -> Option<UiResponse> {
    let (content_type, body) = match name {
        "ui.css" => ("text/css; charset=utf-8", STYLE),
        "ui.js" => ("text/javascript; charset=utf-8", include_str!("ui.js")),
        "search.js" => ("text/javascript; charset=utf-8", include_str!("search.js")),
        "report.js" => ("text/javascript; charset=utf-8", include_str!("report.js")),
        "icon.svg" => ("image/svg+xml", include_str!("icon.svg")),
        _ => return None,
    };
    Some(UiResponse {
        status: 200,
        content_type,
        location: None,
        body: body.as_bytes().to_vec(),
    })
}
