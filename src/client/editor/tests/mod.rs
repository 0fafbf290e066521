//! The editor, key by key.

use proptest::prelude::*;

use super::*;

mod history;
mod layout;
mod model;

/// Characters that join others into one cluster, or are wide, or stand between words.
const CHARACTERS: [char; 24] = [
    'a', 'B', '7', '_', ' ', '.', '-', '学', 'é', '\u{301}', '\u{200d}', '\u{fe0f}', '👩', '👧', '🏽', '🇩', '🇪', 'ﾞ',
    'क', '\u{94d}', 'ᄀ', 'ᅡ', '\u{600}', '\u{200e}',
];

fn any_character() -> impl Strategy<Value = char> {
    prop_oneof![4 => prop::sample::select(&CHARACTERS), 1 => any::<char>()]
}

fn press(editor: &mut Editor, code: KeyCode) -> Outcome {
    editor.key(code.into())
}

fn control(editor: &mut Editor, c: char) -> Outcome {
    editor.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

fn alt(editor: &mut Editor, code: KeyCode) -> Outcome {
    editor.key(KeyEvent::new(code, KeyModifiers::ALT))
}

fn type_in(editor: &mut Editor, text: &str) {
    for c in text.chars() {
        press(editor, KeyCode::Char(c));
    }
}

/// Returns an editor with `text`, the cursor where `|` stands.
fn with(text: &str) -> Editor {
    let (before, after) = text.split_once('|').expect("a cursor");
    let mut editor = Editor::default();
    editor.paste(after);
    editor.key(KeyEvent::new(KeyCode::Home, KeyModifiers::CONTROL));
    editor.paste(before);
    editor
}

/// Returns the text of an editor with a `|` where the cursor stands.
fn shown(editor: &Editor) -> String {
    let (before, after) = editor.text().split_at(editor.cursor());
    format!("{before}|{after}")
}

#[test]
fn enter_submits_and_leaves_nothing() {
    let mut editor = with("hel|lo");
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Submit("hello".to_owned()));
    assert_eq!(shown(&editor), "|");
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Submit(String::new()));
}

#[test]
fn line_breaks_have_keys_of_their_own() {
    let mut editor = with("a|b");
    assert_eq!(alt(&mut editor, KeyCode::Enter), Outcome::Changed);
    assert_eq!(control(&mut editor, 'j'), Outcome::Changed);
    assert_eq!(editor.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::SHIFT)), Outcome::Changed);
    assert_eq!(shown(&editor), "a\n\n\n|b");
}

#[test]
fn what_is_pasted_is_never_submitted_and_cannot_command_the_terminal() {
    let mut editor = with("a|b");
    editor.paste("1\r\n2\r3\t\u{1b}[31m\u{9b}4\u{202e}\u{7}\u{2028}");
    assert_eq!(shown(&editor), "a1\n2\n3\t4\n|b");
    type_in(&mut editor, "\u{9b}\u{202e}\u{1b}\u{2028}\u{7f}\u{feff}");
    assert_eq!(shown(&editor), "a1\n2\n3\t4\n|b");
}

#[test]
fn a_cluster_is_one_character() {
    let mut editor = with("a👩‍👩‍👧e\u{301}|b");
    press(&mut editor, KeyCode::Backspace);
    assert_eq!(shown(&editor), "a👩‍👩‍👧|b");
    press(&mut editor, KeyCode::Left);
    assert_eq!(shown(&editor), "a|👩‍👩‍👧b");
    press(&mut editor, KeyCode::Delete);
    assert_eq!(shown(&editor), "a|b");
}

#[test]
fn the_cursor_stands_behind_what_an_edit_has_joined() {
    let mut editor = with("|\u{301}b");
    type_in(&mut editor, "e");
    assert_eq!(shown(&editor), "e\u{301}|b");
    let mut editor = with("🇩x|🇪");
    press(&mut editor, KeyCode::Backspace);
    assert_eq!(shown(&editor), "🇩🇪|");
}

#[test]
fn each_key_goes_where_fingers_expect() {
    let key = |code, modifiers| KeyEvent::new(code, modifiers);
    let (none, ctrl, alt) = (KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT);
    for (before, keys, after) in [
        ("one\ntwo, th|ree", vec![key(KeyCode::Home, none), key(KeyCode::Char('a'), ctrl)], "one\n|two, three"),
        ("one\nt|wo\n3", vec![key(KeyCode::End, none), key(KeyCode::Char('e'), ctrl)], "one\ntwo|\n3"),
        ("one\nt|wo", vec![key(KeyCode::Home, ctrl)], "|one\ntwo"),
        ("o|ne\ntwo", vec![key(KeyCode::End, ctrl)], "one\ntwo|"),
        ("a|b", vec![key(KeyCode::Char('b'), ctrl)], "|ab"),
        ("a|b", vec![key(KeyCode::Char('f'), ctrl)], "ab|"),
        ("one_1 'two' |", vec![key(KeyCode::Char('b'), alt)], "one_1 '|two' "),
        ("one_1 '|two'", vec![key(KeyCode::Left, ctrl)], "|one_1 'two'"),
        ("one| 'two'", vec![key(KeyCode::Char('f'), alt)], "one 'two|'"),
        ("one 'two|'", vec![key(KeyCode::Right, ctrl)], "one 'two'|"),
        ("a|b", vec![key(KeyCode::Char('h'), ctrl)], "|b"),
        ("a|b", vec![key(KeyCode::Char('d'), ctrl)], "a|"),
        ("one 'two' |3", vec![key(KeyCode::Char('w'), ctrl)], "one |3"),
        ("one 'two' |3", vec![key(KeyCode::Backspace, alt)], "one '|3"),
        ("one| 'two'", vec![key(KeyCode::Char('d'), alt)], "one|'"),
        ("1\none| two\n3", vec![key(KeyCode::Char('k'), ctrl)], "1\none|\n3"),
        ("1\none|\n3", vec![key(KeyCode::Char('k'), ctrl)], "1\none|3"),
        ("1\none |two", vec![key(KeyCode::Char('u'), ctrl)], "1\n|two"),
        ("1\n|two", vec![key(KeyCode::Char('u'), ctrl)], "1|two"),
        ("a|b", vec![key(KeyCode::Char('t'), ctrl)], "ba|"),
        ("ab|\nc", vec![key(KeyCode::Char('t'), ctrl)], "ba|\nc"),
        ("a|", vec![key(KeyCode::Char('t'), ctrl)], "a|"),
        ("a\n|b", vec![key(KeyCode::Char('t'), ctrl)], "a\n|b"),
        ("|", vec![key(KeyCode::Char('@'), ctrl | alt)], "@|"),
        ("|", vec![key(KeyCode::Char('A'), KeyModifiers::SHIFT)], "A|"),
    ] {
        let mut editor = with(before);
        for &key in &keys {
            assert_ne!(editor.key(key), Outcome::Ignored, "{before:?} {key:?}");
        }
        assert_eq!(shown(&editor), after, "{before:?} {keys:?}");
    }
}

#[test]
fn keys_of_the_screen_are_left_to_it() {
    let mut editor = with("a|b");
    for c in ['c', 'l', 'n', 'p', 'z', 'q', 's', ' '] {
        assert_eq!(control(&mut editor, c), Outcome::Ignored, "{c}");
    }
    for code in [KeyCode::Tab, KeyCode::BackTab, KeyCode::Esc, KeyCode::PageUp, KeyCode::PageDown, KeyCode::F(1)] {
        assert_eq!(press(&mut editor, code), Outcome::Ignored, "{code:?}");
    }
    for code in [KeyCode::Left, KeyCode::Right, KeyCode::Up, KeyCode::Char('1'), KeyCode::Char('x')] {
        assert_eq!(alt(&mut editor, code), Outcome::Ignored, "{code:?}");
    }
    for code in [KeyCode::Up, KeyCode::Down] {
        assert_eq!(editor.key(KeyEvent::new(code, KeyModifiers::SHIFT)), Outcome::Ignored);
    }
    assert_eq!(shown(&editor), "a|b");
    assert_eq!(control(&mut Editor::default(), 'd'), Outcome::Ignored);
    assert_eq!(press(&mut Editor::default(), KeyCode::Delete), Outcome::Unchanged);
}

#[test]
fn what_is_killed_in_a_row_comes_back_as_one_and_older_pieces_after_it() {
    let mut editor = with("one two three|");
    control(&mut editor, 'w');
    control(&mut editor, 'w');
    press(&mut editor, KeyCode::Left);
    control(&mut editor, 'u');
    assert_eq!(shown(&editor), "| ");
    control(&mut editor, 'y');
    assert_eq!(shown(&editor), "one| ");
    alt(&mut editor, KeyCode::Char('y'));
    assert_eq!(shown(&editor), "two three| ");
    alt(&mut editor, KeyCode::Char('y'));
    assert_eq!(shown(&editor), "one| ");
    press(&mut editor, KeyCode::End);
    assert_eq!(alt(&mut editor, KeyCode::Char('y')), Outcome::Unchanged);
}

#[test]
fn a_word_typed_is_undone_at_once() {
    let mut editor = Editor::default();
    type_in(&mut editor, "one two");
    control(&mut editor, 'w');
    let mut undo = || {
        control(&mut editor, '7');
        shown(&editor)
    };
    assert_eq!([undo(), undo(), undo(), undo()], ["one two|", "one |", "|", "|"]);
}

#[test]
fn what_was_cleared_comes_back() {
    let mut editor = with("he|llo");
    editor.clear();
    assert_eq!(shown(&editor), "|");
    control(&mut editor, '_');
    assert_eq!(shown(&editor), "he|llo");
}

#[test]
fn a_draft_is_taken_and_set_whole() {
    let mut editor = with("one\n|two");
    assert_eq!(editor.take(), "one\ntwo");
    assert!(editor.is_empty());
    assert_eq!(control(&mut editor, '_'), Outcome::Unchanged);
    editor.set("a\u{7}b".to_owned());
    assert_eq!(shown(&editor), "ab|");
}

#[test]
fn a_completion_replaces_a_word_and_is_one_step() {
    let mut editor = with("hi ad| there");
    editor.replace(3..5, "ada ");
    editor.replace(3..7, "adrian ");
    assert_eq!(shown(&editor), "hi adrian | there");
    control(&mut editor, '_');
    assert_eq!(shown(&editor), "hi ad| there");
    editor.replace(9..99, "\u{7}!");
    assert_eq!(shown(&editor), "hi ad the!|");
}

#[test]
fn a_text_has_an_end() {
    let mut editor = with("before |");
    assert_eq!(editor.paste(&"x".repeat(LENGTH - 6)), Outcome::Full);
    assert_eq!(shown(&editor), "before |", "none of it, where not all of it fits");
    assert_eq!(editor.paste(&"x".repeat(LENGTH - 8)), Outcome::Changed);
    assert_eq!(press(&mut editor, KeyCode::Char('学')), Outcome::Full);
    assert_eq!(press(&mut editor, KeyCode::Char('y')), Outcome::Changed);
    assert_eq!(alt(&mut editor, KeyCode::Enter), Outcome::Full);
    assert_eq!(editor.replace(0..6, "sooner or later"), Outcome::Full);
    control(&mut editor, 'u');
    control(&mut editor, 'y');
    assert_eq!(control(&mut editor, 'y'), Outcome::Full);
    assert_eq!((editor.text().len(), editor.room()), (LENGTH, 0));
    press(&mut editor, KeyCode::Left);
    assert_eq!(press(&mut editor, KeyCode::Backspace), Outcome::Changed, "it is as much at home as any other");
    // A draft was a text already.
    editor.set("x".repeat(LENGTH + 9));
    assert_eq!((editor.text().len(), press(&mut editor, KeyCode::Char('y'))), (LENGTH + 9, Outcome::Full));
    assert_eq!(press(&mut editor, KeyCode::Backspace), Outcome::Changed);
}

#[test]
fn a_pasted_beginning_is_said_as_it_stands() {
    let pasted = |text: &str| {
        let mut editor = Editor::default();
        editor.paste_verbatim(text);
        editor
    };
    assert_eq!(pasted("// TODO").line(), "/// TODO");
    assert_eq!(pasted("plain").line(), "plain");
    // It stays what it is while it goes on, is undone, or is left for an older line.
    let mut editor = pasted("/usr/bin/env");
    type_in(&mut editor, " sh");
    control(&mut editor, 'u');
    control(&mut editor, '_');
    assert_eq!((editor.text(), &*editor.line()), ("/usr/bin/env sh", "//usr/bin/env sh"));
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Submit("//usr/bin/env sh".to_owned()));
    type_in(&mut editor, "/quit");
    assert_eq!(editor.line(), "/quit", "that is typed");
    control(&mut editor, 'u');
    editor.paste_verbatim("/x");
    press(&mut editor, KeyCode::Up);
    assert_eq!(editor.line(), "//usr/bin/env sh");
    press(&mut editor, KeyCode::Down);
    assert_eq!(editor.line(), "//x");
    assert_eq!(editor.take(), "//x");
    // A beginning that is typed makes it a line like any other.
    let mut editor = pasted("/x");
    press(&mut editor, KeyCode::Home);
    type_in(&mut editor, "/");
    assert_eq!(editor.line(), "//x");
    press(&mut editor, KeyCode::Backspace);
    assert_eq!(editor.line(), "/x");
    let mut editor = with("/msg bob |");
    editor.paste_verbatim("/a\n/b");
    assert_eq!(editor.line(), "/msg bob /a\n/b", "what it belongs to was typed");
}
