//! Random keys, against a list of clusters and a place in it.

use unicode_segmentation::UnicodeSegmentation as _;

use super::*;

#[derive(Debug, Default)]
struct Model {
    clusters: Vec<String>,
    index: usize,
    killed: String,
    killing: bool,
}

/// What is done to the editor and to the model.
#[derive(Debug, Clone)]
enum Step {
    Type(char),
    Paste(String),
    Key(KeyCode, KeyModifiers),
}

const MOTIONS: [(KeyCode, KeyModifiers); 22] = {
    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
    const ALT: KeyModifiers = KeyModifiers::ALT;
    [
        (KeyCode::Left, NONE),
        (KeyCode::Right, NONE),
        (KeyCode::Home, NONE),
        (KeyCode::End, NONE),
        (KeyCode::Backspace, NONE),
        (KeyCode::Delete, NONE),
        (KeyCode::Left, CONTROL),
        (KeyCode::Right, CONTROL),
        (KeyCode::Home, CONTROL),
        (KeyCode::End, CONTROL),
        (KeyCode::Enter, ALT),
        (KeyCode::Backspace, ALT),
        (KeyCode::Char('d'), ALT),
        (KeyCode::Char('k'), CONTROL),
        (KeyCode::Char('u'), CONTROL),
        (KeyCode::Char('w'), CONTROL),
        (KeyCode::Char('y'), CONTROL),
        (KeyCode::Char('t'), CONTROL),
        // These are not in the model, and come only where it is not asked.
        (KeyCode::Char('y'), ALT),
        (KeyCode::Up, NONE),
        (KeyCode::Down, NONE),
        (KeyCode::Enter, NONE),
    ]
};

fn any_step(keys: &'static [(KeyCode, KeyModifiers)]) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any_character().prop_map(Step::Type),
        1 => prop::collection::vec(any_character(), 0..8).prop_map(|text| Step::Paste(text.into_iter().collect())),
        5 => prop::sample::select(keys).prop_map(|(code, modifiers)| Step::Key(code, modifiers)),
    ]
}

fn any_steps(keys: &'static [(KeyCode, KeyModifiers)]) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(any_step(keys), 0..60)
}

fn do_step(editor: &mut Editor, step: &Step) {
    match step {
        Step::Type(c) => drop(press(editor, KeyCode::Char(*c))),
        Step::Paste(text) => drop(editor.paste(text)),
        Step::Key(code, modifiers) => drop(editor.key(KeyEvent::new(*code, *modifiers))),
    }
}

impl Model {
    fn step(&mut self, step: &Step) {
        let killing = std::mem::take(&mut self.killing);
        let index = self.index;
        match step {
            // No key of the editor: it is as if it had not been pressed.
            Step::Type(c) if !sanitize::is_printable(*c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                self.killing = killing;
            }
            Step::Type(c) => self.replace(index, index, &c.to_string()),
            Step::Paste(text) => self.replace(index, index, &sanitize::lines(text)),
            Step::Key(code, modifiers) => self.key(*code, *modifiers, killing),
        }
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers, killing: bool) {
        let (index, end) = (self.index, self.clusters.len());
        let (left, right) = (index.saturating_sub(1), end.min(index + 1));
        match (code, modifiers.is_empty()) {
            (KeyCode::Left, true) => self.index = left,
            (KeyCode::Right, true) => self.index = right,
            (KeyCode::Home, true) => self.index = self.back(index, |cluster| cluster != "\n"),
            (KeyCode::End, true) => self.index = self.forth(index, |cluster| cluster != "\n"),
            (KeyCode::Left, false) => self.index = self.word_left(),
            (KeyCode::Right, false) => self.index = self.word_right(),
            (KeyCode::Home, false) => self.index = 0,
            (KeyCode::End, false) => self.index = end,
            (KeyCode::Backspace, true) => self.replace(left, index, ""),
            (KeyCode::Delete, true) => self.replace(index, right, ""),
            (KeyCode::Enter, false) => self.replace(index, index, "\n"),
            (KeyCode::Backspace, false) => self.kill(self.word_left(), index, killing),
            (KeyCode::Char('d'), _) => self.kill(index, self.word_right(), killing),
            (KeyCode::Char('k'), _) => {
                let to = self.forth(index, |cluster| cluster != "\n");
                self.kill(index, if to == index { right } else { to }, killing);
            }
            (KeyCode::Char('u'), _) => {
                let from = self.back(index, |cluster| cluster != "\n");
                self.kill(if from == index { left } else { from }, index, killing);
            }
            (KeyCode::Char('w'), _) => {
                let blank = |cluster: &str| cluster.chars().all(char::is_whitespace);
                let word = self.back(index, blank);
                self.kill(self.back(word, |cluster| !blank(cluster)), index, killing);
            }
            (KeyCode::Char('y'), _) => self.replace(index, index, &self.killed.clone()),
            (KeyCode::Char('t'), _) => self.transpose(),
            _ => panic!("{code:?} is not in the model"),
        }
    }

    fn back(&self, from: usize, passes: impl Fn(&str) -> bool) -> usize {
        (0..from).rev().find(|&at| !passes(&self.clusters[at])).map_or(0, |at| at + 1)
    }

    fn forth(&self, from: usize, passes: impl Fn(&str) -> bool) -> usize {
        (from..self.clusters.len()).find(|&at| !passes(&self.clusters[at])).unwrap_or(self.clusters.len())
    }

    fn word_left(&self) -> usize {
        self.back(self.back(self.index, |cluster| !is_word(cluster)), is_word)
    }

    fn word_right(&self) -> usize {
        self.forth(self.forth(self.index, |cluster| !is_word(cluster)), is_word)
    }

    fn kill(&mut self, from: usize, to: usize, killing: bool) {
        if from == to {
            return;
        }
        let piece = self.clusters[from..to].concat();
        self.killed = match (killing, from < self.index) {
            (false, _) => piece,
            (true, true) => piece + &self.killed,
            (true, false) => self.killed.clone() + &piece,
        };
        self.killing = true;
        self.replace(from, to, "");
    }

    fn transpose(&mut self) {
        let at_end = self.clusters.get(self.index).is_none_or(|cluster| cluster == "\n");
        let middle = if at_end { self.index.saturating_sub(1) } else { self.index };
        if middle == 0 || self.clusters[middle - 1..=middle].contains(&"\n".to_owned()) {
            return;
        }
        let swapped = format!("{}{}", self.clusters[middle], self.clusters[middle - 1]);
        self.replace(middle - 1, middle + 1, &swapped);
    }

    /// An edit can join what stands on its two sides: everything is cut into clusters again.
    fn replace(&mut self, from: usize, to: usize, with: &str) {
        let before = self.clusters[..from].concat() + with;
        let text = before.clone() + &self.clusters[to..].concat();
        self.clusters = text.graphemes(true).map(str::to_owned).collect();
        let mut ends = 0;
        self.index = self.clusters.iter().take_while(|cluster| (ends < before.len(), ends += cluster.len()).0).count();
    }
}

fn is_word(cluster: &str) -> bool {
    cluster.chars().any(|c| c.is_alphanumeric() || c == '_')
}

proptest! {
    #[test]
    fn the_editor_does_what_a_list_of_clusters_does(steps in any_steps(&MOTIONS[..18])) {
        let (mut editor, mut model) = (Editor::default(), Model::default());
        for step in &steps {
            do_step(&mut editor, step);
            model.step(step);
            let (before, after) = model.clusters.split_at(model.index);
            prop_assert_eq!(shown(&editor), format!("{}|{}", before.concat(), after.concat()), "after {:?}", step);
        }
    }

    #[test]
    fn no_keys_break_it(
        steps in any_steps(&MOTIONS),
        any in prop::collection::vec((any::<char>(), 0..8_u8), 0..20),
        width in 0..40_u16,
        rows in 0..6_u16,
    ) {
        let mut editor = Editor::default();
        for step in &steps {
            do_step(&mut editor, step);
        }
        for (c, modifiers) in any {
            editor.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::from_bits_truncate(modifiers)));
            editor.key(KeyEvent::new(KeyCode::Char((b'a' + modifiers) as char), KeyModifiers::CONTROL));
            let ends = editor.text().grapheme_indices(true).map(|(at, _)| at).chain([editor.text().len()]);
            prop_assert!(ends.into_iter().any(|at| at == editor.cursor()), "{}", shown(&editor));
            let layout = editor.layout(width, rows);
            prop_assert!(layout.cursor.0 < width.max(1) && usize::from(layout.cursor.1) < layout.rows.len());
        }
    }

    #[test]
    fn what_is_typed_can_be_undone_to_the_last_letter(
        before in any_steps(&MOTIONS),
        typed in prop::collection::vec(any_step(&MOTIONS[..18]), 0..40),
    ) {
        let mut editor = Editor::default();
        for step in &before {
            do_step(&mut editor, step);
        }
        press(&mut editor, KeyCode::Right);
        let text = editor.text().to_owned();
        for step in &typed {
            do_step(&mut editor, step);
        }
        let undone = typed.iter().any(|_| editor.text() == text || control(&mut editor, '7') == Outcome::Unchanged);
        prop_assert!(undone || editor.text() == text, "{:?} is not {:?}", editor.text(), text);
        prop_assert_eq!(editor.text(), text);
    }

    #[test]
    fn a_draft_comes_back_through_the_whole_history(
        lines in prop::collection::vec("[a-c\n]{0,5}", 0..6),
        draft in any_steps(&MOTIONS[..18]),
        ups in 0..20_usize,
    ) {
        let mut editor = Editor::default();
        for line in &lines {
            editor.paste(line);
            press(&mut editor, KeyCode::Enter);
        }
        for step in &draft {
            do_step(&mut editor, step);
        }
        let text = editor.text().to_owned();
        for _ in 0..ups {
            press(&mut editor, KeyCode::Up);
        }
        while press(&mut editor, KeyCode::Down) == Outcome::Changed {}
        prop_assert_eq!(editor.text(), text);
    }
}
