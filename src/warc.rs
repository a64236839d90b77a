//! WARC 1.0 and 1.1 records (ISO 28500:2017): reading any tool's files,
//! writing ours. Reading streams in constant memory and never panics; what is
//! irregular is reported beside the record.

pub mod arc;
pub mod coding;
pub mod frame;
pub mod header;
pub mod member;
pub mod payload;
pub mod read;
pub mod rules;
pub mod write;

pub use header::{Header, RecordType, Version};
pub use read::{Extent, Irregular, ReadError, Reader, Record};
pub use write::Draft;
