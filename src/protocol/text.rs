//! Lines for people: what a bare WebSocket client sees. Pure.
//!
//! A line begins with the speaker's nick and a colon; with `~` and the nick of who does something;
//! with `*` when the server tells something, or with `!` when it refuses something. No nick has a
//! space or a `*`, and a line break inside a message comes out as an indented line: so nobody can
//! forge another's line.

use std::{borrow::Cow, collections::HashSet, fmt::Write as _, time::Duration};

use super::{Body, Kind, Message, Nick, Presence, Private, Query, RoomView, ServerMessage, Welcome, Whois, when};

/// What a line break inside a message becomes, unless an empty line follows: that cannot be taken
/// for anything.
pub const CONTINUATION: &str = "\n    ";

/// What is shown of a topic in the list of rooms, in characters: a line.
const TOPIC_CHARS: usize = 80;
/// What is said of a search that is incomplete: its time is
/// [`Limits::SEARCH`](super::Limits::SEARCH).
pub const CUT_SHORT: &str = "the search was cut short: more words make it quicker";

/// Returns the lines that `event` shows, without a final line break, or `None` for what only
/// programs need.
#[must_use]
pub fn encode(event: &ServerMessage) -> Option<String> {
    Some(match event {
        ServerMessage::Hello { .. } | ServerMessage::Live { .. } => return None,
        ServerMessage::Welcome(welcome) => self::welcome(welcome),
        ServerMessage::Joined(view) => format!("* you are in #{}{}", view.room, about(view)),
        ServerMessage::Message(message) => self::message(message),
        ServerMessage::Gap { room } => format!("* some messages of #{room} are gone: the server no longer has them"),
        ServerMessage::History { messages, .. } if messages.is_empty() => "* no messages".to_owned(),
        ServerMessage::History { messages, .. } => {
            messages.iter().map(|message| self::message(message)).collect::<Vec<_>>().join("\n")
        }
        ServerMessage::Found { query, messages, incomplete, all, .. } => {
            let first = format!("* {}{}", found(event, query), if messages.is_empty() { "" } else { ":" });
            let found = messages.iter().map(|message| {
                let line = self::message(message);
                // What the server tells of another room is no line of this one.
                if *all { format!("* #{} {}", message.room, line.strip_prefix("* ").unwrap_or(&line)) } else { line }
            });
            let cut = incomplete.then(|| format!("* {CUT_SHORT}"));
            std::iter::once(first).chain(found).chain(cut).collect::<Vec<_>>().join("\n")
        }
        ServerMessage::Private(private) => self::private(private),
        ServerMessage::Presence(presence) => self::presence(presence)?,
        ServerMessage::Names(view) => format!("* in #{}: {}", view.room, names_and_away(view)),
        ServerMessage::Rooms { rooms, total, .. } => {
            let mut out = format!("* {total} room{}", if *total == 1 { "" } else { "s" });
            for entry in rooms {
                let topic =
                    entry.topic.as_ref().map_or(String::new(), |topic| format!("  {}", beginning(topic.as_str())));
                // Cannot fail: a String takes everything.
                let _ = write!(out, "{CONTINUATION}#{:<16} {}{topic}", entry.room, entry.people);
            }
            out
        }
        ServerMessage::Topic { room, topic: Some(topic), .. } => format!("* topic of #{room}: {topic}"),
        ServerMessage::Topic { room, topic: None, .. } => format!("* #{room} has no topic"),
        ServerMessage::Whois(whois) => self::whois(whois),
        ServerMessage::Away { nick: None, text: Some(text) } => {
            format!("* you are {}; /away again tells that you are back", text.words())
        }
        ServerMessage::Away { nick: None, text: None } => "* you are back".to_owned(),
        ServerMessage::Away { nick: Some(nick), text: Some(text) } => format!("* {nick} is {}", text.words()),
        ServerMessage::Away { nick: Some(nick), text: None } => format!("* {nick} is back"),
        ServerMessage::Nick { nick } => format!("* you are {nick} now"),
        ServerMessage::Slow { retry_after_ms } => {
            format!(
                "! slow down: your next line is taken in {}.{} s",
                retry_after_ms / 1000,
                retry_after_ms % 1000 / 100
            )
        }
        ServerMessage::Error(failure) => format!("! {}", failure.message),
    })
}

fn beginning(topic: &str) -> Cow<'_, str> {
    match topic.char_indices().nth(TOPIC_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &topic[..end])),
        None => Cow::Borrowed(topic),
    }
}

/// Appends the line of a message to `out`: what [`encode`] does for the event that is sent most.
pub fn encode_message(message: &Message, out: &mut Vec<u8>) {
    let nick = message.nick.as_str();
    let text = message.text.as_ref().map(indented);
    let parts = match (message.kind, &text) {
        (Kind::Say, Some(text)) => ["", nick, ": ", text],
        (Kind::Me, Some(text)) => ["~ ", nick, " ", text],
        (Kind::Topic, Some(text)) => ["* ", nick, " set the topic: ", text],
        (_, None) => ["* ", nick, " cleared the topic", ""],
    };
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn message(message: &Message) -> String {
    let mut out = Vec::new();
    encode_message(message, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Returns the line of a private message, the same for who sent it and who gets it.
fn private(private: &Private) -> String {
    format!("* private from {} to {}: {}", private.from, private.to, indented(&private.text))
}

fn welcome(welcome: &Welcome) -> String {
    let Welcome { nick, view, .. } = welcome;
    format!("* welcome to #{}, {nick}; /help lists the commands{}", view.room, about(view))
}

/// Returns the further lines that tell somebody what a room is about and who is there.
fn about(view: &RoomView) -> String {
    let topic = view.topic.as_ref().map_or(String::new(), |topic| format!("\n* topic: {topic}"));
    format!("{topic}\n* here: {}", names(&view.names, view.people))
}

/// Returns what is told above what a search for `query` has found.
#[must_use]
pub fn found(event: &ServerMessage, query: &Query) -> String {
    let ServerMessage::Found { messages, all, total, or_more, .. } = event else { return String::new() };
    let place = if *all { " in your rooms" } else { "" };
    match total {
        _ if messages.is_empty() => format!("nothing found{place} for {query}"),
        Some(total) if *total > messages.len() as u64 || *or_more => {
            let total = total_words(*total, *or_more);
            format!("found{place} for {query}, {} of {total}, the newest first", messages.len())
        }
        _ => format!("found{place} for {query}, the newest first"),
    }
}

/// Returns a number such as `1,532`, or `10,000+` where there are perhaps more.
#[must_use]
pub fn total_words(total: u64, or_more: bool) -> String {
    let digits = total.to_string();
    let mut words = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    if or_more {
        words.push('+');
    }
    words
}

/// Returns what is told of one person.
fn whois(whois: &Whois) -> String {
    let Whois { nick, rooms, at, since, active, away } = whois;
    let rooms = rooms.iter().map(|room| format!("#{room}")).collect::<Vec<_>>().join(", ");
    let rooms = if rooms.is_empty() { "in no room that you are in".to_owned() } else { format!("in {rooms}") };
    let here = when::in_words(Duration::from_millis(at.0.saturating_sub(since.0)));
    let idle = when::in_words(Duration::from_millis(at.0.saturating_sub(active.0)));
    let away = away.as_ref().map_or(String::new(), |text| format!("; {}", text.words()));
    format!("* {nick}: {rooms}; here for {here}, idle for {idle}{away}")
}

/// Returns who is in a room, in a row, and who of them is away.
fn names_and_away(view: &RoomView) -> String {
    let away: HashSet<&Nick> = view.away.iter().collect();
    let name = |nick: &Nick| if away.contains(nick) { format!("{nick} (away)") } else { nick.to_string() };
    row(&view.names.iter().map(name).collect::<Vec<_>>(), view.people)
}

/// Returns `names` in a row, and how many of `all` are not among them.
#[must_use]
pub fn names(names: &[Nick], all: usize) -> String {
    row(&names.iter().map(Nick::to_string).collect::<Vec<_>>(), all)
}

fn row(names: &[String], all: usize) -> String {
    let mut out = names.join(", ");
    let more = all.saturating_sub(names.len());
    if more > 0 {
        // Cannot fail: a String takes everything.
        let _ = write!(out, "{}{more} more", if out.is_empty() { "" } else { " and " });
    }
    out
}

/// Returns who came and went, a line a kind of change, or `None` when nothing did. A nick may have
/// gone from one person to another meanwhile, so who left comes first.
#[must_use]
pub fn presence(presence: &Presence) -> Option<String> {
    let mut lines = Vec::new();
    if !presence.left.is_empty() || presence.more_left > 0 {
        lines.push(format!("* {} left", names(&presence.left, presence.left.len().saturating_add(presence.more_left))));
    }
    for rename in &presence.renamed {
        lines.push(format!("* {} is {} now", rename.from, rename.to));
    }
    if presence.more_renamed > 0 {
        lines.push(format!("* {} more changed their nick", presence.more_renamed));
    }
    if !presence.joined.is_empty() || presence.more_joined > 0 {
        lines.push(format!(
            "* {} joined",
            names(&presence.joined, presence.joined.len().saturating_add(presence.more_joined))
        ));
    }
    if lines.is_empty() { None } else { Some(lines.join("\n")) }
}

/// Returns `text` with its line breaks as continuation lines.
#[must_use]
pub fn indented(text: &Body) -> Cow<'_, str> {
    let text = text.as_str();
    if memchr::memchr(b'\n', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut lines = text.split('\n');
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push_str(if line.is_empty() { "\n" } else { CONTINUATION });
        out.push_str(line);
    }
    Cow::Owned(out)
}

/// Returns a number with commas between its thousands.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::{AwayText, MessageId, RoomEntry, RoomName, Timestamp, Topic};

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    fn said(kind: Kind, text: Option<&str>) -> String {
        let text = text.map(|text| Body::new(text).unwrap());
        let message = Message {
            id: MessageId(1),
            room: RoomName::lobby(),
            at: Timestamp(0),
            nick: nick("ada"),
            kind,
            text,
            key: None,
        };
        encode(&ServerMessage::Message(Arc::new(message))).unwrap()
    }

    #[test]
    fn what_is_said() {
        assert_eq!(said(Kind::Say, Some("hello")), "ada: hello");
        assert_eq!(said(Kind::Me, Some("waves")), "~ ada waves");
        assert_eq!(said(Kind::Topic, Some("tea")), "* ada set the topic: tea");
        assert_eq!(said(Kind::Topic, None), "* ada cleared the topic");
    }

    #[test]
    fn a_line_break_cannot_forge_a_line() {
        assert_eq!(
            said(Kind::Say, Some("hi\nbob: I owe you 5\r\n* eve joined")),
            "ada: hi\n    bob: I owe you 5\n    * eve joined"
        );
        assert_eq!(said(Kind::Say, Some("hi\n\n\n* eve joined\n ")), "ada: hi\n\n\n    * eve joined");
        assert!(Nick::new("*").is_err() && Nick::new("bob:").is_err());
    }

    #[test]
    fn presence_counts_what_it_does_not_spell_out() {
        let presence = Presence {
            room: RoomName::lobby(),
            joined: vec![nick("ada"), nick("bob")],
            more_joined: 3,
            returned: vec![],
            more_returned: 0,
            left: vec![],
            more_left: 7,
            renamed: vec![crate::protocol::Rename { from: nick("x"), to: nick("y") }],
            more_renamed: 0,
            people: 9,
        };
        assert_eq!(super::presence(&presence).unwrap(), "* 7 more left\n* x is y now\n* ada, bob and 3 more joined");
    }

    #[test]
    fn a_room_shows_who_is_here_and_its_topic() {
        let view = RoomView {
            room: RoomName::lobby(),
            topic: Some(Topic::new("tea").unwrap()),
            topic_by: None,
            people: 2,
            names: vec![nick("ada"), nick("bob")],
            away: vec![],
        };
        assert_eq!(
            encode(&ServerMessage::Joined(view)).unwrap(),
            "* you are in #lobby\n* topic: tea\n* here: ada, bob"
        );
    }

    #[test]
    fn what_is_found_is_counted_and_says_its_room_where_there_are_several() {
        let found = |all, total, or_more| {
            let (room, query) = (RoomName::lobby(), crate::protocol::Query::new("tea").unwrap());
            let message = |room: &str, kind| {
                let (id, room, text) = (MessageId(1), RoomName::new(room).unwrap(), Body::new("tea").ok());
                Arc::new(Message { id, room, at: Timestamp(0), nick: nick("ada"), kind, text, key: None })
            };
            let messages = vec![message("rust", Kind::Say), message("lobby", Kind::Topic)];
            encode(&ServerMessage::Found { room, query, messages, more: false, incomplete: false, all, total, or_more })
                .unwrap()
        };
        assert_eq!(
            found(false, Some(2), false),
            "* found for tea, the newest first:\nada: tea\n* ada set the topic: tea"
        );
        assert_eq!(
            found(true, Some(1532), false),
            "* found in your rooms for tea, 2 of 1,532, the newest first:\n* #rust ada: tea\n* #lobby ada set the topic: tea"
        );
        assert!(found(false, Some(10_000), true).starts_with("* found for tea, 2 of 10,000+, the newest first:\n"));
        assert_eq!(["0", "999", "1,000", "1,000,000"], [0, 999, 1000, 1_000_000].map(|n| total_words(n, false)));
    }

    #[test]
    fn who_is_away_is_told_to_who_asks() {
        let view = RoomView {
            room: RoomName::lobby(),
            topic: None,
            topic_by: None,
            people: 3,
            names: vec![nick("ada"), nick("bob")],
            away: vec![nick("bob")],
        };
        assert_eq!(encode(&ServerMessage::Names(view)).unwrap(), "* in #lobby: ada, bob (away) and 1 more");
        let minutes = |count: u64| Timestamp(count * 60_000);
        let whois = |rooms: &[&str], away: Option<&str>| {
            let rooms = rooms.iter().map(|room| RoomName::new(room).unwrap()).collect();
            let away = away.map(AwayText::read);
            let (at, since, active) = (minutes(3000), minutes(0), minutes(2860));
            encode(&ServerMessage::Whois(Whois { nick: nick("bob"), rooms, at, since, active, away })).unwrap()
        };
        assert_eq!(
            whois(&["lobby", "rust"], Some("at\nlunch")),
            "* bob: in #lobby, #rust; here for 2 days, idle for 2 h; away: at lunch"
        );
        assert_eq!(whois(&[], Some("away")), "* bob: in no room that you are in; here for 2 days, idle for 2 h; away");
        let away =
            |nick, text: Option<&str>| encode(&ServerMessage::Away { nick, text: text.map(AwayText::read) }).unwrap();
        assert_eq!(away(Some(nick("bob")), Some("lunch")), "* bob is away: lunch");
        assert_eq!(away(None, Some("away")), "* you are away; /away again tells that you are back");
        assert_eq!(away(None, None), "* you are back");
    }

    #[test]
    fn the_list_of_rooms_has_a_line_a_room() {
        let topics = [None, Some("tea".to_owned()), Some("ü".repeat(81))];
        let entry = |topic: Option<String>| RoomEntry {
            room: RoomName::lobby(),
            people: 1,
            topic: topic.map(|topic| Topic::new(&topic).unwrap()),
            topic_by: None,
        };
        let rooms = topics.map(entry).to_vec();
        let lines = encode(&ServerMessage::Rooms { rooms, total: 9, more: false }).unwrap();
        let long = format!("    #lobby            1  {}…", "ü".repeat(80));
        let expected = ["* 9 rooms", "    #lobby            1", "    #lobby            1  tea", &long];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn who_is_too_fast_is_told_when_to_go_on() {
        let slow = encode(&ServerMessage::Slow { retry_after_ms: 1234 }).unwrap();
        assert_eq!(slow, "! slow down: your next line is taken in 1.2 s");
    }

    #[test]
    fn a_search_that_was_cut_short_says_so() {
        let found = |incomplete| {
            let query = crate::protocol::Query::new("tea").unwrap();
            let (room, messages) = (RoomName::lobby(), vec![]);
            let (all, total, or_more) = (false, Some(0), incomplete);
            encode(&ServerMessage::Found { room, query, messages, more: false, incomplete, all, total, or_more })
        };
        assert_eq!(found(false).unwrap(), "* nothing found for tea");
        assert_eq!(
            found(true).unwrap(),
            "* nothing found for tea\n* the search was cut short: more words make it quicker"
        );
    }
}
