//! Exchanges become records: response, request and metadata, each its own
//! gzip member, with digests and index entries. Runs on worker threads while
//! the fetching goes on.

use std::io::{self, Read, Seek};
use std::path::PathBuf;

use super::job::{Job, Piece, Recording, StoredRecord};
use crate::config::WarcVersion;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::http::Head;
use crate::net::spool::unnamed_file;
use crate::net::{Exchange, Spool};
use crate::snapshot::cdxj::CdxjEntry;
use crate::warc::member::{Compressor, stream_member};
use crate::warc::payload::{PayloadDigests, PayloadHasher};
use crate::warc::write::{RECORD_END, fresh_id, warc_fields};
use crate::warc::{Draft, RecordType, Version};

/// What every record of a crawl has in common.
pub struct RecordContext {
    /// The standard's version.
    pub version: Version,
    /// Where members that don't fit memory are compressed.
    pub spool: PathBuf,
}

impl RecordContext {
    /// The context of a crawl whose large members go through `spool`.
    pub fn new(version: WarcVersion, spool: PathBuf) -> Self {
        let version = self::version(version);
        Self { version, spool }
    }
}

/// The version that a configuration names.
pub fn version(version: WarcVersion) -> Version {
    match version {
        WarcVersion::V1_0 => Version::V1_0,
        WarcVersion::V1_1 => Version::V1_1,
    }
}

/// A worker's own state: compressors are reused, and never shared.
#[derive(Default)]
pub struct Recorder {
    compressor: Compressor,
}

/// The digests of an answer.
pub struct Digests {
    /// Over the whole block.
    pub block: Digest,
    /// Over its payload.
    pub payload: PayloadDigests,
}

/// Hashes an answer, whether in memory or on disk.
pub fn digests(response: &Spool) -> io::Result<Digests> {
    let mut block = Hasher::new(Algorithm::Sha256);
    let mut payload = PayloadHasher::new(Algorithm::Sha256);
    let mut take = |piece: &[u8]| {
        block.update(piece);
        payload.update(piece);
    };
    if let Some(bytes) = response.memory() {
        take(bytes);
    } else {
        let mut reader = response.reader();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                n => take(&buffer[..n]),
            }
        }
    }
    Ok(Digests {
        block: block.finish(),
        payload: payload.finish(),
    })
}

impl Recorder {
    /// The records of one exchange. The response comes first and the metadata
    /// last, so that recovery knows a whole exchange by its end.
    pub fn record(
        &mut self,
        context: &RecordContext,
        job: &Job,
        exchange: &Exchange,
        head: &Head<'_>,
        digests: &Digests,
    ) -> io::Result<Recording> {
        let mut recording = Recording::default();
        let date = exchange.started;
        let url = job.url.as_str();
        let payload_digest = digests.payload.entity.to_string();
        let draft = |kind: &RecordType, id: &str| {
            Draft::with_id(context.version, kind, date, id).field("WARC-Target-URI", url)
        };

        let response_id = fresh_id();
        let mut response = draft(&RecordType::Response, &response_id)
            .field("Content-Type", "application/http; msgtype=response")
            .field("WARC-IP-Address", exchange.address.ip().to_canonical());
        response = with_protocol(response, exchange, head.start_line);
        if let Some(truncated) = exchange.truncated {
            response = response.field("WARC-Truncated", truncated.as_str());
        }
        let response = response
            .field("WARC-Payload-Digest", &payload_digest)
            .header(&digests.block, exchange.response.len());
        let entry = CdxjEntry::of_response(url, date, head, payload_digest);
        self.add(
            context,
            &mut recording,
            &response_id,
            &response,
            &exchange.response,
            Some(entry),
        )?;

        let request_id = fresh_id();
        let request = draft(&RecordType::Request, &request_id)
            .field("Content-Type", "application/http; msgtype=request")
            .field("WARC-IP-Address", exchange.address.ip().to_canonical())
            .field("WARC-Concurrent-To", &response_id)
            .record(&exchange.request);
        self.add_small(&mut recording, &request_id, &request);

        let metadata_id = fresh_id();
        let mut fields = vec![("fetchTimeMs", exchange.elapsed.as_millis().to_string())];
        fields.push(("hopsFromSeed", job.path.hops.clone()));
        if let Some(via) = &job.via {
            fields.push(("via", via.clone()));
        }
        let metadata = draft(&RecordType::Metadata, &metadata_id)
            .field("Content-Type", "application/warc-fields")
            .field("WARC-Concurrent-To", &response_id)
            .record(&warc_fields(fields));
        self.add_small(&mut recording, &metadata_id, &metadata);
        Ok(recording)
    }

    /// A record that is whole in memory, such as warcinfo.
    pub fn add_small(&mut self, recording: &mut Recording, id: &str, record: &[u8]) {
        let offset = recording.length();
        let buffer = recording.memory();
        let start = buffer.len();
        self.compressor.member(record, buffer);
        let (length, sha256) = (buffer.len() - start, Digest::sha256(&buffer[start..]));
        recording.records.push(StoredRecord {
            id: id.to_owned(),
            offset,
            length: length as u64,
            sha256: sha256.hex(),
            entry: None,
        });
    }

    fn add(
        &mut self,
        context: &RecordContext,
        recording: &mut Recording,
        id: &str,
        header: &[u8],
        block: &Spool,
        entry: Option<CdxjEntry>,
    ) -> io::Result<()> {
        if let Some(bytes) = block.memory() {
            let record = [header, bytes, RECORD_END].concat();
            self.add_small(recording, id, &record);
        } else {
            let offset = recording.length();
            let parts = header.chain(block.reader()).chain(RECORD_END);
            let mut file = stream_member(parts, unnamed_file(&context.spool)?)?;
            file.rewind()?;
            let (sha256, length) = Digest::sha256_of(&mut file)?;
            file.rewind()?;
            recording.pieces.push(Piece::Spooled(file));
            recording.records.push(StoredRecord {
                id: id.to_owned(),
                offset,
                length,
                sha256: sha256.hex(),
                entry: None,
            });
        }
        if let Some(record) = recording.records.last_mut() {
            record.entry = entry;
        }
        Ok(())
    }
}

impl Recording {
    /// Bytes of all its records.
    pub fn length(&self) -> u64 {
        self.records
            .last()
            .map_or(0, |record| record.offset + record.length)
    }

    /// The buffer that the next small member goes to.
    fn memory(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.last(), Some(Piece::Memory(_))) {
            self.pieces.push(Piece::Memory(Vec::new()));
        }
        match self.pieces.last_mut() {
            Some(Piece::Memory(buffer)) => buffer,
            _ => unreachable!("a memory piece was just made sure of"),
        }
    }
}

/// `WARC-Protocol` (repeated, one a layer) and `WARC-Cipher-Suite`, as the
/// WARC community's extension names them.
fn with_protocol(draft: Draft, exchange: &Exchange, status_line: &[u8]) -> Draft {
    let http = match status_line.get(..8) {
        Some(version) if version.eq_ignore_ascii_case(b"HTTP/1.0") => "http/1.0",
        _ => "http/1.1",
    };
    let draft = draft.field("WARC-Protocol", http);
    match &exchange.tls {
        Some(tls) => draft
            .field("WARC-Protocol", tls.protocol)
            .field("WARC-Cipher-Suite", &tls.cipher_suite),
        None => draft,
    }
}
