//! Each state of the conversation as a whole screen.

use insta::assert_snapshot;
use ratatui::style::{Color, Modifier, Style};

use super::{super::Scroll, *};
use crate::protocol::{ErrorCode, Failure, Query, Rename};

const LONG: &str = "a longer text that does not fit one row of an ordinary terminal and goes on below, under itself";

fn body(text: &str) -> Body {
    Body::new(text).unwrap()
}

fn talk(reader: &mut Reader) {
    reader.hear(1, 0, "bob", "good morning");
    reader.hear(2, 0, "carol", LONG);
    reader.hear(3, 1, "ada", "see https://example.org/a/page, and run `cargo test`");
    reader.kind(4, "bob", Kind::Me, Some("waves"));
    reader.hear(5, 2, "somebody-with-a-long-nick", "hello\n12:35 bob: I owe you 5\n* eve joined");
    reader.kind(6, "bob", Kind::Topic, Some("tea"));
    reader.hear(7, 9, "carol", "@ada: is it you?");
    reader.whisper("bob", "ada", "psst, a secret");
    reader.whisper("ada", "bob", "which one?");
    reader.take(&ViewEvent::Refusal("no such command: /dance".to_owned()));
    reader.take(&ViewEvent::Notice("back after 6 s: 1 missed, none lost".to_owned()));
}

fn talking(width: u16, height: u16) -> Reader {
    let mut reader = Reader::new(width, height);
    talk(&mut reader);
    reader
}

#[test]
fn an_empty_room_tells_what_one_can_do_until_something_is_said() {
    let mut reader = Reader::new(40, 10);
    reader.take(&ViewEvent::Disconnected { reason: "gone".to_owned() });
    assert!(!reader.screen().contains("nothing has been said"), "nobody knows");
    reader.conversation.invite("others join with".to_owned(), "client ws://chat.example:8080/rust-and-more".to_owned());
    reader.welcome(EPOCH);
    reader.live();
    reader.take(&ViewEvent::Notice("bob joined".to_owned()));
    assert_snapshot!(reader.screen(), @r#"
    "     nothing has been said here yet     "
    "  type, and Enter says it to everybody  "
    "   /help: the commands; F1: the keys    "
    "    Tab completes names and commands    "
    "                                        "
    "            others join with            "
    "client ws://chat.example:8080/rust-and-m"
    "                  ore                   "
    "* connection lost: gone; reconnecting   "
    "* bob joined                            "
    "#);
    reader.hear(1, 0, "bob", "hi");
    assert!(!reader.screen().contains("nothing has been said"));
}

#[test]
fn talk_at_80_columns() {
    assert_snapshot!(talking(80, 18).screen());
}

#[test]
fn talk_at_40_columns() {
    assert_snapshot!(talking(40, 22).screen());
}

#[test]
fn talk_at_20_columns() {
    assert_snapshot!(talking(20, 36).screen());
}

#[test]
fn talk_at_200_columns() {
    assert_snapshot!(talking(200, 16).screen());
}

#[test]
fn wide_characters_and_emoji() {
    let mut reader = Reader::new(52, 12);
    reader.hear(1, 0, "学生", "今日は良い天気ですね。散歩に行きましょう、それから昼ご飯を食べましょう！");
    reader.hear(2, 0, "bob", "a family 👩‍👩‍👧‍👦, a flag 🇪🇺, a heart ❤️, a thumb 👍🏽, an accent e\u{301}, and the end");
    reader.hear(3, 0, "bob", &"👩‍👩‍👧‍👦".repeat(20));
    assert_snapshot!(reader.screen());
}

#[test]
fn a_new_day_and_what_is_new() {
    let mut reader = Reader::new(60, 9);
    reader.hear(1, 0, "bob", "today");
    reader.conversation.watch(false);
    reader.hear(2, 1, "bob", "still today");
    reader.hear(3, 13 * 60, "bob", "tomorrow");
    reader.conversation.watch(true);
    reader.hear(4, 13 * 60 + 1, "bob", "seen as it came");
    assert_snapshot!(reader.screen(), @r#"
    "                                                            "
    "                                                            "
    "─────────────── Wednesday, 15 November 2023 ────────────────"
    "12:00     bob: today                                        "
    "─────────────────────────── new ────────────────────────────"
    "12:01     bob: still today                                  "
    "──────────────── Thursday, 16 November 2023 ────────────────"
    "01:00     bob: tomorrow                                     "
    "01:01     bob: seen as it came                              "
    "#);
    assert_eq!(reader.conversation.last_read(), Some(MessageId(4)));
    reader.conversation.watch(false);
    assert!(!reader.screen().contains(" new "), "all has been read");
}

#[test]
fn what_is_pending_looks_pending() {
    let mut reader = talking(60, 8);
    reader.pending = vec![
        Pending { kind: Kind::Say, to: None, text: Some(body(&format!("on its way: {LONG}"))) },
        Pending { kind: Kind::Me, to: None, text: Some(body("waits")) },
        Pending { kind: Kind::Say, to: Some(nick("bob")), text: Some(body("a secret")) },
        Pending { kind: Kind::Topic, to: None, text: None },
    ];
    assert_snapshot!(reader.screen(), @r#"
    "12:09        ! no such command: /dance                      "
    "             * back after 6 s: 1 missed, none lost          "
    "    …     ada: on its way: a longer text that does not fit  "
    "               one row of an ordinary terminal and goes on  "
    "               below, under itself                          "
    "    …        ~ ada waits                                    "
    "    … [you -> bob] a secret                                 "
    "    …        * ada cleared the topic                        "
    "#);
    reader.resize(30, 12);
    assert_snapshot!(reader.screen(), @r#"
    "[you -> bob] which one?       "
    "! no such command: /dance     "
    "* back after 6 s: 1 missed,   "
    "  none lost                   "
    "… ada: on its way: a longer   "
    "  text that does not fit one  "
    "  row of an ordinary terminal "
    "  and goes on below, under    "
    "  itself                      "
    "… ~ ada waits                 "
    "… [you -> bob] a secret       "
    "… * ada cleared the topic     "
    "#);
}

#[test]
fn scrolled_up_with_new_below() {
    let mut reader = Reader::new(50, 5);
    reader.hear_all(&messages(1..=20));
    reader.cells();
    reader.conversation.scroll(Scroll::Pages(-1));
    let before = reader.screen();
    reader.hear_all(&messages(21..=32));
    assert_eq!(reader.screen(), before);
    assert_eq!(reader.conversation.new_below(), 12);
    assert_snapshot!(before, @r#"
    "12:13     bob: message 13                         "
    "12:14     bob: message 14                         "
    "12:15     bob: message 15                         "
    "12:16     bob: message 16                         "
    "12:17     bob: message 17                         "
    "#);
}

#[test]
fn search_results() {
    let mut reader = talking(60, 9);
    let found = |ids: std::ops::RangeInclusive<u64>, more| ServerMessage::Found {
        room: RoomName::lobby(),
        query: Query::new("tea").unwrap(),
        messages: ids.rev().map(|id| message(id, id * 700, "bob", &format!("tea {id}\n{LONG}"))).collect(),
        more,
        incomplete: false,
        all: false,
        total: None,
        or_more: false,
    };
    reader.event(found(4..=9, true));
    assert!(reader.conversation.results().is_none(), "the rest of it follows");
    reader.event(found(1..=3, false));
    reader.conversation.select(7);
    assert_snapshot!(reader.screen(), @r#"
    "──────────────────── 9 found for "tea" ─────────────────────"
    "  2023-11-19 09:20  bob: tea 8 a longer text that does not …"
    "  2023-11-18 21:40  bob: tea 7 a longer text that does not …"
    "  2023-11-18 10:00  bob: tea 6 a longer text that does not …"
    "  2023-11-17 22:20  bob: tea 5 a longer text that does not …"
    "  2023-11-17 10:40  bob: tea 4 a longer text that does not …"
    "  2023-11-16 23:00  bob: tea 3 a longer text that does not …"
    "> 2023-11-16 11:20  bob: tea 2 a longer text that does not …"
    "──────────── Up, Down; Enter shows; Esc closes ─────────────"
    "#);
    assert_eq!(reader.conversation.results().unwrap().selected().unwrap().id, MessageId(2));
    reader.resize(30, 4);
    assert_snapshot!(reader.screen(), @r#"
    "───── 9 found for "tea" ──────"
    "  bob: tea 4 a longer text th…"
    "  bob: tea 3 a longer text th…"
    "> bob: tea 2 a longer text th…"
    "#);
    reader.conversation.close_results();
    assert!(!reader.screen().contains("found"));
}

#[test]
fn who_came_and_went_is_one_line() {
    let mut reader = Reader::new(60, 4);
    reader.hear(1, 0, "bob", "hi");
    reader.hear(2, 0, "eve", "hi");
    let joined = |who: &[&str]| Presence { joined: who.iter().map(|who| nick(who)).collect(), ..nobody_moved() };
    let left = |who: &str| Presence { left: vec![nick(who)], ..nobody_moved() };
    reader.now = 1;
    reader.event(ServerMessage::Presence(left("bob")));
    reader.event(ServerMessage::Presence(joined(&["stranger", "another"])));
    reader.event(ServerMessage::Presence(left("eve")));
    reader.now = 2;
    reader.event(ServerMessage::Presence(joined(&["bob"])));
    let renamed = vec![Rename { from: nick("bob"), to: nick("rob") }, Rename { from: nick("me"), to: nick("ada") }];
    reader.event(ServerMessage::Presence(Presence { renamed, ..nobody_moved() }));
    reader.event(ServerMessage::Nick { nick: nick("ada") });
    assert_snapshot!(reader.screen(), @r#"
    "12:00     bob: hi                                           "
    "          eve: hi                                           "
    "12:02        * eve left; bob is rob now                     "
    "             * you are ada now                              "
    "#);
    assert_eq!(reader.conversation.speakers().map(Nick::as_str).collect::<Vec<_>>(), ["eve", "rob"]);
    reader.now = 40;
    reader.event(ServerMessage::Presence(left("rob")));
    assert!(!reader.screen().contains("rob left"), "it is long ago that he spoke");
}

#[test]
fn what_the_server_tells() {
    let mut reader = Reader::new(60, 8);
    reader.hear(1, 0, "bob", "hi");
    let view = RoomView {
        room: RoomName::lobby(),
        topic: None,
        topic_by: None,
        people: 3,
        names: vec![nick("ada"), nick("bob")],
        away: vec![],
    };
    reader.event(ServerMessage::Names(view));
    let rooms = vec![crate::protocol::RoomEntry { room: RoomName::lobby(), people: 2, topic: None, topic_by: None }];
    reader.event(ServerMessage::Rooms { rooms, total: 1, more: false });
    reader.event(ServerMessage::Error(Failure::new(ErrorCode::NoSuchNick, "nobody here is called zed")));
    reader.take(&ViewEvent::Disconnected { reason: "the server is gone".to_owned() });
    assert_snapshot!(reader.screen(), @r#"
    "─────────────── Wednesday, 15 November 2023 ────────────────"
    "12:00     bob: hi                                           "
    "             * in #lobby: ada, bob and 1 more               "
    "             * 1 room                                       "
    "                   #lobby            2                      "
    "             ! nobody here is called zed                    "
    "             * connection lost: the server is gone;         "
    "               reconnecting                                 "
    "#);
}

#[test]
fn a_server_of_plain_text() {
    let mut reader = Reader::new(60, 7);
    reader.take(&ViewEvent::Connected(crate::protocol::Dialect::Text));
    assert_eq!(reader.take(&ViewEvent::Text("bob: hi\n".to_owned())), Attention::Said);
    assert_eq!(reader.take(&ViewEvent::Text(format!("bob: ada, {LONG}\nand more"))), Attention::Mention);
    assert_snapshot!(reader.screen(), @r#"
    "                                                            "
    "12:00        * connected; this server speaks plain text     "
    "               only: no names, no history, no commands      "
    "      bob: hi                                               "
    "     »bob: ada, a longer text that does not fit one row of  "
    "        an ordinary terminal and goes on below, under itself"
    "        and more                                            "
    "#);
}

#[test]
fn without_colours_every_cell_is_the_terminals_own() {
    let mut reader = talking(80, 24);
    reader.palette = Palette::new(Depth::None);
    reader.pending = vec![Pending { kind: Kind::Say, to: None, text: Some(body("on its way")) }];
    let cells = reader.cells();
    let plain = |cell: &Cell| cell.fg == Color::Reset && cell.bg == Color::Reset && cell.modifier == Modifier::empty();
    assert!(cells.content.iter().all(plain));
    // And it says the same.
    let screen = reader.screen();
    reader.palette = Palette::new(Depth::True);
    assert_eq!(reader.screen(), screen);
}

#[test]
fn what_stands_out_has_its_style() {
    let mut reader = talking(80, 24);
    for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
        reader.palette = Palette::new(depth);
        let palette = reader.palette;
        let (rows, cells) = (reader.rows(), reader.cells());
        let style = |words: &str| {
            let y = rows.iter().position(|row| row.contains(words)).unwrap();
            let x = rows[y][..rows[y].find(words).unwrap()].chars().count();
            cells[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())].style()
        };
        let whole = |style: Style| Cell::EMPTY.style().patch(style);
        assert_eq!(style("12:00"), whole(palette.quiet()));
        assert_eq!(style("bob: good"), whole(palette.nick("bob")));
        assert_eq!(style("good morning"), whole(Style::new()));
        assert_eq!(style("https://"), whole(palette.link()));
        assert_eq!(style(", and run"), whole(Style::new()));
        assert_eq!(style("`cargo"), whole(palette.code()));
        assert_eq!(style("@ada"), whole(palette.mention()));
        assert_eq!(style("no such command"), whole(palette.refusal()));
        assert_eq!(style("back after"), whole(palette.quiet()));
    }
}

#[test]
fn who_travels_is_told_the_time_of_where_they_are() {
    let mut reader = Reader::new(60, 8);
    reader.hear(1, 0, "bob", "at noon");
    reader.hear(2, 750, "bob", "past midnight");
    reader.take(&ViewEvent::Notice("told then".to_owned()));
    reader.whisper("bob", "ada", "psst");
    reader.cells();
    reader.conversation.change_zone(&TimeZone::fixed(jiff::tz::offset(9)));
    let rows = reader.rows();
    assert!(rows[3].starts_with("21:00     bob: at noon"), "{rows:#?}");
    assert!(rows[4].contains("Thursday, 16 November 2023"), "{rows:#?}");
    assert!(rows[5].starts_with("09:30     bob: past midnight"), "{rows:#?}");
    assert!(rows[6].starts_with("             * told then"), "it was in the same minute: {rows:#?}");
    reader.hear(3, 751, "bob", "there");
    assert!(reader.rows()[7].starts_with("09:31     bob: there"), "{:#?}", reader.rows());
    reader.conversation.change_zone(&TimeZone::UTC);
    assert!(reader.rows()[7].starts_with("00:31     bob: there"), "{:#?}", reader.rows());
}
