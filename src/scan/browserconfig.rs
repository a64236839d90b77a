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

#[cfg(test)]
mod tests {
    use super::super::links::tests::named;

    #[test]
    fn tiles_and_what_they_poll_are_named() {
        let configuration = "<?xml version='1.0' encoding='utf-8'?><browserconfig><msapplication><tile>
            <square70x70logo src='/70.png'/><square150x150logo src='/150.png'/><wide310x150logo src='w.png'/>
            <TileImage src='/t.png'/><TileColor>#fff</TileColor></tile>
            <badge><polling-uri src='/badge.xml'/></badge><notification><polling-uri2 src='/n.xml'/></notification></msapplication></browserconfig>";
        assert_eq!(
            named("application/xml", configuration.as_bytes()),
            [
                "Image /70.png",
                "Image /150.png",
                "Image /dir/w.png",
                "Image /t.png",
                "Alternate /badge.xml",
                "Alternate /n.xml",
            ]
        );
    }
}
