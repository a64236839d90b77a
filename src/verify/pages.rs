//! The page lists; whether a capture has each page is compared afterwards.

use super::join::Joins;
use super::target::{Target, is_page_list};
use crate::snapshot::SnapshotError;
use crate::snapshot::pages;

/// Takes every page; gives their number.
pub(super) fn gather(target: &Target, joins: &mut Joins) -> Result<u64, SnapshotError> {
    let mut count = 0;
    let Some(container) = &target.container else {
        return Ok(0);
    };
    for path in target.files.iter().filter(|path| is_page_list(path)) {
        for page in pages::read(container.open(path)?) {
            // What can't be read is told by the check of fixity.
            let Ok(page) = page else { break };
            joins
                .page(&page)
                .map_err(SnapshotError::io(&target.path, "sorting in scratch space"))?;
            count += 1;
        }
    }
    Ok(count)
}
