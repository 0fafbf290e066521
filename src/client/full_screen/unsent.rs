//! Texts that were typed on the full screen and not sent yet. They are kept while the program runs
//! and restored at the next start.

use std::{fmt::Write as _, time::Duration};

use tokio::time::Instant;

use super::FullScreen;
use crate::{
    client::{
        chat::{Event, ViewEvent},
        unsent::{self, FRESH, Kept, KeptRoom, Slot, as_typed, now},
        view::tui::Now,
        writer::Writer,
    },
    os,
    protocol::{ClientMessage, Epoch, IdempotencyKey, RoomName, command::is_secret, sanitize},
};

/// The delay between a key and saving the draft.
const SOON: Duration = Duration::from_millis(250);

/// The maximum number of lines that are listed at the end, and the maximum number of characters of
/// each.
const TOLD: usize = 10;
const QUOTED: usize = 60;

/// What is kept, and the unsent texts that an earlier client has kept.
#[derive(Debug)]
pub(super) struct Unsent {
    /// The drafts and texts of rooms that are not open.
    closed: Kept,
    /// Texts of open rooms that wait for the server's welcome.
    held: Vec<Held>,
    writer: Writer<Kept>,
    is_kept: bool,
    /// At the end: what was typed and not sent, with its room. It is printed if it cannot be kept.
    left: Vec<(RoomName, String)>,
    /// When to save what has changed.
    pub(super) due: Option<Instant>,
    /// Until when texts of an earlier client are sent automatically, after the start of the
    /// program.
    fresh_until: Option<Duration>,
}

/// Texts that wait for the server's welcome in their room.
#[derive(Debug)]
struct Held {
    room: RoomName,
    texts: Vec<ClientMessage>,
    /// The history the texts belong to. In another history, their result is unknown.
    epoch: Option<Epoch>,
    /// When their client last ran, in seconds since the Unix epoch.
    saved: u64,
    /// Until when they are sent automatically, after the start of the program.
    until: Option<Duration>,
}

impl Unsent {
    pub(super) fn new(kept: Kept, slot: Option<Slot>) -> Self {
        let fresh_until = kept.fresh_for(now());
        let is_kept = slot.is_some();
        let writer = Writer::start(kept.clone(), move |_: &Kept, kept: &Kept| {
            let Some(slot) = &slot else { return Ok(()) };
            let failed =
                |error| format!("cannot keep what is typed: {}: {}", slot.path().display(), os::reason(&error));
            slot.write(kept, now()).map_err(failed)
        });
        Self { closed: kept, held: Vec::new(), writer, is_kept, left: Vec::new(), due: None, fresh_until }
    }

    /// Returns the rooms to open because something was typed there.
    pub(super) fn unfinished(&self) -> Vec<RoomName> {
        self.closed.rooms.iter().filter(|room| room.is_unfinished()).map(|room| room.room.clone()).collect()
    }

    /// Schedules saving within 250 ms.
    pub(super) fn soon(&mut self) {
        self.due.get_or_insert(Instant::now() + SOON);
    }

    /// Returns whether the last saved state has unsent lines.
    pub(super) fn has_any(&self) -> bool {
        self.writer.latest().has_unsent()
    }

    /// Resolves when something cannot be kept. Cancel-safe.
    pub(super) async fn complaint(&mut self) -> String {
        self.writer.complaint().await
    }

    /// Resolves when what was typed is kept or cannot be kept. Returns what the user is to be told.
    pub(super) async fn finish(self) -> String {
        let has_unsent = self.has_any();
        let Self { writer, is_kept, left, .. } = self;
        let kept = writer.finish().await;
        let kept = if is_kept { kept } else { Err("there is no place for it".to_owned()) };
        let mut words = String::new();
        match kept {
            _ if left.is_empty() => {}
            Ok(()) if has_unsent => {
                words.push_str("they are kept: within 10 minutes the next client sends them, later they are a draft\n");
            }
            Ok(()) => {}
            Err(reason) => {
                // Cannot fail: a `String` accepts everything.
                let _ = writeln!(words, "what was typed could not be kept: {reason}; here it is");
                for (room, text) in left {
                    let _ = writeln!(words, "#{room}: {text}");
                }
            }
        }
        words
    }
}

impl FullScreen {
    pub(super) fn complain(&mut self, words: String) {
        self.tui.tell(self.now(), words);
        self.draw_soon();
    }

    /// Restores what was typed in the room of the new tab before.
    pub(super) fn restore(&mut self, tab: usize) {
        let Some((room, ..)) = self.tui.typed(tab) else { return };
        let Some(kept) = self.unsent.closed.take_room(&room.clone()) else { return };
        let KeptRoom { room, draft, entered, unsent: texts } = kept;
        self.tui.restore(tab, draft, entered);
        if !texts.is_empty() {
            let Kept { epoch, saved, .. } = self.unsent.closed;
            self.unsent.held.push(Held { room, texts, epoch, saved, until: self.unsent.fresh_until });
        }
    }

    /// Sends the lines that an earlier client has left for the room of the tab, if they may still
    /// be sent automatically. Call it after the server's welcome.
    pub(super) fn send_kept(&mut self, now: Now, tab: usize) {
        let Some((room, ..)) = self.tui.typed(tab) else { return };
        let room = room.clone();
        for held in self.unsent.held.extract_if(.., |held| held.room == room).collect::<Vec<_>>() {
            let same_history = held.epoch.is_none_or(|epoch| Some(epoch) == self.epoch);
            let is_fresh = held.until.is_some_and(|until| now.elapsed <= until);
            let goes_out = |text: &ClientMessage| {
                // Somebody else may have the nick by now.
                same_history && is_fresh && !matches!(text, ClientMessage::Msg { .. })
            };
            let (sent, texts): (Vec<_>, Vec<_>) = held.texts.into_iter().partition(goes_out);
            if !sent.is_empty() {
                self.tell_in(now, tab, "sent now", &sent);
                self.update(now, tab, Event::Resend(sent));
            }
            if !texts.is_empty() {
                self.unsent.held.push(Held { until: None, texts, room: held.room, ..held });
            }
        }
        self.unsent.soon();
    }

    /// Records that a message is in the room. A line with its key was sent, although its echo was
    /// never seen.
    pub(super) fn was_said(&mut self, key: Option<&IdempotencyKey>) {
        if key.is_some() {
            self.unsent.held.iter_mut().for_each(|held| held.texts.retain(|text| text.key() != key));
        }
    }

    /// Restores the lines that are still held for the room of the tab. Call it after the replay of
    /// the room.
    pub(super) fn give_back_kept(&mut self, now: Now, tab: usize) {
        let Some((room, ..)) = self.tui.typed(tab) else { return };
        let room = room.clone();
        let held = self.unsent.held.extract_if(.., |held| held.room == room);
        let back: Vec<_> = held.flat_map(|held| held.texts).collect();
        if !back.is_empty() {
            self.tell_in(now, tab, "not sent the last time, and back in the line or before it", &back);
            self.give_back(tab, room, back);
        }
        self.unsent.soon();
    }

    fn give_back(&mut self, tab: usize, room: RoomName, texts: Vec<ClientMessage>) {
        let Some((_, draft, entered)) = self.tui.typed(tab) else { return };
        let (draft, entered) = (draft.to_owned(), entered.map(str::to_owned).collect());
        let mut kept = KeptRoom { room, draft, entered, unsent: texts };
        kept.give_back();
        self.tui.restore(tab, kept.draft, kept.entered);
    }

    fn tell_in(&mut self, now: Now, tab: usize, what: &str, texts: &[ClientMessage]) {
        let words = format!("{what}: {}", quoted(texts).join(", "));
        let shown = ViewEvent::Notice(words);
        for wish in self.tui.show(now, tab, &shown, None) {
            self.grant(now, wish);
        }
    }

    /// Keeps what was typed in a tab that is to be closed. It is restored with its room.
    pub(super) fn put_aside(&mut self, now: Now, tab: usize) {
        let texts: Vec<_> = self.tabs.apps()[tab].unsent().cloned().collect();
        let Some((room, draft, entered)) = self.tui.typed(tab) else { return };
        let (room, draft) = (room.clone(), draft.to_owned());
        let entered = entered.map(str::to_owned).collect();
        if !texts.is_empty() {
            let (epoch, saved, until) = (self.epoch, unsent::now(), Some(now.elapsed + FRESH));
            self.unsent.held.push(Held { room: room.clone(), texts, epoch, saved, until });
        }
        let kept = self.unsent.closed.room_mut(&room);
        (kept.draft, kept.entered) = (draft, entered);
    }

    /// Saves what was typed and not sent yet.
    pub(super) fn keep(&mut self) {
        let kept = self.kept();
        self.unsent.due = None;
        self.unsent.writer.put(kept);
    }

    fn kept(&self) -> Kept {
        let Kept { server, rooms, .. } = &self.unsent.closed;
        let mut kept = Kept { server: server.clone(), rooms: rooms.clone(), epoch: self.epoch, ..Kept::default() };
        for held in &self.unsent.held {
            kept.room_mut(&held.room).unsent.extend(held.texts.iter().cloned());
        }
        let apps = self.tabs.apps();
        for (tab, app) in apps.iter().enumerate() {
            let Some((room, draft, entered)) = self.tui.typed(tab) else { continue };
            let kept = kept.room_mut(room);
            if !is_secret(draft) {
                draft.clone_into(&mut kept.draft);
            }
            kept.entered = entered.map(str::to_owned).collect();
            kept.unsent.extend(app.unsent().cloned());
        }
        // Lines of an earlier client keep their age while they wait for the server.
        let waiting = self.unsent.held.iter().map(|held| (held.saved, held.epoch));
        let closed = Some((self.unsent.closed.saved, self.unsent.closed.epoch));
        let waiting = waiting.chain(closed.filter(|_| self.unsent.closed.has_unsent()));
        if let Some((saved, epoch)) = waiting.min_by_key(|(saved, _)| *saved) {
            (kept.saved, kept.epoch) = (saved, epoch);
        }
        kept.session = apps.first().map(|app| app.session());
        kept
    }

    /// Saves the final state at the end, and reports which lines were not sent.
    pub(super) fn keep_for_good(&mut self) {
        let mut kept = Kept { last: true, ..self.kept() };
        // A session that ends without unsent texts is not resumed.
        kept.session.take_if(|_| !kept.rooms.iter().any(|room| !room.unsent.is_empty()));
        for KeptRoom { room, unsent, .. } in kept.rooms.iter().filter(|room| !room.unsent.is_empty()) {
            for line in quoted(unsent) {
                // Cannot fail: a `String` accepts everything.
                let _ = writeln!(self.last_words, "not sent in #{room}: {line}");
            }
        }
        for room in &kept.rooms {
            let lines =
                room.unsent.iter().map(as_typed).chain(Some(room.draft.clone()).filter(|draft| !draft.is_empty()));
            self.unsent.left.extend(lines.map(|line| (room.room.clone(), line)));
        }
        self.unsent.writer.put(kept);
    }
}

/// Returns the beginnings of the first lines, and the number of the remaining lines.
fn quoted(texts: &[ClientMessage]) -> Vec<String> {
    let quoted = |text: &ClientMessage| {
        let line = sanitize::line(&as_typed(text));
        let beginning: String = line.chars().take(QUOTED).collect();
        format!("\"{beginning}{}\"", if beginning.len() < line.len() { "…" } else { "" })
    };
    let more = texts.len().checked_sub(TOLD).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    texts.iter().take(TOLD).map(quoted).chain(more).collect()
}
