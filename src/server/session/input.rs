//! The input of a session: a frame is parsed, charged to the rate limit, and then acted on.

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;

use super::{Session, join::Wanted, read_topic};
use crate::{
    protocol::{
        ClientMessage, Dialect, ErrorCode, Failure, Kind, Limits, MessageId, Nick, Query, RoomName, ServerMessage,
        Timestamp, Topic,
        command::{self, Command, Line},
        json,
        search::Filters,
    },
    rooms::To,
    server::{
        Transport,
        hub::batch::{push_frame, push_lines},
        hub::handle::{Ask, Outgoing},
        session::end_reason::End,
        turns::Purpose,
        websocket::Incoming,
    },
    store::{Search, StoreError, wall_clock},
};

/// The maximum number of frames that are read in a row before waiting output is written.
const READS_IN_A_ROW: u32 = 64;
/// The number of bytes of text after which no further frame is added to the same request. Together
/// with [`Limits::HUB_QUEUE`] it bounds the text that waits for the hub.
const IN_A_ROW: usize = 8 * 1024;

/// A parsed input, as far as it can be understood without asking the hub or the store.
pub(super) enum Parsed {
    /// A frame that carries nothing.
    Nothing,
    /// A sign of life; a ping wants an answer.
    Alive,
    /// The peer has received this many of the events that are owed to its person.
    Confirmed(u64),
    /// It is answered at once, with these frames.
    Answer(Vec<u8>),
    /// A message or a question.
    Message(ClientMessage),
}

impl<S: Transport> Session<'_, S> {
    /// Handles what the peer did. Messages that it sent in a row are handed in together.
    pub(super) async fn incoming(&mut self, mut incoming: Incoming) -> Result<(), End> {
        let now = Instant::now();
        self.last_seen = now;
        let (mut said, mut length, mut frames) = (Vec::new(), 0, 1);
        let rest = loop {
            let parsed = match self.parse(incoming) {
                Ok(parsed) => parsed,
                Err(end) => break Err(end),
            };
            let wait = self.charge(&parsed, now);
            match parsed {
                Parsed::Message(ClientMessage::Say { key, text }) if wait.is_zero() => {
                    length += text.as_str().len();
                    said.push(Outgoing { kind: Kind::Say, text: Some(text), key });
                }
                parsed => break Ok((parsed, wait)),
            }
            if frames >= READS_IN_A_ROW || length >= IN_A_ROW {
                break Ok((Parsed::Nothing, Duration::ZERO));
            }
            incoming = match self.socket.next_now().await {
                Some(next) => next,
                None => break Ok((Parsed::Nothing, Duration::ZERO)),
            };
            frames += 1;
        };
        if !said.is_empty() {
            self.has_said = true;
            self.shared.hub.say(self.member.id, said).await?;
        }
        match rest? {
            (Parsed::Nothing, _) => Ok(()),
            // Boxed, so that a session has no memory reserved for rare work.
            (parsed, Duration::ZERO) => Box::pin(self.act(parsed)).await,
            (parsed, wait) => Box::pin(self.hold(parsed, wait)).await,
        }
    }

    /// Returns what the peer did.
    ///
    /// # Errors
    /// How the session ends, if the input ends it.
    fn parse(&self, incoming: Incoming) -> Result<Parsed, End> {
        Ok(match incoming {
            Incoming::Text(frame) => self.parse_text(frame.as_str()),
            Incoming::Confirmed(count) if self.asked == Some(count) => Parsed::Confirmed(count),
            Incoming::Alive | Incoming::Confirmed(_) => Parsed::Alive,
            other => return Err(other.into()),
        })
    }

    fn parse_text(&self, frame: &str) -> Parsed {
        match self.dialect {
            Dialect::Json => json::decode_client(frame).map_or_else(|failure| self.refusal(failure), Parsed::Message),
            Dialect::Text => match command::parse(frame) {
                Ok(Line::Blank) => Parsed::Nothing,
                Ok(Line::Say(text)) => Parsed::Message(ClientMessage::Say { key: None, text }),
                Ok(Line::Command(command)) => self.typed(command),
                Err(error) => self.refusal(Failure::new(ErrorCode::UnknownCommand, error.to_string())),
            },
        }
    }

    /// Charges the input to its rate limits, and returns how long it has to wait.
    fn charge(&mut self, parsed: &Parsed, now: Instant) -> Duration {
        let cost = match parsed {
            Parsed::Confirmed(_) => return Duration::ZERO,
            Parsed::Nothing | Parsed::Alive => {
                self.count_control();
                return Duration::ZERO;
            }
            Parsed::Message(ClientMessage::Search { .. }) => Limits::SEARCH_COST,
            Parsed::Answer(_) | Parsed::Message(_) => 1,
        };
        self.pace.message(cost, now)
    }

    /// Returns the meaning of a typed command.
    fn typed(&self, command: Command) -> Parsed {
        Parsed::Message(match command {
            Command::Help(one) => {
                let mut lines = Vec::new();
                push_lines(&one.map_or_else(command::help, command::Spec::explanation), &mut lines);
                return Parsed::Answer(lines);
            }
            Command::Join(room) => ClientMessage::Join { room, history: None },
            Command::Rooms => ClientMessage::Rooms,
            Command::Names => ClientMessage::Names,
            Command::Whois(nick) => ClientMessage::Whois { nick },
            Command::Away(text) => ClientMessage::Away { text },
            Command::Nick(nick) => ClientMessage::Nick { nick },
            Command::Me(text) => ClientMessage::Me { key: None, text },
            Command::Msg(to, text) => ClientMessage::Msg { key: None, to, peer: None, text },
            Command::Reply(text) => match self.last_private.clone() {
                Some(To { nick, peer }) => ClientMessage::Msg { key: None, to: nick, peer, text },
                None => return self.refusal(Failure::new(ErrorCode::NoSuchNick, "nobody has told you anything yet")),
            },
            Command::Topic => ClientMessage::Topic,
            Command::SetTopic(text) => ClientMessage::SetTopic { key: None, text },
            Command::History(limit) => ClientMessage::History { after: None, before: None, at: None, limit },
            Command::Search { query, all } => {
                ClientMessage::Search { query, limit: None, before: None, all, since: None, until: None }
            }
            Command::Quit => ClientMessage::Quit,
        })
    }

    fn refusal(&self, failure: Failure) -> Parsed {
        let mut answer = Vec::new();
        push_frame(self.dialect, &ServerMessage::Error(failure), &mut answer);
        Parsed::Answer(answer)
    }

    /// Does what the peer asked for.
    pub(super) async fn act(&mut self, parsed: Parsed) -> Result<(), End> {
        match parsed {
            Parsed::Nothing => Ok(()),
            Parsed::Alive => Ok(self.socket.flush().await?),
            Parsed::Confirmed(count) => self.confirmed(count).await,
            Parsed::Answer(frames) => self.write(frames.into()).await,
            Parsed::Message(message) => self.said(message).await,
        }
    }

    /// Counts a frame that carries nothing. If these exceed their rate, reading waits.
    pub(super) fn count_control(&mut self) {
        let wait = self.pace.control(Instant::now());
        if !wait.is_zero() {
            self.held = Some((Parsed::Nothing, Instant::now() + wait));
        }
    }

    /// Keeps an input that came too early until it is due, and tells the peer so, but at most once
    /// a second.
    async fn hold(&mut self, parsed: Parsed, wait: Duration) -> Result<(), End> {
        let now = Instant::now();
        self.held = Some((parsed, now + wait));
        if self.told_slow.is_some_and(|told| now < told + Duration::from_secs(1)) {
            return Ok(());
        }
        self.told_slow = Some(now);
        let next = self.pace.next_message_in(now).unwrap_or(wait);
        let retry_after_ms = u64::try_from(next.as_millis()).unwrap_or(u64::MAX);
        self.send(&ServerMessage::Slow { retry_after_ms }).await
    }

    /// Acts on a message.
    async fn said(&mut self, message: ClientMessage) -> Result<(), End> {
        let hub = &self.shared.hub;
        let id = self.member.id;
        self.has_said |=
            matches!(message, ClientMessage::Me { .. } | ClientMessage::SetTopic { .. } | ClientMessage::Say { .. });
        let say = |kind, text, key| hub.say(id, vec![Outgoing { kind, text, key }]);
        let answer = match message {
            ClientMessage::Say { key, text } => return Ok(say(Kind::Say, Some(text), key).await?),
            ClientMessage::Me { key, text } => return Ok(say(Kind::Me, Some(text), key).await?),
            ClientMessage::SetTopic { key, text } => {
                return Ok(say(Kind::Topic, text.map(Topic::into_body), key).await?);
            }
            ClientMessage::Join { room, history } => return self.go(room, history).await,
            ClientMessage::Nick { nick } => return self.rename(nick).await,
            ClientMessage::History { after, before, at, limit } => {
                return self.history(after, before, at, limit).await;
            }
            ClientMessage::Search { query, limit, before, all, since, until } => {
                return self.search(query, Asked { limit, before, all, since, until }).await;
            }
            ClientMessage::Quit => {
                self.barrier().await?;
                self.drain().await?;
                return Err(End::Quit);
            }
            ClientMessage::Hello(_) => {
                ServerMessage::Error(Failure::new(ErrorCode::UnexpectedHello, "hello was said already"))
            }
            ClientMessage::Msg { key, to, peer, text } => {
                let to = To { nick: to, peer };
                hub.ask(id, Ask::Tell { to, text, key }).await?
            }
            ClientMessage::Names => hub.ask(id, Ask::Names).await?,
            ClientMessage::Whois { nick } => hub.ask(id, Ask::Whois(nick)).await?,
            ClientMessage::Away { text } => hub.ask(id, Ask::Away(text)).await?,
            ClientMessage::Rooms => return self.rooms().await,
            ClientMessage::Topic => hub.ask(id, Ask::Topic).await?,
        };
        self.send(&answer).await
    }

    /// Waits until this session's messages are in the store, or have failed.
    async fn barrier(&mut self) -> Result<(), End> {
        if std::mem::take(&mut self.has_said) {
            let shared = self.shared;
            self.hearing(shared.hub.barrier()).await??;
        }
        Ok(())
    }

    /// Changes the nick. The answer comes through the mailbox: another connection of this person
    /// may change it too, and the last answer on both must be the nick that they have.
    async fn rename(&mut self, nick: Nick) -> Result<(), End> {
        match self.shared.hub.rename(self.member.id, nick).await? {
            Ok(()) => Ok(()),
            Err(failure) => self.send(&ServerMessage::Error(failure)).await,
        }
    }

    async fn go(&mut self, room: RoomName, history: Option<u32>) -> Result<(), End> {
        let (mut place, mut view) = self.shared.hub.go(self.member.id, room).await?;
        let (shared, member) = (self.shared, self.member.id);
        self.hearing(read_topic(shared, member, &mut place, &mut view)).await??;
        let stays = place.room == self.member.place.room;
        self.drain().await?;
        self.send(&ServerMessage::Joined(view)).await?;
        if stays {
            return self.say_live().await;
        }
        self.member.place = place;
        let usual = if self.dialect == Dialect::Text { Limits::TEXT_HISTORY } else { Limits::JSON_HISTORY };
        self.come_in(Wanted::Last(history.unwrap_or(usual))).await
    }

    /// Writes the list of rooms, in as many events as it needs. In the text dialect it is short
    /// enough for one event.
    async fn rooms(&mut self) -> Result<(), End> {
        let (rooms, total) = match self.shared.hub.ask(self.member.id, Ask::Rooms).await? {
            ServerMessage::Rooms { rooms, total, .. } if self.dialect == Dialect::Json => (rooms, total),
            answer => return self.send(&answer).await,
        };
        let mut portion = Portion::new();
        for entry in rooms {
            let size = entry.size();
            if let Some(rooms) = portion.add(entry, size) {
                self.send(&ServerMessage::Rooms { rooms, total, more: true }).await?;
            }
        }
        self.send(&ServerMessage::Rooms { rooms: portion.items, total, more: false }).await
    }

    /// Writes a page of messages, in as many events as it needs.
    async fn history(
        &mut self,
        after: Option<MessageId>,
        before: Option<MessageId>,
        at: Option<Timestamp>,
        limit: Option<u32>,
    ) -> Result<(), End> {
        let room = self.member.place.room.clone();
        let mut left = limit.unwrap_or(Limits::TEXT_HISTORY).min(Limits::HISTORY);
        self.barrier().await?;
        let store = &self.shared.store;
        let begins = async {
            match (at, after) {
                (Some(at), _) => store.since(&room, at).await,
                (None, Some(id)) => Ok(id),
                (None, None) => store.cursor(&room, before, left).await,
            }
        };
        let mut cursor = match self.hearing(begins).await? {
            Ok(cursor) => cursor,
            Err(error) => return self.cannot_answer("a history could not be read", &error).await,
        };
        let end = before.unwrap_or(MessageId(u64::MAX));
        let event = |messages, more| ServerMessage::History { room: room.clone(), messages, more };
        let mut portion = Portion::new();
        loop {
            self.ping_if_due().await?;
            let page = match self.page(Purpose::Question, cursor, left.min(Limits::PAGE)).await? {
                Ok(page) => page,
                Err(error) => return self.cannot_answer("a history could not be read", &error).await,
            };
            let (more, last) = (page.more, page.messages.last().map(|message| message.id));
            for message in page.messages.into_iter().filter(|message| message.id < end) {
                left = left.saturating_sub(1);
                let size = message.size();
                if let Some(messages) = portion.add(message, size) {
                    self.send(&event(messages, true)).await?;
                }
            }
            match last {
                Some(last) if more && left > 0 && last < end => cursor = last,
                _ => break,
            }
        }
        // An id that nobody has been sent cannot be a cursor of this history. With it, the result
        // would stay empty until ids have reached that value.
        if let Some(after) = after.filter(|_| at.is_none() && portion.items.is_empty()) {
            match self.shared.store.last() {
                Ok(last) if after > last => {
                    let words =
                        format!("there is no message {} yet: the history is another one than it was seen in", after.0);
                    return self.send(&ServerMessage::Error(Failure::new(ErrorCode::OtherHistory, words))).await;
                }
                Ok(_) => {}
                Err(error) => return self.cannot_answer("a history could not be read", &error).await,
            }
        }
        self.send(&event(portion.items, false)).await
    }

    /// Tells the peer and the operator that the store could not answer a question. The session
    /// continues.
    async fn cannot_answer(&mut self, what: &'static str, error: &StoreError) -> Result<(), End> {
        self.shared.complaints.log(what, error);
        let words = format!("the server cannot read its history: {error}");
        self.send(&ServerMessage::Error(Failure::new(ErrorCode::Unavailable, words))).await
    }

    /// Writes the results of a search, in as many events as it needs.
    async fn search(&mut self, query: Query, asked: Asked) -> Result<(), End> {
        let Asked { limit, before, all, since, until } = asked;
        let room = self.member.place.room.clone();
        let mut filters = match Filters::parse(query.as_str(), wall_clock(), &TimeZone::UTC) {
            Ok(filters) => filters,
            Err(error) => {
                return self.send(&ServerMessage::Error(Failure::new(ErrorCode::BadMessage, error.to_string()))).await;
            }
        };
        (filters.since, filters.until) = (since.or(filters.since), until.or(filters.until));
        self.barrier().await?;
        let (shared, address) = (self.shared, self.address);
        let rooms = if all { shared.hub.rooms_of(self.member.id).await? } else { vec![room.clone()] };
        let search = Search {
            rooms,
            filters,
            before,
            limit: limit.unwrap_or(Limits::FOUND).min(Limits::FOUND_MOST),
            // For a further page the count is known already.
            counts: before.is_none(),
        };
        let search = async {
            let _turn = shared.searches.take(Purpose::Question, address).await;
            let time = shared.searches.share(Purpose::Question, Limits::SEARCH, Limits::SEARCH_LEAST);
            shared.store.find(time, search).await
        };
        let found = match self.hearing(search).await? {
            Ok(found) => found,
            Err(error) => return self.cannot_answer("a search has failed", &error).await,
        };
        let incomplete = found.is_incomplete;
        let (total, or_more) = found.total.map_or((None, false), |total| (Some(total.count), total.or_more));
        let event = |messages, more: bool| {
            let (room, query, incomplete) = (room.clone(), query.clone(), incomplete && !more);
            ServerMessage::Found { room, query, messages, more, incomplete, all, total, or_more }
        };
        let mut portion = Portion::new();
        for message in found.messages {
            let size = message.size();
            if let Some(messages) = portion.add(message, size) {
                self.send(&event(messages, true)).await?;
            }
        }
        self.send(&event(portion.items, false)).await
    }
}

/// The options of a search, besides its words.
struct Asked {
    limit: Option<u32>,
    before: Option<MessageId>,
    all: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The items that fit into one event of a list that may need several.
struct Portion<T> {
    items: Vec<T>,
    size: usize,
}

impl<T> Portion<T> {
    fn new() -> Self {
        Self { items: Vec::new(), size: 0 }
    }

    /// Adds an item of `size` bytes. If it does not fit, returns the items before it.
    fn add(&mut self, item: T, size: usize) -> Option<Vec<T>> {
        let full = self.size + size > Limits::LIST_PAYLOAD && !self.items.is_empty();
        let before = full.then(|| std::mem::replace(self, Self::new()).items);
        self.size += size;
        self.items.push(item);
        before
    }
}
