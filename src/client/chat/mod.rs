//! The conversation as a value: an event and the time go in, effects come out. Pure: no tokio, no
//! clock, no randomness.
//!
//! The echo is the acknowledgement: what was typed stays in the outbox until the server has sent it
//! back or refused it, and after a reconnect it is sent again with the same key.

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
    /// The address of the server, for people.
    pub server: String,
    /// The nick wanted; without one the server gives a guest's.
    pub nick: Option<Nick>,
    /// How many of the latest messages are wanted when a room is entered; without a number the
    /// server's default.
    pub history: Option<u32>,
    /// Where the first room is read from, in place of [`Self::history`].
    pub since: Option<Since>,
    /// Whether somebody sits there who wants to see that what they typed waits.
    pub interactive: bool,
    /// Whether what is typed comes from a program: it waits where there is no room, and sees how we
    /// end instead of what we show.
    pub piped: bool,
    /// Whether every line is a text, also one with a leading slash.
    pub no_commands: bool,
    /// Whether a server that is not there yet is waited for, however long that takes.
    pub wait: bool,
    /// Random bytes that make the keys of this conversation its own: no two conversations may have
    /// the same.
    pub secret: [u8; 16],
    /// The token that this conversation shares with others of the same person; without one it has
    /// its own, made of the secret.
    pub session: Option<SessionToken>,
    /// Where an earlier conversation in the first room was, in place of [`Self::since`] and
    /// [`Self::history`]: what
    /// [`App::cursor`] returned. What came since is shown, but of a long absence only the latest
    /// [`Limits::HISTORY`].
    pub saved_position: Option<Bookmark>,
}

/// A place in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bookmark {
    /// Which history.
    pub epoch: Epoch,
    /// The run of the server in which it was seen, where that is known.
    pub run: Option<Run>,
    /// The last message that was seen.
    pub id: MessageId,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this message.
    Id(MessageId),
    /// So long ago.
    Age(Duration),
}

/// What happens to the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection stands.
    Connected(Dialect),
    /// The server has sent a text frame.
    Frame(String),
    /// The connection is gone; another is being made.
    Dropped {
        /// Why, for people.
        reason: String,
        /// How long ago the server was heard last.
        silent: Duration,
    },
    /// What time it is where the user is, by which they say when: told before what they enter.
    Clock(Zoned),
    /// There is no connection, and another is not tried before some time has passed.
    Waiting {
        /// What the last try came to, for people; nothing where it was a connection.
        reason: Option<String>,
        /// What the user can do about it.
        hint: Option<String>,
        /// How long that is.
        length: Duration,
    },
    /// The user wants a new connection now: that the next try is made at once or, where there is a
    /// connection, that it is left.
    Reconnect,
    /// The user has entered a line.
    Line(String),
    /// The user has entered this for one person alone, in whatever room. `peer` tells which person,
    /// where the server told that.
    Tell {
        /// By which nick.
        to: Nick,
        /// Which person.
        peer: Option<PersonId>,
        /// What is said.
        text: String,
    },
    /// The view asks something for itself: history, a search, names, rooms or the topic. It is
    /// asked as soon as there is a server to ask, and what comes of it is a [`ViewEvent::Answer`];
    /// the same question is not asked twice at a time.
    Ask(ClientMessage),
    /// The line before goes on: it was too long to be read at once.
    Continued(String),
    /// The user wants to hear nothing of these people, and to answer none of them unawares.
    Ignore(Arc<Ignored>),
    /// Texts of an earlier conversation that were not echoed there, with their keys: they are sent
    /// before all others.
    Resend(Vec<ClientMessage>),
    /// There is no more input.
    InputEnded,
    /// The user wants to leave, as soon as what they said has been taken.
    Quit,
    /// The user, or the system, wants the program to end now.
    Stop,
    /// The time that [`App::wake_at`] asked for has come.
    Woke,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send this text frame on the connection of the latest [`Event::Connected`].
    Send(String),
    /// Give this connection up and make another.
    Reconnect {
        /// Why, for people.
        reason: String,
    },
    /// Make the next try to connect now.
    Retry,
    /// Show this to the user.
    Show(ViewEvent),
    /// End the program; nothing after this effect counts.
    Finish(Result<(), Failure>),
}

/// What a view is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewEvent {
    /// An event of the server.
    Event {
        /// The event.
        event: ServerMessage,
        /// Whether only programs need it: people are told otherwise, or not at all.
        quiet: bool,
    },
    /// An event that answers, or refuses, what the view asked with [`Event::Ask`].
    Answer {
        /// What it asked.
        question: Box<ClientMessage>,
        /// The event, perhaps one of several.
        event: ServerMessage,
    },
    /// A frame of a server that speaks plain text, as it came.
    Text(String),
    /// A connection stands.
    Connected(Dialect),
    /// The connection is gone.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// There was no connection yet, and the next try waits.
    Waiting {
        /// For what, why, and what can be done about it.
        words: String,
    },
    /// There is still no connection.
    Unreachable {
        /// Why, which is not what was told before.
        reason: String,
    },
    /// The connection is back, and what was missed has been shown.
    Back {
        /// How long it was gone, and what was missed.
        words: String,
        /// How many messages that were.
        missed: usize,
    },
    /// Something that we tell the user.
    Notice(String),
    /// Something that was asked for and is not done.
    Refusal(String),
    /// A text to one person alone that is not delivered.
    Undelivered {
        /// To whom it was.
        to: Nick,
        /// The text and why, in words.
        words: String,
    },
}

impl ViewEvent {
    /// Returns the event of the server, if it is one.
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
        /// How many were not said.
        lines: usize,
        /// How many more went out, and nobody knows what became of them.
        doubtful: usize,
        /// Why not.
        why: String,
    },
    /// Lines of a pipe that were no commands, or that the server did not take; why was told of
    /// each.
    #[error("{} refused", counted(*.0))]
    LinesRefused(usize),
    /// The server took the connection and then did not answer.
    #[error("the server does not answer")]
    Silent,
    /// The server does not let us in, for this reason of its own.
    #[error("not let in: {0}")]
    Refused(String),
    /// The server says something else than we understand where it should let us in.
    #[error("the server sent something that cannot be read: {0}")]
    Unreadable(String),
    /// Every nick tried is somebody's.
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

/// Nicks tried before we give up; a server answers each with one that was free a moment ago.
const NICK_TRIES: u32 = 20;

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Offline,
    /// It stands; the server has not welcomed us.
    Greeting { until: Duration },
    /// What is older is being sent; what is typed waits, because the echo of an earlier sending may
    /// be among it.
    Replaying,
    /// What was asked for has been sent.
    Live,
}

/// What becomes of the rest of a line that was too long to be read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The line is a text, and goes on as one.
    Said,
    /// The line is a command: its rest is not for all to read.
    Refused,
    /// The same, and its writer knows.
    Told,
}

/// The state of the conversation.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    dialect: Dialect,
    phase: Phase,
    /// The nick we have, or want.
    nick: Option<Nick>,
    /// The nick that the user wants; none where any will do.
    wanted: Option<Nick>,
    /// When it is asked for again, while somebody else has it; without a time, at once.
    ask_nick_at: Option<Duration>,
    /// The nick that turned out to be taken, until the user is told.
    taken: Option<Nick>,
    /// When it was told what time it is where the user is, and what.
    clock: Option<(Duration, Zoned)>,
    nick_tries: u32,
    /// Why something that came in place of a welcome could not be read.
    unreadable: Option<String>,
    /// The first parts of a list of rooms whose end has not come.
    listed: Vec<RoomEntry>,
    /// Where we are; from the first welcome on.
    room: Option<RoomName>,
    /// Ours from the start, so that a welcome that is lost does not cost us the nick.
    session: SessionToken,
    /// Which history [`Self::cursor`] belongs to, and which run of it.
    epoch: Option<Epoch>,
    run: Option<Run>,
    /// The last message of the room that was shown.
    cursor: Option<MessageId>,
    /// When the connection was lost, until the user knows what was missed.
    lost_at: Option<Duration>,
    lost_because: String,
    /// When the first try to connect failed, until there is a connection.
    waiting_since: Option<Duration>,
    /// When the next try to connect is made, until it is.
    retry_at: Option<Duration>,
    /// How many messages came after the cursor in this replay; none where there was no cursor to
    /// come after.
    missed: Option<usize>,
    /// Why the replay may not be all that was missed.
    incomplete: Option<&'static str>,
    /// Who wrote to us alone last, and which person that is, where the server tells.
    last_private_sender: Option<(Nick, Option<PersonId>)>,
    ignored: Arc<Ignored>,
    /// What was said to us alone, by whom and with which id, the latest first.
    privates: Privates,
    outbox: Outbox,
    names: Names,
    keys_made: u64,
    /// Until when nothing is sent, because the server asked for it.
    paused_until: Option<Duration>,
    ending: Option<Ending>,
    stall: Stall,
    /// Why the server cannot take a text at the moment, in its own words.
    trouble: Option<String>,
    /// Lines that were refused, by us or by the server.
    refused: usize,
    /// Lines that were taken and are not said, because they stand behind a `/join` that was
    /// refused.
    unsaid: usize,
    /// Why the rest of the input is not taken, once it is not.
    left_behind: Option<&'static str>,
    /// What becomes of the rest of the last line, where that was too long to be read at once.
    rest: Rest,
    /// In the text dialect: what we said last, until a line with it has come back.
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

    /// Returns what follows from `event`, `now` after the start of the program.
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

    /// Returns whether more input may be read; while not, a pipe waits.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        !self.outbox.is_full() && self.ending.is_none()
    }

    /// Returns why lines of a pipe that were not taken are not said; nothing as long as they may
    /// be.
    #[must_use]
    pub fn left_behind(&self) -> Option<&'static str> {
        self.left_behind.filter(|_| self.settings.piped)
    }

    /// Returns when, after the start of the program, [`Event::Woke`] is due.
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

    /// Returns the message after which the user wanted to begin, until that has been read.
    fn asked_id(&self) -> Option<MessageId> {
        match self.settings.since.filter(|_| self.epoch.is_none()) {
            Some(Since::Id(id)) => Some(id),
            _ => None,
        }
    }

    fn hello(&self) -> ClientMessage {
        // What the user asked for counts for the first room alone, and only until it has been read.
        // Later, what is shown without a cursor is what was missed, if the server has another
        // history then.
        let since = self.settings.since.filter(|_| self.epoch.is_none());
        let history = self.settings.history.filter(|_| self.epoch.is_none());
        // All that was said after a cursor may be too much where that is days old.
        let resumes = self.settings.saved_position.is_some();
        ClientMessage::Hello(ClientHello {
            // A name that the server gave us and that our rules refuse would not be the one it
            // knows.
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

    /// Sends what may be sent by now, and ends what has come to its end.
    fn flush_outbox(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if let Phase::Greeting { until } = self.phase
            && now >= until
        {
            if let Some(reason) = self.unreadable.take() {
                // It would say the same each time.
                return effects.push(Effect::Finish(Err(Failure::Unreadable(reason))));
            }
            self.dropped(now, "the server did not greet us in time".to_owned(), effects);
            effects.push(Effect::Reconnect { reason: "no greeting".to_owned() });
        }
        self.ask_for_wanted(now);
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        // What would go out with the end would be in doubt without need.
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

    /// Tells that something is not done that was asked for.
    fn refuse(&mut self, words: impl Into<String>, effects: &mut Vec<Effect>) {
        self.refused += 1;
        effects.push(Effect::Show(ViewEvent::Refusal(words.into())));
    }

    /// Tells that `text` is not sent.
    fn refuse_text(&mut self, text: &ClientMessage, words: String, effects: &mut Vec<Effect>) {
        match text {
            ClientMessage::Msg { to, .. } => {
                self.refused += 1;
                effects.push(Effect::Show(ViewEvent::Undelivered { to: to.clone(), words }));
            }
            _ => self.refuse(words, effects),
        }
    }

    /// Returns a key that nobody can guess before they have seen it: else another could acknowledge
    /// a text of ours.
    fn key(&mut self) -> Option<IdempotencyKey> {
        self.keys_made += 1;
        secret::key(self.settings.secret, self.keys_made)
    }
}

/// Returns what became of lines that were never echoed, as the beginning of a sentence that says
/// why.
fn never_echoed(lines: usize, doubtful: usize) -> String {
    let many = if doubtful == 1 { "line" } else { "lines" };
    match (lines, doubtful) {
        (lines, 0) => format!("{} not sent", counted(lines)),
        (0, doubtful) => format!("{doubtful} {many} may have been said"),
        (lines, doubtful) => format!("{} not sent, and {doubtful} {many} may have been said", counted(lines)),
    }
}

/// Returns how many lines, as the beginning of a sentence about what was done with them.
fn counted(lines: usize) -> String {
    format!("{lines} {}", if lines == 1 { "line was" } else { "lines were" })
}

/// Returns the beginning of a text, for telling its writer about it.
fn quoted(text: &str) -> String {
    /// More than tells one line from another.
    const MOST: usize = 40;
    let words = sanitize::line(text);
    let beginning: String = words.chars().take(MOST).collect();
    let rest = if beginning.len() < words.len() { "…" } else { "" };
    format!("\"{beginning}{rest}\"")
}

fn notice(words: impl Into<String>) -> Effect {
    Effect::Show(ViewEvent::Notice(words.into()))
}
