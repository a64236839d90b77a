//! Lookups in a sorted CDXJ by positioned reads: no scan, no memory map, a
//! gigabyte of index opens at once. Several files answer as one, merged line by line
//! as they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::sync::Arc;

use super::cdxj::CdxjEntry;
use super::container::{Region, RegionReader};
use super::denied::Denied;

/// A longer line is no CDXJ.
const MAX_LINE: usize = 1024 * 1024;

/// Bytewise sorted CDXJ: one file, or several together.
#[derive(Debug, Clone)]
pub struct Index {
    sources: Vec<Source>,
}

/// One file of an index.
#[derive(Debug, Clone)]
struct Source {
    region: Region,
    /// What its lines are told to be from, as their last key `source`; `None` for a
    /// file alone, whose lines are as they stand.
    name: Option<Arc<str>>,
    /// What of its lines isn't given.
    denied: Option<Arc<Denied>>,
}

/// Where some lines stand: a range of bytes in each file of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span(Vec<Range<u64>>);

impl Span {
    /// Its length in bytes: of several files, that of the one that has most of it.
    pub fn len(&self) -> u64 {
        let lengths = self.0.iter().map(|range| range.end - range.start);
        lengths.max().unwrap_or_default()
    }

    /// Whether no line is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Index {
    /// An index over sorted lines.
    pub fn new(region: Region) -> Self {
        let source = Source {
            region,
            name: None,
            denied: None,
        };
        Self {
            sources: vec![source],
        }
    }

    /// The same without the lines of what is withheld.
    #[must_use]
    pub fn without(mut self, denied: &Arc<Denied>) -> Self {
        for source in &mut self.sources {
            source.denied = Some(Arc::clone(denied));
        }
        self
    }

    /// Several indexes as one, each with the name that its lines get.
    pub fn together<'i>(parts: impl IntoIterator<Item = (&'i str, &'i Self)>) -> Self {
        let parts = parts.into_iter().flat_map(|(name, part)| {
            let name: Arc<str> = name.into();
            part.sources.iter().map(move |source| Source {
                region: source.region.clone(),
                name: Some(name.clone()),
                denied: source.denied.clone(),
            })
        });
        Self {
            sources: parts.collect(),
        }
    }

    /// The lines that start with `prefix`, in order.
    pub fn lines(&self, prefix: &str) -> io::Result<Lines> {
        let prefix: Arc<[u8]> = prefix.as_bytes().into();
        let streams = self.sources.iter().map(|source| {
            let start = source.lower_bound(&prefix)?;
            Ok(source.stream(start, u64::MAX, prefix.clone()))
        });
        Lines::of(streams)
    }

    /// Where the lines that start with `prefix` stand.
    pub fn span(&self, prefix: &str) -> io::Result<Span> {
        let ranges = self.sources.iter().map(|source| source.range(prefix));
        Ok(Span(ranges.collect::<io::Result<_>>()?))
    }

    /// The lines that begin within a span, in order.
    pub fn lines_within(&self, span: &Span) -> io::Result<Lines> {
        let streams = self.sources.iter().zip(&span.0).map(|(source, range)| {
            let start = match range.start {
                0 => 0,
                // The line that a part begins in is that of the part before it.
                start => source.line_after(start, 0)?.0,
            };
            let left = range.end.saturating_sub(start);
            Ok(source.stream(start, left, Arc::default()))
        });
        Lines::of(streams)
    }

    /// The part of a span between two offsets of its [length](Span::len). Parts that
    /// follow upon each other have every line once, and in order.
    pub fn cut(&self, span: &Span, part: Range<u64>) -> io::Result<Span> {
        if let [range] = &span.0[..] {
            let at = |offset: u64| range.start.saturating_add(offset).min(range.end);
            let range = at(part.start)..at(part.end);
            return Ok(Span([range].into()));
        }
        // The longest file tells between which lines all others are cut.
        let lengths = span.0.iter().map(|range| range.end - range.start);
        let Some((longest, length)) = lengths.enumerate().max_by_key(|(_, length)| *length) else {
            return Ok(span.clone());
        };
        let mut cut = span.clone();
        let leader = &span.0[longest];
        let line_at = |offset: u64| -> io::Result<Option<Vec<u8>>> {
            let (start, line) = self.sources[longest].line_after(leader.start + offset, 0)?;
            Ok((start < leader.end).then_some(line))
        };
        let first = match part.start {
            0 => None,
            start => Some(line_at(start.min(length))?),
        };
        let end = (part.end < length)
            .then(|| line_at(part.end))
            .transpose()?
            .flatten();
        for ((source, whole), cut) in self.sources.iter().zip(&span.0).zip(&mut cut.0) {
            let bound = |line: &[u8]| -> io::Result<u64> {
                Ok(source.lower_bound(line)?.clamp(whole.start, whole.end))
            };
            match &first {
                None => {}
                Some(None) => cut.start = whole.end,
                Some(Some(line)) => cut.start = bound(line)?,
            }
            if let Some(line) = &end {
                cut.end = bound(line)?;
            }
        }
        Ok(cut)
    }

    /// Every capture whose key is exactly `surt`, oldest first. Lines that
    /// aren't CDXJ are passed over; `verify` reports them.
    pub fn captures(&self, surt: &str) -> io::Result<Vec<CdxjEntry>> {
        let lines = self.lines(&format!("{surt} "))?;
        lines
            .filter_map(|line| match line {
                Ok(line) => line.parse().ok().map(Ok),
                Err(error) => Some(Err(error)),
            })
            .collect()
    }
}

impl Source {
    fn stream(&self, start: u64, left: u64, prefix: Arc<[u8]>) -> Stream {
        Stream {
            reader: BufReader::with_capacity(16 * 1024, self.region.from(start)),
            left,
            prefix,
            name: self.name.clone(),
            denied: self.denied.clone(),
        }
    }

    /// Where the lines that start with `prefix` stand, in bytes of the file.
    fn range(&self, prefix: &str) -> io::Result<Range<u64>> {
        let start = self.lower_bound(prefix.as_bytes())?;
        let mut after = prefix.as_bytes().to_owned();
        while let Some(last) = after.pop() {
            if last < u8::MAX {
                after.push(last + 1);
                return Ok(start..self.lower_bound(&after)?);
            }
        }
        Ok(start..self.region.len())
    }

    /// Offset of the first line that isn't less than `key`.
    fn lower_bound(&self, key: &[u8]) -> io::Result<u64> {
        // Invariant: the answer is a line start in low..=high.
        let (mut low, mut high) = (0, self.region.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (start, line) = self.line_after(middle, low)?;
            if start >= high {
                // No line starts in middle..high: look below.
                let (start, line) = self.line_after(low, low)?;
                if line.as_slice() >= key {
                    return Ok(start);
                }
                // Lines in low..middle are few: walk them.
                low = start + line.len() as u64 + 1;
                continue;
            }
            if line.as_slice() < key {
                low = start + line.len() as u64 + 1;
            } else {
                high = start;
            }
        }
        Ok(low.min(self.region.len()))
    }

    /// The first line that starts at or after `at`, where `line_start` is a
    /// known line start at or before it.
    fn line_after(&self, at: u64, line_start: u64) -> io::Result<(u64, Vec<u8>)> {
        let from = if at == line_start { at } else { at - 1 };
        let mut reader = BufReader::with_capacity(2048, self.region.from(from));
        let mut start = at;
        if at != line_start {
            let mut skipped = Vec::new();
            start = from + read_line(&mut reader, &mut skipped)? as u64;
        }
        let mut line = Vec::new();
        read_line(&mut reader, &mut line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok((start, line))
    }
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let n = io::Read::take(&mut *reader, MAX_LINE as u64).read_until(b'\n', line)?;
    if n == MAX_LINE {
        let reason = "a line of the index is longer than 1 MiB";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(n)
}

/// Lines of one file from a position on.
struct Stream {
    reader: BufReader<RegionReader>,
    /// Bytes in which a line may still begin.
    left: u64,
    /// How the lines begin.
    prefix: Arc<[u8]>,
    name: Option<Arc<str>>,
    denied: Option<Arc<Denied>>,
}

impl Stream {
    /// The next line that isn't withheld, as it stands in the file.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let line = self.any()?;
            let is_denied = line
                .as_ref()
                .zip(self.denied.as_ref())
                .is_some_and(|(line, denied)| denied.has_line(line));
            if !is_denied {
                return Ok(line);
            }
        }
    }

    fn any(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut line = Vec::new();
        let read = read_line(&mut self.reader, &mut line);
        if !matches!(read, Ok(1..)) || !line.starts_with(&self.prefix) {
            self.left = 0;
            return read.map(|_| None);
        }
        self.left = self.left.saturating_sub(line.len() as u64);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(line))
    }

    /// A line as it is given, with the name of what it is from.
    fn told(&self, line: &[u8]) -> String {
        let mut line = String::from_utf8_lossy(line).into_owned();
        if let Some(name) = &self.name {
            let fields = line.trim_end().strip_suffix('}').map(str::trim_end);
            // What has no field is no capture.
            if let Some(length) = fields.filter(|f| !f.ends_with('{')).map(str::len) {
                line.truncate(length);
                // The last of a name counts, so none of the file's own takes its place.
                line += &format!(", \"source\": \"{name}\"}}");
            }
        }
        line
    }
}

/// A line, and which file it is of.
type Next = (Vec<u8>, usize);

/// Lines of an index in order. Memory holds one line of each file that has any, and a
/// piece of the file.
pub struct Lines {
    streams: Vec<Stream>,
    /// The next line of each of several files; of one file they are just read.
    next: Option<BinaryHeap<Reverse<Next>>>,
}

impl Lines {
    fn of(mut streams: impl ExactSizeIterator<Item = io::Result<Stream>>) -> io::Result<Self> {
        if streams.len() == 1
            && let Some(stream) = streams.next()
        {
            return Ok(Self {
                streams: vec![stream?],
                next: None,
            });
        }
        let (mut having, mut next) = (Vec::new(), BinaryHeap::new());
        for stream in streams {
            let mut stream = stream?;
            // Of a thousand files most have nothing of one URL.
            if let Some(line) = stream.next()? {
                next.push(Reverse((line, having.len())));
                having.push(stream);
            }
        }
        Ok(Self {
            streams: having,
            next: Some(next),
        })
    }

    fn merged(&mut self) -> io::Result<Option<String>> {
        let Some(next) = &mut self.next else {
            let Some(stream) = self.streams.first_mut() else {
                return Ok(None);
            };
            let line = stream.next()?;
            return Ok(line.map(|line| stream.told(&line)));
        };
        let Some(Reverse((line, at))) = next.pop() else {
            return Ok(None);
        };
        let stream = &mut self.streams[at];
        next.extend(stream.next()?.map(|line| Reverse((line, at))));
        Ok(Some(stream.told(&line)))
    }
}

impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.merged();
        if line.is_err() {
            // Nothing that follows would be in order.
            self.streams.clear();
            self.next = None;
        }
        line.transpose()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::snapshot::scratch;
    use std::io::Write;

    fn index(lines: &[String]) -> Index {
        let mut file = scratch::file().unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        Index::new(Region::whole(file).unwrap())
    }

    /// The lines with a prefix, read in parts of so many bytes.
    fn in_parts(index: &Index, prefix: &str, step: u64) -> Vec<String> {
        let span = index.span(prefix).unwrap();
        let mut parted = Vec::new();
        let mut at = 0;
        while at < span.len() {
            let end = (at + step).min(span.len());
            let part = index.cut(&span, at..end).unwrap();
            parted.extend(index.lines_within(&part).unwrap().map(Result::unwrap));
            at = end;
        }
        parted
    }

    #[test]
    fn each_line_of_several_tells_its_own_source_however_it_ends() {
        let lines = [
            r#"a)/ 2020 {"url": "x", "offset": 0}"#,
            r#"a)/b 2020 {"url": "x", "source": "other"}"#,
            r#"a)/c 2020 {"url": "x" } "#,
        ]
        .map(str::to_owned);
        let one = index(&lines);
        let together = Index::together([("mine", &one), ("none", &index(&[]))]);
        for line in together.lines("").unwrap() {
            let line = line.unwrap();
            let fields: serde_json::Value =
                serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
            assert_eq!(fields["source"], "mine", "{line}");
        }
    }

    #[test]
    fn several_files_answer_as_one_sorted_file_would() {
        let line = |key: u32, time: u32, of: &str| {
            let rest = "x".repeat((key * 7 % 31) as usize);
            format!("k{key:02} {time:02} {{\"{of}\": \"{rest}\"}}")
        };
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let files = [
            sorted((0..40).map(|n| line(n / 3, n, "a")).collect()),
            sorted((0..9).map(|n| line(n * 2, n, "b")).collect()),
            Vec::new(),
            // Some lines are those of another file.
            sorted((5..30).map(|n| line(n / 3, n, "a")).collect()),
        ];
        let names = ["one", "two", "none", "three"];
        let indexes: Vec<Index> = files.iter().map(|lines| index(lines)).collect();
        let together = Index::together(names.into_iter().zip(&indexes));
        let mut all: Vec<(String, usize)> = (0..)
            .zip(&files)
            .flat_map(|(at, lines)| lines.iter().map(move |line| (line.clone(), at)))
            .collect();
        all.sort();
        let told = |prefix: &str| -> Vec<String> {
            let found = all.iter().filter(|(line, _)| line.starts_with(prefix));
            let told = found.map(|(line, at)| {
                let line = line.strip_suffix('}').unwrap();
                format!("{line}, \"source\": \"{}\"}}", names[*at])
            });
            told.collect()
        };
        for prefix in ["", "k", "k05 ", "k04", "k17 ", "k99"] {
            let found: Vec<String> = together
                .lines(prefix)
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(found, told(prefix), "{prefix}");
            for step in [1, 7, 64, 1000] {
                let parted = in_parts(&together, prefix, step);
                assert_eq!(parted, told(prefix), "{prefix} by {step}");
            }
        }
    }

    #[test]
    fn every_prefix_finds_its_lines_and_no_others() {
        for count in 0..40u32 {
            let mut lines: Vec<String> = (0..count)
                .map(|n| format!("k{:02} {}", n / 3, "x".repeat((n * 7 % 50) as usize)))
                .collect();
            lines.sort();
            lines.dedup();
            let index = index(&lines);
            for key in 0..15 {
                let prefix = format!("k{key:02} ");
                let found: Vec<String> = index
                    .lines(&prefix)
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap();
                let expected: Vec<String> = lines
                    .iter()
                    .filter(|l| l.starts_with(&prefix))
                    .cloned()
                    .collect();
                assert_eq!(found, expected, "{prefix} among {count}");
                for step in [1, 7, 64, 1000] {
                    let parted = in_parts(&index, &prefix, step);
                    assert_eq!(parted, expected, "{prefix} among {count} by {step}");
                }
            }
            let all = index.lines("").unwrap().count();
            assert_eq!(all, lines.len());
        }
    }
}
