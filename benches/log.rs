//! The speed of the store. Prints a table. `cargo bench --bench log -- [--quick] [MESSAGES]`; a
//! million messages by default, and 50,000 with `--quick`.
#![expect(clippy::print_stdout, reason = "the table is the product")]

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use broadcast_chat::{
    protocol::{Body, Hex, IdempotencyKey, Kind, Limits, MessageId, Nick, RoomName, Timestamp, search::Filters},
    store::{Draft, Keep, Search, Store},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many of twenty messages each room gets: most are in one room.
const ROOMS: [(&str, u64); 3] = [("lobby", 16), ("rust", 3), ("quiet", 1)];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let messages = arguments.iter().find_map(|argument| argument.parse().ok());
    let messages: u64 = messages.unwrap_or(if is_quick { 50_000 } else { 1_000_000 });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(messages, is_quick))
}

async fn run(messages: u64, is_quick: bool) -> Outcome<()> {
    let directory = tempfile::TempDir::new()?;
    println!("{:<36}{:>12}{:>12}{:>12}", "appends, durable", "a second", "p50", "p99");
    for senders in [1, 10, 100] {
        let log = Store::open(&directory.path().join(format!("{senders}.db")), Keep::default())?;
        append("SQLite", &log, senders, if is_quick { 2_000 } else { 20_000 }).await?;
        log.close().await;
    }
    append("memory", &Store::memory(Hex([0; 8])), 100, 20_000).await?;

    burst(&directory.path().join("burst.db")).await?;

    let path = directory.path().join("large.db");
    let log = Store::open(&path, Keep::default())?;
    println!("\nfilled in {:.1?}", fill(&log, messages).await?);
    let begin = Instant::now();
    log.maintain().await?;
    println!("indexed what was left in {:.1?}", begin.elapsed());
    log.close().await;
    println!("\n{:<36}{:>12}{:>12}{:>12}", format!("with {messages} messages"), "", "p50", "worst");
    let mut opened = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        let log = Store::open(&path, Keep::default())?;
        log.last()?;
        opened.push(begin.elapsed());
        log.close().await;
    }
    print("open", opened);
    let log = Store::open(&path, Keep::default())?;
    questions(&log, messages).await?;
    log.close().await;

    let keep = Keep { age: None, messages: Some(messages * 9 / 10) };
    let log = Store::open(&path, keep)?;
    let mut took = Vec::new();
    for number in 0..20 {
        // The background work of the store begins when it is idle.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let draft = draft(&mut fastrand::Rng::with_seed(number), 1, messages + number)?;
        let begin = Instant::now();
        log.append(vec![draft]).await?;
        took.push(begin.elapsed());
    }
    print("append while a tenth is deleted", took);
    let begin = Instant::now();
    log.maintain().await?;
    println!("{:<36}{:>36}", "then the rest of that tenth", format!("{:.1?}", begin.elapsed()));
    log.close().await;
    println!("{:<36}{:>36}", "the file", format!("{} MB", std::fs::metadata(&path)?.len() / 1_000_000));
    Ok(())
}

/// Makes each sender append one draft after the other.
async fn append(name: &str, log: &Store, senders: u64, total: u64) -> Outcome<()> {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..senders {
        let log = log.clone();
        tasks.spawn(async move {
            let mut took = Vec::new();
            for number in 0..total / senders {
                let draft = draft(&mut fastrand::Rng::with_seed(number), sender, number)?;
                let begin = Instant::now();
                log.append(vec![draft]).await?;
                took.push(begin.elapsed());
            }
            Outcome::Ok(took)
        });
    }
    let mut took = Vec::new();
    for outcome in tasks.join_all().await {
        took.extend(outcome?);
    }
    let rate = f64::from(u32::try_from(took.len())?) / begin.elapsed().as_secs_f64();
    took.sort_unstable();
    let name = format!("{name}, {senders} in flight");
    let (median, late) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{name:<36}{rate:>12.0}{:>12}{:>12}", format!("{median:.1?}"), format!("{late:.1?}"));
    Ok(())
}

/// Stores many messages without a pause, so that most of them are not indexed yet. Then it searches
/// for a word that no message has, so the search scans every message that is not indexed.
async fn burst(path: &Path) -> Outcome<()> {
    const UNINDEXED: u64 = 400_000;
    let log = Store::open(path, Keep::default())?;
    println!("\n{UNINDEXED} stored in {:.1?}", fill(&log, UNINDEXED).await?);
    let mut took = Vec::new();
    // Before the store is idle long enough to update the index.
    for _ in 0..2 {
        let begin = Instant::now();
        log.search(&RoomName::lobby(), "qqqqqq", 50).await?;
        took.push(begin.elapsed());
    }
    print("search for nothing, none of it indexed", took);
    let begin = Instant::now();
    log.maintain().await?;
    println!("{:<36}{:>36}", "then its index", format!("{:.1?}", begin.elapsed()));
    log.close().await;
    Ok(())
}

/// Stores this many messages, and returns how long it took.
async fn fill(log: &Store, messages: u64) -> Outcome<Duration> {
    let mut random = fastrand::Rng::with_seed(7);
    let begin = Instant::now();
    for first in (0..messages).step_by(1000) {
        let drafts: Outcome<Vec<_>> =
            (first..(first + 1000).min(messages)).map(|number| draft(&mut random, number % 500, number)).collect();
        log.append(drafts?).await?;
    }
    Ok(begin.elapsed())
}

async fn questions(log: &Store, messages: u64) -> Outcome<()> {
    let mut random = fastrand::Rng::with_seed(3);
    for (room, _) in ROOMS {
        let room = RoomName::new(room)?;
        let mut took = Vec::new();
        for _ in 0..200 {
            let begin = Instant::now();
            let cursor = log.cursor(&room, None, 50).await?;
            log.page(&room, cursor, 50).await?;
            took.push(begin.elapsed());
        }
        print(&format!("last 50 of {room}"), took);
        let mut took = Vec::new();
        for _ in 0..200 {
            let begin = Instant::now();
            log.page(&room, MessageId(random.u64(0..messages)), 256).await?;
            took.push(begin.elapsed());
        }
        print(&format!("page of 256 in {room}"), took);
    }
    let mut took = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        log.since(&RoomName::lobby(), Timestamp(random.u64(0..messages))).await?;
        took.push(begin.elapsed());
    }
    print("since a time", took);
    // The lower its number, the more frequent is a word.
    for (what, query) in [
        ("a rare word", word(15_000)),
        ("a common word", word(50)),
        ("the most common word", word(0)),
        ("one letter", word(0)[..1].to_owned()),
        ("two letters", word(0)[..2].to_owned()),
        ("three letters", word(700)[..3].to_owned()),
        ("two common words", format!("{} {}", word(3), word(9))),
        ("a phrase", format!("\"{} {}\"", word(2), word(5))),
        ("nothing", "qqqqqq".to_owned()),
    ] {
        for room in ["lobby", "quiet"] {
            let room = RoomName::new(room)?;
            let (mut took, mut found) = (Vec::new(), 0_u64);
            for _ in 0..10 {
                let begin = Instant::now();
                let filters = Filters { words: query.clone(), ..Filters::default() };
                let search =
                    Search { rooms: vec![room.clone()], filters, limit: 20, counts: true, ..Search::default() };
                let search = log.find(Limits::SEARCH, search).await?;
                found = search.total.map_or(0, |total| total.count);
                took.push(begin.elapsed());
            }
            print(&format!("search {room}: {what} ({found})"), took);
        }
    }
    let all = || ROOMS.iter().map(|(room, _)| RoomName::new(room)).collect::<Result<Vec<_>, _>>();
    let by = Nick::guest(7).to_string();
    for (what, words, from) in [
        ("a common word", word(50), None),
        ("a common word of one person", word(50), Some(&by)),
        ("one person", String::new(), Some(&by)),
    ] {
        let (mut took, mut found) = (Vec::new(), 0);
        for _ in 0..10 {
            let begin = Instant::now();
            let filters =
                Filters { words: words.clone(), from: from.into_iter().cloned().collect(), ..Filters::default() };
            let search = Search { rooms: all()?, filters, limit: 20, counts: true, ..Search::default() };
            found = log.find(Limits::SEARCH, search).await?.total.map_or(0, |total| total.count);
            took.push(begin.elapsed());
        }
        print(&format!("search all rooms: {what} ({found})"), took);
    }
    Ok(())
}

fn print(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{name:<36}{:>12}{:>12}{:>12}", "", format!("{median:.1?}"), format!("{worst:.1?}"));
}

fn draft(random: &mut fastrand::Rng, author: u64, number: u64) -> Outcome<Draft> {
    let mut lot = random.u64(0..20);
    let room = ROOMS.iter().find(|(_, share)| {
        let is_it = lot < *share;
        lot = lot.saturating_sub(*share);
        is_it
    });
    let words: Vec<String> = (0..random.usize(1..20)).map(|_| word(rank(random))).collect();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&author.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    Ok(Draft {
        room: RoomName::new(room.map_or("lobby", |(name, _)| name))?,
        at: Timestamp(number),
        nick: Nick::guest(author),
        author: Hex(bytes),
        kind: Kind::Say,
        text: Some(Body::new(&words.join(" "))?),
        key: Some(IdempotencyKey::new(&format!("{author:016x}-{number}"))?),
    })
}

/// Returns the next word: of 16,384, the n-th has a frequency of about 1 / n (Zipf's law).
fn rank(random: &mut fastrand::Rng) -> u64 {
    let bits = random.u32(0..15);
    random.u64(0..1 << bits)
}

/// Returns the word of a rank: letters only, frequent ones with all initial letters.
fn word(rank: u64) -> String {
    let mut rest = (rank + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    let length = 2 + (rank + 2).ilog2() / 2;
    let letter = |rest: u64| char::from(b'a' + u8::try_from(rest % 26).unwrap_or_default());
    (0..length)
        .map(|_| {
            let letter = letter(rest);
            rest /= 26;
            letter
        })
        .collect()
}
