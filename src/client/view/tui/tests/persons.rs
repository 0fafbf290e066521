//! Tabs for one person alone.

use serde_json::json;

use super::*;
use crate::protocol::{AwayText, ErrorCode, Failure, PersonId, Presence, Rename};

impl Harness {
    /// Returns a stage on which ada is live in the lobby and in rust, with bob.
    fn in_two_rooms() -> Self {
        let mut stage = Self::live();
        stage.open("rust");
        stage.enter(1, None);
        stage
    }

    fn presence(&mut self, tab: usize, change: impl FnOnce(&mut Presence)) {
        let mut presence = Presence::unmoved(self.tui.rooms[tab].name.clone().unwrap(), 2);
        change(&mut presence);
        self.server(tab, &ServerMessage::Presence(presence));
    }

    /// Returns to whom each text that waits is, and what it says.
    fn waiting(&self) -> Vec<(String, Option<PersonId>, String)> {
        let all = self.apps.iter().flat_map(App::unsent);
        let private = all.filter_map(|message| match message {
            ClientMessage::Msg { to, peer, text, .. } => Some((to.to_string(), *peer, text.as_str().to_owned())),
            _ => None,
        });
        private.collect()
    }
}

#[test]
fn a_private_message_has_a_tab_of_its_own_and_no_room_shows_it() {
    let mut stage = Harness::in_two_rooms();
    stage.told(1, &json!({"text": "lunch?"}));
    stage.told(0, &json!({"text": "at noon"}));
    let screen = stage.screen(120, 24);
    assert!(!screen.contains("lunch?") && screen.contains("3 @bob 2!"), "{screen}");
    assert_eq!(stage.tui.title(), "(2!) #lobby - chat");
    stage.alt('a');
    let screen = stage.screen(80, 24);
    assert!(screen.contains("bob: lunch?") && screen.contains("bob: at noon") && screen.contains("@bob"), "{screen}");
    assert_eq!(stage.tui.title(), "@bob - chat");
    stage.alt('2');
    assert!(!stage.screen(80, 24).contains("lunch?"));
}

#[test]
fn that_somebody_is_away_is_told_beside_them() {
    let mut stage = Harness::in_two_rooms();
    stage.told(1, &json!({"text": "lunch?"}));
    let text = AwayText::new("at lunch").ok();
    stage.server(1, &ServerMessage::Away { nick: Some(nick("bob")), text: text.clone() });
    assert!(!stage.screen(80, 24).contains("at lunch"));
    stage.alt('a');
    assert!(stage.screen(80, 24).contains("bob is away: at lunch"));
    stage.enter_line("/away soon back");
    assert_eq!(stage.waiting(), []);
    stage.server(stage.tui.app_of(2), &ServerMessage::Away { nick: None, text });
    assert!(stage.screen(80, 24).contains("you are away: at lunch"));
}

#[test]
fn what_is_typed_there_goes_to_that_person_and_waits_there() {
    let mut stage = Harness::in_two_rooms();
    stage.told(1, &json!({"peer": "p2"}));
    stage.alt('3');
    stage.enter_line("here I am");
    stage.enter_line("//really");
    stage.enter_line("/reply yes");
    let bob = |text: &str| ("bob".to_owned(), Some(PersonId(2)), text.to_owned());
    assert_eq!(stage.waiting(), [bob("here I am"), bob("/really"), bob("yes")]);
    let screen = stage.screen(80, 24);
    assert!(screen.contains("ada: here I am"), "{screen}");
    stage.alt('2');
    assert!(!stage.screen(80, 24).contains("here I am"));
    let key = stage.apps[1].unsent().next().unwrap().key().unwrap().clone();
    stage.told(1, &json!({"peer": "p2", "from": "ada", "to": "bob", "text": "here I am", "key": key}));
    assert_eq!((stage.tui.rooms.len(), stage.waiting().len()), (3, 2));
    assert!(stage.bottom(1).len() <= 2 && stage.screen(80, 24).contains("sent to bob alone; Alt-3 shows it"));
    stage.alt('3');
    assert!(stage.screen(80, 24).contains("ada: here I am"));
}

#[test]
fn a_query_opens_it_and_goes_back_where_one_came_from() {
    let mut stage = Harness::in_two_rooms();
    stage.enter_line("/query BOB");
    assert_eq!((stage.tui.current(), stage.tui.title().as_str()), (2, "@bob - chat"), "spelled as he is");
    assert!(stage.screen(80, 24).contains("only the two of you read this"));
    stage.enter_line("/close");
    assert_eq!((stage.tui.current(), stage.tui.rooms.len(), stage.apps.len()), (0, 2, 2));
    stage.enter_line("/query bob are you there?");
    assert_eq!(stage.waiting()[0].2, "are you there?");
    stage.enter_line("/query ada");
    assert!(stage.screen(80, 24).contains("ada is you"));
    stage.enter_line("/topic tea");
    assert!(stage.screen(80, 24).contains("this is about a room, and @bob is a person"));
    assert_eq!(stage.waiting().len(), 1);
}

#[test]
fn a_room_that_is_opened_stands_before_the_people() {
    let mut stage = Harness::live();
    stage.enter_line("/query bob");
    stage.type_in("a draft");
    stage.open("tea");
    assert_eq!((stage.tui.current(), stage.tui.room_count()), (2, 2));
    assert_eq!(stage.tui.rooms[2].editor.text(), "a draft");
    stage.alt('1');
    stage.type_in("another");
    stage.alt('3');
    assert!(stage.bottom(1).contains("a draft"));
    stage.alt('1');
    stage.control('c');
    stage.enter_line("/leave");
    assert_eq!((stage.tui.room_count(), stage.tui.rooms.len()), (1, 2));
    stage.enter_line("/leave");
    assert!(stage.bottom(2).contains("this is the only room"));
}

#[test]
fn who_has_another_nick_is_followed_and_who_leaves_is_told_of() {
    let mut stage = Harness::in_two_rooms();
    stage.told(0, &json!({"peer": "p2"}));
    stage.alt('3');
    for tab in [0, 1] {
        stage.presence(tab, |presence| presence.renamed.push(Rename { from: nick("bob"), to: nick("rob") }));
    }
    let screen = stage.screen(120, 24);
    assert_eq!(screen.matches("bob is rob now").count(), 1, "{screen}");
    assert_eq!(stage.tui.title(), "@rob - chat");
    stage.presence(0, |presence| presence.left.push(nick("rob")));
    assert!(!stage.screen(80, 24).contains("has left"), "still in the other room");
    stage.presence(1, |presence| presence.left.push(nick("rob")));
    assert!(stage.screen(80, 24).contains("rob has left #rust"));
    stage.presence(0, |presence| presence.joined.push(nick("rob")));
    assert!(stage.screen(80, 24).contains("a rob has come to #lobby, perhaps another one"));
    stage.presence(0, |presence| presence.renamed.push(Rename { from: nick("rob"), to: nick("fay") }));
    assert_eq!(stage.tui.title(), "@rob - chat", "whoever that was");
    stage.told(1, &json!({"peer": "p2", "from": "roberta", "text": "it is me"}));
    assert!(stage.screen(80, 24).contains("rob is roberta now"));
    stage.told(1, &json!({"peer": "p3", "from": "roberta", "text": "and it is not"}));
    assert!(stage.screen(80, 24).contains("somebody else"));
}

#[test]
fn what_is_said_to_one_alone_reaches_nobody_who_has_the_nick_that_they_had() {
    let mut stage = Harness::in_two_rooms();
    stage.enter_line("/query bob");
    for tab in [0, 1] {
        stage.presence(tab, |presence| {
            for (from, to) in [("bob", "carol"), ("carol", "dave")] {
                presence.renamed.push(Rename { from: nick(from), to: nick(to) });
            }
        });
    }
    stage.enter_line("for the one who was bob");
    assert_eq!(stage.waiting()[0].0, "carol");
}

#[test]
fn who_has_gone_is_written_to_no_more_until_one_asks_for_the_nick_again() {
    let mut stage = Harness::in_two_rooms();
    stage.told(0, &json!({"peer": "p2"}));
    stage.alt('3');
    for tab in [0, 1] {
        stage.presence(tab, |presence| presence.left.push(nick("bob")));
    }
    stage.presence(0, |presence| presence.joined.push(nick("bob")));
    stage.enter_line("are you bob?");
    stage.enter_line("/query bob");
    stage.enter_line("whoever you are");
    let peers: Vec<_> = stage.waiting().into_iter().map(|(_, peer, _)| peer).collect();
    assert_eq!(peers, [Some(PersonId(2)), None]);
}

#[test]
fn one_who_takes_the_nick_of_another_is_still_in_the_room() {
    let mut stage = Harness::in_two_rooms();
    stage.presence(0, |presence| presence.joined.extend([nick("carol"), nick("dave")]));
    let names = |stage: &Harness| stage.tui.rooms[0].names.iter().map(Nick::to_string).collect::<Vec<_>>();
    stage.presence(0, |presence| {
        // By their places, whatever came first.
        for (from, to) in [("carol", "bob"), ("bob", "rob")] {
            presence.renamed.push(Rename { from: nick(from), to: nick(to) });
        }
    });
    assert_eq!(names(&stage), ["ada", "bob", "dave", "rob"]);
    stage.presence(0, |presence| {
        presence.left.push(nick("dave"));
        presence.renamed.push(Rename { from: nick("rob"), to: nick("dave") });
    });
    assert_eq!(names(&stage), ["ada", "bob", "dave"]);
}

#[test]
fn what_is_not_delivered_is_told_beside_the_person() {
    let mut stage = Harness::live();
    stage.enter_line("/query bob hello");
    stage.alt('1');
    let key = stage.apps[0].unsent().next().unwrap().key().cloned();
    let failure = Failure::new(ErrorCode::NoSuchNick, "nobody is called bob").about(key);
    stage.server(0, &ServerMessage::Error(failure));
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("hello") && screen.contains("2 @bob 1!"), "{screen}");
    stage.alt('2');
    assert!(stage.screen(80, 24).contains("not sent: \"hello\": nobody is called bob"));
}

#[test]
fn an_ignored_person_opens_no_tab_and_says_nothing_in_one() {
    let mut stage = Harness::live();
    stage.told(0, &json!({"text": "before"}));
    stage.enter_line("/ignore bob eve");
    for from in ["bob", "eve"] {
        stage.told(0, &json!({"from": from, "text": "after"}));
    }
    assert_eq!(stage.tui.rooms.len(), 2);
    stage.alt('2');
    let screen = stage.screen(80, 24);
    assert!(!screen.contains("before") && !screen.contains("after"), "{screen}");
}

#[test]
fn what_was_said_to_one_alone_is_not_called_back_as_something_for_all() {
    let mut stage = Harness::live();
    stage.enter_line("/query bob");
    stage.enter_line("our secret");
    stage.key(KeyCode::Up);
    assert!(stage.bottom(1).contains("> our secret"));
    stage.alt('1');
    stage.key(KeyCode::Up);
    assert!(stage.bottom(1).contains("> /msg bob our secret"));
    assert!(stage.tui.take_entered().iter().any(|line| **line == *"/msg bob our secret"));
}

#[test]
fn many_people_and_many_words_take_so_much_memory_and_no_more() {
    let mut stage = Harness::live();
    stage.told(0, &json!({"from": "first"}));
    stage.enter_line("/query first");
    stage.type_in("draft");
    stage.alt('1');
    for number in 0..100 {
        stage.told(0, &json!({"from": format!("n{number}")}));
    }
    assert_eq!(stage.tui.rooms.len(), 33);
    assert!(stage.tui.tab_of_nick(&nick("first")).is_some(), "something is typed there");
    assert!(stage.tui.tab_of_nick(&nick("n99")).is_some());
    for number in 0..1500 {
        stage.told(0, &json!({"from": "n99", "text": format!("line {number}")}));
    }
    let tab = stage.tui.tab_of_nick(&nick("n99")).unwrap();
    stage.tui.go_to(tab);
    assert!(stage.screen(80, 24).contains("line 1499"));
    stage.press(KeyCode::Home, KeyModifiers::CONTROL);
    stage.tui.wants();
    let screen = stage.screen(80, 24);
    assert!(screen.contains("line 500") && !screen.contains("line 499"), "{screen}");
    stage.told(0, &json!({"from": "n99", "text": "and more"}));
    assert!(stage.screen(80, 24).contains("line 501"));
    assert_eq!(stage.tui.wants(), [], "the server keeps nothing of it");
}

#[test]
fn what_is_for_one_alone_comes_before_what_is_for_all() {
    let mut stage = Harness::live();
    stage.open("tea");
    stage.enter(1, None);
    stage.said(1, "bob", "ada: hi");
    stage.told(0, &json!({"text": "psst"}));
    let line = stage.bottom(2);
    let at = |words: &str| line.find(words).unwrap_or_else(|| panic!("{line}"));
    assert!(at("@bob 1!") > at("#tea 1!"), "the last is the last to be left out: {line}");
}

#[test]
fn what_came_meanwhile_stands_below_the_rule() {
    let mut stage = Harness::live();
    stage.told(0, &json!({"text": "one"}));
    stage.alt('2');
    stage.screen(80, 24);
    stage.alt('1');
    stage.told(0, &json!({"text": "two"}));
    stage.alt('2');
    let screen = stage.screen(80, 24);
    let row = |words: &str| screen.lines().position(|line| line.contains(words));
    assert!(row("one") < row("─ new ─") && row("─ new ─") < row("two"), "{screen}");
}
