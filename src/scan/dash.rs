//! DASH manifests (ISO/IEC 23009-1): every segment that a player would ask
//! for, worked out from templates, timelines and lists, within bounds. What
//! goes on live has no end to be worked out; its fixed parts are taken.

use super::Role;
use super::links::{Collector, resolve};
use super::xml::{Piece, Tag, Xml};
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
        found,
    };
    let mut xml = Xml::new(text);
    while !reader.found.is_full()
        && let Some(piece) = xml.next()
    {
        match piece {
            Piece::Start(tag) => reader.start(&tag),
            Piece::Text(text) => reader.content.push_str(&text),
            Piece::End(name) => reader.end(&name, xml.enclosing(0)),
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
                self.leave();
            }
            return;
        }
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
            ..above
        };
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
    }

    fn end(&mut self, name: &str, within: &str) {
        if LEVELS.contains(&name) {
            // What was left open in it ends with it.
            while self.levels.iter().any(|level| level.element == name) {
                self.leave();
            }
            return;
        }
        let content = std::mem::take(&mut self.content);
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
                // Without a place for its number all segments are one file.
                if !pattern.contains("$Number") && !pattern.contains("$Time") {
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
