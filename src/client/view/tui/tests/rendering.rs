//! What the screen looks like.

use insta::assert_snapshot;

use super::{
    super::clock::{Clock, Times, Timestamps},
    *,
};

/// A stage on which something has been said, in several scripts.
fn talk() -> Harness {
    let mut stage = Harness::live();
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
    let mut stage = Harness::new(Depth::True);
    stage.open("lobby");
    assert_snapshot!(stage.screen(60, 8));
}

#[test]
fn an_empty_room() {
    assert_snapshot!(Harness::live().screen(80, 24));
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
    stage.event(0, Event::Dropped { reason: "the server is stopping".to_owned(), silent: Duration::ZERO });
    stage.enter_line("is anybody there?");
    stage.elapsed += Duration::from_secs(75);
    assert_snapshot!(stage.bottom(6));
}

/// Returns the line of state at this width.
fn status_line(stage: &mut Harness, width: u16) -> String {
    let screen = stage.screen(width, 12);
    screen.lines().nth(10).unwrap_or_default().to_owned()
}

#[test]
fn who_is_away_is_told_why_for_how_long_and_when_the_next_try_is() {
    let mut stage = talk();
    stage.event(0, Event::Dropped { reason: "the server is stopping".to_owned(), silent: Duration::ZERO });
    stage.elapsed += Duration::from_secs(190);
    let reason = "refused: too many connections from this address (503); try again in 10 s";
    stage.event(0, Event::Waiting { reason: Some(reason.to_owned()), hint: None, length: Duration::from_secs(8) });
    assert_snapshot!([40, 80, 120].map(|width| status_line(&mut stage, width)).join("\n"));
    stage.elapsed += Duration::from_secs(1);
    let apps: Vec<&App> = stage.apps.iter().collect();
    assert_eq!(stage.tui.wake_at(stage.elapsed, &apps), Some(stage.elapsed + Duration::from_secs(1)), "it counts down");
    assert!(status_line(&mut stage, 80).contains("; next try in 7 s"));
    stage.elapsed += Duration::from_secs(7);
    assert!(status_line(&mut stage, 80).contains("; trying now"));
}

#[test]
fn who_is_called_otherwise_than_they_want_sees_it_and_who_says_that_nick_calls_them() {
    let mut stage = Harness::live();
    stage.apps[0] = App::new(Settings { nick: Some(nick("zoe")), ..Settings::default() });
    stage.event(0, Event::Connected(Dialect::Json));
    stage.server(0, &ServerMessage::Hello { server: "test".to_owned(), nonce: Hex([0; 16]) });
    let failure = crate::protocol::Failure {
        free: Some(nick("ada")),
        ..crate::protocol::Failure::new(crate::protocol::ErrorCode::NickTaken, "zoe is taken")
    };
    stage.server(0, &ServerMessage::Error(failure));
    stage.enter(0, None);
    assert!(
        status_line(&mut stage, 80).starts_with("─ ada (zoe is taken) ─ #lobby ─"),
        "{}",
        status_line(&mut stage, 80)
    );
    assert!(status_line(&mut stage, 40).starts_with("─ ada ─ #lobby ─"), "{}", status_line(&mut stage, 40));
    for called in ["zoe", "ada"] {
        stage.said(0, "bob", &format!("{called}: hi"));
        assert!(stage.bottom(3).lines().next().unwrap().contains('»'), "{}", stage.bottom(3));
    }
}

#[test]
fn a_connection_that_is_lost_again_and_again_takes_one_line() {
    let mut stage = talk();
    for reason in ["gone", "the server is stopping", "gone again"] {
        stage.elapsed += Duration::from_secs(1);
        stage.event(0, Event::Dropped { reason: reason.to_owned(), silent: Duration::ZERO });
        for reason in ["connection refused", "refused: it is full (503)"] {
            stage.event(
                0,
                Event::Waiting { reason: Some(reason.to_owned()), hint: None, length: Duration::from_secs(1) },
            );
        }
        stage.elapsed += Duration::from_secs(2);
        stage.enter(0, None);
    }
    let again = stage.bottom(5);
    stage.said(0, "bob", "hi");
    stage.event(0, Event::Dropped { reason: "gone".to_owned(), silent: Duration::ZERO });
    stage.event(
        0,
        Event::Waiting { reason: Some("connection refused".to_owned()), hint: None, length: Duration::from_secs(1) },
    );
    assert_snapshot!(format!("{again}\n\n{}", stage.bottom(5)));
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
    let query = crate::protocol::Query::new("morning").unwrap();
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
    let mut stage = Harness::new(Depth::None);
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

#[test]
fn who_reads_back_is_told_where_they_are_at_every_width() {
    let mut stage = Harness::live();
    for number in 1..=1500 {
        stage.elapsed = Duration::from_secs(60 * number);
        stage.said(0, "bob", &format!("message {number}"));
    }
    drop(stage.draw(80, 24));
    assert!(!stage.bottom(2).contains('↓'));
    // It keeps what is drawn next in sight, whatever comes.
    stage.press(KeyCode::Home, KeyModifiers::CONTROL);
    drop(stage.draw(80, 24));
    for number in 1501..=1512 {
        stage.said(0, "bob", &format!("message {number}"));
    }
    let mut status = |width| stage.screen(width, 24).lines().nth(22).unwrap().to_owned();
    assert!(status(110).contains(" 1,491 back · 15 Nov 12:01 · 12 new ↓ "), "{}", status(110));
    assert!(status(80).contains(" 1,491 back · 15 Nov 12:01 · 12 new ↓ "), "{}", status(80));
    assert!(status(40).contains(" 15 Nov 12:01 · 12 new ↓ "), "{}", status(40));
    for width in 16..120 {
        assert!(status(width).contains("15 Nov 12:01"), "{width}: {}", status(width));
    }
    assert!(status(1).starts_with('─'));
    stage.key(KeyCode::Esc);
    assert!(!stage.bottom(2).contains('↓'));
}

#[test]
fn where_one_reads_is_told_beside_what_is_wrong() {
    let mut stage = Harness::live();
    for number in 1..=40 {
        stage.said(0, "bob", &format!("message {number}"));
    }
    drop(stage.draw(40, 12));
    stage.key(KeyCode::PageUp);
    stage.event(0, Event::Dropped { reason: "gone".to_owned(), silent: Duration::ZERO });
    let screen = stage.screen(40, 12);
    let status = screen.lines().nth(10).unwrap();
    assert!(status.contains("15 Nov 12:00") && status.contains("offline"), "{status}");
}

#[test]
fn the_time_is_told_as_it_was_chosen() {
    let mut stage = Harness::new(Depth::True);
    stage.tui.choices.times = Times { clock: Clock::Twelve, stamps: Timestamps::Each };
    stage.open("lobby");
    stage.enter(0, None);
    stage.said(0, "bob", "one");
    stage.said(0, "bob", "two of ada");
    stage.elapsed = Duration::from_mins(110);
    stage.said(0, "bob", "three");
    let screen = stage.screen(80, 24);
    let rows: Vec<_> = screen.lines().filter(|row| row.contains("bob: ")).collect();
    assert_eq!(rows, ["12:00pm       bob: one", "12:00pm»      bob: two of ada", " 1:50pm       bob: three"]);
}
