//! A tab of the screen: its conversation, its draft, and the people in its room. Pure.

use std::{collections::BTreeSet, sync::Arc};

use jiff::tz::TimeZone;

use super::{
    conversation::{Attention, Conversation, Page},
    person::Person,
};
use crate::{
    client::{
        chat::{Bookmark, ViewEvent},
        completion::Completer,
        editor::Editor,
        ignored::Ignored,
    },
    protocol::{
        ClientMessage, Kind, Limits, Message, Nick, Presence, Rename, RoomName, RoomView, ServerMessage, Topic,
    },
};

/// A tab.
#[derive(Debug)]
pub(super) struct Room {
    /// The room, if it is known yet.
    pub(super) name: Option<RoomName>,
    /// Whether an editor was given what is being typed here, as the last one.
    pub(super) is_edited: bool,
    /// The person, if this is a private tab.
    pub(super) person: Option<Person>,
    pub(super) conversation: Conversation,
    pub(super) editor: Editor,
    pub(super) completer: Completer,
    pub(super) topic: Option<Topic>,
    topic_set: Option<TopicSet>,
    ignored: Arc<Ignored>,
    pub(super) people: usize,
    /// The user's nick there.
    me: Option<Nick>,
    /// The people there, as far as the server lists them.
    pub(super) names: BTreeSet<Nick>,
    pub(super) unread: usize,
    pub(super) mentions: usize,
    /// Whether events are new. The history that is requested on joining is not new.
    pub(super) caught_up: bool,
    /// The pages that were requested.
    asked: Vec<Page>,
    /// The messages of the page that is arriving.
    arriving: Vec<Arc<Message>>,
}

/// Who set the topic last, as far as that is known.
#[derive(Debug)]
struct TopicSet {
    topic: Topic,
    by: Nick,
    /// The nick that the user ignored, if the setter is ignored under another nick; otherwise the
    /// setter's nick.
    of: Nick,
}

impl Room {
    /// Creates the tab of `name`. `resume` is where reading stopped in an earlier run of the
    /// program.
    pub(super) fn new(name: Option<RoomName>, resume: Option<Bookmark>, zone: TimeZone) -> Self {
        let mut conversation = Conversation::new(zone);
        if let Some(read) = resume {
            conversation.resume_after(read);
        }
        Self {
            name,
            is_edited: false,
            person: None,
            conversation,
            editor: Editor::default(),
            completer: Completer::default(),
            topic: None,
            topic_set: None,
            ignored: Arc::default(),
            people: 0,
            me: None,
            names: BTreeSet::new(),
            unread: 0,
            mentions: 0,
            caught_up: resume.is_some(),
            asked: Vec::new(),
            arriving: Vec::new(),
        }
    }

    /// Creates a private tab. The caller sets the person.
    pub(super) fn for_one(zone: TimeZone) -> Self {
        let conversation = Conversation::with_one(zone.clone());
        Self { conversation, caught_up: true, ..Self::new(None, None, zone) }
    }

    /// Sets whose messages are hidden.
    pub(super) fn ignore(&mut self, ignored: &Arc<Ignored>) {
        self.ignored = Arc::clone(ignored);
        self.conversation.ignore(Arc::clone(ignored));
    }

    /// Returns whether `nick` is ignored. The user's own nick never is.
    pub(super) fn ignores(&self, nick: &Nick) -> bool {
        self.me.as_ref() != Some(nick) && self.ignored.has(nick)
    }

    /// Returns the topic, unless somebody who is ignored set it.
    pub(super) fn shown_topic(&self) -> Option<&Topic> {
        self.topic.as_ref().filter(|topic| !self.hides_topic(topic))
    }

    /// Returns who set the topic, if that is known.
    pub(super) fn topic_by(&self) -> Option<&Nick> {
        self.topic_set.as_ref().filter(|set| Some(&set.topic) == self.topic.as_ref()).map(|set| &set.by)
    }

    /// Returns the unread counts as a short text, the mentions first. Returns `None` if all is
    /// read.
    pub(super) fn unread_mark(&self) -> Option<String> {
        match (self.unread, self.mentions) {
            (0, _) => None,
            (unread, 0) => Some(short(unread)),
            (unread, mentions) if unread == mentions => Some(format!("{}!", short(mentions))),
            (unread, mentions) => Some(format!("{}! {}", short(mentions), short(unread))),
        }
    }

    /// Returns whether somebody who is ignored set the topic.
    pub(super) fn hides_topic(&self, topic: &Topic) -> bool {
        self.topic_set.as_ref().is_some_and(|set| set.topic == *topic && self.hides_topics_of(&set.of))
    }

    /// Returns whether topics set by this nick are hidden. Only nicks that the user chose count: a
    /// nick that is followed now may have belonged to somebody else.
    fn hides_topics_of(&self, nick: &Nick) -> bool {
        self.me.as_ref() != Some(nick) && self.ignored.chose(nick)
    }

    /// Returns `event` without topics set by ignored people. Returns `None` if the whole event can
    /// be shown.
    pub(super) fn without_topics(&self, event: &ServerMessage) -> Option<ViewEvent> {
        let mut event = match event {
            ServerMessage::Topic { topic: Some(topic), .. } if self.hides_topic(topic) => {
                return Some(ViewEvent::Notice("the topic is of somebody who is ignored".to_owned()));
            }
            ServerMessage::Joined(_) | ServerMessage::Rooms { .. } if !self.ignored.nicks().is_empty() => event.clone(),
            _ => return None,
        };
        match &mut event {
            ServerMessage::Joined(view) => {
                view.topic.take_if(|topic| self.hides_topic(topic));
            }
            ServerMessage::Rooms { rooms, .. } => {
                for entry in
                    rooms.iter_mut().filter(|entry| entry.topic_by.as_ref().is_some_and(|by| self.hides_topics_of(by)))
                {
                    entry.topic = None;
                }
            }
            _ => {}
        }
        Some(ViewEvent::Event { event, quiet: false })
    }

    /// Returns the label of the tab.
    pub(super) fn label(&self) -> String {
        if let Some(person) = &self.person {
            return format!("@{}", person.nick);
        }
        self.name.as_ref().map_or_else(|| "…".to_owned(), |name| format!("#{name}"))
    }

    /// Updates the state of the room from an event.
    pub(super) fn learn(&mut self, shown: &ViewEvent) {
        if let ViewEvent::Answer { question, event } = shown {
            self.answered(question, event);
        }
        // A page that is arriving starts again on a new connection.
        if matches!(shown, ViewEvent::Connected(_)) {
            self.arriving.clear();
        }
        let Some(event) = shown.event() else { return };
        match event {
            ServerMessage::Welcome(welcome) => {
                self.me = Some(welcome.nick.clone());
                self.entered(&welcome.view);
            }
            // The server tells the others of the change in a presence event, and tells the user
            // apart.
            ServerMessage::Nick { nick } => {
                if let Some(before) = self.me.replace(nick.clone()) {
                    self.names.remove(&before);
                }
                self.names.insert(nick.clone());
            }
            ServerMessage::Joined(view) | ServerMessage::Names(view) => self.entered(view),
            ServerMessage::Topic { topic, topic_by, .. } => self.topic_told(topic.as_ref(), topic_by.as_ref()),
            ServerMessage::Message(message) if message.kind == Kind::Topic => {
                self.topic = topic_of(message);
                let (by, of) = (&message.nick, self.ignored.as_whom(&message.nick).unwrap_or(&message.nick));
                self.topic_set = self.topic.clone().map(|topic| TopicSet { topic, by: by.clone(), of: of.clone() });
            }
            ServerMessage::Live { .. } => self.caught_up = true,
            ServerMessage::Presence(presence) => self.came_and_went(presence),
            _ => {}
        }
    }

    /// Handles the answer to `question`, or its refusal, for all pages that requested it.
    fn answered(&mut self, question: &ClientMessage, event: &ServerMessage) {
        match event {
            ServerMessage::History { messages, more, .. } => {
                self.look_for_topic(messages);
                // Limit the size of a page, whatever the server sends.
                let room = (Limits::HISTORY as usize).saturating_sub(self.arriving.len());
                self.arriving.extend(messages.iter().take(room).cloned());
                if *more {
                    return;
                }
                let messages = std::mem::take(&mut self.arriving);
                for page in self.asked.extract_if(.., |page| page.request() == *question) {
                    self.conversation.take_page(page, &messages);
                }
            }
            ServerMessage::Found { query, messages, more, .. } => {
                if let ClientMessage::Search { before: Some(before), .. } = question {
                    self.conversation.take_results(*before, query, messages, *more);
                }
            }
            ServerMessage::Error(_) if matches!(question, ClientMessage::Search { .. }) => {
                self.conversation.results_refused();
            }
            ServerMessage::Error(failure) => {
                self.arriving.clear();
                for page in self.asked.extract_if(.., |page| page.request() == *question) {
                    self.conversation.page_refused(page, &failure.message);
                }
            }
            _ => {}
        }
    }

    /// Sets whether the user looks at the tab. Messages that arrive while they do not are marked as
    /// new.
    pub(super) fn watch(&mut self, watched: bool) {
        self.conversation.watch(watched);
        if watched && self.conversation.is_at_bottom() {
            self.unread = 0;
            self.mentions = 0;
        }
    }

    /// Returns the request for `page`, or `None` if it was requested already.
    pub(super) fn ask(&mut self, page: Page) -> Option<ClientMessage> {
        let is_new = !self.asked.contains(&page);
        is_new.then(|| {
            self.asked.push(page);
            page.request()
        })
    }

    /// Counts a message that the user has not seen.
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

    /// Looks in a page of history for who set the topic.
    fn look_for_topic(&mut self, messages: &[Arc<Message>]) {
        let mut sets = messages.iter().rev().filter(|message| message.kind == Kind::Topic);
        if let Some(message) = sets.find(|message| self.topic.is_some() && topic_of(message) == self.topic)
            && self.topic_set.as_ref().is_none_or(|set| Some(&set.topic) != self.topic.as_ref())
        {
            self.topic_told(self.topic.clone().as_ref(), Some(&message.nick));
        }
    }

    fn entered(&mut self, view: &RoomView) {
        self.name = Some(view.room.clone());
        self.topic_told(view.topic.as_ref(), view.topic_by.as_ref());
        self.people = view.people;
        self.names = view.names.iter().cloned().collect();
    }

    /// Sets the topic and who set it, if that is known.
    fn topic_told(&mut self, topic: Option<&Topic>, by: Option<&Nick>) {
        self.topic = topic.cloned();
        let (Some(topic), Some(by)) = (topic, by) else { return };
        // What was seen in the room tells better which person had this nick, so keep it.
        if self.topic_set.as_ref().is_none_or(|set| (&set.topic, &set.by) != (topic, by)) {
            self.topic_set = Some(TopicSet { topic: topic.clone(), by: by.clone(), of: by.clone() });
        }
    }

    fn came_and_went(&mut self, presence: &Presence) {
        self.people = presence.people;
        // First remove the nicks that are no longer in use: somebody else may have one already.
        let is_known = |rename: &&Rename| self.names.contains(&rename.from);
        let renamed: Vec<_> = presence.renamed.iter().filter(is_known).map(|rename| rename.to.clone()).collect();
        self.names.retain(|nick| presence.fate(nick).is_none());
        self.names.extend(renamed);
        self.names.extend(presence.joined.iter().chain(&presence.returned).cloned());
    }
}

/// Formats a count in at most four characters.
fn short(count: usize) -> String {
    match count {
        0..1000 => count.to_string(),
        1000..10_000 => format!("{}.{}k", count / 1000, count % 1000 / 100),
        10_000..100_000 => format!("{}k", count / 1000),
        _ => "99k+".to_owned(),
    }
}

/// Returns the topic that a message sets.
fn topic_of(message: &Message) -> Option<Topic> {
    message.text.as_ref().map(|text| Topic::read(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unread_is_told_in_few_characters_and_mentions_first() {
        let mut room = Room::new(None, None, TimeZone::UTC);
        let mut mark = |unread, mentions| {
            (room.unread, room.mentions) = (unread, mentions);
            room.unread_mark()
        };
        assert_eq!(mark(0, 0), None);
        for (unread, mentions, words) in [
            (7, 0, "7"),
            (1, 1, "1!"),
            (12, 2, "2! 12"),
            (1999, 0, "1.9k"),
            (99_999, 10, "10! 99k"),
            (usize::MAX, 1000, "1.0k! 99k+"),
        ] {
            assert_eq!(mark(unread, mentions).as_deref(), Some(words));
        }
    }
}
