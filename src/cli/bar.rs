//! How far reading or packing is, on a terminal: bytes, rate and the time left.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One line on stderr, where that is a terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// Begins with what it is about: `verifying crawl.warc.gz`.
    pub fn new(about: &str, quiet: bool) -> Self {
        if quiet {
            return Self(ProgressBar::hidden());
        }
        let template = "{prefix} [{bar:30}] {binary_bytes} of {binary_total_bytes}, \
                        {binary_bytes_per_sec}, {eta} left{msg}";
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        let bar = ProgressBar::new(0).with_style(style);
        // A name with a line end or an escape must not draw over the terminal.
        let about: String = about.chars().filter(|c| !c.is_control()).collect();
        bar.set_prefix(about);
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// So many bytes are done of so many.
    pub fn show(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done.min(total));
    }

    /// What else is counted, at the end of the line.
    pub fn count(&self, number: u64, what: &str) {
        self.0.set_message(format!(", {number} {what}"));
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
