//! One entry of a conversation and its rows. Pure.
//!
//! ```text
//! 12:34     ada: hello there
//!           bob: a long text goes on
//!                under itself
//! 12:35       ~ ada waves
//!             * bob, eve joined
//! ```
//!
//! Who speaks stands left of the column of texts, where nothing of a text ever stands but a link
//! that is wider than that column, and nothing beside it: so nobody can forge another's line. On a
//! narrow screen the first row of an entry begins in the first column, and what goes on is
//! indented.

use std::{borrow::Cow, sync::Arc};

use jiff::{
    Timestamp as Moment,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    super::{
        clock::Clock,
        highlights::Highlights,
        palette,
        styled::{self, Role},
    },
    outage::Outage,
    presence::Run,
    wrap::{Margins, Piece, Row, columns, wrap},
};
use crate::{
    client::{chat::Pending, ignored::Ignored},
    protocol::{Body, Kind, Message, MessageId, Nick, Presence, Private},
};

/// Below so many columns there is no column of times and none of nicks.
pub(super) const NARROW: u16 = 50;

/// What a long row is indented by where there is no column of texts.
const INDENT: u16 = 2;

/// What a message takes beside its text: itself, and the counts of the allocator and of the
/// references to both.
const MESSAGE: usize = size_of::<Message>() + 48;

/// What is shown. Nearly all are messages, so that whatever takes more stands in a box.
#[derive(Debug)]
pub(super) enum Content {
    /// A message of the log.
    Message(Arc<Message>),
    /// A message to one person alone; the flag tells whether it is the reader's own.
    Private(Box<Private>, bool),
    /// The same in a conversation with that person alone.
    Alone(Box<Private>, bool),
    /// Who came and went.
    Presence(Box<Run>),
    /// What the server or the client tells.
    Info(String),
    /// That the connection was lost, and whether it is back.
    Outage(Box<Outage>),
    /// What was refused.
    Refused(String),
    /// A line of a server that speaks plain text.
    Line(String),
    /// A text of the reader's own that the server has not sent back.
    Pending(Box<Pending>, Option<Nick>),
}

impl Content {
    /// Returns whether it was said by somebody.
    pub(super) fn is_said(&self) -> bool {
        !matches!(self, Self::Presence(_) | Self::Info(_) | Self::Outage(_) | Self::Refused(_))
    }
}

/// An entry, with its rows as they were last drawn.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) content: Content,
    /// Its own id or, without one, that of the message before it: so ids never fall from entry to
    /// entry.
    pub(super) upto: MessageId,
    /// When it was, where the reader is; none for what has no time.
    pub(super) local: Option<DateTime>,
    /// The day the conversation was at; it begins only with what the server dated.
    pub(super) day: Option<Date>,
    /// What called for the reader by then, where the entry does.
    pub(super) mentioned: Option<Arc<Highlights>>,
    /// Whether it is of somebody who is ignored: it has no rows.
    pub(super) hidden: bool,
    /// When it came, if it was said then and not long ago.
    pub(super) came: Option<Moment>,
    /// By which nick its speaker is ignored, who had another one by then.
    pub(super) ignored_as: Option<Nick>,
    laid: Option<Box<Laid>>,
}

#[derive(Debug)]
struct Laid {
    width: u16,
    context: Context,
    rows: Vec<Row>,
    above: usize,
    links: Vec<Arc<str>>,
}

/// What of an entry's rows depends on what stands round it.
#[expect(clippy::struct_excessive_bools, reason = "each says yes or no to one thing that is drawn")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// There is nothing before it.
    pub(super) beginning: bool,
    /// It is the first of this day.
    pub(super) day: Option<Date>,
    /// It is the first that was not read.
    pub(super) new: bool,
    /// It tells its time.
    pub(super) time: bool,
    /// How the time is told.
    pub(super) clock: Clock,
    /// It is what was looked for.
    pub(super) hit: bool,
}

impl Entry {
    pub(super) fn new(content: Content, upto: MessageId, local: Option<DateTime>) -> Self {
        Self {
            content,
            upto,
            local,
            day: None,
            mentioned: None,
            hidden: false,
            came: None,
            ignored_as: None,
            laid: None,
        }
    }

    /// Returns its id, when it is a message of the log and of the history that the server has now.
    pub(super) fn id(&self) -> Option<MessageId> {
        (matches!(self.content, Content::Message(_)) && self.upto > MessageId(0)).then_some(self.upto)
    }

    /// Returns who said it, where that was somebody.
    pub(super) fn speaker(&self) -> Option<&Nick> {
        match &self.content {
            Content::Message(message) => Some(&message.nick),
            Content::Private(private, false) | Content::Alone(private, false) => Some(&private.from),
            _ => None,
        }
    }

    /// Takes whose words are not shown; one's own, `me`, always are. A nick that somebody changed
    /// to hides what came meanwhile, and goes on hiding it: before and after it is another's. What
    /// is of the past is hidden as long as they have it.
    pub(super) fn hide(&mut self, ignored: &Ignored, me: Option<&Nick>) {
        let Some(nick) = self.speaker().filter(|nick| me != Some(*nick)) else {
            self.hidden = false;
            return;
        };
        let Some(came) = self.came else {
            self.hidden = ignored.has(nick);
            return;
        };
        let chosen = ignored.chose(nick);
        let now = ignored.as_whom_at(nick, came).cloned();
        self.ignored_as = self.ignored_as.take().or(now);
        self.hidden = chosen || self.ignored_as.as_ref().is_some_and(|nick| ignored.chose(nick));
    }

    /// Tells its time, which was that of the zone `from`, by that of `to`.
    pub(super) fn change_zone(&mut self, from: &TimeZone, to: &TimeZone) {
        let at = match &self.content {
            Content::Message(message) => super::moment(message.at),
            Content::Private(private, _) => super::moment(private.at),
            // An hour that the old zone has twice is told as the first of them.
            _ => self.local.and_then(|local| Some(local.to_zoned(from.clone()).ok()?.timestamp())),
        };
        self.local = at.map(|at| at.to_zoned(to.clone()).datetime());
        self.laid = None;
    }

    /// Returns whether the server said when it was.
    pub(super) fn is_dated(&self) -> bool {
        matches!(self.content, Content::Message(_) | Content::Private(..) | Content::Alone(..))
    }

    /// Returns about how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let text = match &self.content {
            Content::Message(message) => MESSAGE + message.text_len(),
            Content::Private(private, _) | Content::Alone(private, _) => {
                size_of::<Private>() + private.text.as_str().len()
            }
            Content::Info(text) | Content::Refused(text) | Content::Line(text) => text.len(),
            // What can change counts nothing, and is short.
            Content::Presence(_) | Content::Outage(_) | Content::Pending(..) => 0,
        };
        size_of::<Self>() + text
    }

    /// Adds to a run of who came and went those who `matter`, and the `others` that are not named;
    /// returns whether there were any.
    pub(super) fn went_on(&mut self, presence: &Presence, matters: impl Fn(&Nick) -> bool, others: bool) -> bool {
        let Content::Presence(run) = &mut self.content else { return false };
        let any = run.add(presence, matters, others);
        if any {
            self.laid = None;
        }
        any
    }

    /// Returns what it tells of the connection, where it does, to be changed at the time `local`.
    pub(super) fn outage_mut(&mut self, local: DateTime) -> Option<&mut Outage> {
        let Content::Outage(outage) = &mut self.content else { return None };
        (self.local, self.laid) = (Some(local), None);
        Some(outage)
    }

    /// Forgets its rows, which take more than itself.
    pub(super) fn forget_rows(&mut self) {
        self.laid = None;
    }

    /// Returns its rows as they were last laid out.
    pub(super) fn rows(&self) -> &[Row] {
        self.laid.as_ref().filter(|_| !self.hidden).map_or(&[], |laid| &laid.rows)
    }

    /// Returns the links in it, by their number.
    pub(super) fn links(&self) -> &[Arc<str>] {
        self.laid.as_ref().filter(|_| !self.hidden).map_or(&[], |laid| &laid.links)
    }

    /// Returns how many of [`Self::rows`] are rules above it.
    pub(super) fn above(&self) -> usize {
        self.laid.as_ref().filter(|_| !self.hidden).map_or(0, |laid| laid.above)
    }

    /// Returns its lines, with nothing done to fit them onto a screen.
    pub(super) fn bare(&self, clock: Clock) -> impl DoubleEndedIterator<Item = String> {
        let Said { head, lead, text, .. } = self.said();
        let mut whole = self.local.map_or_else(String::new, |local| format!("{} ", clock.time(local)));
        whole.extend(head.iter().chain(&lead).map(|(_, text)| text.as_ref()));
        whole.push_str(&text);
        whole.split('\n').map(|line| line.replace('\t', "    ")).collect::<Vec<_>>().into_iter()
    }

    /// Returns the time beside its first row.
    pub(super) fn time(&self, clock: Clock) -> String {
        self.local.map_or_else(|| "--:--".to_owned(), |local| clock.aligned(local))
    }

    /// Lays its rows out, unless they are already.
    pub(super) fn lay(&mut self, width: u16, context: Context) {
        if self.laid.as_ref().is_some_and(|laid| laid.width == width && laid.context == context) {
            return;
        }
        let mut rows = Vec::new();
        if context.beginning {
            rows.push(rule(&["the beginning of the history", "the beginning"], width, Role::Quiet));
        }
        if let Some(day) = context.day {
            let long = day.strftime("%A, %-d %B %Y").to_string();
            let short = day.strftime("%-d %b %Y").to_string();
            rows.push(rule(&[&long, &short], width, Role::Quiet));
        }
        if context.new {
            rows.push(rule(&["new"], width, Role::New));
        }
        let above = rows.len();
        let links = self.lay_body(width, context, &mut rows);
        self.laid = Some(Box::new(Laid { width, context, rows, above, links }));
    }

    /// Lays out what is said; returns the links in it, in their order.
    fn lay_body(&self, width: u16, context: Context, rows: &mut Vec<Row>) -> Vec<Arc<str>> {
        let Said { head, lead, text, role } = self.said();
        let parts = match role {
            Role::Text => styled::parts(&text, self.mentioned.as_deref()),
            role => vec![(role, text.as_ref())],
        };
        let links = parts.iter().filter(|(role, _)| matches!(role, Role::Connection(_)));
        let links = links.map(|(_, text)| (*text).into()).collect();
        // Where what stands beside the time begins.
        let beside = context.clock.columns() + 1;
        let mark = match &self.content {
            Content::Pending(..) => Some((beside - 2, "…", Role::Quiet)),
            _ if context.hit => Some((beside - 1, ">", Role::Mention)),
            _ if self.mentioned.is_some() => Some((beside - 1, "»", Role::Mention)),
            _ => None,
        };
        let parts = head.iter().chain(&lead).map(|(role, text)| (*role, text.as_ref())).chain(parts);
        if width < NARROW {
            let rest = INDENT.min(width / 4);
            let mark = mark.into_iter().flat_map(|(_, mark, role)| [(role, mark), (Role::Text, " ")]);
            wrap(mark.chain(parts), Margins { first: 0, rest, width }, rows);
            return links;
        }
        let margins = if matches!(self.content, Content::Line(_)) {
            Margins { first: beside, rest: beside + INDENT, width }
        } else {
            let rest = text_column(width, context.clock);
            let head: usize = head.iter().map(|(_, text)| columns(text)).sum();
            // A nick too long for its column takes of the text's.
            let first = usize::from(rest).saturating_sub(head).max(usize::from(beside));
            Margins { first: u16::try_from(first).unwrap_or(rest), rest, width }
        };
        let first = rows.len();
        wrap(parts, margins, rows);
        let Some(row) = rows.get_mut(first) else { return links };
        if let Some((x, mark, role)) = mark {
            row.pieces.insert(0, Piece { x, text: mark.to_owned(), role });
        }
        if context.time {
            row.pieces.insert(0, Piece { x: 0, text: self.time(context.clock), role: Role::Quiet });
        }
        links
    }

    fn said(&self) -> Said<'_> {
        match &self.content {
            Content::Message(message) => {
                speech(Some(&message.nick), message.kind, message.text.as_ref().map(Body::as_str))
            }
            Content::Private(private, true) => whisper(None, Some(&private.to), private.text.as_str()),
            Content::Private(private, false) => whisper(Some(&private.from), None, private.text.as_str()),
            Content::Alone(private, _) => speech(Some(&private.from), Kind::Say, Some(private.text.as_str())),
            Content::Presence(run) => Said::aside("* ", run.words().into(), Role::Quiet),
            Content::Info(text) => Said::aside("* ", text.into(), Role::Quiet),
            Content::Outage(outage) => Said::aside("* ", outage.words().into(), Role::Quiet),
            Content::Refused(text) => Said::aside("! ", text.into(), Role::Refused),
            Content::Line(text) => Said { head: vec![], lead: None, text: text.into(), role: Role::Text },
            Content::Pending(pending, me) => {
                let Pending { kind, to, text } = &**pending;
                let text = text.as_ref().map(Body::as_str);
                let said = match to {
                    Some(to) => whisper(None, Some(to), text.unwrap_or_default()),
                    None => speech(me.as_ref(), *kind, text),
                };
                Said { role: Role::Quiet, ..said }
            }
        }
    }
}

/// An entry in words.
struct Said<'a> {
    /// What stands left of the column of texts.
    head: Vec<(Role, Cow<'a, str>)>,
    /// Whose name the text begins with.
    lead: Option<(Role, Cow<'a, str>)>,
    text: Cow<'a, str>,
    /// How the text looks; [`Role::Text`] is looked through for links and the like.
    role: Role,
}

impl<'a> Said<'a> {
    fn aside(mark: &'a str, text: Cow<'a, str>, role: Role) -> Self {
        Self { head: vec![(role, mark.into())], lead: None, text, role }
    }
}

/// Returns how a nick looks; without one, the reader's.
fn name(nick: Option<&Nick>) -> (Role, Cow<'_, str>) {
    let nick = nick.map_or("you", Nick::as_str);
    (Role::Nick(palette::hash(nick)), nick.into())
}

fn speech<'a>(nick: Option<&'a Nick>, kind: Kind, text: Option<&'a str>) -> Said<'a> {
    let name = name(nick);
    let mark = |mark: &'a str| vec![(Role::Text, mark.into())];
    let (head, lead, text) = match (kind, text) {
        (Kind::Say, text) => (vec![name, (Role::Text, ": ".into())], None, text.unwrap_or_default().into()),
        (Kind::Me, text) => (mark("~ "), Some(name), format!(" {}", text.unwrap_or_default()).into()),
        (Kind::Topic, Some(text)) => (mark("* "), Some(name), format!(" set the topic: {text}").into()),
        (Kind::Topic, None) => (mark("* "), Some(name), " cleared the topic".into()),
    };
    Said { head, lead, text, role: Role::Text }
}

fn whisper<'a>(from: Option<&'a Nick>, to: Option<&'a Nick>, text: &'a str) -> Said<'a> {
    let who = |nick: Option<&'a Nick>| if nick.is_some() { name(nick) } else { (Role::Text, "you".into()) };
    let plain = |text: &'static str| (Role::Text, text.into());
    let head = vec![plain("["), who(from), plain(" -> "), who(to), plain("] ")];
    Said { head, lead: None, text: text.into(), role: Role::Text }
}

/// Returns the column where texts begin on a screen so wide that there is one.
pub(super) fn text_column(width: u16, clock: Clock) -> u16 {
    clock.columns() + 1 + (width / 8).clamp(8, 14) + 1
}

/// Returns a line across the screen with the first of `labels` that fits; it begins in a column
/// where no text stands.
pub(super) fn rule(labels: &[&str], width: u16, role: Role) -> Row {
    let room = usize::from(width);
    let fits = labels.iter().find(|label| columns(label) + 4 <= room);
    let label = fits.map_or(String::new(), |label| format!(" {label} "));
    let line = room.saturating_sub(columns(&label));
    Row::of(0, format!("{}{label}{}", "─".repeat(line / 2), "─".repeat(line - line / 2)), role)
}
