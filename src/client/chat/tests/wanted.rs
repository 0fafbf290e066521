//! The wanted nick that somebody else has. The app asks for it until it gets it.

use super::*;

/// Returns a chat of ada. The server calls her ada-2 because somebody else is ada.
fn without_her_nick() -> Chat {
    let mut chat = Chat::ada();
    chat.event(Event::Connected(Dialect::Json));
    chat.server(&hello());
    chat.server(&taken());
    chat.server(&welcome(EPOCH, "ada-2"));
    chat.server(&live());
    chat.forget();
    chat
}

fn taken() -> ServerMessage {
    ServerMessage::Error(Refused { free: Some(nick("ada-2")), ..Refused::new(ErrorCode::NickTaken, "ada is taken") })
}

fn is_ada() -> ServerMessage {
    ServerMessage::Nick { nick: nick("ada") }
}

fn presence(chat: &mut Chat, what: &str) {
    chat.event(Event::Frame(format!(r#"{{"type":"presence","room":"lobby",{what},"people":2}}"#)));
}

fn asks() -> ClientMessage {
    ClientMessage::Nick { nick: nick("ada") }
}

#[test]
fn the_wanted_nick_is_asked_for_as_soon_as_who_has_it_is_gone() {
    let mut chat = without_her_nick();
    presence(&mut chat, r#""left":["bob"]"#);
    assert_eq!(chat.sent, [], "it is not free");
    presence(&mut chat, r#""left":["ada"]"#);
    assert_eq!(chat.sent, [asks()]);
    chat.forget();
    chat.server(&taken());
    assert!(chat.shown.is_empty() && chat.sent.is_empty(), "nobody is told");
    presence(&mut chat, r#""renamed":[{"from":"ada","to":"eve"}]"#);
    assert_eq!(chat.sent, [asks()]);
    chat.forget();
    chat.server(&is_ada());
    assert_eq!(chat.shown, [ViewEvent::Event { event: is_ada(), quiet: false }]);
    assert_eq!((chat.app.nick(), chat.app.wake_at()), (Some(&nick("ada")), None));
}

#[test]
fn a_nick_of_somebody_who_is_not_seen_is_asked_for_from_time_to_time() {
    let mut chat = without_her_nick();
    for _ in 0..3 {
        let at = chat.app.wake_at().unwrap();
        assert!(at > chat.now, "it does not spin");
        chat.now = at;
        chat.event(Event::Woke);
        assert_eq!(chat.sent, [asks()]);
        chat.server(&taken());
        chat.forget();
    }
    // Another connection of ours was faster.
    chat.now = chat.app.wake_at().unwrap();
    chat.event(Event::Woke);
    chat.server(&is_ada());
    chat.server(&is_ada());
    assert_eq!(chat.shown.len(), 1);
}

#[test]
fn after_a_reconnect_it_is_asked_for_at_once() {
    let mut chat = without_her_nick();
    chat.drop_connection();
    chat.join(EPOCH, "ada-2");
    chat.forget();
    chat.server(&live());
    assert_eq!(chat.sent, [asks()]);
}

#[test]
fn a_nick_that_the_user_chose_since_is_kept() {
    let mut chat = without_her_nick();
    chat.line("/nick eve");
    chat.server(&ServerMessage::Nick { nick: nick("eve") });
    chat.forget();
    presence(&mut chat, r#""left":["ada"]"#);
    assert_eq!((chat.sent.as_slice(), chat.app.wanted()), (&[][..], Some(&nick("eve"))));
    // Chosen on another connection while this one was lost.
    chat.drop_connection();
    chat.join(EPOCH, "zoe");
    chat.forget();
    chat.server(&live());
    assert_eq!((chat.sent.as_slice(), chat.app.wanted()), (&[][..], Some(&nick("zoe"))));
}

#[test]
fn what_the_user_asks_for_in_vain_is_told() {
    let mut chat = without_her_nick();
    chat.line("/nick eve");
    chat.server(&taken());
    assert!(
        matches!(chat.shown[..], [ViewEvent::Event { event: ServerMessage::Error(_), quiet: false }]),
        "{:?}",
        chat.shown
    );
    assert_eq!(chat.app.wanted(), Some(&nick("ada")));
}
