//! The settings file of the user: `client.toml` in the configuration directory of the platform.
//! Flags and environment variables override it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use directories::ProjectDirs;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    address::Address,
    view::{
        Bell, Word, Words,
        tui::{
            clock::{Clock, Timestamps},
            palette::Theme,
        },
    },
};
use crate::{os, protocol::Nick};

/// The settings of the file. Each one is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// The requested nick.
    pub nick: Option<Nick>,
    /// The address of the server.
    #[serde(default, deserialize_with = "address")]
    pub server: Option<Address>,
    /// When to use colours.
    pub color: Option<Colour>,
    /// What rings the bell, until `/bell` changes it.
    pub bell: Option<Bell>,
    /// Words that highlight a message as the user's nick does. `/highlight` can add more.
    #[serde(default, deserialize_with = "words")]
    pub highlight: Vec<Word>,
    /// The background that the colours are made for.
    #[serde(default)]
    pub theme: Theme,
    /// The lines that show a time.
    #[serde(default)]
    pub timestamps: Timestamps,
    /// The 12-hour or 24-hour clock. `None` follows the locale.
    pub clock: Option<Clock>,
    /// Whether each nick has its own colour.
    #[serde(default, deserialize_with = "switch")]
    pub nick_colors: Option<bool>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// On a terminal that supports colours, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always, even without a terminal.
    Always,
    /// Never.
    Never,
}

/// The reason why the settings file cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The file exists but cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The reason from the operating system.
        reason: String,
    },
    /// A value in the file is invalid.
    #[error("cannot use {}, line {line}: {reason}", .path.display())]
    Line {
        /// The path of the file.
        path: PathBuf,
        /// The number of the line, counted from 1.
        line: usize,
        /// What is wrong with the line.
        reason: String,
    },
}

impl SettingsFile {
    /// Reads the settings from the file at `path`. Without a file, no setting is set.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if the file exists but cannot be used.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| SettingsError::Read { path: path.to_owned(), reason: os::reason(&error) })?,
        };
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
            // The library may add more lines about what it expected.
            let reason = error.message().lines().next().unwrap_or_default().to_owned();
            SettingsError::Line { path: path.to_owned(), line, reason }
        })
    }
}

/// Returns the path of the settings file, or `None` if the platform has no directory for it.
#[must_use]
pub fn path() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "broadcast-chat")?.config_dir().join("client.toml"))
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Word>, D::Error> {
    let words = Vec::deserialize(deserializer)?;
    if words.len() > Words::MOST {
        return Err(D::Error::custom(format!("there can be {} words to highlight", Words::MOST)));
    }
    Ok(words)
}

/// Reads `true` or `"on"`, and `false` or `"off"`.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Switch {
        Is(bool),
        Word(String),
    }
    let words = "expected \"on\" or \"off\"";
    match Switch::deserialize(deserializer).map_err(|_| D::Error::custom(words))? {
        Switch::Is(is) => Ok(Some(is)),
        Switch::Word(word) if word == "on" => Ok(Some(true)),
        Switch::Word(word) if word == "off" => Ok(Some(false)),
        Switch::Word(_) => Err(D::Error::custom(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SettingsFile, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.toml");
        fs::write(&path, text).unwrap();
        SettingsFile::read(&path)
    }

    #[test]
    fn every_setting_is_optional() {
        assert_eq!(read(""), Ok(SettingsFile::default()));
        assert_eq!(SettingsFile::read(Path::new("/nowhere/client.toml")), Ok(SettingsFile::default()));
        let all = read("nick = \"ada\"\nserver = \"chat.example/rust\"\ncolor = \"never\"\nbell = \"all\"\nhighlight = [\"deploy\"]\n").unwrap();
        assert_eq!(all.highlight, [Word::new("deploy").unwrap()]);
        assert_eq!((all.nick.unwrap().as_str(), all.color, all.bell), ("ada", Some(Colour::Never), Some(Bell::All)));
        assert_eq!(all.server.unwrap().to_string(), "ws://chat.example:8080/rust");
    }

    #[test]
    fn looks_are_chosen_by_words() {
        let theme = |text| read(text).unwrap().theme;
        assert_eq!(
            (theme(""), theme("theme = \"dark\""), theme("theme = \"light\"")),
            (Theme::Auto, Theme::Dark, Theme::Light)
        );
        let colours = |text| read(text).unwrap().nick_colors;
        assert_eq!(
            (colours(""), colours("nick_colors = \"on\""), colours("nick_colors = true")),
            (None, Some(true), Some(true))
        );
        assert_eq!((colours("nick_colors = \"off\""), colours("nick_colors = false")), (Some(false), Some(false)));
    }

    #[test]
    fn how_the_time_is_told_is_chosen_by_words() {
        let times = |text| read(text).map(|settings| (settings.timestamps, settings.clock)).unwrap();
        assert_eq!(times(""), (Timestamps::Minute, None));
        assert_eq!(times("timestamps = \"each\"\nclock = \"12h\""), (Timestamps::Each, Some(Clock::Twelve)));
        assert_eq!(times("timestamps = \"minute\"\nclock = \"24h\""), (Timestamps::Minute, Some(Clock::TwentyFour)));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, words) in [
            ("nick = \"ada\"\nserver = \"wss://x\"", 2, "needs TLS"),
            ("# me\n\nnick = \"a b\"", 3, "a nick has"),
            ("colour = \"never\"", 1, "unknown field `colour`"),
            ("highlight = [\"deploy\", \"-x\"]", 1, "does not begin with"),
            ("highlight = \"deploy\"", 1, "expected a sequence"),
            ("bell = \"loud\"", 1, "unknown variant `loud`"),
            ("clock = \"13h\"", 1, "unknown variant `13h`"),
            ("timestamps = \"never\"", 1, "unknown variant `never`"),
            ("theme = \"pink\"", 1, "unknown variant `pink`"),
            ("nick_colors = 3", 1, "expected \"on\" or \"off\""),
            ("nick_colors = \"red\"", 1, "expected \"on\" or \"off\""),
            ("nick", 1, ""),
        ] {
            let Err(SettingsError::Line { line: at, reason, .. }) = read(text) else { panic!("{text:?} was taken") };
            assert_eq!(at, line, "{text:?}: {reason}");
            assert!(reason.contains(words), "{text:?}: {reason}");
        }
    }
}
