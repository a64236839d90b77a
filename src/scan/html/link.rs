//! What the values of `rel`, `as`, `type` and `property` make of a URL.

use super::super::Role;
use super::tag::Tag;

/// The keywords of `rel` (HTML standard §4.6.7 and those in use).
fn keywords(rel: &[u8]) -> impl Iterator<Item = &[u8]> {
    rel.split(u8::is_ascii_whitespace)
        .filter(|keyword| !keyword.is_empty())
}

fn is_any(keyword: &[u8], of: &[&str]) -> bool {
    of.iter()
        .any(|known| keyword.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a link only prepares connections.
pub(super) fn is_only_hint(rel: &[u8]) -> bool {
    let is_hint = |keyword| is_any(keyword, &["preconnect", "dns-prefetch"]);
    keywords(rel).next().is_some() && keywords(rel).all(is_hint)
}

/// What a `link` is fetched for.
pub(super) fn role(tag: &Tag<'_, '_>) -> Role {
    let rel = tag.value("rel").unwrap_or_default();
    let target = tag.value("href").unwrap_or_default();
    relation(rel, tag.value("as"), target)
}

/// What the target of a link is fetched for, by its `rel` and `as`; the header
/// field `Link` means the same by them.
pub(in crate::scan) fn relation(rel: &[u8], kind: Option<&[u8]>, target: &[u8]) -> Role {
    let has = |of: &[&str]| keywords(rel).any(|keyword| is_any(keyword, of));
    if is_only_hint(rel) {
        Role::Hint
    } else if has(&["stylesheet", "stylesheet/less"]) {
        Role::Stylesheet
    } else if has(&["modulepreload", "serviceworker"]) {
        Role::Script
    } else if has(&["preload"]) {
        destination(kind.unwrap_or_default())
    } else if has(&[
        "icon",
        "apple-touch-icon",
        "apple-touch-icon-precomposed",
        "apple-touch-startup-image",
        "mask-icon",
        "fluid-icon",
        "image_src",
        "logo",
        "thumbnail",
    ]) {
        Role::Image
    } else if has(&["video_src", "audio_src"]) {
        Role::Media
    } else if has(&["fontdef"]) {
        Role::Font
    } else if has(&["manifest"]) {
        Role::Manifest
    } else if has(&["import", "compression-dictionary"]) {
        Role::Requisite
    } else if has(&["prefetch", "subresource"]) {
        match kind {
            // A page that may come next, unless it is named like a file.
            None | Some(b"") => prefetched(target),
            Some(kind) if kind.eq_ignore_ascii_case(b"document") => Role::Alternate,
            Some(kind) => destination(kind),
        }
    } else {
        Role::Alternate
    }
}

/// What is prefetched, as far as its name tells.
fn prefetched(href: &[u8]) -> Role {
    let path = href.split(|byte| matches!(byte, b'?' | b'#')).next();
    let file = path.and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    let file = file.unwrap_or_default();
    let dot = file.iter().rposition(|byte| *byte == b'.');
    match dot.map(|dot| &file[dot + 1..]) {
        Some(ending) if is_any(ending, &["js", "mjs"]) => Role::Script,
        Some(ending) if is_any(ending, &["css"]) => Role::Stylesheet,
        Some(ending) if is_any(ending, &["woff", "woff2", "ttf", "otf"]) => Role::Font,
        Some(ending)
            if is_any(
                ending,
                &["png", "jpg", "jpeg", "gif", "webp", "avif", "svg"],
            ) =>
        {
            Role::Image
        }
        Some(ending) if is_any(ending, &["json", "wasm", "mp4", "webm", "mp3"]) => Role::Requisite,
        _ => Role::Alternate,
    }
}

/// The `as` of a preload (Fetch standard, destinations).
fn destination(kind: &[u8]) -> Role {
    if is_any(kind, &["style"]) {
        Role::Stylesheet
    } else if is_any(
        kind,
        &[
            "script",
            "worker",
            "sharedworker",
            "audioworklet",
            "paintworklet",
        ],
    ) {
        Role::Script
    } else if is_any(kind, &["image"]) {
        Role::Image
    } else if is_any(kind, &["font"]) {
        Role::Font
    } else if is_any(kind, &["audio", "video", "track"]) {
        Role::Media
    } else if is_any(kind, &["document", "frame", "iframe", "embed", "object"]) {
        Role::Frame
    } else {
        Role::Requisite
    }
}

/// What an `object` shows, by its `type`.
pub(super) fn object_role(kind: &[u8]) -> Role {
    let starts = |prefix: &str| {
        kind.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if starts("image/") && !starts("image/svg") {
        Role::Image
    } else if starts("audio/") || starts("video/") {
        Role::Media
    } else if starts("application/x-") {
        Role::Requisite
    } else {
        Role::Frame
    }
}

/// Whether a `param` of an `object` names what a plug-in plays.
pub(super) fn is_url_parameter(name: &[u8]) -> bool {
    is_any(
        name,
        &[
            "movie", "src", "url", "filename", "file", "data", "ref", "href", "image", "archive",
            "code",
        ],
    )
}

/// Whether a `meta` of this name lists `name=value;` with URLs among the values.
pub(super) fn is_list_of_pairs(name: &[u8]) -> bool {
    is_any(
        name,
        &[
            "msapplication-task",
            "msapplication-notification",
            "msapplication-badge",
        ],
    )
}

/// A `meta` that states a URL, by its name or property: the name and the role.
pub(super) fn meta_role(name: &[u8]) -> Option<(&'static str, Role)> {
    const KNOWN: &[(&str, Role)] = &[
        ("contenturl", Role::Media),
        ("embedurl", Role::Frame),
        ("image", Role::Image),
        ("logo", Role::Image),
        ("screenshot", Role::Image),
        ("thumbnail", Role::Image),
        ("thumbnailurl", Role::Image),
        ("url", Role::Alternate),
        ("og:image", Role::Image),
        ("og:image:url", Role::Image),
        ("og:image:secure_url", Role::Image),
        ("og:logo", Role::Image),
        ("og:video", Role::Media),
        ("og:video:url", Role::Media),
        ("og:video:secure_url", Role::Media),
        ("og:audio", Role::Media),
        ("og:audio:url", Role::Media),
        ("og:audio:secure_url", Role::Media),
        ("og:url", Role::Alternate),
        ("og:see_also", Role::Alternate),
        ("twitter:image", Role::Image),
        ("twitter:image:src", Role::Image),
        ("twitter:image0", Role::Image),
        ("twitter:image1", Role::Image),
        ("twitter:image2", Role::Image),
        ("twitter:image3", Role::Image),
        ("twitter:player", Role::Frame),
        ("twitter:player:stream", Role::Media),
        ("twitter:url", Role::Alternate),
        ("vk:image", Role::Image),
        ("msapplication-tileimage", Role::Image),
        ("msapplication-square70x70logo", Role::Image),
        ("msapplication-square150x150logo", Role::Image),
        ("msapplication-wide310x150logo", Role::Image),
        ("msapplication-square310x310logo", Role::Image),
        ("msapplication-config", Role::Requisite),
        ("msapplication-starturl", Role::Alternate),
        ("al:web:url", Role::Alternate),
    ];
    KNOWN
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .copied()
}
