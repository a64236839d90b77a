//! `browserconfig.xml`, which names the tiles of a site in old start menus of
//! Windows (Microsoft, browser configuration schema reference).

use super::Role;
use super::links::Collector;
use super::xml::{Piece, Xml};

/// Reads a browser configuration.
pub(super) fn read(text: &str, found: &mut Collector) {
    let mut xml = Xml::new(text);
    while !found.is_full()
        && let Some(piece) = xml.next()
    {
        let Piece::Start(tag) = piece else {
            continue;
        };
        let role = match tag.name() {
            name if name.ends_with("logo") => Role::Image,
            "TileImage" => Role::Image,
            // What a tile shows now and then; no page needs it.
            name if name.starts_with("polling-uri") || name.starts_with("badge") => Role::Alternate,
            _ => continue,
        };
        if let Some(source) = tag.value("src") {
            found.push(&source, role);
        }
    }
}
