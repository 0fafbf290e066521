//! The conversation as a value: an event and the time go in, effects come out. Pure: no tokio, no
//! clock, no randomness.
//!
//! The echo is the acknowledgement. A typed text stays in the outbox until the server has echoed or
//! refused it. After a reconnect, it is sent again with the same key.

mod absence;
mod doubt;
mod ending;
mod names;
mod outbox;
mod privates;
mod secret;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod typed;
mod wanted;

use std::{sync::Arc, time::Duration};

use jiff::Zoned;

use self::{
    ending::{Ending, Stall},
    names::Names,
    outbox::Outbox,
};
pub use self::{
    privates::Privates,
    state::{Connection, Pending},
};
use super::ignored::Ignored;
use crate::protocol::{
    ClientHello, ClientMessage, Dialect, Epoch, IdempotencyKey, Limits, MessageId, Nick, PersonId, RoomEntry, RoomName,
    Run, ServerMessage, SessionToken, json, sanitize,
};

/// What the user chose.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Settings {
    /// The address of the server, for display.
    pub server: String,
    /// The wanted nick. `None` lets the server assign a guest nick.
    pub nick: Option<Nick>,
    /// The number of latest messages to request when a room is entered. `None` uses the server's
    /// default.
    pub history: Option<u32>,
    /// The position from which the first room is read. Replaces [`Self::history`].
    pub since: Option<Since>,
    /// Whether a person is at the terminal and wants to see that what they typed waits.
    pub interactive: bool,
    /// Whether a program supplies the input. The program blocks while there is no room, and it sees
    /// only our exit status, not what we show.
    pub piped: bool,
    /// Whether every line is a text, even one with a leading slash.
    pub no_commands: bool,
    /// Whether to wait for a server that is not there yet, without a timeout.
    pub wait: bool,
    /// Random bytes that make the keys of this conversation unique. No two conversations may use
    /// the same bytes.
    pub secret: [u8; 16],
    /// The token that this conversation shares with others of the same person. `None` derives one
    /// from the secret.
    pub session: Option<SessionToken>,
    /// The position of an earlier conversation in the first room, from [`App::cursor`]. Replaces
    /// [`Self::since`] and [`Self::history`]. Messages since then are shown, but after a long
    /// absence only the latest [`Limits::HISTORY`].
    pub saved_position: Option<Bookmark>,
}

/// A position in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bookmark {
    /// The history.
    pub epoch: Epoch,
    /// The run of the server in which the message was seen, if known.
    pub run: Option<Run>,
    /// The last message that was seen.
    pub id: MessageId,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this message.
    Id(MessageId),
    /// This long ago.
    Age(Duration),
}

/// An input of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection was made.
    Connected(Dialect),
    /// The server has sent a text frame.
    Frame(String),
    /// The connection is lost. Another one is being made.
    Dropped {
        /// Why, for display.
        reason: String,
        /// How long ago the server was last heard.
        silent: Duration,
    },
    /// The local time of the user, for the times they type. Sent before what they enter.
    Clock(Zoned),
    /// There is no connection, and the next attempt is delayed.
    Waiting {
        /// Why the last attempt failed, for display. `None` if it led to a connection.
        reason: Option<String>,
        /// What the user can do about it.
        hint: Option<String>,
        /// The length of the delay.
        length: Duration,
    },
    /// The user wants a new connection now. Without a connection, the next attempt is made at once.
    /// With a connection, it is closed first.
    Reconnect,
    /// The user has entered a line.
    Line(String),
    /// The user has entered a text for one person only, from any room.
    Tell {
        /// The nick of the recipient.
        to: Nick,
        /// The person ID of the recipient, if the server has told it.
        peer: Option<PersonId>,
        /// The text.
        text: String,
    },
    /// The view asks something for itself: history, a search, names, rooms or the topic. It is
    /// asked as soon as there is a server, and the result is a [`ViewEvent::Answer`]. The same
    /// question is never pending twice.
    Ask(ClientMessage),
    /// The continuation of the previous line, which was too long to be read at once.
    Continued(String),
    /// The people that the user ignores. `/r` does not answer them either.
    Ignore(Arc<Ignored>),
    /// Texts of an earlier conversation that were not echoed there, with their keys. They are sent
    /// before all others.
    Resend(Vec<ClientMessage>),
    /// There is no more input.
    InputEnded,
    /// The user wants to leave as soon as their texts have been taken.
    Quit,
    /// The user or the system wants the program to end now.
    Stop,
    /// The time that [`App::wake_at`] returned has come.
    Woke,
}

/// An output of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send this text frame on the connection of the latest [`Event::Connected`].
    Send(String),
    /// Close this connection and make another one.
    Reconnect {
        /// Why, for display.
        reason: String,
    },
    /// Start the next connection attempt now.
    Retry,
    /// Show this to the user.
    Show(ViewEvent),
    /// End the program. Ignore everything after this effect.
    Finish(Result<(), Failure>),
}

/// An event for the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewEvent {
    /// An event of the server.
    Event {
        /// The event.
        event: ServerMessage,
        /// Whether only programs need the event. People learn of it in another way or not at all.
        quiet: bool,
    },
    /// An event that answers or refuses a question that the view asked with [`Event::Ask`].
    Answer {
        /// The question.
        question: Box<ClientMessage>,
        /// The event, perhaps one of several.
        event: ServerMessage,
    },
    /// A frame of a plain-text server, unchanged.
    Text(String),
    /// A connection was made.
    Connected(Dialect),
    /// The connection is lost.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// There has been no connection yet, and the next attempt is delayed.
    Waiting {
        /// The server that is waited for, why there is no connection, and what can be done about
        /// it.
        words: String,
    },
    /// There is still no connection.
    Unreachable {
        /// Why. It differs from the reason that was shown before.
        reason: String,
    },
    /// The connection is back, and the missed messages have been shown.
    Back {
        /// How long the connection was lost, and what was missed.
        words: String,
        /// The number of missed messages.
        missed: usize,
    },
    /// A message of the client to the user.
    Notice(String),
    /// A request that is refused.
    Refusal(String),
    /// A private text that is not delivered.
    Undelivered {
        /// The recipient.
        to: Nick,
        /// The text and the reason, in words.
        words: String,
    },
}

impl ViewEvent {
    /// Returns the event of the server, if there is one.
    #[must_use]
    pub fn event(&self) -> Option<&ServerMessage> {
        match self {
            Self::Event { event, .. } | Self::Answer { event, .. } => Some(event),
            _ => None,
        }
    }
}

/// Why a conversation ended without success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Texts that were never echoed.
    #[error("{}: {why}", never_echoed(*lines, *doubtful))]
    Unsent {
        /// How many were not sent.
        lines: usize,
        /// How many more were sent without a known result.
        doubtful: usize,
        /// Why not.
        why: String,
    },
    /// Lines of a pipe that were invalid commands or that the server refused. The reason was shown
    /// for each.
    #[error("{} refused", counted(*.0))]
    LinesRefused(usize),
    /// The server accepted the connection and then did not answer.
    #[error("the server does not answer")]
    Silent,
    /// The server refuses us, for this reason.
    #[error("not let in: {0}")]
    Refused(String),
    /// The server sent something unreadable in place of a welcome.
    #[error("the server sent something that cannot be read: {0}")]
    Unreadable(String),
    /// Every nick that was tried is taken.
    #[error("the nick {0} is taken, and so is every other that was tried")]
    NickTaken(Nick),
}

impl Failure {
    /// Returns what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::NickTaken(_)).then(|| "choose another with --nick".to_owned())
    }
}

/// The maximum number of nicks to try. The server answers each refusal with a nick that was free a
/// moment ago.
const NICK_TRIES: u32 = 20;

/// How far the connection has progressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Offline,
    /// The connection is up, but the server has not sent its welcome.
    Greeting { until: Duration },
    /// The history is being replayed. Typed texts wait, because the replay may contain the echo of
    /// an earlier attempt.
    Replaying,
    /// The replay is complete.
    Live,
}

/// What to do with the rest of a line that was too long to be read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The line is a text, and the rest is sent too.
    Said,
    /// The line is a command, so the rest must not be sent to the room.
    Refused,
    /// The same, and the author has been told.
    Told,
}

/// The state of the conversation.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    dialect: Dialect,
    phase: Phase,
    /// The nick that we have or want.
    nick: Option<Nick>,
    /// The nick that the user wants. `None` if any nick will do.
    wanted: Option<Nick>,
    /// When to ask again for the wanted nick while somebody else has it. `None` asks at once.
    ask_nick_at: Option<Duration>,
    /// The nick that turned out to be taken, until the user is told.
    taken: Option<Nick>,
    /// The user's local time, and when it was received.
    clock: Option<(Duration, Zoned)>,
    nick_tries: u32,
    /// Why something in place of a welcome could not be read.
    unreadable: Option<String>,
    /// The parts of an incomplete list of rooms.
    listed: Vec<RoomEntry>,
    /// The current room. Set by the first welcome.
    room: Option<RoomName>,
    /// The token exists from the start, so that a lost welcome does not cost us the nick.
    session: SessionToken,
    /// The history and the run that [`Self::cursor`] belongs to.
    epoch: Option<Epoch>,
    run: Option<Run>,
    /// The last message of the room that was shown.
    cursor: Option<MessageId>,
    /// When the connection was lost. Cleared when the user has been told what was missed.
    lost_at: Option<Duration>,
    lost_because: String,
    /// When the first attempt to connect failed. Used until there is a connection.
    waiting_since: Option<Duration>,
    /// When the next attempt to connect starts. Cleared when it does.
    retry_at: Option<Duration>,
    /// The number of messages after the cursor in this replay. `None` if there was no cursor.
    missed: Option<usize>,
    /// Why the replay may be incomplete.
    incomplete: Option<&'static str>,
    /// The nick of the last private sender, and their person ID if the server told it.
    last_private_sender: Option<(Nick, Option<PersonId>)>,
    ignored: Arc<Ignored>,
    /// The private messages that were shown, by sender and ID, newest first.
    privates: Privates,
    outbox: Outbox,
    names: Names,
    keys_made: u64,
    /// Nothing is sent until then, because the server asked for a pause.
    paused_until: Option<Duration>,
    ending: Option<Ending>,
    stall: Stall,
    /// Why the server cannot take a text at the moment, in its own words.
    trouble: Option<String>,
    /// The number of lines that we or the server refused.
    refused: usize,
    /// The number of lines that were read but are not sent, because they come after a refused
    /// `/join`.
    unsaid: usize,
    /// Why the rest of the input is not read, if it is not.
    left_behind: Option<&'static str>,
    /// What to do with the rest of the last line if that was too long to be read at once.
    rest: Rest,
    /// In the text dialect: the last text that we sent, until a line that contains it comes back.
    unconfirmed: Option<String>,
    /// The line that was refused because it is nearly a command.
    doubted: Option<String>,
}

impl App {
    /// Returns the conversation before its first connection.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            nick: settings.nick.clone(),
            wanted: settings.nick.clone(),
            session: settings.session.unwrap_or_else(|| secret::session(settings.secret)),
            epoch: settings.saved_position.map(|saved_position| saved_position.epoch),
            run: settings.saved_position.and_then(|saved_position| saved_position.run),
            cursor: settings.saved_position.map(|saved_position| saved_position.id),
            settings,
            dialect: Dialect::Json,
            phase: Phase::Offline,
            ask_nick_at: None,
            taken: None,
            clock: None,
            nick_tries: 0,
            unreadable: None,
            listed: Vec::new(),
            room: None,
            lost_at: None,
            lost_because: String::new(),
            waiting_since: None,
            retry_at: None,
            missed: None,
            incomplete: None,
            last_private_sender: None,
            ignored: Arc::default(),
            privates: Privates::default(),
            outbox: Outbox::default(),
            names: Names::default(),
            keys_made: 0,
            paused_until: None,
            ending: None,
            stall: Stall::default(),
            trouble: None,
            refused: 0,
            unsaid: 0,
            left_behind: None,
            rest: Rest::Said,
            unconfirmed: None,
            doubted: None,
        }
    }

    /// Returns the effects of `event`. `now` is the time since the start of the program.
    #[must_use]
    pub fn update(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Connected(dialect) => self.connected(now, dialect, &mut effects),
            Event::Frame(frame) => self.frame(now, frame, &mut effects),
            Event::Dropped { reason, silent } => self.dropped(now.saturating_sub(silent), reason, &mut effects),
            Event::Waiting { reason, hint, length } => self.waits(now, reason, hint, length, &mut effects),
            Event::Reconnect => self.reconnect(now, &mut effects),
            Event::Clock(time) => self.clock = Some((now, time)),
            Event::Line(line) if self.doubts(&line, &mut effects) => {}
            Event::Line(line) => self.line(now, &line, &mut effects),
            Event::Tell { to, peer, text } => self.tell(now, &to, peer, &text, &mut effects),
            Event::Ask(question) => self.ask_for_view(question),
            Event::Continued(text) => self.rest_of_line(now, &text, &mut effects),
            Event::Ignore(ignored) => {
                self.last_private_sender.take_if(|(nick, _)| ignored.has(nick));
                self.ignored = ignored;
            }
            Event::Resend(texts) => {
                self.progressed(now);
                self.outbox.put_first(texts);
            }
            Event::InputEnded => self.end(Ending::InputEnded(now)),
            Event::Quit => self.end(Ending::quit(now)),
            Event::Stop => {
                self.stop(&mut effects);
                return effects;
            }
            Event::Woke => {}
        }
        self.flush_outbox(now, &mut effects);
        effects
    }

    /// Returns whether more input may be read. While it may not, a pipe waits.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        !self.outbox.is_full() && self.ending.is_none()
    }

    /// Returns why lines of a pipe that were not read are not sent. `None` as long as they may be
    /// sent.
    #[must_use]
    pub fn left_behind(&self) -> Option<&'static str> {
        self.left_behind.filter(|_| self.settings.piped)
    }

    /// Returns when [`Event::Woke`] is due, after the start of the program.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let greeting = match self.phase {
            Phase::Greeting { until } => Some(until),
            _ => None,
        };
        [greeting, self.paused_until, self.asks_nick_at(), self.gives_up_at()].into_iter().flatten().min()
    }

    fn connected(&mut self, now: Duration, dialect: Dialect, effects: &mut Vec<Effect>) {
        if self.settings.wait && self.is_waiting() {
            self.progressed(now);
            if let Some(ending) = &mut self.ending {
                ending.begins(now);
            }
        }
        self.dialect = dialect;
        self.unreadable = None;
        self.retry_at = None;
        self.ask_nick_at = None;
        self.listed.clear();
        effects.push(Effect::Show(ViewEvent::Connected(dialect)));
        match dialect {
            Dialect::Json => self.phase = Phase::Greeting { until: now + Limits::HELLO },
            Dialect::Text => {
                self.phase = Phase::Live;
                self.say_back(now, effects);
            }
        }
    }

    /// Returns the message after which the user wanted to begin. `None` after the first welcome.
    fn asked_id(&self) -> Option<MessageId> {
        match self.settings.since.filter(|_| self.epoch.is_none()) {
            Some(Since::Id(id)) => Some(id),
            _ => None,
        }
    }

    fn hello(&self) -> ClientMessage {
        // These two settings count only for the first room, and only until the first welcome. If
        // the server has another history later, what is shown without a cursor is what was missed.
        let since = self.settings.since.filter(|_| self.epoch.is_none());
        let history = self.settings.history.filter(|_| self.epoch.is_none());
        // If the cursor is days old, everything after it may be too much.
        let resumes = self.settings.saved_position.is_some();
        ClientMessage::Hello(ClientHello {
            // Do not send a nick that the server assigned but that our rules refuse: our copy is
            // sanitized and may differ from the one the server knows.
            nick: self.nick.clone().filter(Nick::is_whole),
            room: self.room.clone(),
            session: Some(self.session),
            epoch: self.epoch,
            run: self.run,
            after: match since {
                Some(Since::Id(id)) => Some(id),
                _ => self.cursor.filter(|_| !resumes),
            },
            since: match since {
                Some(Since::Age(age)) => Some(age.as_secs()),
                _ => None,
            },
            history: if resumes { Some(Limits::HISTORY) } else { history },
        })
    }

    fn frame(&mut self, now: Duration, frame: String, effects: &mut Vec<Effect>) {
        if self.dialect == Dialect::Text {
            if self.unconfirmed.as_ref().is_some_and(|text| frame.contains(text.as_str())) {
                self.unconfirmed = None;
            }
            effects.push(Effect::Show(ViewEvent::Text(frame)));
            return;
        }
        match json::decode_server(&frame) {
            Ok(Some(mut event)) => {
                self.names.share(&mut event);
                self.event(now, event, effects);
            }
            Ok(None) => {}
            Err(unreadable) => self.unreadable(now, unreadable, effects),
        }
    }

    /// Sends what may be sent now. Ends the conversation if it is over.
    fn flush_outbox(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if let Phase::Greeting { until } = self.phase
            && now >= until
        {
            if let Some(reason) = self.unreadable.take() {
                // The server would send the same each time.
                return effects.push(Effect::Finish(Err(Failure::Unreadable(reason))));
            }
            self.dropped(now, "the server did not greet us in time".to_owned(), effects);
            effects.push(Effect::Reconnect { reason: "no greeting".to_owned() });
        }
        self.ask_for_wanted(now);
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        // A text that is sent at the very end would be in doubt without need.
        let gives_up = self.gives_up_at().is_some_and(|at| now >= at);
        if self.phase == Phase::Live && self.paused_until.is_none() && !gives_up {
            match self.dialect {
                Dialect::Json => {
                    while let Some(message) = self.outbox.next() {
                        effects.push(Effect::Send(json::encode_client(message)));
                    }
                }
                Dialect::Text => self.send_lines(now, effects),
            }
        }
        self.end_if_done(now, effects);
    }

    /// Reports that a request is refused.
    fn refuse(&mut self, words: impl Into<String>, effects: &mut Vec<Effect>) {
        self.refused += 1;
        effects.push(Effect::Show(ViewEvent::Refusal(words.into())));
    }

    /// Reports that `text` is not sent.
    fn refuse_text(&mut self, text: &ClientMessage, words: String, effects: &mut Vec<Effect>) {
        match text {
            ClientMessage::Msg { to, .. } => {
                self.refused += 1;
                effects.push(Effect::Show(ViewEvent::Undelivered { to: to.clone(), words }));
            }
            _ => self.refuse(words, effects),
        }
    }

    /// Returns a key that nobody can guess before they have seen it. Otherwise, others could
    /// acknowledge a text of ours.
    fn key(&mut self) -> Option<IdempotencyKey> {
        self.keys_made += 1;
        secret::key(self.settings.secret, self.keys_made)
    }
}

/// Returns what happened to lines that were never echoed, as the beginning of a sentence that gives
/// the reason.
fn never_echoed(lines: usize, doubtful: usize) -> String {
    let many = if doubtful == 1 { "line" } else { "lines" };
    match (lines, doubtful) {
        (lines, 0) => format!("{} not sent", counted(lines)),
        (0, doubtful) => format!("{doubtful} {many} may have been said"),
        (lines, doubtful) => format!("{} not sent, and {doubtful} {many} may have been said", counted(lines)),
    }
}

/// Returns the number of lines, as the beginning of a sentence that says what happened to them.
fn counted(lines: usize) -> String {
    format!("{lines} {}", if lines == 1 { "line was" } else { "lines were" })
}

/// Returns the beginning of a text, to quote it to its author.
fn quoted(text: &str) -> String {
    /// Enough characters to tell one line from another.
    const MOST: usize = 40;
    let words = sanitize::line(text);
    let beginning: String = words.chars().take(MOST).collect();
    let rest = if beginning.len() < words.len() { "…" } else { "" };
    format!("\"{beginning}{rest}\"")
}

fn notice(words: impl Into<String>) -> Effect {
    Effect::Show(ViewEvent::Notice(words.into()))
}
