//! Reading a configuration over the defaults, and telling what is wrong with
//! one: its place and its key, and no value that may be a secret.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use toml::{Table, Value};

use super::{Config, DEFAULTS, access, bounds};

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// Not TOML. What stands there isn't repeated: it may be a secret.
    #[error("{path}: line {line}, column {column}: {reason}")]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The character in it, counted from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A value of the wrong kind.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// A key that doesn't exist.
    #[error("{path}: unknown key {key:?}; did you mean {nearest:?}?")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key with its table.
        key: String,
        /// The nearest one that exists.
        nearest: String,
    },
}

impl Config {
    /// The defaults.
    pub fn defaults() -> Self {
        static PARSED: LazyLock<Config> =
            LazyLock::new(|| Config::of(default_tables().clone()).expect(ARE_VALID));
        PARSED.clone()
    }

    /// The defaults, overridden key by key by a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Self::over_defaults(path, &text)
    }

    /// The defaults, overridden by the text of a file; `path` is for messages.
    pub fn over_defaults(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let malformed = |reason: String| ConfigError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let file: Table = toml::from_str(text).map_err(|error| not_toml(path, text, &error))?;
        let mut merged = default_tables().clone();
        for (table, values) in &file {
            if table == access::TABLE {
                merged.insert(table.clone(), values.clone());
                continue;
            }
            let Some(Value::Table(known)) = merged.get_mut(table) else {
                return Err(unknown(path, table));
            };
            let Value::Table(values) = values else {
                return Err(malformed(format!("{table} is a table: write [{table}]")));
            };
            for (key, value) in values {
                if !known.contains_key(key) {
                    return Err(unknown(path, &format!("{table}.{key}")));
                }
                known.insert(key.clone(), value.clone());
            }
        }
        let config = Self::of(merged).map_err(|error| malformed(wrong_value(&file, &error)))?;
        match bounds::refusal(&config) {
            Some(reason) => Err(malformed(reason)),
            None => Ok(config),
        }
    }

    fn of(tables: Table) -> Result<Self, toml::de::Error> {
        tables.try_into()
    }
}

const ARE_VALID: &str = "the compiled-in config.toml is valid";

/// The defaults as they stand, parsed once.
fn default_tables() -> &'static Table {
    static PARSED: LazyLock<Table> = LazyLock::new(|| toml::from_str(DEFAULTS).expect(ARE_VALID));
    &PARSED
}

/// Where a text isn't TOML.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    ConfigError::NotToml {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        reason: error.message().to_owned(),
    }
}

/// Names the key whose value is refused: the first that is, taken alone.
fn wrong_value(file: &Table, whole: &toml::de::Error) -> String {
    for (table, values) in file {
        let defaults = default_tables();
        let (Some(Value::Table(known)), Value::Table(values)) = (defaults.get(table), values)
        else {
            let alone = defaults.clone();
            let alone = alone
                .into_iter()
                .chain([(table.clone(), values.clone())])
                .collect();
            if let Err(error) = Config::of(alone) {
                return format!("[[{table}]]: {}", without_value(error.message()));
            }
            continue;
        };
        for (key, value) in values {
            let (mut alone, mut table_alone) = (defaults.clone(), known.clone());
            table_alone.insert(key.clone(), value.clone());
            alone.insert(table.clone(), Value::Table(table_alone));
            if let Err(error) = Config::of(alone) {
                let may_be_secret = MAY_HOLD_SECRETS.contains(&table.as_str());
                let message = if may_be_secret {
                    without_value(error.message())
                } else {
                    error.message()
                };
                return format!("{table}.{key}: {message}");
            }
        }
    }
    without_value(whole.message()).to_owned()
}

/// Tables beside `[[access]]` whose values aren't repeated.
const MAY_HOLD_SECRETS: [&str; 2] = ["proxy", "cookies"];

/// What is expected, without the value that was found.
fn without_value(message: &str) -> &str {
    let says_value = ["invalid type: ", "invalid value: ", "unknown variant "];
    if !says_value.iter().any(|start| message.starts_with(start)) {
        return message;
    }
    message
        .rfind(", expected ")
        .map_or("a value of another kind is expected", |at| {
            &message[at + ", ".len()..]
        })
}

fn unknown(path: &Path, key: &str) -> ConfigError {
    let mut known = vec![access::TABLE.to_owned()];
    for (table, values) in default_tables() {
        known.push(table.clone());
        if let Value::Table(values) = values {
            known.extend(values.keys().map(|key| format!("{table}.{key}")));
        }
    }
    let nearest = known
        .into_iter()
        .min_by_key(|candidate| distance(candidate, key));
    ConfigError::UnknownKey {
        path: path.to_owned(),
        key: key.to_owned(),
        nearest: nearest.unwrap_or_default(),
    }
}

/// Levenshtein distance; where only the table is wrong, the key counts.
fn distance(known: &str, given: &str) -> usize {
    let leaf = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    edits(known, given).min(edits(&leaf(known), &leaf(given)) + 1)
}

fn edits(a: &str, b: &str) -> usize {
    // Keys of a hostile length needn't be compared to the end.
    let b: Vec<char> = b.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        Config::over_defaults(Path::new("my.toml"), text)
    }

    #[test]
    fn an_unknown_key_of_access_is_refused() {
        let error = load("[[access]]\nhost = \"a.example\"\nbsic = \"x\"").unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("access") && error.contains("bsic"),
            "{error}"
        );
        assert!(load("access = 3").is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        for (text, nearest) in [
            ("[politeness]\ndelays = \"1s\"", "politeness.delay"),
            ("[crawl]\nconnections = 3", "politeness.connections"),
            ("[fetsh]\n", "fetch"),
        ] {
            match load(text) {
                Err(ConfigError::UnknownKey { nearest: found, .. }) => assert_eq!(found, nearest),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_toml_is_told_by_its_place_alone() {
        for text in [
            "[proxy]\nlogin = \"me:hush\nurl = \"\"",
            "[proxy]\nlogin = me:hush",
            "# \u{e4}\n[[access]]\nbasic = \"me:hush\" x",
            "[[access]]\nbasic = \"hush\"\nbasic = \"hush\"",
            "[proxy]\nlogin \"me:hush\"",
        ] {
            let error = load(text).unwrap_err();
            assert!(matches!(error, ConfigError::NotToml { .. }), "{error:?}");
            let error = error.to_string();
            assert!(error.starts_with("my.toml: line "), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
        let error = load("[fetch]\ncontact = \u{e4}").unwrap_err().to_string();
        assert!(error.starts_with("my.toml: line 2, column 11: "), "{error}");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        for (text, key) in [
            ("[proxy]\nlogin = [\"me:hush\"]", "proxy.login"),
            ("[proxy]\ndirect = \"http://me:hush@a\"", "proxy.direct"),
            ("[cookies]\npolicy = \"sid=hush\"", "cookies.policy"),
            ("access = \"hush\"", "[[access]]"),
            ("[access]\nbasic = \"me:hush\"", "[[access]]"),
            (
                "[[access]]\nhost = \"a\"\nheaders = \"X: hush\"",
                "[[access]]",
            ),
            (
                "[[access]]\nhost = \"a\"\nheaders = { X = [\"hush\"] }",
                "[[access]]",
            ),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("my.toml: {key}: ")) && !error.contains("hush"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        let two = "[fetch]\nretries = 2\n[limits]\nidle = \"soon\"\nurl = \"1 KiB\"";
        let error = load(two).unwrap_err().to_string();
        assert!(error.starts_with("my.toml: limits.idle: "), "{error}");
        for text in [
            "[crawl]\ndepth = -3",
            "[crawl]\nscope = \"moon\"",
            "crawl = 1",
            "[fetch]\nconnect_timeout = \"soon\"",
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.starts_with("my.toml: "), "{error}");
            assert!(
                error.contains("crawl") || error.contains("connect_timeout"),
                "{error}"
            );
        }
    }
}
