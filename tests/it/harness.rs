//! Runs the executable within a time, and the built-in closing site beside it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastlight::demo::serve::Serving;
use lastlight::demo::site;
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::holdings::Snapshot;

/// A run that takes longer hangs; it is killed and the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// An empty directory of a test's own, removed with it.
pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("it-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap()
}

/// `VmHWM`, the most memory that a process ever held, in KiB.
pub fn resident_peak(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The executable with arguments, to be run.
pub struct Run {
    command: Command,
    patience: Duration,
}

/// `lastlight` with these arguments. No setting of the tester's own machine
/// reaches it.
pub fn lastlight<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastlight"));
    command
        .args(args)
        .env_remove("RUST_LOG")
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env("XDG_CACHE_HOME", cache_home())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Run {
        command,
        patience: PATIENCE,
    }
}

/// Where the program keeps what it can make again: not in the home of who tests.
pub fn cache_home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// `lastlight crawl SEED --into INTO`, without pauses between requests.
pub fn crawl(seed: impl AsRef<str>, into: &Path) -> Run {
    lastlight(["crawl", seed.as_ref(), "--delay", "0"])
        .arg("--into")
        .arg(into)
}

impl Run {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Adds a configuration file with this text, written into `directory`.
    pub fn config(self, directory: &Path, text: &str) -> Self {
        let path = directory.join("settings.toml");
        std::fs::write(&path, text).unwrap();
        self.arg("--config").arg(path)
    }

    /// Lets it open so many files at most, connections included.
    pub fn open_files(self, most: u32) -> Self {
        self.run_by_shell(&format!("ulimit -n {most} && exec \"$0\" \"$@\""))
    }

    /// Lets it have one processor.
    pub fn on_one_processor(self) -> Self {
        // The first that this process may have.
        self.run_by_shell(
            "cpu=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//') && exec taskset -c $cpu \"$0\" \"$@\"",
        )
    }

    /// Has a shell run it, as `$0` with its arguments.
    fn run_by_shell(mut self, script: &str) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
    }

    /// Lets it take longer than others.
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Begins the run.
    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let read = |mut from: Box<dyn Read + Send>| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = from.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        };
        let stdout = read(Box::new(child.stdout.take().unwrap()));
        let stderr = read(Box::new(child.stderr.take().unwrap()));
        Running {
            child,
            output: Some((stdout, stderr)),
            begun: Instant::now(),
            patience: self.patience,
            what: format!("{:?}", self.command),
        }
    }

    /// Runs to the end.
    pub fn run(self) -> Ran {
        self.start().end()
    }
}

/// A process that goes on; dropping it kills it.
pub struct Running {
    child: Child,
    output: Option<(JoinHandle<String>, JoinHandle<String>)>,
    begun: Instant,
    patience: Duration,
    what: String,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What Ctrl-C sends.
    pub fn interrupt(&self) {
        self.send(Signal::INT);
    }

    /// What no process can catch.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// Holds it where it is.
    pub fn pause(&self) {
        self.send(Signal::STOP);
    }

    /// Lets it go on after that.
    pub fn go_on(&self) {
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether it has ended, by itself or because it took too long.
    pub fn has_ended(&mut self) -> bool {
        if self.begun.elapsed() > self.patience {
            let _ = self.child.kill();
        }
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.begun.elapsed() > self.patience {
                let _ = self.child.kill();
                panic!("{}: not done after {:?}", self.what, self.patience);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let (stdout, stderr) = self.output.take().unwrap();
        Ran {
            what: self.what.clone(),
            code: status.code(),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    what: String,
    /// `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts that stdout has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} on stdout: {self}");
        self
    }

    /// Asserts that stderr has this text.
    #[track_caller]
    pub fn warns(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} on stderr: {self}");
        self
    }

    /// Stdout as the one JSON object that it is.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self}");
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            what,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{what}\nexit {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// The built-in closing site on a thread of its own.
pub struct Site {
    serving: Serving,
    /// Ends the server when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Site {
    pub fn open() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// Waits before each answer, so that there is time to interrupt.
    pub fn slow(delay: Duration) -> Self {
        Self::at(None, delay)
    }

    /// On a port that an earlier one had, so that its URLs are the same.
    pub fn at(port: Option<u16>, delay: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let serving = Serving::start_slow(site::Site::new("31 March 2027"), port, delay);
        let serving = runtime.block_on(serving).unwrap();
        Self {
            serving,
            _runtime: runtime,
        }
    }

    pub fn port(&self) -> u16 {
        self.serving.port()
    }

    /// A URL of the main origin.
    pub fn url(&self, path: &str) -> String {
        self.serving.main_origin() + path
    }

    /// A URL of the second origin.
    pub fn asset(&self, path: &str) -> String {
        format!("http://assets.inquiry.localhost:{}{path}", self.port())
    }

    pub fn requests(&self) -> u64 {
        self.serving.requests()
    }
}

/// The configuration that ends the site's endless calendar soon.
pub const SHORT_CALENDAR: &str = "[traps]\nbarren = 12\n";

/// The closing site, crawled whole once for all tests that only read it.
pub struct Captured {
    pub site: Site,
    pub snapshot: Snapshot,
    pub crawl: Ran,
    _directory: tempfile::TempDir,
}

pub fn captured() -> &'static Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED.get_or_init(|| {
        let directory = shared_scratch();
        let site = Site::open();
        let into = directory.path().join("closing");
        let crawl = crawl(site.url("/"), &into)
            .config(directory.path(), SHORT_CALENDAR)
            .arg("--json")
            .run();
        Captured {
            site,
            snapshot: Snapshot::at(&into),
            crawl,
            _directory: directory,
        }
    })
}

/// Statics are never dropped, so what an earlier run left is removed here.
fn shared_scratch() -> tempfile::TempDir {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(base).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix("shared-")
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    tempfile::Builder::new()
        .prefix(&format!("shared-{}-", std::process::id()))
        .tempdir_in(base)
        .unwrap()
}

/// A copy of a directory, for a test that changes it.
pub fn copy(from: &Path, into: &Path) -> PathBuf {
    std::fs::create_dir_all(into).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = into.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
    into.to_owned()
}

/// Numbers that are the same on every run (SplitMix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
