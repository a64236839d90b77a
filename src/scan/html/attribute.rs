//! Which attributes of which elements carry URLs, and what for: the HTML
//! standard's index of attributes, those of SVG and MathML, the obsolete ones of
//! the archived web, and those that scripts read.

use super::super::Role;
use super::tag::Namespace;

/// The longest attribute name that is looked up.
pub(super) const LONGEST: usize = 32;

/// How an attribute's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Url,
    /// `href` of `link`: `rel` says what for.
    Relation,
    Base,
    /// A form's target: only by GET.
    Action,
    /// `value` of `param`: its `name` says whether it is a URL.
    Parameter,
    /// `data` of `object`: its `type` says what for.
    Object,
    /// One or more URLs relative to `codebase`.
    FromCodebase,
    Srcset,
    /// A URL that a script loads, or a CSS `url()`.
    Lazy,
    LazySrcset,
    Style,
    /// HTML within the attribute.
    Document,
    Integrity,
    Ping,
    /// The code of an event handler.
    Handler,
    /// What scripts read: perhaps a URL, perhaps JSON.
    Data,
    /// As `Data`, where the name says that it is a URL.
    Reference,
    /// The value of a field: perhaps the name of a page.
    Field,
    /// Names and values of a query, which plug-ins read.
    Pairs,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Meaning {
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) role: Role,
}

/// What an attribute of an element means; both names are in lower case.
/// `None` where it carries nothing of interest.
pub(super) fn meaning(element: &str, attribute: &[u8], namespace: Namespace) -> Option<Meaning> {
    use Value::{FromCodebase, Integrity, Ping, Srcset, Style, Url};
    let is_html = namespace == Namespace::Html;
    let (name, value, role) = match attribute {
        b"href" => href(element, namespace)?,
        b"xlink:href" if namespace == Namespace::MathMl => ("xlink:href", Url, Role::Page),
        b"xlink:href" => ("xlink:href", Url, svg_role(element)),
        b"src" => source(element, namespace)?,
        b"srcset" => match element {
            "img" | "source" | "amp-img" | "amp-anim" => ("srcset", Srcset, Role::Image),
            _ => return None,
        },
        b"imagesrcset" if element == "link" => ("imagesrcset", Srcset, Role::Image),
        b"style" => ("style", Style, Role::Image),
        b"poster" if matches!(element, "video" | "amp-video") => ("poster", Url, Role::Image),
        b"background" => ("background", Url, Role::Image),
        b"action" if matches!(element, "form" | "isindex") => ("action", Value::Action, Role::Form),
        b"formaction" if matches!(element, "button" | "input") => {
            ("formaction", Value::Action, Role::Form)
        }
        b"data" if element == "object" => ("data", Value::Object, Role::Frame),
        b"srcdoc" if element == "iframe" => ("srcdoc", Value::Document, Role::Frame),
        b"cite" if matches!(element, "blockquote" | "q" | "ins" | "del") => {
            ("cite", Url, Role::Alternate)
        }
        b"longdesc" if matches!(element, "img" | "iframe" | "frame") => {
            ("longdesc", Url, Role::Alternate)
        }
        b"profile" if element == "head" => ("profile", Url, Role::Alternate),
        b"lowsrc" if element == "img" => ("lowsrc", Url, Role::Image),
        b"dynsrc" if element == "img" => ("dynsrc", Url, Role::Media),
        b"icon" if matches!(element, "command" | "menuitem") => ("icon", Url, Role::Image),
        b"manifest" if element == "html" => ("manifest", Url, Role::Manifest),
        b"codebase" if matches!(element, "applet" | "object") => ("codebase", Url, Role::Alternate),
        b"code" if element == "applet" => ("code", FromCodebase, Role::Requisite),
        b"object" if element == "applet" => ("object", FromCodebase, Role::Requisite),
        b"archive" if matches!(element, "applet" | "object") => {
            ("archive", FromCodebase, Role::Requisite)
        }
        b"classid" if element == "object" => ("classid", FromCodebase, Role::Requisite),
        b"implementation" if element == "import" => ("implementation", Url, Role::Requisite),
        b"value" if element == "param" => ("value", Value::Parameter, Role::Requisite),
        b"value" if element == "option" => ("value", Value::Reference, Role::Page),
        b"value" if matches!(element, "input" | "button") => ("value", Value::Field, Role::Guess),
        b"flashvars" => ("flashvars", Value::Pairs, Role::Guess),
        b"qtsrc" if element == "embed" => ("qtsrc", Url, Role::Media),
        b"altimg" if namespace == Namespace::MathMl => ("altimg", Url, Role::Image),
        b"integrity" if matches!(element, "script" | "link") => {
            ("integrity", Integrity, Role::Requisite)
        }
        b"ping" if matches!(element, "a" | "area") => ("ping", Ping, Role::Requisite),
        _ if !is_html && let Some(name) = paint(attribute) => (name, Style, Role::Image),
        [b'o', b'n', rest @ ..] if rest.len() > 2 => ("on..", Value::Handler, Role::Guess),
        _ => lazy(element, attribute)?,
    };
    Some(Meaning { name, value, role })
}

fn href(element: &str, namespace: Namespace) -> Option<(&'static str, Value, Role)> {
    let (value, role) = match (element, namespace) {
        // Any element of MathML may be a link.
        (_, Namespace::MathMl) | ("a" | "area", _) => (Value::Url, Role::Page),
        ("link", Namespace::Html) => (Value::Relation, Role::Alternate),
        ("base", Namespace::Html) => (Value::Base, Role::Base),
        // Any element of SVG may refer to another document's.
        (_, Namespace::Svg) => (Value::Url, svg_role(element)),
        ("image", Namespace::Html) => (Value::Url, Role::Image),
        // A custom element.
        ("*", Namespace::Html) => (Value::Reference, Role::Guess),
        _ => return None,
    };
    Some(("href", value, role))
}

fn svg_role(element: &str) -> Role {
    match element {
        "a" => Role::Page,
        "image" | "feimage" | "use" => Role::Image,
        "script" | "handler" => Role::Script,
        "audio" | "video" => Role::Media,
        "font-face-uri" => Role::Font,
        _ => Role::Requisite,
    }
}

fn source(element: &str, namespace: Namespace) -> Option<(&'static str, Value, Role)> {
    let (value, role) = match element {
        "*" if namespace == Namespace::Html => (Value::Reference, Role::Guess),
        _ => (Value::Url, source_role(element)?),
    };
    Some(("src", value, role))
}

fn source_role(element: &str) -> Option<Role> {
    Some(match element {
        "img" | "image" | "input" | "amp-img" | "amp-anim" | "mglyph" | "fig" | "note"
        | "overlay" => Role::Image,
        "script" => Role::Script,
        "iframe" | "frame" | "embed" | "amp-iframe" | "layer" | "ilayer" | "portal"
        | "fencedframe" | "webview" => Role::Frame,
        "audio" | "video" | "source" | "track" | "bgsound" | "amp-video" | "amp-audio" => {
            Role::Media
        }
        "xml" | "event-source" | "model" | "annotation-xml" => Role::Requisite,
        _ => return None,
    })
}

/// The presentation attributes of SVG whose values may hold `url()`.
fn paint(attribute: &[u8]) -> Option<&'static str> {
    const NAMES: &[&str] = &[
        "clip-path",
        "cursor",
        "fill",
        "filter",
        "marker-end",
        "marker-mid",
        "marker-start",
        "mask",
        "stroke",
    ];
    let at = NAMES.binary_search_by(|known| known.as_bytes().cmp(attribute));
    Some(NAMES[at.ok()?])
}

/// The attributes that scripts of lazy loading, galleries and players have made
/// common, and with them every other `data-` attribute.
fn lazy(element: &str, attribute: &[u8]) -> Option<(&'static str, Value, Role)> {
    // Most attributes are `class`, `id` and the like.
    if !matches!(
        attribute.first()?,
        b'd' | b'h' | b'l' | b'n' | b'o' | b'p' | b'z'
    ) {
        return None;
    }
    if let Ok(at) = LAZY.binary_search_by(|(known, _)| known.as_bytes().cmp(attribute)) {
        let (name, kind) = LAZY[at];
        let (value, role) = match kind {
            Lazy::Source => (Value::Lazy, source_role(element).unwrap_or(Role::Image)),
            Lazy::Image => (Value::Lazy, Role::Image),
            Lazy::Images => (Value::LazySrcset, Role::Image),
            Lazy::Media => (Value::Lazy, Role::Media),
            Lazy::Page => (Value::Reference, Role::Page),
            Lazy::Guess => (Value::Reference, Role::Guess),
        };
        return Some((name, value, role));
    }
    let name = attribute.strip_prefix(b"data-")?;
    let name = std::str::from_utf8(name).ok()?;
    let value = if super::script::is_url_name(name) {
        Value::Reference
    } else {
        Value::Data
    };
    Some(("data-..", value, Role::Guess))
}

/// What the attribute of a script names.
#[derive(Clone, Copy)]
enum Lazy {
    /// What `src` of the element would.
    Source,
    Image,
    Images,
    Media,
    Page,
    /// Anything: a page, an image, an answer.
    Guess,
}

const LAZY: &[(&str, Lazy)] = &[
    ("data-2x", Lazy::Image),
    ("data-at2x", Lazy::Image),
    ("data-audio", Lazy::Media),
    ("data-background", Lazy::Image),
    ("data-background-image", Lazy::Image),
    ("data-background-src", Lazy::Image),
    ("data-background-url", Lazy::Image),
    ("data-bg", Lazy::Image),
    ("data-bg-image", Lazy::Image),
    ("data-bg-img", Lazy::Image),
    ("data-bg-src", Lazy::Image),
    ("data-bg-url", Lazy::Image),
    ("data-bgset", Lazy::Images),
    ("data-cfsrc", Lazy::Source),
    ("data-cover", Lazy::Image),
    ("data-echo", Lazy::Image),
    ("data-flickity-lazyload", Lazy::Image),
    ("data-flickity-lazyload-src", Lazy::Image),
    ("data-flickity-lazyload-srcset", Lazy::Images),
    ("data-full", Lazy::Image),
    ("data-full-src", Lazy::Image),
    ("data-gif", Lazy::Image),
    ("data-hi-res-src", Lazy::Image),
    ("data-highres", Lazy::Image),
    ("data-hires", Lazy::Image),
    ("data-href", Lazy::Page),
    ("data-hx-get", Lazy::Guess),
    ("data-image", Lazy::Image),
    ("data-image-src", Lazy::Image),
    ("data-img", Lazy::Image),
    ("data-img-src", Lazy::Image),
    ("data-img-url", Lazy::Image),
    ("data-large", Lazy::Image),
    ("data-large-file", Lazy::Image),
    ("data-large-src", Lazy::Image),
    ("data-large_image", Lazy::Image),
    ("data-lazy", Lazy::Source),
    ("data-lazy-background", Lazy::Image),
    ("data-lazy-bg", Lazy::Image),
    ("data-lazy-original", Lazy::Image),
    ("data-lazy-src", Lazy::Source),
    ("data-lazy-srcset", Lazy::Images),
    ("data-lazyload", Lazy::Source),
    ("data-lazyload-src", Lazy::Source),
    ("data-link", Lazy::Page),
    ("data-litespeed-src", Lazy::Source),
    ("data-ll-src", Lazy::Source),
    ("data-medium-file", Lazy::Image),
    ("data-mfp-src", Lazy::Guess),
    ("data-mp3", Lazy::Media),
    ("data-mp4", Lazy::Media),
    ("data-orig-file", Lazy::Image),
    ("data-original", Lazy::Source),
    ("data-original-set", Lazy::Images),
    ("data-original-src", Lazy::Source),
    ("data-parallax-image", Lazy::Image),
    ("data-permalink", Lazy::Page),
    ("data-poster", Lazy::Image),
    ("data-preview", Lazy::Guess),
    ("data-retina", Lazy::Image),
    ("data-rocket-src", Lazy::Source),
    ("data-runner-src", Lazy::Source),
    ("data-src", Lazy::Source),
    ("data-src-2x", Lazy::Image),
    ("data-src-retina", Lazy::Image),
    ("data-src-webp", Lazy::Image),
    ("data-srcset", Lazy::Images),
    ("data-srcset-webp", Lazy::Images),
    ("data-thumb", Lazy::Image),
    ("data-thumb-src", Lazy::Image),
    ("data-thumbnail", Lazy::Image),
    ("data-url", Lazy::Guess),
    ("data-video", Lazy::Media),
    ("data-video-src", Lazy::Media),
    ("data-video-url", Lazy::Media),
    ("data-webm", Lazy::Media),
    ("data-webp", Lazy::Image),
    ("data-wpfc-original-src", Lazy::Source),
    ("data-wpfc-original-srcset", Lazy::Images),
    ("data-zoom", Lazy::Image),
    ("data-zoom-image", Lazy::Image),
    ("data-zoom-src", Lazy::Image),
    ("hx-get", Lazy::Guess),
    ("lazy-src", Lazy::Source),
    ("lazy-srcset", Lazy::Images),
    ("lazysrc", Lazy::Source),
    ("ng-href", Lazy::Page),
    ("ng-src", Lazy::Source),
    ("ng-srcset", Lazy::Images),
    ("original", Lazy::Source),
    ("pagespeed_lazy_src", Lazy::Source),
    ("zoomfile", Lazy::Image),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lazy_attributes_are_sorted_and_are_looked_up() {
        assert!(LAZY.is_sorted_by_key(|(name, _)| *name));
        assert!(LAZY.iter().all(|(name, _)| name.len() <= LONGEST));
        assert!(
            LAZY.iter()
                .all(|(name, _)| lazy("img", name.as_bytes()).is_some())
        );
    }
}
