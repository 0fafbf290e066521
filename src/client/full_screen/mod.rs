//! The full screen: one `select!` over the keys and the rooms, which carries out the actions they
//! request.

mod editing;
mod elsewhere;
mod remember;
mod unsent;

use std::{
    future::pending,
    io::{self, Write as _},
    mem,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt as _;
use jiff::Timestamp as Moment;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::{editing::Editing, unsent::Unsent};
use super::{
    Error,
    address::Address,
    chat::{Bookmark, Event, Privates, Settings, ViewEvent},
    connection::ConnectError,
    history::Entered,
    saved_state::{self, State},
    stopwatch::Stopwatch,
    tabs::Tabs,
    terminal::frame_timer::FrameTimer,
    terminal::keys::{Input, Keys},
    terminal::screen::{Reader, Reading, Screen, osc, terminal},
    view::tui::{Bell, Now, RoomChoices, Tui, TuiOptions, UiAction},
    writer::Writer,
    zone::ZoneWatch,
};
use crate::{
    os,
    protocol::{Dialect, Epoch, Limits, RoomName, ServerMessage, sanitize},
};

/// The maximum number of tab events handled at a time, so that keys are handled in between.
const LINES: usize = 64;

/// The delay between reading a message and saving the read position.
const REMEMBER: Duration = Duration::from_secs(10);

/// What the full screen needs.
#[derive(Debug)]
pub struct Options {
    /// The server and the first room.
    pub address: Address,
    /// The settings of the apps. The room differs for each app.
    pub settings: Settings,
    /// The settings of the screen. The saved state takes precedence.
    pub choices: TuiOptions,
    /// The folder of the saved state. `None` saves nothing.
    pub folder: Option<PathBuf>,
    /// Cancelled when the program is asked to stop.
    pub stop: CancellationToken,
}

/// Chats on the terminal until the user or the system ends it.
///
/// # Errors
/// When the conversation does not end as it should, or the terminal fails.
pub async fn run(options: Options) -> Result<(), Error> {
    let stop = options.stop.clone();
    let mut chat = FullScreen::begin(options, Vec::new());
    let mut screen = Screen::enter()?;
    // The program does not wait for the answers. The first picture follows the queries at once.
    chat.extras.extend_from_slice(terminal::questions(&term()));
    // Connections to servers that were left.
    let mut closing = JoinSet::new();
    let result = loop {
        let result = chat.run(&mut screen, &stop).await;
        chat.abandon_editing().await;
        match chat.goes_to.take() {
            Some(options) if result.is_ok() => chat = chat.go_to(*options, &mut closing).await,
            _ => break result,
        }
    };
    screen.leave().await;
    let left = sanitize::lines(&chat.end()).into_owned();
    let result = result.and_then(|()| chat.failed.take().map_or(Ok(()), Err));
    // If stderr is closed, the user does not want the message.
    drop(io::stderr().write_all(left.as_bytes()));
    let signals = os::end_requested().map_err(|error| Error::Start(os::reason(&error)))?;
    let close = async {
        // A failure was reported when it happened.
        drop(chat.state.finish().await);
        drop(chat.entered.finish().await);
        let kept = chat.unsent.finish().await;
        drop(io::stderr().write_all(sanitize::lines(&kept).as_bytes()));
        chat.tabs.close_all().await;
        closing.join_all().await;
    };
    tokio::select! {
        () = close => {}
        // The user does not want to wait for a slow server.
        _ = signals => {}
    }
    result
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct FullScreen {
    address: Address,
    settings: Settings,
    folder: Option<PathBuf>,
    stop: CancellationToken,
    tui: Tui,
    tabs: Tabs,
    keys: Keys,
    state: Writer<State>,
    unsent: Unsent,
    entered: Writer<Entered>,
    /// The bell setting when the program began.
    settled_bell: Bell,
    epoch: Option<Epoch>,
    /// Shared by all tabs: a private message may arrive on any of them.
    privates: Privates,
    /// Since the start of the program.
    watch: Stopwatch,
    zone: ZoneWatch,
    frame_timer: FrameTimer,
    remember_at: Option<Instant>,
    /// Bytes to write before the next picture, for example bells.
    extras: Vec<u8>,
    title: String,
    quitting: bool,
    /// The first failure of a conversation.
    failed: Option<Error>,
    last_words: String,
    suspends: bool,
    /// The server that the user wants to change to.
    goes_to: Option<Box<Options>>,
    /// Whether there has been a connection.
    met: bool,
    /// Whether to open the draft in an editor.
    edits: bool,
    editing: Option<Editing>,
}

impl FullScreen {
    /// Begins with the server of `options`. Shows the user `told` first.
    fn begin(options: Options, mut told: Vec<String>) -> Self {
        let Options { address, mut settings, mut choices, folder, stop } = options;
        let state_path = folder.as_deref().map(saved_state::path_in);
        let (state, complaint) = state_path.as_deref().map(State::read).unwrap_or_default();
        told.extend(complaint);
        choices.bell = state.bell.unwrap_or(choices.bell);
        choices.ignored.clone_from(&state.ignored);
        choices.words.added.clone_from(&state.highlight);
        choices.words.removed.clone_from(&state.no_highlight);
        let (slot, kept) = super::unsent::taken(folder.clone(), &address.server(), &mut told);
        let (lines, entered) = remember::history(state_path.as_deref(), &address.server(), &mut told);
        // The keys of unsent texts prevent duplicates only within the same session.
        settings.session = kept.session;
        let mut chat = Self {
            settled_bell: choices.bell,
            tui: Tui::new(choices),
            tabs: Tabs::default(),
            keys: Keys::default(),
            epoch: None,
            privates: Privates::default(),
            watch: Stopwatch::start(),
            zone: ZoneWatch::start(),
            frame_timer: FrameTimer::new(Instant::now()),
            remember_at: None,
            extras: Vec::new(),
            title: String::new(),
            quitting: false,
            failed: None,
            last_words: String::new(),
            suspends: false,
            goes_to: None,
            met: false,
            edits: false,
            editing: None,
            address,
            settings,
            folder,
            stop,
            entered,
            state: remember::writer(state, state_path),
            unsent: Unsent::new(kept, slot),
        };
        chat.tui.remember(lines);
        chat.tui.offer_servers(chat.state.latest().servers());
        chat.open_first();
        for words in told.into_iter().chain(chat.address.remark()) {
            chat.tui.tell(chat.now(), words);
        }
        chat
    }

    /// Opens the requested room and the rooms that were open the last time.
    fn open_first(&mut self) {
        let visit = self.state.latest().visit(&self.address.server()).cloned();
        let epoch = visit.as_ref().and_then(|visit| visit.epoch);
        self.epoch = epoch;
        let (remembered, choices) = visit.map(|visit| (visit.rooms, visit.choices)).unwrap_or_default();
        self.tui.choose_for_rooms(RoomChoices::new(choices));
        let asked = self.address.room();
        let is_new = asked.as_ref().is_none_or(|asked| remembered.iter().all(|open| open.room != *asked));
        let nothing_asked = self.address.uri().path() == "/" && !remembered.is_empty();
        if is_new && !nothing_asked {
            self.open(asked.clone(), None);
        }
        for open in remembered {
            let begins_elsewhere = Some(&open.room) == asked.as_ref() && self.settings_say_where();
            let read = epoch.zip(open.read).filter(|_| !begins_elsewhere);
            let saved_position = read.map(|(epoch, id)| Bookmark { epoch, run: open.run, id });
            self.open(Some(open.room), saved_position);
        }
        for room in self.unsent.unfinished() {
            if self.tabs.len() < Limits::SEATS {
                self.open(Some(room), None);
            }
        }
        if let Some(tab) = asked.and_then(|room| self.tui.tab_of(&room)) {
            self.tui.go_to(tab);
        }
    }

    /// Returns whether the user chose where reading begins.
    fn settings_say_where(&self) -> bool {
        self.settings.since.is_some() || self.settings.history.is_some()
    }

    /// Opens a room. Reading resumes at `saved_position`.
    fn open(&mut self, room: Option<RoomName>, saved_position: Option<Bookmark>) {
        let address = room.as_ref().map_or_else(|| self.address.clone(), |room| self.address.in_room(room));
        let mut settings = Settings { server: address.to_string(), saved_position, ..self.settings.clone() };
        if let Some(first) = self.tabs.apps().first() {
            settings.nick = first.wanted().or(first.nick()).cloned();
            settings.session = Some(first.session());
            settings.since = None;
            // If two conversations share a secret, texts are lost. Without randomness, open no
            // conversation.
            if getrandom::fill(&mut settings.secret).is_err() {
                return;
            }
        }
        let (words, command) = invitation(&address);
        self.tabs.open(address, settings);
        let last = self.tabs.len().saturating_sub(1);
        // There is no connection yet, so the update has no effects.
        self.tabs.update(self.watch.elapsed(), last, Event::Ignore(Arc::clone(self.tui.ignored())));
        self.tui.open(room, saved_position);
        self.tui.invite(last, words, command);
        self.restore(last);
    }

    async fn run(&mut self, screen: &mut Screen, stop: &CancellationToken) -> Result<(), Error> {
        let failed = |error: io::Error| Error::Terminal(os::reason(&error));
        let mut reader = Some(Reader::start().map_err(failed)?);
        let mut continued = os::Continued::watch().map_err(failed)?;
        let gone = os::TerminalWatch::new();
        loop {
            self.draw(screen);
            let wake = self.wake_at(screen);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = gone.gone() => return Err(Error::Hangup),
                written = screen.written(), if !screen.is_ready() => written.map_err(|_| Error::Hangup)?,
                reading = next(&mut reader) => match reading {
                    Some(Ok(reading)) => self.read(reading, screen),
                    Some(Err(_)) | None => return Err(Error::Hangup),
                },
                status = editing::ended(&mut self.editing) => reader = self.end_editing(screen, status).map_err(failed)?,
                // An editor that has the terminal is continued too, and takes the terminal back
                // itself.
                () = continued.next(), if self.editing.is_none() => {
                    screen.resume()?;
                    self.draw_soon();
                }
                complaint = self.state.complaint() => self.complain(complaint),
                complaint = self.entered.complaint() => self.complain(complaint),
                complaint = self.unsent.complaint() => self.complain(complaint),
                (tab, event) = self.tabs.event(), if self.frame_timer.listens() => self.heard(tab, event)?,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.woke(screen),
            }
            if self.suspends {
                self.suspends = false;
                screen.suspend().await?;
                self.draw_soon();
            }
            if mem::take(&mut self.edits) && self.editing.is_none() {
                reader = self.begin_editing(screen, reader).await.map_err(failed)?;
            }
            if self.goes_to.is_some() {
                return Ok(());
            }
            if self.tabs.all_finished() && self.editing.is_none() {
                return self.failed.take().map_or(Ok(()), Err);
            }
        }
    }

    /// Handles the events that were read from the terminal together.
    fn read(&mut self, Reading { at, events }: Reading, screen: &mut Screen) {
        let now = self.now();
        // The time of reading counts, not the time of handling.
        let at = self.watch.at(at);
        let mut inputs: Vec<_> = events.into_iter().flat_map(|event| self.keys.feed(event, at)).collect();
        inputs.extend(self.keys.drained());
        for input in inputs {
            self.input(now, input, screen);
        }
    }

    /// Handles an event of a tab, and further events that are ready.
    fn heard(&mut self, tab: usize, event: Result<Event, Error>) -> Result<(), Error> {
        let now = self.now();
        self.happened(now, tab, event)?;
        for _ in 1..LINES {
            let Some((tab, event)) = self.tabs.event().now_or_never() else { break };
            self.happened(now, tab, event)?;
        }
        self.frame_timer.throttle(Instant::now());
        Ok(())
    }

    fn now(&self) -> Now {
        Now { elapsed: self.watch.elapsed(), moment: Moment::now() }
    }

    fn draw_soon(&mut self) {
        self.frame_timer.draw_soon(Instant::now());
    }

    fn draw(&mut self, screen: &mut Screen) {
        if screen.is_lent() {
            // Bells and the like would disturb the picture of another program, and they would
            // accumulate.
            self.extras.clear();
        }
        if !screen.is_ready() || !self.frame_timer.draws(Instant::now()) {
            return;
        }
        let title = self.tui.title();
        if title != self.title {
            self.extras.extend_from_slice(osc::title(&title).as_bytes());
            self.title = title;
        }
        let (elapsed, apps) = (self.watch.elapsed(), self.tabs.apps());
        screen.draw(&self.extras, |area, buffer| self.tui.draw(area, buffer, elapsed, &apps));
        self.extras.clear();
        let now = self.now();
        for wish in self.tui.wants() {
            self.grant(now, wish);
        }
    }

    /// Returns when something is due: a picture, an app, an incomplete key sequence, or saving.
    fn wake_at(&self, screen: &Screen) -> Option<Instant> {
        let apps = self.tabs.apps();
        let elapsed = self.watch.elapsed();
        let due = [self.tabs.wake_at().map(|(at, _)| at), self.keys.wake_at(), self.tui.wake_at(elapsed, &apps)];
        let due = due.into_iter().flatten().map(|at| self.watch.instant(at));
        due.chain(self.frame_timer.wake_at(screen.is_ready()))
            .chain(self.remember_at)
            .chain(self.unsent.due)
            .chain([self.zone.due()])
            .min()
    }

    fn woke(&mut self, screen: &mut Screen) {
        let instant = Instant::now();
        if self.frame_timer.ends_breath(instant) {
            return;
        }
        if let Some(zone) = self.zone.look() {
            self.tui.change_zone(zone);
        }
        let now = self.now();
        for input in self.keys.wake(now.elapsed) {
            self.input(now, input, screen);
        }
        while let Some((at, tab)) = self.tabs.wake_at()
            && at <= now.elapsed
        {
            self.update(now, tab, Event::Woke);
        }
        if self.remember_at.is_some_and(|at| at <= instant) {
            self.remember();
        }
        if self.unsent.due.is_some_and(|at| at <= instant) {
            self.keep();
        }
        self.frame_timer.draw_next();
    }

    fn input(&mut self, now: Now, input: Input, screen: &mut Screen) {
        match &input {
            Input::Resize(width, height) => screen.resize(*width, *height),
            Input::Answer(answer) => {
                self.extras.extend_from_slice(screen.heard(answer));
                self.tui.heard(answer);
            }
            _ => {}
        }
        // The user may look at it from another terminal (tmux) or may have changed the theme.
        let comes = matches!(input, Input::Resize(..) | Input::Focus(true));
        let apps = self.tabs.apps();
        let wishes = self.tui.input(now, input, &apps);
        self.keep_entered();
        let mut redraws = false;
        for wish in wishes {
            match wish {
                UiAction::Redraw => {
                    screen.forget();
                    redraws = true;
                }
                wish => self.grant(now, wish),
            }
        }
        if (comes || redraws) && self.tui.choices().palette.asks_for_ground() {
            self.extras.extend_from_slice(terminal::ground_question(&term()));
        }
        self.unsent.soon();
        self.draw_soon();
    }

    fn happened(&mut self, now: Now, tab: usize, event: Result<Event, Error>) -> Result<(), Error> {
        self.frame_timer.took();
        match event {
            Ok(event) => self.update(now, tab, event),
            Err(Error::Connection(ConnectError::TakenOver)) if self.tabs.len() > 1 => {
                let room = self.tabs.apps()[tab].room().map_or_else(String::new, |room| format!("#{room} "));
                self.put_aside(now, tab);
                self.close(tab);
                self.tui.tell(now, format!("{room}goes on in another window, and is closed here"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn update(&mut self, now: Now, tab: usize, event: Event) {
        let is_line = matches!(event, Event::Line(_) | Event::Tell { .. });
        let update = self.tabs.update(now.elapsed, tab, event);
        let ended = update.finished.is_some();
        for shown in update.shown {
            if let ViewEvent::Notice(words) = &shown
                && ended
            {
                self.last_words.push_str(words);
                self.last_words.push('\n');
            }
            if let ViewEvent::Event { event: ServerMessage::Welcome(welcome), .. } = &shown
                && (self.epoch.replace(welcome.epoch) != Some(welcome.epoch) || welcome.shared.is_some())
            {
                self.privates.forget();
            }
            // A private message that one tab has shown is not shown in another.
            if let ViewEvent::Event { event: ServerMessage::Private(private), .. } = &shown
                && !self.privates.is_new(private)
            {
                continue;
            }
            self.met |= matches!(shown, ViewEvent::Connected(_));
            let is_text = shown == ViewEvent::Connected(Dialect::Text);
            let enters = is_text || matches!(shown, ViewEvent::Event { event: ServerMessage::Welcome(_), .. });
            let has_read = is_text || matches!(shown, ViewEvent::Event { event: ServerMessage::Live { .. }, .. });
            if let ViewEvent::Event { event: ServerMessage::Message(message), .. } = &shown {
                self.was_said(message.key.as_ref());
            }
            let me = self.tabs.apps().get(tab).and_then(|app| app.nick().cloned());
            self.tui.listen_for(tab, self.tabs.apps().get(tab).and_then(|app| app.wanted()));
            for wish in self.tui.show(now, tab, &shown, me.as_ref()) {
                self.grant(now, wish);
            }
            if enters {
                self.send_kept(now, tab);
            }
            if has_read {
                self.give_back_kept(now, tab);
            }
        }
        // A typed line is saved at once, before it can be lost. An echoed line may stay saved a
        // moment longer.
        if is_line {
            self.keep();
        } else if self.unsent.has_any() {
            self.unsent.soon();
        }
        match update.finished {
            Some(result) if self.tabs.len() > 1 && !self.quitting => {
                self.put_aside(now, tab);
                self.close(tab);
                if let Err(failure) = result {
                    self.tui.tell(now, failure.to_string());
                }
                self.remember();
            }
            Some(Err(failure)) => {
                self.failed.get_or_insert(failure.into());
            }
            Some(Ok(())) | None => {}
        }
        self.frame_timer.draw_next();
        self.remember_at.get_or_insert(Instant::now() + REMEMBER);
    }

    fn grant(&mut self, now: Now, wish: UiAction) {
        match wish {
            UiAction::Line(tab, line) => {
                self.update(now, tab, Event::Clock(now.moment.to_zoned(self.tui.zone().clone())));
                self.update(now, tab, Event::Line(line));
            }
            UiAction::Tell { tab, to, peer, text } => self.update(now, tab, Event::Tell { to, peer, text }),
            UiAction::Ask(tab, question) => self.update(now, tab, Event::Ask(question)),
            UiAction::Open(_) if self.tabs.len() >= Limits::SEATS => {
                self.tui.tell(now, format!("{} rooms are open, and no more can be; /leave closes one", Limits::SEATS));
            }
            UiAction::Open(room) => {
                self.open(Some(room), None);
                self.tui.go_to(self.tabs.len().saturating_sub(1));
            }
            UiAction::Close(tab) => self.update(now, tab, Event::Quit),
            UiAction::Reconnect(tab) => {
                let apps = self.tabs.apps();
                let waiting: Vec<_> =
                    (0..apps.len()).filter(|other| *other == tab || apps[*other].waits_to_retry()).collect();
                for tab in waiting {
                    self.update(now, tab, Event::Reconnect);
                }
            }
            UiAction::Connect(address) => self.want_to_go_to(now, *address),
            UiAction::Quit => self.quit(now),
            UiAction::Suspend => self.suspends = true,
            UiAction::Edit => self.edits = true,
            UiAction::Redraw => {}
            UiAction::Copy(text) => self.extras.extend_from_slice(osc::copy(&text).as_bytes()),
            UiAction::Ring => self.extras.push(b'\x07'),
            UiAction::Notify(words) => self.extras.extend_from_slice(osc::notification(&words).as_bytes()),
            UiAction::Remember => self.remember(),
            UiAction::Ignore => {
                for tab in 0..self.tabs.len() {
                    self.update(now, tab, Event::Ignore(Arc::clone(self.tui.ignored())));
                }
            }
        }
    }

    fn close(&mut self, tab: usize) {
        self.tabs.close(tab);
        for wish in self.tui.close(tab) {
            self.grant(self.now(), wish);
        }
    }

    /// Ends every conversation. A second call ends them at once.
    fn quit(&mut self, now: Now) {
        let event = if self.quitting { Event::Stop } else { Event::Quit };
        self.quitting = true;
        for tab in 0..self.tabs.len() {
            self.update(now, tab, event.clone());
        }
        self.tui.leave();
    }
}

/// Returns the terminal type from the environment.
fn term() -> String {
    std::env::var("TERM").unwrap_or_default()
}

/// Returns how others join the room at `address`: words, and the command.
fn invitation(address: &Address) -> (String, String) {
    let place = if address.is_local() { " on this machine" } else { "" };
    let address = address.without_query();
    let is_default = address.is_default() && address.uri().path() == "/";
    let arguments = if is_default { String::new() } else { address.to_string() };
    (format!("others{place} join with"), os::command("client", &arguments))
}

/// Returns the next input if the terminal is being read. Cancel-safe.
async fn next(reader: &mut Option<Reader>) -> Option<io::Result<Reading>> {
    match reader {
        Some(reader) => reader.next().await,
        None => pending().await,
    }
}
