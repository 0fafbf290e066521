//! What is typed and pasted: it goes into the line, all of it, and means what its author meant.

use super::*;
use crate::client::editor::LENGTH;

impl Harness {
    fn paste(&mut self, text: &str) {
        self.input(Input::Paste(text.to_owned()));
    }

    /// Returns what was said last, to everybody or to one alone, before the line; and how much was
    /// said so far.
    fn said_last(&self) -> (usize, String) {
        let pending: Vec<_> = self.apps[0].pending().collect();
        let last = pending.last().map_or_else(String::new, |last| {
            let to = last.to.as_ref().map_or_else(String::new, |to| format!("to {to}: "));
            format!("{to}{}", last.text.as_ref().unwrap())
        });
        (pending.len(), last)
    }

    fn typed(&self) -> &str {
        self.tui.rooms[self.tui.current()].editor.text()
    }

    fn find(&mut self, words: &str, texts: &[&str]) {
        let query = crate::protocol::Query::new(words).unwrap();
        let messages = texts.iter().map(|text| self.message(0, "bob", text)).collect();
        self.server(
            0,
            &ServerMessage::Found {
                room: room("lobby"),
                query,
                messages,
                more: false,
                incomplete: false,
                all: false,
                total: None,
                or_more: false,
            },
        );
    }
}

#[test]
fn what_is_pasted_is_said_as_it_is() {
    let mut stage = Harness::live();
    for (number, text) in
        ["// TODO", "/usr/bin/env sh", "/usr/bin/env sh\necho", "/quitter\nand more", "// a\n// b", "/ x\ny"]
            .into_iter()
            .enumerate()
    {
        stage.paste(text);
        stage.key(KeyCode::Enter);
        assert_eq!(stage.said_last(), (number + 1, text.to_owned()));
        assert_eq!(stage.typed(), "");
    }
    assert!(!stage.wishes.contains(&UiAction::Quit));
}

#[test]
fn what_looks_like_a_paste_and_holds_a_command_is_not_said_without_a_question() {
    let mut stage = Harness::live();
    for text in [
        "/msg bob secret\rhow are you\r",
        "  /msg bob secret\rhow are you",
        "hello\r/msg bob secret",
        "hello\r  /REPLY secret\r",
        "\u{200e}/msg bob secret\rhow are you",
        "/quit\rand more",
    ] {
        stage.paste(text);
        stage.key(KeyCode::Enter);
        assert!(stage.bottom(4).contains("so all would read it: Enter says it"), "{text:?}: {}", stage.bottom(4));
        assert_eq!(stage.said_last().0, 0, "{text:?}");
        stage.key(KeyCode::Esc);
        stage.control('c');
    }
    stage.type_in("hello");
    stage.press(KeyCode::Enter, KeyModifiers::ALT);
    stage.enter_line("/msg bob is what you type");
    assert_eq!(stage.said_last().0, 0);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last(), (1, "hello\n/msg bob is what you type".to_owned()));
    assert!(!stage.wishes.contains(&UiAction::Quit));
}

#[test]
fn a_draft_is_not_exchanged_for_what_was_sent() {
    let mut stage = Harness::live();
    stage.enter_line("sent");
    stage.type_in("a draft");
    for code in [KeyCode::Up, KeyCode::Up, KeyCode::Down] {
        stage.key(code);
        assert_eq!(stage.typed(), "a draft");
        assert!(stage.bottom(2).contains("comes on an empty line"), "{}", stage.bottom(2));
    }
    stage.control('c');
    stage.key(KeyCode::Up);
    assert_eq!(stage.typed(), "sent");
    stage.type_in("!");
    stage.key(KeyCode::Down);
    assert_eq!(stage.typed(), "");
    stage.key(KeyCode::Up);
    assert_eq!(stage.typed(), "sent!", "a line called back goes on as ever");
}

#[test]
fn a_pasted_line_can_be_a_command_and_a_typed_one_keeps_its_rules() {
    let mut stage = Harness::live();
    stage.paste("/msg bob psst\r");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last(), (1, "to bob: psst".to_owned()));
    stage.enter_line("//etc/hosts");
    assert_eq!(stage.said_last(), (2, "/etc/hosts".to_owned()));
    stage.enter_line("/usr/bin/env");
    assert_eq!(stage.said_last().0, 2, "it was refused");
    // What is pasted into a command belongs to it, and is for nobody else.
    stage.type_in("/msg bob ");
    stage.paste("/quit\n// b");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last(), (3, "to bob: /quit\n// b".to_owned()));
}

#[test]
fn of_a_paste_that_is_too_long_nothing_is_inserted() {
    let mut stage = Harness::live();
    stage.type_in("before ");
    stage.paste(&"a word ".repeat(150_000));
    assert!(
        stage.bottom(2).contains("not inserted: 1050000 bytes, and a message has room for 16377"),
        "{}",
        stage.bottom(2)
    );
    assert_eq!(stage.typed(), "before ");
    // What fits is asked about, and inserted whole.
    stage.paste(&"x".repeat(LENGTH - 7));
    stage.control('y');
    assert_eq!(stage.typed().len(), LENGTH);
    stage.key(KeyCode::Enter);
    assert_eq!((stage.said_last().0, stage.said_last().1.len()), (1, LENGTH));
    // Two that fit only alone.
    stage.paste(&"line\n".repeat(2000));
    stage.paste(&"line\n".repeat(2000));
    assert!(stage.bottom(2).contains("not inserted: 20000 bytes"), "{}", stage.bottom(2));
    assert_eq!(stage.typed(), "");
}

#[test]
fn a_key_that_does_not_fit_is_told() {
    let mut stage = Harness::live();
    stage.tui.rooms[0].editor.paste(&"x".repeat(LENGTH));
    stage.paste("x");
    assert!(stage.bottom(24).contains("not inserted: 1 byte, and"));
    stage.type_in("y");
    assert!(stage.bottom(24).contains("this is all that fits: a message has 16384 bytes"));
    stage.key(KeyCode::Backspace);
    assert!(!stage.bottom(24).contains("this is all that fits"));
}

#[test]
fn the_key_that_closes_the_help_is_typed() {
    let mut stage = Harness::live();
    stage.key(KeyCode::F(1));
    stage.enter_line("/msg bob secret");
    assert_eq!(stage.said_last(), (1, "to bob: secret".to_owned()));
    stage.key(KeyCode::F(1));
    stage.paste("pasted");
    assert_eq!((stage.typed(), stage.tui.help), ("pasted", None));
    // A draft is sent by Enter, help or not.
    stage.key(KeyCode::F(1));
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last(), (2, "pasted".to_owned()));
    // What no text needs moves and closes the page.
    for closing in [KeyCode::Esc, KeyCode::F(1), KeyCode::Enter] {
        stage.key(KeyCode::F(1));
        for moving in [KeyCode::Char(' '), KeyCode::PageUp, KeyCode::Down] {
            stage.key(moving);
        }
        assert!(stage.tui.help.is_some_and(|help| help.above == 1));
        stage.key(closing);
        assert_eq!((stage.typed(), stage.tui.help), ("", None));
    }
}

#[test]
fn what_is_nearly_a_command_is_asked_about() {
    let mut stage = Harness::live();
    stage.enter_line(" /msg bob secret");
    assert!(
        stage.bottom(2).contains("it begins with a blank, so all would read it: Enter says it"),
        "{}",
        stage.bottom(2)
    );
    assert_eq!((stage.said_last().0, stage.typed()), (0, " /msg bob secret"));
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Home);
    stage.key(KeyCode::Delete);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last(), (1, "to bob: secret".to_owned()));
    stage.enter_line("msg bob is what you type");
    assert_eq!(stage.said_last().0, 1);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last(), (2, "msg bob is what you type".to_owned()));
    // A question is about the line as it was.
    stage.enter_line("7msg bob x");
    stage.type_in("y");
    stage.key(KeyCode::Enter);
    assert_eq!((stage.said_last().0, stage.typed()), (2, "7msg bob xy"));
    stage.control('c');
    stage.paste(" /msg bob secret");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.said_last().0, 2, "nor is it said when it was pasted");
}

#[test]
fn where_no_line_is_a_command_none_is_asked_about() {
    let mut stage = Harness::live();
    stage.tui.choices.no_commands = true;
    stage.paste("// TODO");
    assert_eq!(stage.tui.rooms[0].editor.line(), "// TODO");
    stage.control('c');
    stage.enter_line(" /msg bob x");
    assert_eq!(stage.typed(), "");
}

#[test]
fn what_is_typed_over_results_goes_into_the_line_and_enter_sends_it() {
    let mut stage = Harness::live();
    stage.enter_line("/search tea");
    stage.find("tea", &["green tea", "black tea"]);
    assert!(stage.screen(80, 24).contains("2 found"));
    stage.key(KeyCode::Down);
    assert_eq!(stage.tui.rooms[0].conversation.results().unwrap().selected().unwrap().id, MessageId(2));
    stage.enter_line("tea it is");
    assert_eq!(stage.said_last(), (1, "tea it is".to_owned()));
    assert!(stage.tui.rooms[0].conversation.results().is_none(), "what was said is to be seen");
    stage.enter_line("/search tea");
    stage.find("tea", &["green tea"]);
    stage.key(KeyCode::Enter);
    assert!(stage.wishes.iter().any(|wish| matches!(wish, UiAction::Ask(0, _))), "on an empty line it jumps");
}

#[test]
fn results_that_come_late_wait_until_they_are_wanted() {
    let mut stage = Harness::live();
    stage.enter_line("/search tea");
    stage.type_in("in the middle of a sen");
    stage.find("tea", &["green tea", "black tea"]);
    stage.enter_line("tence");
    assert_eq!(stage.said_last(), (1, "in the middle of a sentence".to_owned()));
    assert!(stage.tui.rooms[0].conversation.results().is_none());
    assert!(stage.bottom(2).contains("2 found: F3"), "{}", stage.bottom(2));
    stage.key(KeyCode::F(3));
    assert!(stage.screen(80, 24).contains("2 found for \"tea\""));
    stage.key(KeyCode::Esc);
    assert!(stage.tui.rooms[0].conversation.results().is_none());
    stage.key(KeyCode::F(3));
    assert!(stage.bottom(2).contains("/search WORDS finds some"));
    // Nor do they open where the page of keys is being read.
    stage.key(KeyCode::F(1));
    stage.find("tea", &["white tea"]);
    assert!(stage.tui.rooms[0].conversation.results().is_none());
}

#[test]
fn the_wheel_scrolls_what_lies_on_top_and_leaves_the_line() {
    let mut stage = Harness::live();
    for number in 0..50 {
        stage.said(0, "bob", &format!("line {number}."));
    }
    stage.enter_line("sent before");
    stage.type_in("a draft");
    drop(stage.draw(80, 24));
    stage.input(Input::Wheel(-9));
    assert!(!stage.tui.rooms[0].conversation.is_at_bottom());
    stage.input(Input::Wheel(9));
    assert!(stage.tui.rooms[0].conversation.is_at_bottom());
    stage.key(KeyCode::F(1));
    stage.input(Input::Wheel(3));
    stage.input(Input::Wheel(-2));
    assert_eq!(stage.tui.help.map(|help| help.above), Some(1));
    assert_eq!(stage.typed(), "a draft");
}

#[test]
fn ctrl_x_ctrl_e_opens_what_is_typed_in_an_editor_and_takes_what_it_made() {
    let mut stage = Harness::live();
    stage.type_in("one");
    stage.control('x');
    assert!(stage.bottom(2).contains("Ctrl-E"), "{}", stage.bottom(2));
    // Another key does what it always does.
    stage.type_in("x");
    stage.control('e');
    assert!(!stage.wishes.contains(&UiAction::Edit));
    stage.control('x');
    stage.control('e');
    assert_eq!(stage.wishes.pop(), Some(UiAction::Edit));
    assert_eq!(stage.tui.to_edit().as_deref(), Some("onex"));
    // It goes where it came from, wherever that is now.
    stage.open("rust");
    stage.enter(1, None);
    stage.alt('2');
    assert_eq!(stage.tui.edited("one \u{1b}[2Jtwo"), Edited::Taken);
    assert_eq!(stage.tui.edited(&"x".repeat(20_000)), Edited::TooLong(20_000));
    assert_eq!(stage.bottom(1), ">");
    stage.alt('1');
    assert_eq!(stage.bottom(1), "> one two");
    stage.control('_');
    assert_eq!(stage.bottom(1), "> onex");
    // And to nobody else, since it may have been for one person alone.
    stage.tui.close(0);
    assert_eq!(stage.tui.edited("elsewhere"), Edited::Closed);
    assert_eq!(stage.bottom(1), ">");
}
