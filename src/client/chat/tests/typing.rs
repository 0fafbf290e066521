//! What is typed, and what happens to it.

use super::*;

#[test]
fn whoever_waits_for_a_server_waits_as_long_as_it_takes() {
    for wait in [true, false] {
        let mut chat = Chat::new(Settings { piped: true, wait, ..Settings::default() });
        chat.line("hello");
        chat.event(Event::InputEnded);
        chat.now += Duration::from_hours(1);
        chat.event(Event::Woke);
        assert_eq!(chat.finished.is_none(), wait);
        if wait {
            chat.join(EPOCH, "ada");
            chat.server(&live());
            chat.event(Event::Woke);
            assert!(chat.finished.is_none(), "it has just been sent");
            chat.now += Duration::from_mins(1);
            chat.event(Event::Woke);
            assert!(matches!(chat.finished, Some(Err(Failure::Unsent { lines: 0, doubtful: 1, .. }))));
        }
    }
}

#[test]
fn what_is_typed_before_the_chat_is_live_waits() {
    let mut chat = Chat::ada();
    chat.line("one");
    chat.join(EPOCH, "ada");
    chat.line("two");
    assert_eq!(chat.texts(), [""; 0]);
    chat.server(&live());
    assert_eq!(chat.texts(), ["one", "two"]);
}

#[test]
fn only_the_echo_takes_a_text_out() {
    let mut chat = Chat::live();
    chat.line("hi");
    assert_eq!(chat.app.outbox.unsent_texts(), 1);
    let other = chat.message("hi", Some(IdempotencyKey::new("guessed-1").unwrap()));
    chat.server(&other);
    assert_eq!(chat.app.outbox.unsent_texts(), 1);
    chat.echo();
    assert!(chat.app.outbox.is_empty());
    assert_eq!(chat.messages_shown(), 2);
}

#[test]
fn a_server_that_asks_for_patience_gets_it_and_nothing_is_sent_twice() {
    let mut chat = Chat::live();
    chat.line("a");
    chat.server(&ServerMessage::Slow { retry_after_ms: 3000 });
    chat.line("b");
    assert_eq!(chat.texts(), ["a"]);
    assert_eq!(chat.app.wake_at(), Some(Duration::from_secs(3)));
    chat.wait(3);
    assert_eq!(chat.texts(), ["a", "b"]);
}

#[test]
fn a_text_that_was_refused_is_given_back_with_the_reason() {
    let mut chat = Chat::live();
    chat.line("/msg bob psst");
    let ClientMessage::Msg { key: Some(key), .. } = &chat.sent[0] else { panic!("{:?}", chat.sent) };
    let refused = failure(ErrorCode::NoSuchNick, Some(key.as_str()));
    chat.server(&refused);
    assert_eq!(chat.notices(), ["not sent: \"psst\": because"]);
    assert!(chat.app.outbox.is_empty());
}

#[test]
fn a_text_that_could_not_be_stored_is_tried_again() {
    let mut chat = Chat::live();
    chat.line("hi");
    let before = chat.said();
    chat.server(&failure(ErrorCode::NotStored, Some(&before[0].0)));
    assert_eq!(chat.said().len(), 1);
    chat.wait(1);
    assert_eq!(chat.said(), [before.clone(), before].concat());
}

#[test]
fn what_an_earlier_conversation_left_is_sent_first_and_under_its_keys() {
    let mut chat = Chat::ada();
    chat.line("typed since");
    let text = |key: &str| ClientMessage::Say { key: IdempotencyKey::new(key).ok(), text: Body::new(key).unwrap() };
    chat.join(EPOCH, "ada");
    chat.event(Event::Resend(vec![text("k1"), text("k2"), text("k3")]));
    // The store already had the second text. Its echo arrives with the missed messages.
    let echo = chat.message("k2", IdempotencyKey::new("k2").ok());
    chat.server(&echo);
    chat.server(&live());
    assert_eq!(chat.texts(), ["k1", "k3", "typed since"]);
    assert_eq!(chat.said()[0].0, "k1");
    assert_eq!(chat.app.unsent().count(), 3);
}

#[test]
fn a_change_of_room_keeps_what_comes_after_it_for_the_new_room() {
    let mut chat = Chat::live();
    chat.line("/join rust");
    chat.line("hi rust");
    assert_eq!(chat.texts(), [""; 0]);
    chat.server(&message(90, "late in the lobby", None));
    chat.server(&ServerMessage::Joined(view("rust")));
    let ServerMessage::Message(older) = message(2, "older, but not seen", None) else { unreachable!() };
    let older = Message { room: RoomName::new("rust").unwrap(), ..Message::clone(&older) };
    chat.server(&ServerMessage::Message(Arc::new(older)));
    assert_eq!(chat.messages_shown(), 2);
    chat.server(&live());
    assert_eq!(chat.texts(), ["hi rust"]);
}

#[test]
fn a_change_of_room_that_fails_holds_nothing_up() {
    let mut chat = Chat::live();
    chat.line("/join rust");
    chat.line("hi");
    chat.server(&failure(ErrorCode::Unavailable, None));
    assert_eq!(chat.texts(), ["hi"]);
}

#[test]
fn questions_are_refused_while_there_is_nobody_to_ask() {
    let mut chat = Chat::live();
    chat.drop_connection();
    chat.line("/names");
    chat.line("/help");
    assert_eq!(chat.notices()[0], "not connected; try again when the connection is back");
    assert!(chat.notices()[1].starts_with("commands;"));
}

#[test]
fn a_reply_goes_to_who_wrote_last() {
    let mut chat = Chat::live();
    chat.line("/reply hello?");
    assert_eq!(chat.notices(), ["there is no private message to answer, or who wrote the last one has gone"]);
    let private = |from: &str, to: &str| {
        let text = Body::new("psst").unwrap();
        ServerMessage::Private(Private {
            peer: None,
            id: None,
            from: nick(from),
            to: nick(to),
            at: Timestamp(0),
            text,
            key: None,
        })
    };
    chat.server(&private("bob", "ada"));
    chat.server(&private("ada", "eve"));
    chat.line("/reply yes");
    assert!(matches!(&chat.sent[0], ClientMessage::Msg { to, .. } if *to == nick("bob")));
}

fn presence(renamed: &[(&str, &str)], left: &[&str]) -> ServerMessage {
    let presence = serde_json::json!({
        "type": "presence", "room": "lobby", "people": 1, "left": left,
        "renamed": renamed.iter().map(|(from, to)| serde_json::json!({"from": from, "to": to})).collect::<Vec<_>>(),
    });
    serde_json::from_value(presence).unwrap()
}

#[test]
fn a_reply_goes_to_the_person_who_wrote() {
    let private = |peer: Option<u64>| {
        let (from, to, text) = (nick("bob"), nick("ada"), Body::new("psst").unwrap());
        ServerMessage::Private(Private {
            peer: peer.map(PersonId),
            id: None,
            from,
            to,
            at: Timestamp(0),
            text,
            key: None,
        })
    };
    let mut chat = Chat::live();
    let mut reply_to = |events: &[ServerMessage]| {
        chat.sent.clear();
        for event in events {
            chat.server(event);
        }
        chat.line("/reply yes");
        chat.sent.iter().find_map(|sent| match sent {
            ClientMessage::Msg { to, peer, .. } => Some((to.to_string(), peer.map(|PersonId(number)| number))),
            _ => None,
        })
    };
    let renamed = presence(&[("bob", "robert")], &[]);
    let some = |to: &str, peer| Some((to.to_owned(), peer));
    assert_eq!(reply_to(&[private(Some(12))]), some("bob", Some(12)));
    assert_eq!(reply_to(std::slice::from_ref(&renamed)), some("robert", Some(12)));
    assert_eq!(reply_to(&[presence(&[], &["robert"])]), some("robert", Some(12)), "the server knows better");
    // A server that does not identify persons.
    assert_eq!(reply_to(&[private(None), renamed]), some("robert", None));
    assert_eq!(reply_to(&[presence(&[], &["robert"])]), None);
}

#[test]
fn a_private_message_that_comes_again_is_shown_once() {
    let private = |peer, id, from: &str| {
        let (from, to, text) = (nick(from), nick("ada"), Body::new("ok").unwrap());
        ServerMessage::Private(Private { peer: Some(PersonId(peer)), id, from, to, at: Timestamp(1), text, key: None })
    };
    let shown = |chat: &Chat| {
        let is_private =
            |shown: &&ViewEvent| matches!(shown, ViewEvent::Event { event: ServerMessage::Private(_), .. });
        chat.shown.iter().filter(is_private).count()
    };
    // Somebody who sends the same text three times, and ada herself on another connection.
    for from in ["bob", "ada"] {
        let mut chat = Chat::live();
        for (peer, id, count) in [(12, 1, 1), (12, 2, 2), (12, 3, 3), (12, 2, 3), (12, 3, 3), (13, 3, 4), (12, 4, 5)] {
            chat.server(&private(peer, Some(id), from));
            assert_eq!(shown(&chat), count);
        }
    }
    // An earlier server cannot tell them apart, so every message is shown.
    let mut chat = Chat::live();
    for count in 1..=3 {
        chat.server(&private(12, None, "bob"));
        assert_eq!(shown(&chat), count);
    }
}

#[test]
fn the_people_of_another_history_are_others() {
    let another: [fn(&mut Chat); 3] = [
        |chat| chat.join(Hex([2; 8]), "ada"),
        |chat| chat.join_run(2, Some(60)),
        // A run that the server does not know, although all messages that were seen may belong to
        // this history.
        |chat| chat.join_run(2, Some(0)),
    ];
    for (number, another) in another.into_iter().enumerate() {
        let mut chat = Chat::live();
        if number < 2 {
            chat.server(&message(100, "seen", None));
        }
        let (from, to, text) = (nick("bob"), nick("ada"), Body::new("psst").unwrap());
        let private = Private { peer: Some(PersonId(12)), id: Some(17), from, to, at: Timestamp(0), text, key: None };
        let is_private = |shown: &ViewEvent| matches!(shown, ViewEvent::Event { event: ServerMessage::Private(_), .. });
        chat.server(&ServerMessage::Private(private.clone()));
        chat.line("/reply under way");
        chat.drop_connection();
        chat.line("/reply secret");
        chat.line("/msg bob by name");
        chat.line("for all");
        chat.forget();
        another(&mut chat);
        chat.server(&live());
        assert_eq!(chat.texts(), ["for all"]);
        assert!(!chat.sent.iter().any(|sent| matches!(sent, ClientMessage::Msg { .. })), "{:?}", chat.sent);
        for text in ["under way", "secret", "by name"] {
            let words = format!("not sent: \"{text}\": the server is another one than before; /msg bob says it anew");
            assert!(chat.notices().contains(&words.as_str()), "{:?}", chat.notices());
        }
        chat.line("/reply yes");
        let words = "there is no private message to answer, or who wrote the last one has gone";
        assert_eq!(chat.notices().last(), Some(&words), "nobody is left to answer");
        // The same IDs now belong to another message.
        chat.server(&ServerMessage::Private(private));
        assert_eq!(chat.shown.iter().filter(|shown| is_private(shown)).count(), 1);
    }
}

#[test]
fn after_a_restart_a_reply_goes_to_who_wrote() {
    let mut chat = Chat::live();
    chat.server(&message(100, "seen", None));
    let (from, to, text) = (nick("bob"), nick("ada"), Body::new("psst").unwrap());
    let private = Private { peer: Some(PersonId(12)), id: Some(17), from, to, at: Timestamp(0), text, key: None };
    chat.server(&ServerMessage::Private(private));
    chat.drop_connection();
    chat.line("/reply yes");
    chat.join_run(2, Some(100));
    chat.server(&live());
    assert!(chat.sent.iter().any(|sent| matches!(sent, ClientMessage::Msg { peer: Some(PersonId(12)), .. })));
}

#[test]
fn the_end_of_input_waits_for_the_echo() {
    let mut chat = Chat::ada();
    chat.line("hi");
    chat.event(Event::InputEnded);
    chat.join(EPOCH, "ada");
    chat.server(&live());
    assert_eq!(chat.finished, None);
    chat.sent.retain(|message| !matches!(message, ClientMessage::Hello(_)));
    chat.echo();
    assert_eq!(chat.finished, Some(Ok(())));
    assert_eq!(chat.sent, [ClientMessage::Quit]);
}

#[test]
fn without_input_the_history_is_shown_and_that_is_all() {
    let mut chat = Chat::ada();
    chat.event(Event::InputEnded);
    chat.join(EPOCH, "ada");
    chat.server(&message(1, "old", None));
    assert_eq!(chat.finished, None);
    chat.server(&live());
    assert_eq!((chat.finished, chat.shown.len()), (Some(Ok(())), 5));
}

#[test]
fn a_question_at_the_end_of_input_is_answered() {
    let mut chat = Chat::live();
    chat.line("/names");
    chat.event(Event::InputEnded);
    assert_eq!(chat.finished, None);
    chat.server(&ServerMessage::Names(view("lobby")));
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn lines_that_are_never_echoed_are_counted() {
    let mut chat = Chat::live();
    chat.line("a");
    chat.line("b");
    chat.event(Event::InputEnded);
    chat.wait(29);
    assert_eq!(chat.finished, None);
    chat.wait(1);
    assert_eq!(chat.told_unsent(), "2 lines may have been said: the server has not confirmed it");
}

#[test]
fn what_went_out_before_the_connection_was_lost_may_have_been_said() {
    let mut chat = Chat::live();
    chat.line("a");
    chat.line("b");
    chat.drop_connection();
    chat.line("c");
    chat.event(Event::Stop);
    assert_eq!(chat.told_unsent(), "1 line was not sent, and 2 lines may have been said: the connection is lost: gone");
}

#[test]
fn after_a_join_that_is_refused_a_pipe_says_nothing_more() {
    let why = "they were for the room of a /join that was refused";
    for (line, of_server) in [("/join Bad.Room", false), ("/JOIN", false), ("/j Bad.Room", false), ("/join rust", true)]
    {
        let mut chat = Chat::live();
        chat.app.settings.piped = true;
        chat.line("before");
        chat.line(line);
        assert_eq!(chat.app.wants_input(), of_server, "{line}");
        if of_server {
            chat.line("to rust");
            chat.line("/me waves in rust");
        }
        assert_eq!((chat.finished.clone(), chat.texts()), (None, vec!["before".to_owned()]));
        chat.echo();
        if of_server {
            chat.server(&failure(ErrorCode::TooManyRooms, None));
            assert_eq!(chat.told_unsent(), format!("2 lines were not sent: {why}"));
        } else {
            assert_eq!(chat.finished, Some(Err(Failure::LinesRefused(1))));
        }
        assert_eq!((chat.texts(), chat.app.left_behind()), (vec![], Some(why)));
    }
    // A person sees the refusal and continues to type.
    let mut chat = Chat::live();
    chat.line("/join Bad.Room");
    chat.line("hi");
    assert_eq!((chat.texts(), chat.app.left_behind()), (vec!["hi".to_owned()], None));
}

#[test]
fn the_rest_of_a_long_command_is_not_said_aloud() {
    for (line, told) in [("/msg bob secret", 1), ("/no such command", 1), ("/nick bob", 1), ("//text", 0)] {
        let mut chat = Chat::live();
        chat.line(line);
        let before = chat.texts().len();
        for _ in 0..2 {
            chat.event(Event::Continued("the rest".to_owned()));
        }
        assert_eq!((chat.notices().len(), chat.texts().len() - before), (told, 2 - 2 * told), "{line}");
        chat.line("next");
        chat.event(Event::Continued("line".to_owned()));
        assert_eq!(chat.texts().iter().rev().take(2).collect::<Vec<_>>(), ["line", "next"]);
    }
}

#[test]
fn a_server_that_cannot_store_or_only_asks_to_wait_does_not_renew_the_patience() {
    for (event, words) in [
        (failure(ErrorCode::NotStored, None), "1 line was not sent: the server cannot take what is said: because"),
        (ServerMessage::Slow { retry_after_ms: 500 }, "1 line may have been said: the server asks for patience"),
    ] {
        let mut chat = Chat::live();
        chat.line("a");
        let key = IdempotencyKey::new(&chat.said()[0].0).unwrap();
        let event = match event {
            ServerMessage::Error(failure) => ServerMessage::Error(failure.about(Some(key))),
            event => event,
        };
        chat.event(Event::InputEnded);
        for _ in 0..30 {
            assert_eq!(chat.finished, None);
            chat.server(&event);
            chat.wait(1);
        }
        chat.server(&event);
        chat.wait(1);
        assert_eq!(chat.told_unsent(), words);
    }
}

#[test]
fn a_text_that_cannot_be_stored_is_told_once_until_one_is() {
    let mut chat = Chat::live();
    for _ in 0..2 {
        chat.line("a");
        let key = chat.said()[0].0.clone();
        for _ in 0..3 {
            chat.server(&failure(ErrorCode::NotStored, Some(&key)));
        }
        assert_eq!(chat.notices(), ["the server cannot take what is said, and it is tried again: because"]);
        chat.echo();
        chat.wait(1);
        chat.forget();
    }
}

#[test]
fn a_pipe_that_is_full_ends_within_its_patience_and_a_person_may_wait() {
    for piped in [true, false] {
        let mut chat = Chat::live();
        chat.app.settings.piped = piped;
        chat.wait(3600);
        chat.drop_connection();
        while chat.app.wants_input() {
            chat.line("x");
        }
        chat.wait(29);
        assert_eq!(chat.finished, None);
        chat.wait(1);
        if piped {
            assert_eq!(chat.told_unsent(), "1000 lines were not sent: the connection is lost: gone");
        } else {
            assert_eq!((chat.finished, chat.app.wake_at()), (None, None));
        }
    }
}

#[test]
fn a_pipe_with_a_line_that_was_refused_is_no_success() {
    for piped in [true, false] {
        let mut chat = Chat::new(Settings { piped, ..Settings::default() });
        chat.join(EPOCH, "ada");
        chat.server(&live());
        chat.forget();
        chat.line("/etc/hosts changed");
        chat.line("/msg bob hi");
        let ClientMessage::Msg { key, .. } = &chat.sent[0] else { panic!("{:?}", chat.sent) };
        let refused = failure(ErrorCode::NoSuchNick, key.as_ref().map(IdempotencyKey::as_str));
        chat.server(&refused);
        chat.line("/nick bob");
        chat.server(&failure(ErrorCode::NickTaken, None));
        chat.event(Event::InputEnded);
        if piped {
            assert!(chat.notices()[0].starts_with("not sent: \"/etc/hosts changed\": unknown command /etc"));
            assert!(chat.notices()[0].contains("--no-commands"));
            assert_eq!(chat.finished, Some(Err(Failure::LinesRefused(3))));
        } else {
            assert_eq!(chat.finished, Some(Ok(())));
        }
    }
}

#[test]
fn a_long_pipe_has_patience_as_long_as_it_gets_on() {
    let mut chat = Chat::live();
    (0..40).for_each(|n| chat.line(&n.to_string()));
    chat.event(Event::InputEnded);
    for _ in 0..3 {
        assert_eq!(chat.finished, None);
        chat.wait(20);
        chat.echo();
    }
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn to_quit_says_so_and_waits_shortly() {
    let mut chat = Chat::live();
    chat.line("/quit");
    assert_eq!((chat.finished.take(), chat.sent.as_slice()), (Some(Ok(())), [ClientMessage::Quit].as_slice()));
    let mut chat = Chat::live();
    chat.line("hi");
    chat.line("/quit");
    chat.wait(5);
    assert_eq!(chat.told_unsent(), "1 line may have been said: the server has not confirmed it");
}

#[test]
fn to_stop_says_what_is_lost() {
    let mut chat = Chat::live();
    chat.event(Event::Stop);
    assert_eq!(chat.finished, Some(Ok(())));
    let mut chat = Chat::ada();
    chat.line("hi");
    chat.event(Event::Stop);
    assert_eq!(chat.told_unsent(), "1 line was not sent: there is no connection");
}

#[test]
fn a_full_outbox_lets_a_pipe_wait() {
    let mut chat = Chat::ada();
    while chat.app.wants_input() {
        chat.line("x");
    }
    chat.line("one too many");
    assert_eq!(chat.notices(), ["not taken: too many lines wait to be sent already"]);
    chat.join(EPOCH, "ada");
    chat.server(&live());
    assert_eq!(chat.texts().len(), 16);
    chat.echo();
    assert!(chat.app.wants_input());
}

#[test]
fn long_lines_are_split_and_what_goes_on_is_no_command() {
    let mut chat = Chat::live();
    chat.line(&"é".repeat(10_000));
    chat.event(Event::Continued("/quit".to_owned()));
    let texts = chat.texts();
    assert_eq!(texts.iter().map(|text| text.chars().count()).collect::<Vec<_>>(), [8192, 1808, 5]);
    assert_eq!(chat.finished, None);
}

#[test]
fn without_commands_every_line_is_a_text() {
    let mut chat = Chat::live();
    chat.app.settings.no_commands = true;
    chat.line("/quit //x");
    chat.line("   ");
    assert_eq!(chat.texts(), ["/quit //x"]);
}

#[test]
fn a_server_of_lines_gets_lines() {
    let mut chat = Chat::ada();
    chat.line("/names");
    chat.line("hi");
    chat.event(Event::Connected(Dialect::Text));
    chat.line("//etc");
    chat.line("/me waves");
    assert_eq!(chat.lines, ["hi", "/etc"]);
    assert_eq!(chat.notices().len(), 2);
    assert!(chat.notices()[0].starts_with("this server speaks plain text only"));
    chat.event(Event::InputEnded);
    chat.event(Event::Frame("someone: hi".to_owned()));
    assert_eq!(chat.finished, None);
    chat.event(Event::Frame("me: /etc".to_owned()));
    assert_eq!(chat.finished, Some(Ok(())));
}

#[test]
fn a_server_of_lines_has_no_other_room_for_what_a_pipe_says() {
    let mut chat = Chat::new(Settings { piped: true, ..Settings::default() });
    for line in ["here", "/join rust", "there"] {
        chat.line(line);
    }
    chat.event(Event::Connected(Dialect::Text));
    chat.event(Event::Frame("me: here".to_owned()));
    assert_eq!(chat.lines, ["here"]);
    assert!(chat.told_unsent().starts_with("1 line was not sent: "));
}

#[test]
fn a_server_of_lines_that_does_not_echo_is_no_failure() {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Text));
    chat.line("hi");
    chat.event(Event::InputEnded);
    chat.wait(2);
    assert_eq!(chat.finished, Some(Ok(())));
    assert_eq!(chat.notices(), ["the server did not confirm that it took the last line"]);
}

#[test]
fn what_cannot_be_read_is_said_and_what_is_unknown_is_not() {
    let mut chat = Chat::live();
    chat.event(Event::Frame(r#"{"type":"weather"}"#.to_owned()));
    chat.event(Event::Frame("\u{1b}[31m".to_owned()));
    assert_eq!(chat.notices().len(), 1);
    assert!(chat.notices()[0].starts_with("the server sent something that cannot be read"));
}

#[test]
fn an_answer_that_cannot_be_read_is_an_answer() {
    let mut chat = Chat::live();
    for line in ["/names", "/rooms", "/topic", "/history", "/search tea", "/nick eve", "hi"] {
        chat.line(line);
    }
    for kind in ["names", "rooms", "topic", "history", "found", "nick"] {
        chat.event(Event::Frame(format!(r#"{{"type":"{kind}","nick":1,"room":1,"rooms":1}}"#)));
    }
    let key = chat.said()[0].0.clone();
    chat.event(Event::Frame(format!(r#"{{"type":"message","id":"one","key":"{key}"}}"#)));
    assert_eq!((chat.notices().len(), chat.app.outbox.is_empty()), (7, true), "{:?}", chat.app.outbox);
    chat.line("ho");
    let key = chat.said()[1].0.clone();
    chat.event(Event::Frame(format!(r#"{{"type":"error","key":"{key}"}}"#)));
    assert!(chat.notices()[8].starts_with("not sent: \"ho\""), "{:?}", chat.notices());
}

#[test]
fn names_that_nobody_asked_for_are_not_shown_to_people() {
    let mut chat = Chat::live();
    let names = ServerMessage::Names(view("lobby"));
    chat.server(&names);
    chat.line("/names");
    chat.server(&names);
    let quiet = |shown: &ViewEvent| matches!(shown, ViewEvent::Event { quiet: true, .. });
    assert_eq!(chat.shown.iter().map(quiet).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn what_is_nearly_a_command_is_said_when_it_is_entered_twice() {
    let mut chat = Chat::new(Settings { interactive: true, ..Settings::default() });
    chat.join(EPOCH, "ada");
    chat.server(&live());
    for line in [" /msg bob secret", "hello", " /msg bob secret", " /msg bob secret"] {
        chat.line(line);
    }
    let said: Vec<_> = chat.said().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["hello", " /msg bob secret"]);
    assert!(
        chat.shown
            .iter()
            .any(|shown| matches!(shown, ViewEvent::Refusal(words) if words.contains("begins with a blank")))
    );
    // A program means what it writes.
    let mut chat = Chat::live();
    chat.line(" /msg bob secret");
    assert_eq!(chat.said().len(), 1);
}

#[test]
fn who_types_without_a_connection_sees_that_it_waits() {
    let mut chat = Chat::new(Settings { interactive: true, ..Settings::default() });
    chat.join(EPOCH, "ada");
    chat.server(&live());
    chat.drop_connection();
    chat.forget();
    chat.line("hello");
    assert_eq!(chat.notices(), ["waits for the connection: hello"]);
}

#[test]
fn an_echo_from_a_room_that_was_left_is_no_cursor_of_this_one() {
    let mut chat = Chat::live();
    chat.line("hi");
    let key = IdempotencyKey::new(&chat.said()[0].0).unwrap();
    chat.server(&ServerMessage::Joined(view("rust")));
    chat.server(&message(9, "hi", Some(key)));
    assert!(chat.app.outbox.is_empty(), "it is acknowledged");
    assert_eq!((chat.messages_shown(), chat.app.cursor), (0, None));
}

#[test]
fn the_days_of_a_search_are_those_of_the_user() {
    let mut chat = Chat::live();
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
    chat.line("/search tea after:1970-01-02");
    chat.event(Event::Clock(jiff::Timestamp::UNIX_EPOCH.to_zoned(zone)));
    chat.line("/search -a tea after:1970-01-02 before:0m");
    chat.line("/search tea before:soon");
    let asked = |chat: &Chat| -> Vec<_> {
        let asked = chat.sent.iter().map(|message| match message {
            ClientMessage::Search { all, since, until, .. } => (*all, since.map(|at| at.0), until.map(|at| at.0)),
            other => panic!("{other:?}"),
        });
        asked.collect()
    };
    assert_eq!(asked(&chat), [(false, None, None), (true, Some(22 * 60 * 60 * 1000), Some(0))]);
    assert!(matches!(&chat.shown[..], [ViewEvent::Refusal(words)] if words.starts_with("before:soon is no time")));
}
