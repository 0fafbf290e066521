//! How a conversation begins, loses its connection and resumes.

use super::*;

#[test]
fn the_servers_hello_is_answered_with_ours() {
    let mut chat = Chat::new(Settings { nick: Some(nick("ada")), history: Some(3), ..Settings::default() });
    chat.event(Event::Connected(Dialect::Json));
    assert!(chat.sent.is_empty(), "the server speaks first");
    chat.server(&hello());
    let session = Some(chat.app.session());
    let wanted = ClientHello { nick: Some(nick("ada")), session, history: Some(3), ..ClientHello::default() };
    assert_eq!(chat.sent, [ClientMessage::Hello(wanted)]);
}

/// Returns the session token of the first `hello`.
fn first_token(settings: Settings) -> SessionToken {
    let mut chat = Chat::new(settings);
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    let [ClientMessage::Hello(ClientHello { session: Some(session), .. })] = chat.sent[..] else { panic!("no token") };
    session
}

#[test]
fn the_session_is_ours_from_the_first_hello_or_that_of_another_conversation() {
    let of = |secret| Settings { secret: [secret; 16], ..Settings::default() };
    assert_ne!(first_token(of(1)), first_token(of(2)));
    let mut chat = Chat::new(of(1));
    for _ in 0..2 {
        chat.event(Event::Connected(Dialect::Json));
        chat.server(&hello());
        // The welcome is lost.
        chat.drop_connection();
    }
    assert_eq!(chat.sent[0], chat.sent[1], "whoever comes again is the same person");
    assert_eq!(first_token(Settings { session: Some(chat.app.session()), ..of(3) }), first_token(of(1)));
}

#[test]
fn an_earlier_conversation_is_gone_on_with_where_it_was() {
    let saved_position = Some(bookmark(EPOCH, 5));
    let since = Some(Since::Id(MessageId(2)));
    let mut chat = Chat::new(Settings { since, saved_position, ..Settings::default() });
    chat.join(EPOCH, "ada");
    let [ClientMessage::Hello(hello)] = &chat.sent[..] else { panic!("{:?}", chat.sent) };
    assert_eq!((hello.epoch, hello.after, hello.since), (Some(EPOCH), None, None));
    assert_eq!(hello.history, Some(Limits::HISTORY), "after a year there would be no end of it");
    chat.server(&message(5, "seen", None));
    chat.server(&message(6, "new", None));
    chat.server(&live());
    assert_eq!((chat.messages_shown(), chat.notices()), (1, vec![]));
    let is_welcome =
        |shown: &ViewEvent| matches!(shown, ViewEvent::Event { event: ServerMessage::Welcome(_), quiet: false });
    assert!(chat.shown.iter().any(is_welcome), "it is the first of this conversation");
    chat.drop_connection();
    chat.join(EPOCH, "ada");
    let Some(ClientMessage::Hello(hello)) = chat.sent.last() else { panic!("{:?}", chat.sent) };
    assert_eq!((hello.after, hello.history), (Some(MessageId(6)), None), "nothing of this conversation is left out");
}

#[test]
fn an_earlier_conversation_in_another_history_begins_anew() {
    let mut chat = Chat::new(Settings { saved_position: Some(bookmark(Hex([2; 8]), 5)), ..Settings::default() });
    chat.join(EPOCH, "ada");
    assert!(chat.notices()[0].contains("history is another one"), "{:?}", chat.notices());
    chat.server(&message(1, "new", None));
    chat.server(&live());
    assert_eq!((chat.messages_shown(), chat.app.cursor()), (1, Some(bookmark(EPOCH, 1))));
}

#[test]
fn a_person_who_is_in_too_many_rooms_is_told_and_does_not_try_again() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    chat.server(&failure(ErrorCode::TooManyRooms, None));
    assert_eq!(chat.finished, Some(Err(Failure::Refused("because".to_owned()))));
}

#[test]
fn a_nick_that_the_server_refuses_is_not_offered_again_and_again() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    chat.server(&failure(ErrorCode::BadMessage, None));
    assert!(matches!(chat.sent.last(), Some(ClientMessage::Hello(hello)) if hello.nick.is_none()), "{:?}", chat.sent);
    chat.server(&failure(ErrorCode::BadMessage, None));
    assert_eq!(chat.finished, Some(Err(Failure::Refused("because".to_owned()))));
}

#[test]
fn names_that_our_rules_refuse_are_shown_and_end_nothing() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    let welcome = r#"{"type":"welcome","nick":"a b","session":"00000000000000000000000000000001","epoch":"0101010101010101",
        "resumed":false,"room":"lobby","topic":"\u0007","people":2,"names":["l·-2","\u001b[31m"]}"#;
    for frame in [
        welcome,
        r#"{"type":"message","id":1,"room":"lobby","at":1,"nick":"l·-2","kind":"sing","text":"hi","key":"a b"}"#,
        r#"{"type":"live","room":"lobby","cursor":1}"#,
        r#"{"type":"presence","room":"lobby","joined":["*"],"renamed":[{"from":"a:","to":"☃"}],"people":3}"#,
        r#"{"type":"names","room":"lobby","people":1,"names":[""]}"#,
        r#"{"type":"rooms","rooms":[{"room":"Ä b","people":1,"topic":""}],"total":1}"#,
    ] {
        chat.event(Event::Frame(frame.to_owned()));
    }
    assert_eq!((chat.notices(), chat.shown.len()), (vec![], 8));
    assert_eq!(chat.app.cursor, Some(MessageId(1)));
    // A nick that the server would not recognize is not sent to it.
    chat.drop_connection();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    assert!(matches!(chat.sent.last(), Some(ClientMessage::Hello(hello)) if hello.nick.is_none()), "{:?}", chat.sent);
}

#[test]
fn a_server_whose_welcome_cannot_be_read_is_given_up() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    chat.event(Event::Frame(r#"{"type":"welcome","nick":7}"#.to_owned()));
    assert_eq!(chat.finished, None, "something better may follow");
    chat.wait(10);
    assert!(matches!(&chat.finished, Some(Err(Failure::Unreadable(_)))), "{:?}", chat.finished);
}

#[test]
fn a_taken_nick_is_replaced_and_the_user_is_told() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    let free = Some(nick("ada-2"));
    chat.server(&ServerMessage::Error(Refused { free, ..Refused::new(ErrorCode::NickTaken, "taken") }));
    assert!(matches!(&chat.sent[1], ClientMessage::Hello(hello) if hello.nick == Some(nick("ada-2"))));
    chat.server(&welcome(EPOCH, "ada-2"));
    assert_eq!(
        chat.notices(),
        ["ada is taken; you are ada-2 until it is free. Perhaps a connection of yours that was lost has it still"]
    );
}

#[test]
fn a_server_where_every_nick_is_taken_is_given_up() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    for _ in 0..=NICK_TRIES {
        chat.server(&failure(ErrorCode::NickTaken, None));
    }
    assert_eq!(chat.finished, Some(Err(Failure::NickTaken(nick("ada")))));
    assert_eq!(chat.sent.len(), NICK_TRIES as usize + 1);
}

#[test]
fn why_the_server_lets_nobody_back_is_told_once() {
    let mut chat = Chat::live();
    chat.drop_connection();
    chat.forget();
    let length = Duration::from_secs(4);
    for _ in 0..3 {
        chat.event(Event::Waiting { reason: Some("it is full (503)".to_owned()), hint: None, length });
    }
    chat.event(Event::Waiting { reason: None, hint: None, length });
    assert_eq!(chat.shown, [ViewEvent::Unreachable { reason: "it is full (503)".to_owned() }]);
    let retry_at = Some(chat.now + length);
    let offline = Connection::Offline { since: chat.now, reason: "it is full (503)", retry_at };
    assert_eq!(chat.app.connection(), offline);
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    let mut chat = Chat::new(Settings { server: "ws://here:8080".to_owned(), ..Settings::default() });
    let (reason, length) = ("connection refused", Duration::from_secs(4));
    let waiting =
        Event::Waiting { reason: Some(reason.to_owned()), hint: Some("start one with: server".to_owned()), length };
    chat.event(waiting.clone());
    chat.event(waiting);
    let words = "waiting for a server at ws://here:8080: connection refused; start one with: server".to_owned();
    assert_eq!(chat.shown, [ViewEvent::Waiting { words }]);
    let (since, retry_at) = (chat.now, Some(chat.now + length));
    assert_eq!(chat.app.connection(), Connection::Offline { since, reason, retry_at });
    chat.line("/names");
    assert_eq!(chat.shown.len(), 2, "no answer will come: {:?}", chat.shown);
    chat.forget();
    chat.join(EPOCH, "ada");
    chat.server(&live());
    assert!(
        !chat.shown.iter().any(|shown| matches!(shown, ViewEvent::Back { .. })),
        "nothing was lost: {:?}",
        chat.shown
    );
    assert_eq!(chat.app.connection(), Connection::Live);
}

#[test]
fn another_connection_is_made_when_it_is_asked_for() {
    let mut chat = Chat::live();
    chat.drop_connection();
    chat.event(Event::Waiting { reason: None, hint: None, length: Duration::from_secs(4) });
    chat.event(Event::Reconnect);
    assert_eq!(chat.retries, 1);
    assert!(matches!(chat.app.connection(), Connection::Offline { retry_at: None, .. }), "one is being made");
    chat.join(EPOCH, "ada");
    chat.server(&live());
    let effects = chat.app.update(chat.now, Event::Reconnect);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Reconnect { .. })), "{effects:?}");
    assert!(matches!(chat.app.connection(), Connection::Offline { .. }));
}

#[test]
fn a_server_that_does_not_greet_is_left() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.now = chat.app.wake_at().unwrap();
    let effects = chat.app.update(chat.now, Event::Woke);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Reconnect { .. })));
}

#[test]
fn after_a_drop_what_was_not_echoed_goes_out_again_with_the_same_keys_in_the_same_order() {
    let mut chat = Chat::live();
    for line in ["a", "b", "c"] {
        chat.line(line);
    }
    let before = chat.said();
    chat.drop_connection();
    chat.forget();
    chat.line("d");
    chat.join(EPOCH, "ada");
    // The server had stored the first text: its echo is in the replay.
    let (first, text) = &before[0];
    let stored = chat.message(text, Some(IdempotencyKey::new(first).unwrap()));
    chat.server(&stored);
    assert_eq!(chat.said(), [], "nothing is said before the replay is over");
    chat.server(&live());
    let after = chat.said();
    assert_eq!(after[..2], before[1..]);
    assert_eq!(after[2].1, "d");
}

#[test]
fn a_reconnect_goes_on_where_the_chat_was() {
    let mut chat = Chat::live();
    let seen = chat.message("seen", None);
    chat.server(&seen);
    chat.drop_connection();
    chat.forget();
    chat.now += Duration::from_secs(12);
    chat.join(EPOCH, "ada");
    assert_eq!(
        chat.sent,
        [ClientMessage::Hello(ClientHello {
            nick: Some(nick("ada")),
            room: Some(RoomName::lobby()),
            session: Some(SessionToken(Hex([7; 16]))),
            epoch: Some(EPOCH),
            run: Some(Hex([1; 8])),
            after: Some(MessageId(1)),
            since: None,
            history: None,
        })]
    );
    chat.server(&seen);
    let missed = chat.message("missed", None);
    chat.server(&missed);
    chat.server(&live());
    assert_eq!(chat.messages_shown(), 1, "what was seen is not shown again");
    assert_eq!(chat.notices(), ["back after 12 s: 1 missed, none lost"]);
}

#[test]
fn another_history_is_said_and_read_from_its_start() {
    let mut chat = Chat::live();
    chat.server(&message(900, "old", None));
    chat.drop_connection();
    chat.forget();
    chat.join(Hex([2; 8]), "ada");
    chat.server(&message(1, "new", None));
    chat.server(&live());
    assert_eq!(chat.messages_shown(), 1);
    assert!(chat.notices()[0].contains("history is another one"), "{:?}", chat.notices());
}

/// Returns the last `hello`.
fn last_hello(chat: &Chat) -> &ClientHello {
    let Some(ClientMessage::Hello(hello)) = chat.sent.iter().rev().find(|sent| matches!(sent, ClientMessage::Hello(_)))
    else {
        panic!("{:?}", chat.sent)
    };
    hello
}

#[test]
fn a_history_that_was_put_back_is_said_and_hides_nothing_that_is_said_in_it() {
    for (shared, replay) in [(60, 61), (0, 1)] {
        let mut chat = Chat::live();
        chat.server(&message(100, "seen in the run 1", None));
        chat.drop_connection();
        chat.forget();
        chat.join_run(2, Some(shared));
        let hello = last_hello(&chat);
        assert_eq!((hello.run, hello.after), (Some(Hex([1; 8])), Some(MessageId(100))));
        assert_eq!(chat.notices(), [server::OTHER_HISTORY], "before what is new");
        chat.server(&message(replay, "said in the run 2", None));
        chat.server(&live());
        chat.server(&message(replay + 1, "live", None));
        assert_eq!(chat.messages_shown(), 2);
        let back = chat.notices()[1];
        assert!(back.starts_with("back after") && !back.contains("none lost"), "{back}");
        chat.drop_connection();
        chat.forget();
        chat.join_run(2, None);
        let hello = last_hello(&chat);
        assert_eq!((hello.run, hello.after), (Some(Hex([2; 8])), Some(MessageId(replay + 1))));
        assert_eq!(chat.notices(), [] as [&str; 0]);
    }
}

#[test]
fn a_restart_is_no_other_history() {
    let mut chat = Chat::live();
    chat.server(&message(100, "seen", None));
    chat.drop_connection();
    chat.forget();
    // A `shared` that the server need not send is understood too.
    chat.join_run(2, Some(100));
    chat.server(&live());
    assert_eq!(chat.notices(), ["back after 0 s: 0 missed, none lost"]);
    assert_eq!(chat.app.cursor(), Some(Bookmark { run: Some(Hex([2; 8])), ..bookmark(EPOCH, 100) }));
}

#[test]
fn an_earlier_conversation_is_gone_on_with_where_the_histories_part() {
    let saved_position = Some(Bookmark { run: Some(Hex([7; 8])), ..bookmark(EPOCH, 80) });
    let mut chat = Chat::new(Settings { saved_position, ..Settings::default() });
    chat.join_run(9, Some(60));
    assert_eq!((last_hello(&chat).run, last_hello(&chat).after), (Some(Hex([7; 8])), None));
    for id in 59..=62 {
        chat.server(&message(id, "said", None));
    }
    chat.server(&live());
    assert_eq!((chat.messages_shown(), chat.notices()), (2, vec![server::OTHER_HISTORY]));
}

#[test]
fn a_history_that_ends_before_the_wanted_beginning_is_said() {
    let mut chat = Chat::new(Settings { since: Some(Since::Id(MessageId(1000))), ..Settings::default() });
    chat.join_run(1, Some(0));
    assert_eq!(chat.notices(), [server::NOT_SO_FAR]);
    chat.server(&message(3, "the latest", None));
    chat.server(&live());
    chat.server(&message(4, "live", None));
    assert_eq!(chat.messages_shown(), 2);
}

#[test]
fn a_gap_is_shown() {
    let mut chat = Chat::live();
    let gap = ServerMessage::Gap { room: RoomName::lobby() };
    chat.server(&gap);
    assert_eq!(chat.shown, [ViewEvent::Event { event: gap, quiet: false }]);
}

#[test]
fn a_room_without_a_message_has_a_cursor_too() {
    let mut chat = Chat::new(Settings { history: Some(0), ..Settings::default() });
    chat.join(EPOCH, "ada");
    chat.server(&ServerMessage::Live { room: RoomName::lobby(), cursor: MessageId(7) });
    chat.drop_connection();
    chat.forget();
    chat.join(EPOCH, "ada");
    assert!(matches!(&chat.sent[..], [ClientMessage::Hello(hello)] if hello.after == Some(MessageId(7))));
}

/// Loses the connection for `seconds`, and resumes with `replay`.
fn away(chat: &mut Chat, seconds: u64, replay: &[ServerMessage]) {
    chat.drop_connection();
    chat.forget();
    chat.now += Duration::from_secs(seconds);
    chat.join(EPOCH, "ada");
    for event in replay {
        chat.server(event);
    }
    chat.server(&live());
}

#[test]
fn who_is_back_is_told_what_was_missed() {
    let mut chat = Chat::live();
    let seen = chat.message("seen", None);
    chat.server(&seen);
    let missed = [chat.message("one", None), chat.message("two", None)];
    away(&mut chat, 250, &missed);
    assert_eq!(chat.notices(), ["back after 4 min: 2 missed, none lost"]);
    away(&mut chat, 7200, &[]);
    assert_eq!(chat.notices(), ["back after 2 h: 0 missed, none lost"]);
    let gap = ServerMessage::Gap { room: RoomName::lobby() };
    away(&mut chat, 9, &[gap]);
    assert_eq!(chat.notices(), ["back after 9 s: 0 missed; some messages are gone: the server no longer has them"]);
}

#[test]
fn time_away_counts_from_the_last_sign_of_life() {
    let mut chat = Chat::live();
    chat.now = Duration::from_hours(9);
    chat.event(Event::Dropped { reason: "gone".to_owned(), silent: Duration::from_hours(8) });
    chat.drop_connection();
    chat.forget();
    chat.join(EPOCH, "ada");
    for _ in 0..1200 {
        let missed = chat.message("missed", None);
        chat.server(&missed);
    }
    chat.server(&live());
    assert_eq!(chat.notices(), ["back after 8 h: 1,200 missed, none lost"]);
}

#[test]
fn who_was_away_for_so_long_that_not_all_is_shown_is_told() {
    for (missed, told) in [(999, 0), (1000, 1)] {
        let saved_position = Some(bookmark(EPOCH, 5));
        let mut chat = Chat::new(Settings { saved_position, ..Settings::default() });
        chat.join(EPOCH, "ada");
        for id in 2000..2000 + missed {
            chat.server(&message(id, "missed", None));
        }
        chat.server(&live());
        assert_eq!(chat.notices().len(), told, "{:?}", chat.notices());
        assert!(chat.notices().iter().all(|words| words.ends_with("the last 1,000 are shown")), "{:?}", chat.notices());
    }
}

#[test]
fn a_script_begins_where_it_says_and_goes_on_from_there() {
    for (since, after, age) in
        [(Since::Id(MessageId(5)), Some(MessageId(5)), None), (Since::Age(Duration::from_hours(1)), None, Some(3600))]
    {
        let mut chat = Chat::new(Settings { since: Some(since), ..Settings::default() });
        chat.join(EPOCH, "ada");
        assert!(matches!(&chat.sent[..], [ClientMessage::Hello(hello)] if (hello.after, hello.since) == (after, age)));
        chat.server(&message(9, "x", None));
        chat.server(&live());
        chat.drop_connection();
        chat.forget();
        chat.join(EPOCH, "ada");
        let goes_on = (Some(MessageId(9)), None);
        assert!(matches!(&chat.sent[..], [ClientMessage::Hello(hello)] if (hello.after, hello.since) == goes_on));
    }
}

#[test]
fn what_was_missed_is_wanted_though_nothing_older_was() {
    let mut chat = Chat::new(Settings { history: Some(0), ..Settings::default() });
    for wanted in [Some(0), None] {
        chat.join(EPOCH, "ada");
        let Some(ClientMessage::Hello(hello)) = chat.sent.last() else { panic!("{:?}", chat.sent) };
        assert_eq!(hello.history, wanted, "of another history, the server would show nothing");
        chat.server(&live());
        chat.drop_connection();
    }
}
