//! The list of what is missing: every URL that failed or wasn't reached, by the
//! page that named it first.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::sync::Arc;

use super::account::{Account, Accounting, Missing};
use crate::snapshot::scratch;

/// The list, as CSV (RFC 4180) sorted by page and URL; `page` is empty for seeds and for
/// what robots.txt names. It is in a scratch file until somebody takes it.
#[derive(Debug, Clone)]
pub struct MissingList(Arc<File>);

impl MissingList {
    /// Its first line: the columns in order.
    pub const HEADER: &str = "page,url,state,reason\r\n";

    /// Finishes an account and makes its list.
    pub(super) fn finish(accounting: Accounting) -> io::Result<(Account, Self)> {
        let mut out = BufWriter::new(scratch::file()?);
        out.write_all(Self::HEADER.as_bytes())?;
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        let account = accounting.finish(|missing| {
            let Missing {
                via,
                url,
                state,
                reason,
                ..
            } = missing;
            writer
                .write_record([via, url, state, reason])
                .map_err(io::Error::from)
        })?;
        let out = writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((account, Self(Arc::new(file))))
    }

    /// Writes it.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut file = &*self.0;
        file.rewind()?;
        io::copy(&mut file, out).map(drop)
    }
}
