//! What a view asks, and what it can see of the state of the conversation.

use super::*;
use crate::protocol::Query;

/// Returns, for each event shown, whether it is hidden from people.
fn quiet(chat: &Chat) -> Vec<bool> {
    let quiet = |shown: &ViewEvent| match shown {
        ViewEvent::Event { quiet, .. } => Some(*quiet),
        ViewEvent::Answer { .. } => Some(true),
        _ => None,
    };
    chat.shown.iter().filter_map(quiet).collect()
}

fn older(before: u64) -> ClientMessage {
    ClientMessage::History { after: None, before: Some(MessageId(before)), at: None, limit: Some(50) }
}

fn page(more: bool) -> ServerMessage {
    ServerMessage::History { room: RoomName::lobby(), messages: vec![], more }
}

#[test]
fn what_the_view_asks_is_answered_for_the_view_alone() {
    let mut chat = Chat::live();
    chat.event(Event::Ask(older(9)));
    chat.line("/history 5");
    assert_eq!(chat.sent[0], older(9));
    chat.server(&page(true));
    chat.server(&page(false));
    chat.server(&page(true));
    chat.server(&page(false));
    assert_eq!(quiet(&chat), [true, true, false, false]);
}

#[test]
fn every_question_may_be_the_views() {
    let query = Query::new("tea").unwrap();
    let room = RoomName::lobby();
    let found = ServerMessage::Found {
        room: room.clone(),
        query: query.clone(),
        messages: vec![],
        more: false,
        incomplete: false,
        all: false,
        total: None,
        or_more: false,
    };
    for (question, answer) in [
        (ClientMessage::Search { query, limit: None, before: None, all: false, since: None, until: None }, found),
        (ClientMessage::Names, ServerMessage::Names(view("lobby"))),
        (ClientMessage::Rooms, ServerMessage::Rooms { rooms: vec![], total: 0, more: false }),
        (ClientMessage::Topic, ServerMessage::Topic { room, topic: None, topic_by: None }),
        (ClientMessage::Topic, failure(ErrorCode::Unavailable, None)),
    ] {
        let mut chat = Chat::live();
        chat.event(Event::Ask(question.clone()));
        chat.server(&answer);
        assert_eq!(quiet(&chat), [true], "{question:?}");
        assert_eq!(chat.notices(), [""; 0]);
        chat.event(Event::Ask(question.clone()));
        assert_eq!(chat.sent, [question.clone(), question], "it was answered, and may be asked again");
    }
}

#[test]
fn a_list_of_rooms_is_shown_once_it_is_whole() {
    let mut chat = Chat::live();
    chat.event(Event::Ask(ClientMessage::Rooms));
    let part = |names: &[&str], more| {
        let entry =
            |name: &&str| RoomEntry { room: RoomName::new(name).unwrap(), people: 1, topic: None, topic_by: None };
        ServerMessage::Rooms { rooms: names.iter().map(entry).collect(), total: 3, more }
    };
    chat.server(&part(&["a", "b"], true));
    assert_eq!(chat.shown, []);
    chat.server(&part(&["c"], false));
    let event = part(&["a", "b", "c"], false);
    assert_eq!(chat.shown, [ViewEvent::Answer { question: Box::new(ClientMessage::Rooms), event }]);
    // The rest of a list that a lost connection cut off is not part of the next list.
    chat.line("/rooms");
    chat.server(&part(&["a"], true));
    chat.drop_connection();
    chat.join(EPOCH, "ada");
    chat.server(&live());
    chat.forget();
    chat.server(&part(&["b"], false));
    assert_eq!(chat.shown, [ViewEvent::Event { event: part(&["b"], false), quiet: false }]);
    for _ in 0..2000 {
        chat.server(&part(&["a", "b", "c"], true));
    }
    assert_eq!(chat.app.listed.len(), 1000);
}

#[test]
fn what_the_view_asks_waits_for_the_connection_and_is_asked_once() {
    let mut chat = Chat::live();
    chat.event(Event::Ask(older(9)));
    chat.drop_connection();
    chat.event(Event::Ask(older(9)));
    chat.event(Event::Ask(older(5)));
    chat.forget();
    chat.join(EPOCH, "ada");
    chat.server(&live());
    assert_eq!(chat.sent[1..], [older(9), older(5)]);
}

#[test]
fn nobody_waits_at_the_end_for_what_the_view_asked() {
    let mut chat = Chat::live();
    chat.event(Event::Ask(older(9)));
    chat.line("/quit");
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn a_server_of_lines_is_not_asked() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Text));
    chat.event(Event::Ask(older(9)));
    assert_eq!((chat.lines.len(), chat.notices().len()), (0, 0));
    assert_eq!(chat.app.dialect(), Dialect::Text);
}

#[test]
fn texts_are_pending_until_they_are_echoed() {
    let mut chat = Chat::live();
    for line in ["hi", "/me waves", "/msg bob psst", "/topic tea", "/topic -", "/names"] {
        chat.line(line);
    }
    let pending = |kind, to: Option<&str>, text: Option<&str>| Pending {
        kind,
        to: to.map(nick),
        text: text.map(|text| Body::new(text).unwrap()),
    };
    let expected = [
        pending(Kind::Say, None, Some("hi")),
        pending(Kind::Me, None, Some("waves")),
        pending(Kind::Say, Some("bob"), Some("psst")),
        pending(Kind::Topic, None, Some("tea")),
        pending(Kind::Topic, None, None),
    ];
    assert_eq!(chat.app.pending().collect::<Vec<_>>(), expected);
    chat.echo();
    assert_eq!(chat.app.pending().collect::<Vec<_>>(), expected[1..]);
}

#[test]
fn the_state_of_the_connection_can_be_seen() {
    let mut chat = Chat::ada();
    assert_eq!(chat.app.connection(), Connection::Connecting);
    chat.join(EPOCH, "ada");
    assert_eq!(chat.app.connection(), Connection::Replaying);
    chat.server(&live());
    assert_eq!(chat.app.connection(), Connection::Live);
    chat.now = Duration::from_secs(5);
    chat.drop_connection();
    let lost = Connection::Offline { since: chat.now, reason: "gone", retry_at: None };
    assert_eq!(chat.app.connection(), lost);
    chat.wait(7);
    chat.event(Event::Connected(Dialect::Json));
    assert_eq!(chat.app.connection(), Connection::Connecting);
    chat.drop_connection();
    assert_eq!(chat.app.connection(), lost, "it was not back in between");
}

#[test]
fn who_and_where_one_is_can_be_seen() {
    let mut chat = Chat::ada();
    assert_eq!((chat.app.nick(), chat.app.room(), chat.app.cursor()), (Some(&nick("ada")), None, None));
    chat.join(EPOCH, "ada-2");
    let seen = chat.message("seen", None);
    chat.server(&seen);
    assert_eq!((chat.app.nick(), chat.app.room()), (Some(&nick("ada-2")), Some(&RoomName::lobby())));
    assert_eq!(chat.app.cursor(), Some(bookmark(EPOCH, 1)));
}

#[test]
fn a_nick_that_was_asked_for_elsewhere_is_ours() {
    let mut chat = Chat::live();
    chat.line("/nick eve");
    chat.server(&ServerMessage::Nick { nick: nick("zoe") });
    assert_eq!(chat.app.nick(), Some(&nick("zoe")));
    assert_eq!(quiet(&chat), [false], "the user is told");
    chat.line("/names");
    chat.server(&failure(ErrorCode::NickTaken, None));
    chat.server(&ServerMessage::Names(view("lobby")));
    assert_eq!(quiet(&chat), [false; 3], "the failure was that of the nick, not of the question after it");
    chat.drop_connection();
    chat.forget();
    chat.join(EPOCH, "zoe");
    assert!(matches!(&chat.sent[0], ClientMessage::Hello(hello) if hello.nick == Some(nick("zoe"))));
}

/// Returns the questions that were answered or refused, and whether they were answered.
fn answers(chat: &Chat) -> Vec<(ClientMessage, bool)> {
    let answer = |shown: &ViewEvent| match shown {
        ViewEvent::Answer { question, event } => {
            Some((ClientMessage::clone(question), !matches!(event, ServerMessage::Error(_))))
        }
        _ => None,
    };
    chat.shown.iter().filter_map(answer).collect()
}

#[test]
fn an_error_takes_its_question_with_it() {
    let mut chat = Chat::live();
    for before in [9, 5] {
        chat.event(Event::Ask(older(before)));
    }
    chat.server(&failure(ErrorCode::Unavailable, None));
    chat.server(&page(false));
    assert_eq!(answers(&chat), [(older(9), false), (older(5), true)]);
}

#[test]
fn an_error_is_about_the_question_that_it_fits() {
    let mut chat = Chat::live();
    chat.line("/nick eve");
    chat.event(Event::Ask(older(9)));
    chat.event(Event::Ask(older(5)));
    // A change of nick is answered when it is done, perhaps after later questions.
    chat.server(&failure(ErrorCode::Unavailable, None));
    chat.server(&failure(ErrorCode::NickTaken, None));
    chat.server(&page(false));
    assert_eq!(answers(&chat), [(older(9), false), (older(5), true)]);
    assert_eq!(quiet(&chat), [true, false, true]);
}
