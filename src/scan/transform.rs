//! XSLT style sheets, which hold HTML with holes in it, and XML of no known
//! kind: inclusions, links of XLink, and texts that are URLs as a whole.

use super::format::Asked;
use super::links::{Collector, stylesheets};
use super::xml::{self, Piece, Xml, local};
use super::{Kind, Role};
use std::rc::Rc;

/// Reads an XSLT style sheet. An address with a hole in it (`{..}`, XSLT 1.0
/// §7.6.2) is known only once a document is transformed.
pub(super) fn read(asked: &Asked<'_>, source: &[u8], found: &mut Collector) {
    let text = xml::text(source, asked.charset);
    stylesheets(&text, found);
    let mut reader = Xml::new(&text);
    while !found.is_full()
        && let Some(piece) = reader.next()
    {
        if let Piece::Start(tag) = piece
            && matches!(tag.name(), "import" | "include" | "import-schema")
            && let Some(href) = tag.value("href")
        {
            found.push(&href, Role::Requisite);
        }
    }
    let mut scan = super::scan(Kind::Html, text.as_bytes(), asked.url, Some("utf-8"));
    scan.found.retain(|link| {
        let text = &text.as_bytes()[link.range.clone()];
        !text.contains(&b'{')
    });
    // Its ranges are those of the text, which was decoded.
    found.part(scan);
}

/// Reads XML of no known kind.
pub(super) fn read_other(text: &str, found: &mut Collector) {
    let mut xml = Xml::new(text);
    let mut content = String::new();
    while !found.is_full()
        && let Some(piece) = xml.next()
    {
        match piece {
            Piece::Start(tag) => {
                content.clear();
                let name = tag.name().to_owned();
                for (key, value) in tag.attributes() {
                    if key.starts_with("xmlns") || value.contains('{') {
                        continue;
                    }
                    match (name.as_str(), local(&key)) {
                        ("include" | "import", "href" | "schemaLocation") => {
                            found.push(&value, Role::Requisite);
                        }
                        ("a", "href") => found.push(&value, Role::Page),
                        ("img", "src") => found.push(&value, Role::Image),
                        (_, "href") => found.push(&value, Role::Alternate),
                        (_, "src") => found.push(&value, Role::Requisite),
                        _ if is_address(&value) => found.push(&value, Role::Guess),
                        _ => {}
                    }
                }
            }
            Piece::Text(text) => content.push_str(&text),
            Piece::End(name) => {
                let text = content.trim();
                if is_address(text) {
                    let role = match name.as_str() {
                        "Image" | "icon" | "logo" => Role::Image,
                        _ => Role::Guess,
                    };
                    found.push(text, role);
                }
                content.clear();
            }
            Piece::Instruction(instruction) => found.instruction(&instruction),
        }
    }
}

/// Tells where the addresses stand that a browser follows in XML which it shows as a
/// document: style sheets, inclusions, links and pictures.
pub(super) fn read_shown(text: &str, found: &mut Collector) {
    let base = Rc::new(found.base.clone());
    let mut xml = Xml::new(text);
    let Some(places) = &mut found.places else {
        return;
    };
    while let Some(piece) = xml.next() {
        match piece {
            Piece::Instruction(instruction) => {
                if let Some(at) = instruction.place() {
                    places.address(at, &base);
                }
            }
            Piece::Start(tag) => {
                for (name, at) in tag.places() {
                    let is_address = matches!(local(&name), "href" | "src" | "action" | "poster");
                    if is_address && !name.starts_with("xmlns") {
                        places.address(at, &base);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a text is an absolute URL as a whole.
fn is_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("http")
        .map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    rest.is_some_and(|rest| rest.starts_with("://"))
        && !text
            .contains(|character: char| character.is_whitespace() || "{}<>\"".contains(character))
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::{found, named};
    use crate::config::Config;

    #[test]
    fn places_in_what_was_decoded_are_none_of_the_file() {
        let sheet = b"<xsl:stylesheet xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>\x80\x80\x80<img src='i.png'/>";
        let limits = Config::defaults().limits;
        let found = found("http://a.example/f", "text/xsl", sheet, false, &limits);
        assert_eq!(found.links.len(), 1);
        assert_eq!(found.links[0].range, None);
    }

    #[test]
    fn xml_of_no_known_kind_gives_its_links_and_whole_texts() {
        let document = "<?xml version='1.0'?><?xml-stylesheet href='/style.xsl' type='text/xsl'?>
            <d xmlns='http://n.example/' xmlns:xlink='http://www.w3.org/1999/xlink' xsi:schemaLocation='http://n.example/ http://n.example/x.xsd'>
            <xi:include href='part.xml'/><ref xlink:href='/r'/><a href='/p'>x</a><img src='/i.png'/><media src='m.ogg'/>
            <homePageLink>http://a.example/home</homePageLink><note>see http://a.example/no now</note><icon>http://a.example/i.ico</icon></d>";
        assert_eq!(
            named("text/xml", document.as_bytes()),
            [
                "Stylesheet /style.xsl",
                "Requisite /dir/part.xml",
                "Alternate /r",
                "Page /p",
                "Image /i.png",
                "Requisite /dir/m.ogg",
                "Guess /home",
                "Image /i.ico",
            ]
        );
    }
}
