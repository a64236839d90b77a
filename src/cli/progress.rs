//! A crawl's progress on stderr: a display on a terminal, plain lines
//! otherwise, nothing when it should be quiet.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::crawl::{Control, Progress};

/// How often plain lines come.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often the display is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Shows progress until it is dropped.
pub struct Display {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Begins to show a crawl.
    pub fn start(control: Arc<Control>, quiet: bool) -> Self {
        if quiet {
            return Self {
                end: None,
                thread: None,
            };
        }
        let (end, ended) = channel();
        let is_terminal = std::io::stderr().is_terminal();
        let thread = std::thread::spawn(move || {
            if is_terminal {
                draw(&control, &ended);
            } else {
                lines(&control, &ended);
            }
        });
        Self {
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn is_over(ended: &Receiver<()>, wait: Duration) -> bool {
    matches!(
        ended.recv_timeout(wait),
        Err(RecvTimeoutError::Disconnected)
    )
}

fn draw(control: &Control, ended: &Receiver<()>) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{spinner} {elapsed_precise}  {msg}";
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut rate = Rate::default();
    while !is_over(ended, DRAW_EVERY) {
        let progress = control.progress();
        let mut text = describe(&progress, rate.of(&progress));
        if !progress.hosts.is_empty() {
            text += &format!("\n  now: {}", progress.hosts.join(" "));
        }
        if let Some(error) = &progress.last_error {
            let error: String = error.chars().take(150).collect();
            text += &format!("\n  last error: {error}");
        }
        bar.set_message(text);
        bar.tick();
    }
    bar.finish_and_clear();
}

fn lines(control: &Control, ended: &Receiver<()>) {
    let mut rate = Rate::default();
    while !is_over(ended, LINE_EVERY) {
        let progress = control.progress();
        let text = describe(&progress, rate.of(&progress));
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

fn describe(progress: &Progress, rate: f64) -> String {
    if progress.sealing {
        return "sealing the snapshot: index, ledger, manifest".to_owned();
    }
    let counts = &progress.counts;
    let stopping = match progress.stopping {
        Some(stop) => format!("stopping ({}): ", stop.reason()),
        None => String::new(),
    };
    format!(
        "{stopping}{} captured ({} pages), {} queued, {} received, {rate:.1} URLs/s, {} errors",
        HumanCount(counts.captured),
        HumanCount(progress.pages),
        HumanCount(counts.unreached),
        HumanBytes(progress.received),
        HumanCount(progress.errors),
    )
}

/// URLs a second over the last few seconds.
struct Rate {
    captured: u64,
    since: Instant,
    value: f64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            captured: 0,
            since: Instant::now(),
            value: 0.0,
        }
    }
}

impl Rate {
    fn of(&mut self, progress: &Progress) -> f64 {
        let elapsed = self.since.elapsed().as_secs_f64();
        if elapsed >= 1.0 {
            let captured = progress.counts.captured;
            self.value = captured.saturating_sub(self.captured) as f64 / elapsed;
            self.captured = captured;
            self.since = Instant::now();
        }
        self.value
    }
}
