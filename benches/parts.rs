//! The cost of each part that every message passes through: `cargo bench --bench parts -- [NAME]`.

use std::{hint::black_box, net::Ipv4Addr, sync::Arc, time::Duration};

use broadcast_chat::{
    client::{
        chat::{App, Event, Settings, ViewEvent},
        view::{Json, Plain, View},
    },
    protocol::{
        Body, ClientMessage, Dialect, Hex, IdempotencyKey, Kind, Message, MessageId, Nick, RoomName, ServerMessage,
        Timestamp, command, json, text,
    },
    rooms::{Arrival, IfTaken, Rooms},
    store::{Draft, Store},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use jiff::tz::TimeZone;

/// The number of people in the room that somebody joins and leaves.
const PEOPLE: u64 = 100;

/// Drafts that are appended together: the batch when a hundred people send at once.
const BATCH: u64 = 64;

/// 100 bytes, which is a long line.
fn body() -> Body {
    fits(Body::new(&"nine byte, ".repeat(10)[..100]))
}

/// Returns a value that cannot be an error: all texts here are our own.
#[expect(clippy::panic, reason = "a mistake in this file")]
fn fits<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn nick(name: &str) -> Nick {
    fits(Nick::new(name))
}

fn key(number: u64) -> IdempotencyKey {
    fits(IdempotencyKey::new(&format!("0123456789abcdef-{number}")))
}

fn message(id: u64) -> ServerMessage {
    let room = RoomName::lobby();
    let at = Timestamp(1_700_000_000_000 + id);
    let message =
        Message { id: MessageId(id), room, at, nick: nick("ada"), kind: Kind::Say, text: Some(body()), key: None };
    ServerMessage::Message(Arc::new(message))
}

fn frame(event: &ServerMessage) -> String {
    let mut out = Vec::new();
    json::encode(event, &mut out);
    fits(String::from_utf8(out))
}

fn protocol(criterion: &mut Criterion) {
    let event = message(1_000_000);
    let said = ClientMessage::Say { key: Some(key(1)), text: body() };
    let (event_frame, said_frame) = (frame(&event), json::encode_client(&said));
    let mut out = Vec::new();
    criterion.bench_function("json: encode a message", |bencher| {
        bencher.iter(|| {
            out.clear();
            json::encode(black_box(&event), &mut out);
            out.len()
        });
    });
    criterion.bench_function("json: decode a message", |b| b.iter(|| json::decode_server(black_box(&event_frame))));
    criterion.bench_function("json: encode a say", |b| b.iter(|| json::encode_client(black_box(&said))));
    criterion.bench_function("json: decode a say", |b| b.iter(|| json::decode_client(black_box(&said_frame))));
    criterion.bench_function("text: encode a message", |b| b.iter(|| text::encode(black_box(&event))));
    let line = body();
    criterion.bench_function("text: parse a line", |b| b.iter(|| command::parse(black_box(line.as_str()))));
    criterion.bench_function("text: parse a command", |b| b.iter(|| command::parse(black_box("/msg bob hello"))));
}

fn names(criterion: &mut Criterion) {
    let ascii = body();
    let emoji = "Grüße aus München, 学生 👩‍👩‍👧‍👦! ".repeat(2);
    let escapes = "a\u{1b}[31mred\u{1b}[0m and \u{202e}more\u{7} ".repeat(3);
    for (name, text) in [("ASCII", ascii.as_str()), ("of many scripts", &emoji), ("with escapes", &escapes)] {
        criterion.bench_function(&format!("body: {name}"), |b| b.iter(|| Body::new(black_box(text))));
    }
    for (name, text) in [("ASCII", "ada_lovelace"), ("of another script", "münchen")] {
        criterion.bench_function(&format!("nick: {name}"), |b| b.iter(|| Nick::new(black_box(text))));
    }
}

fn room(criterion: &mut Criterion) {
    let arrival = |number: u64| {
        let mut author = [0; 16];
        author[..8].copy_from_slice(&number.to_be_bytes());
        let (nick, room) = (Some(nick(&format!("nick-{number}"))), RoomName::lobby());
        Arrival {
            author: Hex(author),
            address: Ipv4Addr::LOCALHOST.into(),
            nick,
            if_taken: IfTaken::Next,
            room,
            can_return: true,
            returning: false,
        }
    };
    let mut rooms = Rooms::default();
    for number in 0..PEOPLE {
        fits(rooms.arrive(arrival(number), Duration::ZERO).map_err(|failure| failure.message));
    }
    let mut now = Duration::ZERO;
    criterion.bench_function("room: arrive and leave", |bencher| {
        bencher.iter_batched(
            || arrival(PEOPLE),
            |arrival| {
                now += Duration::from_secs(1);
                if let Ok(joined) = rooms.arrive(arrival, now) {
                    rooms.leave(joined.member, now);
                }
                rooms.due(now)
            },
            BatchSize::SmallInput,
        );
    });
}

fn log(criterion: &mut Criterion) {
    let log = Store::memory(Hex([0; 8]));
    let mut number = 0;
    let mut drafts = || -> Vec<Draft> {
        let mut draft = |_| {
            number += 1;
            let (room, at, author) = (RoomName::lobby(), Timestamp(number), Hex([1; 16]));
            Draft { room, at, nick: nick("ada"), author, kind: Kind::Say, text: Some(body()), key: Some(key(number)) }
        };
        (0..BATCH).map(&mut draft).collect()
    };
    criterion.bench_function(&format!("log: append {BATCH} in memory"), |bencher| {
        bencher.iter_batched(&mut drafts, |drafts| log.append(drafts).now_or_never(), BatchSize::SmallInput);
    });
}

fn client(criterion: &mut Criterion) {
    let shown = ViewEvent::Event { event: message(1), quiet: false };
    for (name, view) in [
        ("plain", View::Plain(Plain::new(TimeZone::UTC, false))),
        ("plain with colours", View::Plain(Plain::new(TimeZone::UTC, true))),
        ("json", View::Json(Json)),
    ] {
        criterion.bench_function(&format!("view: {name}"), |b| b.iter(|| view.render(black_box(&shown))));
    }
    let mut app = App::new(Settings::default());
    drop(app.update(Duration::ZERO, Event::Connected(Dialect::Json)));
    let mut id = 0;
    criterion.bench_function("app: a message", |bencher| {
        bencher.iter_batched(
            || {
                id += 1;
                frame(&message(id))
            },
            |frame| app.update(Duration::ZERO, Event::Frame(frame)),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(parts, protocol, names, room, log, client);
criterion_main!(parts);
