//! Exit codes and what a person reads when a command could not do its work.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::snapshot::SnapshotError;
use crate::snapshot::lock::LockError;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing falls short.
    Done = 0,
    /// Done, with findings.
    Findings = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Stopped early; the work can go on.
    Stopped = 3,
    /// The environment failed: I/O, port, browser missing.
    Environment = 4,
    /// Another process holds the lock.
    Locked = 5,
}

impl Exit {
    /// The one that weighs more where several paths were worked on: the higher.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other as u8 > self as u8 {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What happened and where, what to try, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened and where.
    pub what: String,
    /// What to try, in a sentence.
    pub hint: Option<String>,
}

impl Failure {
    /// Wrong usage or configuration.
    pub fn usage(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The environment failed.
    pub fn environment(what: impl fmt::Display) -> Self {
        Self::new(Exit::Environment, what)
    }

    fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self {
            exit,
            what: what.to_string(),
            hint: None,
        }
    }

    /// Adds what to try.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Tells it on stderr.
    pub fn tell(&self) {
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "lastlight: {}", self.what);
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "  {hint}");
        }
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        match &error {
            SnapshotError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Self::usage(&error).hint("Check the path.")
            }
            SnapshotError::Unknown { .. } | SnapshotError::Url { .. } => Self::usage(&error),
            _ => Self::environment(&error),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { .. } => Self::new(Exit::Locked, &error)
                .hint("Wait until it ends, or stop it with Ctrl-C; nothing was changed."),
            LockError::Snapshot(error) => error.into(),
        }
    }
}

/// Writes to stdout. A reader that went away (`lastlight index | head`) isn't
/// an error of ours.
pub fn print(text: impl fmt::Display) -> Result<(), Failure> {
    match write!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::environment(
            format!("writing to stdout failed: {error}"),
        )),
        _ => Ok(()),
    }
}
