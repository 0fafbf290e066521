//! The state that every observer agrees on, and the commands that change it.
//!
//! Applying a command is deterministic: the same state and the same command have the same outcome.
//! It reads no clock and no random number, and does no I/O. The command carries the time, and ids
//! come from counters. Everything that must happen outside is returned as [`Effect`]s, in order.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{
    protocol::{
        Author, AwayText, Body, ErrorCode, Failure, IdempotencyKey, Kind, Nick, Private, RoomName, ServerMessage,
        Timestamp, TopicBy,
    },
    rooms::{Arrival, Full, Joined, MemberId, Notice, Rooms, Sender, To},
    server::hub::handle::Outgoing,
    store::Draft,
};

/// The time at which a command was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The time since the server started.
    pub(super) elapsed: Duration,
    /// The wall-clock time.
    pub(super) at: Timestamp,
}

/// A change, with everything that decides its outcome.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) stamp: Stamp,
    pub(super) change: Change,
}

/// Something that changes what others can see or what is stored.
#[derive(Debug)]
pub(super) enum Change {
    Arrive(Arrival),
    Leave {
        member: MemberId,
        for_good: bool,
    },
    Go(MemberId, RoomName),
    LearnTopic(MemberId, RoomName, Option<TopicBy>),
    Rename(MemberId, Nick),
    Away(MemberId, Option<AwayText>),
    Tell {
        from: MemberId,
        to: To,
        text: Body,
        key: Option<IdempotencyKey>,
    },
    Say(MemberId, Vec<Outgoing>),
    Confirm(MemberId, u64),
    /// The end of every grace that is over by now, and the sending of all presence that is due by
    /// now.
    Expire,
}

impl Change {
    /// Returns whether the messages of `batch` must be committed before this change is applied.
    /// This is so if the change reads what the messages change, or if it must follow them on the
    /// channel of a room that somebody leaves.
    pub(super) fn follows_commit(&self, batch: &PendingBatch) -> bool {
        match self {
            Self::Go(..) => true,
            Self::Arrive(_) | Self::LearnTopic(..) => batch.sets_topic,
            Self::Leave { .. }
            | Self::Rename(..)
            | Self::Away(..)
            | Self::Tell { .. }
            | Self::Say(..)
            | Self::Confirm(..)
            | Self::Expire => false,
        }
    }
}

/// What the sender of a command is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Arrived(Result<Joined, Failure>),
    Renamed(Result<(), Failure>),
    Answer(ServerMessage),
    Done,
}

/// What a command causes outside the state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A newer connection has taken the member's place.
    Evict(MemberId),
    /// The member's mailbox is no longer needed.
    Close(MemberId),
    /// Gives the events that are owed to the person to one of their connections.
    HandOver(Author),
    /// Sends an event to one member. It may be lost.
    Deliver(MemberId, ServerMessage),
    /// Sends an event to one member. If its mailbox is full, its connection ends.
    MustDeliver(MemberId, ServerMessage),
}

/// What rooms receive with the next commit, in the order in which it happened.
#[derive(Debug)]
pub(super) enum Item {
    /// The member, and the number of drafts that it sent.
    Drafts(MemberId, usize),
    Notice(Notice),
}

/// The messages that are committed together, and the notices between them.
#[derive(Debug, Default)]
pub(super) struct PendingBatch {
    pub(super) items: Vec<Item>,
    pub(super) drafts: Vec<Draft>,
    /// Whether one of the messages sets a topic.
    sets_topic: bool,
    /// The requests that wait for the commit.
    pub(super) barriers: Vec<oneshot::Sender<()>>,
    /// The sender of the last messages, as long as nothing else has happened and no time has
    /// passed. A busy sender's messages come in a row, so this saves lookups.
    speaker: Option<Speaker>,
}

impl PendingBatch {
    /// Returns whether one of its messages sets a topic.
    pub(super) fn sets_topic(&self) -> bool {
        self.sets_topic
    }
}

#[derive(Debug)]
struct Speaker {
    member: MemberId,
    stamp: Stamp,
    nick: Nick,
    author: Author,
    room: RoomName,
}

/// The replicated part of the hub. Messages are in the store.
#[derive(Debug)]
pub(super) struct State {
    pub(super) rooms: Rooms,
}

impl State {
    /// Applies a command. Messages and notices are added to `batch`, which the next commit takes.
    /// Effects are appended to `effects`.
    pub(super) fn apply(&mut self, command: Command, batch: &mut PendingBatch, effects: &mut Vec<Effect>) -> Outcome {
        let Command { stamp, change } = command;
        let now = stamp.elapsed;
        if !matches!(change, Change::Say(..)) {
            batch.speaker = None;
        }
        let outcome = match change {
            Change::Say(member, said) => {
                self.say(member, said, stamp, batch);
                return Outcome::Done;
            }
            Change::Arrive(arrival) => {
                let joined = self.rooms.arrive(arrival, now);
                effects.extend(joined.as_ref().ok().and_then(|joined| joined.evicted).map(Effect::Evict));
                Outcome::Arrived(joined)
            }
            Change::Leave { member, for_good } => {
                // Another connection of the same person may receive what this one did not.
                let author = self.author(member);
                effects.push(Effect::Close(member));
                if for_good {
                    self.rooms.leave(member, now);
                } else {
                    self.rooms.lose(member, now);
                }
                effects.extend(author.map(Effect::HandOver));
                Outcome::Done
            }
            Change::Go(member, room) => {
                if let Some(evicted) = self.rooms.go(member, &room, now) {
                    effects.push(Effect::Evict(evicted));
                    effects.extend(self.author(member).map(Effect::HandOver));
                }
                Outcome::Done
            }
            Change::LearnTopic(member, room, topic) => {
                self.rooms.learn_topic(member, &room, topic);
                Outcome::Done
            }
            Change::Rename(member, to) => Outcome::Renamed(self.rooms.rename(member, &to, now).map(|members| {
                let told = |member| Effect::MustDeliver(member, ServerMessage::Nick { nick: to.clone() });
                effects.extend(members.into_iter().map(told));
            })),
            Change::Away(member, text) => Outcome::Answer(match self.author(member) {
                Some(_) => ServerMessage::Away { nick: None, text: self.rooms.set_away(member, text, now) },
                None => evicted(),
            }),
            Change::Tell { from, to, text, key } => Outcome::Answer(
                self.tell(from, &to, text, key.clone(), stamp, effects)
                    .unwrap_or_else(|failure| ServerMessage::Error(failure.about(key))),
            ),
            Change::Confirm(member, count) => {
                effects.extend(self.rooms.confirm(member, count).map(Effect::HandOver));
                Outcome::Done
            }
            Change::Expire => {
                batch.items.extend(self.rooms.due(now).into_iter().map(Item::Notice));
                Outcome::Done
            }
        };
        for (author, failure) in self.rooms.undelivered() {
            // This is best effort. The sender may have left. A sender that already has
            // [`Limits::UNCONFIRMED`] events waiting is not told either: none of those is dropped
            // for this one.
            if self.rooms.owe(author, ServerMessage::Error(failure), None).is_ok() {
                effects.push(Effect::HandOver(author));
            }
        }
        outcome
    }

    fn author(&self, member: MemberId) -> Option<Author> {
        self.rooms.whereabouts(member).map(|(_, author, _)| author)
    }

    fn say(&mut self, member: MemberId, said: Vec<Outgoing>, stamp: Stamp, batch: &mut PendingBatch) {
        if batch.speaker.as_ref().is_none_or(|speaker| speaker.member != member || speaker.stamp != stamp) {
            // The mailbox tells an evicted member so. Its person sends the messages again on the
            // newer connection.
            let Some((nick, author, room)) = self.rooms.whereabouts(member) else { return };
            let speaker = Speaker { member, stamp, nick: nick.clone(), author, room: room.clone() };
            self.rooms.spoke(member);
            self.rooms.is_active(member, stamp.elapsed);
            batch.items.extend(self.rooms.flush(&speaker.room).map(Item::Notice));
            batch.speaker = Some(speaker);
        }
        let Some(Speaker { nick, author, room, .. }) = &batch.speaker else { return };
        batch.items.push(Item::Drafts(member, said.len()));
        batch.sets_topic |= said.iter().any(|said| said.kind == Kind::Topic);
        batch.drafts.extend(said.into_iter().map(|Outgoing { kind, text, key }| Draft {
            room: room.clone(),
            at: stamp.at,
            nick: nick.clone(),
            author: *author,
            kind,
            text,
            key,
        }));
    }

    /// Sends a private message, and returns the sender's own copy.
    fn tell(
        &mut self,
        member: MemberId,
        to: &To,
        text: Body,
        key: Option<IdempotencyKey>,
        stamp: Stamp,
        effects: &mut Vec<Effect>,
    ) -> Result<ServerMessage, Failure> {
        let Some((from, ..)) = self.rooms.whereabouts(member) else { return Ok(evicted()) };
        let from = from.clone();
        self.rooms.spoke(member);
        self.rooms.is_active(member, stamp.elapsed);
        let addressee = self.rooms.addressee(to)?;
        let earlier = key.as_ref().and_then(|key| self.rooms.earlier_private(member, key));
        let id = earlier.unwrap_or_else(|| self.rooms.number_private());
        let private = Private {
            peer: self.rooms.person(member),
            id: Some(id),
            from,
            to: addressee.nick.clone(),
            at: stamp.at,
            text,
            key: None,
        };
        let copy = Private { peer: Some(addressee.id), key: key.clone(), ..private.clone() };
        if earlier.is_none() {
            // A message to oneself has only one copy, the echo.
            if addressee.member != member {
                self.give(member, addressee.author, private, key, id, effects)?;
            } else if let Some(key) = key {
                self.rooms.note_private(member, key, id);
            }
            // This notice may be lost. The echo is more important.
            if addressee.member != member
                && let Some(text) = self.rooms.tell_away(member, addressee.id)
            {
                let away = ServerMessage::Away { nick: Some(addressee.nick), text: Some(text) };
                effects.push(Effect::Deliver(member, away));
            }
        }
        Ok(ServerMessage::Private(copy))
    }

    /// Gives a person a private message. It is owed to them until they have confirmed it.
    fn give(
        &mut self,
        from: MemberId,
        to: Author,
        private: Private,
        key: Option<IdempotencyKey>,
        id: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let nick = private.to.clone();
        let sender = self.author(from).map(|author| Sender { author, key: key.clone() });
        self.rooms.owe(to, ServerMessage::Private(private), sender).map_err(|full| {
            let words = match full {
                Full::Recipient => format!("{nick} is not receiving messages; try again"),
                Full::Sender => "too much that you told others has not reached them yet; try again".to_owned(),
            };
            Failure::new(ErrorCode::Unreachable, words)
        })?;
        // Before the delivery, which may find that no connection can receive it.
        if let Some(key) = key {
            self.rooms.note_private(from, key, id);
        }
        effects.push(Effect::HandOver(to));
        Ok(())
    }
}

/// Returns the error for a member that has lost its place.
pub(super) fn evicted() -> ServerMessage {
    ServerMessage::Error(Failure::new(ErrorCode::Unavailable, "a newer connection has your place"))
}
