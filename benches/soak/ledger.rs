//! Everything that was said and seen, and whether it is consistent with itself and with the file.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::Outcome;

/// The maximum of faults that are printed; later ones are mostly consequences of earlier ones.
const TOLD: usize = 20;

/// Messages that somebody saw in one room without a gap: everything after `from`, up to `to`.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    pub(crate) who: String,
    pub(crate) room: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) seen: Vec<u64>,
}

impl Stay {
    /// Returns a stay that begins after the message `from`.
    pub(crate) fn new(who: &str, room: &str, from: u64) -> Self {
        Self { who: who.to_owned(), room: room.to_owned(), from, to: from, seen: Vec::new() }
    }

    /// Adds a message. A message that was already seen is a fault.
    pub(crate) fn see(&mut self, id: u64) -> Result<(), String> {
        if id <= self.to {
            return Err(format!("{} saw {id} in {} after {}", self.who, self.room, self.to));
        }
        self.to = id;
        self.seen.push(id);
        Ok(())
    }
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// A fingerprint of each message that anybody saw, by its id.
    messages: HashMap<u64, u64>,
    stays: Vec<Stay>,
    /// What was said, by author: the room and the text, in order.
    said: BTreeMap<String, Vec<(String, String)>>,
    /// Private messages that arrived.
    private: HashSet<String>,
    /// How often each action or event happened.
    counts: BTreeMap<String, u64>,
    faults: Vec<String>,
    more_faults: u64,
}

impl Ledger {
    pub(crate) fn fault(&mut self, what: String) {
        if self.faults.len() < TOLD {
            self.faults.push(what);
        } else {
            self.more_faults += 1;
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        !self.faults.is_empty()
    }

    pub(crate) fn count(&mut self, what: &str) {
        if let Some(count) = self.counts.get_mut(what) {
            *count += 1;
        } else {
            self.counts.insert(what.to_owned(), 1);
        }
    }

    /// Records a message that `who` was shown. Everybody else who is shown this id must be shown
    /// the same.
    pub(crate) fn message(&mut self, who: &str, event: &Value) -> u64 {
        let id = event["id"].as_u64().unwrap_or_default();
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        let at = event["at"].as_u64().unwrap_or_default();
        let kind = event["kind"].as_str().unwrap_or("say");
        let print = fingerprint((text("room"), at, text("nick"), kind, text("text")));
        if *self.messages.entry(id).or_insert(print) != print {
            self.fault(format!("{who} saw another message {id} than the others: {event}"));
        }
        id
    }

    pub(crate) fn private(&mut self, who: &str, text: &str) {
        if !self.private.insert(text.to_owned()) {
            self.fault(format!("{who} got a private message twice: {text}"));
        }
    }

    /// Records everything that somebody has said and seen.
    pub(crate) fn finished(&mut self, who: &str, said: Vec<(String, String)>, stays: Vec<Stay>) {
        self.said.insert(who.to_owned(), said);
        self.stays.extend(stays);
    }

    pub(crate) fn summary(&self) -> String {
        let mut summary = format!("{} messages seen", self.messages.len());
        for (what, count) in &self.counts {
            // Writing to a string cannot fail.
            write!(summary, ", {count} {what}").ok();
        }
        summary
    }

    /// Compares everything with the file. Returns what was checked, and the faults.
    pub(crate) fn check(mut self, path: &Path) -> Outcome<(String, Vec<String>)> {
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if integrity != "ok" {
            self.fault(format!("integrity_check: {integrity}"));
        }
        let (mut rooms, mut places) = (HashMap::<String, Vec<u64>>::new(), HashMap::<String, Vec<u64>>::new());
        let (mut last, mut latest, mut stored) = (0, 0, 0_u64);
        let mut statement = file.prepare("SELECT id, room, at, nick, kind, text FROM messages ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, at) = (number(row.get(0)?)?, number(row.get(2)?)?);
            let (room, nick, kind): (String, String, String) = (row.get(1)?, row.get(3)?, row.get(4)?);
            let text = row.get::<_, Option<String>>(5)?.unwrap_or_default();
            if id <= last || at < latest {
                self.fault(format!("message {id} of {at} comes after {last} of {latest}"));
            }
            (last, latest, stored) = (id, at, stored + 1);
            let print = fingerprint((&*room, at, &*nick, &*kind, &*text));
            if self.messages.remove(&id).is_some_and(|seen| seen != print) {
                self.fault(format!("message {id} is not in the file as it was seen: {nick}: {text}"));
            }
            rooms.entry(room).or_default().push(id);
            places.entry(text).or_default().push(id);
        }
        for id in self.messages.keys().copied().collect::<Vec<_>>() {
            self.fault(format!("message {id} was seen, and is not in the file"));
        }
        self.check_said(&places);
        let seen = self.check_stays(&rooms);
        let lines: usize = self.said.values().map(Vec::len).sum();
        if self.more_faults > 0 {
            self.faults.push(format!("and {} more", self.more_faults));
        }
        let checked = format!("{stored} messages in the file, {lines} lines said, {seen} deliveries checked");
        Ok((checked, self.faults))
    }

    /// Checks that each line is stored once, and that those of one person in one room are in order.
    fn check_said(&mut self, places: &HashMap<String, Vec<u64>>) {
        let mut faults = Vec::new();
        for (who, said) in &self.said {
            let mut latest = HashMap::new();
            for (room, text) in said {
                match places.get(text).map_or(&[][..], Vec::as_slice) {
                    [id] => {
                        let before = latest.insert(room, *id);
                        if before.is_some_and(|before| before > *id) {
                            faults.push(format!("{who} said {text:.40} after what is stored behind it, in {room}"));
                        }
                    }
                    [] => faults.push(format!("lost: {who} said {text:.40} in {room}")),
                    ids => faults.push(format!("doubled: {who} said {text:.40} in {room} once, it is {ids:?}")),
                }
            }
        }
        for fault in faults {
            self.fault(fault);
        }
    }

    /// Checks that everybody saw every message of their rooms while they were there. Returns how
    /// many messages that is.
    fn check_stays(&mut self, rooms: &HashMap<String, Vec<u64>>) -> usize {
        let mut deliveries = 0;
        for stay in std::mem::take(&mut self.stays) {
            let all = rooms.get(&stay.room).map_or(&[][..], Vec::as_slice);
            let first = all.partition_point(|id| *id <= stay.from);
            let end = all.partition_point(|id| *id <= stay.to);
            let due = all.get(first..end).unwrap_or_default();
            deliveries += stay.seen.len();
            if due != stay.seen {
                let missed: Vec<_> = due.iter().filter(|id| stay.seen.binary_search(id).is_err()).take(5).collect();
                let Stay { who, room, from, to, seen } = &stay;
                self.fault(format!(
                    "{who} saw {} of {} messages of {room} after {from} up to {to}; missed, the first: {missed:?}",
                    seen.len(),
                    due.len()
                ));
            }
        }
        deliveries
    }
}

/// Converts a number of the file, which has no unsigned numbers.
fn number(stored: i64) -> Outcome<u64> {
    Ok(u64::try_from(stored)?)
}

fn fingerprint(message: (&str, u64, &str, &str, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
