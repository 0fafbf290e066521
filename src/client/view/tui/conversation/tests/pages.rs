//! Pages of history, stretches of the past, and how much is kept.

use std::ops::RangeInclusive;

use super::{
    super::{
        GoneToNew, Page, Scroll,
        segment::{self, Segment},
    },
    *,
};
use crate::{
    client::chat::Bookmark,
    protocol::{ClientMessage, Dialect},
};

/// Returns a reader of a room where so much has been said before the ids of `live`.
fn reader(live: RangeInclusive<u64>) -> Reader {
    let mut reader = Reader::new(60, 6);
    reader.hear_all(&messages(live));
    reader.cells();
    reader
}

/// Answers what is wanted as a server would that has the ids of `all`, until nothing is; returns
/// what that was.
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
    let ClientMessage::History { after, before, at, limit } = page.request() else { panic!("a request of history") };
    let limit = u64::from(limit.unwrap());
    let (first, last) = (*all.start(), *all.end());
    // One was said each minute from noon on.
    let since = at.map(|at| MessageId(at.0.saturating_sub(NOON).div_ceil(60_000).saturating_sub(1)));
    let ids = match (since.or(after), before) {
        (Some(after), _) => (after.0 + 1).max(first)..=(after.0 + limit).min(last),
        (_, Some(before)) => before.0.saturating_sub(limit).max(first)..=(before.0 - 1).min(last),
        (None, None) => panic!("{page:?}"),
    };
    reader.conversation.take_page(page, &messages(ids));
}

#[test]
fn older_pages_come_when_the_top_is_near_and_move_nothing() {
    let mut reader = reader(300..=340);
    assert_eq!(reader.conversation.wanted_page(), None);
    reader.conversation.scroll(Scroll::Pages(-99));
    assert_eq!(reader.numbers(), [300, 301, 302, 303, 304]);
    assert_eq!(reader.conversation.wanted_page(), Some(Page::Older(MessageId(300))));
    assert_eq!(reader.conversation.wanted_page(), None, "it is on its way");
    answer(&mut reader, Page::Older(MessageId(300)), 1..=340);
    assert_eq!(reader.numbers(), [299, 300, 301, 302, 303, 304], "where the day stood, the one before it stands");
    reader.conversation.scroll(Scroll::Lines(-3));
    assert_eq!(reader.numbers()[..3], [296, 297, 298]);
}

#[test]
fn a_moment_is_one_page_away_however_long_the_room_is() {
    let at = |minutes: u64| Page::Since(Timestamp(NOON + minutes * 60_000));
    let mut reader = reader(9_000..=9_040);
    answer(&mut reader, at(5_000), 1..=9_040);
    assert!(reader.numbers().contains(&5_000) && !reader.conversation.is_at_bottom(), "{:?}", reader.numbers());
    serve(&mut reader, 1..=9_040);
    reader.conversation.scroll(Scroll::Lines(-5));
    assert!(reader.numbers().contains(&4_996), "what is before it can be scrolled to");
    // What is here, or follows on it, is not asked for twice, nor shown twice.
    for minutes in [9_010, 8_950, 8_990] {
        answer(&mut reader, at(minutes), 1..=9_040);
        assert!(reader.numbers().contains(&minutes), "{:?}", reader.numbers());
        reader.conversation.scroll(Scroll::Bottom);
        assert_eq!(reader.numbers().last(), Some(&9_040));
    }
    reader.conversation.scroll(Scroll::Lines(-70));
    let numbers = reader.numbers();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    reader.conversation.take_page(at(9_999), &[]);
    assert!(reader.screen().contains("nothing has been said since then"));
}

#[test]
fn the_top_is_the_beginning_of_what_the_server_has_and_one_key_away() {
    // What is between fits one page, and not nearly so.
    for last in [200, 20_000] {
        let mut reader = reader(last - 50..=last);
        reader.conversation.scroll(Scroll::Top);
        assert_eq!(serve(&mut reader, 1..=last), [Page::First]);
        let rows = reader.rows();
        assert!(rows[0].contains(" the beginning of the history "), "{rows:?}");
        assert!(rows[1].contains(" Wednesday, 15 November 2023 ") && rows[2].ends_with("message 1"), "{rows:?}");
        assert_eq!(reader.conversation.wanted_page(), None);
        reader.conversation.scroll(Scroll::Top);
        assert_eq!(reader.conversation.wanted_page(), None, "that is where one is");
        let mut seen = Vec::new();
        for _ in 0..60 {
            seen.extend(reader.numbers());
            reader.conversation.scroll(Scroll::Pages(1));
            serve(&mut reader, 1..=last);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen[..151], (1..=151).collect::<Vec<_>>(), "reading on leads through everything");
        reader.conversation.scroll(Scroll::Bottom);
        assert_eq!(reader.numbers(), (last - 5..=last).collect::<Vec<_>>());
    }
}

#[test]
fn who_has_gone_on_meanwhile_is_not_taken_to_the_top() {
    let mut reader = reader(300..=340);
    reader.conversation.scroll(Scroll::Top);
    reader.cells();
    assert_eq!(reader.conversation.wanted_page(), Some(Page::First));
    reader.conversation.scroll(Scroll::Bottom);
    answer(&mut reader, Page::First, 1..=340);
    assert_eq!(reader.numbers(), [335, 336, 337, 338, 339, 340]);
}

#[test]
fn the_top_is_asked_for_again_after_a_reconnect() {
    let mut reader = reader(300..=340);
    reader.conversation.scroll(Scroll::Top);
    assert_eq!(reader.conversation.wanted_page(), Some(Page::First));
    assert_eq!(reader.conversation.wanted_page(), None, "it is on its way");
    reader.take(&ViewEvent::Disconnected { reason: "x".to_owned() });
    assert_eq!(reader.conversation.wanted_page(), Some(Page::First));
}

#[test]
fn a_page_that_is_refused_is_asked_for_again_when_the_reader_scrolls() {
    let mut reader = reader(300..=340);
    reader.conversation.scroll(Scroll::Pages(-99));
    reader.cells();
    let page = reader.conversation.wanted_page().unwrap();
    reader.conversation.page_refused(page, "no");
    reader.cells();
    assert_eq!(reader.conversation.wanted_page(), None, "the server would be asked without end");
    assert!(!reader.rows().iter().any(|row| row.contains("no")), "nobody waits for it");
    reader.conversation.scroll(Scroll::Lines(-1));
    reader.cells();
    assert_eq!(reader.conversation.wanted_page(), Some(page));
    reader.conversation.scroll(Scroll::Top);
    reader.conversation.page_refused(Page::First, "not \u{1b}[31mnow");
    assert!(reader.rows()[5].ends_with("! older messages cannot be shown: not now"));
}

#[test]
fn what_was_cleared_stays_out_of_sight_until_the_reader_scrolls_up() {
    let mut reader = reader(300..=340);
    reader.conversation.clear();
    assert_eq!(serve(&mut reader, 1..=340), []);
    assert_eq!(reader.rows(), [""; 6]);
    reader.hear_all(&messages(341..=342));
    assert_eq!(serve(&mut reader, 1..=342), []);
    assert_eq!(reader.numbers(), [341, 342]);
    reader.conversation.scroll(Scroll::Pages(-1));
    assert_eq!(serve(&mut reader, 1..=342), [Page::Older(MessageId(341))]);
    assert_eq!(reader.numbers(), [337, 338, 339, 340, 341, 342]);
}

#[test]
fn so_many_older_messages_come_in_sight() {
    let mut reader = reader(300..=340);
    assert_eq!(reader.numbers()[0], 335);
    reader.conversation.show_older(10);
    assert_eq!(serve(&mut reader, 1..=340), []);
    assert_eq!(reader.numbers()[0], 325);
    reader.conversation.show_older(250);
    assert_eq!(serve(&mut reader, 1..=340).len(), 3);
    assert_eq!(reader.numbers()[0], 75);
    reader.conversation.show_older(1000);
    serve(&mut reader, 1..=340);
    assert!(reader.rows()[0].contains(" the beginning of the history "));
    reader.conversation.clear();
    reader.conversation.show_older(5);
    serve(&mut reader, 1..=340);
    assert_eq!(reader.numbers(), [335, 336, 337, 338, 339, 340], "and the screen is filled");
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
    reader.conversation.scroll(Scroll::Pages(-99));
    reader.cells();
    let asked = reader.conversation.wanted_page().unwrap();
    reader.take(&ViewEvent::Disconnected { reason: "x".to_owned() });
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

#[test]
fn behind_another_room_little_is_kept_and_the_place_stays() {
    let mut reader = reader(1..=9000);
    let kept = |reader: &Reader| {
        let Conversation { live, detached, .. } = &reader.conversation;
        let all = [Some(live), detached.as_ref()].into_iter().flatten();
        assert!(all.clone().flat_map(Segment::entries).all(|entry| entry.rows().is_empty()), "nothing is laid out");
        all.map(|segment| segment.end() - segment.first()).sum::<i64>()
    };
    assert_eq!(reader.numbers().last(), Some(&9000));
    for (scrolled, most) in [(Scroll::Bottom, 1000), (Scroll::Top, 2000), (Scroll::Lines(500), 2000)] {
        reader.conversation.scroll(scrolled);
        serve(&mut reader, 1..=9000);
        let before = reader.numbers();
        reader.conversation.go_behind();
        assert!(kept(&reader) <= most, "{} {scrolled:?}", kept(&reader));
        assert_eq!(reader.numbers(), before, "{scrolled:?}");
        serve(&mut reader, 1..=9000);
        assert_eq!(reader.numbers(), before, "{scrolled:?}");
    }
    reader.conversation.scroll(Scroll::Bottom);
    reader.cells();
    reader.conversation.go_behind();
    reader.hear_all(&messages(9001..=20_000));
    assert!(kept(&reader) <= 1000);
    // Long ones are fewer.
    let long = "x".repeat(10_000);
    reader.hear_all(&(20_001..=20_500).map(|id| message(id, id, "bob", &long)).collect::<Vec<_>>());
    assert!((1..20).contains(&kept(&reader)), "{}", kept(&reader));
}

#[test]
fn what_no_server_sends_again_is_kept_longer_behind_another_room() {
    let mut reader = Reader::new(60, 6);
    reader.take(&ViewEvent::Connected(Dialect::Text));
    reader.conversation.go_behind();
    for line in 0..3000 {
        reader.take(&ViewEvent::Text(format!("bob: line {line}")));
    }
    reader.conversation.scroll(Scroll::Top);
    assert!(reader.rows()[0].contains("line 1000"), "{:?}", reader.rows());
}

#[test]
fn what_is_far_out_of_sight_is_not_laid_out() {
    let mut reader = reader(1..=4000);
    let mut most = 0;
    for _ in 0..800 {
        reader.conversation.scroll(Scroll::Lines(-5));
        reader.cells();
        let laid = reader.conversation.live.entries().filter(|entry| !entry.rows().is_empty()).count();
        most = most.max(laid);
    }
    assert_eq!(reader.numbers()[0], 1);
    assert!((100..1100).contains(&most), "{most}");
}

#[test]
fn where_not_all_that_was_missed_is_here_reading_does_not_go_on_in_the_middle() {
    for (missed, first) in [(1..=300, 41), (1..=3000, 0)] {
        let mut reader = Reader::new(60, 6);
        reader.conversation = Conversation::new(TimeZone::UTC);
        reader.conversation.go_behind();
        reader.conversation.resume_after(Bookmark { epoch: EPOCH, run: None, id: MessageId(40) });
        reader.welcome(EPOCH);
        let last = *missed.end();
        let long = "x".repeat(160);
        let said = |id: u64| message(id, id, "bob", &format!("message {id}\n{long}"));
        reader.hear_all(&missed.filter(|id| *id > 40).map(said).collect::<Vec<_>>());
        reader.live();
        reader.conversation.watch(true);
        let numbers = reader.numbers();
        if first > 0 {
            assert_eq!(numbers.first(), Some(&first));
        } else {
            assert_eq!(numbers.last(), Some(&last));
        }
    }
}

/// Returns a reader who had read up to `read` when the connection was lost, and to whom these came
/// since.
fn back(read: u64, missed: RangeInclusive<u64>) -> Reader {
    let mut reader = reader(1..=read);
    reader.take(&ViewEvent::Disconnected { reason: "gone".to_owned() });
    reader.hear_all(&messages(missed));
    reader.live();
    reader.take(&ViewEvent::Back { words: "back after 8 h: 60 missed, none lost".to_owned(), missed: 60 });
    reader
}

/// Returns a reader who had read up to `read` in an earlier conversation, and to whom these were
/// shown since.
fn resumed(read: u64, shown: RangeInclusive<u64>) -> Reader {
    let mut reader = Reader::new(60, 6);
    reader.conversation = Conversation::new(TimeZone::UTC);
    reader.conversation.watch(true);
    reader.conversation.resume_after(Bookmark { epoch: EPOCH, run: None, id: MessageId(read) });
    reader.welcome(EPOCH);
    reader.hear_all(&messages(shown));
    reader.live();
    reader.cells();
    reader
}

#[test]
fn the_first_that_was_missed_is_one_key_away() {
    let mut reader = back(40, 41..=100);
    let rows = reader.rows().join(" ");
    assert!(rows.contains("Alt-Home: to the first"), "{rows}");
    assert_eq!(reader.conversation.go_to_new(), GoneToNew::There);
    assert!(reader.rows()[0].contains("─ new ─"), "{:?}", reader.rows());
    assert_eq!(reader.numbers(), [41, 42, 43, 44, 45]);
    reader.conversation.scroll(Scroll::Bottom);
    reader.conversation.watch(false);
    reader.conversation.watch(true);
    assert_eq!(reader.conversation.go_to_new(), GoneToNew::Nothing, "all is read");
}

#[test]
fn the_first_that_was_missed_comes_from_the_server_where_more_was_than_is_here() {
    let mut reader = resumed(40, 2000..=2999);
    assert_eq!(reader.numbers().last(), Some(&2999));
    let page = Page::Unread(MessageId(40));
    assert_eq!(reader.conversation.go_to_new(), GoneToNew::Wants(page));
    answer(&mut reader, page, 1..=2999);
    assert!(reader.rows()[1].contains("─ new ─"), "{:?}", reader.rows());
    assert_eq!(reader.numbers(), [41, 42, 43, 44]);
    reader.conversation.scroll(Scroll::Pages(1));
    assert_eq!(reader.numbers()[..3], [43, 44, 45], "and reading goes on from there");
}

#[test]
fn where_nothing_more_was_missed_the_page_leads_to_what_is_here() {
    let mut reader = resumed(40, 41..=90);
    let page = Page::Unread(MessageId(40));
    assert_eq!(reader.conversation.go_to_new(), GoneToNew::Wants(page));
    answer(&mut reader, page, 1..=90);
    assert_eq!(reader.numbers(), [41, 42, 43, 44]);
}

#[test]
fn what_was_new_and_is_gone_is_told() {
    let mut reader = resumed(40, 41..=90);
    reader.conversation.take_page(Page::Unread(MessageId(40)), &[]);
    assert!(reader.rows().join(" ").contains("what was new is gone"), "{:?}", reader.rows());
}
