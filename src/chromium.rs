//! Starts a Chromium that is cut off from the network: a profile of its own
//! that is thrown away, one proxy on loopback for whatever it asks, names that
//! don't resolve, and nothing that goes past a proxy. Knows nothing of what the
//! proxy answers.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process_group, test_kill_process_group};
use thiserror::Error;
use uuid::Uuid;

/// Names another program than those that are looked for.
pub const VARIABLE: &str = "LASTLIGHT_CHROMIUM";

/// What is looked for in `PATH`, the best first.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    HEADLESS_SHELL,
];
const HEADLESS_SHELL: &str = "chromium-headless-shell";

/// A browser that is told to end has so long.
const FAREWELL: Duration = Duration::from_secs(5);
/// So much of what a browser said last is told where it fails.
const SAID: u64 = 2_000;

/// Why no browser runs.
#[derive(Debug, Error)]
pub enum ChromiumError {
    /// None is installed.
    #[error("no Chromium was found: {}", NAMES.join(", "))]
    NotFound,
    /// The variable names no program.
    #[error("{VARIABLE} names {path}, which is no file")]
    Named {
        /// What it names.
        path: PathBuf,
    },
    /// It has nowhere to show a window.
    #[error("{program} needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set")]
    NoDisplay {
        /// The program.
        program: PathBuf,
    },
    /// The profile.
    #[error("making a profile for the browser in {path} failed: {source}")]
    Profile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program doesn't start.
    #[error("starting {program} failed: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A browser that can be started.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    has_window: bool,
}

impl Program {
    /// The one that [`VARIABLE`] names, else the first that is installed.
    pub fn find() -> Result<Self, ChromiumError> {
        if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            let path = PathBuf::from(named);
            let is_file = path.is_file();
            let program = Self::at(path);
            return if is_file {
                Ok(program)
            } else {
                Err(ChromiumError::Named { path: program.path })
            };
        }
        let directories = env::var_os("PATH").unwrap_or_default();
        NAMES
            .iter()
            .find_map(|name| {
                env::split_paths(&directories)
                    .map(|directory| directory.join(name))
                    .find(|path| path.is_file())
            })
            .map(Self::at)
            .ok_or(ChromiumError::NotFound)
    }

    fn at(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            has_window: !name.contains("headless"),
            path,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it shows pages to anybody.
    pub fn has_window(&self) -> bool {
        self.has_window
    }
}

/// What a browser is started with.
#[derive(Debug, Clone, Copy)]
pub struct Isolation<'a> {
    /// The proxy for every request.
    pub proxy: SocketAddr,
    /// base64 of the SHA-256 of the public key whose certificates are taken.
    pub spki_hash: &'a str,
}

impl Isolation<'_> {
    /// The arguments that keep what pages ask for from everything but the
    /// proxy, beside the profile.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--proxy-server=http://{}", self.proxy),
            format!("--ignore-certificate-errors-spki-list={}", self.spki_hash),
        ];
        arguments.extend(ISOLATING.iter().map(|&argument| argument.to_owned()));
        arguments.push(format!("--disable-features={}", FEATURES.join(",")));
        arguments
    }
}

const ISOLATING: [&str; 5] = [
    // Loopback goes through the proxy too: archived sites may have been there.
    "--proxy-bypass-list=<-loopback>",
    // Whatever goes past the proxy finds no name, and only the proxy's address.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    // WebRTC only through the proxy, which speaks no UDP. The second is what
    // browsers with windows read, the first those without.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
];

/// What browsers do by themselves is off.
const QUIET: [&str; 17] = [
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--dns-prefetch-disable",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-service-autorun",
    // No keyring of the desktop is asked.
    "--password-store=basic",
    "--use-mock-keychain",
];

/// Features that are off. The first would ask for another URL than the page's,
/// or ask the reader; the others look for machines around or call home.
const FEATURES: [&str; 16] = [
    "HttpsUpgrades",
    "HttpsFirstBalancedMode",
    "HttpsFirstBalancedModeAutoEnable",
    "LocalNetworkAccessChecks",
    "AsyncDns",
    "DnsOverHttps",
    "DnsOverHttpsUpgrade",
    "WebRtcHideLocalIpsWithMdns",
    "MediaRouter",
    "DialMediaRouteProvider",
    "CastMediaRouteProvider",
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "Translate",
];

/// Settings for which there are no arguments: no encrypted DNS, nothing fetched
/// ahead, no suggestions, no look-ups of addresses.
const LOCAL_STATE: &str =
    r#"{"dns_over_https":{"mode":"off"},"user_experience_metrics":{"reporting_enabled":false}}"#;
const PREFERENCES: &str = r#"{"alternate_error_pages":{"enabled":false},"browser":{"check_default_browser":false},"net":{"network_prediction_options":2},"safebrowsing":{"enabled":false},"search":{"suggest_enabled":false},"signin":{"allowed":false},"translate":{"enabled":false},"webrtc":{"ip_handling_policy":"disable_non_proxied_udp","multiple_routes_enabled":false,"nonproxied_udp_enabled":false}}"#;

/// A browser that runs. Dropping it ends it and removes its profile.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    said: File,
    profile: Profile,
    guard: Option<Guard>,
}

/// A shell that waits for the end of this process, whatever ends it: a browser that
/// goes on would ask whoever takes the proxy's port next. It ends with the browser.
#[derive(Debug)]
struct Guard(Child);

impl Guard {
    /// Ends the process group of a browser and removes its profile when nobody holds
    /// the guard's input open any more.
    const SCRIPT: &str = "read -r _; kill -KILL \"-$1\" 2>/dev/null; sleep 1; rm -rf -- \"$2\"";

    fn watch(browser: &Child, profile: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        let command = command.args(["-c", Self::SCRIPT, "lastlight-guard"]);
        let command = command.arg(browser.id().to_string()).arg(profile);
        let command = command.stdin(Stdio::piped()).process_group(0);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its input is closed, or it would kill a group that is another's by
        // then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Chromium {
    /// Starts a browser at a page.
    pub fn launch(
        program: &Program,
        isolation: Isolation<'_>,
        page: &str,
    ) -> Result<Self, ChromiumError> {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
        // Elsewhere windows need neither.
        if cfg!(target_os = "linux") && program.has_window && !has_display {
            let program = program.path.clone();
            return Err(ChromiumError::NoDisplay { program });
        }
        let (profile, said) = Profile::make()?;
        let failed = |source| ChromiumError::Start {
            program: program.path.clone(),
            source,
        };
        let mut directory = OsString::from("--user-data-dir=");
        directory.push(&profile.0);
        let mut command = Command::new(&program.path);
        command
            .args(isolation.arguments())
            .args(QUIET)
            .arg(directory);
        // Its sandbox needs an ordinary user.
        if geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command
            .arg("--")
            .arg(page)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.try_clone().map_err(failed)?);
        let child = command.spawn().map_err(failed)?;
        // Without a shell the browser is ended only by who can.
        let guard = Guard::watch(&child, &profile.0).ok();
        Ok(Self {
            child,
            said,
            profile,
            guard,
        })
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The end of what it said on stderr.
    pub fn said(&mut self) -> String {
        let mut text = Vec::new();
        let length = self.said.metadata().map_or(0, |file| file.len());
        let from = SeekFrom::Start(length.saturating_sub(SAID));
        // What can't be read is nothing to tell.
        if self.said.seek(from).is_ok() {
            let _ = (&self.said).take(SAID).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// Tells all its processes to end, and makes them end where they don't. The
    /// one that was started may be a script that only starts another, and what
    /// a browser started may outlive it for a moment.
    fn end(&mut self) {
        let group = Pid::from_child(&self.child);
        for (signal, patience) in [(Signal::TERM, FAREWELL), (Signal::KILL, FAREWELL)] {
            let told = Instant::now();
            // An error: there is none left.
            let _ = kill_process_group(group, signal);
            while told.elapsed() < patience {
                let is_over = !matches!(self.child.try_wait(), Ok(None));
                if is_over && test_kill_process_group(group).is_err() {
                    return;
                }
                sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.end();
        self.guard.take();
        self.profile.remove();
    }
}

/// A profile's directory, which only its user can read.
#[derive(Debug)]
struct Profile(PathBuf);

impl Profile {
    /// A new one, and the file that keeps what the browser says.
    fn make() -> Result<(Self, File), ChromiumError> {
        let name = format!("lastlight-chromium-{}", Uuid::new_v4().simple());
        let path = env::temp_dir().join(name);
        let failed = |source| ChromiumError::Profile {
            path: path.clone(),
            source,
        };
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(failed)?;
        let profile = Self(path.clone());
        let filled = fs::create_dir(path.join("Default"))
            .and_then(|()| fs::write(path.join("Local State"), LOCAL_STATE))
            .and_then(|()| fs::write(path.join("Default/Preferences"), PREFERENCES))
            .and_then(|()| {
                let mut options = File::options();
                let options = options.read(true).append(true).create_new(true);
                options.open(path.join("said.txt"))
            });
        match filled {
            Ok(said) => Ok((profile, said)),
            Err(error) => {
                profile.remove();
                Err(failed(error))
            }
        }
    }

    /// Where the browser has the socket by which a second one would find it:
    /// a killed browser leaves that behind.
    fn socket(&self) -> Option<PathBuf> {
        let socket = fs::read_link(self.0.join("SingletonSocket")).ok()?;
        let directory = socket.parent()?;
        let name = directory.file_name()?.to_string_lossy();
        let is_own = directory.parent()? == env::temp_dir()
            && (name.starts_with("org.chromium.") || name.starts_with("com.google."));
        is_own.then(|| directory.to_owned())
    }

    /// Removes it. Processes of the browser that are about to end may still
    /// write in it.
    fn remove(&self) {
        if let Some(socket) = self.socket() {
            // The next start of the system clears it otherwise.
            let _ = fs::remove_dir_all(socket);
        }
        for _ in 0..20 {
            match fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    sleep(Duration::from_millis(50));
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_browser_is_started_with_its_own_profile_which_is_gone_afterwards() {
        let isolation = Isolation {
            proxy: (Ipv4Addr::LOCALHOST, 9).into(),
            spki_hash: "AAAA",
        };
        // A program that tells how it was called, and stays.
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("headless");
        let script = "#!/bin/sh\nfor a; do echo \"$a\" >&2; done\nsleep 60\n";
        fs::write(&path, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&path, mode).unwrap();
        let program = Program::at(path);
        assert!(!program.has_window());
        let mut browser = Chromium::launch(&program, isolation, "http://a.example/").unwrap();
        let profile = browser.profile.0.clone();
        assert!(profile.join("Local State").is_file());
        let begun = Instant::now();
        while !browser.said().ends_with("http://a.example/") {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{}",
                browser.said()
            );
            sleep(Duration::from_millis(10));
        }
        assert!(browser.ended().unwrap().is_none());
        let all = fs::read_to_string(profile.join("said.txt")).unwrap();
        for argument in [
            "--proxy-server=http://127.0.0.1:9",
            "--ignore-certificate-errors-spki-list=AAAA",
            "--proxy-bypass-list=<-loopback>",
        ] {
            assert!(
                all.lines().any(|line| line == argument),
                "{argument}: {all}"
            );
        }
        let own = format!("--user-data-dir={}", profile.display());
        assert!(all.contains(&own), "{all}");
        let group = Pid::from_child(&browser.child);
        drop(browser);
        assert!(!profile.exists());
        // Of the program that the script started nothing is left.
        assert!(test_kill_process_group(group).is_err());
    }

    #[test]
    fn the_settings_are_json() {
        for text in [LOCAL_STATE, PREFERENCES] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }
}
