//! What a search has found, page by page, in one room and in all; and how one goes to a moment.

use super::*;
use crate::protocol::{ClientMessage, Query};

impl Harness {
    /// Returns an event with messages of these ids, each said in the room of its tab.
    fn found(&self, ids: &[(u64, usize)], all: bool, total: Option<u64>) -> ServerMessage {
        let message = |(id, tab): &(u64, usize)| {
            Arc::new(Message {
                id: MessageId(*id),
                room: self.tui.rooms[*tab].name.clone().unwrap(),
                at: Timestamp(NOON),
                nick: nick("bob"),
                kind: Kind::Say,
                text: Some(Body::new(&format!("tea {id}")).unwrap()),
                key: None,
            })
        };
        ServerMessage::Found {
            room: room("lobby"),
            query: Query::new("tea after:2d").unwrap(),
            messages: ids.iter().map(message).collect(),
            more: false,
            incomplete: false,
            all,
            total,
            or_more: false,
        }
    }

    /// Takes the questions that the screen has asked since, and hands them on.
    fn asks(&mut self) -> Vec<(usize, ClientMessage)> {
        let mut asked = Vec::new();
        for wish in std::mem::take(&mut self.wishes) {
            if let UiAction::Ask(tab, question) = wish {
                self.event(tab, Event::Ask(question.clone()));
                asked.push((tab, question));
            }
        }
        asked
    }
}

fn ids(range: std::ops::RangeInclusive<u64>) -> Vec<(u64, usize)> {
    range.rev().map(|id| (id, 0)).collect()
}

#[test]
fn results_are_counted_and_go_on_page_by_page() {
    let mut stage = Harness::live();
    stage.server(0, &stage.found(&ids(81..=100), false, Some(1532)));
    let screen = stage.screen(80, 24);
    assert!(screen.contains("20 of 1,532 found for \"tea after:2d\"") && screen.contains("PgDn: more"), "{screen}");
    stage.key(KeyCode::PageDown);
    assert_eq!(stage.asks(), [], "there are more below");
    stage.key(KeyCode::PageDown);
    let asked = stage.asks();
    let [(0, ClientMessage::Search { query, before, all: false, since, until: None, .. })] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!((query.as_str(), *before), ("tea after:2d", Some(MessageId(81))));
    assert_eq!(*since, Some(Timestamp(stage.now().timestamp().0 - 2 * 24 * 60 * 60 * 1000)));
    stage.key(KeyCode::PageDown);
    assert_eq!(stage.asks(), [], "it is on its way");
    stage.server(0, &stage.found(&ids(70..=80), false, None));
    let screen = stage.screen(80, 24);
    assert!(screen.contains("31 of 1,532 found"), "{screen}");
    assert!(!screen.contains("PgDn: more"), "that page was not full");
    for _ in 0..5 {
        stage.key(KeyCode::PageDown);
    }
    assert_eq!(stage.asks(), []);
    assert!(stage.screen(80, 24).contains("> ") && stage.screen(80, 24).contains("tea 70"));
}

#[test]
fn a_page_that_is_refused_is_asked_for_again() {
    let mut stage = Harness::live();
    stage.server(0, &stage.found(&ids(81..=100), false, Some(40)));
    for _ in 0..2 {
        stage.key(KeyCode::PageDown);
    }
    assert_eq!(stage.asks().len(), 1);
    let failure = crate::protocol::Failure::new(crate::protocol::ErrorCode::Unavailable, "not now");
    stage.server(0, &ServerMessage::Error(failure));
    stage.key(KeyCode::PageDown);
    assert_eq!(stage.asks().len(), 1);
}

#[test]
fn a_server_that_does_not_count_is_not_asked_for_pages() {
    let mut stage = Harness::live();
    stage.server(0, &stage.found(&ids(81..=100), false, None));
    for _ in 0..3 {
        stage.key(KeyCode::PageDown);
    }
    assert_eq!(stage.asks(), []);
}

#[test]
fn so_many_results_are_kept_and_no_more() {
    let mut stage = Harness::live();
    stage.server(0, &stage.found(&ids(99_981..=100_000), false, Some(9_999)));
    let mut last = 99_981;
    for _ in 0..1000 {
        stage.key(KeyCode::PageDown);
        if !stage.asks().is_empty() {
            stage.server(0, &stage.found(&ids(last - 20..=last - 1), false, None));
            last -= 20;
        }
    }
    assert_eq!(stage.tui.rooms[0].conversation.results().unwrap().messages().len(), 500);
}

#[test]
fn a_result_of_another_room_names_it_and_is_shown_there() {
    let mut stage = Harness::live();
    stage.open("rust");
    stage.enter(1, None);
    stage.alt('1');
    stage.server(0, &stage.found(&[(9, 1), (8, 0)], true, Some(2)));
    let screen = stage.screen(80, 24);
    assert!(screen.contains("2 found in your rooms") && screen.contains("#rust bob: tea 9"), "{screen}");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.tui.current(), 1);
    let asked = stage.asks();
    assert!(matches!(asked[..], [(1, ClientMessage::History { before: Some(MessageId(10)), .. })]), "{asked:?}");
    stage.alt('1');
    assert!(stage.tui.rooms[0].conversation.results().is_none());
}

#[test]
fn a_moment_is_asked_for_in_the_zone_of_the_reader() {
    let mut stage = Harness::live();
    for line in ["/goto 2023-11-01", "/goto yesterday", "/goto 11:59"] {
        stage.enter_line(line);
    }
    let at: Vec<_> = stage
        .asks()
        .into_iter()
        .map(|(_, question)| match question {
            ClientMessage::History { at, .. } => (NOON - at.unwrap().0) / 60_000,
            other => panic!("{other:?}"),
        })
        .collect();
    let day = 24 * 60;
    assert_eq!(at, [14 * day + 720, day + 720, 1]);
    (0..50).for_each(|n| stage.said(0, "bob", &format!("line {n}")));
    stage.screen(80, 24);
    stage.key(KeyCode::PageUp);
    stage.enter_line("/goto soon");
    assert!(stage.screen(80, 24).contains("soon is no time; such as 2026-11-01, 09:30"));
    assert!(!stage.screen(80, 24).contains("line 49"), "it stays where one reads");
    assert_eq!(stage.asks(), []);
}
