//! What is read stays where it is.

use proptest::prelude::*;

use super::{
    super::{Page, Scroll},
    *,
};
use crate::client::chat::Bookmark;

fn scrolled(height: u16, rows: i32) -> Reader {
    let mut reader = Reader::new(60, height);
    reader.hear_all(&messages(1..=40));
    reader.cells();
    reader.conversation.scroll(Scroll::Lines(-rows));
    reader
}

#[test]
fn it_scrolls_by_rows_and_screens_and_to_the_ends() {
    let mut reader = scrolled(5, 3);
    assert_eq!(reader.numbers(), [33, 34, 35, 36, 37]);
    reader.conversation.scroll(Scroll::Pages(-1));
    assert_eq!(reader.numbers(), [30, 31, 32, 33, 34]);
    reader.conversation.scroll(Scroll::Lines(2));
    assert_eq!(reader.numbers(), [32, 33, 34, 35, 36]);
    reader.conversation.scroll(Scroll::Top);
    assert_eq!(reader.numbers(), [1, 2, 3, 4], "with the day above");
    reader.conversation.scroll(Scroll::Lines(-9));
    assert!(!reader.conversation.is_at_bottom());
    reader.conversation.scroll(Scroll::Pages(99));
    assert!(reader.conversation.is_at_bottom());
    assert_eq!(reader.numbers(), [36, 37, 38, 39, 40]);
    reader.hear_all(&messages(41..=41));
    assert_eq!(reader.numbers(), [37, 38, 39, 40, 41]);
}

#[test]
fn a_conversation_that_fits_the_screen_does_not_scroll() {
    let mut reader = Reader::new(60, 9);
    reader.hear_all(&messages(1..=3));
    reader.cells();
    reader.conversation.scroll(Scroll::Pages(-1));
    assert!(reader.conversation.is_at_bottom());
}

#[test]
fn new_messages_are_counted_until_they_are_seen() {
    let mut reader = scrolled(5, 3);
    reader.hear_all(&messages(41..=50));
    reader.hear(51, 51, "ada", "my own");
    reader.whisper("bob", "ada", "psst");
    assert_eq!((reader.numbers().first(), reader.conversation.new_below()), (Some(&33), 11));
    assert_eq!(reader.conversation.last_read(), Some(MessageId(40)));
    reader.conversation.scroll(Scroll::Lines(5));
    reader.cells();
    assert_eq!(reader.conversation.new_below(), 9);
    reader.conversation.scroll(Scroll::Bottom);
    assert_eq!(reader.conversation.new_below(), 0);
    assert_eq!(reader.conversation.last_read(), Some(MessageId(51)));
}

#[test]
fn what_came_while_nobody_looked_is_new() {
    let mut reader = Reader::new(60, 6);
    reader.hear_all(&messages(1..=2));
    reader.take(&ViewEvent::Disconnected { reason: "x".to_owned() });
    reader.welcome(EPOCH);
    reader.hear_all(&messages(3..=3));
    reader.live();
    reader.hear_all(&messages(4..=4));
    let rows = reader.rows();
    assert!(rows[3].contains(" new ") && rows[4].ends_with("message 3"), "{rows:?}");
}

#[test]
fn reading_goes_on_where_it_stopped() {
    let mut reader = Reader::new(60, 6);
    reader.conversation = Conversation::new(TimeZone::UTC);
    reader.conversation.resume_after(Bookmark { epoch: EPOCH, run: None, id: MessageId(7) });
    reader.conversation.watch(true);
    reader.welcome(EPOCH);
    reader.hear_all(&messages(8..=9));
    reader.live();
    let rows = reader.rows();
    assert!(rows[3].contains(" new "), "{rows:?}");
    assert_eq!(reader.conversation.last_read(), Some(MessageId(9)));
}

/// Returns a reader who comes back to a room where reading stopped at message 7, and where these
/// came since.
fn come_back(missed: &[Arc<Message>]) -> Reader {
    let mut reader = Reader::new(60, 6);
    reader.conversation = Conversation::new(TimeZone::UTC);
    reader.conversation.resume_after(Bookmark { epoch: EPOCH, run: None, id: MessageId(7) });
    reader.conversation.watch(true);
    reader.welcome(EPOCH);
    reader.hear_all(missed);
    reader.live();
    reader
}

#[test]
fn a_room_with_much_that_was_missed_opens_where_reading_stopped() {
    let mut reader = come_back(&messages(8..=40));
    reader.hear_all(&messages(41..=41));
    let rows = reader.rows();
    assert!(rows[0].contains(" Wednesday, ") && rows[1].contains(" new "), "{rows:?}");
    assert_eq!((reader.numbers(), reader.conversation.new_below()), (vec![8, 9, 10, 11], 30));
    assert_eq!(reader.conversation.last_read(), Some(MessageId(11)), "what was in sight is read, and nothing else");
    reader.conversation.scroll(Scroll::Pages(1));
    assert_eq!((reader.numbers(), reader.conversation.last_read()), ((10..=15).collect(), Some(MessageId(15))));
    reader.conversation.scroll(Scroll::Bottom);
    assert_eq!((reader.conversation.last_read(), reader.conversation.new_below()), (Some(MessageId(41)), 0));
    reader.take(&ViewEvent::Disconnected { reason: "x".to_owned() });
    reader.welcome(EPOCH);
    reader.hear_all(&messages(42..=90));
    reader.live();
    assert!(reader.conversation.is_at_bottom(), "who follows what is said goes on following it");
}

#[test]
fn a_room_where_all_that_was_missed_fits_opens_at_its_end() {
    let mut reader = come_back(&messages(8..=11));
    assert_eq!(reader.numbers(), [8, 9, 10, 11]);
    assert!(reader.conversation.is_at_bottom());
    assert_eq!((reader.conversation.last_read(), reader.conversation.new_below()), (Some(MessageId(11)), 0));
}

#[test]
fn after_a_very_long_absence_a_room_opens_at_its_end() {
    // There is more between these and what was read, and that comes by scrolling.
    let mut reader = come_back(&messages(5008..=6007));
    assert_eq!(reader.numbers().last(), Some(&6007));
    reader.conversation.scroll(Scroll::Pages(-999));
    reader.cells();
    assert_eq!(reader.conversation.wanted_page(), Some(super::super::Page::Older(MessageId(5008))));
}

#[test]
fn a_history_of_another_epoch_has_other_ids() {
    let mut reader = Reader::new(60, 6);
    reader.hear_all(&messages(100..=102));
    reader.welcome(Hex([2; 8]));
    reader.hear_all(&messages(1..=2));
    assert_eq!(reader.numbers(), [100, 101, 102, 1, 2]);
    assert_eq!(reader.conversation.wanted_page(), None);
    assert!(!reader.conversation.jump_to(MessageId(100)) && reader.conversation.jump_to(MessageId(1)));
}

#[test]
fn a_history_that_was_put_back_is_new_below_what_was_shown_of_the_other() {
    let mut reader = Reader::new(60, 20);
    reader.hear_all(&messages(58..=62));
    reader.take(&ViewEvent::Disconnected { reason: "x".to_owned() });
    reader.welcome_to(EPOCH, Some(60));
    reader.take(&ViewEvent::Notice("another history".to_owned()));
    reader.hear_all(&messages(61..=62));
    reader.live();
    reader.hear_all(&messages(63..=63));
    assert_eq!(
        reader.numbers(),
        [58, 59, 60, 61, 62, 61, 62, 63],
        "what has been told of the other history hides nothing"
    );
    let rows = reader.rows();
    let of = |words: &str| rows.iter().position(|row| row.contains(words)).unwrap();
    assert!(of("another history") < of(" new ") && rows[of(" new ") + 1].contains("message 61"), "{rows:?}");
    assert_eq!(reader.conversation.last_read(), Some(MessageId(63)));
}

#[test]
fn reading_goes_on_where_the_histories_part() {
    let mut reader = Reader::new(60, 8);
    reader.conversation = Conversation::new(TimeZone::UTC);
    reader.conversation.resume_after(Bookmark { epoch: EPOCH, run: None, id: MessageId(80) });
    reader.conversation.watch(true);
    reader.welcome_to(EPOCH, Some(60));
    reader.hear_all(&messages(61..=62));
    reader.live();
    assert_eq!(reader.numbers(), [61, 62]);
    assert!(reader.rows().iter().any(|row| row.contains(" new ")), "{:?}", reader.rows());
    assert_eq!(reader.conversation.wanted_page(), Some(Page::Older(MessageId(61))), "what is shared can be paged to");
}

#[test]
fn a_resize_keeps_what_is_read_in_sight() {
    let mut reader = Reader::new(80, 8);
    reader.hear_all(&messages(1..=10));
    let words: Vec<_> = (0..400).map(|n| format!("word-{n}")).collect();
    reader.hear(11, 11, "bob", &words.join(" "));
    reader.hear_all(&messages(12..=40));
    reader.cells();
    reader.conversation.jump_to(MessageId(11));
    reader.conversation.scroll(Scroll::Lines(20));
    let first = |reader: &mut Reader| -> u32 {
        let rows = reader.rows();
        let (_, word) = rows[0].split_once("word-").unwrap();
        word.split(' ').next().unwrap().parse().unwrap()
    };
    let before = first(&mut reader);
    let screen = reader.screen();
    for (width, height) in [(33, 8), (160, 30), (51, 3), (20, 5), (80, 8)] {
        reader.resize(width, height);
        let after = first(&mut reader);
        assert!(before.abs_diff(after) < 40, "at {width}×{height}: {before} became {after}");
    }
    assert_eq!(reader.screen(), screen);
}

#[test]
fn a_message_that_is_known_is_jumped_to() {
    let mut reader = scrolled(9, 0);
    assert!(!reader.conversation.jump_to(MessageId(77)));
    assert!(reader.conversation.jump_to(MessageId(20)));
    let rows = reader.rows();
    assert_eq!(rows[3], "12:20>    bob: message 20");
    reader.conversation.scroll(Scroll::Bottom);
    assert!(reader.conversation.jump_to(MessageId(20)) && reader.conversation.jump_to(MessageId(40)));
    assert!(reader.rows()[8].starts_with("12:40>"));
}

#[test]
fn a_text_of_the_greatest_length_is_scrolled_through() {
    let mut reader = Reader::new(20, 6);
    reader.hear(1, 0, "bob", &"x\n".repeat(8000));
    reader.hear(2, 0, "bob", &"ab ".repeat(5000));
    reader.hear(3, 0, "bob", &"y".repeat(16_000));
    for _ in 0..100 {
        reader.cells();
        reader.conversation.scroll(Scroll::Pages(-50));
    }
    assert!(reader.rows()[1].contains("bob: x"));
}

proptest! {
    #[test]
    fn what_arrives_moves_nothing(
        rows in 1..60_i32,
        height in 2..12_u16,
        width in 3..90_u16,
        texts in prop::collection::vec(("[a-z 学👍\n]{0,80}x", 0..3_u8), 1..12),
    ) {
        let mut reader = Reader::new(width, height);
        reader.hear_all(&messages(1..=40));
        reader.cells();
        reader.conversation.scroll(Scroll::Lines(-rows));
        let before = reader.screen();
        prop_assume!(!reader.conversation.is_at_bottom());
        for (id, (text, what)) in (41..).zip(texts) {
            match what {
                0 => drop(reader.hear(id, id, "bob", &text)),
                1 => drop(reader.take(&ViewEvent::Notice(text))),
                _ => {
                    let left = vec![nick("bob")];
                    reader.event(ServerMessage::Presence(Presence { left, ..nobody_moved() }));
                }
            }
            prop_assert_eq!(reader.screen(), before.clone());
        }
    }
}
