//! Pages of history, stretches of the past, and how much is kept.

use std::ops::RangeInclusive;

use super::{
    super::{Page, Scroll, segment},
    *,
};
use crate::wire::ClientMessage;

/// Returns a reader of a room where so much has been said before the ids of `live`.
fn reader(live: RangeInclusive<u64>) -> Reader {
    let mut reader = Reader::new(60, 6);
    reader.hear_all(&messages(live));
    reader.cells();
    reader
}

/// Answers what is wanted as a server would that has the ids of `all`, until nothing is; returns what that was.
fn serve(reader: &mut Reader, all: RangeInclusive<u64>) -> Vec<Page> {
    let mut served = Vec::new();
    reader.cells();
    while let Some(page) = reader.conversation.wanted_page() {
        answer(reader, page, all.clone());
        served.push(page);
        reader.cells();
        assert!(served.len() < 100, "{served:?}");
    }
    served
}

fn answer(reader: &mut Reader, page: Page, all: RangeInclusive<u64>) {
    let ClientMessage::History { after, before, limit } = page.request() else { panic!("a request of history") };
    let limit = u64::from(limit.unwrap());
    let (first, last) = (*all.start(), *all.end());
    let ids = match (after, before) {
        (Some(after), _) => (after.0 + 1).max(first)..=(after.0 + limit).min(last),
        (_, Some(before)) => before.0.saturating_sub(limit).max(first)..=(before.0 - 1).min(last),
        (None, None) => panic!("{page:?}"),
    };
    // A page comes in several events.
    let page_messages = messages(ids);
    let (one, two) = page_messages.split_at(page_messages.len() / 3);
    reader.conversation.take_page(page, one, false);
    reader.conversation.take_page(page, two, true);
}

#[test]
fn older_pages_come_when_the_top_is_near_and_move_nothing() {
    let mut reader = reader(300..=340);
    assert_eq!(reader.conversation.wanted_page(), None);
    reader.conversation.scroll(Scroll::Top);
    assert_eq!(reader.numbers(), [300, 301, 302, 303, 304]);
    assert_eq!(reader.conversation.wanted_page(), Some(Page::Older(MessageId(300))));
    assert_eq!(reader.conversation.wanted_page(), None, "it is on its way");
    answer(&mut reader, Page::Older(MessageId(300)), 1..=340);
    assert_eq!(reader.numbers(), [299, 300, 301, 302, 303, 304], "where the day stood, the one before it stands");
    reader.conversation.scroll(Scroll::Lines(-3));
    assert_eq!(reader.numbers()[..3], [296, 297, 298]);
}

#[test]
fn the_beginning_is_told_once() {
    let mut reader = reader(150..=200);
    for _ in 0..9 {
        reader.conversation.scroll(Scroll::Top);
        serve(&mut reader, 1..=200);
    }
    let rows = reader.rows();
    assert!(rows[0].contains(" the beginning of the history "), "{rows:?}");
    assert!(rows[1].contains(" Wednesday, 15 November 2023 ") && rows[2].ends_with("message 1"), "{rows:?}");
    assert_eq!(reader.conversation.wanted_page(), None);
    reader.conversation.scroll(Scroll::Bottom);
    assert_eq!(reader.numbers(), [195, 196, 197, 198, 199, 200]);
}

#[test]
fn a_screen_that_is_not_full_is_filled() {
    let mut reader = reader(299..=300);
    assert_eq!(serve(&mut reader, 1..=300), [Page::Older(MessageId(299))]);
    assert_eq!(reader.numbers(), [295, 296, 297, 298, 299, 300]);
    assert!(reader.conversation.is_at_bottom());
}

#[test]
fn what_was_asked_is_asked_again_after_a_reconnect_and_a_late_answer_is_dropped() {
    let mut reader = reader(300..=340);
    reader.conversation.scroll(Scroll::Top);
    reader.cells();
    let asked = reader.conversation.wanted_page().unwrap();
    reader.take(&Shown::Disconnected { reason: "x".to_owned() });
    answer(&mut reader, asked, 1..=340);
    assert_eq!(reader.numbers()[0], 300);
    assert_eq!(reader.conversation.wanted_page(), Some(asked));
}

#[test]
fn a_search_hit_is_shown_in_its_place_and_reading_on_leads_back() {
    let mut reader = reader(900..=950);
    assert!(!reader.conversation.jump_to(MessageId(500)));
    answer(&mut reader, Page::Around(MessageId(500)), 1..=950);
    assert!(reader.rows().iter().any(|row| row.contains('>') && row.ends_with("message 500")));
    serve(&mut reader, 1..=950);
    assert_eq!(reader.numbers(), [498, 499, 500, 501, 502, 503]);
    reader.hear_all(&messages(951..=952));
    assert_eq!(reader.numbers(), [498, 499, 500, 501, 502, 503]);
    assert_eq!((reader.conversation.new_below(), reader.conversation.is_at_bottom()), (2, false));
    let mut seen = reader.numbers();
    while !reader.conversation.is_at_bottom() {
        reader.conversation.scroll(Scroll::Pages(1));
        seen.extend(reader.numbers());
        serve(&mut reader, 1..=952);
    }
    seen.dedup();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (498..=952).collect::<Vec<_>>());
    assert_eq!(reader.conversation.new_below(), 0);
}

#[test]
fn the_end_leads_back_from_a_hit_at_once() {
    let mut reader = reader(900..=950);
    answer(&mut reader, Page::Around(MessageId(500)), 1..=950);
    reader.conversation.scroll(Scroll::Bottom);
    assert_eq!(reader.numbers(), [945, 946, 947, 948, 949, 950]);
    assert!(reader.conversation.jump_to(MessageId(910)));
}

#[test]
fn a_hit_that_the_server_no_longer_has_is_told() {
    let mut reader = reader(900..=950);
    answer(&mut reader, Page::Around(MessageId(500)), 600..=950);
    assert!(reader.rows()[4].contains("! that message is gone: "));
    assert!(reader.conversation.is_at_bottom());
}

#[test]
fn typed_history_is_scrolled_to() {
    let mut reader = reader(300..=340);
    let history = |ids, more| ServerMessage::History { room: RoomName::lobby(), messages: messages(ids), more };
    reader.event(history(291..=310, true));
    reader.event(history(311..=340, false));
    assert_eq!(reader.numbers()[..2], [289 + 2, 292]);
    reader.conversation.scroll(Scroll::Bottom);
    assert_eq!(reader.numbers(), [335, 336, 337, 338, 339, 340]);
}

#[test]
fn memory_is_bounded_and_what_is_read_stays() {
    let most = u64::try_from(segment::ENTRIES).unwrap();
    let mut reader = reader(1..=most);
    reader.conversation.scroll(Scroll::Top);
    reader.conversation.scroll(Scroll::Lines(50));
    let before = reader.numbers();
    reader.hear_all(&messages(most + 1..=3 * most));
    assert_eq!(reader.numbers(), before);
    assert!(!reader.conversation.is_at_bottom());
    let kept = reader.conversation.live.end() - reader.conversation.live.first();
    assert!(kept <= i64::try_from(most).unwrap());
    // Reading on leads through what was dropped.
    let mut last = 0;
    for _ in 0..40 {
        reader.conversation.scroll(Scroll::Pages(200));
        serve(&mut reader, 1..=3 * most);
        let numbers = reader.numbers();
        assert!(numbers[0] > last && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        last = numbers[0];
    }
    reader.conversation.scroll(Scroll::Bottom);
    assert_eq!(reader.numbers().last(), Some(&(3 * most)));
}
