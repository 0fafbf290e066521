//! What keys do, and what calls for the user.

use super::*;
use crate::protocol::RoomEntry;

#[test]
fn ctrl_c_clears_then_asks_and_then_quits() {
    let mut stage = Harness::live();
    stage.type_in("half a line");
    stage.control('c');
    assert_eq!(stage.bottom(1), ">");
    stage.control('c');
    assert!(stage.bottom(2).contains("Ctrl-C again quits"));
    stage.type_in("x");
    assert!(!stage.bottom(2).contains("quits") && stage.bottom(1) == "> x");
    stage.control('c');
    assert!(stage.wishes.iter().all(|wish| *wish != UiAction::Quit));
    stage.control('c');
    stage.control('c');
    assert_eq!(stage.wishes.pop(), Some(UiAction::Quit));
}

#[test]
fn ctrl_d_quits_only_on_an_empty_line() {
    let mut stage = Harness::live();
    stage.type_in("x");
    stage.key(KeyCode::Left);
    stage.control('d');
    assert_eq!(stage.bottom(1), ">");
    assert!(!stage.wishes.contains(&UiAction::Quit));
    stage.control('d');
    assert_eq!(stage.wishes.pop(), Some(UiAction::Quit));
}

#[test]
fn a_draft_stays_in_its_room_through_an_outage() {
    let mut stage = Harness::live();
    stage.type_in("first");
    stage.open("rust");
    stage.enter(1, None);
    stage.alt('2');
    assert_eq!(stage.bottom(1), ">");
    stage.type_in("second");
    stage.press(KeyCode::Left, KeyModifiers::ALT);
    stage.event(0, Event::Dropped { reason: "gone".to_owned(), silent: Duration::ZERO });
    stage.enter(0, None);
    assert_eq!(stage.bottom(1), "> first");
    stage.control('n');
    assert_eq!(stage.bottom(1), "> second");
}

#[test]
fn a_dropped_paste_is_told_and_one_that_is_wanted_is_inserted() {
    let mut stage = Harness::live();
    stage.type_in("before ");
    stage.input(Input::Paste("line\r".repeat(9)));
    stage.type_in("yn");
    assert!(stage.bottom(2).contains("insert 9 lines"), "what is typed is no answer: {}", stage.bottom(2));
    stage.key(KeyCode::Esc);
    assert!(stage.bottom(2).contains("not inserted: 9 lines"), "{}", stage.bottom(2));
    assert_eq!(stage.bottom(1), "> before yn");
    stage.input(Input::Paste("line\r".repeat(9)));
    stage.key(KeyCode::Enter);
    assert_eq!(stage.apps[0].pending().count(), 1, "the line that was typed");
    assert_eq!(stage.bottom(1), ">");
    stage.control('y');
    assert!(stage.tui.rooms[0].editor.text().starts_with("line\nline\n"));
    stage.input(Input::Paste("line\r".repeat(9)));
    stage.open("rust");
    stage.enter(1, None);
    stage.alt('2');
    stage.control('y');
    assert_eq!(stage.bottom(1), ">", "it goes nowhere else");
}

#[test]
fn commands_of_the_screen_are_never_sent() {
    let mut stage = Harness::live();
    stage.said(0, "bob", "a message");
    for line in ["/bell off", "/ignore eve", "/clear", "/leave", "/bell", "/ignore", "/bell loud", "/nonsense"] {
        stage.enter_line(line);
        assert_eq!(stage.apps[0].pending().count(), 0, "{line}");
    }
    assert_eq!(stage.tui.bell(), Bell::Off);
    assert_eq!(stage.tui.ignored().nicks(), [nick("eve")]);
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("a message") && screen.contains("usage: /bell") && screen.contains("unknown command"));
}

#[test]
fn a_room_is_opened_once_and_left() {
    let mut stage = Harness::live();
    stage.enter_line("/join rust");
    assert_eq!((stage.tui.rooms.len(), stage.tui.current()), (2, 1));
    stage.enter_line("/join #lobby");
    assert_eq!((stage.tui.rooms.len(), stage.tui.current()), (2, 0));
    stage.enter_line("/join rust");
    stage.enter_line("/leave");
    assert_eq!((stage.tui.rooms.len(), stage.tui.current()), (1, 0));
    stage.enter_line("/leave");
    assert!(stage.bottom(2).contains("the only room"));
}

#[test]
fn rooms_that_were_listed_are_completed() {
    let mut stage = Harness::live();
    let rooms = ["tea", "rust"].map(|name| RoomEntry { room: room(name), people: 1, topic: None, topic_by: None });
    stage.server(0, &ServerMessage::Rooms { rooms: rooms.to_vec(), total: 2, more: false });
    stage.type_in("/join t");
    stage.key(KeyCode::Tab);
    assert_eq!(stage.bottom(1), "> /join tea");
}

#[test]
fn the_bell_rings_for_mentions_while_nobody_looks() {
    let mut stage = Harness::live();
    stage.input(Input::Focus(true));
    stage.said(0, "bob", "ada: ping");
    assert!(!stage.wishes.contains(&UiAction::Ring), "somebody looks");
    stage.input(Input::Focus(false));
    stage.said(0, "bob", "nothing for anybody");
    assert!(!stage.wishes.contains(&UiAction::Ring), "no mention");
    stage.said(0, "bob", "ada: ping");
    let told = UiAction::Notify("bob in #lobby: ada: ping".to_owned());
    assert!(stage.wishes.contains(&UiAction::Ring) && stage.wishes.contains(&told), "{:?}", stage.wishes);
    assert_eq!(stage.tui.title(), "(2!) #lobby - chat");
    stage.input(Input::Focus(true));
    assert_eq!(stage.tui.title(), "#lobby - chat");
    stage.wishes.clear();
    stage.enter_line("/bell off");
    stage.input(Input::Focus(false));
    stage.said(0, "bob", "ada: ping");
    assert!(!stage.wishes.contains(&UiAction::Ring), "it is off");
}

#[test]
fn the_history_of_a_room_just_entered_is_not_unread() {
    let mut stage = Harness::live();
    stage.open("rust");
    stage.event(1, Event::Connected(Dialect::Json));
    let view =
        RoomView { room: room("rust"), topic: None, topic_by: None, people: 1, names: vec![nick("ada")], away: vec![] };
    let welcome =
        Welcome { nick: nick("ada"), session: None, epoch: EPOCH, run: None, shared: None, resumed: false, view };
    stage.server(1, &ServerMessage::Welcome(welcome));
    stage.said(1, "bob", "ada: long ago");
    stage.server(1, &ServerMessage::Live { room: room("rust"), cursor: MessageId(9) });
    assert!(!stage.bottom(2).contains("rust"));
    stage.last_id = 9;
    stage.said(1, "bob", "just now");
    assert!(stage.bottom(2).contains("2 #rust 1"));
    stage.alt('a');
    assert!(stage.bottom(2).starts_with("─ ada ─ #rust"));
}

#[test]
fn the_age_of_an_outage_is_drawn_by_the_second_and_then_by_the_minute() {
    let mut stage = Harness::live();
    let wake = |stage: &Harness| stage.tui.wake_at(stage.elapsed, &stage.apps.iter().collect::<Vec<_>>());
    assert_eq!(wake(&stage), None, "nothing changes by itself");
    stage.elapsed = Duration::from_millis(10_500);
    stage.event(0, Event::Dropped { reason: "gone".to_owned(), silent: Duration::ZERO });
    stage.elapsed = Duration::from_millis(11_700);
    assert_eq!(wake(&stage), Some(Duration::from_millis(12_500)));
    stage.elapsed = Duration::from_secs(75);
    assert_eq!(wake(&stage), Some(Duration::from_millis(130_500)));
}

#[test]
fn a_private_message_is_answered_by_the_connection_that_had_it() {
    let mut stage = Harness::live();
    stage.open("rust");
    stage.enter(1, None);
    let text = Body::new("psst").unwrap();
    let private = crate::protocol::Private {
        peer: None,
        id: None,
        from: nick("bob"),
        to: nick("ada"),
        at: Timestamp(NOON),
        text,
        key: None,
    };
    stage.server(1, &ServerMessage::Private(private));
    assert!(!stage.screen(80, 24).contains("psst") && stage.bottom(2).contains("3 @bob 1!"));
    stage.enter_line("/reply what is it?");
    assert_eq!((stage.apps[0].pending().count(), stage.apps[1].pending().count()), (0, 1));
}

#[test]
fn a_claim_of_focus_ends_and_what_comes_then_is_unread() {
    let mut stage = Harness::live();
    stage.said(0, "bob", "one");
    stage.screen(80, 24);
    stage.elapsed = Duration::from_secs(44);
    stage.said(0, "bob", "ada: two");
    stage.screen(80, 24);
    assert!(!stage.wishes.contains(&UiAction::Ring), "somebody looks");
    stage.elapsed = Duration::from_secs(46);
    stage.said(0, "bob", "ada: three");
    let screen = stage.screen(80, 24);
    assert!(stage.wishes.contains(&UiAction::Ring), "no key for long, and no word of the terminal");
    assert_eq!(stage.tui.title(), "(1!) #lobby - chat");
    let new = screen.lines().position(|row| row.contains("─ new ─"));
    let two = screen.lines().position(|row| row.contains("two"));
    assert_eq!(new, two.map(|two| two + 1), "{screen}");
    stage.key(KeyCode::Char('x'));
    assert_eq!(stage.tui.title(), "#lobby - chat");
    stage.elapsed = Duration::from_secs(100);
    let (_, read, _) = stage.tui.open_rooms().next().unwrap();
    assert_eq!(read, Some(MessageId(3)));
    stage.said(0, "bob", "four");
    stage.screen(80, 24);
    let (_, read, _) = stage.tui.open_rooms().next().unwrap();
    assert_eq!(read, Some(MessageId(3)), "nobody was there");
}

/// Returns what the screen asks of the server for the current room, once it is drawn.
fn asked(stage: &mut Harness) -> Vec<ClientMessage> {
    stage.screen(80, 24);
    let wishes = stage.tui.wants();
    let question = |wish| match wish {
        UiAction::Ask(tab, question) => {
            stage.event(tab, Event::Ask(ClientMessage::clone(&question)));
            Some(question)
        }
        _ => None,
    };
    wishes.into_iter().filter_map(question).collect()
}

#[test]
fn a_refused_page_does_not_stand_in_the_way_of_the_next() {
    let mut stage = Harness::live();
    stage.last_id = 500;
    stage.said(0, "bob", "latest");
    assert_eq!(asked(&mut stage).len(), 1);
    let failure = crate::protocol::Failure::new(crate::protocol::ErrorCode::Unavailable, "not now");
    stage.server(0, &ServerMessage::Error(failure));
    stage.press(KeyCode::Home, KeyModifiers::CONTROL);
    assert_eq!(
        asked(&mut stage),
        [ClientMessage::History { after: Some(MessageId(0)), before: None, at: None, limit: Some(100) }]
    );
    stage.last_id = 0;
    let messages = vec![stage.message(0, "bob", "the very first")];
    stage.server(0, &ServerMessage::History { room: room("lobby"), messages: messages.clone(), more: true });
    stage.server(0, &ServerMessage::History { room: room("lobby"), messages: vec![], more: false });
    let screen = stage.screen(80, 24);
    assert!(screen.contains("the very first") && !screen.contains("not now"), "{screen}");
}

#[test]
fn a_named_room_is_left_and_no_other() {
    let mut stage = Harness::live();
    stage.open("rust");
    stage.open("tea");
    stage.alt('2');
    stage.enter_line("/leave #tea");
    assert_eq!((stage.tui.rooms.len(), stage.tui.current()), (2, 1));
    stage.enter_line("/leave tea");
    assert_eq!(stage.tui.rooms.len(), 2);
    assert!(stage.tui.tab_of(&room("rust")).is_some());
    stage.enter(1, None);
    assert!(stage.screen(80, 24).contains("! you are not in #tea"));
    stage.enter_line("/leave lobby");
    assert_eq!(stage.tui.tab_of(&room("rust")), Some(0));
}

#[test]
fn a_key_does_not_hide_that_one_is_leaving() {
    let mut stage = Harness::live();
    stage.tui.leave();
    assert!(stage.bottom(2).contains("leaving once all is sent"));
    stage.type_in("x");
    assert!(stage.bottom(2).contains("leaving once all is sent"));
}

#[test]
fn the_column_has_ones_own_new_nick() {
    let mut stage = Harness::live();
    stage.server(0, &ServerMessage::Nick { nick: nick("zoe") });
    let screen = stage.screen(120, 24);
    let rows: Vec<_> = screen.lines().filter_map(|row| row.split_once("│ ")).map(|(_, right)| right).collect();
    assert!(rows.contains(&"zoe") && rows.contains(&"bob") && !rows.contains(&"ada"), "{screen}");
}

#[test]
fn history_is_scrolled_to_and_clear_clears() {
    let mut stage = Harness::live();
    for number in 1..=60 {
        stage.said(0, "bob", &format!("message {number}."));
    }
    stage.screen(80, 24);
    stage.enter_line("/history 5");
    let screen = stage.screen(80, 24);
    assert!(screen.contains("message 34.") && !screen.contains("message 60."), "{screen}");
    stage.enter_line("/clear");
    assert_eq!(asked(&mut stage), []);
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("message") && !screen.contains("nothing has been said"), "{screen}");
}

#[test]
fn on_a_screen_of_one_row_the_help_leaves_the_line() {
    let mut stage = Harness::live();
    stage.type_in("a draft");
    stage.key(KeyCode::F(1));
    assert_eq!(stage.screen(80, 1).trim_end(), "> a draft");
}

#[test]
fn a_flood_of_mentions_calls_once_and_counts() {
    let mut stage = Harness::live();
    stage.input(Input::Focus(false));
    for _ in 0..50 {
        stage.elapsed += Duration::from_millis(20);
        stage.said(0, "bob", "ada: ping");
    }
    assert_eq!(stage.wishes.iter().filter(|wish| matches!(wish, UiAction::Ring | UiAction::Notify(_))).count(), 2);
    stage.wishes.clear();
    stage.elapsed += Duration::from_secs(3);
    stage.said(0, "bob", "ada: are you there?");
    let told = UiAction::Notify("49 more, and bob in #lobby: ada: are you there?".to_owned());
    assert!(stage.wishes.contains(&UiAction::Ring) && stage.wishes.contains(&told), "{:?}", stage.wishes);
}

#[test]
fn history_says_how_far_it_goes() {
    let mut stage = Harness::live();
    stage.enter_line("/history 1000");
    assert!(!stage.screen(80, 24).contains("at most"));
    stage.enter_line("/history 5000");
    assert!(stage.screen(80, 24).contains("/history goes back 1000 messages at most; scroll up for more"));
}

#[test]
fn words_of_ones_own_call_like_the_nick() {
    let mut stage = Harness::live();
    stage.enter_line("/highlight deploy on-call");
    assert!(stage.wishes.contains(&UiAction::Remember));
    assert!(stage.screen(80, 24).contains("these words call for you: deploy, on-call"));
    stage.open("rust");
    stage.enter(1, None);
    stage.said(1, "bob", "the Deploy is done");
    stage.said(1, "bob", "a redeployment");
    assert_eq!((stage.tui.rooms[1].unread, stage.tui.rooms[1].mentions), (2, 1));
    stage.enter_line("/highlight -deploy -tea");
    let screen = stage.screen(80, 24);
    assert!(screen.contains("tea is no highlight") && screen.contains("call for you: on-call"), "{screen}");
    stage.said(1, "bob", "deploy");
    assert_eq!(stage.tui.rooms[1].mentions, 1);
}

#[test]
fn enter_on_an_empty_line_tries_to_connect_while_the_next_try_waits() {
    let mut stage = Harness::live();
    stage.key(KeyCode::Enter);
    stage.event(0, Event::Dropped { reason: "gone".to_owned(), silent: Duration::ZERO });
    assert!(!stage.wishes.contains(&UiAction::Reconnect(0)), "a try is being made");
    stage.event(0, Event::Waiting { reason: None, hint: None, length: Duration::from_secs(9) });
    stage.type_in("hi");
    stage.key(KeyCode::Enter);
    assert!(!stage.wishes.contains(&UiAction::Reconnect(0)), "the line is said");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.wishes.pop(), Some(UiAction::Reconnect(0)));
    stage.enter(0, None);
    stage.enter_line("/reconnect");
    assert_eq!(stage.wishes.pop(), Some(UiAction::Reconnect(0)));
}

#[test]
fn the_first_that_is_new_is_asked_for_where_it_is_not_here() {
    let mut stage = Harness::new(Depth::True);
    stage.apps.push(App::new(Settings { nick: Some(nick("ada")), ..Settings::default() }));
    stage.tui.open(Some(room("lobby")), Some(Bookmark { epoch: EPOCH, run: None, id: MessageId(3) }));
    stage.enter(0, None);
    stage.press(KeyCode::Home, KeyModifiers::ALT);
    assert!(stage.bottom(2).contains("nothing here is new"), "{}", stage.bottom(2));
    stage.last_id = 5000;
    stage.input(Input::Focus(false));
    stage.said(0, "bob", "hi");
    stage.press(KeyCode::Home, KeyModifiers::ALT);
    let question = ClientMessage::History { after: Some(MessageId(3)), before: None, at: None, limit: Some(100) };
    assert_eq!(stage.wishes.pop(), Some(UiAction::Ask(0, question)));
}
