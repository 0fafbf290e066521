//! The column beside the conversation, and a topic that is longer than its place.

use super::*;
use crate::protocol::Limits;

impl Harness {
    /// Returns a stage on which ada is live in so many rooms.
    fn in_rooms(count: usize) -> Self {
        let mut stage = Self::new(Depth::True);
        for tab in 0..count {
            stage.open(&format!("room{}", tab + 1));
            stage.enter(tab, None);
        }
        stage.input(Input::Focus(true));
        stage
    }
}

#[test]
fn with_many_rooms_the_one_in_front_and_the_people_are_seen() {
    let mut stage = Harness::in_rooms(32);
    for tab in 0..32 {
        stage.tui.go_to(tab);
        let screen = stage.screen(120, 24);
        let number = if tab < 9 { (tab + 1).to_string() } else { " ".to_owned() };
        assert!(screen.contains(&format!(">{number} #room{}", tab + 1)), "{screen}");
        assert!(screen.contains("2 here") && screen.contains("│ bob"), "{screen}");
    }
    stage.tui.go_to(0);
    stage.said(30, "bob", "hello");
    assert!(stage.screen(120, 24).contains("more, 1 unread"));
    stage.said(31, "bob", "hello ada");
    assert!(stage.screen(120, 24).contains("more, 1 !"));
}

#[test]
fn a_long_topic_is_shown_whole_until_a_key() {
    let mut stage = Harness::new(Depth::True);
    stage.open("lobby");
    let topic = "a long topic ".repeat(12) + "and its end";
    stage.enter(0, Some(&topic));
    assert!(!stage.screen(80, 24).contains("and its end"));
    stage.key(KeyCode::F(2));
    for (width, height) in [(80, 24), (120, 40), (40, 12)] {
        let screen = stage.screen(width, height);
        assert!(screen.contains("topic of #lobby") && screen.contains("and its end"), "{screen}");
        assert!(screen.contains("any key closes"));
    }
    stage.key(KeyCode::F(2));
    assert!(!stage.screen(80, 24).contains("topic of"));
    stage.key(KeyCode::F(2));
    stage.type_in("x");
    assert!(!stage.screen(80, 24).contains("topic of") && stage.bottom(1).contains("> x"));
    stage.enter(0, None);
    stage.key(KeyCode::F(2));
    assert!(stage.bottom(2).contains("there is no topic"));
}

#[test]
fn a_topic_that_is_higher_than_the_screen_scrolls() {
    let mut stage = Harness::new(Depth::True);
    stage.open("lobby");
    let words: Vec<_> = (0..Limits::TOPIC / 8).map(|word| format!("word{word:03}")).collect();
    stage.enter(0, Some(&words.join(" ")));
    stage.key(KeyCode::F(2));
    for (width, height) in [(80, 24), (40, 12), (20, 4)] {
        let screen = stage.screen(width, height);
        let first = screen.lines().nth(1).unwrap();
        assert!(first.contains("word000") && !screen.contains("word511"), "{screen}");
        // Page by page, no row is left out.
        let mut seen = screen;
        while !seen.contains("word511") {
            let before = seen.len();
            stage.key(KeyCode::PageDown);
            seen += &stage.screen(width, height);
            assert!(seen.len() < 1_000_000 && before < seen.len());
        }
        assert!((0..512).all(|word| seen.contains(&format!("word{word:03}"))), "{seen}");
        stage.key(KeyCode::Up);
        assert!(width == 20 || stage.screen(width, height).contains("PgDn: 1 more"));
        stage.input(Input::Wheel(-1000));
    }
    stage.key(KeyCode::Esc);
    assert!(!stage.screen(80, 24).contains("topic of"));
    // What is cleared meanwhile takes no key.
    stage.type_in("x");
    stage.key(KeyCode::F(2));
    stage.enter(0, None);
    assert!(stage.screen(80, 24).contains("> x"));
    stage.key(KeyCode::Enter);
    assert!(!stage.screen(80, 24).contains("> x"));
}
