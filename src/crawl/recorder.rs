//! Exchanges become records: response or revisit, request and metadata, each
//! compressed by itself, with digests and index entries. Runs on worker threads while
//! the fetching goes on.

use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;

use super::dedup::Original;
use super::job::{Job, Payload, Piece, Recording, StoredRecord};
pub use super::of_host::Hosts;
use super::of_host::OfHost;
use super::payload_kind;
use super::process::headless_type;
use super::warcs::Series;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::http::Head;
use crate::links::Hop;
use crate::net::spool::unnamed_file;
use crate::net::{Exchange, Spool};
use crate::snapshot::cdxj::{CdxjEntry, REVISIT};
use crate::time::WarcDate;
use crate::url::CanonicalUrl;
use crate::warc::coding::Coder;
use crate::warc::member::PayloadKind;
use crate::warc::payload::{PayloadDigests, PayloadHasher};
use crate::warc::write::{RECORD_END, fresh_id, warc_fields};
use crate::warc::{Draft, RecordType, Version};

/// What every record of a crawl has in common.
pub struct RecordContext {
    /// The WARCs of this run.
    pub series: Arc<Series>,
    /// Where members that don't fit memory are compressed.
    pub spool: PathBuf,
    /// Outlinks of a metadata record at most.
    pub outlinks: usize,
    /// Hosts whose addresses and certificates are recorded already.
    pub hosts: Hosts,
}

impl RecordContext {
    fn draft(&self, kind: &RecordType, date: WarcDate, id: &str) -> Draft {
        Draft::with_id(self.series.version, kind, date, id)
    }
}

/// A worker's own state: compressors are reused, and never shared.
pub struct Recorder {
    coder: Coder,
}

/// What a worker has found out about an answer before it is recorded.
pub struct Findings<'a> {
    /// Its digests.
    pub digests: &'a Digests,
    /// The record that has its payload already.
    pub original: Option<&'a Original>,
    /// Whether later answers may refer to its payload.
    pub may_be_original: bool,
    /// The media type that its bytes show.
    pub identified: Option<&'static str>,
    /// What it names.
    pub links: &'a [(CanonicalUrl, Hop)],
    /// `key: value` of further fields of its metadata record.
    pub notes: Vec<(&'static str, String)>,
}

/// The digests of an answer.
pub struct Digests {
    /// Over the whole block.
    pub block: Digest,
    /// Over its payload.
    pub payload: PayloadDigests,
}

/// Hashes an answer, whether in memory or on disk; one that is headless is all
/// payload.
pub fn digests(response: &Spool, headless: bool) -> io::Result<Digests> {
    let mut block = Hasher::new(Algorithm::Sha256);
    let mut payload = if headless {
        PayloadHasher::headless(Algorithm::Sha256)
    } else {
        PayloadHasher::new(Algorithm::Sha256)
    };
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
    /// For the WARCs of a run.
    pub fn new(series: &Series) -> Self {
        Self {
            coder: Coder::new(&series.coding),
        }
    }

    /// Says whether more exchanges wait than can be recorded in time.
    pub fn set_backlog(&mut self, has_backlog: bool) {
        self.coder.set_backlog(has_backlog);
    }

    /// The records of one exchange. The response comes first and the metadata
    /// last, so that recovery knows a whole exchange by its end; what is told
    /// of the host once follows. An answer without head (HTTP/0.9) is a
    /// resource record, as there is nothing in it but the resource: readers of
    /// WARCs would take a page's first lines for the head of a response.
    /// Interim answers, and bytes after the end that aren't the answer's, are
    /// fields of the metadata record.
    pub fn record(
        &mut self,
        context: &RecordContext,
        job: &Job,
        exchange: &Exchange,
        head: &Head<'_>,
        findings: &Findings<'_>,
    ) -> io::Result<Recording> {
        let mut recording = Recording::default();
        let date = exchange.started;
        let url = job.url.as_str();
        let payload = &findings.digests.payload.entity;
        let warcinfo = context.series.warcinfo_id();
        let draft = |kind: &RecordType, id: &str| {
            context.draft(kind, date, id).field("WARC-Target-URI", url)
        };

        let response_id = fresh_id();
        let headless_type = exchange.headless.then(|| headless_type(&exchange.response));
        let kind = match findings.original {
            Some(_) => RecordType::Revisit,
            None if exchange.headless => RecordType::Resource,
            None => RecordType::Response,
        };
        let http = "application/http; msgtype=response";
        let mut response = draft(&kind, &response_id)
            .field("Content-Type", headless_type.as_deref().unwrap_or(http));
        response = with_address(response, exchange);
        response = with_protocol(response, exchange, head)
            .field("WARC-Payload-Digest", payload)
            .field("WARC-Warcinfo-ID", &warcinfo);
        if let Some(identified) = findings.identified {
            response = response.field("WARC-Identified-Payload-Type", identified);
        }
        let mut entry = CdxjEntry::of_response(url, date, head, payload.to_string());
        if headless_type.is_some() {
            entry.mime = headless_type;
        }
        if let Some(original) = findings.original {
            entry.mime = Some(REVISIT.to_owned());
            let head = head_bytes(exchange)?;
            let record = as_revisit(response, context.series.version, original).record(&head);
            self.add_small(&mut recording, &response_id, &record);
            recording.is_of_earlier = original.is_earlier;
        } else {
            if let Some(truncated) = exchange.truncated {
                response = response.field("WARC-Truncated", truncated.as_str());
            }
            let header = response.header(&findings.digests.block, exchange.response.len());
            let kind = payload_kind::of(head);
            self.add(
                context,
                &mut recording,
                &response_id,
                (&header, kind),
                exchange,
            )?;
            recording.payload = findings.may_be_original.then(|| Payload {
                digest: payload.clone(),
                date: context.series.version.date(date).to_string(),
            });
        }
        if let Some(record) = recording.records.last_mut() {
            record.entry = Some(entry);
        }

        let request_id = fresh_id();
        let request = draft(&RecordType::Request, &request_id)
            .field("Content-Type", "application/http; msgtype=request");
        let request = with_protocol(with_address(request, exchange), exchange, head)
            .field("WARC-Concurrent-To", &response_id)
            .field("WARC-Warcinfo-ID", &warcinfo)
            .record(&exchange.request);
        self.add_small(&mut recording, &request_id, &request);

        let metadata_id = fresh_id();
        let mut fields = metadata(job, exchange, findings, context.outlinks);
        fields.extend(super::circumstances::fields(exchange));
        let metadata = draft(&RecordType::Metadata, &metadata_id)
            .field("Content-Type", "application/warc-fields")
            .field("WARC-Concurrent-To", &response_id)
            .field("WARC-Warcinfo-ID", &warcinfo)
            .record(&warc_fields(fields));
        self.add_small(&mut recording, &metadata_id, &metadata);
        for told in context.hosts.tell(&job.host(), exchange) {
            self.add_resource(context, &mut recording, date, &response_id, told);
        }
        recording.secrets.clone_from(&exchange.secrets);
        Ok(recording)
    }

    /// What is told of a host, as a record of its own.
    fn add_resource(
        &mut self,
        context: &RecordContext,
        recording: &mut Recording,
        date: WarcDate,
        response_id: &str,
        told: OfHost,
    ) {
        let id = fresh_id();
        let date = told.date.unwrap_or(date);
        let digest = Digest::sha256(&told.block);
        let mut draft = context
            .draft(&RecordType::Resource, date, &id)
            .field("WARC-Target-URI", &told.url)
            .field("Content-Type", told.media_type)
            .field("WARC-Payload-Digest", &digest)
            .field("WARC-Concurrent-To", response_id)
            .field("WARC-Warcinfo-ID", context.series.warcinfo_id());
        for (name, value) in told.fields {
            draft = draft.field(name, value);
        }
        let record = draft.record(&told.block);
        self.add_small(recording, &id, &record);
        if let Some(record) = recording.records.last_mut() {
            let entry =
                CdxjEntry::of_resource(&told.url, date, told.media_type, digest.to_string());
            record.entry = Some(entry);
        }
    }

    /// A record that is whole in memory, such as warcinfo.
    pub fn add_small(&mut self, recording: &mut Recording, id: &str, record: &[u8]) {
        self.add_whole(recording, id, record, PayloadKind::Plain);
    }

    fn add_whole(
        &mut self,
        recording: &mut Recording,
        id: &str,
        record: &[u8],
        payload: PayloadKind,
    ) {
        let offset = recording.length();
        let buffer = recording.memory();
        let start = buffer.len();
        self.coder.record(record, payload, buffer);
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
        (header, payload): (&[u8], PayloadKind),
        exchange: &Exchange,
    ) -> io::Result<()> {
        let block = &exchange.response;
        if let Some(bytes) = block.memory() {
            let record = [header, bytes, RECORD_END].concat();
            self.add_whole(recording, id, &record, payload);
            return Ok(());
        }
        let offset = recording.length();
        let length = (header.len() + RECORD_END.len()) as u64 + block.len();
        let parts = header.chain(block.reader()).chain(RECORD_END);
        let mut file = self
            .coder
            .stream(parts, length, payload, unnamed_file(&context.spool)?)?;
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
        Ok(())
    }
}

/// Turns a response into a revisit of a record that has the same payload (WARC
/// 1.1 §6.7.2). Its block is the answer's own head, so it is truncated.
fn as_revisit(response: Draft, version: Version, original: &Original) -> Draft {
    response
        .field("WARC-Profile", version.profile("identical-payload-digest"))
        .field("WARC-Refers-To", &original.record_id)
        .field("WARC-Refers-To-Target-URI", &original.url)
        .field("WARC-Refers-To-Date", &original.date)
        .field("WARC-Truncated", "length")
}

/// The fields of an exchange's metadata record, as Heritrix names them.
fn metadata<'a>(
    job: &Job,
    exchange: &Exchange,
    findings: &Findings<'a>,
    most: usize,
) -> Vec<(&'a str, String)> {
    let mut fields = vec![
        ("fetchTimeMs", exchange.elapsed.as_millis().to_string()),
        ("hopsFromSeed", job.path.hops.clone()),
    ];
    if let Some(via) = &job.via {
        fields.push(("via", via.clone()));
    }
    for (name, bytes) in [
        ("interimResponses", &exchange.interim),
        ("bytesAfterResponse", &exchange.stray),
    ] {
        if !bytes.is_empty() {
            fields.push((name, escaped(bytes)));
        }
    }
    fields.extend(findings.notes.iter().cloned());
    let outlinks = findings.links.iter().take(most);
    fields.extend(outlinks.map(|(url, hop)| ("outlink", outlink(url, *hop))));
    let left = findings.links.len().saturating_sub(most);
    if most > 0 && left > 0 {
        fields.push(("outlinksLeftOut", left.to_string()));
    }
    fields
}

/// URL, hop and where it was found; for the last Heritrix has these words where
/// it doesn't know the element.
fn outlink(url: &CanonicalUrl, hop: Hop) -> String {
    let place = match hop {
        Hop::Link => "=NAVLINK_MISC",
        Hop::Embed => "=EMBED_MISC",
        Hop::Redirect => "Location:",
        Hop::Prerequisite => "=PREREQ_MISC",
        Hop::Speculative => "=JS_MISC",
        Hop::Manifest => "=MANIFEST_MISC",
    };
    let mut letter = [0; 4];
    let letter = hop.letter().encode_utf8(&mut letter);
    [url.as_str(), " ", letter, " ", place].concat()
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

/// Bytes of the wire as one line of text: what isn't printable ASCII, and `%`,
/// is percent-encoded, so that decoding gives the bytes back.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'%' => text.push_str("%25"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// `WARC-IP-Address`, where it is known: through a proxy it isn't.
fn with_address(draft: Draft, exchange: &Exchange) -> Draft {
    match exchange.address {
        Some(address) => draft.field("WARC-IP-Address", address.ip().to_canonical()),
        None => draft,
    }
}

/// `WARC-Protocol` (repeated, one a layer) and `WARC-Cipher-Suite`, as the
/// WARC community's extension names them.
fn with_protocol(draft: Draft, exchange: &Exchange, head: &Head<'_>) -> Draft {
    let http = if exchange.headless {
        "http/0.9"
    } else if head.is_http_1_0() {
        "http/1.0"
    } else {
        "http/1.1"
    };
    let draft = draft.field("WARC-Protocol", http);
    match &exchange.tls {
        Some(tls) => draft
            .field("WARC-Protocol", tls.protocol)
            .field("WARC-Cipher-Suite", &tls.cipher_suite),
        None => draft,
    }
}

/// The head of an answer, as received.
pub fn head_bytes(exchange: &Exchange) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(exchange.head_length);
    exchange
        .response
        .reader()
        .take(exchange.head_length as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
