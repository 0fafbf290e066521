//! How far the conversation has been read, and what came out of sight. Pure.

use super::{
    Conversation, Page,
    entry::{Content, Entry},
    scroll::Spot,
    segment::{PageState, Segment},
};
use crate::{
    client::chat::Bookmark,
    protocol::{Limits, MessageId, Run},
};

/// What became of the wish to see the first that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneToNew {
    /// It is in sight.
    There,
    /// This page has it.
    Wants(Page),
    /// Nothing is new.
    Nothing,
}

/// What the reader has seen.
#[derive(Debug, Default)]
pub(super) struct ReadMarker {
    /// Whether somebody looks.
    watched: bool,
    /// Whether what comes is new, not what was missed.
    pub(super) live: bool,
    /// Whether reading stopped in an earlier conversation, until what was missed is here.
    resumed: bool,
    read: Option<MessageId>,
    /// The `new` rule stands after this message, once there is another.
    rule: Option<MessageId>,
    /// What others said since the end was in sight, and the serial number of the first of it.
    below: usize,
    unseen: i64,
}

impl ReadMarker {
    /// Takes that the end is in sight, `before` being the latest message before and `latest` now.
    pub(super) fn came_in_sight(&mut self, before: MessageId, latest: MessageId) {
        self.below = 0;
        if !self.watched || !self.live {
            return;
        }
        // What comes while somebody looks is not new.
        if self.rule == Some(before) {
            self.rule = Some(latest);
        }
        self.read = self.read.max(Some(latest).filter(|latest| *latest > MessageId(0)));
    }

    /// Takes that the entry `serial` came out of sight.
    pub(super) fn came_below(&mut self, serial: i64) {
        if self.below == 0 {
            self.unseen = serial;
        }
        self.below += 1;
    }

    /// Takes that the connection is gone, or that what follows was missed.
    pub(super) fn lost(&mut self) {
        if self.live {
            self.rule = self.read;
        }
        self.live = false;
    }

    pub(super) fn rule(&self) -> Option<MessageId> {
        self.rule
    }

    /// Takes that all ids belong to a history that is gone: what comes now is new, if there is
    /// anything before it.
    pub(super) fn forget_ids(&mut self, is_first: bool) {
        self.read = None;
        self.rule = (!is_first).then_some(MessageId(0));
    }

    /// Returns this for another room, of which nothing has been seen.
    pub(super) fn elsewhere(&self) -> Self {
        Self { watched: self.watched, ..Self::default() }
    }
}

/// Where the reader is in a conversation the end of which is not in sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPosition {
    /// How many messages come after those in sight; none where there are some in between that
    /// nobody has counted.
    pub back: Option<usize>,
    /// When the first in sight was; with the year where that is not the year of the latest.
    pub at: String,
    /// How many of them are new.
    pub new: usize,
}

impl Conversation {
    /// Returns where the reader is, as it was last drawn; nothing where the end is in sight.
    #[must_use]
    pub fn place(&self) -> Option<ReadPosition> {
        if self.is_at_bottom() {
            return None;
        }
        let (first, last) = self.in_sight;
        let latest = self.live.last().and_then(|entry| entry.local);
        let local = (first..self.end()).find_map(|serial| self.entry(serial).filter(|entry| !entry.hidden)?.local);
        let at = local.map_or_else(String::new, |local| {
            let is_this_year = latest.is_none_or(|latest| latest.year() == local.year());
            let date = local.strftime(if is_this_year { "%-d %b" } else { "%-d %b %Y" });
            format!("{date} {}", self.times.clock.time(local))
        });
        let is_text = |entry: &Entry| {
            matches!(entry.content, Content::Message(_) | Content::Private(..) | Content::Line(_)) && !entry.hidden
        };
        let count = || {
            (last + 1..self.live.end())
                .filter_map(|serial| self.live.entry(serial))
                .filter(|entry| is_text(entry))
                .count()
        };
        Some(ReadPosition { back: self.detached.is_none().then(count), at, new: self.new_below() })
    }

    /// Takes whether somebody looks at the conversation: its tab is in front and the terminal has
    /// the focus.
    ///
    /// When nobody does any more, the `new` rule moves to where reading stopped.
    pub fn watch(&mut self, watched: bool) {
        if self.reading.watched && !watched {
            self.reading.rule = self.reading.read;
        }
        self.reading.watched = watched;
        self.look();
    }

    /// Takes where reading stopped the last time, in an earlier conversation: the `new` rule stands
    /// after this message.
    pub fn resume_after(&mut self, Bookmark { epoch, run, id }: Bookmark) {
        (self.epoch, self.run) = (Some(epoch), run);
        (self.reading.read, self.reading.rule) = (Some(id), Some(id));
        self.reading.resumed = true;
        if self.live.is_empty() {
            self.live = Segment::beginning_after(id);
        }
    }

    /// Returns the latest message that was in sight while somebody looked.
    #[must_use]
    pub fn last_read(&self) -> Option<MessageId> {
        self.reading.read
    }

    /// Returns the run of the server in which that message was seen.
    #[must_use]
    pub fn run(&self) -> Option<Run> {
        self.run
    }

    /// Brings the `new` rule to the top of the screen; where everything below it fits, the end is
    /// shown.
    pub fn go_to_new(&mut self) -> GoneToNew {
        let first = self.reading.rule.and_then(|rule| Some((rule, self.live.after(rule)?)));
        let Some((rule, serial)) = first else { return GoneToNew::Nothing };
        // More that is new may be missing before the first that is here.
        if serial == self.live.first() && !matches!(self.live.older, PageState::Nothing | PageState::Lost) {
            return GoneToNew::Wants(Page::Unread(rule));
        }
        self.detached = None;
        self.show_from(serial);
        GoneToNew::There
    }

    /// Shows the entry, and what follows it.
    pub(super) fn show_from(&mut self, serial: i64) {
        self.hit = None;
        self.goal = None;
        self.cleared = false;
        self.hang_on(Spot { serial, row: 0 });
        self.top(usize::from(self.size.1));
    }

    /// Returns how much others have said below what is in sight.
    #[must_use]
    pub fn new_below(&self) -> usize {
        self.reading.below
    }

    /// Takes that what was missed is here.
    pub(super) fn went_live(&mut self) {
        self.reading.live = true;
        if std::mem::take(&mut self.reading.resumed) {
            self.go_on_reading();
        }
        self.look();
    }

    /// Brings the place where reading stopped to the top of the screen. Where everything after it
    /// fits below, the next drawing shows the end.
    fn go_on_reading(&mut self) {
        let all = self.live.first()..self.live.end();
        let is_complete = usize::try_from(all.end - all.start).is_ok_and(|count| count < Limits::HISTORY as usize);
        let is_complete = is_complete && self.live.is_whole();
        let Some(first) = self.reading.rule.and_then(|rule| self.live.after(rule)).filter(|_| is_complete) else {
            return;
        };
        let missed = (first..all.end).filter_map(|serial| self.live.entry(serial));
        self.reading.below = missed.filter(|entry| self.is_somebodys(entry)).count();
        self.reading.unseen = first;
        self.hang_on(Spot { serial: first, row: 0 });
    }

    /// Counts what is in sight as read, if it is the end.
    pub(super) fn look(&mut self) {
        if self.is_at_bottom() {
            let latest = self.live.latest();
            self.reading.came_in_sight(latest, latest);
        }
    }

    /// Takes that the live segment is in sight up to the entry `last`.
    pub(super) fn saw(&mut self, last: i64) {
        if let Some(entry) = self.live.entry(last).filter(|_| self.reading.watched && self.reading.live) {
            self.reading.read = self.reading.read.max(Some(entry.upto).filter(|upto| *upto > MessageId(0)));
        }
        while self.reading.below > 0 && self.reading.unseen <= last {
            let counted = self.live.entry(self.reading.unseen).is_none_or(|entry| self.is_somebodys(entry));
            self.reading.below -= usize::from(counted);
            self.reading.unseen += 1;
        }
    }
}
