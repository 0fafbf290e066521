//! The rows in which a text is shown.

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

use super::*;

/// Returns the rows with a `|` where the cursor stands, and what is out of sight.
fn rows(text: &str, width: u16, rows: u16) -> (Vec<String>, usize, usize) {
    let layout = with(text).layout(width, rows);
    let marked = layout.rows.iter().zip(0..).map(|(row, y)| {
        if y == layout.cursor.1 {
            let before = before(row, layout.cursor.0);
            format!("{before}|{}", &row[before.len()..])
        } else {
            row.clone()
        }
    });
    (marked.collect(), layout.above, layout.below)
}

/// Returns what stands in the first `columns` of `row`.
fn before(row: &str, columns: u16) -> String {
    let mut used = 0;
    let within = |cluster: &&str| {
        used += cluster.cell_width();
        used <= columns
    };
    row.graphemes(true).take_while(within).collect()
}

fn owned(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

#[test]
fn an_empty_text_is_one_empty_row() {
    assert_eq!(rows("|", 1, 1), (owned(&["|"]), 0, 0));
}

#[test]
fn rows_break_after_words_and_lines() {
    assert_eq!(rows("one two\nthree| four", 6, 9).0, owned(&["one ", "two", "three| ", "four"]));
    assert_eq!(rows("one sesquipedalian|", 6, 9).0, owned(&["one ", "sesqui", "pedali", "an|"]));
    assert_eq!(rows("a学学学b|", 4, 9).0, owned(&["a学", "学学", "b|"]));
    assert_eq!(rows("a\tb|", 4, 9).0, owned(&["a b|"]));
}

#[test]
fn behind_a_full_row_the_cursor_begins_the_next() {
    assert_eq!(rows("abcd|", 4, 9).0, owned(&["abcd", "|"]));
    assert_eq!(rows("abcd|ef", 4, 9).0, owned(&["abcd", "|ef"]));
    assert_eq!(rows("abcd|\nef", 4, 9).0, owned(&["abcd", "|", "ef"]));
    assert_eq!(rows("abcd\n|ef", 4, 9).0, owned(&["abcd", "|ef"]));
    assert_eq!(rows("abcd|\u{200e}", 4, 9).0, owned(&["abcd\u{200e}", "|"]));
}

#[test]
fn the_rows_in_sight_are_those_round_the_cursor() {
    assert_eq!(rows("1\n2\n3\n4\n5|", 4, 3), (owned(&["3", "4", "5|"]), 2, 0));
    assert_eq!(rows("1\n2\n3|\n4\n5", 4, 3), (owned(&["2", "3|", "4"]), 1, 1));
    assert_eq!(rows("|1\n2\n3\n4\n5", 4, 3), (owned(&["|1", "2", "3"]), 0, 2));
}

#[test]
fn what_is_too_wide_has_a_stand_in() {
    assert_eq!(rows("a学|b", 1, 9).0, owned(&["a", "…", "|b"]));
}

proptest! {
    #[test]
    fn every_cell_is_where_it_belongs(
        text in prop::collection::vec(prop_oneof![9 => any_character(), 1 => Just('\n'), 1 => Just('\t')], 0..120),
        cursor in 0..120_usize,
        width in prop_oneof![1..=12_u16, 1..=300_u16],
        most in 1..=8_u16,
    ) {
        let text = sanitize::lines(&text.into_iter().collect::<String>()).into_owned();
        let mut editor = Editor::default();
        editor.set(text.clone());
        for _ in 0..cursor {
            press(&mut editor, KeyCode::Left);
        }
        let layout = editor.layout(width, most);
        let all = editor.layout(width, u16::MAX);
        let (x, y) = layout.cursor;
        prop_assert!(x < width && usize::from(y) < layout.rows.len() && layout.rows.len() <= usize::from(most));
        prop_assert_eq!(&layout.rows, &all.rows[layout.above..layout.above + layout.rows.len()]);
        prop_assert_eq!(layout.above + layout.rows.len() + layout.below, all.rows.len());
        prop_assert_eq!((all.above, all.below, all.cursor), (0, 0, (x, y + u16::try_from(layout.above).unwrap())));
        for row in &all.rows {
            prop_assert!(cells(row) <= width, "{row:?}");
        }
        // What is in the rows is what is in the text, and what is before the cursor is before it.
        let shown = |text: &str| -> String {
            let shown = text.graphemes(true).map(|cluster| match cluster {
                "\t" => " ",
                "\n" => "",
                cluster if cluster.cell_width() > width => "…",
                cluster => cluster,
            });
            shown.collect()
        };
        prop_assert_eq!(all.rows.concat(), shown(&text));
        let (above, before) = (all.rows[..usize::from(all.cursor.1)].concat(), shown(&text[..editor.cursor()]));
        if let Some(in_row) = before.strip_prefix(&above) {
            prop_assert_eq!(cells(in_row), x);
        } else {
            // The row above is full, and what is behind the cursor there takes no room.
            prop_assert_eq!((above.strip_prefix(&before).map(cells), x), (Some(0), 0));
        }
    }
}

fn cells(row: &str) -> u16 {
    row.graphemes(true).map(str::cell_width).sum()
}
