//! The client program: arguments, the `select!` over input and connection, and the only error
//! printer.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::OnceLock,
    time::Duration,
};

use broadcast_chat::{
    client::{
        Error,
        address::Address,
        chat::{Event, Failure, Settings, Since, ViewEvent},
        config::{self, Colour, SettingsFile},
        connection::{Connection, ConnectionEvent},
        driver::{Driver, Update},
        full_screen,
        input::{Input, Typed},
        output::Output,
        saved_state,
        stopwatch::Stopwatch,
        view::{
            Format, Json, Plain, View, Words,
            tui::{
                TuiOptions,
                clock::{Clock, Times},
                palette::{Depth, Ground, Palette},
            },
        },
        zone::ZoneWatch,
    },
    os,
    protocol::{Limits, MessageId, Nick, sanitize, when},
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, builder::FalseyValueParser, parser::ValueSource};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The address of a server that was started without arguments.
const DEFAULT_URL: &str = "ws://127.0.0.1:8080";

/// How long to wait for input that has arrived but was not read yet, after the reader of the output
/// has closed it.
const MOMENT: Duration = Duration::from_millis(500);

/// The end of `--help`.
const EXAMPLES: &str = "\
Examples:
  client chat.example/rust                            chat in the room rust
  tail -f app.log | client --no-commands HOST/logs    show a log to all
  echo \"$VERSION is out\" | client --wait --nick ci    post from CI
  client --json --since 0 < /dev/null > room.jsonl    back up a room
  client --format '{nick}: {text}' <f | ./bot >f      a bot; f is a fifo

Each flag has an environment variable: --nick is CHAT_NICK. See README.md.";

/// Chat on a broadcast-chat server, or any that sends lines over WebSocket
#[derive(Debug, Parser)]
#[command(version, term_width = 80, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Arguments {
    #[arg(
        help = "HOST, HOST:PORT or HOST/ROOM [default: ws://127.0.0.1:8080]",
        value_name = "ADDRESS",
        env = "CHAT_URL",
        hide_env = true
    )]
    url: Option<Address>,
    /// Your nick [default: your login name]
    #[arg(help_heading = "Connection", long, value_name = "NAME", env = "CHAT_NICK", hide_env = true)]
    nick: Option<Nick>,
    /// Wait for a server that is not running yet
    #[arg(help_heading = "Connection", long, env = "CHAT_WAIT", hide_env = true,
        value_parser = FalseyValueParser::new())]
    wait: bool,
    /// Earlier messages to show first, 0 to 1000 [in a pipe: 0]
    #[arg(help_heading = "Output", long, value_name = "N", env = "CHAT_HISTORY", hide_env = true,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(Limits::HISTORY)))]
    history: Option<u32>,
    /// Start after this message, or this long ago: 1h, 2d
    #[arg(help_heading = "Output", long, value_name = "ID|AGE", env = "CHAT_SINCE", hide_env = true,
        value_parser = since)]
    since: Option<Since>,
    /// Use colours: auto, always or never
    #[arg(
        help_heading = "Output",
        long,
        value_name = "WHEN",
        env = "CHAT_COLOR",
        hide_env = true,
        value_enum,
        hide_possible_values = true
    )]
    color: Option<Colour>,
    /// Notify the desktop of mentions while unfocused
    #[arg(help_heading = "Output", long, env = "CHAT_NOTIFY", hide_env = true,
        value_parser = FalseyValueParser::new())]
    notify: bool,
    /// Print one line for each message, also on a terminal
    #[arg(help_heading = "Scripts", long, env = "CHAT_PLAIN", hide_env = true, value_parser = FalseyValueParser::new())]
    plain: bool,
    /// Print date and time on every line
    #[arg(help_heading = "Scripts", long, env = "CHAT_TIMESTAMPS", hide_env = true, conflicts_with = "json",
        value_parser = FalseyValueParser::new())]
    timestamps: bool,
    /// Print only messages: {time} {nick} {text} {room} {id}
    #[arg(
        help_heading = "Scripts",
        long,
        value_name = "TEMPLATE",
        env = "CHAT_FORMAT",
        hide_env = true,
        conflicts_with = "json"
    )]
    format: Option<Format>,
    /// Print one JSON object for each event
    #[arg(help_heading = "Scripts", long, env = "CHAT_JSON", hide_env = true, value_parser = FalseyValueParser::new())]
    json: bool,
    /// Send every line as it is, even if it begins with /
    #[arg(help_heading = "Scripts", long, env = "CHAT_NO_COMMANDS", hide_env = true,
        value_parser = FalseyValueParser::new())]
    no_commands: bool,
}

impl Arguments {
    /// Reads the command line and then the environment. A URL on the command line overrides the
    /// environment.
    fn read() -> Self {
        let matches = Self::command().get_matches();
        let is_typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        let typed = ["url", "nick", "history"].map(is_typed);
        let mut arguments = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let ([true, nick, history], Some(url)) = (typed, &arguments.url) {
            arguments.nick = url.nick().cloned().filter(|_| !nick).or(arguments.nick);
            arguments.history = url.history().filter(|_| !history).or(arguments.history);
        }
        arguments
    }

    /// Returns whether the client uses the full screen.
    fn full_screen(&self) -> bool {
        let is_for_lines = self.plain || self.json || self.timestamps || self.format.is_some();
        can_draw() && io::stdin().is_terminal() && !is_for_lines
    }
}

/// Returns whether stdout is a terminal that supports colours and cursor movement.
fn can_draw() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb" && !term.is_empty())
}

/// Returns whether the locale uses 12 or 24 hours.
fn locale_clock() -> Clock {
    let locale = ["LC_ALL", "LC_TIME", "LANG"].map(variable).into_iter().find(|locale| !locale.is_empty());
    Clock::of_locale(&locale.unwrap_or_default())
}

/// Parses an id, which is a number, or a duration, which has a unit.
fn since(text: &str) -> Result<Since, String> {
    if let Ok(id) = text.parse() {
        return Ok(Since::Id(MessageId(id)));
    }
    let words = "expected the id of a message, or a time such as 90s, 30m, 1h or 2d";
    when::length(text).map(Since::Age).ok_or_else(|| words.to_owned())
}

fn main() -> ExitCode {
    /// The number of the signal that ended the program.
    static SIGNAL: OnceLock<u8> = OnceLock::new();
    let arguments = Arguments::read();
    let mut builder = if arguments.full_screen() {
        // Two workers: while one waits for a slow terminal, the other answers pings.
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2);
        builder
    } else {
        // Separate threads read and write the lines. Passing each line through one more thread
        // would cost more than everything else that is done with it.
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = builder.enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(arguments, &SIGNAL));
            // A name resolution cannot be cancelled, and the program need not wait for it.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Error::Start(os::reason(&error))),
    };
    if let Err(error) = &result {
        let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
        os::last_words(&format!("{}\n", sanitize::lines(&format!("error: {error}{hint}"))));
    }
    let code = SIGNAL.get().map(|number| 128 + number);
    ExitCode::from(code.unwrap_or_else(|| result.map_or_else(|error| error.exit_code(), |()| 0)))
}

/// Runs the chat until its end. Stores the number of a signal that ends it in `signal`.
async fn run(arguments: Arguments, signal: &'static OnceLock<u8>) -> Result<(), Error> {
    let failed = |error: io::Error| Error::Start(os::reason(&error));
    let file = config::path().map(|path| SettingsFile::read(&path)).transpose()?.unwrap_or_default();
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|error| Error::Start(error.to_string()))?;
    let stdout_is_terminal = io::stdout().is_terminal();
    let full_screen = arguments.full_screen();
    let colour = arguments.color.or(file.color).unwrap_or_default();
    let address = match arguments.url.or(file.server) {
        Some(address) => address,
        None => DEFAULT_URL.parse().map_err(|_| Error::Task("the default address"))?,
    };
    // A script wants only its own messages and the answers. It gets earlier messages only if it
    // requests them.
    let none_unasked = (!io::stdin().is_terminal() && arguments.since.is_none()).then_some(0);
    let settings = Settings {
        server: address.to_string(),
        nick: arguments.nick.or_else(|| address.nick().cloned()).or(file.nick).or_else(login_nick),
        history: arguments.history.or(address.history()).or(none_unasked),
        since: arguments.since,
        interactive: stdout_is_terminal && io::stdin().is_terminal() && !full_screen,
        piped: !io::stdin().is_terminal(),
        no_commands: arguments.no_commands,
        wait: arguments.wait,
        secret,
        session: None,
        saved_position: None,
    };
    let stop = CancellationToken::new();
    let (stopped, signals) = (stop.clone(), os::end_requested().map_err(failed)?);
    let _watching = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        let number = signals.await;
        signal.get_or_init(|| number);
        stopped.cancel();
    }));
    if full_screen {
        let choices = TuiOptions {
            palette: Palette::new(depth(colour))
                .with_theme(file.theme, Ground::of_variable(&variable("COLORFGBG")))
                .with_nick_colours(file.nick_colors.unwrap_or(true)),
            zone: TimeZone::system(),
            times: Times { clock: file.clock.unwrap_or_else(locale_clock), stamps: file.timestamps },
            bell: file.bell.unwrap_or_default(),
            ignored: Vec::new(),
            words: Words { settled: file.highlight, ..Words::default() },
            notify: arguments.notify,
            no_commands: arguments.no_commands,
        };
        let options = full_screen::Options { address, settings, choices, folder: saved_state::folder(), stop };
        return full_screen::run(options).await;
    }
    let mut view = if arguments.json {
        View::Json(Json)
    } else {
        let plain = Plain::new(TimeZone::system(), coloured(colour, can_draw()));
        View::Plain(plain.with_timestamps(arguments.timestamps).with_format(arguments.format))
    };
    let (interactive, waits) = (settings.interactive, settings.wait);
    let mut output = Output::to_stdout(stdout_is_terminal).map_err(failed)?;
    view.tell_time(Timestamp::now());
    if let Some(block) = address.remark().and_then(|words| view.render(&ViewEvent::Notice(words))) {
        output.write(block).await;
    }
    let input = Input::from_stdin().map_err(failed)?;
    let connection = if arguments.wait { Connection::keep_trying(address) } else { Connection::start(address) };
    let driver = Driver::new(connection, settings);
    let (watch, zone) = (Stopwatch::start(), ZoneWatch::start());
    let mut chat = Chat { driver, view, input, output, stop, watch, zone, cut: None, waits };
    let result = chat.run(interactive).await;
    let Chat { driver, output, .. } = chat;
    driver.close().await;
    let signals = os::end_requested().map_err(failed)?;
    tokio::select! {
        written = output.finish() => result.and(written),
        // On a second signal, do not wait until a slow reader has taken the rest.
        number = signals => {
            signal.get_or_init(|| number);
            result
        }
    }
}

/// The chat with everything it is connected to.
struct Chat {
    driver: Driver,
    view: View,
    input: Input,
    output: Output,
    stop: CancellationToken,
    watch: Stopwatch,
    zone: ZoneWatch,
    cut: Option<Cut>,
    /// Whether to wait for a server that is not running yet.
    waits: bool,
}

/// Set if the output ended before the chat. Pending input is still sent, because its echo does not
/// need a reader of the output.
struct Cut {
    /// How the output ended.
    result: Result<(), Error>,
    /// The number of input lines that are still accepted.
    lines: usize,
}

impl Chat {
    async fn run(&mut self, interactive: bool) -> Result<(), Error> {
        let mut input_open = true;
        let mut heard = Vec::new();
        loop {
            let wake = self.driver.app().wake_at().map(|at| self.watch.instant(at));
            if input_open && self.cut.as_ref().is_some_and(|cut| cut.lines == 0) {
                input_open = false;
                if let Some(result) = self.carry_out(self.watch.elapsed(), Event::InputEnded).await {
                    return result;
                }
            }
            let event = tokio::select! {
                () = self.driver.events(&mut heard) => None,
                // On a terminal, reject a line that is not accepted and say why; in a pipe, wait.
                typed = self.input.next(), if input_open && (interactive || self.driver.app().wants_input()) => {
                    if let (Some(cut), Some(typed)) = (&mut self.cut, &typed) {
                        cut.lines -= typed.lines().min(cut.lines);
                    }
                    match typed {
                        Some(Typed::Line(line)) => Some(Event::Line(line)),
                        Some(Typed::Continued(text)) => Some(Event::Continued(text)),
                        Some(Typed::Remark(words)) => {
                            if let Some(block) = self.view.render(&ViewEvent::Notice(words.to_owned())) {
                                self.output.write(block).await;
                            }
                            continue;
                        }
                        None => {
                            input_open = false;
                            Some(Event::InputEnded)
                        }
                    }
                }
                // Before the first connection it is unknown what there is to send. With `--wait`
                // the connection may take long.
                result = self.output.ended(), if self.cut.is_none() && (self.driver.has_connected() || self.waits) => {
                    let has_texts = self.driver.app().pending().next().is_some();
                    if !has_texts && !self.input.comes_within(MOMENT).await {
                        return result;
                    }
                    self.cut = Some(Cut { result, lines: self.input.waiting() });
                    continue;
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Some(Event::Woke),
                () = self.stop.cancelled() => return self.stopped().await,
            };
            // Render with the current time and the user's time zone.
            self.view.tell_time(Timestamp::now());
            if let Some(zone) = self.zone.look() {
                self.view.change_zone(zone);
            }
            let now = self.watch.elapsed();
            if matches!(event, Some(Event::Line(_))) {
                drop(self.driver.update(now, Event::Clock(Zoned::now())));
            }
            let result = match event {
                Some(event) => self.carry_out(now, event).await,
                None => self.take(now, &mut heard).await,
            };
            if let Some(result) = result {
                return result;
            }
            tokio::select! {
                biased;
                () = self.output.flush() => {}
                () = self.stop.cancelled() => return self.stopped().await,
            }
        }
    }

    /// Handles all events in `heard`, so that the output is one block. Returns how the program
    /// ends, if it does.
    async fn take(&mut self, now: Duration, heard: &mut Vec<ConnectionEvent>) -> Option<Result<(), Error>> {
        if heard.is_empty() {
            return Some(Err(Error::Task("the connection")));
        }
        for event in heard.drain(..) {
            let result = match self.driver.received(event) {
                Ok(event) => self.carry_out(now, event).await,
                Err(error) => Some(Err(error)),
            };
            if result.is_some() {
                return result;
            }
        }
        None
    }

    /// Handles `event`. Returns how the program ends, if it does.
    async fn carry_out(&mut self, now: Duration, event: Event) -> Option<Result<(), Error>> {
        let Update { shown, finished } = self.driver.update(now, event);
        self.driver.flush().await;
        for shown in shown {
            let Some(block) = self.view.render(&shown) else { continue };
            tokio::select! {
                biased;
                () = self.output.write(block) => {}
                () = self.stop.cancelled() => return Some(self.stopped().await),
            }
        }
        finished.map(|result| self.finished(result))
    }

    /// Ends the chat immediately. Returns an error if input was not sent.
    async fn stopped(&mut self) -> Result<(), Error> {
        let update = self.driver.update(self.watch.elapsed(), Event::Stop);
        self.driver.flush().await;
        let result = update.finished.map_or(Ok(()), |finished| self.finished(finished));
        result.and_then(|()| match self.driver.app().pending().count() + self.input.waiting() {
            0 => Ok(()),
            lines => Err(Failure::Unsent { lines, doubtful: 0, why: "there was no time for them".to_owned() }.into()),
        })
    }

    /// Adds the input lines that the app has not received to the number of unsent lines.
    fn finished(&mut self, result: Result<(), Failure>) -> Result<(), Error> {
        let cut = self.cut.take();
        let left = cut.as_ref().map(|_| "nobody reads the output any more").or(self.driver.app().left_behind());
        match (result, self.input.waiting(), left) {
            (Err(Failure::Unsent { lines, doubtful, why }), waiting, _) => {
                Err(Failure::Unsent { lines: lines + waiting, doubtful, why }.into())
            }
            // Each rejected line has already been reported.
            (Ok(()) | Err(Failure::LinesRefused(_)), waiting @ 1.., Some(why)) => {
                Err(Failure::Unsent { lines: waiting, doubtful: 0, why: why.to_owned() }.into())
            }
            (Ok(()), ..) => cut.map_or(Ok(()), |cut| cut.result.and(Err(Error::CutOff))),
            (Err(failure), ..) => Err(failure.into()),
        }
    }
}

fn coloured(choice: Colour, can_colour: bool) -> bool {
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        // https://no-color.org: set, and not empty.
        Colour::Auto => can_colour && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()),
    }
}

/// Returns how many colours the full screen may use, according to the terminal's environment.
fn depth(choice: Colour) -> Depth {
    if !coloured(choice, true) {
        return Depth::None;
    }
    // The library that writes the colours respects `NO_COLOR` itself, but `--color always`
    // overrides it.
    crossterm::style::force_color_output(true);
    Depth::of(&variable("TERM"), &variable("COLORTERM"), &variable("TERM_PROGRAM"))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Returns the login name as a nick. Without a valid one the user is a guest.
fn login_nick() -> Option<Nick> {
    Nick::of_login(&whoami::username().ok()?)
}
