//! The line between the conversation and the input: where one is, how the connection is, and what
//! waits elsewhere. Pure.

use std::{ops::Range, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{conversation::ReadPosition, fit::fit, palette::Palette, room::Room};
use crate::{
    client::chat::{App, Connection},
    protocol::{sanitize, text, when},
};

/// The least that a topic is shown in, in columns; where there is less for it, it is not shown.
const TOPIC: usize = 8;

/// The least that the reason for being offline is shown in, in columns.
const REASON: usize = 12;

/// Below this width there is not always room for one's nick.
const NARROW: usize = 60;

const SECOND: Duration = Duration::from_secs(1);

/// A text of the line, and how it looks.
type Piece = (String, Style);

/// Draws the line of tab `current` into `area`, which has one row. Of the rooms that are `seen`
/// beside the conversation it does not tell what is unread.
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
    // Where one is in the past is always told, in fewer words where there is little room.
    let place = room.conversation.place();
    let forms = place.as_ref().map(forms).unwrap_or_default();
    let least = forms.last().map_or(0, |form| form.width() + 3);
    let label = fit(&room.label(), width.saturating_sub(4 + least));
    let mut left = width.saturating_sub(label.width() + if label.is_empty() { 1 } else { 4 });
    let waiting: Vec<Piece> = [unsent(app, palette), found(room, palette)].into_iter().flatten().collect();
    let nick = who(app, palette, width);
    let nick_wide = nick.as_ref().map_or(0, wide);
    // On a narrow screen, how the connection is comes before who one is.
    let beside = waiting.iter().map(wide).sum::<usize>() + least + if width < NARROW { 0 } else { nick_wide };
    let connection = connection(app, now, palette, left.saturating_sub(beside + 3));
    // What matters most comes first, and what no longer fits is left out.
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
            // The most important is rather cut than left out.
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
    // From the right: the last is the most important.
    for (text, style) in kept {
        let wide = u16::try_from(text.width()).unwrap_or(u16::MAX) + 2;
        end = end.saturating_sub(wide);
        buffer.set_string(end, area.y, format!(" {text} "), on_rule(style));
        end = end.saturating_sub(1);
    }
}

/// Returns `style` without what the rule below it leaves of its own.
pub(super) fn on_rule(style: Style) -> Style {
    Style::reset().patch(style)
}

/// Draws an empty line.
pub(super) fn rule(area: Rect, buffer: &mut Buffer, palette: Palette) {
    buffer.set_string(area.x, area.y, "─".repeat(area.width.into()), palette.quiet());
}

/// Returns who one is, and which nick one would have if it were free.
fn who(app: &App, palette: Palette, width: usize) -> Option<Piece> {
    let nick = app.nick()?;
    Some(match app.wanted().filter(|wanted| *wanted != nick) {
        Some(wanted) if width >= NARROW => (format!("{nick} ({wanted} is taken)"), palette.selected()),
        Some(_) => (nick.to_string(), palette.selected()),
        None => (nick.to_string(), Style::default()),
    })
}

/// Returns how many columns a text takes with what stands round it.
fn wide((text, _): &Piece) -> usize {
    text.width() + 3
}

/// Returns how the connection is, where that is worth a word, in `most` columns if that can be.
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

/// Returns for how long there has been no connection, why, and for how long the next try waits; in
/// few columns, not why.
fn offline(length: Duration, reason: &str, wait: Option<Duration>, most: usize) -> String {
    let head = format!("offline {}", when::in_words(length));
    // Nobody is told to wait 0 s.
    let next = wait
        .map_or_else(|| "trying now".to_owned(), |wait| format!("next try in {}", when::in_words(wait.max(SECOND))));
    let tail = format!("; {next}");
    // When we try again is up to us, whatever the server says.
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

/// Returns in what words it is told where one is, the most first.
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

/// Returns the other tabs that have something unread and are not `seen` anyway, by the number that
/// Alt takes; those with a private message first, then those with a mention.
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
