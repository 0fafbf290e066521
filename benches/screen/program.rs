//! The real program: the latency from key to screen while many lines arrive, its CPU cost, its idle
//! cost, and its memory.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use broadcast_chat::protocol::Limits;

use crate::{Outcome, feeder::Feeder, number, row, terminal::Terminal};

/// The time between two keys.
const KEY: Duration = Duration::from_millis(100);

/// The number of starts to measure.
const STARTS: usize = 20;

/// The number of keys in a line: it stays in one row.
const KEYS: usize = 60;

/// By then the client has saved its position, and has pinged a silent server.
const SETTLED: Duration = Duration::from_secs(21);

/// The number of rooms in which memory is measured, which is the maximum, and of messages shown in
/// each.
const ROOMS: usize = Limits::SEATS;
const HISTORY: u64 = Limits::HISTORY as u64;

/// By then everything that arrived is on the screen.
const SHOWN: Duration = Duration::from_secs(3);

/// Clock ticks a second in `/proc` (`USER_HZ`): 100 on every Linux.
const TICKS: f64 = 100.0;

pub(crate) fn measure(keys: usize, idle: Duration) -> Outcome<()> {
    println!("\nThe program in a terminal, {keys} keys, 10 a second");
    let feeder = Feeder::start(0)?;
    let (half, most) = starts(&feeder, STARTS)?;
    row("start to first words, p50", format!("{half:.1} ms"));
    row("start to first words, p90", format!("{most:.1} ms"));
    let mut terminal = Terminal::start(&["--nick", "ada", &feeder.address.to_string()])?;
    terminal.shows("3 here")?;
    for rate in [0, 100, 1000] {
        feeder.say(rate);
        if rate > 0 {
            terminal.shows("line ")?;
        }
        let (mut waits, share) = typing(&mut terminal, keys)?;
        waits.sort_unstable();
        let at = |hundredths: usize| {
            let index = (waits.len() * hundredths / 100).min(waits.len().saturating_sub(1));
            format!("{:.1} ms", waits.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3)
        };
        let name = format!("{rate} lines a second");
        row(&format!("{name}: key to screen, p50"), at(50));
        row(&format!("{name}: key to screen, p99"), at(99));
        row(&format!("{name}: share of one core"), format!("{:.1} %", share * 100.0));
    }
    feeder.say(0);
    // The last message is drawn, and the key that proves it.
    terminal.press("x", "> x")?;
    sleep(SETTLED);
    let before = wake_ups(terminal.id()?)?;
    sleep(idle);
    let woken = wake_ups(terminal.id()?)? - before;
    row(&format!("wake-ups in {} s of nothing", idle.as_secs()), woken);
    Ok(())
}

/// Joins many rooms with many messages, and prints how much memory that takes.
pub(crate) fn measure_memory() -> Outcome<()> {
    println!("\nThe memory of the program (VmRSS)");
    let feeder = Feeder::start(HISTORY)?;
    let mut terminal = Terminal::start(&["--nick", "ada", &feeder.address.to_string()])?;
    terminal.shows("#lobby")?;
    sleep(SHOWN);
    row(&format!("one room, {HISTORY} messages"), resident(terminal.id()?)?);
    for room in 1..ROOMS {
        terminal.press(&format!("/join room{room}\r"), ">")?;
        terminal.shows(&format!("#room{room} "))?;
    }
    sleep(SHOWN);
    row(&format!("{ROOMS} rooms, {HISTORY} messages in each"), resident(terminal.id()?)?);
    for room in (1..ROOMS).rev() {
        // A page up, and to the previous room.
        terminal.press("\u{1b}[5~\u{10}", ">")?;
        terminal.shows(&if room > 1 { format!("#room{} ", room - 1) } else { "#lobby ".to_owned() })?;
    }
    sleep(SHOWN);
    row("after a page up in each", resident(terminal.id()?)?);
    Ok(())
}

/// Returns the resident memory of a process.
fn resident(process: u32) -> Outcome<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the kernel does not say")?;
    let kib: usize = field.trim().trim_end_matches(" kB").parse()?;
    Ok(format!("{:.1} MB", number(kib) * 1024.0 / 1e6))
}

/// Starts the program this often. Returns how many milliseconds it took until the first screen, p50
/// and p90, including the connection and the cost of the terminal.
fn starts(feeder: &Feeder, times: usize) -> Outcome<(f64, f64)> {
    let mut waits = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        let terminal = Terminal::start(&["--nick", "ada", &feeder.address.to_string()])?;
        terminal.shows(">")?;
        waits.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_unstable_by(f64::total_cmp);
    let at = |tenths: usize| waits.get(times * tenths / 10).copied().ok_or("nothing was started");
    Ok((at(5)?, at(9)?))
}

/// Types `keys` keys. Returns the latency of each until it was on the screen, and the share of one
/// core that the program used.
fn typing(terminal: &mut Terminal, keys: usize) -> Outcome<(Vec<Duration>, f64)> {
    let (begin, before) = (Instant::now(), cpu(terminal.id()?)?);
    let (mut waits, mut due, mut typed) = (Vec::new(), begin, "> ".to_owned());
    while waits.len() < keys {
        due += KEY;
        sleep(due.saturating_duration_since(Instant::now()));
        if waits.len() % KEYS == KEYS - 1 {
            typed.truncate(2);
            waits.push(terminal.press("\u{15}", ">")?);
            continue;
        }
        let letter = char::from(b'a' + u8::try_from(waits.len() % 26)?);
        typed.push(letter);
        // All earlier letters must still be there.
        waits.push(terminal.press(letter.encode_utf8(&mut [0; 4]), &typed)?);
    }
    let share = (cpu(terminal.id()?)? - before) / begin.elapsed().as_secs_f64();
    terminal.press("\u{15}", ">")?;
    Ok((waits, share))
}

/// Returns the CPU seconds that a process has used.
fn cpu(process: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may contain anything.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<usize>().ok());
    Ok(number(ticks.sum()) / TICKS)
}

/// Returns how often the threads of a process have gone to sleep, which is how often they were
/// woken.
fn wake_ups(process: u32) -> Outcome<u64> {
    let mut count = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let field = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count += field.ok_or("the kernel does not say")?.trim().parse::<u64>()?;
    }
    Ok(count)
}
