//! The full screen as a value: the cost of a line, from its frame to the bytes for the terminal.

use std::time::{Duration, Instant};

use broadcast_chat::{
    client::{
        chat::{App, Effect, Event, Settings},
        terminal::screen::Canvas,
        view::tui::{
            Bell, Now, Tui, TuiOptions, Words,
            clock::Times,
            palette::{Depth, Palette},
        },
    },
    protocol::{Dialect, RoomName},
};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::layout::Size;

use crate::{Outcome, SIZE, line, number, row, welcome};

/// The time between two frames, as in the program.
const FRAME: Duration = Duration::from_millis(33);

pub(crate) fn measure(lines: u64) -> Outcome<()> {
    let count = usize::try_from(lines)?;
    println!("\nThe view, {lines} lines, {} by {}", SIZE.0, SIZE.1);
    let mut stage = Harness::new()?;
    let (start, mut drawn) = (Instant::now(), Instant::now());
    let (mut frames, mut bytes) = (0, 0);
    for id in 1..=lines {
        stage.frame(line(id, "lobby"));
        if drawn.elapsed() >= FRAME {
            drawn = Instant::now();
            (frames, bytes) = (frames + 1, bytes + stage.draw());
        }
    }
    let took = start.elapsed().as_secs_f64();
    row("lines a second, from the frame to the bytes", format!("{:.0} k", number(count) / took / 1e3));
    row("  with so many frames drawn a second", format!("{:.0}", number(frames) / took));
    row("  and so many bytes a frame", format!("{:.0}", number(bytes) / number(frames.max(1))));
    for (name, each) in [("1,000 lines a second", 33), ("a line now and then", 1)] {
        let frames = 1_000;
        let mut stage = Harness::new()?;
        let (mut bytes, mut spent, mut id) = (0, Duration::ZERO, 0);
        for _ in 0..frames {
            for _ in 0..each {
                id += 1;
                stage.frame(line(id, "lobby"));
            }
            let begin = Instant::now();
            bytes += stage.draw();
            spent += begin.elapsed();
        }
        row(&format!("bytes a line, {name}"), format!("{:.0}", number(bytes) / number(frames * each)));
        row(&format!("  time a frame, {name}"), format!("{:.0} us", spent.as_secs_f64() * 1e6 / number(frames)));
    }
    Ok(())
}

struct Harness {
    app: App,
    tui: Tui,
    canvas: Canvas,
    began: Instant,
}

impl Harness {
    /// Returns a screen on which ada is live in the lobby.
    fn new() -> Outcome<Self> {
        let choices = TuiOptions {
            palette: Palette::new(Depth::True),
            zone: TimeZone::UTC,
            times: Times::default(),
            bell: Bell::Mentions,
            ignored: Vec::new(),
            words: Words::default(),
            notify: false,
            no_commands: false,
        };
        let (width, height) = SIZE;
        let mut stage = Self {
            app: App::new(Settings::default()),
            tui: Tui::new(choices),
            canvas: Canvas::new(Size { width, height }),
            began: Instant::now(),
        };
        stage.tui.open(Some(RoomName::new("lobby")?), None);
        stage.event(Event::Connected(Dialect::Json));
        for frame in welcome("lobby") {
            stage.frame(frame);
        }
        stage.draw();
        Ok(stage)
    }

    fn frame(&mut self, frame: String) {
        self.event(Event::Frame(frame));
    }

    fn event(&mut self, event: Event) {
        let now = Now { elapsed: self.began.elapsed(), moment: Timestamp::now() };
        for effect in self.app.update(now.elapsed, event) {
            if let Effect::Show(shown) = effect {
                let me = self.app.nick().cloned();
                // The bell does not matter here.
                self.tui.show(now, 0, &shown, me.as_ref());
            }
        }
    }

    /// Returns how many bytes would be sent to the terminal.
    fn draw(&mut self) -> usize {
        let Self { app, tui, canvas, began } = self;
        let (elapsed, apps) = (began.elapsed(), [&*app]);
        canvas.paint(|area, buffer| tui.draw(area, buffer, elapsed, &apps)).len()
    }
}
