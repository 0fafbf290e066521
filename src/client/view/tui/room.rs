//! One room as a tab of the screen: its conversation, what is being typed in it, and who is there. Pure.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::conversation::{Attention, Conversation};
use crate::{
    client::{app::Shown, editor::Editor},
    wire::{MessageId, Nick, Presence, RoomName, RoomView, ServerMessage, Topic},
};

/// A tab.
#[derive(Debug)]
pub(super) struct Room {
    /// The room, as soon as it is known which.
    pub(super) name: Option<RoomName>,
    pub(super) conversation: Conversation,
    pub(super) editor: Editor,
    pub(super) topic: Option<Topic>,
    pub(super) people: usize,
    /// Who is there, as far as the server has spelled them out.
    pub(super) names: BTreeSet<Nick>,
    pub(super) unread: usize,
    pub(super) mentions: usize,
    /// The last message that came, and the last that somebody saw.
    pub(super) latest: Option<MessageId>,
    pub(super) read: Option<MessageId>,
    /// Whether what comes is new: the history that was asked for on entering is not.
    pub(super) caught_up: bool,
}

impl Room {
    /// Returns the tab of `name`, where reading stopped at `read` an earlier time.
    pub(super) fn new(name: Option<RoomName>, read: Option<MessageId>, zone: TimeZone) -> Self {
        Self {
            name,
            conversation: Conversation::new(zone),
            editor: Editor::default(),
            topic: None,
            people: 0,
            names: BTreeSet::new(),
            unread: 0,
            mentions: 0,
            latest: read,
            read,
            caught_up: read.is_some(),
        }
    }

    /// Returns what the tab is called.
    pub(super) fn label(&self) -> String {
        self.name.as_ref().map_or_else(|| "…".to_owned(), |name| format!("#{name}"))
    }

    /// Takes note of what `shown` says about the room.
    pub(super) fn learn(&mut self, shown: &Shown) {
        let Shown::Event { event, .. } = shown else { return };
        match event {
            ServerMessage::Welcome(welcome) => self.entered(&welcome.view),
            ServerMessage::Joined(view) | ServerMessage::Names(view) => self.entered(view),
            ServerMessage::Topic { topic, .. } => self.topic.clone_from(topic),
            ServerMessage::Message(message) => {
                if message.kind == crate::wire::Kind::Topic {
                    self.topic = message.text.as_ref().and_then(|text| Topic::new(text.as_str()).ok());
                }
                self.latest = Some(message.id);
            }
            ServerMessage::Live { .. } => self.caught_up = true,
            ServerMessage::Presence(presence) => self.came_and_went(presence),
            _ => {}
        }
    }

    /// Takes note that somebody sees the end of the conversation.
    pub(super) fn seen(&mut self) {
        self.read = self.latest;
        self.unread = 0;
        self.mentions = 0;
    }

    /// Takes note that nobody looks any more: what comes from now on is new to whoever comes back.
    pub(super) fn turned_away(&mut self) {
        if self.conversation.is_at_bottom() {
            self.conversation.mark_read_up_to();
        }
    }

    /// Counts what nobody has seen.
    pub(super) fn unseen(&mut self, attention: Attention) {
        if !self.caught_up {
            return;
        }
        match attention {
            Attention::None => {}
            Attention::Said => self.unread += 1,
            Attention::Mention | Attention::Private => {
                self.unread += 1;
                self.mentions += 1;
            }
        }
    }

    fn entered(&mut self, view: &RoomView) {
        self.name = Some(view.room.clone());
        self.topic.clone_from(&view.topic);
        self.people = view.people;
        self.names = view.names.iter().cloned().collect();
    }

    fn came_and_went(&mut self, presence: &Presence) {
        self.people = presence.people;
        for rename in &presence.renamed {
            if self.names.remove(&rename.from) {
                self.names.insert(rename.to.clone());
            }
        }
        for nick in &presence.left {
            self.names.remove(nick);
        }
        self.names.extend(presence.joined.iter().chain(&presence.returned).cloned());
    }
}
