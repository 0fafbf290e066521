//! The user's choices for one room: which messages call for them, and whose joins and leaves the
//! room shows. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::attention::Bell;
use crate::protocol::RoomName;

/// Which messages of a room call for the user: with the bell, as a desktop notification, and in the
/// order of Alt-A.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// Every message.
    All,
    /// Messages that mention the user.
    Mentions,
    /// None.
    None,
    /// The messages that `/bell` chose.
    #[default]
    Default,
}

impl Notify {
    /// Returns the choice with the name `word`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::All, Self::Mentions, Self::None, Self::Default].into_iter().find(|notify| notify.to_string() == word)
    }

    /// Returns which messages of the room ring the bell if `default` is the choice of `/bell`.
    #[must_use]
    pub fn bell(self, default: Bell) -> Bell {
        match self {
            Self::All => Bell::All,
            Self::Mentions => Bell::Mentions,
            Self::None => Bell::Off,
            Self::Default => default,
        }
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::None => "none",
            Self::Default => "default",
        })
    }
}

/// Whose joins and leaves a room shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Joins {
    /// Everybody's.
    All,
    /// Those of people who spoke in the room in the last 30 minutes.
    #[default]
    Spoke,
    /// Nobody's.
    None,
}

impl Joins {
    /// Returns the choice with the name `word`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::All, Self::Spoke, Self::None].into_iter().find(|joins| joins.to_string() == word)
    }
}

impl fmt::Display for Joins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Spoke => "spoke",
            Self::None => "none",
        })
    }
}

/// The choices for one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomChoice {
    /// The room.
    pub room: RoomName,
    /// Which messages of the room call for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Whose joins and leaves the room shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins: Option<Joins>,
}

/// The choices for the rooms of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomChoices(Vec<RoomChoice>);

impl RoomChoices {
    /// The maximum number of rooms with choices. The one that was changed longest ago is dropped
    /// first.
    pub const MOST: usize = 200;

    /// Creates the list from `choices`, the latest last.
    #[must_use]
    pub fn new(choices: Vec<RoomChoice>) -> Self {
        Self(choices)
    }

    /// Returns the choices, the latest last.
    #[must_use]
    pub fn all(&self) -> &[RoomChoice] {
        &self.0
    }

    /// Returns which messages of `room` call for the user.
    #[must_use]
    pub fn notify(&self, room: &RoomName) -> Notify {
        self.of(room).and_then(|choice| choice.notify).unwrap_or_default()
    }

    /// Returns whose joins and leaves `room` shows.
    #[must_use]
    pub fn joins(&self, room: &RoomName) -> Joins {
        self.of(room).and_then(|choice| choice.joins).unwrap_or_default()
    }

    /// Changes the choices for `room` and makes them the latest.
    pub fn change(&mut self, room: &RoomName, change: impl FnOnce(&mut RoomChoice)) {
        let mut choice =
            self.of(room).cloned().unwrap_or_else(|| RoomChoice { room: room.clone(), notify: None, joins: None });
        change(&mut choice);
        self.0.retain(|other| other.room != *room);
        self.0.push(choice);
        self.0.drain(..self.0.len().saturating_sub(Self::MOST));
    }

    fn of(&self, room: &RoomName) -> Option<&RoomChoice> {
        self.0.iter().find(|choice| choice.room == *room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_has_a_name() {
        for notify in [Notify::All, Notify::Mentions, Notify::None, Notify::Default] {
            assert_eq!(Notify::named(&notify.to_string()), Some(notify));
        }
        for joins in [Joins::All, Joins::Spoke, Joins::None] {
            assert_eq!(Joins::named(&joins.to_string()), Some(joins));
        }
        assert_eq!((Notify::named("off"), Joins::named("lately")), (None, None));
    }

    #[test]
    fn so_many_rooms_are_remembered() {
        let mut choices = RoomChoices::default();
        for number in 0..=RoomChoices::MOST {
            let room = RoomName::new(&format!("r{number}")).unwrap();
            choices.change(&room, |choice| choice.notify = Some(Notify::None));
        }
        let (first, last) = (RoomName::new("r0").unwrap(), RoomName::new("r200").unwrap());
        assert_eq!((choices.notify(&first), choices.notify(&last)), (Notify::Default, Notify::None));
        choices.change(&last, |choice| choice.joins = Some(Joins::All));
        assert_eq!((choices.notify(&last), choices.joins(&last)), (Notify::None, Joins::All));
        assert_eq!(choices.all().len(), RoomChoices::MOST);
    }
}
