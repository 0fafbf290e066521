//! The speed of the full screen, as a value and as the real program in a terminal. Prints tables.
//! `cargo bench --bench screen -- [--quick]`.
//!
//! Shares of a core come from the kernel, so they mean the same on a busy machine; latencies do
//! not.
#![expect(clippy::print_stdout, reason = "the tables are the product")]

mod feeder;
mod program;
mod terminal;
mod view;

use std::{error::Error, time::Duration};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The size of the screen.
const SIZE: (u16, u16) = (100, 30);

fn main() -> Outcome<()> {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    view::measure(if is_quick { 20_000 } else { 400_000 })?;
    program::measure_memory()?;
    program::measure(if is_quick { 50 } else { 600 }, Duration::from_secs(if is_quick { 3 } else { 10 }))
}

/// Returns the text of message `id`, as an event of a server. Eight people send texts of a few
/// words up to three rows.
fn line(id: u64, room: &str) -> String {
    let nick =
        ["bob", "eve", "Grüße", "学生", "mallory", "trent", "oscar", "peggy"][usize::try_from(id % 8).unwrap_or(0)];
    let mut text = format!("line {id}:");
    for word in 0..id * 7 % 23 {
        text.push_str(
            [" tea", " and biscuits", " `cargo bench`", " https://example.com/a", " 学生"]
                [usize::try_from(word % 5).unwrap_or(0)],
        );
    }
    let at = 1_700_000_000_000 + id;
    format!(r#"{{"type":"message","id":{id},"room":"{room}","at":{at},"nick":"{nick}","kind":"say","text":"{text}"}}"#)
}

/// What a server sends to let its client into `room`: before the client's hello, and after it.
fn welcome(room: &str) -> [String; 3] {
    let names = r#"["ada","bob","eve"]"#;
    let (session, epoch) = ("0".repeat(32), "0".repeat(16));
    [
        format!(r#"{{"type":"hello","server":"bench","nonce":"{}"}}"#, "0".repeat(32)),
        format!(
            r#"{{"type":"welcome","nick":"ada","session":"{session}","epoch":"{epoch}","resumed":false,"room":"{room}","people":3,"names":{names}}}"#
        ),
        format!(r#"{{"type":"live","room":"{room}","cursor":0}}"#),
    ]
}

/// Prints a row of a table.
fn row(name: &str, value: impl std::fmt::Display) {
    println!("  {name:<58}{value:>12}");
}

/// Returns a count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "a rate is read by people")]
fn number(count: usize) -> f64 {
    count as f64
}
