//! The full screen: it draws events into cells, and turns keys into actions. Pure: no tokio, no
//! clock, no I/O.
//!
//! Each room is a tab with its own [`App`]. A tab is identified by its index. The private tabs,
//! each for one person, follow the rooms. The conversation has the full width. Below it are the
//! status line, which also shows questions and hints, and the input.

mod attention;
mod bare;
mod choices;
pub mod clock;
mod column;
mod command;
pub mod conversation;
mod fit;
mod help;
mod highlights;
mod input;
mod layout;
mod links;
pub mod palette;
mod person;
mod prompt;
mod room;
mod seen;
mod status;
mod styled;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::{Timestamp as Moment, tz::TimeZone};

pub use self::{
    attention::Bell,
    choices::{Joins, Notify, RoomChoice, RoomChoices},
    highlights::{Word, WordError, Words},
};
use self::{
    attention::Focus,
    bare::Bare,
    clock::Times,
    conversation::{Attention, Scroll, TopicPage},
    help::Help,
    links::LinkList,
    palette::Palette,
    prompt::Question,
    room::Room,
};
use super::super::{
    address::Address,
    chat::{App, Bookmark, Connection, ViewEvent},
    editor::{BYTES, LENGTH, LINES},
    ignored::Ignored,
    terminal::keys::Answer,
};
use crate::protocol::{
    ClientMessage, Epoch, MessageId, Nick, PersonId, RoomName, Run, ServerMessage, Timestamp, command::is_secret,
    sanitize,
};

/// An action that the screen requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UiAction {
    /// Handle this line, which was entered in the tab.
    Line(usize, String),
    /// Send this private text through this tab.
    Tell {
        /// The tab whose connection sends it.
        tab: usize,
        /// The recipient's nick.
        to: Nick,
        /// The recipient's id, if the server has told it.
        peer: Option<PersonId>,
        /// The text.
        text: String,
    },
    /// Send this request of the tab to the server.
    Ask(usize, ClientMessage),
    /// Open a tab for this room, which has none yet.
    Open(RoomName),
    /// Leave the room of this tab.
    Close(usize),
    /// Reconnect this tab now, and all other tabs that wait to retry.
    Reconnect(usize),
    /// Leave this server and connect to that one.
    Connect(Box<Address>),
    /// End the program.
    Quit,
    /// Suspend the program, as Ctrl-Z does.
    Suspend,
    /// Open the draft in the user's editor.
    Edit,
    /// Redraw the whole screen.
    Redraw,
    /// Ring the bell.
    Ring,
    /// Copy this text to the clipboard.
    Copy(Arc<str>),
    /// Show this text as a desktop notification.
    Notify(String),
    /// Save the state: it has changed.
    Remember,
    /// Apply the list of ignored people: it has changed.
    Ignore,
}

/// The result of handing back a text from an editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It is the draft of its tab now.
    Taken,
    /// Its tab is closed, and the text may not be for anybody else.
    Closed,
    /// It is too long for a message: it has this number of bytes.
    TooLong(usize),
}

/// The hint while the program waits for unsent messages before it ends.
const LEAVING: &str = "leaving once all is sent; Ctrl-D: now";

/// The user's settings for the screen.
#[derive(Debug, Clone)]
pub struct TuiOptions {
    /// The styles.
    pub palette: Palette,
    /// The time zone of the times that are shown.
    pub zone: TimeZone,
    /// How times are shown.
    pub times: Times,
    /// Which messages ring the bell.
    pub bell: Bell,
    /// The nicks whose messages are hidden.
    pub ignored: Vec<Nick>,
    /// The words that call for the user as their nick does.
    pub words: Words,
    /// Whether to send a desktop notification when the bell rings.
    pub notify: bool,
    /// Whether every line is a text, even one with a leading slash.
    pub no_commands: bool,
}

/// The current time on two clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The time since the start of the program.
    pub elapsed: Duration,
    /// The wall-clock time.
    pub moment: Moment,
}

impl Now {
    /// Returns the wall-clock time as a protocol timestamp.
    fn timestamp(self) -> Timestamp {
        Timestamp(u64::try_from(self.moment.as_millisecond()).unwrap_or_default())
    }
}

/// The screen.
#[derive(Debug)]
pub struct Tui {
    choices: TuiOptions,
    /// The choices for each room of this server.
    room_choices: RoomChoices,
    ignored: Arc<Ignored>,
    /// The tabs: the rooms first, then the private tabs.
    rooms: Vec<Room>,
    current: usize,
    /// The epoch of the server's history, if it is known.
    epoch: Option<Epoch>,
    focus: Focus,
    question: Option<Question>,
    /// A message in the status line, shown until the next key.
    told: Option<String>,
    /// Whether the program waits for unsent messages before it ends.
    leaving: bool,
    help: Option<Help>,
    /// The links of the last picture.
    links_in_sight: Vec<Arc<str>>,
    link_list: Option<LinkList>,
    bare: Option<Bare>,
    /// The topic page, while it is open over the conversation.
    topic: Option<TopicPage>,
    /// Whether Ctrl-X was pressed and the next key completes the binding.
    prefixed: bool,
    /// The room whose app received the last private message. That app handles `/reply`.
    correspondence: Option<RoomName>,
    /// The entered lines, the latest first. Every tab can call them back.
    entered: VecDeque<Arc<str>>,
    /// The servers that the user has visited, the latest first.
    servers: Vec<String>,
    /// The lines entered since the last [`Self::take_entered`], oldest first.
    newly_entered: Vec<Arc<str>>,
    /// The rooms in the last list from the server.
    listed: Vec<RoomName>,
    /// Whether to show the column. With `None` it is shown if the screen is wide enough.
    column: Option<bool>,
    /// The width of the last picture in columns.
    width: u16,
}

impl Tui {
    /// Creates the screen without tabs.
    #[must_use]
    pub fn new(mut choices: TuiOptions) -> Self {
        Self {
            ignored: Arc::new(Ignored::new(std::mem::take(&mut choices.ignored))),
            choices,
            room_choices: RoomChoices::default(),
            rooms: Vec::new(),
            current: 0,
            epoch: None,
            focus: Focus::default(),
            question: None,
            told: None,
            leaving: false,
            help: None,
            links_in_sight: Vec::new(),
            link_list: None,
            bare: None,
            topic: None,
            prefixed: false,
            correspondence: None,
            entered: VecDeque::new(),
            servers: Vec::new(),
            newly_entered: Vec::new(),
            listed: Vec::new(),
            column: None,
            width: 0,
        }
    }

    /// Adds a tab for `room` after the other rooms. `resume` is where reading stopped in an earlier
    /// run of the program.
    pub fn open(&mut self, room: Option<RoomName>, resume: Option<Bookmark>) {
        let mut room = Room::new(room, resume, self.choices.zone.clone());
        room.ignore(&self.ignored);
        room.conversation.look_out_for(self.choices.words.clone());
        room.conversation.tell_times(self.choices.times);
        self.entered.iter().rev().for_each(|line| room.editor.remember(Arc::clone(line)));
        let tab = self.room_count();
        if tab != self.current {
            room.conversation.go_behind();
        }
        self.rooms.insert(tab, room);
        if self.current >= tab && self.rooms.len() > 1 {
            self.current += 1;
        }
    }

    /// Sets how others can join the room of the tab: in words, and as a command.
    pub fn invite(&mut self, tab: usize, words: String, command: String) {
        if let Some(room) = self.rooms.get_mut(tab) {
            room.conversation.invite(words, command);
        }
    }

    /// Sets the lines that were entered on this server in an earlier run of the program, the latest
    /// first. Every tab opened from now on can call them back.
    pub fn remember(&mut self, lines: Vec<Arc<str>>) {
        self.entered = lines.into();
    }

    /// Sets the servers that the user has visited, the latest first. They are candidates for
    /// completion.
    pub fn offer_servers(&mut self, servers: Vec<String>) {
        self.servers = servers;
    }

    /// Returns the user's current settings.
    #[must_use]
    pub fn choices(&self) -> &TuiOptions {
        &self.choices
    }

    /// Takes the lines that were entered since the last call, oldest first. Lines that begin with a
    /// secret are left out.
    pub fn take_entered(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.newly_entered)
    }

    /// Records a line that was entered in the current tab.
    fn was_entered(&mut self, line: &str) {
        let is_new = self.entered.front().is_none_or(|latest| **latest != *line);
        if line.trim().is_empty() || is_secret(line) || !is_new {
            return;
        }
        // Record a private text as a `/msg` command for the other tabs, so that it is never called
        // back as a text for a whole room.
        let elsewhere = self.as_said_elsewhere(line);
        let (here, line) = (Arc::from(line), Arc::from(elsewhere.as_deref().unwrap_or(line)));
        for (tab, room) in self.rooms.iter_mut().enumerate() {
            room.editor.remember(Arc::clone(if tab == self.current { &here } else { &line }));
        }
        if self.choices.no_commands && elsewhere.is_some() {
            return;
        }
        self.newly_entered.push(Arc::clone(&line));
        self.entered.push_front(line);
        let mut left = BYTES;
        let mut fits = |line: &Arc<str>| {
            left = left.saturating_sub(line.len());
            left > 0
        };
        let count = self.entered.iter().take(LINES).take_while(|line| fits(line)).count();
        self.entered.truncate(count);
    }

    /// Removes the tab.
    pub fn close(&mut self, tab: usize) -> Vec<UiAction> {
        let wishes = self.lose_sight(tab);
        if tab < self.rooms.len() {
            self.rooms.remove(tab);
        }
        if self.current > tab || self.current >= self.rooms.len() {
            self.current = self.current.saturating_sub(1);
        }
        wishes
    }

    /// Makes the tab the current one.
    pub fn go_to(&mut self, tab: usize) {
        if tab >= self.rooms.len() || tab == self.current {
            return;
        }
        self.rooms[self.current].watch(false);
        self.rooms[self.current].conversation.go_behind();
        self.comes_from_here(tab);
        // A question is about the draft of the tab in which it was asked.
        self.question = None;
        self.topic = None;
        self.current = tab;
        // The user has just changed the tab, so they are here.
        self.rooms[tab].watch(true);
    }

    /// Returns the time zone of the times that are shown.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.choices.zone
    }

    /// Sets the nick that the user wants in the tab. Messages that mention it call for the user,
    /// even while somebody else has it.
    pub fn listen_for(&mut self, tab: usize, wanted: Option<&Nick>) {
        if let Some(room) = self.rooms.get_mut(tab) {
            room.conversation.listen_for(wanted);
        }
    }

    /// Handles an event of the tab's app; `me` is the user's nick there.
    pub fn show(&mut self, now: Now, tab: usize, shown: &ViewEvent, me: Option<&Nick>) -> Vec<UiAction> {
        let mut wishes = self.follow(now, tab, shown, me);
        // While bare text is shown, new messages are not in the picture, so they are not read.
        let here = self.focus.is_here(now.elapsed) && self.bare.is_none();
        if let Some(ServerMessage::Rooms { rooms, .. }) = shown.event() {
            self.listed = rooms.iter().map(|entry| entry.room.clone()).collect();
        }
        self.follow_people(now, shown, me);
        let is_private = matches!(shown, ViewEvent::Event { event: ServerMessage::Private(_), .. });
        if let ViewEvent::Event { event: ServerMessage::Private(private), .. } = shown
            && me != Some(&private.from)
            && !self.ignored.has(&private.from)
        {
            self.correspondence = self.rooms.get(tab).and_then(|room| room.name.clone());
        }
        let from = tab;
        let Some(tab) = self.tab_that_shows(now, from, shown, me) else { return wishes };
        if let ViewEvent::Event { event: ServerMessage::Private(private), .. } = shown
            && private.key.is_some()
            && tab != self.current
        {
            self.told = self.sent_to(tab);
        }
        let bell = if is_private { self.choices.bell } else { self.bell_of(tab) };
        let joins = self.rooms.get(tab).and_then(|room| room.name.as_ref()).map(|room| self.room_choices.joins(room));
        let watched = tab == self.current && here;
        if let Some(room) = self.rooms.get_mut(tab) {
            room.watch(watched);
        }
        let Some(room) = self.rooms.get_mut(from) else { return wishes };
        room.learn(shown);
        let less = match shown {
            ViewEvent::Event { event, quiet: false } => room.without_topics(event),
            _ => None,
        };
        let Some(room) = self.rooms.get_mut(tab) else { return wishes };
        room.conversation.tell_joins(joins.unwrap_or_default());
        let attention = room.conversation.take(less.as_ref().unwrap_or(shown), me, now.moment);
        if matches!(shown, ViewEvent::Event { event: ServerMessage::Found { more: false, .. }, quiet: false }) {
            let reads_help = tab == self.current && (self.help.is_some() || self.question.is_some());
            // Do not open results over a draft.
            if reads_help || !room.editor.is_empty() || room.editor.searching().is_some() {
                room.conversation.let_results_wait();
            }
        }
        if !(watched && room.conversation.is_at_bottom()) {
            room.unseen(attention);
        }
        if matches!(shown, ViewEvent::Event { event: ServerMessage::Welcome(_), .. }) {
            wishes.push(UiAction::Remember);
        }
        if room.caught_up
            && !here
            && Self::calls(bell, attention)
            && let Some(before) = self.focus.call(now.elapsed)
        {
            wishes.push(UiAction::Ring);
            if self.choices.notify {
                let more = if before > 0 { format!("{before} more, and ") } else { String::new() };
                wishes.extend(notification(shown).map(|words| UiAction::Notify(more + &words)));
            }
        }
        wishes
    }

    /// Shows a notice in the current tab.
    pub fn tell(&mut self, now: Now, words: impl Into<String>) {
        self.show(now, self.current, &ViewEvent::Notice(words.into()), None);
    }

    /// Shows from now on the hint that the program ends once all messages are sent.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Returns the requests of the current tab after it was drawn.
    pub fn wants(&mut self) -> Vec<UiAction> {
        let Some(room) = self.rooms.get_mut(self.current) else { return Vec::new() };
        let question = room.conversation.wanted_page().and_then(|page| room.ask(page));
        question.map(|question| UiAction::Ask(self.current, question)).into_iter().collect()
    }

    /// Returns when the picture next changes by itself, as a time since the start of the program.
    #[must_use]
    pub fn wake_at(&self, now: Duration, apps: &[&App]) -> Option<Duration> {
        let Connection::Offline { since, retry_at, .. } = apps.get(self.app_of(self.current))?.connection() else {
            return None;
        };
        let age = now.saturating_sub(since).as_secs();
        let counts_down = retry_at.is_some_and(|at| at > now);
        let step = if age < 60 || counts_down { 1 } else { 60 };
        Some(since + Duration::from_secs((age / step + 1) * step))
    }

    /// Returns the title for the terminal window.
    #[must_use]
    pub fn title(&self) -> String {
        let unread: usize = self.rooms.iter().map(|room| room.unread).sum();
        let mark = if self.rooms.iter().any(|room| room.mentions > 0) { "!" } else { "" };
        let count = if unread > 0 { format!("({unread}{mark}) ") } else { String::new() };
        let label = self.rooms.get(self.current).map_or_else(String::new, Room::label);
        sanitize::line(&format!("{count}{label} - chat"))
    }

    /// Returns the index of the current tab.
    #[must_use]
    pub fn current(&self) -> usize {
        self.current
    }

    /// Returns the index of the tab with this room.
    #[must_use]
    pub fn tab_of(&self, room: &RoomName) -> Option<usize> {
        self.rooms.iter().position(|tab| tab.name.as_ref() == Some(room))
    }

    /// Returns the open rooms. For each room: the last message read, and the run of the server.
    pub fn open_rooms(&self) -> impl Iterator<Item = (&RoomName, Option<MessageId>, Option<Run>)> {
        self.rooms.iter().filter_map(|room| {
            let conversation = &room.conversation;
            Some((room.name.as_ref()?, conversation.last_read(), conversation.run()))
        })
    }

    /// Returns what was typed in the tab: its room, its draft, and the lines restored to it, the
    /// latest first.
    #[must_use]
    pub fn typed(&self, tab: usize) -> Option<(&RoomName, &str, impl Iterator<Item = &str>)> {
        static LOBBY: LazyLock<RoomName> = LazyLock::new(RoomName::lobby);
        let room = self.rooms.get(tab)?;
        // A server that does not name its room has only one.
        Some((room.name.as_ref().unwrap_or(&LOBBY), room.editor.draft(), room.editor.given_back()))
    }

    /// Restores a draft into the tab, and lines that only this tab can call back.
    pub fn restore(&mut self, tab: usize, draft: String, entered: Vec<String>) {
        if let Some(room) = self.rooms.get_mut(tab) {
            room.editor.restore(draft, entered);
        }
    }

    /// Returns the draft of the current tab for an external editor. Pass the edited text to
    /// [`Self::edited`].
    pub fn to_edit(&mut self) -> Option<String> {
        for (tab, room) in self.rooms.iter_mut().enumerate() {
            room.is_edited = tab == self.current;
        }
        Some(self.rooms.get(self.current)?.editor.text().to_owned())
    }

    /// Replaces the draft that was handed to an external editor with `text`, even if its tab has
    /// another index now.
    pub fn edited(&mut self, text: &str) -> Edited {
        let length = sanitize::lines(text).len();
        if length > LENGTH {
            return Edited::TooLong(length);
        }
        let Some(room) = self.rooms.iter_mut().find(|room| room.is_edited) else { return Edited::Closed };
        room.editor.rewrite(text);
        Edited::Taken
    }

    /// Sets the time zone of the times that are shown.
    pub fn change_zone(&mut self, zone: TimeZone) {
        if self.choices.zone == zone {
            return;
        }
        for room in &mut self.rooms {
            room.conversation.change_zone(&zone);
        }
        self.choices.zone = zone;
    }

    /// Handles an answer of the terminal about its colours and its background.
    pub fn heard(&mut self, answer: &Answer) {
        self.choices.palette = self.choices.palette.heard(answer);
    }

    /// Returns which messages ring the bell.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.choices.bell
    }

    /// Returns the choices for the rooms of the server.
    #[must_use]
    pub fn room_choices(&self) -> &RoomChoices {
        &self.room_choices
    }

    /// Sets the choices for the rooms of the server.
    pub fn choose_for_rooms(&mut self, choices: RoomChoices) {
        self.room_choices = choices;
    }

    /// Returns the words that call for the user.
    #[must_use]
    pub fn words(&self) -> &Words {
        &self.choices.words
    }

    /// Returns whose messages are hidden.
    #[must_use]
    pub fn ignored(&self) -> &Arc<Ignored> {
        &self.ignored
    }

    /// Returns which messages of the tab ring the bell.
    fn bell_of(&self, tab: usize) -> Bell {
        self.notify_of(tab).bell(self.choices.bell)
    }

    /// Returns which messages of the tab call for the user.
    fn notify_of(&self, tab: usize) -> Notify {
        let room = self.rooms.get(tab).and_then(|room| room.name.as_ref());
        room.map_or_else(Notify::default, |room| self.room_choices.notify(room))
    }

    fn calls(bell: Bell, attention: Attention) -> bool {
        match (bell, attention) {
            (Bell::Off, _) | (_, Attention::None) | (Bell::Mentions, Attention::Said) => false,
            (Bell::Mentions | Bell::All, _) => true,
        }
    }

    /// Continues to ignore somebody who is ignored and changes their nick, for as long as they are
    /// seen to have the new nick.
    fn follow(&mut self, now: Now, tab: usize, shown: &ViewEvent, me: Option<&Nick>) -> Vec<UiAction> {
        let presence = match shown {
            ViewEvent::Event { event: ServerMessage::Presence(presence), .. } => presence,
            // Changes of nick may have been missed, so nobody can be followed further. A list of
            // names that nobody asked for replaces presence events.
            ViewEvent::Disconnected { .. }
            | ViewEvent::Event { event: ServerMessage::Welcome(_) | ServerMessage::Joined(_), .. }
            | ViewEvent::Event { event: ServerMessage::Names(_), quiet: true } => return self.lose_sight(tab),
            _ => return Vec::new(),
        };
        if self.ignored.nicks().is_empty() {
            return Vec::new();
        }
        let mut ignored = Ignored::clone(&self.ignored);
        let news = ignored.follow(presence, now.moment);
        let wishes = self.ignore(ignored);
        if let Some(room) = self.rooms.get_mut(tab) {
            for (whom, nick) in news {
                let words = format!("{whom} is {nick} now, and stays ignored");
                room.conversation.take(&ViewEvent::Notice(words), me, now.moment);
            }
        }
        wishes
    }

    /// Stops following ignored people in the room of the tab.
    fn lose_sight(&mut self, tab: usize) -> Vec<UiAction> {
        let Some(room) = self.rooms.get(tab).and_then(|room| room.name.as_ref()) else { return Vec::new() };
        let mut ignored = Ignored::clone(&self.ignored);
        ignored.lose_sight(room);
        self.ignore(ignored)
    }

    /// Sets whose messages are hidden.
    fn ignore(&mut self, ignored: Ignored) -> Vec<UiAction> {
        if *self.ignored == ignored {
            return Vec::new();
        }
        let chosen = self.ignored.nicks() != ignored.nicks();
        self.ignored = Arc::new(ignored);
        for room in &mut self.rooms {
            room.ignore(&self.ignored);
        }
        std::iter::once(UiAction::Ignore).chain(chosen.then_some(UiAction::Remember)).collect()
    }
}

/// Returns the text of the desktop notification about a message.
fn notification(shown: &ViewEvent) -> Option<String> {
    let ViewEvent::Event { event, .. } = shown else { return None };
    let words = match event {
        ServerMessage::Message(message) => format!("{} in #{}: {}", message.nick, message.room, message.text.as_ref()?),
        ServerMessage::Private(private) => format!("{}: {}", private.from, private.text),
        _ => return None,
    };
    Some(sanitize::line(&words))
}
