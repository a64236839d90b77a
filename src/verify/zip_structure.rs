//! The outline of a WACZ as ZIP (APPNOTE 6.3): one name for one entry, no byte
//! that belongs to none, nothing behind the end. Readers differ in what they
//! make of anything else, and so would show different content.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is irregular, and whether a reader may see other content by it.
pub(super) struct Irregular {
    pub(super) ambiguous: bool,
    pub(super) message: String,
}

/// Goes through the directory of a ZIP as it stands in the file. What the ZIP
/// reader refuses is no matter here.
pub(super) fn irregular(file: &File) -> io::Result<Vec<Irregular>> {
    let mut found = Vec::new();
    let mut tell = |ambiguous, message: String| {
        if found.len() < 1000 {
            found.push(Irregular { ambiguous, message });
        }
    };
    let size = file.metadata()?.len();
    let Some(end) = End::find(file, size)? else {
        tell(false, "the ZIP's end record doesn't end the file".into());
        return Ok(found);
    };
    let mut names = BTreeSet::new();
    let mut spans = Vec::new();
    let (mut at, mut count) = (end.start, 0_u64);
    while at < end.stop {
        let Some(entry) = Entry::read(file, at)? else {
            tell(true, format!("no directory entry at byte {at} of the ZIP"));
            return Ok(found);
        };
        at += entry.length;
        count += 1;
        let shown = String::from_utf8_lossy(&entry.name).into_owned();
        let name = shown.replace('\\', "/");
        let name = name.trim_start_matches("./").to_owned();
        if name.ends_with('/') && entry.size > 0 {
            tell(true, format!("{shown:?} is a folder, and has content"));
        }
        if !names.insert(name) {
            tell(true, format!("{shown:?} is in the ZIP more than once"));
        }
        let start = entry.local.saturating_add(end.shift);
        spans.push((start, entry.stored, entry.streamed));
    }
    if count != end.count {
        let message = format!("{count} entries, and the ZIP's end says {}", end.count);
        tell(true, message);
    }
    spans.sort_unstable();
    let mut covered = 0;
    for (start, stored, streamed) in spans {
        gap(covered, start, &mut tell);
        let mut header = [0; 30];
        if file.read_exact_at(&mut header, start).is_err() {
            break;
        }
        let variable = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        covered = (start + 30 + variable).saturating_add(stored);
        if streamed {
            covered = covered.saturating_add(descriptor(file, covered)?);
        }
    }
    gap(covered, end.start, &mut tell);
    Ok(found)
}

fn gap(covered: u64, start: u64, tell: &mut impl FnMut(bool, String)) {
    if start > covered {
        let bytes = start - covered;
        let message = format!("{bytes} bytes at byte {covered} of the ZIP belong to no entry");
        tell(false, message);
    } else if start < covered {
        tell(true, format!("entries overlap at byte {start} of the ZIP"));
    }
}

/// The length of the data descriptor (APPNOTE 4.3.9) at a place: with or
/// without signature, sizes in 4 or 8 bytes. What follows shows which.
fn descriptor(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 28];
    let mut have = 0;
    while have < bytes.len() {
        match file.read_at(&mut bytes[have..], at + have as u64)? {
            0 => break,
            n => have += n,
        }
    }
    let follows = |length: usize| {
        [b"PK\x01\x02", b"PK\x03\x04"]
            .iter()
            .any(|mark| bytes[length..].starts_with(*mark))
    };
    let lengths = [16, 24, 12, 20];
    let length = lengths.into_iter().find(|&length| follows(length));
    Ok(length.unwrap_or(0) as u64)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// What the end records say.
struct End {
    /// Where the directory is.
    start: u64,
    stop: u64,
    count: u64,
    /// What stands before the ZIP in the file.
    shift: u64,
}

impl End {
    /// The end record (APPNOTE 4.3.16) that ends the file with its comment, and
    /// the ZIP64 one (4.3.14) where it points to that.
    fn find(file: &File, size: u64) -> io::Result<Option<Self>> {
        const LENGTH: usize = 22;
        const LONGEST: u64 = LENGTH as u64 + 0xffff;
        let from = size.saturating_sub(LONGEST);
        let mut tail = vec![0; usize::try_from(size - from).unwrap_or(0)];
        file.read_exact_at(&mut tail, from)?;
        let ends = |at: &usize| {
            let record = &tail[*at..];
            record.starts_with(b"PK\x05\x06")
                && record.len() == LENGTH + usize::from(u16_at(record, 20))
        };
        let Some(last) = tail.len().checked_sub(LENGTH) else {
            return Ok(None);
        };
        let Some(at) = (0..=last).rev().find(ends) else {
            return Ok(None);
        };
        let record = &tail[at..];
        let (mut count, mut bytes) = (u64::from(u16_at(record, 10)), u64::from(u32_at(record, 12)));
        let mut offset = u64::from(u32_at(record, 16));
        let mut stop = from + at as u64;
        let mut locator = [0; 20];
        if let Some(place) = stop.checked_sub(20)
            && file.read_exact_at(&mut locator, place).is_ok()
            && locator.starts_with(b"PK\x06\x07")
        {
            let mut large = [0; 56];
            let Some(place) = place.checked_sub(56) else {
                return Ok(None);
            };
            file.read_exact_at(&mut large, place)?;
            if !large.starts_with(b"PK\x06\x06") {
                return Ok(None);
            }
            (count, bytes, offset) = (u64_at(&large, 32), u64_at(&large, 40), u64_at(&large, 48));
            stop = place;
        }
        let start = stop.checked_sub(bytes);
        Ok(start.and_then(|start| {
            Some(Self {
                start,
                stop,
                count,
                shift: start.checked_sub(offset)?,
            })
        }))
    }
}

/// A directory entry (APPNOTE 4.3.12).
struct Entry {
    name: Vec<u8>,
    /// Where its local header is said to be.
    local: u64,
    stored: u64,
    size: u64,
    streamed: bool,
    /// Of the directory entry.
    length: u64,
}

impl Entry {
    fn read(file: &File, at: u64) -> io::Result<Option<Self>> {
        let mut fixed = [0; 46];
        file.read_exact_at(&mut fixed, at)?;
        if !fixed.starts_with(b"PK\x01\x02") {
            return Ok(None);
        }
        let lengths = [28, 30, 32].map(|field| usize::from(u16_at(&fixed, field)));
        let mut name = vec![0; lengths[0]];
        file.read_exact_at(&mut name, at + 46)?;
        let mut extra = vec![0; lengths[1]];
        file.read_exact_at(&mut extra, at + 46 + lengths[0] as u64)?;
        let [mut size, mut stored, mut local] =
            [24, 20, 42].map(|field| u64::from(u32_at(&fixed, field)));
        // The ZIP64 field (4.5.3) has, in this order, what didn't fit.
        let mut fields = &extra[..];
        while fields.len() >= 4 {
            let length = usize::from(u16_at(fields, 2)).min(fields.len() - 4);
            let mut large = &fields[4..4 + length];
            if u16_at(fields, 0) == 1 {
                for value in [&mut size, &mut stored, &mut local] {
                    if *value == u64::from(u32::MAX) && large.len() >= 8 {
                        *value = u64_at(large, 0);
                        large = &large[8..];
                    }
                }
            }
            fields = &fields[4 + length..];
        }
        Ok(Some(Self {
            name,
            local,
            stored,
            size,
            streamed: u16_at(&fixed, 8) & 8 != 0,
            length: 46 + lengths.iter().sum::<usize>() as u64,
        }))
    }
}
