//! What an event of the server does to the conversation. Pure.

use std::{sync::Arc, time::Duration};

use super::{
    App, Effect, Failure, NICK_TRIES, Phase, ViewEvent, notice,
    outbox::{self, Asker},
    quoted,
};
use crate::protocol::{
    ClientMessage, ErrorCode, IdempotencyKey, Limits, Message, MessageId, Presence, Private, ServerMessage, Welcome,
    json::{self, Unreadable},
    sanitize,
};

/// How long a text waits before it is sent again if the server could not take it.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A requested pause of at least this length is shown to the user.
const FELT: Duration = Duration::from_secs(5);

/// The maximum time that a server can make us wait before we try again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The maximum number of rooms that are collected from the parts of one list. Our server lists at
/// most [`Limits::ROOMS`].
const MOST_LISTED: usize = 10 * Limits::ROOMS;

/// Shown if the server's history differs from the one that was seen.
pub(super) const OTHER_HISTORY: &str =
    "the server's history is another one than before: it was restored or replaced; what follows is new to you";

/// Shown if the history ends before the position where reading was to begin.
pub(super) const NOT_SO_FAR: &str =
    "the server's history does not go so far: it is another one than that id is of; this is its end";

impl App {
    pub(super) fn event(&mut self, now: Duration, event: ServerMessage, effects: &mut Vec<Effect>) {
        let (mut quiet, mut asked) = (false, None);
        match &event {
            ServerMessage::Hello { .. } => {
                quiet = true;
                if matches!(self.phase, Phase::Greeting { .. }) {
                    effects.push(Effect::Send(json::encode_client(&self.hello())));
                }
            }
            ServerMessage::Welcome(welcome) => return self.welcomed(now, welcome.clone(), effects),
            ServerMessage::Joined(view) => {
                self.answered(now, |request| matches!(request, ClientMessage::Join { .. }));
                self.room = Some(view.room.clone());
                self.cursor = None;
                self.missed = None;
                self.phase = Phase::Replaying;
            }
            ServerMessage::Message(message) => return self.message(now, message, effects),
            ServerMessage::Live { cursor, .. } => {
                quiet = true;
                self.cursor = self.cursor.max(Some(*cursor));
                let resumed = self.settings.saved_position.take().is_some();
                if self.phase == Phase::Replaying {
                    self.phase = Phase::Live;
                }
                if resumed && self.lost_at.is_none() {
                    self.say_resumed(effects);
                }
                self.say_back(now, effects);
            }
            ServerMessage::Private(private) => {
                if !self.private(now, private) {
                    return;
                }
            }
            ServerMessage::History { more, .. } => {
                asked = self.answered_in_part(now, *more, |request| matches!(request, ClientMessage::History { .. }));
            }
            ServerMessage::Found { more, .. } => {
                asked = self.answered_in_part(now, *more, |request| matches!(request, ClientMessage::Search { .. }));
            }
            // A names event without a question is for programs that keep a list.
            ServerMessage::Names(_) => {
                asked = self.answered(now, |request| *request == ClientMessage::Names);
                quiet = asked.is_none();
            }
            ServerMessage::Rooms { .. } => return self.rooms(now, event, effects),
            ServerMessage::Topic { .. } => {
                asked = self.answered(now, |request| *request == ClientMessage::Topic);
            }
            ServerMessage::Whois(_) => {
                asked = self.answered(now, |request| matches!(request, ClientMessage::Whois { .. }));
            }
            // The absence of another person is shown with the echo of the private message to them.
            ServerMessage::Away { nick: None, .. } => {
                self.answered(now, |request| matches!(request, ClientMessage::Away { .. }));
            }
            ServerMessage::Away { .. } => {}
            ServerMessage::Nick { nick } => {
                // A nick that was not requested here was requested on another connection of ours.
                let is_it =
                    |request: &ClientMessage| matches!(request, ClientMessage::Nick { nick: asked } if asked == nick);
                let asked = self.answered(now, is_it);
                let is_known = self.nick.as_ref() == Some(nick);
                (self.nick, self.wanted) = (Some(nick.clone()), Some(nick.clone()));
                // Several connections of ours asked for it, and another one was faster.
                if is_known && !matches!(asked, Some((Asker::User, _))) {
                    return;
                }
            }
            ServerMessage::Slow { retry_after_ms } => {
                quiet = true;
                self.slow_down(now, Duration::from_millis(*retry_after_ms), effects);
            }
            ServerMessage::Error(_) => return self.failed(now, event, effects),
            ServerMessage::Gap { .. } => {
                self.incomplete = Some("some messages are gone: the server no longer has them");
                quiet = self.lost_at.is_some();
            }
            ServerMessage::Presence(presence) => {
                self.follow_correspondent(presence);
                self.nick_may_be_free(presence);
            }
        }
        effects.push(Effect::Show(shown(event, quiet, asked)));
    }

    /// Shows a list of rooms when all its parts are there.
    fn rooms(&mut self, now: Duration, event: ServerMessage, effects: &mut Vec<Effect>) {
        let ServerMessage::Rooms { rooms, total, more } = event else { return };
        // If a list is too long, keep its beginning.
        let room = MOST_LISTED.saturating_sub(self.listed.len());
        self.listed.extend(rooms.into_iter().take(room));
        let asked = self.answered_in_part(now, more, |request| *request == ClientMessage::Rooms);
        if !more {
            let event = ServerMessage::Rooms { rooms: std::mem::take(&mut self.listed), total, more };
            effects.push(Effect::Show(shown(event, false, asked)));
        }
    }

    /// Reports that an event cannot be read and continues without it. The question that it answers
    /// counts as answered, because asking again would give the same answer.
    pub(super) fn unreadable(&mut self, now: Duration, unreadable: Unreadable, effects: &mut Vec<Effect>) {
        let Unreadable { kind, key, reason } = unreadable;
        let reason = sanitize::line(&reason);
        effects
            .push(Effect::Show(ViewEvent::Refusal(format!("the server sent something that cannot be read: {reason}"))));
        match (&key, kind.as_str()) {
            (Some(key), "message" | "private") => drop(self.acknowledge(now, key)),
            (Some(key), "error") => drop(self.text_failed(now, key, ErrorCode::Other, &reason, effects)),
            _ => {}
        }
        if matches!(self.phase, Phase::Greeting { .. }) {
            self.unreadable = Some(reason);
        }
        self.answered(now, |request| match request {
            ClientMessage::Join { .. } => kind == "joined",
            ClientMessage::Rooms => kind == "rooms",
            ClientMessage::Names => kind == "names",
            ClientMessage::Whois { .. } => kind == "whois",
            ClientMessage::Away { .. } => kind == "away",
            ClientMessage::Nick { .. } => kind == "nick",
            ClientMessage::Topic => kind == "topic",
            ClientMessage::History { .. } => kind == "history",
            ClientMessage::Search { .. } => kind == "found",
            // No event answers these, or the key identifies the request.
            ClientMessage::Hello(_)
            | ClientMessage::Say { .. }
            | ClientMessage::Me { .. }
            | ClientMessage::Msg { .. }
            | ClientMessage::SetTopic { .. }
            | ClientMessage::Quit => false,
        });
    }

    fn welcomed(&mut self, now: Duration, welcome: Welcome, effects: &mut Vec<Effect>) {
        let first = self.room.is_none();
        let same_room = self.room.as_ref().is_none_or(|room| *room == welcome.view.room);
        let asked = self.asked_id();
        let same_epoch = self.epoch.is_none_or(|epoch| epoch == welcome.epoch);
        let is_of_it = |cursor: MessageId| welcome.shared.is_none_or(|shared| cursor <= shared);
        let same_history = same_epoch && self.cursor.or(asked).is_none_or(is_of_it);
        // If nothing is known of the run, its person IDs mean nothing to us.
        let same_people = same_history && welcome.shared != Some(MessageId(0));
        if !same_room || !same_epoch {
            self.cursor = None;
        } else if !same_history {
            // Message IDs of the discarded history must not hide messages of the new one.
            let shared = welcome.shared.filter(|shared| *shared > MessageId(0));
            self.cursor = self.cursor.and(shared);
        }
        self.phase = Phase::Replaying;
        self.named(&welcome.nick);
        self.nick_tries = 0;
        self.session = welcome.session.unwrap_or(self.session);
        (self.epoch, self.run) = (Some(welcome.epoch), welcome.run);
        self.room = Some(welcome.view.room.clone());
        // With a cursor, a replay is what was missed. Without a cursor, it is the history that was
        // requested.
        self.missed = self.cursor.map(|_| 0);
        let nick = welcome.nick.clone();
        let quiet = !first && same_room;
        effects.push(Effect::Show(ViewEvent::Event { event: ServerMessage::Welcome(welcome), quiet }));
        if let Some(taken) = self.taken.take() {
            effects.push(notice(format!(
                "{taken} is taken; you are {nick} until it is free. Perhaps a connection of yours that was lost has it still"
            )));
        }
        if !same_history {
            effects.push(notice(if asked.is_some() { NOT_SO_FAR } else { OTHER_HISTORY }));
            self.incomplete = Some("of what was said in the history before, some may be gone");
        }
        if !same_people {
            self.forget_people(now, effects);
        }
    }

    /// Forgets all people. The people of another history differ, even if their IDs are the same. A
    /// text that waits for one of the earlier people would reach somebody else.
    fn forget_people(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.last_private_sender = None;
        self.privates.forget();
        for message in self.outbox.take_for_people() {
            let ClientMessage::Msg { to, text, .. } = &message else { continue };
            self.text_taken(now);
            let text = quoted(text.as_str());
            let words = format!("not sent: {text}: the server is another one than before; /msg {to} says it anew");
            self.refuse_text(&message, words, effects);
        }
    }

    fn message(&mut self, now: Duration, message: &Arc<Message>, effects: &mut Vec<Effect>) {
        let ours = message.key.as_ref().is_some_and(|key| self.acknowledge(now, key));
        // The echo of a message to a room that was left.
        if self.room.as_ref().is_some_and(|room| *room != message.room) {
            return;
        }
        // A replay overlaps with live messages, and so do two connections. Do not show a message
        // twice.
        if self.cursor.unwrap_or(MessageId(0)) >= message.id {
            return;
        }
        if let Some(missed) = &mut self.missed
            && !ours
        {
            *missed += 1;
        }
        self.cursor = Some(message.id);
        effects
            .push(Effect::Show(ViewEvent::Event { event: ServerMessage::Message(Arc::clone(message)), quiet: false }));
    }

    /// Returns whether a private message is to be shown. One that arrived on a lost connection may
    /// arrive again on the next one.
    fn private(&mut self, now: Duration, private: &Private) -> bool {
        let echo = private.key.as_ref().is_some_and(|key| self.acknowledge(now, key));
        if echo || private.key.is_some() {
            return true;
        }
        if !self.privates.is_new(private) {
            return false;
        }
        if self.nick.as_ref() == Some(&private.from) {
            return true;
        }
        if !self.ignored.has(&private.from) {
            self.last_private_sender = Some((private.from.clone(), private.peer));
        }
        true
    }

    /// Follows a nick change of the last private sender. If the server does not identify persons,
    /// forgets a sender who left, because somebody else may take the nick.
    fn follow_correspondent(&mut self, presence: &Presence) {
        let Some((nick, peer)) = &mut self.last_private_sender else { return };
        if peer.is_none() && presence.left.contains(nick) {
            self.last_private_sender = None;
        } else if let Some(rename) = presence.renamed.iter().find(|rename| rename.from == *nick) {
            *nick = rename.to.clone();
        }
    }

    fn failed(&mut self, now: Duration, event: ServerMessage, effects: &mut Vec<Effect>) {
        let ServerMessage::Error(failure) = &event else { return };
        let (mut quiet, mut asked) = (false, None);
        if matches!(self.phase, Phase::Greeting { .. }) {
            match failure.code {
                ErrorCode::NickTaken => {
                    self.nick_is_taken(now);
                    self.try_another_nick(failure.free.clone(), effects);
                    quiet = true;
                }
                // Of all that a `hello` contains, only the nick can break the server's rules.
                ErrorCode::BadMessage if self.nick.take().is_some() => {
                    self.wanted = None;
                    effects.push(Effect::Send(json::encode_client(&self.hello())));
                }
                // The server would refuse again each time.
                ErrorCode::TooManyRooms | ErrorCode::BadMessage => {
                    let refused = Failure::Refused(sanitize::line(&failure.message));
                    return effects.push(Effect::Finish(Err(refused)));
                }
                _ => {}
            }
        } else if let Some(key) = &failure.key {
            quiet = self.text_failed(now, key, failure.code, &failure.message, effects);
        } else {
            asked = self.question_failed(now, failure.code);
            if matches!(asked, Some((Asker::App, _))) {
                if failure.code != ErrorCode::NickTaken {
                    // The server would refuse it again.
                    self.wanted.clone_from(&self.nick);
                }
                return;
            }
            let is_users = matches!(asked, Some((Asker::User, _)));
            self.refused += usize::from(is_users);
            if matches!(asked, Some((Asker::User, ClientMessage::Join { .. }))) {
                self.join_failed(now);
            }
        }
        effects.push(Effect::Show(shown(event, quiet, asked)));
    }

    /// Returns the question that an error without a key refers to, as far as that can be known. The
    /// server answers in order, except for a change of nick.
    fn question_failed(&mut self, now: Duration, code: ErrorCode) -> Option<(Asker, ClientMessage)> {
        let fits = |request: &ClientMessage| match (code, request) {
            (ErrorCode::NickTaken, request) => matches!(request, ClientMessage::Nick { .. }),
            (ErrorCode::TooManyRooms, request) => matches!(request, ClientMessage::Join { .. }),
            (_, request) => !matches!(request, ClientMessage::Nick { .. }),
        };
        // A question that stays would be taken as the question of a later answer.
        self.answered(now, fits).or_else(|| self.answered(now, |_| true))
    }

    /// Returns whether the text was ours. In that case the author has been told everything.
    fn text_failed(
        &mut self,
        now: Duration,
        key: &IdempotencyKey,
        code: ErrorCode,
        why: &str,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if matches!(code, ErrorCode::NotStored | ErrorCode::Unavailable) {
            self.pause(now, RETRY_AFTER);
            let is_ours = self.outbox.retry(key);
            // Report it once, not for each attempt.
            if is_ours && self.trouble.is_none() {
                let why = sanitize::line(why);
                effects.push(notice(format!("the server cannot take what is said, and it is tried again: {why}")));
                self.trouble = Some(why);
            }
            return is_ours;
        }
        let Some(text) = self.outbox.take(key) else { return false };
        self.text_taken(now);
        let words = format!("not sent: {}: {}", quoted(outbox::words(&text)), sanitize::line(why));
        self.refuse_text(&text, words, effects);
        true
    }

    fn try_another_nick(&mut self, free: Option<crate::protocol::Nick>, effects: &mut Vec<Effect>) {
        let Some(wanted) = self.taken.clone().or_else(|| self.nick.clone()) else { return };
        self.nick_tries += 1;
        if self.nick_tries > NICK_TRIES {
            effects.push(Effect::Finish(Err(Failure::NickTaken(wanted))));
            return;
        }
        self.nick = Some(free.unwrap_or_else(|| wanted.numbered(u64::from(self.nick_tries) + 1)));
        self.taken = Some(wanted);
        effects.push(Effect::Send(json::encode_client(&self.hello())));
    }

    fn acknowledge(&mut self, now: Duration, key: &IdempotencyKey) -> bool {
        let ours = self.outbox.take(key).is_some();
        if ours {
            self.text_taken(now);
        }
        ours
    }

    /// Records that a question is answered, so that it need not be asked again. Returns the
    /// question and its asker.
    fn answered(&mut self, now: Duration, is_it: impl Fn(&ClientMessage) -> bool) -> Option<(Asker, ClientMessage)> {
        let asked = self.outbox.answered(is_it);
        if asked.is_some() {
            self.progressed(now);
        }
        asked
    }

    /// Like [`Self::answered`]. With `more`, another event of the same answer follows.
    fn answered_in_part(
        &mut self,
        now: Duration,
        more: bool,
        is_it: impl Fn(&ClientMessage) -> bool,
    ) -> Option<(Asker, ClientMessage)> {
        if more { self.outbox.asker(is_it) } else { self.answered(now, is_it) }
    }

    fn pause(&mut self, now: Duration, length: Duration) {
        let until = now + length;
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }

    fn slow_down(&mut self, now: Duration, length: Duration, effects: &mut Vec<Effect>) {
        let length = length.min(LONGEST_PAUSE);
        if length >= FELT && self.paused_until.is_none() {
            effects.push(notice(format!("the server asks to wait {} s before more is said", length.as_secs())));
        }
        self.asked_to_wait(length);
        self.pause(now, length);
    }

    /// Records that the server has taken a text or has refused it for good.
    fn text_taken(&mut self, now: Duration) {
        self.trouble = None;
        self.progressed(now);
    }
}

/// Returns what is shown of an event. The view learns which of its questions the event answers.
fn shown(event: ServerMessage, quiet: bool, asked: Option<(Asker, ClientMessage)>) -> ViewEvent {
    match asked {
        Some((Asker::View, question)) => ViewEvent::Answer { question: Box::new(question), event },
        _ => ViewEvent::Event { event, quiet },
    }
}
