//! Blocks of records that the crawl itself wrote.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use super::Keeper;
use crate::crawl::CrawlError;
use crate::digest::Digest;
use crate::net::Spool;
use crate::snapshot::SnapshotError;
use crate::warc::coding::Coding;
use crate::warc::frame::Dictionary;
use crate::warc::{Header, Reader, RecordType};

impl Keeper<'_> {
    /// A reader at a record of a WARC of ours.
    pub(in crate::crawl) fn reader_at(
        &self,
        filename: &str,
        offset: u64,
    ) -> Result<Reader<File>, CrawlError> {
        let path = self.layout.archive().join(filename);
        let mut file = File::open(&path).map_err(SnapshotError::io(&path, "opening"))?;
        file.seek(SeekFrom::Start(offset))
            .map_err(SnapshotError::io(&path, "reading"))?;
        Ok(Reader::at(filename, file, offset).with_dictionary(self.dictionary().cloned()))
    }

    fn dictionary(&self) -> Option<&Dictionary> {
        match &self.series.coding {
            Coding::Zstd { dictionary, .. } => dictionary.as_ref(),
            Coding::Gzip(_) => None,
        }
    }

    /// The block of the answer at a place, at most `limit` bytes; of a revisit
    /// that of its original. `None` where that isn't in this crawl.
    pub(super) fn answer_at(
        &self,
        filename: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, CrawlError> {
        let mut reader = self.reader_at(filename, offset)?;
        let Some(mut record) = reader.next_record().map_err(SnapshotError::from)? else {
            return Ok(None);
        };
        if record.header.record_type() != RecordType::Revisit {
            let block = record.block(limit).map_err(SnapshotError::from)?;
            return Ok(Some(block));
        }
        let Some(digest) = payload_of(&record.header) else {
            return Ok(None);
        };
        match self.store.original_at(&digest)? {
            // An original is no revisit, so this ends.
            Some((other, at)) if (other.as_str(), at) != (filename, offset) => {
                self.answer_at(&other, at, limit)
            }
            _ => Ok(None),
        }
    }

    /// The whole block of the record with a payload: in this crawl, or in the
    /// earlier snapshot.
    pub(in crate::crawl) fn original_block(
        &self,
        digest: &Digest,
        url: &str,
    ) -> Result<Option<Spool>, CrawlError> {
        let mut spool = Spool::new(&self.layout.spool(), 1 << 20);
        let mut full = None;
        let mut keep = |piece: &[u8]| {
            if full.is_none() {
                full = spool.write(piece).err();
            }
        };
        let found = if let Some((filename, offset)) = self.store.original_at(digest)? {
            let mut reader = self.reader_at(&filename, offset)?;
            match reader.next_record().map_err(SnapshotError::from)? {
                Some(mut record) => {
                    record.each_piece(&mut keep).map_err(SnapshotError::from)?;
                    true
                }
                None => false,
            }
        } else if let Some(earlier) = &self.dedup.earlier {
            earlier.block(digest, url, &mut keep)?
        } else {
            false
        };
        if let Some(error) = full {
            return Err(CrawlError::Spool(error));
        }
        Ok(found.then_some(spool))
    }
}

/// The payload that a record names.
pub(in crate::crawl) fn payload_of(header: &Header) -> Option<Digest> {
    header.payload_digest()?.ok()
}
