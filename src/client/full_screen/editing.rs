//! Edits the draft in the user's editor, which has the terminal meanwhile. The conversation
//! continues without being drawn.

use std::{future::pending, io, process::ExitStatus};

use super::FullScreen;
use crate::{
    client::{
        draft_file::DraftFile,
        editor, saved_state,
        terminal::screen::{Reader, Screen},
        view::tui::Edited,
    },
    os::{self, Editor},
    protocol::sanitize,
};

/// Exit codes of a shell: the program cannot be run, or it was not found.
const NOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// An editor that has the draft.
#[derive(Debug)]
pub(super) struct Editing {
    program: Editor,
    command: String,
    file: DraftFile,
    before: String,
}

/// Resolves when the editor has ended, if there is one. Cancel-safe.
pub(super) async fn ended(editing: &mut Option<Editing>) -> io::Result<ExitStatus> {
    match editing {
        Some(editing) => editing.program.ended().await,
        None => pending().await,
    }
}

impl FullScreen {
    /// Lends the terminal to the user's editor with the draft of the current tab. Returns a reader
    /// if no editor was started.
    pub(super) async fn begin_editing(
        &mut self,
        screen: &mut Screen,
        reader: Option<Reader>,
    ) -> io::Result<Option<Reader>> {
        screen.lend().await;
        // Keys that were typed before the editor started belong to the draft.
        if let Some(reader) = reader {
            for reading in reader.stop().await {
                self.read(reading, screen);
            }
        }
        let Some(before) = self.tui.to_edit() else { return self.take_terminal(screen).map(Some) };
        let command = Editor::command();
        let folder = saved_state::folder().unwrap_or_else(std::env::temp_dir);
        let started = DraftFile::new(&folder, &before).and_then(|file| {
            let program = Editor::start(&command, file.path())?;
            Ok((file, program))
        });
        match started {
            Ok((file, program)) => {
                self.editing = Some(Editing { program, command, file, before });
                Ok(None)
            }
            Err(error) => {
                self.complain(format!("no editor: {command}: {}", os::reason(&error)));
                self.take_terminal(screen).map(Some)
            }
        }
    }

    /// Takes the terminal back after the editor has ended with `status`, and takes the edited text.
    pub(super) fn end_editing(
        &mut self,
        screen: &mut Screen,
        status: io::Result<ExitStatus>,
    ) -> io::Result<Option<Reader>> {
        if let Some(editing) = self.editing.take() {
            match failure(&editing.command, status) {
                None => self.take_edited(editing),
                Some(words) => self.complain(format!("{words}; the text is as it was")),
            }
        }
        self.take_terminal(screen).map(Some)
    }

    /// Stops the editor, if there is one, because the program ends. The text that was saved in it
    /// becomes the draft.
    pub(super) async fn abandon_editing(&mut self) {
        if let Some(Editing { program, file, before, .. }) = self.editing.take() {
            program.stop().await;
            let Ok(text) = file.read() else { return };
            if !text.is_empty() && sanitize::lines(&text).len() <= editor::LENGTH && text != before {
                self.tui.edited(&text);
            }
        }
    }

    fn take_edited(&mut self, editing: Editing) {
        let Editing { mut file, before, .. } = editing;
        let text = match file.read() {
            Ok(text) => text,
            Err(error) => {
                return self.complain(format!("cannot read what was written: {}", os::reason(&error)));
            }
        };
        if text == before.trim_end_matches('\n') {
            return;
        }
        match self.tui.edited(&text) {
            Edited::Taken => {}
            // What the user has written is not deleted.
            Edited::Closed => {
                file.keep();
                self.complain(format!("this was for a window that is closed; it is in {}", file.path().display()));
            }
            Edited::TooLong(length) => {
                file.keep();
                self.complain(format!(
                    "not taken: {length} bytes, and a message has room for {}; it is in {}",
                    editor::LENGTH,
                    file.path().display()
                ));
            }
        }
        self.unsent.soon();
    }

    fn take_terminal(&mut self, screen: &mut Screen) -> io::Result<Reader> {
        screen.resume().map_err(io::Error::other)?;
        self.draw_soon();
        Reader::start()
    }
}

/// Returns why the result of the editor is not used. `None` if it is.
fn failure(command: &str, status: io::Result<ExitStatus>) -> Option<String> {
    match status.map(|status| (status.success(), status.code())) {
        Ok((true, _)) => None,
        Ok((_, Some(NOT_FOUND))) => Some(format!("no such editor: {command}; set EDITOR to one that there is")),
        Ok((_, Some(NOT_RUN))) => Some(format!("the editor cannot be run: {command}")),
        Ok((_, Some(code))) => Some(format!("the editor ended with code {code}")),
        Ok((_, None)) => Some("the editor was killed".to_owned()),
        Err(error) => Some(format!("nothing is known of the editor: {}", os::reason(&error))),
    }
}
