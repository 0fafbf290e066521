//! One room as a tab of the screen: its conversation, what is being typed in it, and who is there. Pure.

use std::{collections::BTreeSet, sync::Arc};

use jiff::tz::TimeZone;

use super::conversation::{Attention, Conversation, Page};
use crate::{
    client::{
        app::{Bookmark, Shown},
        completion::Completer,
        editor::Editor,
        ignored::Ignored,
    },
    wire::{ClientMessage, Kind, Limits, Message, Nick, Presence, RoomName, RoomView, ServerMessage, Topic},
};

/// A tab.
#[derive(Debug)]
pub(super) struct Room {
    /// The room, as soon as it is known which.
    pub(super) name: Option<RoomName>,
    pub(super) conversation: Conversation,
    pub(super) editor: Editor,
    pub(super) completer: Completer,
    pub(super) topic: Option<Topic>,
    /// Who set which topic last, as far as that was seen. Of somebody who is ignored under another nick, the nick that was chosen.
    topic_set: Option<(Topic, Nick)>,
    ignored: Arc<Ignored>,
    pub(super) people: usize,
    /// The nick one has there.
    me: Option<Nick>,
    /// Who is there, as far as the server has spelled them out.
    pub(super) names: BTreeSet<Nick>,
    pub(super) unread: usize,
    pub(super) mentions: usize,
    /// Whether what comes is new: the history that was asked for on entering is not.
    pub(super) caught_up: bool,
    /// Pages that were asked for.
    asked: Vec<Page>,
    /// What has come of the one that is arriving.
    arriving: Vec<Arc<Message>>,
}

impl Room {
    /// Returns the tab of `name`, where reading stopped at `resume` an earlier time.
    pub(super) fn new(name: Option<RoomName>, resume: Option<Bookmark>, zone: TimeZone) -> Self {
        let mut conversation = Conversation::new(zone);
        if let Some(read) = resume {
            conversation.resume_after(read);
        }
        Self {
            name,
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

    /// Takes whose words are not shown.
    pub(super) fn ignore(&mut self, ignored: &Arc<Ignored>) {
        self.ignored = Arc::clone(ignored);
        self.conversation.ignore(Arc::clone(ignored));
    }

    /// Returns whether somebody is ignored.
    pub(super) fn ignores(&self, nick: &Nick) -> bool {
        self.me.as_ref() != Some(nick) && self.ignored.has(nick)
    }

    /// Returns the topic, unless it is of somebody who is ignored.
    pub(super) fn shown_topic(&self) -> Option<&Topic> {
        self.topic.as_ref().filter(|topic| !self.hides_topic(topic))
    }

    /// Returns whether a topic is of somebody who is ignored.
    pub(super) fn hides_topic(&self, topic: &Topic) -> bool {
        self.topic_set.as_ref().is_some_and(|(set, nick)| set == topic && self.ignores(nick))
    }

    /// Returns what the tab is called.
    pub(super) fn label(&self) -> String {
        self.name.as_ref().map_or_else(|| "…".to_owned(), |name| format!("#{name}"))
    }

    /// Takes note of what `shown` says about the room.
    pub(super) fn learn(&mut self, shown: &Shown) {
        if let Shown::Answer { question, event } = shown {
            self.answered(question, event);
        }
        // The rest comes with another connection, from its beginning.
        if matches!(shown, Shown::Connected(_)) {
            self.arriving.clear();
        }
        let Some(event) = shown.event() else { return };
        match event {
            ServerMessage::Welcome(welcome) => {
                self.me = Some(welcome.nick.clone());
                self.entered(&welcome.view);
            }
            // The server tells the others of it, and oneself apart.
            ServerMessage::Nick { nick } => {
                if let Some(before) = self.me.replace(nick.clone()) {
                    self.names.remove(&before);
                }
                self.names.insert(nick.clone());
            }
            ServerMessage::Joined(view) | ServerMessage::Names(view) => self.entered(view),
            ServerMessage::Topic { topic, .. } => self.topic.clone_from(topic),
            ServerMessage::Message(message) if message.kind == Kind::Topic => {
                self.topic = topic_of(message);
                let who = self.ignored.as_whom(&message.nick).unwrap_or(&message.nick);
                self.topic_set = self.topic.clone().zip(Some(who.clone()));
            }
            ServerMessage::Live { .. } => self.caught_up = true,
            ServerMessage::Presence(presence) => self.came_and_went(presence),
            _ => {}
        }
    }

    /// Takes what answers or refuses `question`, whichever pages that was asked for.
    fn answered(&mut self, question: &ClientMessage, event: &ServerMessage) {
        match event {
            ServerMessage::History { messages, more, .. } => {
                self.look_for_topic(messages);
                // Whatever a server sends: a page has its limit.
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
            ServerMessage::Error(failure) => {
                self.arriving.clear();
                for page in self.asked.extract_if(.., |page| page.request() == *question) {
                    self.conversation.page_refused(page, &failure.message);
                }
            }
            _ => {}
        }
    }

    /// Takes note whether somebody looks: what comes while nobody does is new to whoever comes back.
    pub(super) fn watch(&mut self, watched: bool) {
        self.conversation.watch(watched);
        if watched && self.conversation.is_at_bottom() {
            self.unread = 0;
            self.mentions = 0;
        }
    }

    /// Returns what to ask the server for `page`; nothing where that has been asked already.
    pub(super) fn ask(&mut self, page: Page) -> Option<ClientMessage> {
        let is_new = !self.asked.contains(&page);
        is_new.then(|| {
            self.asked.push(page);
            page.request()
        })
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

    /// Looks in a page of history for who set the topic.
    fn look_for_topic(&mut self, messages: &[Arc<Message>]) {
        let mut sets = messages.iter().rev().filter(|message| message.kind == Kind::Topic);
        if let Some(message) = sets.find(|message| self.topic.is_some() && topic_of(message) == self.topic)
            && self.topic_set.as_ref().is_none_or(|(topic, _)| Some(topic) != self.topic.as_ref())
        {
            self.topic_set = self.topic.clone().zip(Some(message.nick.clone()));
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

/// Returns the topic that a message sets.
fn topic_of(message: &Message) -> Option<Topic> {
    message.text.as_ref().map(|text| Topic::read(text.as_str()))
}
