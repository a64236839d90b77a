//! `lastlight deposit`: the package for the archive.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::bar::Bar;
use super::exit::{self, Exit, Failure};
use super::verify::show;
use crate::deposit::{self, DepositError, Deposited};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::is_url;
use crate::snapshot::layout::Layout;
use crate::verify;

/// Packs a sealed snapshot for an archive.
///
/// Every file is checked against the snapshot's manifest while it is copied; a
/// package appears only once it is whole, and never replaces another.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lastlight deposit snapshots/example.org-20261122022846 --as wacz
  lastlight deposit snapshots/example.org-20261122022846 --as bag --into /mnt/deposits

Exit codes: 0 packed; 1 the snapshot isn't as it was sealed; 2 usage; 4 the package
can't be written; 5 the snapshot or package is in use.")]
pub struct DepositArgs {
    /// The snapshot's directory
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: PathBuf,
    /// The form of the package
    #[arg(long = "as", value_name = "FORM", value_enum)]
    pub form: Form,
    /// Where the package goes [default: beside the snapshot]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Pack records that carry configured credentials or cookies, too
    #[arg(long)]
    pub with_credentials: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The form of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A BagIt 1.0 directory, `<name>-bag`
    Bag,
    /// A WACZ 1.1.1 file, `<name>.wacz`
    Wacz,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Bag => "bag",
            Self::Wacz => "wacz",
        }
    }
}

/// Packs, and tells what was made and which command comes next.
pub fn run(args: &DepositArgs) -> Result<Exit, Failure> {
    let deposited = pack(args)?;
    if args.json {
        let mut json = json(args.form, &deposited);
        json["verified"] = true.into();
        exit::print(format!("{json}\n"))?;
    } else {
        exit::print(summary(args.form, &deposited))?;
    }
    Ok(Exit::Done)
}

/// A package that doesn't verify must never pass for a deposit.
fn accept(package: &Path) -> Result<(), DepositError> {
    let bar = Bar::new("verifying", package, false);
    let options = verify::Options::default();
    let report = verify::verify(package, &options, &mut |progress| show(&bar, progress))?;
    drop(bar);
    if report.verdict() == verify::Verdict::IntactUnsigned {
        return Ok(());
    }
    let errors = report.findings.count(verify::Severity::Error);
    let mut kept = report.findings.kept().iter();
    let first = kept.find(|finding| finding.severity == verify::Severity::Error);
    let reason = match first {
        Some(finding) => format!(
            "{}: {}: {} ({errors} in all)",
            finding.rule, finding.location, finding.message
        ),
        None => report.verdict().as_str().to_owned(),
    };
    Err(DepositError::Rejected {
        path: package.to_owned(),
        reason,
    })
}

/// Makes the package, with a bar on a terminal.
pub fn pack(args: &DepositArgs) -> Result<Deposited, Failure> {
    if is_url(&args.snapshot) && !args.snapshot.exists() {
        let path = args.snapshot.clone();
        return Err(SnapshotError::Url { path }.into());
    }
    let snapshot = Layout::new(&args.snapshot);
    let into = args
        .into
        .clone()
        .unwrap_or_else(|| shortened(deposit::beside(&snapshot)));
    if !args.with_credentials {
        deposit::refuse_credentials(&snapshot)?;
    }
    let bar = RefCell::new(Some(Bar::new("packing", &args.snapshot, false)));
    let progress = |done, total| {
        if let Some(bar) = &*bar.borrow() {
            bar.show(done, total);
        }
    };
    // Verification shows its own.
    let accept = |package: &Path| {
        drop(bar.take());
        accept(package)
    };
    let deposited = match args.form {
        Form::Bag => deposit::bag_if(&snapshot, &into, progress, accept),
        Form::Wacz => deposit::wacz_if(&snapshot, &into, progress, accept),
    };
    deposited.map_err(Failure::from)
}

/// A path below the working directory without that directory, as it is typed.
fn shortened(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().ok();
    match here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned)) {
        Some(below) => below,
        None => path,
    }
}

fn json(form: Form, deposited: &Deposited) -> serde_json::Value {
    let mut json = serde_json::json!({
        "path": deposited.path.to_string_lossy(),
        "as": form.name(),
        "files": deposited.files,
        "bytes": deposited.bytes,
        "sha256": deposited.sha256.hex(),
        "complete": deposited.complete,
        "next": next(deposited),
    });
    if form == Form::Bag {
        json["payload_oxum"] = deposited.oxum().into();
    }
    json
}

/// What was made, in a few lines.
pub fn summary(form: Form, deposited: &Deposited) -> String {
    let path = deposited.path.display();
    let Deposited { files, bytes, .. } = deposited;
    let sha256 = deposited.sha256.hex();
    let size = indicatif::HumanBytes(*bytes);
    let mut text = match form {
        Form::Wacz => format!(
            "{path}\n  WACZ 1.1.1: {size} ({bytes} bytes), {files} files\n  sha256 {sha256}\n"
        ),
        Form::Bag => format!(
            "{path}\n  BagIt 1.0: payload of {size} ({bytes} bytes), {files} files; Payload-Oxum {}\n  \
             sha256 of tagmanifest-sha256.txt {sha256}\n",
            deposited.oxum()
        ),
    };
    if deposited.complete == Some(false) {
        text +=
            "  The crawl ended early; reports/ledger.csv in the package says what is missing.\n";
    }
    text + &format!("Next: {}\n", next(deposited))
}

fn next(deposited: &Deposited) -> String {
    format!("lastlight verify {}", quoted(&deposited.path))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        path.into_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

impl From<DepositError> for Failure {
    fn from(error: DepositError) -> Self {
        let what = error.to_string();
        let with = |exit, hint: String| Self {
            exit,
            what: what.clone(),
            hint: Some(hint),
        };
        match error {
            DepositError::NotSnapshot { .. } => with(
                Exit::Usage,
                "Give the directory that `lastlight crawl` made.".into(),
            ),
            DepositError::Unsealed { snapshot } => {
                let goes_on = Layout::new(&snapshot).store().is_file();
                let hint = if goes_on {
                    let snapshot = quoted(&snapshot);
                    format!("`lastlight resume {snapshot}` finishes the crawl and seals it.")
                } else {
                    "Its manifest is gone, and there is no state/ to finish the crawl with.".into()
                };
                with(Exit::Usage, hint)
            }
            DepositError::Credentials { .. } => with(
                Exit::Usage,
                "Whoever reads the package could use them. --with-credentials packs them all the same."
                    .into(),
            ),
            DepositError::Exists { .. } => with(
                Exit::Usage,
                "Move it away, or choose another place with --into.".into(),
            ),
            DepositError::Inside { .. } => with(
                Exit::Usage,
                "A package must stand outside its snapshot: choose another --into.".into(),
            ),
            DepositError::Busy { .. } => with(
                Exit::Locked,
                "Wait until it ends; nothing was changed.".into(),
            ),
            DepositError::Missing { .. }
            | DepositError::Unlisted { .. }
            | DepositError::Length { .. }
            | DepositError::Altered { .. }
            | DepositError::Rejected { .. }
            | DepositError::Snapshot(SnapshotError::Malformed { .. }) => with(
                Exit::Findings,
                "No package was made. `lastlight verify` on the snapshot tells all that differs."
                    .into(),
            ),
            DepositError::Write { .. } => Self::environment(what)
                .hint("No package was made; is there room on the disk, and may it be written to?"),
            DepositError::Lock(error) => error.into(),
            DepositError::Snapshot(error) => error.into(),
        }
    }
}
