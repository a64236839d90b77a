//! The Content-Security-Policies of every answer: an archived page can reach
//! archived origins, and nothing else.

use super::address::Base;
use super::way::RUNTIME;

/// For archived content and for our small pages that stand in its place.
/// Scripts may do what they did, but only with our own hosts: no `ws:`, no
/// plug-ins, no other host in any directive. A frame made of a `data:` or
/// `blob:` URL would run scripts without the replay's part, so there is none.
pub fn content(base: &Base) -> String {
    let hosts = base.content_source();
    let ui = base.ui_origin();
    format!(
        "default-src {hosts} data: blob: 'unsafe-inline' 'unsafe-eval'; \
         connect-src {hosts} data: blob:; \
         frame-src {hosts}; \
         object-src {hosts}; \
         base-uri {hosts}; \
         form-action {hosts}; \
         frame-ancestors {ui} {hosts}"
    )
}

/// For archived XML, which the replay's part isn't in: shown, and without scripts. To
/// browsers a style sheet that transforms it (XSLT) is a script by its source, so
/// scripts are forbidden by a sandbox.
pub fn without_runtime(base: &Base) -> String {
    format!("{}; sandbox allow-same-origin allow-forms", content(base))
}

/// For archived documents that are too large for the replay's part to be in them:
/// shown, and without scripts.
pub fn inert(base: &Base) -> String {
    format!("{}; script-src 'none'", content(base))
}

/// For archived content in path mode: an opaque origin, so that it reads nothing
/// of the interface or of another page, and only what is below `start`, the address
/// of its collection, is asked for.
pub fn paths(origin: &str, collection: &str) -> String {
    let below = format!("{origin}/{collection}/");
    format!(
        "sandbox allow-scripts allow-forms allow-modals; \
         default-src {below} data: blob: 'unsafe-inline' 'unsafe-eval'; \
         script-src {below} {origin}{RUNTIME} data: blob: 'unsafe-inline' 'unsafe-eval'; \
         connect-src {below} data: blob:; \
         frame-src {below}; object-src 'none'; base-uri {below}; form-action {below}; \
         frame-ancestors {origin}"
    )
}

/// A policy of path mode, and no scripts: for what the replay's part isn't in.
pub fn without_scripts(policy: &str) -> String {
    let directives = policy.split("; ").filter(|d| !d.starts_with("script-src "));
    directives
        .chain(["script-src 'none'"])
        .collect::<Vec<_>>()
        .join("; ")
}

/// For a PDF in path mode: browsers show none in a sandbox. It is sent as nothing
/// else, so nothing in it runs.
pub fn pdf_in_paths(origin: &str) -> String {
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; \
         object-src {origin}; frame-ancestors {origin}"
    )
}

/// For the interface: its own files, and frames with archived content.
pub fn ui(base: &Base) -> String {
    let hosts = match base.one_host() {
        Some(origin) => origin.to_owned(),
        None => base.content_source(),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-src {hosts}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// For raw bytes on the interface's own origin: an opaque origin, without
/// scripts, forms, refreshes or requests.
pub fn raw() -> &'static str {
    "sandbox; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}
