//! The one thread that writes: what waits for it goes into one transaction, and each is answered
//! once that is on disk. When nobody waits, it does the chores.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{
        mpsc::{self, error::TryRecvError},
        oneshot,
    },
    time::timeout,
};
use tracing::{debug, error, info, warn};

use super::{
    super::{Appended, Clock, Complaints, Draft, Keep, MembershipChange, Reading, StoreError},
    IndexError, append,
    dedup::Keys,
    maintenance, memberships,
    read::{self, integer, number},
    rows, schema,
};
use crate::protocol::Timestamp;

/// Requests that wait for the writer; past it, whoever asks waits.
pub(super) const QUEUE: usize = 1024;

/// Drafts in one transaction, past which no further request is taken into it: some 10 ms of work.
const GROUP: usize = 1024;

/// After so long without a request the chores begin: they must not come between somebody's
/// messages.
const QUIET: Duration = Duration::from_millis(100);

/// Statements besides those that insert messages, at the most.
const OTHERS: usize = 16;

/// Between two looks at what need not be kept any more.
const RETENTION: Duration = Duration::from_mins(1);

/// Messages are deleted for their age only where the wall clock has gone evenly for so long, since
/// the start or since it jumped: what a wrong clock deletes does not come back, and a clock that is
/// wrong for so long has been looked at.
const EVEN: Duration = Duration::from_hours(1);

/// Between a chore that failed and the next: on a full disk it would fail again.
const RETRY: Duration = Duration::from_secs(10);

/// What messages weigh that are not in the index for searches, past which it gets as much as is
/// stored: a search looks at each of them, which takes some 200 ms for so many. Until then, who
/// says something hardly pays for searches.
const UNINDEXED: u64 = 64 * 1024 * 1024;

/// While others talk, the index has one of so many parts of the time: some 3 ms of 600.
const SHARE: u32 = 200;

/// Between two times that the index is made anew.
const REBUILD: Duration = Duration::from_mins(1);

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What this run has done to the index of the messages of each room.
#[derive(Debug, PartialEq, Eq)]
enum RoomIndex {
    AsFound,
    /// It was made anew, or that was tried in vain.
    Renewed,
}

/// What the writer is asked to do.
pub(super) enum Request {
    /// Store these together.
    Append(Vec<Draft>, Reply<Vec<Appended>>),
    /// Keep these for the next start, some time.
    Seats(Vec<MembershipChange>),
    /// Do all chores, as of `now`.
    Tidy { keep: Keep, now: Timestamp, reply: Reply<()> },
    /// Make the index for searches anew: somebody has found it damaged.
    RebuildIndex(StoreError),
    /// Make the index of the messages of each room anew: somebody has come upon a hole, which can
    /// be one of it.
    RenewRoomIndex,
    /// Do something to the connection, for tests.
    #[cfg(test)]
    Do(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// Everything that only the thread that writes may touch.
pub(super) struct Writer {
    connection: Connection,
    requests: mpsc::Receiver<Request>,
    keep: Keep,
    /// Whether a commit returns only when it is on disk.
    is_synced: bool,
    /// The highest id that was given, and the same for those who ask.
    last: i64,
    last_given: Arc<AtomicU64>,
    /// How many messages are stored.
    count: u64,
    keys: Keys,
    /// The id up to which messages are in the index for searches.
    indexed: i64,
    /// What those weigh that are not; when it is opened, an estimate.
    unindexed: u64,
    /// Whether no request has come for [`QUIET`].
    quiet: bool,
    /// When what need not be kept is deleted next.
    retention_due: Instant,
    /// When keys may be tried again, after it has failed.
    keys_from: Instant,
    /// When the index may be, after it has failed.
    index_from: Instant,
    /// When it next has its turn while others talk.
    index_turn: Instant,
    /// When it may be made anew.
    rebuild_from: Instant,
    room_index: RoomIndex,
    complaints: Complaints,
    clock: Clock,
    /// Whether it was told that there is something to delete once the clock has gone evenly.
    told_waiting: bool,
}

impl Writer {
    /// Returns the writer over a connection.
    ///
    /// # Errors
    /// A [`StoreError`] when the log cannot be read.
    pub(super) fn new(
        connection: Connection,
        requests: mpsc::Receiver<Request>,
        keep: Keep,
    ) -> Result<Self, StoreError> {
        connection.set_prepared_statement_cache_capacity(rows::STATEMENTS + OTHERS);
        let last = integer(read::last(&connection)?.0);
        let count = read::count(&connection)?;
        let indexed: i64 =
            connection.query_row("SELECT value FROM meta WHERE name = 'indexed'", [], |row| row.get(0))?;
        let keys = Keys::load(&connection)?;
        let now = Instant::now();
        Ok(Self {
            connection,
            requests,
            keep,
            is_synced: false,
            last_given: Arc::new(AtomicU64::new(number(last))),
            last,
            count,
            keys,
            indexed,
            unindexed: unindexed(last - indexed),
            quiet: false,
            retention_due: now,
            keys_from: now,
            index_from: now,
            index_turn: now,
            rebuild_from: now,
            room_index: RoomIndex::AsFound,
            complaints: Complaints::default(),
            clock: Clock::new(Timestamp(0), Reading::now()),
            told_waiting: false,
        })
    }

    /// Returns where the last id that was given can be read.
    pub(super) fn last_given(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.last_given)
    }

    /// Serves until nobody can ask any more, then waits for `readers` to end and closes the
    /// database.
    pub(super) fn run(mut self, readers: Vec<JoinHandle<()>>) {
        // For waiting with a deadline, nothing else. It is made here because it may not end where
        // others run.
        let runtime = match Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return error!(%error, "the log cannot be written: no runtime to wait with"),
        };
        loop {
            let (messages, weight) = (self.last, self.unindexed);
            match self.next(&runtime) {
                Ok(Some(request)) => self.serve(request),
                Ok(None) => {
                    self.chore();
                    continue;
                }
                Err(()) => break,
            }
            self.keep_up(self.last - messages, self.unindexed.saturating_sub(weight));
        }
        for reader in readers {
            // Why one ended, if by a defect, is said already.
            drop(reader.join());
        }
        let Self { connection, .. } = self;
        // SQLite puts the write-ahead log into the database when the last connection closes, if
        // that one may write.
        if let Err((_, error)) = connection.close() {
            warn!(%error, "the log was not closed in good order; nothing is lost");
        }
    }

    /// Returns the next request, or nothing when it is time for a chore.
    ///
    /// # Errors
    /// When nobody can ask any more.
    fn next(&mut self, runtime: &Runtime) -> Result<Option<Request>, ()> {
        match self.requests.try_recv() {
            Ok(request) => return Ok(Some(request)),
            Err(TryRecvError::Disconnected) => return Err(()),
            Err(TryRecvError::Empty) => {}
        }
        let now = Instant::now();
        let Some(due) = self.chore_due() else { return self.requests.blocking_recv().map(Some).ok_or(()) };
        let patience = due.saturating_duration_since(now).max(if self.quiet { Duration::ZERO } else { QUIET });
        if patience.is_zero() {
            return Ok(None);
        }
        let requests = &mut self.requests;
        match runtime.block_on(async { timeout(patience, requests.recv()).await }) {
            Ok(Some(request)) => Ok(Some(request)),
            Ok(None) => Err(()),
            Err(_) => {
                self.quiet = true;
                Ok(None)
            }
        }
    }

    /// Serves a request and, together with it, those that wait already.
    fn serve(&mut self, first: Request) {
        self.quiet = false;
        let (mut lists, mut replies, mut drafts, mut changes) = (Vec::new(), Vec::new(), 0, Vec::new());
        let mut next = Some(first);
        while let Some(request) = next {
            next = match request {
                Request::Append(list, reply) => {
                    drafts += list.len();
                    lists.push(list);
                    replies.push(reply);
                    if drafts < GROUP { self.requests.try_recv().ok() } else { None }
                }
                Request::Seats(more) => {
                    changes.extend(more);
                    self.requests.try_recv().ok()
                }
                Request::Tidy { keep, now, reply } => {
                    self.commit(std::mem::take(&mut lists), std::mem::take(&mut replies));
                    drop(reply.send(self.maintain(keep, now)));
                    None
                }
                Request::RebuildIndex(damage) => {
                    self.commit(std::mem::take(&mut lists), std::mem::take(&mut replies));
                    self.rebuild_index(&damage);
                    None
                }
                Request::RenewRoomIndex => {
                    self.commit(std::mem::take(&mut lists), std::mem::take(&mut replies));
                    self.renew_room_index();
                    None
                }
                #[cfg(test)]
                Request::Do(deed) => {
                    self.commit(std::mem::take(&mut lists), std::mem::take(&mut replies));
                    deed(&mut self.connection);
                    None
                }
            };
        }
        // First, so that whoever is answered has a place that is kept.
        self.keep_memberships(&changes);
        self.commit(lists, replies);
    }

    /// Does what of the chores cannot wait until nobody talks, after so many messages were stored
    /// that weigh so much.
    fn keep_up(&mut self, messages: i64, weight: u64) {
        // At least as much is indexed as was stored, so that not more and more is left.
        let steps = number(messages / i64::from(maintenance::INDEXED)).max(weight / maintenance::INDEXED_TEXT);
        for _ in 0..=steps {
            if self.maintenance_is_due(Instant::now()) {
                self.chore();
            }
        }
        let now = Instant::now();
        if self.index_may_have_its_turn(now) {
            self.feed_index(now);
        }
    }

    /// Keeps who is where. What fails is not tried again: it would cost somebody at most their nick
    /// at the next start.
    fn keep_memberships(&mut self, changes: &[MembershipChange]) {
        if changes.is_empty() {
            return;
        }
        if let Err(error) = self.sync_commits(false).and_then(|()| memberships::keep(&mut self.connection, changes)) {
            self.complaints.log("who is here now may lose place and nick at the next start", &error);
        }
    }

    fn commit(&mut self, lists: Vec<Vec<Draft>>, replies: Vec<Reply<Vec<Appended>>>) {
        if lists.is_empty() {
            return;
        }
        let stored = self
            .sync_commits(true)
            .and_then(|()| append::append(&mut self.connection, &mut self.keys, self.last, lists));
        match stored {
            Ok(outcomes) => {
                for (outcome, reply) in outcomes.into_iter().zip(replies) {
                    for appended in &outcome {
                        if let Appended::New(message) = appended {
                            self.unindexed += maintenance::weight(message.text_len());
                            self.last = self.last.max(integer(message.id.0));
                            self.count += 1;
                        }
                    }
                    self.last_given.store(number(self.last), Ordering::Release);
                    // Whoever asked may have gone meanwhile.
                    drop(reply.send(Ok(outcome)));
                }
            }
            Err(error) => {
                for reply in replies {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }

    /// Chooses whether a commit returns only when it is on disk. Where it does not, a power cut may
    /// take back the last commits, but never one before another; and the next that is synced takes
    /// those before it along, because the write-ahead log is one file.
    fn sync_commits(&mut self, is_synced: bool) -> Result<(), StoreError> {
        if self.is_synced != is_synced {
            self.connection.execute_batch(if is_synced {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })?;
            self.is_synced = is_synced;
        }
        Ok(())
    }

    fn maintain(&mut self, keep: Keep, now: Timestamp) -> Result<(), StoreError> {
        self.sync_commits(false)?;
        while keep != Keep::default() && self.delete(keep, now)? {}
        while self.keys.lacks(self.last) {
            self.keys.feed(&mut self.connection, self.last)?;
        }
        while self.index()? {}
        Ok(())
    }

    /// Returns whether the chores cannot wait for a quiet moment, which on a busy server may never
    /// come.
    fn maintenance_is_due(&self, now: Instant) -> bool {
        self.unindexed > UNINDEXED && self.index_from <= now
            || self.keys.press(self.last) && self.keys_from <= now
            || self.keep != Keep::default() && self.retention_due + RETENTION <= now
    }

    /// Returns whether a step of the index is due while others talk: there is one to do, and the
    /// last was long enough ago.
    fn index_may_have_its_turn(&self, now: Instant) -> bool {
        (self.unindexed >= maintenance::INDEXED_TEXT || self.last - self.indexed >= i64::from(maintenance::INDEXED))
            && self.index_turn <= now
            && self.index_from <= now
    }

    /// Returns when there is something to do next, if nobody asks anything. Each kind of chore has
    /// its own time: one that fails does not keep the others waiting.
    fn chore_due(&self) -> Option<Instant> {
        let retention = (self.keep != Keep::default()).then_some(self.retention_due);
        let keys = self.keys.lacks(self.last).then_some(self.keys_from);
        let index = (self.indexed < self.last).then_some(self.index_from);
        retention.into_iter().chain(keys).chain(index).min()
    }

    /// Does the next step of the chores. One that fails is tried again later.
    fn chore(&mut self) {
        let now = Instant::now();
        if self.keep != Keep::default() && self.retention_due <= now {
            match self.attempt(|writer| writer.retain(Reading::now())) {
                Some(true) => {}
                Some(false) => self.retention_due = now + RETENTION,
                None => self.retention_due = now + RETRY,
            }
        } else if self.keys_from <= now && (self.keys.press(self.last) || self.quiet && self.keys.lacks(self.last)) {
            if self.attempt(|writer| writer.keys.feed(&mut writer.connection, writer.last)).is_none() {
                self.keys_from = now + RETRY;
            }
        } else if self.indexed < self.last && self.index_from <= now {
            self.feed_index(now);
        }
    }

    fn feed_index(&mut self, now: Instant) {
        if self.attempt(Self::index).is_none() {
            self.index_from = now + RETRY;
        }
    }

    /// Does something that need not wait for the disk. If it fails, that is said.
    fn attempt<T>(&mut self, deed: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Option<T> {
        let done = self.sync_commits(false).and_then(|()| deed(self));
        done.inspect_err(|error| {
            self.complaints.log("maintenance of the message database failed; it will be retried", error);
        })
        .ok()
    }

    /// Deletes a little, and returns whether there may be more to delete.
    fn delete(&mut self, keep: Keep, now: Timestamp) -> Result<bool, StoreError> {
        let deleted = maintenance::delete(&mut self.connection, &mut self.keys, self.count, keep, now)?;
        self.count = self.count.saturating_sub(deleted.count as u64);
        if let Some(damage) = deleted.damage {
            self.rebuild_index(&damage);
        }
        Ok(deleted.more)
    }

    /// Deletes a little of what need not be kept at this time, and returns whether there may be
    /// more.
    fn retain(&mut self, reading: Reading) -> Result<bool, StoreError> {
        let time = self.clock.time(reading);
        if self.clock.even_for(reading) >= EVEN {
            if std::mem::take(&mut self.told_waiting) {
                info!("messages that are older than they are kept are deleted now");
            }
            return self.delete(self.keep, time);
        }
        let more = self.delete(Keep { age: None, ..self.keep }, time)?;
        // What is still there to delete waits for its age alone.
        if !more
            && !self.told_waiting
            && maintenance::deletable(&self.connection, self.count, self.keep, time)?.is_some()
        {
            info!(wait = ?EVEN, "some messages are older than they are kept; the clock must have gone evenly before they are deleted");
            self.told_waiting = true;
        }
        Ok(more)
    }

    /// Feeds the index once, and returns whether there may be more.
    fn index(&mut self) -> Result<bool, StoreError> {
        let begin = Instant::now();
        let indexed = match maintenance::index(&mut self.connection) {
            Ok(indexed) => indexed,
            Err(IndexError::Damaged(damage)) if self.rebuild_index(&damage) => return Ok(true),
            Err(IndexError::Damaged(error) | IndexError::Other(error)) => return Err(error),
        };
        debug!(?indexed, "indexed");
        let end = Instant::now();
        self.index_turn = end + (end - begin) * SHARE;
        let (last, weight) = indexed.as_ref().map_or((self.last, u64::MAX), |indexed| (indexed.last, indexed.weight));
        self.indexed = last;
        self.unindexed = self.unindexed.saturating_sub(weight);
        Ok(indexed.is_some())
    }

    /// Makes the index of rooms anew, once a start: where the hole is one of the messages, it
    /// changes nothing.
    fn renew_room_index(&mut self) {
        if std::mem::replace(&mut self.room_index, RoomIndex::Renewed) == RoomIndex::Renewed {
            return;
        }
        let renewed = self.sync_commits(false).and_then(|()| Ok(schema::renew_room_index(&self.connection)?));
        match renewed {
            Ok(()) => info!("the index of the rooms is made anew, for some of it could not be read"),
            Err(error) => debug!(%error, "the index of the rooms cannot be made anew"),
        }
    }

    /// Makes the index for searches anew, unless that was done a moment ago: who found it damaged
    /// may have looked at it before. It is fed from the messages as that of a new file is. Returns
    /// whether it is empty now.
    fn rebuild_index(&mut self, damage: &StoreError) -> bool {
        let now = Instant::now();
        if now < self.rebuild_from {
            return false;
        }
        self.rebuild_from = now + REBUILD;
        self.complaints.log("the index for searches is damaged, and is made anew", damage);
        if self.attempt(|writer| maintenance::rebuild_index(&mut writer.connection)).is_none() {
            return false;
        }
        self.indexed = 0;
        self.unindexed = unindexed(self.last);
        true
    }
}

/// Returns about what so many messages weigh.
fn unindexed(messages: i64) -> u64 {
    number(messages).saturating_mul(maintenance::weight(64))
}

#[cfg(test)]
mod tests {
    use super::{super::db_location::DbLocation, *};
    use crate::store::conformance::draft;

    /// Returns what the thread that writes has, without its thread.
    fn writer(keep: Keep) -> Writer {
        let place = DbLocation::in_memory();
        let mut connection = place.writer().unwrap();
        schema::migrate(&mut connection, place.path()).unwrap();
        let (_, requests) = mpsc::channel(1);
        Writer::new(connection, requests, keep).unwrap()
    }

    /// Stores so many messages of so many bytes, and lets the chores keep up as they do when others
    /// wait.
    fn say(writer: &mut Writer, count: usize, bytes: usize) {
        let (reply, _) = oneshot::channel();
        let drafts = vec![draft("lobby", &"x".repeat(bytes), None); count];
        let (last, weight) = (writer.last, writer.unindexed);
        writer.serve(Request::Append(drafts, reply));
        writer.keep_up(writer.last - last, writer.unindexed.saturating_sub(weight));
    }

    #[test]
    fn the_index_has_its_turn_while_others_talk_and_not_more() {
        let mut writer = writer(Keep::default());
        say(&mut writer, 1, 10);
        assert_eq!(writer.indexed, 0, "a few words can wait");
        say(&mut writer, 5, 16_384);
        assert_eq!((writer.indexed, writer.unindexed > 0), (5, true), "one step");
        assert!(writer.index_turn > Instant::now());
        writer.index_turn += RETENTION;
        say(&mut writer, 5, 16_384);
        assert_eq!(writer.indexed, 5, "it had its turn");
    }

    #[test]
    fn what_is_not_indexed_is_bounded_in_bytes() {
        let mut writer = writer(Keep::default());
        writer.index_turn += RETENTION;
        say(&mut writer, 20, 10_000);
        assert_eq!((writer.indexed, writer.unindexed), (0, 20 * maintenance::weight(10_000)));
        // As if there had been more before.
        writer.unindexed = UNINDEXED;
        say(&mut writer, 20, 10_000);
        let steps = writer.indexed;
        assert!(steps >= 20, "as much as was stored: {steps}");
        say(&mut writer, 1, 10_000);
        assert_eq!(writer.indexed, steps, "it is below the bound again");
    }

    #[test]
    fn a_chore_that_fails_keeps_no_other_from_being_done() {
        let mut writer = writer(Keep { age: None, messages: Some(2) });
        let (mut failed, now) = ([Duration::ZERO; 2], Instant::now());
        for (trigger, index) in [("BEFORE UPDATE ON meta", 0), ("BEFORE DELETE ON messages", 1)] {
            writer
                .connection
                .execute_batch(&format!("CREATE TRIGGER t {trigger} BEGIN SELECT raise(ABORT, 'no'); END"))
                .unwrap();
            say(&mut writer, 5, 10);
            (writer.quiet, writer.retention_due) = (true, now);
            (writer.keys_from, writer.index_from) = (now, now);
            (0..5).for_each(|_| writer.chore());
            failed[index] = [writer.keys_from, writer.retention_due][index] - now;
            let left: i64 = writer.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
            assert_eq!((left == 2, writer.indexed == writer.last), [(true, false), (false, true)][index]);
            writer.connection.execute_batch("DROP TRIGGER t").unwrap();
        }
        assert!(failed.iter().all(|retry| *retry >= RETRY), "{failed:?}");
    }

    const DAY: u64 = 24 * 3600 * 1000;

    /// Returns what the clocks say so many minutes after the start, when the wall clock is so many
    /// days ahead.
    fn at(minutes: u64, days_ahead: u64) -> Reading {
        Reading {
            wall: Timestamp(1000 * DAY + minutes * 60_000 + days_ahead * DAY),
            uptime: Duration::from_mins(minutes),
        }
    }

    /// Returns how many messages are left of one that is 50 days old and one that is of today,
    /// after these readings, when messages are kept for 90 days.
    fn left(readings: &[Reading]) -> i64 {
        let mut writer = writer(Keep { age: Some(Duration::from_hours(90 * 24)), messages: None });
        writer.clock = Clock::new(Timestamp(0), readings[0]);
        let (reply, _) = oneshot::channel();
        let said = |at| Draft { at: Timestamp(at), ..draft("lobby", "x", None) };
        writer.serve(Request::Append(vec![said(950 * DAY), said(1000 * DAY)], reply));
        for reading in readings {
            while writer.retain(*reading).unwrap() {}
        }
        writer.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn only_what_waits_for_its_age_is_said_to_wait() {
        for (days, messages, waits) in [(None, Some(2), false), (Some(1), Some(1), false), (Some(1), None, true)] {
            let age = days.map(|days| Duration::from_hours(24 * days));
            let mut writer = writer(Keep { age, messages });
            say(&mut writer, 100, 1);
            let (reply, _) = oneshot::channel();
            let said = Draft { at: at(0, 0).wall, ..draft("lobby", "x", None) };
            writer.serve(Request::Append(vec![said], reply));
            writer.clock = Clock::new(Timestamp(0), at(0, 0));
            while writer.retain(at(0, 0)).unwrap() {}
            assert_eq!(writer.told_waiting, waits, "{:?}", writer.keep);
            assert_eq!(writer.count, messages.unwrap_or(101));
        }
    }

    #[test]
    fn a_clock_that_has_jumped_deletes_nothing() {
        let minutes = |range: std::ops::Range<u64>, ahead| range.map(move |minute| at(minute, ahead));
        let all = |readings: Vec<Reading>| left(&readings);
        assert_eq!(all(minutes(0..200, 0).collect()), 2, "nothing is so old");
        assert_eq!(all(minutes(0..200, 0).chain([at(200, 100)]).chain(minutes(201..300, 0)).collect()), 2);
        assert_eq!(all(minutes(0..100, 0).chain(minutes(100..160, 50)).collect()), 2);
        assert_eq!(all(minutes(0..100, 0).chain(minutes(100..161, 50)).collect()), 1, "it has stood for an hour");
        assert_eq!(all(minutes(0..60, 100).collect()), 2, "it may have been wrong from the start");
        assert_eq!(all(minutes(0..61, 100).collect()), 0, "the server was not running for a hundred days");
    }
}
