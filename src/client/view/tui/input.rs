//! Handles keys, pastes and the mouse wheel. Pure.

use std::{collections::BTreeSet, mem};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    Bare, Bell, Help, Joins, LEAVING, LinkList, Notify, Now, Question, Scroll, Tui, UiAction,
    choices::RoomChoice,
    command::{self, Entered, ScreenCommand},
    conversation::{GoneToNew, Page, SearchResults, TopicKey, TopicPage},
    highlights::{Word, Words},
    links::Pressed,
    prompt::{self, Answer, submits},
};
use crate::{
    client::{
        address::Address,
        chat::{App, ViewEvent},
        completion::Candidates,
        editor::{self, Outcome},
        ignored::{self, Ignored, Toggled},
        terminal::keys::Input,
    },
    protocol::{
        self, ClientMessage, Dialect, Limits, Message, Nick,
        command::{Command, Line},
        sanitize,
        search::Filters,
        when,
    },
};

/// The number of messages that `/history` shows without an argument. A server uses the same number.
const HISTORY: u32 = 20;

/// The maximum number of rooms that `/bell` lists as exceptions.
const EXCEPTIONS: usize = 3;

/// Returns whether a key types a character.
fn types(key: KeyEvent) -> bool {
    let is_command = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    matches!(key.code, KeyCode::Char(_)) && !is_command
}

impl Tui {
    /// Handles `input`. Returns the actions that the screen cannot do itself.
    pub fn input(&mut self, now: Now, input: Input, apps: &[&App]) -> Vec<UiAction> {
        if self.bare.is_some() && matches!(input, Input::Key(_) | Input::Paste(_) | Input::Wheel(_)) {
            self.bare = None;
            self.is_used(now);
            let mut wishes = vec![UiAction::Redraw];
            match input {
                Input::Paste(text) => self.paste(text),
                // Do not lose the key that closes the bare text. If it were the slash of a command,
                // the rest of the command would be sent to the room as a text.
                Input::Key(key) if types(key) => wishes.extend(self.key(now, key, apps)),
                _ => {}
            }
            return wishes;
        }
        match input {
            Input::Key(key) => {
                self.is_used(now);
                self.key(now, key, apps)
            }
            Input::Paste(text) => {
                self.is_used(now);
                self.paste(text);
                Vec::new()
            }
            Input::Wheel(rows) => {
                self.is_used(now);
                self.wheel(rows);
                Vec::new()
            }
            Input::Focus(focused) => {
                self.focus.told(now.elapsed, focused);
                if let Some(room) = self.rooms.get_mut(self.current) {
                    room.watch(focused);
                }
                Vec::new()
            }
            Input::Resize(..) | Input::Answer(_) => Vec::new(),
        }
    }

    /// Notes that the user is here.
    fn is_used(&mut self, now: Now) {
        self.focus.key(now.elapsed);
        if let Some(room) = self.rooms.get_mut(self.current) {
            room.watch(self.focus.is_here(now.elapsed));
        }
    }

    /// Scrolls the topmost layer. The draft stays as it is.
    fn wheel(&mut self, rows: i32) {
        let Some(room) = self.rooms.get_mut(self.current) else { return };
        if let Some(help) = &mut self.help {
            help.scroll(rows);
        } else if let Some(list) = &mut self.link_list {
            list.select(rows.signum());
        } else if let Some(page) = &mut self.topic {
            page.scroll(rows);
        } else if room.conversation.results().is_some() {
            room.conversation.select(rows);
        } else {
            self.scroll(Scroll::Lines(rows));
        }
    }

    fn paste(&mut self, text: String) {
        let text = match self.question.take() {
            Some(Question::Paste(before)) => before + &text,
            _ => text,
        };
        self.told = None;
        self.help = None;
        self.link_list = None;
        self.topic = None;
        let Some(room) = self.rooms.get(self.current) else { return };
        // Insert the whole text or none of it: half of a text may say something else.
        let (is, fits) = (sanitize::lines(&text).len(), room.editor.room());
        if is > fits && room.editor.searching().is_none() {
            self.told = Some(format!("not inserted: {}, and a message has room for {fits}", prompt::bytes(is)));
            return;
        }
        self.question = Question::about_paste(&text);
        if self.question.is_none() {
            self.insert(&text);
        }
    }

    /// Inserts pasted text. It is sent unchanged, unless it is one line that begins with a known
    /// command.
    fn insert(&mut self, text: &str) {
        let is_text = prompt::lines(text) > 1 || text.starts_with('/') && !command::is_known(text);
        let is_text = is_text && !self.choices.no_commands;
        let Some(room) = self.rooms.get_mut(self.current) else { return };
        let outcome = if is_text { room.editor.paste_verbatim(text) } else { room.editor.paste(text) };
        if outcome == Outcome::Full {
            self.told = Some(full());
        }
    }

    fn key(&mut self, now: Now, key: KeyEvent, apps: &[&App]) -> Vec<UiAction> {
        self.told = None;
        let prefixed = mem::take(&mut self.prefixed);
        let mut confirmed = None;
        if let Some(question) = self.question.take() {
            match (question.answer(key), question) {
                (Answer::Yes, Question::Aloud { line, .. }) => confirmed = Some(line),
                (Answer::Yes, Question::Quit) => return vec![UiAction::Quit],
                (Answer::Yes, Question::Paste(text)) => {
                    self.insert(&text);
                    return Vec::new();
                }
                (Answer::No, Question::Quit | Question::Aloud { .. }) => return Vec::new(),
                (Answer::No, Question::Paste(text)) => {
                    self.told = Some(format!("not inserted: {}", prompt::size(&text)));
                    return Vec::new();
                }
                (Answer::Stays, question) => self.question = Some(question),
                (Answer::Otherwise, _) => {}
            }
        }
        if self.topic_key(key) {
            return Vec::new();
        }
        if let Some(wishes) = self.help_key(key) {
            return wishes;
        }
        if let Some(wishes) = self.links_key(key) {
            return wishes;
        }
        let Some(room) = self.rooms.get_mut(self.current) else { return Vec::new() };
        if prefixed && key.code == KeyCode::Char('e') && key.modifiers == KeyModifiers::CONTROL {
            return vec![UiAction::Edit];
        }
        // While the user searches the sent lines, the search gets every key that it can use.
        let searching = room.editor.searching().is_some();
        if searching {
            match room.editor.key(key) {
                Outcome::Submit(text) => return self.submit(now, text, apps),
                Outcome::Changed | Outcome::Unchanged | Outcome::Full => return Vec::new(),
                Outcome::Ignored => {}
            }
        } else if let Some(wishes) = self.results_key(now, key) {
            return wishes;
        }
        if let Some(wishes) = self.bound(key) {
            return wishes;
        }
        if submits(key) && self.asks_first(confirmed.as_deref()) {
            return Vec::new();
        }
        let editor = &mut self.rooms[self.current].editor;
        if editor.would_leave_draft(key) {
            // Some terminals send arrow keys for the mouse wheel, so an arrow key must not replace
            // a draft.
            self.told = Some("what was sent before comes on an empty line; Ctrl-R searches in it".to_owned());
            return Vec::new();
        }
        match editor.key(key) {
            Outcome::Submit(text) => self.submit(now, text, apps),
            Outcome::Full => {
                self.told = Some(full());
                Vec::new()
            }
            Outcome::Ignored if key.code == KeyCode::Esc => {
                self.scroll(Scroll::Bottom);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Asks for confirmation if the line may be a mistyped command, unless exactly this line was
    /// `confirmed`. Returns whether it asks.
    fn asks_first(&mut self, confirmed: Option<&str>) -> bool {
        let Some(room) = self.rooms.get(self.current).filter(|_| !self.choices.no_commands) else { return false };
        let line = room.editor.text();
        if confirmed == Some(line) {
            return false;
        }
        let is_nick = |word: &str| {
            let mut nicks = room.names.iter().chain(room.conversation.speakers());
            nicks.any(|nick| nick.as_str().eq_ignore_ascii_case(word))
        };
        let because = command::nearly(line, room.editor.is_verbatim(), is_nick);
        let question = because.map(|because| Question::Aloud { line: line.to_owned(), because });
        let asks = question.is_some();
        self.question = question.or(self.question.take());
        asks
    }

    /// Handles a key while search results are open. Returns `None` for a key that they do not use.
    /// The results use the arrow keys and Enter only while the input is empty.
    fn results_key(&mut self, now: Now, key: KeyEvent) -> Option<Vec<UiAction>> {
        let room = self.rooms.get_mut(self.current)?;
        let results = room.conversation.results()?;
        let (empty, selected) = (room.editor.is_empty(), results.selected().cloned());
        let control = key.modifiers == KeyModifiers::CONTROL;
        match key.code {
            KeyCode::PageUp => room.conversation.select(-10),
            KeyCode::PageDown => {
                room.conversation.select(10);
                return Some(self.more_results(now));
            }
            KeyCode::Up if empty && key.modifiers.is_empty() => room.conversation.select(-1),
            KeyCode::Down if empty && key.modifiers.is_empty() => {
                room.conversation.select(1);
                return Some(self.more_results(now));
            }
            KeyCode::Enter if empty => return selected.map(|message| self.show_result(&message)),
            KeyCode::Esc | KeyCode::F(3) => room.conversation.close_results(),
            KeyCode::Char('c') if control && empty => room.conversation.close_results(),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Requests the next page of results if the selection is near the end of the loaded ones.
    fn more_results(&mut self, now: Now) -> Vec<UiAction> {
        let tab = self.current;
        let wanted = self.rooms.get_mut(tab).and_then(|room| room.conversation.wanted_results());
        let Some((before, query, all)) = wanted else { return Vec::new() };
        let at = now.timestamp();
        let Filters { since, until, .. } = Filters::parse(query.as_str(), at, &self.choices.zone).unwrap_or_default();
        let limit = Some(Limits::FOUND);
        vec![UiAction::Ask(tab, ClientMessage::Search { query, limit, before: Some(before), all, since, until })]
    }

    /// Jumps to a result in the conversation of its room.
    fn show_result(&mut self, message: &Message) -> Vec<UiAction> {
        let all = self.rooms.get(self.current).and_then(|room| room.conversation.results());
        let is_elsewhere = all.is_some_and(SearchResults::is_of_all_rooms);
        let tab = if is_elsewhere { self.tab_of(&message.room) } else { Some(self.current) };
        let Some(tab) = tab else {
            self.told = Some(format!("#{} is not open; /join {} opens it", message.room, message.room));
            return Vec::new();
        };
        if tab != self.current {
            self.rooms[self.current].conversation.close_results();
            self.go_to(tab);
        }
        let room = &mut self.rooms[tab];
        if room.conversation.jump_to(message.id) {
            room.conversation.close_results();
            return Vec::new();
        }
        let question = room.ask(Page::Around(message.id));
        question.map(|question| UiAction::Ask(tab, question)).into_iter().collect()
    }

    /// Completes the word before the cursor. If the key is pressed again, replaces it with the next
    /// candidate.
    fn complete(&mut self, backwards: bool) {
        let open: Vec<_> = self.rooms.iter().filter_map(|room| room.name.clone()).collect();
        let rooms: Vec<_> = open.iter().chain(self.listed.iter().filter(|room| !open.contains(room))).collect();
        let commands: Vec<_> = command::all().collect();
        // In a private tab, offer the people of all rooms.
        let everywhere: BTreeSet<_> = match self.person(self.current) {
            Some(_) => self.rooms.iter().flat_map(|room| room.names.iter().cloned()).collect(),
            None => BTreeSet::new(),
        };
        let Some(room) = self.rooms.get_mut(self.current) else { return };
        let mut nicks: Vec<&Nick> = room.conversation.speakers().collect();
        nicks.extend(
            room.names.union(&everywhere).filter(|name| !room.conversation.speakers().any(|nick| nick == *name)),
        );
        // Offer ignored people only to `/ignore`, which shows them again.
        if room.editor.text().starts_with("/ignore ") {
            nicks.extend(self.ignored.nicks());
        } else {
            nicks.retain(|nick| !self.ignored.has(nick));
        }
        let candidates = Candidates { nicks: &nicks, rooms: &rooms, servers: &self.servers, commands: &commands };
        let (text, cursor) = (room.editor.text(), room.editor.cursor());
        let made = room.completer.press(text, cursor, backwards, &candidates);
        if let Some((range, with)) = made.map(|(range, with)| (range, with.to_owned()))
            && room.editor.replace(range, &with) == Outcome::Full
        {
            self.told = Some(full());
        }
    }

    /// Handles a key while a help page is open. Returns `None` for a key that the page does not
    /// use; that key closes the page first, except Ctrl-Z and Ctrl-L.
    fn help_key(&mut self, key: KeyEvent) -> Option<Vec<UiAction>> {
        let help = self.help.as_mut()?;
        let empty = self.rooms.get(self.current).is_none_or(|room| room.editor.is_empty());
        match key.code {
            KeyCode::Up => help.scroll(-1),
            KeyCode::Down => help.scroll(1),
            KeyCode::PageUp => help.scroll(-10),
            KeyCode::PageDown => help.scroll(10),
            // A space scrolls the page, since no text begins with a space.
            KeyCode::Char(' ') if empty => help.scroll(10),
            KeyCode::Char('z' | 'l') if key.modifiers == KeyModifiers::CONTROL => return None,
            KeyCode::Esc | KeyCode::F(1) => self.help = None,
            KeyCode::Enter if empty => self.help = None,
            KeyCode::Char('c' | 'd') if empty && key.modifiers == KeyModifiers::CONTROL => self.help = None,
            _ => {
                self.help = None;
                return None;
            }
        }
        Some(Vec::new())
    }

    /// Handles a key while the topic page is open. Returns whether the page used the key.
    fn topic_key(&mut self, key: KeyEvent) -> bool {
        let Some(page) = &mut self.topic else { return false };
        let pressed = page.key(key);
        if pressed != TopicKey::Stays {
            self.topic = None;
        }
        pressed != TopicKey::Otherwise
    }

    /// Handles a key while the list of links is open. Returns `None` for a key that the list does
    /// not use.
    fn links_key(&mut self, key: KeyEvent) -> Option<Vec<UiAction>> {
        let pressed = self.link_list.as_mut()?.key(key);
        if pressed != Pressed::Stays {
            self.link_list = None;
        }
        match pressed {
            Pressed::Stays | Pressed::Closes => Some(Vec::new()),
            Pressed::Copies(link) => {
                self.told = Some(format!("sent to the clipboard: {link}"));
                Some(vec![UiAction::Copy(link)])
            }
            Pressed::Otherwise => None,
        }
    }

    /// Opens the list of the links on the screen.
    fn list_links(&mut self) {
        self.link_list = LinkList::new(self.links_in_sight.clone());
        if self.link_list.is_none() {
            self.told = Some("there is no link on the screen".to_owned());
        }
    }

    /// Shows the conversation as bare text.
    fn show_bare(&mut self) {
        if let Some(room) = self.rooms.get_mut(self.current) {
            self.bare = Some(Bare::new(&room.conversation));
            room.watch(false);
        }
    }

    /// Handles the key bindings of the screen. Returns `None` for a key of the editor.
    fn bound(&mut self, key: KeyEvent) -> Option<Vec<UiAction>> {
        let control = key.modifiers == KeyModifiers::CONTROL;
        let alt = key.modifiers == KeyModifiers::ALT;
        let shift = key.modifiers == KeyModifiers::SHIFT;
        let empty = self.rooms.get(self.current).is_none_or(|room| room.editor.is_empty());
        match key.code {
            KeyCode::Char('c') if control && empty => self.question = Some(Question::Quit),
            KeyCode::Char('c') if control => self.rooms[self.current].editor.clear(),
            KeyCode::Char('d') if control && empty => return Some(vec![UiAction::Quit]),
            KeyCode::Char('l') if control => return Some(vec![UiAction::Redraw]),
            KeyCode::Char('z') if control => return Some(vec![UiAction::Suspend]),
            KeyCode::Char('x') if control => {
                self.prefixed = true;
                self.told = Some("Ctrl-X Ctrl-E opens the text in your editor".to_owned());
            }
            KeyCode::Tab => self.complete(false),
            KeyCode::BackTab => self.complete(true),
            KeyCode::F(1) => self.help = Some(Help::keys()),
            KeyCode::F(2) => {
                let has_one = self.rooms.get(self.current).is_some_and(|room| room.shown_topic().is_some());
                self.topic = has_one.then(TopicPage::default);
                if !has_one {
                    self.told = Some("there is no topic; /topic TEXT sets one".to_owned());
                }
            }
            KeyCode::F(3) => {
                if !self.rooms.get_mut(self.current).is_some_and(|room| room.conversation.open_results()) {
                    self.told = Some("no results wait to be shown; /search WORDS finds some".to_owned());
                }
            }
            KeyCode::F(9) => self.toggle_column(),
            KeyCode::Char('p' | 'P') if alt => self.toggle_column(),
            KeyCode::Char(digit @ '1'..='9') if alt => {
                let tab = digit as usize - '1' as usize;
                if tab >= self.rooms.len() {
                    self.told = Some(format!("there is no room {digit}; /join ROOM opens one"));
                }
                self.go_to(tab);
            }
            KeyCode::Char('l' | 'L') if alt => self.list_links(),
            KeyCode::Char('v' | 'V') if alt => {
                self.show_bare();
                return Some(vec![UiAction::Redraw]);
            }
            KeyCode::Char('a' | 'A') if alt => self.go_to_unread(),
            KeyCode::Char('n') if control => self.step(1),
            KeyCode::Char('p') if control => self.step(self.rooms.len().saturating_sub(1)),
            KeyCode::Right if alt => self.step(1),
            KeyCode::Left if alt => self.step(self.rooms.len().saturating_sub(1)),
            KeyCode::PageUp => self.scroll(Scroll::Pages(-1)),
            KeyCode::PageDown => self.scroll(Scroll::Pages(1)),
            KeyCode::Up if shift => self.scroll(Scroll::Lines(-1)),
            KeyCode::Down if shift => self.scroll(Scroll::Lines(1)),
            KeyCode::Home if alt => return Some(self.go_to_new()),
            KeyCode::Home if control => self.scroll(Scroll::Top),
            KeyCode::End if control => self.scroll(Scroll::Bottom),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Goes to the first new message of the room.
    fn go_to_new(&mut self) -> Vec<UiAction> {
        let Some(room) = self.rooms.get_mut(self.current) else { return Vec::new() };
        let mut question = None;
        match room.conversation.go_to_new() {
            GoneToNew::There => room.watch(true),
            GoneToNew::Wants(page) => question = room.ask(page),
            GoneToNew::Nothing => self.told = Some("nothing here is new".to_owned()),
        }
        question.map(|question| UiAction::Ask(self.current, question)).into_iter().collect()
    }

    fn toggle_column(&mut self) {
        let shown = self.shows_column();
        self.column = Some(!shown);
        if !shown && !self.shows_column() {
            self.told = Some("there is no room for the column".to_owned());
        }
    }

    fn step(&mut self, by: usize) {
        if !self.rooms.is_empty() {
            self.go_to((self.current + by) % self.rooms.len());
        }
    }

    /// Goes to the next tab that calls for the user. The order is: tabs with mentions, tabs in
    /// which every message calls, other tabs with unread messages, and last the tabs in which no
    /// message calls.
    fn go_to_unread(&mut self) {
        match self.next_unread() {
            Some(tab) => self.go_to(tab),
            None => self.told = Some("nothing is unread elsewhere".to_owned()),
        }
    }

    /// Returns the tab for [`Self::go_to_unread`].
    pub(super) fn next_unread(&self) -> Option<usize> {
        let others = (1..self.rooms.len()).map(|step| (self.current + step) % self.rooms.len());
        let rank = |tab: &usize| {
            let room = &self.rooms[*tab];
            match self.notify_of(*tab) {
                Notify::None => 3,
                _ if room.mentions > 0 => 0,
                Notify::All => 1,
                _ => 2,
            }
        };
        others.filter(|tab| self.rooms[*tab].unread > 0).min_by_key(rank)
    }

    fn scroll(&mut self, by: Scroll) {
        let Some(room) = self.rooms.get_mut(self.current) else { return };
        room.conversation.scroll(by);
        room.watch(true);
    }

    fn submit(&mut self, now: Now, text: String, apps: &[&App]) -> Vec<UiAction> {
        let tab = self.current;
        self.was_entered(&text);
        let Some(app) = apps.get(self.app_of(tab)) else { return Vec::new() };
        let is_plain = app.dialect() == Dialect::Text;
        let entered = if self.choices.no_commands { Ok(Entered::Verbatim) } else { command::read(&text) };
        match entered {
            Ok(Entered::Screen(command)) if is_plain && names_people(&command) => {
                let words = "this server speaks plain text only, and does not say who speaks".to_owned();
                self.show(now, tab, &ViewEvent::Refusal(words), None)
            }
            Ok(Entered::Screen(command)) if !is_plain || is_local(&command) => self.command(now, command, app.nick()),
            Err(error) => self.show(now, tab, &ViewEvent::Refusal(error.to_string()), None),
            Ok(_) if text.trim().is_empty() && app.waits_to_retry() => vec![UiAction::Reconnect(self.app_of(tab))],
            Ok(_) if text.trim().is_empty() => Vec::new(),
            Ok(_) if !app.wants_input() => {
                self.rooms[tab].editor.set(text);
                let words = if self.leaving { LEAVING } else { "too many lines wait to be sent already" };
                self.told = Some(words.to_owned());
                Vec::new()
            }
            Ok(entered) => {
                let room = &mut self.rooms[tab];
                if room.conversation.results().is_some() {
                    room.conversation.close_results();
                }
                room.conversation.scroll(Scroll::Bottom);
                room.watch(true);
                if self.person(tab).is_some() {
                    self.say_to_person(now, text, entered)
                } else {
                    vec![UiAction::Line(self.speaker(&entered), text)]
                }
            }
        }
    }

    /// Returns the tab whose app handles the line that was entered in the current tab.
    fn speaker(&self, entered: &Entered) -> usize {
        let replies = matches!(entered, Entered::Chat(Ok(Line::Command(Command::Reply(_)))));
        let tab = self.correspondence.as_ref().filter(|_| replies).and_then(|room| self.tab_of(room));
        tab.unwrap_or(self.current)
    }

    /// Handles `text`, which was entered in a private tab: what is not a command is sent to that
    /// person.
    fn say_to_person(&mut self, now: Now, text: String, entered: Entered) -> Vec<UiAction> {
        let tab = self.current;
        let Entered::Chat(read) = entered else { return self.tell_wish(tab, text) };
        match read {
            Ok(Line::Command(Command::Reply(text))) => self.tell_wish(tab, text.as_str().to_owned()),
            Ok(Line::Command(
                Command::Msg(..) | Command::Nick(_) | Command::Rooms | Command::Whois(_) | Command::Away(_),
            )) => {
                vec![UiAction::Line(self.app_of(tab), text)]
            }
            Ok(Line::Command(
                Command::Help(_)
                | Command::Join(_)
                | Command::Names
                | Command::Me(_)
                | Command::Topic
                | Command::SetTopic(_)
                | Command::History(_)
                | Command::Search { .. }
                | Command::Quit,
            )) => {
                let words = format!("this is about a room, and {} is a person", self.rooms[tab].label());
                self.show(now, tab, &ViewEvent::Refusal(words), None)
            }
            Err(error) if text.starts_with('/') && !text.starts_with("//") => {
                self.show(now, tab, &ViewEvent::Refusal(error.to_string()), None)
            }
            Ok(Line::Blank) => Vec::new(),
            // A text that is too long is sent in parts.
            Ok(Line::Say(_)) | Err(_) => self.tell_wish(tab, text.strip_prefix('/').map(str::to_owned).unwrap_or(text)),
        }
    }

    /// Runs a command of the screen; `me` is the user's nick.
    fn command(&mut self, now: Now, command: ScreenCommand, me: Option<&Nick>) -> Vec<UiAction> {
        match command {
            ScreenCommand::Help(None) => self.help = Some(Help::commands()),
            ScreenCommand::Help(Some(spec)) => self.tell(now, spec.explanation()),
            ScreenCommand::Join(room) => match self.tab_of(&room) {
                Some(tab) => self.go_to(tab),
                None => return vec![UiAction::Open(room)],
            },
            ScreenCommand::Query(nick, _) if me == Some(&nick) => {
                return self.show(now, self.current, &ViewEvent::Refusal(format!("{nick} is you")), me);
            }
            ScreenCommand::Query(nick, text) => {
                self.query(&nick);
                return if text.is_empty() { Vec::new() } else { self.tell_wish(self.current, text) };
            }
            ScreenCommand::Leave(None) if self.person(self.current).is_some() => self.close_person(self.current),
            ScreenCommand::Leave(named) => {
                let tab = named.as_ref().map_or(Some(self.current), |room| self.tab_of(room));
                match (tab, named) {
                    (Some(_), _) if self.room_count() < 2 => {
                        self.told = Some("this is the only room; /quit leaves the chat".to_owned());
                    }
                    (Some(tab), _) => return vec![UiAction::Close(tab)],
                    (None, Some(room)) => {
                        return self.show(
                            now,
                            self.current,
                            &ViewEvent::Refusal(format!("you are not in #{room}")),
                            me,
                        );
                    }
                    (None, None) => {}
                }
            }
            ScreenCommand::History(_) | ScreenCommand::Goto(_) | ScreenCommand::Notify(_) | ScreenCommand::Joins(_)
                if self.person(self.current).is_some() =>
            {
                let words = format!("this is about a room, and {} is a person", self.rooms[self.current].label());
                return self.show(now, self.current, &ViewEvent::Refusal(words), me);
            }
            ScreenCommand::History(count) => {
                let asked = count.unwrap_or(HISTORY);
                let count = asked.min(Limits::HISTORY);
                if asked > count {
                    self.told = Some(format!("/history goes back {count} messages at most; scroll up for more"));
                }
                self.rooms[self.current].conversation.show_older(count as usize);
            }
            ScreenCommand::Goto(when) => {
                let Some(at) = when::moment(&when, now.timestamp(), &self.choices.zone) else {
                    // Show the error in the status line, where it is visible also to a user who has
                    // scrolled back.
                    self.told = Some(format!("{when} is no time; such as {}", when::FORMS));
                    return Vec::new();
                };
                let question = self.rooms[self.current].ask(Page::Since(at));
                return question.map(|question| UiAction::Ask(self.current, question)).into_iter().collect();
            }
            ScreenCommand::Connect(address) => match address.parse::<Address>() {
                Ok(address) => return vec![UiAction::Connect(Box::new(address))],
                Err(error) => {
                    let words = format!("{}: {error}", protocol::sanitize::line(&address));
                    return self.show(now, self.current, &ViewEvent::Refusal(words), me);
                }
            },
            ScreenCommand::Reconnect => return vec![UiAction::Reconnect(self.app_of(self.current))],
            ScreenCommand::Clear => self.rooms[self.current].conversation.clear(),
            ScreenCommand::Bell(None) => {
                self.tell(now, format!("the bell rings for: {}{}", self.bell(), self.exceptions()));
            }
            ScreenCommand::Bell(Some(bell)) => {
                self.choices.bell = bell;
                let words = match bell {
                    Bell::Off => "the bell is off",
                    Bell::Mentions => "the bell rings for mentions and private messages",
                    Bell::All => "the bell rings for every message",
                };
                self.tell(now, format!("{words}{}", self.exceptions()));
                return vec![UiAction::Remember];
            }
            ScreenCommand::Notify(choice) => return self.notify(now, choice),
            ScreenCommand::Joins(choice) => return self.joins(now, choice),
            ScreenCommand::Ignore(nicks) if nicks.is_empty() => {
                let chosen = self.ignored.nicks().iter().map(ToString::to_string);
                let others = self.ignored.followed().map(|(nick, whom)| format!("{nick} ({whom})"));
                let all: Vec<_> = chosen.chain(others).collect();
                let words = if all.is_empty() {
                    "nobody is ignored".to_owned()
                } else {
                    format!("ignored: {}", all.join(", "))
                };
                self.tell(now, words);
            }
            ScreenCommand::Ignore(nicks) => return self.toggle_ignored(now, &nicks, me),
            ScreenCommand::Highlight(added, removed) => return self.highlight(now, added, &removed),
            ScreenCommand::Quit => return vec![UiAction::Quit],
        }
        Vec::new()
    }

    /// Ignores each of these nicks, or stops ignoring it.
    fn toggle_ignored(&mut self, now: Now, nicks: &[Nick], me: Option<&Nick>) -> Vec<UiAction> {
        let mut wishes = Vec::new();
        let mut told = Vec::new();
        for nick in nicks {
            let mut ignored = Ignored::clone(&self.ignored);
            let (words, changed) = match ignored.toggle(nick) {
                Toggled::Ignored if me.is_some_and(|me| ignored::share(me, nick)) => {
                    let words = format!("{nick} is you");
                    wishes.extend(self.show(now, self.current, &ViewEvent::Refusal(words), me));
                    continue;
                }
                Toggled::Ignored => (format!("{nick} is ignored; /ignore {nick} again shows what they say"), true),
                Toggled::ViewEvent => (format!("{nick} is not ignored any more"), true),
                Toggled::With(whom) => {
                    (format!("{nick} is ignored with {whom}; /ignore {whom} shows what they say"), false)
                }
            };
            if changed {
                wishes.extend(self.ignore(ignored));
            }
            told.push(words);
        }
        if !told.is_empty() {
            self.tell(now, told.join("\n"));
        }
        wishes
    }

    /// Chooses which messages of the room call for the user, or tells the current choice.
    fn notify(&mut self, now: Now, choice: Option<Notify>) -> Vec<UiAction> {
        let Some(room) = self.rooms.get(self.current).and_then(|room| room.name.clone()) else {
            self.told = Some("nothing can be chosen before the room is known".to_owned());
            return Vec::new();
        };
        if let Some(choice) = choice {
            self.room_choices.change(&room, |chosen| chosen.notify = Some(choice));
        }
        let what = match self.bell_of(self.current) {
            Bell::Off => "nothing here calls for you",
            Bell::Mentions => "mentions here call for you",
            Bell::All => "every message here calls for you",
        };
        let because = match self.room_choices.notify(&room) {
            Notify::Default => ", as /bell says",
            _ => "; /notify default: as /bell",
        };
        self.tell(now, format!("{what}{because}"));
        choice.map(|_| UiAction::Remember).into_iter().collect()
    }

    /// Returns the rooms in which `/notify` makes the bell ring otherwise than `/bell` says, as
    /// text to append. Returns an empty string if there are none.
    fn exceptions(&self) -> String {
        let other = |choice: &&RoomChoice| choice.notify.is_some_and(|notify| notify.bell(self.bell()) != self.bell());
        let rooms: Vec<_> = self.room_choices.all().iter().filter(other).collect();
        let told = rooms.iter().take(EXCEPTIONS).map(|choice| {
            let what = choice.notify.unwrap_or_default();
            format!("#{}: {what}", choice.room)
        });
        let more = rooms.len().checked_sub(EXCEPTIONS).filter(|more| *more > 0).map(|more| format!("and {more} more"));
        let told: Vec<_> = told.chain(more).collect();
        if told.is_empty() { String::new() } else { format!("; but by /notify in {}", told.join(", ")) }
    }

    /// Chooses whose joins and leaves the room shows, or tells the current choice.
    fn joins(&mut self, now: Now, choice: Option<Joins>) -> Vec<UiAction> {
        let Some(room) = self.rooms.get(self.current).and_then(|room| room.name.clone()) else {
            self.told = Some("nothing can be chosen before the room is known".to_owned());
            return Vec::new();
        };
        if let Some(choice) = choice {
            self.room_choices.change(&room, |chosen| chosen.joins = Some(choice));
        }
        let words = match self.room_choices.joins(&room) {
            Joins::All => "this room tells of all who come and go",
            Joins::Spoke => "this room tells of those who spoke in the last 30 minutes",
            Joins::None => "this room tells of nobody who comes or goes",
        };
        self.tell(now, words);
        choice.map(|_| UiAction::Remember).into_iter().collect()
    }

    /// Adds and removes highlight words, and tells the words in effect.
    fn highlight(&mut self, now: Now, added: Vec<Word>, removed: &[Word]) -> Vec<UiAction> {
        let (words, most) = (&mut self.choices.words, Words::MOST);
        let before = words.clone();
        let unknown = removed.iter().filter(|word| !words.remove(word)).map(|word| format!("{word} is no highlight"));
        let mut told: Vec<_> = unknown.collect();
        let refused = added.into_iter().filter(|word| !words.add(word.clone()));
        told.extend(
            refused.map(|word| format!("{word} is one too many: there can be {most}; /highlight -WORD takes one out")),
        );
        let all: Vec<_> = words.iter().map(ToString::to_string).collect();
        told.push(if all.is_empty() {
            "nothing but your nick calls for you; /highlight WORD adds a word".to_owned()
        } else {
            format!("your nick and these words call for you: {}", all.join(", "))
        });
        let changed = *words != before;
        if changed {
            for room in &mut self.rooms {
                room.conversation.look_out_for(words.clone());
            }
        }
        self.tell(now, told.join("\n"));
        changed.then_some(UiAction::Remember).into_iter().collect()
    }
}

/// Returns whether a command names people. A server that speaks plain text does not tell who
/// speaks.
fn names_people(command: &ScreenCommand) -> bool {
    match command {
        ScreenCommand::Ignore(nicks) => !nicks.is_empty(),
        ScreenCommand::Query(..) => true,
        _ => false,
    }
}

/// Returns the message for an input that has reached its maximum length.
fn full() -> String {
    format!("this is all that fits: a message has {} bytes", editor::LENGTH)
}

/// Returns whether a command works without a server that speaks JSON. A server that speaks plain
/// text has one room and no history.
fn is_local(command: &ScreenCommand) -> bool {
    !matches!(command, ScreenCommand::Join(_) | ScreenCommand::History(_))
}
