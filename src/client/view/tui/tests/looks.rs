//! What the screen looks like.

use insta::assert_snapshot;

use super::*;

/// A stage on which something has been said, in several scripts.
fn talk() -> Stage {
    let mut stage = Stage::live();
    stage.said(0, "bob", "good morning, everybody");
    stage.elapsed = Duration::from_mins(1);
    stage.input(Input::Focus(true));
    stage.said(0, "ada", "hello bob, see https://example.org/a and `cargo test`");
    stage.said(0, "学生", "ada: 早上好，今天我们要一起读这本书吗？我已经准备好了");
    stage.said(0, "bob", "👩‍👩‍👧 and 🏳️‍🌈 and e\u{301} take the width that they take");
    stage
}

#[test]
fn joining() {
    let mut stage = Stage::new(Depth::True);
    stage.open("lobby");
    assert_snapshot!(stage.screen(60, 8));
}

#[test]
fn an_empty_room() {
    assert_snapshot!(Stage::live().screen(80, 24));
}

#[test]
fn talk_at_80_columns() {
    assert_snapshot!(talk().screen(80, 24));
}

#[test]
fn talk_at_40_columns() {
    assert_snapshot!(talk().screen(40, 12));
}

#[test]
fn talk_at_20_columns() {
    assert_snapshot!(talk().screen(20, 5));
}

#[test]
fn wide_with_rooms_and_people() {
    let mut stage = talk();
    stage.open("rust");
    stage.enter(1, None);
    stage.said(1, "bob", "ada: are you here, too?");
    stage.open("a-room-with-quite-a-long-name");
    assert_snapshot!(stage.screen(200, 50));
}

#[test]
fn offline() {
    let mut stage = talk();
    stage.event(0, Event::Dropped { reason: "the server is stopping".to_owned() });
    stage.enter_line("is anybody there?");
    stage.elapsed += Duration::from_secs(75);
    assert_snapshot!(stage.bottom(6));
}

#[test]
fn a_paste_is_asked_about() {
    let mut stage = talk();
    stage.input(Input::Paste("fn main() {\r}\r".repeat(20)));
    assert_snapshot!(stage.bottom(3));
}

#[test]
fn several_lines_are_typed_at_once() {
    let mut stage = talk();
    stage.input(Input::Paste("one\rtwo\rthree\rfour\rfive".to_owned()));
    assert_snapshot!(stage.screen(40, 12));
}

#[test]
fn completion_shows_what_else_it_could_be() {
    let mut stage = talk();
    stage.said(0, "boris", "hm");
    stage.type_in("bo");
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Tab);
    assert_snapshot!(stage.bottom(2));
}

#[test]
fn a_command_shows_its_usage() {
    let mut stage = talk();
    stage.type_in("/msg bob");
    assert_snapshot!(stage.bottom(2));
}

#[test]
fn results_of_a_search() {
    let mut stage = talk();
    stage.enter_line("/search morning");
    let messages = vec![stage.message(0, "bob", "this morning"), stage.message(0, "eve", "a morning of rain")];
    let query = crate::wire::Query::new("morning").unwrap();
    stage.server(
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
    assert_snapshot!(stage.screen(60, 10));
}

#[test]
fn help() {
    let mut stage = talk();
    stage.key(KeyCode::F(1));
    let keys = stage.screen(80, 24);
    stage.enter_line("/help");
    let (commands, dense) = (stage.screen(80, 24), stage.screen(60, 16));
    stage.enter_line("/help bell");
    assert_snapshot!(format!("{keys}\n\n{commands}\n\n{dense}\n\n{}", stage.screen(80, 10)));
}

#[test]
fn without_colours_every_cell_is_the_terminals_own() {
    let mut stage = Stage::new(Depth::None);
    stage.open("lobby");
    stage.enter(0, Some("tea"));
    stage.open("rust");
    stage.enter(1, None);
    stage.said(0, "bob", "ada: see https://example.org and `code`");
    stage.said(1, "bob", "ada: here, too");
    stage.enter_line("/nonsense");
    for width in [20, 80, 200] {
        let terminal = stage.draw(width, 24);
        let plain = Cell::default().style();
        assert!(terminal.backend().buffer().content.iter().all(|cell| cell.style() == plain));
    }
    assert!(stage.bottom(2).contains("2 #rust 1!"), "what is unread is told in words");
}

#[test]
fn any_size_is_drawn() {
    let mut stage = talk();
    stage.input(Input::Paste("学生 👩‍👩‍👧\r".repeat(5)));
    for width in 1..60 {
        for height in 1..30 {
            drop(stage.draw(width, height));
        }
    }
    drop(stage.draw(300, 100));
}
