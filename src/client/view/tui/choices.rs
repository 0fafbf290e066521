//! What the user chose for one room: what of it calls for them, and whose comings and goings it
//! tells. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::attention::Bell;
use crate::protocol::RoomName;

/// Which messages of a room call for the user: by the bell, on the desktop, and in the order of
/// Alt-A.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// Every message.
    All,
    /// Those that mention the user.
    Mentions,
    /// None.
    None,
    /// Those that `/bell` says.
    #[default]
    Default,
}

impl Notify {
    /// Returns the choice that `word` names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::All, Self::Mentions, Self::None, Self::Default].into_iter().find(|notify| notify.to_string() == word)
    }

    /// Returns what of the room rings the bell, where `default` does elsewhere.
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

/// Whose comings and goings a room tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Joins {
    /// Everybody's.
    All,
    /// Those of people who spoke there lately.
    #[default]
    Spoke,
    /// Nobody's.
    None,
}

impl Joins {
    /// Returns the choice that `word` names.
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

/// What was chosen for one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomChoice {
    /// Which room.
    pub room: RoomName,
    /// What of it calls for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Whose comings and goings it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins: Option<Joins>,
}

/// What was chosen for the rooms of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomChoices(Vec<RoomChoice>);

impl RoomChoices {
    /// Rooms for which something is remembered; what was chosen first goes first.
    pub const MOST: usize = 200;

    /// Returns these choices.
    #[must_use]
    pub fn new(choices: Vec<RoomChoice>) -> Self {
        Self(choices)
    }

    /// Returns the choices, the latest at the end.
    #[must_use]
    pub fn all(&self) -> &[RoomChoice] {
        &self.0
    }

    /// Returns what of `room` calls for the user.
    #[must_use]
    pub fn notify(&self, room: &RoomName) -> Notify {
        self.of(room).and_then(|choice| choice.notify).unwrap_or_default()
    }

    /// Returns whose comings and goings `room` tells.
    #[must_use]
    pub fn joins(&self, room: &RoomName) -> Joins {
        self.of(room).and_then(|choice| choice.joins).unwrap_or_default()
    }

    /// Changes what is chosen for `room`.
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
