//! What one room's conversation looks like, and what of it is in sight. Pure: no tokio, no clock,
//! no I/O.
//!
//! ```text
//! Shown ─→ take ─→ entries of a segment ─→ rows, laid out when they come in sight ─→ draw
//! ```
//!
//! What is in sight hangs on an entry and a row of it, not on a distance from the end: so nothing
//! that arrives moves it.

mod alone;
mod bare;
mod behind;
mod draw;
mod entry;
mod outage;
mod pages;
mod presence;
mod reading;
mod results;
mod scroll;
mod segment;
#[cfg(test)]
mod tests;
mod topic;
mod wrap;

use std::sync::Arc;

use jiff::{Timestamp as Moment, civil::DateTime, tz::TimeZone};

pub(super) use self::wrap::cut_rows;
use self::{
    entry::{Content, Entry},
    outage::Outage,
    presence::{Run, Speakers},
    reading::ReadMarker,
    scroll::{Goal, Position},
    segment::Segment,
};
pub use self::{
    pages::Page, reading::GoneToNew, reading::ReadPosition, results::SearchResults, scroll::Scroll, topic::TopicKey,
    topic::TopicPage,
};
use super::{
    choices::Joins,
    clock::Times,
    highlights::{Highlights, Words},
    styled,
};
use crate::{
    client::{
        chat::{Bookmark, Pending, ViewEvent},
        ignored::Ignored,
        view::PLAIN_TEXT_ONLY,
    },
    protocol::{
        self, Dialect, Epoch, Message, MessageId, Nick, Presence, Private, ServerMessage, Timestamp, Welcome, sanitize,
        text,
    },
};

/// So many messages are more than most screens show: their reader is told how to get to the first.
const MANY: usize = 20;
const TO_NEW: &str = "Alt-Home: to the first of them";

/// How much of the reader's attention something deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// None: it is the reader's own, or tells how things are.
    None,
    /// Somebody said something.
    Said,
    /// Somebody named the reader.
    Mention,
    /// Somebody told the reader alone.
    Private,
}

/// The conversation of one room.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub struct Conversation {
    zone: TimeZone,
    times: Times,
    me: Option<Nick>,
    /// The nick that the reader wants.
    wanted: Option<Nick>,
    /// What calls for the reader: their nick, and words of their own.
    calls: Arc<Highlights>,
    words: Words,
    epoch: Option<Epoch>,
    run: Option<protocol::Run>,
    speakers: Speakers,
    /// What ends with the latest message.
    live: Segment,
    /// What is looked at in its place: a stretch of the past with messages missing between it and
    /// the live one.
    detached: Option<Segment>,
    /// What is drawn below the live segment.
    pending: Vec<Entry>,
    drawn_pending: Vec<Pending>,
    position: Position,
    /// Columns and rows, as they were last drawn.
    size: (u16, u16),
    /// The serial numbers of the first entry in sight and of the last that is whole.
    in_sight: (i64, i64),
    /// The message that was jumped to, until the reader has gone on.
    hit: Option<MessageId>,
    reading: ReadMarker,
    /// Where the reader wants to be, until enough is here for that.
    goal: Option<Goal>,
    /// Whether everything was taken out of sight, until the reader scrolls up.
    cleared: bool,
    /// Whether the last drawing came near the end of what is known: upwards, and downwards in a
    /// detached segment.
    near: (bool, bool),
    results: Option<SearchResults>,
    /// Whose words are not shown.
    ignored: Arc<Ignored>,
    /// Whose comings and goings are told.
    joins: Joins,
    /// How others join this room: words, and the command.
    invitation: Option<(String, String)>,
    /// Whether this is no room, but what one person and the reader say to each other.
    alone: bool,
    /// Whether this is the one that is looked at, of all that are open.
    in_front: bool,
    /// Whether the server keeps nothing, so that what is dropped is gone.
    is_kept_here: bool,
    /// The serial numbers of the first and the last entry that may have rows.
    laid: Option<(i64, i64)>,
}

impl Conversation {
    /// Returns a conversation in which nothing has been said; it tells the time of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            times: Times::default(),
            me: None,
            wanted: None,
            calls: Arc::default(),
            words: Words::default(),
            epoch: None,
            run: None,
            speakers: Speakers::default(),
            live: Segment::default(),
            detached: None,
            pending: Vec::new(),
            drawn_pending: Vec::new(),
            position: Position::Bottom,
            size: (80, 24),
            in_sight: (0, 0),
            hit: None,
            reading: ReadMarker::default(),
            goal: None,
            cleared: false,
            near: (false, false),
            results: None,
            ignored: Arc::default(),
            joins: Joins::default(),
            invitation: None,
            alone: false,
            in_front: true,
            is_kept_here: false,
            laid: None,
        }
    }

    /// Takes whose words are not shown: from now on, and of what is here.
    pub fn ignore(&mut self, ignored: Arc<Ignored>) {
        self.ignored = ignored;
        let (me, ignored) = (&self.me, &self.ignored);
        let segments = self.detached.iter_mut().chain([&mut self.live]);
        for entry in segments.flat_map(Segment::entries_mut) {
            entry.hide(ignored, me.as_ref());
        }
        self.speakers.retain(|nick| !ignored.has(nick));
        if let Some(results) = &mut self.results {
            results.retain(|message| me.as_ref() == Some(&message.nick) || !ignored.has(&message.nick));
        }
    }

    /// Takes the words that call for the reader from now on, as their nick does.
    pub fn look_out_for(&mut self, words: Words) {
        self.words = words;
        self.recall();
    }

    /// Tells the time of `zone` from now on, also of what is here.
    pub fn change_zone(&mut self, zone: &TimeZone) {
        let before = std::mem::replace(&mut self.zone, zone.clone());
        for segment in self.detached.iter_mut().chain([&mut self.live]) {
            segment.change_zone(&before, zone);
        }
    }

    /// Takes how the time is told from now on.
    pub fn tell_times(&mut self, times: Times) {
        self.times = times;
    }

    /// Takes which nick the reader wants: it calls for them, also while somebody else has it.
    pub fn listen_for(&mut self, wanted: Option<&Nick>) {
        if self.wanted.as_ref() != wanted {
            self.wanted = wanted.cloned();
            self.recall();
        }
    }

    fn recall(&mut self) {
        self.calls = Highlights::new(self.me.iter().chain(&self.wanted), &self.words);
    }

    /// Takes how others join this room, which an empty one tells: words, and the command.
    pub fn invite(&mut self, words: String, command: String) {
        self.invitation = Some((words, command));
    }

    /// Takes whose comings and goings are told from now on.
    pub fn tell_joins(&mut self, joins: Joins) {
        self.joins = joins;
    }

    /// Takes what is to be shown; `me` is the reader's nick by now, and `at` when it came.
    pub fn take(&mut self, shown: &ViewEvent, me: Option<&Nick>, at: Moment) -> Attention {
        if self.me.as_ref() != me {
            self.me = me.cloned();
            self.recall();
        }
        match shown {
            ViewEvent::Event { event: ServerMessage::Welcome(welcome), .. } => {
                self.welcomed(welcome);
            }
            ViewEvent::Event { event: ServerMessage::Live { .. }, .. } => self.went_live(),
            ViewEvent::Event { quiet: true, .. } | ViewEvent::Answer { .. } => {}
            ViewEvent::Event { event, .. } => return self.event(event, at),
            ViewEvent::Text(frame) => return self.line(sanitize::lines(frame).trim_end_matches('\n'), at),
            ViewEvent::Connected(dialect) => {
                self.forget_asking();
                self.is_kept_here = *dialect == Dialect::Text;
                if self.is_kept_here {
                    self.went_live();
                    self.tell(PLAIN_TEXT_ONLY, at);
                }
            }
            ViewEvent::Disconnected { reason } => {
                self.forget_asking();
                self.reading.lost();
                self.connection_lost(&sanitize::line(reason), at);
            }
            ViewEvent::Unreachable { reason } => {
                let reason = sanitize::line(reason);
                match self.outage(at).filter(|outage| outage.lasts()) {
                    Some(outage) => outage.fails(reason),
                    None => self.tell(&format!("not connected yet: {reason}"), at),
                }
            }
            ViewEvent::Back { words, missed } => {
                let words = if *missed < MANY { words.clone() } else { format!("{words}; {TO_NEW}") };
                match self.outage(at).filter(|outage| outage.lasts()) {
                    Some(outage) => outage.ends(words),
                    None => self.push_outage(Outage::back(words), at),
                }
            }
            ViewEvent::Waiting { words } => self.tell(&sanitize::line(words), at),
            ViewEvent::Notice(words) => self.tell(words, at),
            ViewEvent::Refusal(words) => self.refuse(words, at),
            ViewEvent::Undelivered { words, .. } => {
                self.refuse(words, at);
                return Attention::Mention;
            }
        }
        Attention::None
    }

    /// Returns who spoke, the latest first.
    pub fn speakers(&self) -> impl Iterator<Item = &Nick> {
        self.speakers.iter()
    }

    /// Takes everything out of sight; what the server keeps comes back on scrolling up.
    pub fn clear(&mut self) {
        let latest = self.live.latest();
        self.live = Segment::beginning_after(latest);
        self.cleared = true;
        self.close_results();
        self.follow();
    }

    /// Takes which history the server has. What was shown of another stays, and what comes is new.
    fn welcomed(&mut self, welcome: &Welcome) {
        let Welcome { epoch, run, shared, .. } = *welcome;
        let is_other = self.epoch.replace(epoch).is_some_and(|before| before != epoch);
        let shared = if is_other { Some(MessageId(0)) } else { shared };
        self.run = run;
        let Some(shared) = shared.filter(|shared| *shared < self.live.latest()) else { return };
        if self.live.is_empty() && shared > MessageId(0) {
            self.resume_after(Bookmark { epoch, run, id: shared });
        } else {
            self.forget_ids();
        }
    }

    fn event(&mut self, event: &ServerMessage, at: Moment) -> Attention {
        match event {
            ServerMessage::Message(message) => return self.message(message, at),
            ServerMessage::Private(private) => return self.private(private, at),
            ServerMessage::Presence(presence) => self.presence(presence, at),
            ServerMessage::Found { query, incomplete, .. } => {
                if self.found(event) {
                    self.tell(&text::found(event, query), at);
                }
                if *incomplete {
                    self.tell(text::CUT_SHORT, at);
                }
            }
            ServerMessage::Error(failure) => self.refuse(&sanitize::line(&failure.message), at),
            // How the room is stands in the status line.
            ServerMessage::Hello { .. }
            | ServerMessage::Welcome(_)
            | ServerMessage::Live { .. }
            | ServerMessage::Slow { .. }
            // On a screen, history is a place to scroll to; nobody has asked for this.
            | ServerMessage::History { .. } => {}
            ServerMessage::Joined(_) => {
                *self = Self {
                    times: self.times,
                    me: self.me.take(),
                    wanted: self.wanted.take(),
                    calls: Arc::clone(&self.calls),
                    words: std::mem::take(&mut self.words),
                    epoch: self.epoch,
                    run: self.run,
                    size: self.size,
                    reading: self.reading.elsewhere(),
                    ignored: Arc::clone(&self.ignored),
                    joins: self.joins,
                    in_front: self.in_front,
                    ..Self::new(self.zone.clone())
                };
                self.tell_event(event, at);
            }
            ServerMessage::Gap { .. }
            | ServerMessage::Names(_)
            | ServerMessage::Rooms { .. }
            | ServerMessage::Topic { .. }
            | ServerMessage::Whois(_)
            | ServerMessage::Away { .. }
            | ServerMessage::Nick { .. } => self.tell_event(event, at),
        }
        Attention::None
    }

    fn message(&mut self, message: &Arc<Message>, came: Moment) -> Attention {
        // Nothing that is not later than what is here can belong at the end.
        if message.id <= self.live.latest() {
            return Attention::None;
        }
        let entry = self.message_entry(message, Some(came));
        let own = self.is_me(&message.nick);
        let attention = match entry.mentioned {
            _ if own || entry.hidden => Attention::None,
            Some(_) => Attention::Mention,
            None => Attention::Said,
        };
        if let Some(spoke) = moment(message.at)
            && !own
            && !entry.hidden
        {
            self.speakers.spoke(&message.nick, spoke);
        }
        self.push(entry);
        attention
    }

    fn message_entry(&self, message: &Arc<Message>, came: Option<Moment>) -> Entry {
        let mut entry =
            Entry::new(Content::Message(Arc::clone(message)), message.id, moment(message.at).map(|at| self.local(at)));
        if !self.is_me(&message.nick) {
            let text = message.text.as_ref().map_or("", |text| text.as_str());
            entry.mentioned = styled::calls(text, &self.calls).then(|| Arc::clone(&self.calls));
        }
        entry.came = came;
        entry.hide(&self.ignored, self.me.as_ref());
        entry
    }

    fn private(&mut self, private: &Private, came: Moment) -> Attention {
        let own = self.is_me(&private.from);
        let at = moment(private.at);
        if let Some(at) = at
            && !own
            && !self.hides(&private.from)
        {
            self.speakers.spoke(&private.from, at);
        }
        let (content, upto) = self.private_content(private, own);
        let mut entry = Entry::new(content, upto, at.map(|at| self.local(at)));
        entry.came = Some(came);
        entry.hide(&self.ignored, self.me.as_ref());
        let hidden = entry.hidden;
        self.push(entry);
        if own || hidden { Attention::None } else { Attention::Private }
    }

    /// Tells who came and went of those that the user chose; one's own new nick the server tells
    /// apart.
    fn presence(&mut self, presence: &Presence, at: Moment) {
        let (speakers, me, ignored, joins) = (&self.speakers, self.me.as_ref(), &self.ignored, self.joins);
        let local = Some(at.to_zoned(self.zone.clone()).datetime());
        let matters = |nick: &Nick| {
            let is_told = match joins {
                Joins::All => true,
                Joins::Spoke => speakers.spoke_lately(nick, at),
                Joins::None => false,
            };
            is_told && me != Some(nick) && !ignored.has(nick)
        };
        let others = joins == Joins::All;
        if let Some(last @ Entry { content: Content::Presence(_), .. }) = self.live.last_mut() {
            if last.went_on(presence, matters, others) {
                last.local = local;
            }
        } else {
            let mut run = Run::default();
            if run.add(presence, matters, others) {
                self.push(Entry::new(Content::Presence(Box::new(run)), MessageId(0), local));
            }
        }
        // Who came and went again needs no line.
        if matches!(self.live.last(), Some(Entry { content: Content::Presence(run), .. }) if run.is_empty()) {
            self.live.drop_last();
        }
        self.speakers.follow(presence);
    }

    fn line(&mut self, words: &str, at: Moment) -> Attention {
        let mut entry = Entry::new(Content::Line(words.to_owned()), MessageId(0), Some(self.local(at)));
        entry.mentioned = styled::calls(words, &self.calls).then(|| Arc::clone(&self.calls));
        let attention = if entry.mentioned.is_some() { Attention::Mention } else { Attention::Said };
        self.push(entry);
        attention
    }

    fn tell_event(&mut self, event: &ServerMessage, at: Moment) {
        let Some(words) = text::encode(event) else { return };
        // The mark of a line that tells something is drawn once.
        let words: Vec<_> = words.split('\n').map(|line| line.strip_prefix("* ").unwrap_or(line)).collect();
        self.tell(&words.join("\n"), at);
    }

    fn tell(&mut self, words: &str, at: Moment) {
        let words = sanitize::lines(words).into_owned();
        self.push(Entry::new(Content::Info(words), MessageId(0), Some(self.local(at))));
    }

    /// Tells that the connection was lost, in the last line where that tells the same of the time
    /// before.
    fn connection_lost(&mut self, why: &str, at: Moment) {
        if !self.outage(at).is_some_and(|outage| outage.begins_again(why)) {
            self.push_outage(Outage::lost(why.to_owned()), at);
        }
    }

    fn push_outage(&mut self, outage: Outage, at: Moment) {
        self.push(Entry::new(Content::Outage(Box::new(outage)), MessageId(0), Some(self.local(at))));
    }

    /// Returns what the last entry tells of the connection, to be changed at this time.
    fn outage(&mut self, at: Moment) -> Option<&mut Outage> {
        let local = self.local(at);
        self.live.last_mut()?.outage_mut(local)
    }

    fn refuse(&mut self, words: &str, at: Moment) {
        let words = sanitize::lines(words).into_owned();
        self.push(Entry::new(Content::Refused(words), MessageId(0), Some(self.local(at))));
    }

    /// Adds an entry at the live end.
    fn push(&mut self, entry: Entry) {
        let before = self.live.latest();
        let counts = self.is_somebodys(&entry);
        self.live.push(entry);
        if self.is_at_bottom() {
            self.reading.came_in_sight(before, self.live.latest());
        } else if counts {
            self.reading.came_below(self.live.end() - 1);
        }
        self.trim();
    }

    /// Returns whether somebody else said this.
    fn is_somebodys(&self, entry: &Entry) -> bool {
        match &entry.content {
            _ if entry.hidden => false,
            Content::Message(message) => !self.is_me(&message.nick),
            Content::Private(_, own) | Content::Alone(_, own) => !own,
            Content::Line(_) => true,
            _ => false,
        }
    }

    fn is_me(&self, nick: &Nick) -> bool {
        self.me.as_ref() == Some(nick)
    }

    /// Returns whether what somebody of this nick says is not shown; one's own words always are.
    fn hides(&self, nick: &Nick) -> bool {
        !self.is_me(nick) && self.ignored.has(nick)
    }

    fn local(&self, at: Moment) -> DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }
}

fn moment(at: Timestamp) -> Option<Moment> {
    Moment::from_millisecond(i64::try_from(at.0).ok()?).ok()
}
