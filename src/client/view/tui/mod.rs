//! The full screen: what happened becomes cells, and keys become wishes. Pure: no tokio, no clock,
//! no I/O.
//!
//! A room is a tab, which has its own [`App`]; tabs are known by their place. Behind the rooms
//! stand those for one person alone. The conversation has the width; below it are a line of state,
//! where questions and hints stand when there are any, and the text being typed.

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

/// What the screen wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UiAction {
    /// This line was entered in the tab.
    Line(usize, String),
    /// This text was entered for one person alone, and is sent by this tab.
    Tell {
        /// The tab.
        tab: usize,
        /// By which nick.
        to: Nick,
        /// Which person, where the server has told.
        peer: Option<PersonId>,
        /// The text.
        text: String,
    },
    /// The tab wants to know this for itself.
    Ask(usize, ClientMessage),
    /// A tab for this room, which has none yet.
    Open(RoomName),
    /// The room of this tab is left.
    Close(usize),
    /// This tab wants another connection now, as do all tabs that have none.
    Reconnect(usize),
    /// The user goes to this server, and leaves this one.
    Connect(Box<Address>),
    /// The program is to end.
    Quit,
    /// The program is to be stopped, as by Ctrl-Z.
    Suspend,
    /// What is being typed is to be opened in the user's editor.
    Edit,
    /// Everything is to be drawn anew.
    Redraw,
    /// The bell.
    Ring,
    /// This is to be in the clipboard.
    Copy(Arc<str>),
    /// Tell the desktop.
    Notify(String),
    /// What is remembered has changed.
    Remember,
    /// Those whose words are not shown are others now.
    Ignore,
}

/// What became of a text that an editor has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It is the one being typed in its tab.
    Taken,
    /// Its tab is closed, and it may be for nobody else.
    Closed,
    /// It has so many bytes, which do not fit into a message.
    TooLong(usize),
}

/// What is told while the program waits for what is still to be sent.
const LEAVING: &str = "leaving once all is sent; Ctrl-D: now";

/// What the user chose for the screen.
#[derive(Debug, Clone)]
pub struct TuiOptions {
    /// The styles.
    pub palette: Palette,
    /// The time of day that is told.
    pub zone: TimeZone,
    /// How it is told.
    pub times: Times,
    /// What rings the bell.
    pub bell: Bell,
    /// Whose words are not shown.
    pub ignored: Vec<Nick>,
    /// The words of the user's own that call for them, as their nick does.
    pub words: Words,
    /// Whether the desktop is told of what rings the bell.
    pub notify: bool,
    /// Whether every line is a text, also one with a leading slash.
    pub no_commands: bool,
}

/// When it is: since the start of the program, and in the world.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the start of the program.
    pub elapsed: Duration,
    /// In the world.
    pub moment: Moment,
}

impl Now {
    /// Returns when it is in the world, as the server counts.
    fn timestamp(self) -> Timestamp {
        Timestamp(u64::try_from(self.moment.as_millisecond()).unwrap_or_default())
    }
}

/// The screen.
#[derive(Debug)]
pub struct Tui {
    choices: TuiOptions,
    /// What was chosen for each room of this server.
    room_choices: RoomChoices,
    ignored: Arc<Ignored>,
    /// The rooms, and behind them what one says to one person alone.
    rooms: Vec<Room>,
    current: usize,
    /// Which history the server has, once that is known.
    epoch: Option<Epoch>,
    focus: Focus,
    question: Option<Question>,
    /// Something to be told until the next key.
    told: Option<String>,
    /// Whether the program is about to end.
    leaving: bool,
    help: Option<Help>,
    /// The links of the last picture.
    links_in_sight: Vec<Arc<str>>,
    link_list: Option<LinkList>,
    bare: Option<Bare>,
    /// The whole topic, while it lies over the conversation.
    topic: Option<TopicPage>,
    /// Whether Ctrl-X was pressed, and the next key says for what.
    prefixed: bool,
    /// Whose app had the last private message, and knows whom to reply to.
    correspondence: Option<RoomName>,
    /// The lines entered before, the latest first; in every room the same can be called back.
    entered: VecDeque<Arc<str>>,
    /// The servers one has been to, the latest first.
    servers: Vec<String>,
    /// Those of them that were entered since they were asked for, oldest first.
    newly_entered: Vec<Arc<str>>,
    /// The rooms that the server listed last.
    listed: Vec<RoomName>,
    /// Whether the column is shown; without a choice, where there is room for it.
    column: Option<bool>,
    /// The size of the last picture.
    width: u16,
}

impl Tui {
    /// Returns the screen before it has a tab.
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

    /// Adds a tab behind the rooms for `room`, where reading stopped at `resume` an earlier time.
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

    /// Takes how others join the room of the tab: words, and the command.
    pub fn invite(&mut self, tab: usize, words: String, command: String) {
        if let Some(room) = self.rooms.get_mut(tab) {
            room.conversation.invite(words, command);
        }
    }

    /// Has `lines`, entered an earlier time on this server, the latest first, called back in every
    /// tab that is opened from now on.
    pub fn remember(&mut self, lines: Vec<Arc<str>>) {
        self.entered = lines.into();
    }

    /// Takes the servers one has been to, the latest first.
    pub fn offer_servers(&mut self, servers: Vec<String>) {
        self.servers = servers;
    }

    /// Returns what the user chose by now.
    #[must_use]
    pub fn choices(&self) -> &TuiOptions {
        &self.choices
    }

    /// Takes the lines that were entered since the last call, oldest first, but for those that
    /// begin with a secret.
    pub fn take_entered(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.newly_entered)
    }

    /// Takes a line entered in the current tab.
    fn was_entered(&mut self, line: &str) {
        let is_new = self.entered.front().is_none_or(|latest| **latest != *line);
        if line.trim().is_empty() || is_secret(line) || !is_new {
            return;
        }
        // What was said to one person alone is not called back as something for all.
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

    /// Takes the tab out.
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

    /// Shows the tab.
    pub fn go_to(&mut self, tab: usize) {
        if tab >= self.rooms.len() || tab == self.current {
            return;
        }
        self.rooms[self.current].watch(false);
        self.rooms[self.current].conversation.go_behind();
        self.comes_from_here(tab);
        // A question is about the line that it was asked at.
        self.question = None;
        self.topic = None;
        self.current = tab;
        // Whoever goes somewhere is here.
        self.rooms[tab].watch(true);
    }

    /// Returns where the times that are shown are those of the day.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.choices.zone
    }

    /// Takes which nick one wants in the tab: who says it calls for one, also while somebody else
    /// has it.
    pub fn listen_for(&mut self, tab: usize, wanted: Option<&Nick>) {
        if let Some(room) = self.rooms.get_mut(tab) {
            room.conversation.listen_for(wanted);
        }
    }

    /// Takes what the app of the tab shows; `me` is the nick one has there.
    pub fn show(&mut self, now: Now, tab: usize, shown: &ViewEvent, me: Option<&Nick>) -> Vec<UiAction> {
        let mut wishes = self.follow(now, tab, shown, me);
        // What stays out of the picture while it is bare text is not read.
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
            // Nothing opens over a sentence that is being typed.
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

    /// Tells the user something in the current tab.
    pub fn tell(&mut self, now: Now, words: impl Into<String>) {
        self.show(now, self.current, &ViewEvent::Notice(words.into()), None);
    }

    /// Tells the user, from now on, that the program ends as soon as all is sent.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Returns what the current tab wants to know, now that it is drawn.
    pub fn wants(&mut self) -> Vec<UiAction> {
        let Some(room) = self.rooms.get_mut(self.current) else { return Vec::new() };
        let question = room.conversation.wanted_page().and_then(|page| room.ask(page));
        question.map(|question| UiAction::Ask(self.current, question)).into_iter().collect()
    }

    /// Returns when, after the start of the program, the picture changes by itself.
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

    /// Returns the title of the terminal.
    #[must_use]
    pub fn title(&self) -> String {
        let unread: usize = self.rooms.iter().map(|room| room.unread).sum();
        let mark = if self.rooms.iter().any(|room| room.mentions > 0) { "!" } else { "" };
        let count = if unread > 0 { format!("({unread}{mark}) ") } else { String::new() };
        let label = self.rooms.get(self.current).map_or_else(String::new, Room::label);
        sanitize::line(&format!("{count}{label} - chat"))
    }

    /// Returns which tab is shown.
    #[must_use]
    pub fn current(&self) -> usize {
        self.current
    }

    /// Returns which tab has this room.
    #[must_use]
    pub fn tab_of(&self, room: &RoomName) -> Option<usize> {
        self.rooms.iter().position(|tab| tab.name.as_ref() == Some(room))
    }

    /// Returns the rooms that are open, and where reading stopped in each: after which message, in
    /// which run of the server.
    pub fn open_rooms(&self) -> impl Iterator<Item = (&RoomName, Option<MessageId>, Option<Run>)> {
        self.rooms.iter().filter_map(|room| {
            let conversation = &room.conversation;
            Some((room.name.as_ref()?, conversation.last_read(), conversation.run()))
        })
    }

    /// Returns what was typed in the tab: the room, its draft, and the lines that were given back
    /// to it, the latest first.
    #[must_use]
    pub fn typed(&self, tab: usize) -> Option<(&RoomName, &str, impl Iterator<Item = &str>)> {
        static LOBBY: LazyLock<RoomName> = LazyLock::new(RoomName::lobby);
        let room = self.rooms.get(tab)?;
        // A server that does not say which room it is has but one.
        Some((room.name.as_ref().unwrap_or(&LOBBY), room.editor.draft(), room.editor.given_back()))
    }

    /// Puts a draft, and lines to be called back there alone, into the tab.
    pub fn restore(&mut self, tab: usize, draft: String, entered: Vec<String>) {
        if let Some(room) = self.rooms.get_mut(tab) {
            room.editor.restore(draft, entered);
        }
    }

    /// Returns what is being typed in the current tab, for an editor, whose text comes back by
    /// [`Self::edited`].
    pub fn to_edit(&mut self) -> Option<String> {
        for (tab, room) in self.rooms.iter_mut().enumerate() {
            room.is_edited = tab == self.current;
        }
        Some(self.rooms.get(self.current)?.editor.text().to_owned())
    }

    /// Takes `text`, which an editor has made of what was being typed, wherever its tab is now.
    pub fn edited(&mut self, text: &str) -> Edited {
        let length = sanitize::lines(text).len();
        if length > LENGTH {
            return Edited::TooLong(length);
        }
        let Some(room) = self.rooms.iter_mut().find(|room| room.is_edited) else { return Edited::Closed };
        room.editor.rewrite(text);
        Edited::Taken
    }

    /// Takes whose time is told where the user is by now.
    pub fn change_zone(&mut self, zone: TimeZone) {
        if self.choices.zone == zone {
            return;
        }
        for room in &mut self.rooms {
            room.conversation.change_zone(&zone);
        }
        self.choices.zone = zone;
    }

    /// Takes what the terminal has answered: which colours it has, and on what ground.
    pub fn heard(&mut self, answer: &Answer) {
        self.choices.palette = self.choices.palette.heard(answer);
    }

    /// Returns what rings the bell.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.choices.bell
    }

    /// Returns what was chosen for each room.
    #[must_use]
    pub fn room_choices(&self) -> &RoomChoices {
        &self.room_choices
    }

    /// Takes what was chosen for each room of the server.
    pub fn choose_for_rooms(&mut self, choices: RoomChoices) {
        self.room_choices = choices;
    }

    /// Returns the words that call for the user.
    #[must_use]
    pub fn words(&self) -> &Words {
        &self.choices.words
    }

    /// Returns whose words are not shown.
    #[must_use]
    pub fn ignored(&self) -> &Arc<Ignored> {
        &self.ignored
    }

    /// Returns what of the tab rings the bell.
    fn bell_of(&self, tab: usize) -> Bell {
        self.notify_of(tab).bell(self.choices.bell)
    }

    /// Returns what of the tab calls for the user.
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

    /// Goes on ignoring who is ignored and has another nick now, for as long as they have it.
    fn follow(&mut self, now: Now, tab: usize, shown: &ViewEvent, me: Option<&Nick>) -> Vec<UiAction> {
        let presence = match shown {
            ViewEvent::Event { event: ServerMessage::Presence(presence), .. } => presence,
            // Nobody has seen what became of anybody meanwhile. A list of names that was not asked
            // for stands for presences.
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

    /// Follows nobody any more in the room of the tab.
    fn lose_sight(&mut self, tab: usize) -> Vec<UiAction> {
        let Some(room) = self.rooms.get(tab).and_then(|room| room.name.as_ref()) else { return Vec::new() };
        let mut ignored = Ignored::clone(&self.ignored);
        ignored.lose_sight(room);
        self.ignore(ignored)
    }

    /// Takes whose words are not shown.
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

/// Returns what the desktop is told about a message.
fn notification(shown: &ViewEvent) -> Option<String> {
    let ViewEvent::Event { event, .. } = shown else { return None };
    let words = match event {
        ServerMessage::Message(message) => format!("{} in #{}: {}", message.nick, message.room, message.text.as_ref()?),
        ServerMessage::Private(private) => format!("{}: {}", private.from, private.text),
        _ => return None,
    };
    Some(sanitize::line(&words))
}
