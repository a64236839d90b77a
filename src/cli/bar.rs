//! How far reading or packing is, on a terminal: bytes, rate and the time left.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// So much of a file's name is shown, so that the line fits a terminal.
const NAME: usize = 20;

/// One line on stderr, where that is a terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// Says what is done to what: `verifying crawl.warc.gz`. Shown once there is
    /// something to show.
    pub fn new(verb: &str, path: &Path, quiet: bool) -> Self {
        if quiet {
            return Self(ProgressBar::hidden());
        }
        let template = "{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}, \
                        {binary_bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        let about = format!("{verb} {}", shortened(path));
        let bar = ProgressBar::new(0).with_style(style);
        Self(bar.with_prefix(about.trim_end().to_owned()))
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// So many bytes are done of so many.
    pub fn show(&self, done: u64, total: u64) {
        if self.0.length() == Some(0) {
            self.0.enable_steady_tick(Duration::from_millis(500));
        }
        self.0.set_length(total.max(1));
        self.0.set_position(done.min(total));
    }

    /// Prints something else, the line out of the way.
    pub fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The last of a path's names, or the end of that. One with a line end or an
/// escape must not draw over the terminal.
fn shortened(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name: Vec<char> = name.chars().filter(|c| !c.is_control()).collect();
    match name.len().checked_sub(NAME) {
        None | Some(0) => name.into_iter().collect(),
        Some(over) => std::iter::once(&'…').chain(&name[over + 1..]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_short_and_without_control_characters() {
        assert_eq!(shortened(Path::new("a/crawl.warc.gz")), "crawl.warc.gz");
        assert_eq!(shortened(Path::new("a\u{1b}[2Kb")), "a[2Kb");
        let long = shortened(Path::new("snapshots/example.org-20261122022846"));
        assert_eq!(long, "….org-20261122022846");
        assert_eq!(long.chars().count(), NAME);
        assert_eq!(shortened(Path::new("/")), "");
    }
}
