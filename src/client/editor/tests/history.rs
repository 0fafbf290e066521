//! Lines called back, and looked for.

use super::*;

/// Returns an editor in which `lines` were entered.
fn after(lines: &[&str]) -> Editor {
    let mut editor = Editor::default();
    for line in lines {
        editor.paste(line);
        press(&mut editor, KeyCode::Enter);
    }
    editor
}

fn up(editor: &mut Editor) -> String {
    press(editor, KeyCode::Up);
    shown(editor)
}

fn down(editor: &mut Editor) -> String {
    press(editor, KeyCode::Down);
    shown(editor)
}

#[test]
fn earlier_lines_come_back_and_the_draft_is_kept() {
    let mut editor = after(&["one", "two", "two", " "]);
    type_in(&mut editor, "draft");
    assert_eq!([up(&mut editor), up(&mut editor), up(&mut editor)], ["two|", "one|", "one|"]);
    assert_eq!([down(&mut editor), down(&mut editor), down(&mut editor)], ["two|", "draft|", "draft|"]);
}

#[test]
fn another_editor_takes_back_the_draft_and_the_lines() {
    let mut editor = after(&["one", "two"]);
    type_in(&mut editor, "draft");
    for (old, draft) in [("two|", "draft"), ("one|", "draft")] {
        assert_eq!((up(&mut editor).as_str(), editor.draft()), (old, draft));
    }
    type_in(&mut editor, "!");
    assert_eq!(editor.draft(), "one!", "what has been changed is the draft");
    let mut later = after(&["before"]);
    later.restore(editor.draft().to_owned(), vec!["two".to_owned(), "\u{1b}[31mold".to_owned()]);
    assert_eq!(shown(&later), "one!|");
    assert_eq!([up(&mut later), up(&mut later), up(&mut later)], ["two|", "old|", "before|"]);
    assert_eq!(later.given_back().collect::<Vec<_>>(), ["two", "old"]);
    down(&mut later);
    press(&mut later, KeyCode::Enter);
    assert_eq!(later.given_back().collect::<Vec<_>>(), ["two"], "entered again, it is a line like others");
}

#[test]
fn lines_entered_elsewhere_come_back_here_and_move_nothing() {
    let mut editor = after(&["one", "two"]);
    type_in(&mut editor, "draft");
    up(&mut editor);
    type_in(&mut editor, "!");
    up(&mut editor);
    for line in ["elsewhere", "elsewhere"] {
        editor.remember(line.into());
    }
    assert_eq!(shown(&editor), "one|");
    assert_eq!([down(&mut editor), down(&mut editor), down(&mut editor)], ["two!|", "elsewhere|", "draft|"]);
    for number in 0..2000 {
        editor.remember(number.to_string().into());
    }
    assert_eq!([up(&mut editor), up(&mut editor)], ["1999|", "1998|"]);
}

#[test]
fn what_begins_with_a_secret_does_not_come_back() {
    let mut editor = after(&["one", "/token abc", "hello\n/pass x"]);
    assert_eq!([up(&mut editor), up(&mut editor)], ["one|", "one|"]);
    editor.restore(String::new(), vec!["/token abc".to_owned()]);
    assert_eq!(up(&mut editor), "one|");
}

#[test]
fn a_line_changed_after_it_came_back_stays_changed_until_one_is_entered() {
    let mut editor = after(&["one", "two"]);
    type_in(&mut editor, "draft");
    up(&mut editor);
    type_in(&mut editor, "!");
    assert_eq!([up(&mut editor), down(&mut editor), down(&mut editor)], ["one|", "two!|", "draft|"]);
    up(&mut editor);
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Submit("two!".to_owned()));
    assert_eq!(shown(&editor), "draft|", "what was being typed is not lost");
    assert_eq!([up(&mut editor), up(&mut editor)], ["two!|", "two|"]);
}

#[test]
fn clearing_a_line_that_came_back_loses_no_draft() {
    let mut editor = after(&["one"]);
    type_in(&mut editor, "draft");
    up(&mut editor);
    editor.clear();
    assert_eq!(shown(&editor), "|");
    control(&mut editor, '_');
    assert_eq!(shown(&editor), "one|");
    control(&mut editor, '_');
    assert_eq!(shown(&editor), "draft|");
}

#[test]
fn up_and_down_go_through_the_lines_of_a_text_first_and_keep_their_column() {
    let mut editor = after(&["one"]);
    editor.paste("12345\n学\n\n1234");
    assert_eq!([up(&mut editor), up(&mut editor)], ["12345\n学\n|\n1234", "12345\n学|\n\n1234"]);
    assert_eq!([up(&mut editor), up(&mut editor)], ["1234|5\n学\n\n1234", "one|"]);
    assert_eq!([down(&mut editor), down(&mut editor)], ["12345\n学\n\n1234|", "12345\n学\n\n1234|"]);
}

#[test]
fn the_history_is_bounded() {
    let back = |lines: Vec<String>| {
        let mut editor = after(&[]);
        for line in lines {
            editor.remember(line.into());
        }
        (0..2000).for_each(|_| drop(up(&mut editor)));
        shown(&editor)
    };
    assert_eq!(back((0..3000).map(|number| number.to_string()).collect()), "2000|");
    let long = "x".repeat(10_000);
    assert!(back((0..100).map(|number| format!("{number} {long}")).collect()).starts_with("74 "));
}

#[test]
fn a_search_finds_older_and_older_lines_and_enter_does_not_send() {
    let mut editor = after(&["Tea at four", "coffee", "more tea", "more tea", "cake", "more tea"]);
    editor.paste("draft");
    assert_eq!(control(&mut editor, 'r'), Outcome::Changed);
    assert_eq!(editor.searching(), Some(("", None)));
    type_in(&mut editor, "tea");
    assert_eq!(editor.searching(), Some(("tea", Some("more tea"))));
    assert_eq!((editor.text(), editor.layout(80, 5).rows.concat().as_str()), ("draft", "more tea"));
    assert_eq!(control(&mut editor, 'r'), Outcome::Changed, "past the same line once more");
    assert_eq!(editor.searching(), Some(("tea", Some("Tea at four"))));
    assert_eq!(control(&mut editor, 'r'), Outcome::Unchanged);
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Changed);
    assert_eq!((shown(&editor).as_str(), editor.searching()), ("|Tea at four", None));
    for _ in 0..6 {
        down(&mut editor);
    }
    assert_eq!(shown(&editor), "draft|");
}

#[test]
fn a_search_is_cancelled_without_a_trace() {
    for cancel in [KeyEvent::from(KeyCode::Esc), KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL)] {
        let mut editor = after(&["one", "two"]);
        editor.paste("draft");
        press(&mut editor, KeyCode::Left);
        control(&mut editor, 'r');
        type_in(&mut editor, "on");
        assert_eq!(editor.key(cancel), Outcome::Changed);
        assert_eq!((shown(&editor).as_str(), editor.searching()), ("draf|t", None));
        assert_eq!([up(&mut editor), down(&mut editor)], ["two|", "draft|"]);
    }
}

#[test]
fn a_motion_accepts_what_was_found_and_words_can_be_taken_back() {
    let mut editor = after(&["one", "two", "toe"]);
    control(&mut editor, 'r');
    type_in(&mut editor, "tox");
    assert_eq!(editor.searching(), Some(("tox", None)));
    press(&mut editor, KeyCode::Backspace);
    assert_eq!(editor.searching(), Some(("to", Some("toe"))));
    assert_eq!(press(&mut editor, KeyCode::PageUp), Outcome::Ignored);
    assert_eq!(press(&mut editor, KeyCode::End), Outcome::Changed);
    assert_eq!(shown(&editor), "toe|");
}

#[test]
fn a_paste_during_a_search_is_looked_for() {
    let mut editor = after(&["one two"]);
    control(&mut editor, 'r');
    editor.paste("E\nt");
    assert_eq!(editor.searching(), Some(("E t", Some("one two"))));
    assert_eq!(press(&mut editor, KeyCode::Right), Outcome::Changed);
    assert_eq!(shown(&editor), "one| two");
}
