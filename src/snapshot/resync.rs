//! Finding the next record after one that can't be read, so that damage costs
//! no more than it has to.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::GzDecoder;

use super::collection::Warc;
use super::container::Region;
use crate::warc::arc;
use crate::warc::frame::{Dictionary, FrameDecoder, ZSTD_MAGIC, is_skippable};
use crate::warc::member::GZIP_MAGIC;

impl Warc {
    /// The first byte at or after `from` that looks like the start of a
    /// record: a version line, or a gzip member or Zstandard frame that inflates
    /// to one.
    pub fn next_start(&self, from: u64) -> io::Result<Option<u64>> {
        let mut magic = [0; ZSTD_MAGIC.len()];
        // A file that can't be read is told elsewhere.
        let _ = self.region().read_at(0, &mut magic);
        let name = self.filename.to_ascii_lowercase();
        let form = if name.ends_with(".gz") || magic.starts_with(&GZIP_MAGIC) {
            Form::Gzip
        } else if name.ends_with(".zst") || magic == ZSTD_MAGIC || is_skippable(&magic) {
            Form::Zstd(self.dictionary())
        } else if self.is_arc() {
            // The line end before it is looked for.
            return search(self.region(), from.saturating_sub(1), &Form::PlainArc);
        } else {
            Form::Plain
        };
        let form = match form {
            Form::Gzip if self.is_arc() => Form::GzipArc,
            form => form,
        };
        search(self.region(), from, &form)
    }
}

/// How records are stored.
enum Form {
    Plain,
    Gzip,
    Zstd(Option<Dictionary>),
    PlainArc,
    GzipArc,
}

impl Form {
    fn mark(&self) -> &'static [u8] {
        match self {
            Self::Plain => b"WARC/1.",
            Self::PlainArc => b"\n",
            Self::Gzip | Self::GzipArc => &GZIP_MAGIC,
            Self::Zstd(_) => &ZSTD_MAGIC,
        }
    }

    /// Whether what stands at `at` inflates to the start of a record.
    fn inflates_to_a_record(&self, region: &Region, at: u64) -> bool {
        let mut start = [0; 5];
        let part = region.part(at, 64 * 1024);
        let read = match self {
            Self::Plain | Self::PlainArc => return true,
            Self::GzipArc => return begins_as_arc(GzDecoder::new(part)),
            Self::Gzip => GzDecoder::new(part).read_exact(&mut start).is_ok(),
            Self::Zstd(dictionary) => {
                let mut stored = Vec::new();
                let mut part = part;
                let decoded = FrameDecoder::new(dictionary.as_ref()).and_then(|mut decoder| {
                    part.read_to_end(&mut stored)?;
                    let mut at = 0;
                    loop {
                        let step = decoder.step(&stored[at..], &mut start)?;
                        at += step.used;
                        if step.made > 0 || step.ended || step.used == 0 {
                            return Ok(step.made == start.len());
                        }
                    }
                });
                decoded.unwrap_or(false)
            }
        };
        read && start.eq_ignore_ascii_case(b"WARC/")
    }
}

/// Looks for a member or frame that inflates to a record, or for a version
/// line.
fn search(region: &Region, from: u64, form: &Form) -> io::Result<Option<u64>> {
    const WINDOW: usize = 256 * 1024;
    let mark = form.mark();
    let mut buffer = vec![0; WINDOW];
    let mut at = from;
    while at < region.len() {
        let mut filled = 0;
        while filled < WINDOW {
            match region.read_at(at + filled as u64, &mut buffer[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let window = &buffer[..filled];
        for found in positions(window, mark) {
            let place = at + found as u64 + u64::from(matches!(form, Form::PlainArc));
            let good = match form {
                Form::PlainArc => begins_as_arc(region.from(place)),
                Form::Plain => found == 0 || window[found - 1] == b'\n',
                _ => form.inflates_to_a_record(region, place),
            };
            if good {
                return Ok(Some(place));
            }
        }
        if filled < WINDOW {
            break;
        }
        // A mark may lie across the windows' border; a byte more shows the
        // line end before it.
        at += (WINDOW - mark.len()) as u64;
    }
    Ok(None)
}

/// Whether what is read begins with the line of an ARC record.
fn begins_as_arc(part: impl Read) -> bool {
    let mut line = Vec::new();
    let mut part = BufReader::with_capacity(512, part.take(arc::MAX_LINE as u64));
    // Of what can't be read to its end the start may be good.
    let _ = part.read_until(b'\n', &mut line);
    arc::Line::parse(&line).is_some()
}

fn positions<'w>(window: &'w [u8], mark: &'w [u8]) -> impl Iterator<Item = usize> + 'w {
    window
        .windows(mark.len())
        .enumerate()
        .filter(move |(_, bytes)| *bytes == mark)
        .map(|(at, _)| at)
}
