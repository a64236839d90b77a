//! Which attributes of which elements carry URLs, and what for: the HTML
//! standard's index of attributes, SVG's, the obsolete ones of the archived
//! web, and those that scripts of lazy loading read.

use super::super::Role;

/// The longest attribute name that is looked up.
pub(super) const LONGEST: usize = 24;

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
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Meaning {
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) role: Role,
}

/// What an attribute of an element means; both names are in lower case.
/// `None` where it carries nothing of interest.
pub(super) fn meaning(element: &str, attribute: &[u8], is_html: bool) -> Option<Meaning> {
    use Value::{Integrity, LazySrcset, Ping, Style, Url};
    let (name, value, role) = match attribute {
        b"href" => href(element, is_html)?,
        b"xlink:href" => ("xlink:href", Url, svg_role(element)),
        b"src" => ("src", Url, source_role(element)?),
        b"srcset" => match element {
            "img" | "source" | "amp-img" | "amp-anim" => ("srcset", Value::Srcset, Role::Image),
            _ => return None,
        },
        b"imagesrcset" if element == "link" => ("imagesrcset", Value::Srcset, Role::Image),
        b"style" => ("style", Style, Role::Image),
        b"poster" if matches!(element, "video" | "amp-video") => ("poster", Url, Role::Image),
        b"background" => ("background", Url, Role::Image),
        b"action" if element == "form" => ("action", Value::Action, Role::Form),
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
        b"lowsrc" if element == "img" => ("lowsrc", Url, Role::Image),
        b"dynsrc" if element == "img" => ("dynsrc", Url, Role::Media),
        b"manifest" if element == "html" => ("manifest", Url, Role::Manifest),
        b"codebase" if matches!(element, "applet" | "object") => ("codebase", Url, Role::Alternate),
        b"code" if element == "applet" => ("code", Value::FromCodebase, Role::Requisite),
        b"archive" if matches!(element, "applet" | "object") => {
            ("archive", Value::FromCodebase, Role::Requisite)
        }
        b"classid" if element == "object" => ("classid", Value::FromCodebase, Role::Requisite),
        b"value" if element == "param" => ("value", Value::Parameter, Role::Requisite),
        b"integrity" if matches!(element, "script" | "link") => {
            ("integrity", Integrity, Role::Requisite)
        }
        b"ping" if matches!(element, "a" | "area") => ("ping", Ping, Role::Requisite),
        b"data-srcset" => ("data-srcset", LazySrcset, Role::Image),
        b"data-lazy-srcset" => ("data-lazy-srcset", LazySrcset, Role::Image),
        b"data-original-set" => ("data-original-set", LazySrcset, Role::Image),
        b"data-bgset" => ("data-bgset", LazySrcset, Role::Image),
        lazy if lazy.starts_with(b"data-") => lazy_source(element, lazy)?,
        _ => return None,
    };
    Some(Meaning { name, value, role })
}

fn href(element: &str, is_html: bool) -> Option<(&'static str, Value, Role)> {
    let (value, role) = match element {
        "a" | "area" => (Value::Url, Role::Page),
        "link" => (Value::Relation, Role::Alternate),
        "base" => (Value::Base, Role::Base),
        // Any element of SVG may refer to another document's.
        _ if !is_html => (Value::Url, svg_role(element)),
        _ => return None,
    };
    Some(("href", value, role))
}

fn svg_role(element: &str) -> Role {
    match element {
        "a" => Role::Page,
        "image" | "feimage" | "use" => Role::Image,
        "script" => Role::Script,
        _ => Role::Requisite,
    }
}

fn source_role(element: &str) -> Option<Role> {
    Some(match element {
        "img" | "image" | "input" | "amp-img" | "amp-anim" => Role::Image,
        "script" => Role::Script,
        "iframe" | "frame" | "embed" | "amp-iframe" => Role::Frame,
        "audio" | "video" | "source" | "track" | "bgsound" | "amp-video" | "amp-audio" => {
            Role::Media
        }
        _ => return None,
    })
}

/// The attributes that the scripts of lazy loading have made common.
fn lazy_source(element: &str, attribute: &[u8]) -> Option<(&'static str, Value, Role)> {
    const NAMES: &[&str] = &[
        "data-background",
        "data-background-image",
        "data-background-src",
        "data-bg",
        "data-echo",
        "data-hi-res-src",
        "data-image",
        "data-lazy",
        "data-lazy-src",
        "data-lazyload",
        "data-original",
        "data-poster",
        "data-retina",
        "data-src",
        "data-thumb",
    ];
    let at = NAMES.binary_search_by(|known| known.as_bytes().cmp(attribute));
    let name = NAMES[at.ok()?];
    let role = match name {
        "data-src" | "data-lazy-src" | "data-lazy" => source_role(element).unwrap_or(Role::Image),
        _ => Role::Image,
    };
    Some((name, Value::Lazy, role))
}
