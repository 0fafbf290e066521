//! What a typed line does to the conversation. Pure.

use std::time::Duration;

use super::{
    App, Connection, Effect, Phase, Rest, notice,
    outbox::{self, Asker},
    quoted,
};
use crate::protocol::{
    Body, ClientMessage, Limits, NameError, Nick, PersonId, Timestamp,
    command::{self, Command, CommandError, Line},
    sanitize,
    search::{FilterError, Filters},
};

impl App {
    pub(super) fn line(&mut self, now: Duration, line: &str, effects: &mut Vec<Effect>) {
        if self.ending.is_some() {
            return;
        }
        self.rest = Rest::Said;
        if self.settings.no_commands {
            return self.text(now, line, effects);
        }
        match command::parse(line) {
            Ok(Line::Blank) => {}
            Ok(Line::Say(text)) => self.say(now, text, effects),
            Ok(Line::Command(command)) => {
                self.rest = Rest::Refused;
                self.command(now, command, effects);
            }
            Err(CommandError::Argument(NameError::TooLong { .. })) if is_text(line) => {
                self.text(now, line.strip_prefix('/').unwrap_or(line), effects);
            }
            // Who wrote it does not see it beside the answer.
            Err(error) if self.settings.piped => {
                self.rest = Rest::Told;
                let quoted = quoted(line);
                self.refuse(format!("not sent: {quoted}: {error}; --no-commands says every line as it is"), effects);
                if is_join(line) {
                    self.join_refused(now);
                }
            }
            Err(error) => {
                self.rest = Rest::Told;
                self.refuse(error.to_string(), effects);
            }
        }
    }

    /// Says what comes behind the part of a long line that was read before, where all may read it.
    pub(super) fn rest_of_line(&mut self, now: Duration, text: &str, effects: &mut Vec<Effect>) {
        match self.rest {
            Rest::Said => self.text(now, text, effects),
            Rest::Refused => {
                self.rest = Rest::Told;
                self.refuse("not sent: the rest of a command that is longer than a message", effects);
            }
            Rest::Told => {}
        }
    }

    /// Says `text` as it is, in as many messages as it takes.
    pub(super) fn text(&mut self, now: Duration, text: &str, effects: &mut Vec<Effect>) {
        for piece in pieces(&sanitize::lines(text), Limits::MESSAGE) {
            if let Ok(body) = Body::new(piece) {
                self.say(now, body, effects);
            }
        }
    }

    /// Sends `text` to one person only, in as many messages as needed.
    pub(super) fn tell(
        &mut self,
        now: Duration,
        to: &Nick,
        peer: Option<PersonId>,
        text: &str,
        effects: &mut Vec<Effect>,
    ) {
        if self.ending.is_some() {
            return;
        }
        for piece in pieces(&sanitize::lines(text), Limits::MESSAGE) {
            if let Ok(text) = Body::new(piece) {
                let message = ClientMessage::Msg { key: self.key(), to: to.clone(), peer, text };
                self.ask(now, message, effects);
            }
        }
    }

    fn say(&mut self, now: Duration, text: Body, effects: &mut Vec<Effect>) {
        let key = self.key();
        self.ask(now, ClientMessage::Say { key, text }, effects);
    }

    fn command(&mut self, now: Duration, command: Command, effects: &mut Vec<Effect>) {
        let request = match command {
            Command::Help(None) => return effects.push(notice(command::help())),
            Command::Help(Some(spec)) => return effects.push(notice(spec.explanation())),
            Command::Quit => return self.quit(now),
            Command::Reply(text) => {
                let Some((to, peer)) = self.last_private_sender.clone() else {
                    let words = "there is no private message to answer, or who wrote the last one has gone";
                    return self.refuse(words, effects);
                };
                ClientMessage::Msg { key: self.key(), to, peer, text }
            }
            Command::Me(text) => ClientMessage::Me { key: self.key(), text },
            Command::Msg(to, text) => ClientMessage::Msg { key: self.key(), to, peer: None, text },
            Command::SetTopic(text) => ClientMessage::SetTopic { key: self.key(), text },
            Command::Join(room) => ClientMessage::Join { room, history: self.settings.history },
            Command::Whois(nick) => ClientMessage::Whois { nick },
            Command::Away(text) => ClientMessage::Away { text },
            Command::Nick(nick) => ClientMessage::Nick { nick },
            Command::Rooms => ClientMessage::Rooms,
            Command::Names => ClientMessage::Names,
            Command::Topic => ClientMessage::Topic,
            Command::Search { query, all } => match self.filters(now, query.as_str()) {
                Ok(Filters { since, until, .. }) => {
                    ClientMessage::Search { query, limit: None, before: None, all, since, until }
                }
                Err(error) => return self.refuse(error.to_string(), effects),
            },
            Command::History(limit) => ClientMessage::History { after: None, before: None, at: None, limit },
        };
        self.ask(now, request, effects);
    }

    /// Returns the filters of a search in the user's time zone. Without a known clock, returns no
    /// filters.
    fn filters(&self, now: Duration, query: &str) -> Result<Filters, FilterError> {
        match &self.clock {
            Some((told, time)) => {
                let since = u64::try_from(now.saturating_sub(*told).as_millis()).unwrap_or(u64::MAX);
                let at = u64::try_from(time.timestamp().as_millisecond()).unwrap_or_default();
                Filters::parse(query, Timestamp(at.saturating_add(since)), time.time_zone())
            }
            None => Ok(Filters::default()),
        }
    }

    fn ask(&mut self, now: Duration, request: ClientMessage, effects: &mut Vec<Effect>) {
        if self.outbox.is_empty() {
            self.progressed(now);
        }
        // A question is answered now or refused. A change waits in the outbox. Otherwise, what is
        // typed after a `/join` would be sent to the wrong room.
        if only_asks(&request) && matches!(self.connection(), Connection::Offline { .. }) {
            self.refuse("not connected; try again when the connection is back", effects);
        } else if self.outbox.is_full() {
            self.refuse("not taken: too many lines wait to be sent already", effects);
        } else {
            let words = outbox::words(&request);
            if self.settings.interactive && self.phase == Phase::Offline && !words.is_empty() {
                effects.push(notice(format!("waits for the connection: {words}")));
            }
            self.outbox.push(request);
        }
    }

    /// Asks something that nobody typed. It changes nothing, so it may wait for the connection, and
    /// the user need not be told.
    pub(super) fn ask_for_view(&mut self, question: ClientMessage) {
        debug_assert!(only_asks(&question), "a view only asks");
        if only_asks(&question) && self.ending.is_none() && !self.outbox.is_full() {
            self.outbox.push_unasked(question, Asker::View);
        }
    }

    /// Sends everything that waits to a server that only knows plain lines. There is no
    /// acknowledgement to wait for.
    pub(super) fn send_lines(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let mut requests = self.outbox.drain();
        while let Some(request) = requests.next() {
            self.progressed(now);
            match request {
                ClientMessage::Say { text, .. } => {
                    self.unconfirmed = Some(text.as_str().to_owned());
                    effects.push(Effect::Send(text.as_str().to_owned()));
                }
                request => {
                    self.refuse("this server speaks plain text only: of the commands, /help and /quit work", effects);
                    if self.settings.piped && matches!(request, ClientMessage::Join { .. }) {
                        self.unsaid += requests.by_ref().count();
                        self.join_refused(now);
                    }
                }
            }
        }
    }
}

/// Returns whether `request` only asks and changes nothing.
fn only_asks(request: &ClientMessage) -> bool {
    match request {
        ClientMessage::Rooms
        | ClientMessage::Names
        | ClientMessage::Whois { .. }
        | ClientMessage::Topic
        | ClientMessage::History { .. }
        | ClientMessage::Search { .. } => true,
        ClientMessage::Hello(_)
        | ClientMessage::Say { .. }
        | ClientMessage::Me { .. }
        | ClientMessage::Msg { .. }
        | ClientMessage::Join { .. }
        | ClientMessage::Away { .. }
        | ClientMessage::Nick { .. }
        | ClientMessage::SetTopic { .. }
        | ClientMessage::Quit => false,
    }
}

fn is_join(line: &str) -> bool {
    let name = line.strip_prefix('/').and_then(|typed| typed.split(char::is_whitespace).next());
    name.is_some_and(|name| command::specs().any(|spec| spec.name == "join" && spec.is_named(name)))
}

fn is_text(line: &str) -> bool {
    !line.starts_with('/') || line.starts_with("//")
}

/// Returns `text` in pieces of at most `limit` bytes, cut between characters.
fn pieces(text: &str, limit: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(rest.floor_char_boundary(limit));
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_between_characters() {
        assert_eq!(pieces("aé学b", 4).collect::<Vec<_>>(), ["aé", "学b"]);
        assert_eq!(pieces("", 4).count(), 0);
    }
}
