//! DASH manifests (ISO/IEC 23009-1): every segment that a player would ask
//! for, worked out from templates, timelines and lists, within bounds. What
//! goes on live has no end to be worked out; its fixed parts are taken.

use super::Role;
use super::links::{Collector, resolve};
use super::places::Places;
use super::xml::{Piece, Tag, Xml, local};
use std::rc::Rc;
use template::Template;
use url::Url;

mod template;
mod timeline;

use timeline::Stretch;

/// Bytes of one template, and of an identifier that goes into it.
const MAX_TEMPLATE: usize = 2048;
/// Stretches of one timeline.
const MAX_STRETCHES: usize = 50_000;
/// Segments of one manifest that are worked out.
const MAX_SEGMENTS: usize = 200_000;

/// Reads a manifest.
pub(super) fn read(text: &str, found: &mut Collector) {
    let mut reader = Reader {
        levels: vec![Level::new(found.base.clone())],
        content: String::new(),
        is_live: false,
        segments: 0,
        at: 0,
        closed: "",
        sets: 0,
        found,
    };
    let mut xml = Xml::new(text);
    while !reader.found.is_full()
        && let Some(piece) = xml.next()
    {
        match piece {
            Piece::Start(tag) => reader.start(&tag),
            Piece::Text(piece) => {
                let from = xml.position().saturating_sub(piece.len());
                // A text that stands there as it is, and not a reference or such.
                let stands = text
                    .get(from..)
                    .is_some_and(|rest| rest.starts_with(&*piece));
                if reader.content.trim().is_empty() && stands {
                    reader.at = from + (piece.len() - piece.trim_start().len());
                }
                reader.content.push_str(&piece);
            }
            Piece::End(name) => {
                let end = xml.position();
                reader.end(&name, xml.enclosing(0), end);
            }
            Piece::Instruction(_) => {}
        }
    }
    // Of what was cut, the parts that came are worth having.
    while reader.levels.len() > 1 && !reader.found.is_full() {
        reader.leave();
    }
    if reader.segments > MAX_SEGMENTS {
        let note = format!("more segments than the {MAX_SEGMENTS} that are taken of a manifest");
        reader.found.notes.push(note);
    }
    if reader.is_live {
        let note = "a live DASH manifest: only the segments that it lists were taken";
        reader.found.notes.push(note.to_owned());
    }
}

/// What an MPD, period, adaptation set or representation says, with what it
/// inherits.
#[derive(Clone)]
struct Level {
    element: &'static str,
    base: Rc<Url>,
    has_own_base: bool,
    /// Seconds that a period lasts, where that is known.
    seconds: Option<f64>,
    id: String,
    bandwidth: String,
    template: Option<Rc<Template>>,
    timeline: Rc<Vec<Stretch>>,
    has_own_timeline: bool,
    /// Whether segments are listed or templated, here or above.
    is_segmented: bool,
    /// Where its element begins.
    start: usize,
    /// The links, and the alternatives, that were found before it.
    links: usize,
    choices: usize,
    /// What its media are, such as `video/mp4`, and where alternatives are told apart.
    kind: String,
    group: usize,
}

impl Level {
    fn new(base: Url) -> Self {
        Self {
            element: "",
            base: Rc::new(base),
            has_own_base: false,
            seconds: None,
            id: String::new(),
            bandwidth: String::new(),
            template: None,
            timeline: Rc::default(),
            has_own_timeline: false,
            is_segmented: false,
            start: 0,
            links: 0,
            choices: 0,
            kind: String::new(),
            group: 0,
        }
    }
}

struct Reader<'f> {
    /// From outside to inside; never empty.
    levels: Vec<Level>,
    content: String,
    is_live: bool,
    /// Segments worked out so far.
    segments: usize,
    /// Where the last text began, or the last level ended.
    at: usize,
    /// The element whose end is being read.
    closed: &'static str,
    /// Periods and adaptation sets so far.
    sets: usize,
    found: &'f mut Collector,
}

/// The elements that have a level of their own, each within the one before.
const LEVELS: [&str; 4] = ["MPD", "Period", "AdaptationSet", "Representation"];

impl Reader<'_> {
    fn level(&mut self) -> &mut Level {
        self.levels
            .last_mut()
            .expect("there is always an outermost level")
    }

    fn start(&mut self, tag: &Tag<'_>) {
        self.content.clear();
        if let Some(rank) = LEVELS.iter().position(|name| *name == tag.name()) {
            self.enter(rank, tag);
            if tag.is_empty {
                self.at = tag.range.end;
                self.closed = LEVELS[rank];
                self.leave();
                self.closed = "";
            }
            return;
        }
        self.addresses(tag);
        match tag.name() {
            "SegmentTemplate" => {
                let level = self.level();
                let above = level.template.take().unwrap_or_default();
                level.template = Some(Rc::new(above.refined(tag)));
                level.is_segmented = true;
            }
            "SegmentTimeline" => {
                let level = self.level();
                level.timeline = Rc::default();
                level.has_own_timeline = true;
            }
            "S" => {
                let level = self.level();
                if level.has_own_timeline
                    && level.timeline.len() < MAX_STRETCHES
                    && let Some(stretch) = Stretch::of(tag)
                {
                    Rc::make_mut(&mut level.timeline).push(stretch);
                }
            }
            "SegmentList" => self.level().is_segmented = true,
            "Initialization" | "RepresentationIndex" | "BitstreamSwitching" => {
                self.part(tag, "sourceURL");
            }
            "SegmentURL" => {
                self.part(tag, "media");
                self.part(tag, "index");
            }
            _ => {}
        }
    }

    /// Tells where a tag's own addresses stand.
    fn addresses(&mut self, tag: &Tag<'_>) {
        let base = Rc::clone(&self.level().base);
        let Some(places) = &mut self.found.places else {
            return;
        };
        for (name, at) in tag.places() {
            let is_address = matches!(
                local(&name),
                "sourceURL" | "media" | "index" | "initialization" | "bitstreamSwitching" | "href"
            );
            if is_address && !name.starts_with("xmlns") {
                places.address(at, &base);
            }
        }
    }

    fn part(&mut self, tag: &Tag<'_>, attribute: &str) {
        if let Some(source) = tag.value(attribute) {
            let base = self.level().base.clone();
            self.found.push_from(&base, &source, Role::Media);
        }
    }

    /// Opens a level; levels that nobody closed end before it.
    fn enter(&mut self, rank: usize, tag: &Tag<'_>) {
        let outer =
            |level: &Level| LEVELS[..rank].contains(&level.element) || level.element.is_empty();
        while self.levels.len() > 1 && !self.levels.last().is_some_and(outer) {
            self.leave();
        }
        self.addresses(tag);
        let above = self.level().clone();
        let value = |name| clipped(tag.value(name).unwrap_or_default());
        let seconds = |name| timeline::seconds(&tag.value(name)?);
        let mut level = Level {
            element: LEVELS[rank],
            has_own_base: false,
            has_own_timeline: false,
            id: value("id"),
            bandwidth: value("bandwidth"),
            seconds: above.seconds,
            start: tag.range.start,
            links: self.found.links.len(),
            choices: self.found.places.as_ref().map_or(0, Places::choices),
            kind: ["contentType", "mimeType"]
                .into_iter()
                .find_map(|name| tag.value(name))
                .map_or_else(|| above.kind.clone(), clipped),
            ..above
        };
        if rank < 3 {
            self.sets += 1;
            level.group = self.sets;
        }
        match LEVELS[rank] {
            "MPD" => {
                self.is_live = tag.value("type").is_some_and(|kind| kind == "dynamic");
                level.seconds = seconds("mediaPresentationDuration");
            }
            "Period" => {
                level.seconds = seconds("duration").or(level.seconds);
                if let Some(href) = tag.value("href") {
                    self.found.push_from(&level.base, &href, Role::Media);
                }
            }
            _ => {}
        }
        self.levels.push(level);
    }

    fn leave(&mut self) {
        let Some(level) = self.levels.pop_if(|level| !level.element.is_empty()) else {
            return;
        };
        if level.element == "Representation" {
            self.represent(&level);
        }
        // What nobody closed has no end to be told.
        if level.element == self.closed {
            self.choose(&level);
        }
    }

    /// Tells of alternatives: the representations of an adaptation set, and the sets
    /// of one kind in a period.
    fn choose(&mut self, level: &Level) {
        let above = self.levels.last().map_or(0, |above| above.group);
        let Some(places) = &mut self.found.places else {
            return;
        };
        let range = level.start..self.at;
        match level.element {
            "Representation" => {
                // The second of its links is a segment, where the first begins it.
                let links = self.found.links.get(level.links..).unwrap_or_default();
                let link = links.get(1).or(links.first());
                let urls = link.map(|link| link.url.clone()).into_iter().collect();
                places.choice(range, format!("{above}"), urls);
            }
            "AdaptationSet" => {
                // Sets that don't tell what they are may belong together.
                let kind = level.kind.split('/').next().unwrap_or_default();
                if !kind.is_empty() {
                    let urls = places.needs(level.choices);
                    places.choice(range, format!("{above} {kind}"), urls);
                }
            }
            _ => {}
        }
    }

    /// An element ends; the text has been read as far as `at`.
    fn end(&mut self, name: &str, within: &str, at: usize) {
        if let Some(name) = LEVELS.iter().find(|level| **level == name) {
            self.at = at;
            // What was left open in it ends with it.
            while self.levels.iter().any(|level| level.element == *name) {
                self.closed = name;
                self.leave();
            }
            self.closed = "";
            return;
        }
        let content = std::mem::take(&mut self.content);
        if matches!(name, "BaseURL" | "Location" | "ImportedMPD") && !content.trim().is_empty() {
            let (base, at) = (Rc::clone(&self.level().base), self.at);
            if let Some(places) = &mut self.found.places {
                places.address(at, &base);
            }
        }
        match name {
            "BaseURL" => {
                let level = self.level();
                // Further ones are other places of the same, for when the first fails.
                if !level.has_own_base
                    && let Some(base) = resolve(&level.base, &content)
                {
                    level.base = Rc::new(base);
                    level.has_own_base = true;
                }
            }
            "Location" if within == "MPD" => self.found.push(&content, Role::Media),
            "ImportedMPD" => self.found.push(&content, Role::Media),
            _ => {}
        }
    }

    fn represent(&mut self, level: &Level) {
        let Some(template) = &level.template else {
            // All of it is one file.
            if !level.is_segmented && *level.base != self.found.base {
                self.found
                    .push_from(&level.base, level.base.as_str(), Role::Media);
            }
            return;
        };
        let names = template::Names {
            id: &level.id,
            bandwidth: &level.bandwidth,
        };
        for fixed in [&template.initialization, &template.bitstream_switching] {
            if let Some(text) = fixed.as_ref().and_then(|text| names.fill(text, None)) {
                self.found.push_from(&level.base, &text, Role::Media);
            }
        }
        let segments = timeline::segments(template, &level.timeline, level.seconds, self.is_live);
        for segment in segments {
            for pattern in [&template.media, &template.index].into_iter().flatten() {
                self.segments += 1;
                if self.found.is_full() || self.segments > MAX_SEGMENTS {
                    return;
                }
                let Some(text) = names.fill(pattern, Some(segment)) else {
                    return;
                };
                self.found.push_from(&level.base, &text, Role::Media);
                // Without a place for its number all segments are one file; and one
                // is enough to tell whether they are there.
                let is_one = !pattern.contains("$Number") && !pattern.contains("$Time");
                if is_one || self.found.places.is_some() {
                    return;
                }
            }
        }
    }
}

fn clipped(text: String) -> String {
    if text.len() > MAX_TEMPLATE {
        String::new()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::{found, named};
    use crate::config::Config;

    #[test]
    fn templates_timelines_and_bases_are_worked_out() {
        let manifest = "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' mediaPresentationDuration='PT9S'>
            <BaseURL>http://cdn.example/v/</BaseURL><BaseURL>http://other.example/v/</BaseURL>
            <Period id='1'><AdaptationSet contentType='video'>
              <SegmentTemplate timescale='1000' startNumber='5' initialization='$RepresentationID$/init.mp4' media='$RepresentationID$/$Time$.m4s'>
                <SegmentTimeline><S t='0' d='4000' r='1'/><S d='1000'/></SegmentTimeline></SegmentTemplate>
              <Representation id='hi' bandwidth='900'/><Representation id='lo' bandwidth='100'><BaseURL>lo/</BaseURL></Representation>
            </AdaptationSet><AdaptationSet contentType='audio'>
              <SegmentTemplate duration='4' media='a-$Number%02d$-$Bandwidth$.m4s'/>
              <Representation id='au' bandwidth='64'/></AdaptationSet></Period></MPD>";
        assert_eq!(
            named("application/dash+xml", manifest.as_bytes()),
            [
                "Media http://cdn.example/v/hi/init.mp4",
                "Media http://cdn.example/v/hi/0.m4s",
                "Media http://cdn.example/v/hi/4000.m4s",
                "Media http://cdn.example/v/hi/8000.m4s",
                "Media http://cdn.example/v/lo/lo/init.mp4",
                "Media http://cdn.example/v/lo/lo/0.m4s",
                "Media http://cdn.example/v/lo/lo/4000.m4s",
                "Media http://cdn.example/v/lo/lo/8000.m4s",
                "Media http://cdn.example/v/a-01-64.m4s",
                "Media http://cdn.example/v/a-02-64.m4s",
                "Media http://cdn.example/v/a-03-64.m4s",
            ]
        );
    }

    #[test]
    fn lists_single_files_and_indexes_are_taken() {
        let manifest = "<MPD><Location>/new.mpd</Location><Period duration='PT4S'><AdaptationSet>
            <Representation id='1'><BaseURL>one.mp4</BaseURL><SegmentBase indexRange='10-20'><Initialization range='0-9'/></SegmentBase></Representation>
            <Representation id='2'><SegmentBase><Initialization sourceURL='i2.mp4'/><RepresentationIndex sourceURL='x2.sidx'/></SegmentBase><BaseURL>two.mp4</BaseURL></Representation>
            <Representation id='3'><SegmentList duration='2'><Initialization sourceURL='i3.mp4'/><SegmentURL media='s3-1.m4s' index='s3-1.idx'/><SegmentURL media='s3-2.m4s'/></SegmentList></Representation>
            <Representation id='4'><SegmentTemplate media='whole.m4s' duration='1'/></Representation>
            </AdaptationSet></Period><Period xlink:href='/more.xml'/></MPD>";
        assert_eq!(
            named("application/xml", manifest.as_bytes()),
            [
                "Media /new.mpd",
                "Media /dir/one.mp4",
                "Media /dir/i2.mp4",
                "Media /dir/x2.sidx",
                "Media /dir/two.mp4",
                "Media /dir/i3.mp4",
                "Media /dir/s3-1.m4s",
                "Media /dir/s3-1.idx",
                "Media /dir/s3-2.m4s",
                "Media /dir/whole.m4s",
                "Media /more.xml",
            ]
        );
    }

    #[test]
    fn what_goes_on_live_or_without_end_is_noted() {
        let read = |manifest: &str| {
            let limits = Config::defaults().limits;
            found(
                "http://a.example/",
                "application/dash+xml",
                manifest.as_bytes(),
                false,
                &limits,
            )
        };
        let live = read(
            "<MPD type='dynamic'><Period><AdaptationSet><SegmentTemplate media='$Number$' initialization='i' duration='2'/><Representation/></AdaptationSet></Period></MPD>",
        );
        assert_eq!((live.links.len(), live.notes.len()), (1, 1));
        let endless = read(
            "<MPD><Period><SegmentTemplate media='$Number$' endNumber='99999999999'/><Representation/></Period></MPD>",
        );
        assert_eq!((endless.links.len(), endless.notes.len()), (100_000, 1));
    }
}
