//! Whose words are not shown, by whatever way they come.

use super::*;
use crate::protocol::{Presence, Private, Query, Rename, RoomEntry};

/// Returns a stage on which ada ignores eve and looks elsewhere.
fn ignoring() -> Harness {
    let mut stage = Harness::live();
    stage.enter_line("/ignore eve");
    stage.input(Input::Focus(false));
    stage.wishes.clear();
    stage
}

fn presence(stage: &Harness) -> Presence {
    Presence::unmoved(stage.tui.rooms[0].name.clone().unwrap(), 3)
}

fn whisper(stage: &mut Harness, from: &str, text: &str) {
    let text = Body::new(text).unwrap();
    let private =
        Private { peer: None, id: None, from: nick(from), to: nick("ada"), at: Timestamp(NOON), text, key: None };
    stage.server(0, &ServerMessage::Private(private));
}

fn topic(stage: &mut Harness, who: &str, text: &str) {
    let mut message = Message::clone(&stage.message(0, who, text));
    message.kind = Kind::Topic;
    stage.server(0, &ServerMessage::Message(Arc::new(message)));
}

#[test]
fn every_form_of_the_nick_is_ignored_and_calls_for_nobody() {
    let mut stage = ignoring();
    for who in ["eve", "EVE", "eve-2", "еve"] {
        stage.said(0, who, "ada: buy this");
        whisper(&mut stage, who, "ada: buy this");
    }
    let screen = stage.screen(120, 24);
    assert!(!screen.contains("buy this"), "{screen}");
    assert!(
        !stage.wishes.iter().any(|wish| matches!(wish, UiAction::Ring | UiAction::Notify(_))),
        "{:?}",
        stage.wishes
    );
    assert_eq!(stage.tui.title(), "#lobby - chat");
    stage.said(0, "steve", "ada: hello");
    assert_eq!(stage.tui.title(), "(1!) #lobby - chat");
}

#[test]
fn what_is_here_goes_and_comes_back() {
    let mut stage = Harness::live();
    stage.said(0, "eve", "buy this");
    stage.said(0, "bob", "no, thanks");
    stage.enter_line("/ignore Eve");
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("buy this") && screen.contains("no, thanks"), "{screen}");
    stage.enter_line("/ignore eve");
    let screen = stage.screen(80, 24);
    assert!(screen.contains("buy this"), "{screen}");
}

#[test]
fn pages_of_history_are_without_them_and_lead_on() {
    let mut stage = ignoring();
    let old: Vec<_> = (1..=200).map(|number| stage.message(0, "eve", &format!("spam {number}"))).collect();
    stage.said(0, "bob", "latest");
    let mut asked = Vec::new();
    for _ in 0..9 {
        stage.screen(80, 24);
        for wish in stage.tui.wants() {
            let UiAction::Ask(0, ClientMessage::History { before: Some(before), .. }) = wish else {
                panic!("{wish:?}")
            };
            asked.push(before.0);
            stage.event(
                0,
                Event::Ask(ClientMessage::History { after: None, before: Some(before), at: None, limit: Some(100) }),
            );
            let messages = old.iter().filter(|old| old.id < before && old.id.0 + 100 >= before.0).cloned().collect();
            let name = room("lobby");
            stage.server(0, &ServerMessage::History { room: name, messages, more: false });
        }
    }
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("spam") && screen.contains("latest"), "{screen}");
    assert!(screen.contains("the beginning of the history"), "{screen}");
    assert_eq!(asked, [201, 101, 1]);
}

#[test]
fn a_search_finds_nothing_of_theirs() {
    let mut stage = ignoring();
    let messages = vec![stage.message(0, "eve-2", "tea is bad"), stage.message(0, "bob", "tea is good")];
    let (name, query) = (room("lobby"), Query::new("tea").unwrap());
    stage.server(
        0,
        &ServerMessage::Found {
            room: name,
            query,
            messages,
            more: false,
            incomplete: false,
            all: false,
            total: None,
            or_more: false,
        },
    );
    let screen = stage.screen(80, 24);
    assert!(screen.contains("tea is good") && !screen.contains("tea is bad"), "{screen}");
}

#[test]
fn nobody_is_answered_unawares() {
    let mut stage = Harness::live();
    whisper(&mut stage, "bob", "are you there?");
    stage.enter_line("/ignore eve");
    whisper(&mut stage, "eve", "psst");
    stage.enter_line("/reply yes");
    let to: Vec<_> = stage.apps[0].pending().map(|pending| pending.to).collect();
    assert_eq!(to, [Some(nick("bob"))]);
}

#[test]
fn their_coming_and_going_is_not_told() {
    let mut stage = Harness::live();
    stage.said(0, "eve", "hello");
    stage.enter_line("/ignore eve");
    let left = Presence { left: vec![nick("eve")], ..presence(&stage) };
    stage.server(0, &ServerMessage::Presence(left));
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("eve left"), "{screen}");
}

#[test]
fn their_topic_is_not_shown() {
    let mut stage = ignoring();
    topic(&mut stage, "eve", "buy this");
    stage.enter_line("/topic");
    stage.server(
        0,
        &ServerMessage::Topic { room: room("lobby"), topic: Some(Topic::new("buy this").unwrap()), topic_by: None },
    );
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("buy this") && screen.contains("the topic is of somebody"), "{screen}");
    topic(&mut stage, "bob", "biscuits");
    assert!(stage.bottom(2).contains("biscuits"));
}

fn renamed(stage: &mut Harness, from: &str, to: &str) {
    let rename = Rename { from: nick(from), to: nick(to) };
    let renamed = Presence { renamed: vec![rename], ..presence(stage) };
    stage.server(0, &ServerMessage::Presence(renamed));
}

fn left(stage: &mut Harness, who: &str) {
    let left = Presence { left: vec![nick(who)], ..presence(stage) };
    stage.server(0, &ServerMessage::Presence(left));
}

#[test]
fn who_changes_their_nick_is_still_ignored_and_that_is_told_once() {
    let mut stage = ignoring();
    renamed(&mut stage, "eve", "zoe");
    stage.said(0, "zoe", "buy this");
    whisper(&mut stage, "zoe", "buy this");
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("buy this") && screen.contains("eve is zoe now, and stays ignored"), "{screen}");
    assert_eq!(stage.tui.ignored().nicks(), [nick("eve")]);
    assert_eq!(stage.wishes, [UiAction::Ignore], "only what the user chose is remembered");
    stage.enter_line("/ignore");
    assert!(stage.screen(80, 24).contains("ignored: eve, zoe (eve)"));
    renamed(&mut stage, "zoe", "mia");
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("mia"), "{screen}");
    stage.enter_line("/ignore mia");
    assert!(stage.screen(80, 24).contains("mia is ignored with eve; /ignore eve shows what they say"));
}

#[test]
fn who_gets_the_nick_of_somebody_ignored_is_not_ignored() {
    let mut stage = ignoring();
    stage.said(0, "boss", "I go to lunch");
    left(&mut stage, "boss");
    stage.elapsed += Duration::from_mins(1);
    // What she says before anybody hears of her nick is hidden, too.
    stage.said(0, "boss", "buy this");
    renamed(&mut stage, "eve", "boss");
    stage.said(0, "boss", "and buy that");
    topic(&mut stage, "boss", "buy all");
    assert!(stage.screen(80, 24).contains("I go to lunch"));
    left(&mut stage, "boss");
    stage.said(0, "boss", "I am back");
    whisper(&mut stage, "boss", "ada, a word");
    let screen = stage.screen(80, 24);
    for shown in ["I go to lunch", "I am back", "2 @boss 1!"] {
        assert!(screen.contains(shown), "{screen}");
    }
    assert!(!screen.contains("buy"), "{screen}");
    stage.enter_line("/ignore eve");
    assert!(stage.screen(80, 24).contains("and buy that"));
    // It is the same for a nick that she has when she is shown again.
    stage.enter_line("/ignore eve");
    renamed(&mut stage, "eve", "chief");
    stage.enter_line("/ignore eve");
    stage.said(0, "chief", "at your service");
    assert!(stage.screen(80, 24).contains("at your service"));
}

#[test]
fn nobody_is_followed_through_what_was_not_seen() {
    for lost in 0..3 {
        let mut stage = ignoring();
        stage.open("tea");
        stage.enter(1, None);
        renamed(&mut stage, "eve", "boss");
        match lost {
            0 => stage.event(0, Event::Dropped { reason: "test".to_owned(), silent: Duration::ZERO }),
            1 => {
                let view = RoomView {
                    room: room("lobby"),
                    topic: None,
                    topic_by: None,
                    people: 1,
                    names: vec![nick("ada")],
                    away: vec![],
                };
                stage.server(0, &ServerMessage::Names(view));
            }
            _ => {
                let wishes = stage.tui.close(0);
                assert_eq!(wishes, [UiAction::Ignore]);
            }
        }
        assert_eq!(stage.tui.ignored().followed().count(), 0, "{lost}");
    }
}

#[test]
fn nobody_ignores_themselves() {
    let mut stage = Harness::live();
    for form in ["ada", "ADA", "аdа"] {
        stage.enter_line(&format!("/ignore {form}"));
        assert!(stage.screen(80, 24).contains(&format!("! {form} is you")), "{form}");
    }
    assert!(stage.tui.ignored().nicks().is_empty());
    // Somebody who was ignored once has the nick that is one's own now.
    stage.tui.ignore(Ignored::new(vec![nick("ada")]));
    stage.said(0, "ada", "my own words");
    assert!(stage.screen(80, 24).contains("my own words"));
}

#[test]
fn the_column_marks_them_and_tab_names_them_only_to_ignore() {
    let mut stage = Harness::live();
    let view = RoomView {
        room: room("lobby"),
        topic: None,
        topic_by: None,
        people: 3,
        names: vec![nick("ada"), nick("eve")],
        away: vec![],
    };
    stage.server(0, &ServerMessage::Names(view));
    stage.enter_line("/ignore eve");
    assert!(stage.screen(120, 24).contains("eve (ignored)"));
    stage.type_in("ev");
    stage.key(KeyCode::Tab);
    assert_eq!(stage.bottom(1), "> ev");
    stage.control('c');
    stage.type_in("/ignore e");
    stage.key(KeyCode::Tab);
    assert_eq!(stage.bottom(1), "> /ignore eve");
}

#[test]
fn nobody_is_promised_what_a_server_of_lines_cannot_keep() {
    let mut stage = Harness::new(Depth::True);
    stage.open("lobby");
    stage.event(0, Event::Connected(Dialect::Text));
    stage.enter_line("/ignore eve");
    assert!(stage.screen(80, 24).contains("! this server speaks plain text only"));
    assert!(stage.tui.ignored().nicks().is_empty());
}

#[test]
fn a_topic_of_theirs_is_hidden_wherever_the_server_tells_whose_it_is() {
    let told = |by: &str| {
        let topic = Topic::new(&format!("{by} sells tea")).unwrap();
        (Some(topic), Some(nick(by)))
    };
    let mut stage = ignoring();
    let view = |by| {
        let (topic, topic_by) = told(by);
        RoomView {
            room: room("lobby"),
            topic,
            topic_by,
            people: 2,
            names: vec![nick("ada"), nick("bob")],
            away: vec![],
        }
    };
    let entry = |by| {
        let (topic, topic_by) = told(by);
        RoomEntry { room: room("tea"), people: 1, topic, topic_by }
    };
    for (by, shows) in [("eve", false), ("EVE", false), ("bob", true), ("ada", true)] {
        stage.server(0, &ServerMessage::Names(view(by)));
        assert_eq!(stage.bottom(2).contains("sells tea"), shows, "{by}");
        let (topic, topic_by) = told(by);
        stage.event(0, Event::Line("/topic".to_owned()));
        stage.server(0, &ServerMessage::Topic { room: room("lobby"), topic, topic_by });
        let words = format!("topic of #lobby: {by} sells tea");
        assert_eq!(stage.screen(80, 24).contains(&words), shows, "{by}");
        stage.server(0, &ServerMessage::Rooms { rooms: vec![entry(by)], total: 1, more: false });
        assert_eq!(stage.screen(80, 24).contains(&format!("1  {by} sells tea")), shows, "{by}");
        stage.server(0, &ServerMessage::Joined(view(by)));
        assert_eq!(stage.screen(80, 24).contains(&format!("topic: {by} sells tea")), shows, "{by}");
    }
    // Whose it is is not known, as from an earlier version.
    stage.server(0, &ServerMessage::Names(RoomView { topic_by: None, ..view("eve") }));
    stage.enter_line("/ignore bob");
    stage.server(0, &ServerMessage::Names(RoomView { topic_by: None, ..view("zoe") }));
    assert!(stage.bottom(2).contains("zoe sells tea"));
}
