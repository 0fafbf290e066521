//! What is chosen for one room: what of it calls, and whose comings and goings it tells.

use super::*;
use crate::protocol::{Presence, Rename};

impl Harness {
    /// Returns a stage on which ada is live in so many rooms, looks at the first, and has the
    /// keyboard elsewhere.
    fn away_in(rooms: &[&str]) -> Self {
        let mut stage = Self::new(Depth::True);
        for (tab, name) in rooms.iter().enumerate() {
            stage.open(name);
            stage.enter(tab, None);
        }
        stage.input(Input::Focus(false));
        stage.wishes.clear();
        stage
    }

    /// Returns whether it rings when somebody says `text` in the tab, long after the last ring.
    fn rings(&mut self, tab: usize, text: &str) -> bool {
        self.elapsed += Duration::from_mins(1);
        self.wishes.clear();
        self.said(tab, "bob", text);
        let rings = self.wishes.contains(&UiAction::Ring);
        assert_eq!(rings, self.wishes.iter().any(|wish| matches!(wish, UiAction::Notify(_))), "both or none");
        rings
    }

    fn chose(&mut self, tab: usize, line: &str) {
        self.tui.go_to(tab);
        self.enter_line(line);
        self.input(Input::Focus(false));
    }
}

#[test]
fn a_room_rings_as_was_chosen_for_it() {
    let mut stage = Harness::away_in(&["lobby", "tea", "rust"]);
    stage.chose(1, "/notify none");
    assert!(stage.wishes.contains(&UiAction::Remember));
    stage.chose(2, "/notify all");
    for (tab, said, mentioned) in [(0, false, true), (1, false, false), (2, true, true)] {
        assert_eq!((stage.rings(tab, "hello"), stage.rings(tab, "hello ada")), (said, mentioned), "{tab}");
    }
    stage.chose(0, "/bell off");
    for (tab, said, mentioned) in [(0, false, false), (1, false, false), (2, true, true)] {
        assert_eq!((stage.rings(tab, "hello"), stage.rings(tab, "hello ada")), (said, mentioned), "{tab}");
    }
    stage.chose(2, "/notify default");
    assert!(!stage.rings(2, "hello ada"));
    // What is told to one alone rings as everywhere, whatever room is in front.
    stage.chose(1, "/bell mentions");
    stage.elapsed += Duration::from_mins(1);
    stage.wishes.clear();
    stage.told(1, &serde_json::json!({}));
    assert!(stage.wishes.contains(&UiAction::Ring));
}

#[test]
fn notify_and_joins_tell_what_holds() {
    let mut stage = Harness::live();
    let mut answer = |line: &str| {
        stage.enter_line(line);
        let screen = stage.screen(80, 24);
        screen.lines().nth(21).unwrap().trim_start().to_owned()
    };
    assert!(answer("/notify").contains("* mentions here call for you, as /bell says"));
    assert!(answer("/bell off").contains("the bell is off"));
    assert!(answer("/notify").contains("* nothing here calls for you, as /bell says"));
    assert_eq!(answer("/notify all"), "* every message here calls for you; /notify default: as /bell");
    assert_eq!(answer("/bell off"), "* the bell is off; but by /notify in #lobby: all");
    assert!(answer("/notify loud").contains("! usage: /notify [all | mentions | none | default]"));
    assert!(answer("/joins").contains("of those who spoke in the last 30 minutes"));
    assert!(answer("/joins none").contains("tells of nobody"));
    assert!(answer("/joins").contains("tells of nobody"));
}

#[test]
fn alt_a_goes_where_it_calls_most() {
    let mut stage = Harness::away_in(&["lobby", "muted", "quiet", "all", "named"]);
    stage.chose(1, "/notify none");
    stage.chose(3, "/notify all");
    stage.tui.go_to(0);
    for tab in 1..4 {
        stage.said(tab, "bob", "hello ada, and hello");
    }
    stage.tui.go_to(2);
    stage.tui.go_to(0);
    for tab in 1..4 {
        stage.said(tab, "bob", "hello");
    }
    stage.tui.go_to(3);
    stage.tui.go_to(0);
    stage.said(3, "bob", "hello");
    stage.said(4, "bob", "hello ada");
    let mut seen = Vec::new();
    for _ in 0..4 {
        stage.alt('a');
        seen.push(stage.tui.rooms[stage.tui.current()].label());
    }
    assert_eq!(seen, ["#named", "#all", "#quiet", "#muted"]);
    stage.alt('a');
    assert!(stage.bottom(2).contains("nothing is unread elsewhere"));
}

#[test]
fn a_room_tells_of_whom_was_chosen() {
    let moves = |stage: &mut Harness, tab: usize| {
        let lobby = stage.tui.rooms[tab].name.clone().unwrap();
        let presence = Presence {
            joined: vec![nick("eve")],
            more_joined: 3,
            left: vec![nick("bob")],
            renamed: vec![Rename { from: nick("x"), to: nick("y") }],
            ..Presence::unmoved(lobby, 5)
        };
        stage.server(tab, &ServerMessage::Presence(presence));
        stage.bottom(3).lines().next().unwrap().trim_start().to_owned()
    };
    let mut stage = Harness::live();
    stage.said(0, "bob", "hello");
    assert_eq!(moves(&mut stage, 0), "* bob left");
    stage.enter_line("/joins all");
    assert_eq!(moves(&mut stage, 0), "* eve and 3 more joined; bob left; x is y now");
    stage.enter_line("/joins none");
    stage.said(0, "eve", "hello");
    assert!(moves(&mut stage, 0).ends_with("eve: hello"), "nobody is told of");
    // It is about one room.
    stage.open("tea");
    stage.enter(1, None);
    stage.tui.go_to(1);
    stage.said(1, "bob", "hello");
    assert_eq!(moves(&mut stage, 1), "* bob left");
}

#[test]
fn several_are_ignored_at_once() {
    let mut stage = Harness::live();
    stage.enter_line("/ignore eve bob, ada");
    let screen = stage.screen(80, 24);
    for words in ["! ada is you", "* eve is ignored; /ignore eve again", "bob is ignored; /ignore bob again"] {
        assert!(screen.contains(words), "{screen}");
    }
    stage.enter_line("/ignore");
    assert!(stage.bottom(3).contains("* ignored: eve, bob"));
    stage.enter_line("/ignore bob eve");
    stage.enter_line("/ignore");
    assert!(stage.bottom(3).contains("* nobody is ignored"));
}
