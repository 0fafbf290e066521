//! The status line between the conversation and the input: the room, the connection, and what is
//! unread elsewhere. Pure.

use std::{ops::Range, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{conversation::ReadPosition, fit::fit, palette::Palette, room::Room};
use crate::{
    client::chat::{App, Connection},
    protocol::{sanitize, text, when},
};

/// The minimum width of a topic in columns. With less room, the topic is not shown.
const TOPIC: usize = 8;

/// The minimum width of the reason for being offline, in columns.
const REASON: usize = 12;

/// Below this width, the nick may be left out.
const NARROW: usize = 60;

const SECOND: Duration = Duration::from_secs(1);

/// A text of the line, and its style.
type Piece = (String, Style);

/// Draws the line of tab `current` into `area`, which has one row. Rooms in `seen` are visible in
/// the column, so the line leaves out their unread counts.
pub(super) fn draw(
    area: Rect,
    buffer: &mut Buffer,
    palette: Palette,
    now: Duration,
    (rooms, current, seen): (&[Room], usize, Range<usize>),
    app: &App,
) {
    let room = &rooms[current];
    let width = usize::from(area.width);
    // The position in the history is always shown, in a shorter form if there is little room.
    let place = room.conversation.place();
    let forms = place.as_ref().map(forms).unwrap_or_default();
    let least = forms.last().map_or(0, |form| form.width() + 3);
    let label = fit(&room.label(), width.saturating_sub(4 + least));
    let mut left = width.saturating_sub(label.width() + if label.is_empty() { 1 } else { 4 });
    let waiting: Vec<Piece> = [unsent(app, palette), found(room, palette)].into_iter().flatten().collect();
    let nick = who(app, palette, width);
    let nick_wide = nick.as_ref().map_or(0, wide);
    // On a narrow screen, the connection is more important than the nick.
    let beside = waiting.iter().map(wide).sum::<usize>() + least + if width < NARROW { 0 } else { nick_wide };
    let connection = connection(app, now, palette, left.saturating_sub(beside + 3));
    // The most important pieces come first. Those that do not fit are left out.
    let matters: Vec<Piece> = connection.into_iter().chain(waiting).collect();
    let others: usize = matters.iter().map(wide).sum();
    let mut kept: Vec<Piece> = Vec::new();
    if let Some(place) = &place {
        let fits = |form: &&String| form.width() + 3 + others <= left;
        if let Some(form) = forms.iter().find(fits).or(forms.last()).map(|form| fit(form, left.saturating_sub(3)))
            && !form.is_empty()
        {
            left = left.saturating_sub(form.width() + 3);
            kept.push((form, if place.new > 0 { palette.selected() } else { palette.quiet() }));
        }
    }
    let mut keep = |pieces: Vec<Piece>, left: &mut usize| {
        for (text, style) in pieces {
            // Truncate the most important piece rather than leave it out.
            let most = if kept.len() == usize::from(place.is_some()) { left.saturating_sub(3) } else { text.width() };
            let text = fit(&text, most);
            if !text.is_empty() && text.width() + 3 <= *left {
                *left -= text.width() + 3;
                kept.push((text, style));
            }
        }
    };
    keep(matters, &mut left);
    let people = Some((format!("{} here", room.people), palette.quiet())).filter(|_| room.people > 0);
    let first = people.as_ref().filter(|_| width < NARROW).map_or(0, wide);
    let nick = nick.filter(|_| nick_wide + first <= left);
    left -= nick.as_ref().map_or(0, wide);
    keep(elsewhere(rooms, current, &seen, palette), &mut left);
    keep(people.into_iter().collect(), &mut left);
    rule(area, buffer, palette);
    let mut x = area.x + 1;
    let mut put = |text: &str, style: Style| {
        buffer.set_string(x, area.y, format!(" {text} "), on_rule(style));
        x += u16::try_from(text.width()).unwrap_or(u16::MAX) + 3;
    };
    if let Some((nick, style)) = &nick {
        put(nick, *style);
    }
    if !label.is_empty() {
        put(&label, palette.selected());
    }
    if let Some(topic) = room.shown_topic()
        && left > TOPIC + 3
    {
        put(&fit(topic.as_str(), left - 3), Style::default());
    }
    let mut end = area.right().saturating_sub(1);
    // From right to left: the first piece is the most important.
    for (text, style) in kept {
        let wide = u16::try_from(text.width()).unwrap_or(u16::MAX) + 2;
        end = end.saturating_sub(wide);
        buffer.set_string(end, area.y, format!(" {text} "), on_rule(style));
        end = end.saturating_sub(1);
    }
}

/// Returns `style` with every other attribute reset, so that the style of the rule below does not
/// remain.
pub(super) fn on_rule(style: Style) -> Style {
    Style::reset().patch(style)
}

/// Draws an empty line.
pub(super) fn rule(area: Rect, buffer: &mut Buffer, palette: Palette) {
    buffer.set_string(area.x, area.y, "─".repeat(area.width.into()), palette.quiet());
}

/// Returns the user's nick, and the nick that they want if it is taken.
fn who(app: &App, palette: Palette, width: usize) -> Option<Piece> {
    let nick = app.nick()?;
    Some(match app.wanted().filter(|wanted| *wanted != nick) {
        Some(wanted) if width >= NARROW => (format!("{nick} ({wanted} is taken)"), palette.selected()),
        Some(_) => (nick.to_string(), palette.selected()),
        None => (nick.to_string(), Style::default()),
    })
}

/// Returns the width of a piece in columns, with its surroundings.
fn wide((text, _): &Piece) -> usize {
    text.width() + 3
}

/// Returns the state of the connection, unless it is live. The text has at most `most` columns if
/// possible.
fn connection(app: &App, now: Duration, palette: Palette, most: usize) -> Option<Piece> {
    match app.connection() {
        Connection::Live => None,
        Connection::Connecting => Some(("connecting".to_owned(), palette.selected())),
        Connection::Replaying => Some(("catching up".to_owned(), palette.selected())),
        Connection::Offline { since, reason, retry_at } => {
            let wait = retry_at.map(|at| at.saturating_sub(now)).filter(|wait| !wait.is_zero());
            let words = offline(now.saturating_sub(since), reason, wait, most);
            Some((words, palette.refusal()))
        }
    }
}

/// Returns how long the connection has been down, the reason, and the time until the next try. With
/// little room, the reason is left out first.
fn offline(length: Duration, reason: &str, wait: Option<Duration>, most: usize) -> String {
    let head = format!("offline {}", when::in_words(length));
    // Never show a wait of 0 s.
    let next = wait
        .map_or_else(|| "trying now".to_owned(), |wait| format!("next try in {}", when::in_words(wait.max(SECOND))));
    let tail = format!("; {next}");
    // The client decides when to try again, whatever the server says.
    let reason = sanitize::line(reason);
    let reason = reason.split("; try again in ").next().unwrap_or_default();
    let room = most.saturating_sub(head.width() + 2 + tail.width());
    if room >= reason.width().min(REASON) && !reason.is_empty() {
        return format!("{head}: {}{tail}", fit(reason, room));
    }
    let short = format!("{head}; {}", next.trim_start_matches("next "));
    if short.width() <= most { short } else { head }
}

fn unsent(app: &App, palette: Palette) -> Option<Piece> {
    let waits = !matches!(app.connection(), Connection::Live);
    Some(app.pending().count())
        .filter(|&count| count > 0 && waits)
        .map(|count| (format!("{count} unsent"), palette.selected()))
}

fn found(room: &Room, palette: Palette) -> Option<Piece> {
    room.conversation.waiting_results().map(|count| (format!("{count} found: F3"), palette.selected()))
}

/// Returns the forms of the position in the history, the longest first.
fn forms(place: &ReadPosition) -> Vec<String> {
    let ReadPosition { back, at, new } = place;
    let back = back.map(|back| format!("{} back", text::grouped(back)));
    let news = (*new > 0).then(|| format!("{} new", text::grouped(*new)));
    let at = Some(at.clone()).filter(|at| !at.is_empty());
    let join = |parts: &[&Option<String>]| {
        let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
        format!("{} ↓", parts.join(" · "))
    };
    let bare = at.clone().unwrap_or_else(|| "↓".to_owned());
    vec![join(&[&back, &at, &news]), join(&[&at, &news]), bare]
}

/// Returns the other tabs with unread messages that are not `seen`, with their numbers for Alt.
/// Private tabs come first, then rooms with a mention.
fn elsewhere(rooms: &[Room], current: usize, seen: &Range<usize>, palette: Palette) -> Vec<Piece> {
    let others = rooms.iter().enumerate();
    let others = others.filter(|(index, room)| *index != current && room.unread > 0 && !seen.contains(index));
    let mut others: Vec<_> = others.collect();
    others.sort_by_key(|(_, room)| (room.person.is_none(), room.mentions == 0));
    others
        .into_iter()
        .map(|(index, room)| {
            let style = if room.mentions > 0 { palette.new_mark() } else { palette.selected() };
            let mark = room.unread_mark().unwrap_or_default();
            (format!("{} {} {mark}", index + 1, room.label()), style)
        })
        .collect()
}
