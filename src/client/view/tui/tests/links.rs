//! Links that are listed and copied, and the bare text.

use super::*;

fn talk() -> Harness {
    let mut stage = Harness::live();
    stage.said(0, "bob", "see https://a.example/x and ws://b.example, or https://a.example/x again");
    stage.said(0, "bob", "and https://c.example/学生");
    stage.wishes.clear();
    stage
}

#[test]
fn the_links_on_the_screen_are_listed_and_the_chosen_one_is_copied() {
    let mut stage = talk();
    drop(stage.draw(80, 24));
    stage.alt('l');
    assert_eq!(
        stage.bottom(6),
        "─ links: Up, Down, 1 to 9; Enter copies; Esc closes ────────────────────────────\n  1 https://a.example/x\n  2 ws://b.example\n> 3 https://c.example/学生\n─ ada ─ #lobby ─ tea, biscuits and the borrow checker ───────────────── 2 here ─\n>"
    );
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.wishes, [UiAction::Copy("ws://b.example".into())]);
    assert!(stage.bottom(2).contains("sent to the clipboard: ws://b.example"));
    stage.alt('l');
    stage.key(KeyCode::Char('1'));
    assert_eq!(stage.wishes.last(), Some(&UiAction::Copy("https://a.example/x".into())));
    assert!(!stage.screen(80, 24).contains("links:"));
}

#[test]
fn the_list_of_links_takes_only_its_own_keys() {
    let mut stage = talk();
    drop(stage.draw(80, 24));
    for close in [(KeyCode::Esc, KeyModifiers::NONE), (KeyCode::Char('l'), KeyModifiers::ALT)] {
        stage.alt('l');
        stage.press(close.0, close.1);
        assert!(!stage.screen(80, 24).contains("links:"));
    }
    stage.alt('l');
    // There is no such one, and nothing is typed.
    stage.key(KeyCode::Char('7'));
    assert!(stage.screen(80, 24).contains("links:"));
    stage.type_in("hi");
    assert!(!stage.screen(80, 24).contains("links:") && stage.bottom(1) == "> hi");
    assert_eq!(stage.wishes, []);
    for (width, height) in [(1, 1), (3, 2), (20, 4), (40, 12)] {
        stage.alt('l');
        drop(stage.draw(width, height));
    }
}

#[test]
fn without_a_link_there_is_nothing_to_list() {
    let mut stage = Harness::live();
    stage.said(0, "bob", "hello");
    drop(stage.draw(80, 24));
    stage.alt('l');
    assert!(stage.bottom(2).contains("there is no link on the screen"));
}

#[test]
fn bare_text_has_nothing_beside_it_and_any_key_returns() {
    let mut stage = talk();
    stage.said(0, "bob", "two\nlines");
    stage.type_in("a draft");
    drop(stage.draw(80, 24));
    stage.alt('v');
    assert_eq!(stage.wishes, [UiAction::Redraw]);
    let bare = stage.bottom(6);
    assert_eq!(
        bare,
        "12:00 bob: see https://a.example/x and ws://b.example, or https://a.example/x ag\nain\n\
         12:00 bob: and https://c.example/学生\n12:00 bob: two\nlines\nbare text, to be selected; any key returns"
    );
    // What comes meanwhile moves nothing, and is not read.
    stage.said(0, "bob", "later");
    assert_eq!(stage.bottom(6), bare);
    assert_eq!(stage.tui.rooms[0].unread, 1);
    for (width, height) in [(1, 1), (2, 3), (300, 100)] {
        drop(stage.draw(width, height));
    }
    stage.key(KeyCode::Char('x'));
    assert_eq!(stage.wishes, [UiAction::Redraw, UiAction::Redraw]);
    let screen = stage.screen(80, 24);
    assert!(screen.contains("bob: later") && screen.contains("─ new ─"), "{screen}");
    assert!(screen.ends_with("> a draftx"), "what is typed is typed: {screen}");
    stage.alt('v');
    stage.key(KeyCode::Enter);
    assert!(stage.screen(80, 24).ends_with("> a draftx"), "it was only closed");
    assert_eq!(stage.tui.rooms[0].unread, 0);
}

#[test]
fn bare_text_goes_on_from_row_to_row_as_one_line() {
    let mut stage = Harness::live();
    stage.said(0, "bob", &"学生 ".repeat(40));
    stage.said(0, "bob", "short");
    drop(stage.draw(31, 24));
    stage.alt('v');
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 31, 12));
    let apps: Vec<&App> = stage.apps.iter().collect();
    let picture = stage.tui.draw(buffer.area, &mut buffer, stage.elapsed, &apps);
    assert_eq!((picture.wrapped, picture.cursor), (vec![3, 4, 5, 6, 7, 8], None));
}
