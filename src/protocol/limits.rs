//! All limits of the protocol, each with its reason. A limit that an operator may change is a flag
//! of the server, and its default is here.

use std::time::Duration;

/// The limits of the server and the client. Sizes are in bytes unless the name says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Limits;

impl Limits {
    /// The maximum length of a nick, in characters. It is long enough for a full name, and short
    /// enough that a line keeps room for the message.
    pub const NICK_CHARS: usize = 32;
    /// The maximum length of a room name, in characters. The form is `[a-z0-9][a-z0-9_-]{0,31}`, so
    /// the name is a valid URL path and file name without escapes.
    pub const ROOM_CHARS: usize = 32;
    /// The maximum text of one message, after cleaning: about 250 full lines, more than a person
    /// reads at once.
    pub const MESSAGE: usize = 16 * 1024;
    /// The maximum topic of a room. It is one line, and everyone who joins the room receives it.
    pub const TOPIC: usize = 4096;
    /// The maximum text of `/away`: one sentence. Anyone who asks may receive it.
    pub const AWAY: usize = 256;
    /// The maximum search query: one sentence.
    pub const QUERY: usize = 256;
    /// The maximum idempotency key. A UUID and a counter fit. The store keeps one key for each
    /// message.
    pub const KEY: usize = 64;
    /// The maximum payload of a WebSocket message, in both directions: four times
    /// [`Self::MESSAGE`]. JSON at most doubles a cleaned text. The text dialect at most triples it,
    /// if all its lines are short.
    pub const PAYLOAD: usize = 64 * 1024;
    /// The maximum number of frames of a WebSocket message from a client. Each frame costs work,
    /// also an empty one. Browsers and libraries send a message in one frame. A proxy that forwards
    /// 1 KiB at a time needs 64 frames for the longest message.
    pub const FRAMES: u8 = 64;
    /// The maximum size of the list in an event that lists messages or rooms, unless the list has
    /// only one item. With the other fields, the event is then smaller than [`Self::PAYLOAD`].
    pub const LIST_PAYLOAD: usize = 48 * 1024;
    /// The maximum message that our client accepts from a server. Another server may have larger
    /// limits.
    pub const INBOUND: usize = 1024 * 1024;
    /// The maximum number of consecutive combining marks in a text. Scripts need fewer than five
    /// (UTS 39 section 5.4); stacked "Zalgo" text has more.
    pub const COMBINING_MARKS: usize = 8;

    /// The maximum head of an HTTP request or response. Browsers send about 600 bytes, and a proxy
    /// may add as much.
    pub const HEAD: usize = 8 * 1024;
    /// The maximum number of headers in that head. Browsers send about 20.
    pub const HEADERS: usize = 64;
    /// The timeout from the accepted connection to the end of the opening handshake. A phone on a
    /// bad network needs 3 s.
    pub const HANDSHAKE: Duration = Duration::from_secs(10);
    /// The timeout from the server's `hello` to the client's.
    pub const HELLO: Duration = Duration::from_secs(10);
    /// The maximum number of refused frames before an accepted `hello`. It is more names than a
    /// person tries.
    pub const HELLOS: u32 = 20;
    /// The maximum time between two steps of a write. A reader that accepts no data for this long
    /// is stalled. The kernel decides the size of a step: on Linux up to a third of its buffer,
    /// more than a megabyte.
    pub const WRITE: Duration = Duration::from_secs(10);
    /// The interval between two pings. It is below the 30 s after which many middleboxes forget an
    /// idle connection.
    pub const PING_EVERY: Duration = Duration::from_secs(25);
    /// A peer that sends nothing for this long is dead: it did not answer two pings.
    pub const DEAD_AFTER: Duration = Duration::from_mins(1);
    /// The timeout for the peer's answer to our close frame. Until then, what the peer still sends
    /// is read and discarded.
    pub const CLOSE: Duration = Duration::from_secs(2);
    /// The maximum number of bytes that are read from a peer between our close frame and the
    /// peer's: four of the longest messages. An honest peer has less in transit, because the TCP
    /// window does not grow while we read slowly. A connection that sends more is cut.
    pub const LAST_READ: usize = 4 * Self::PAYLOAD;
    /// The maximum time for all sessions to end after the server is told to stop.
    pub const DRAIN: Duration = Duration::from_secs(5);
    /// The time that a lost connection keeps its nick. Others see no change during this time. Most
    /// networks are back within a minute.
    pub const GRACE: Duration = Duration::from_mins(1);
    /// The maximum number of lost connections that keep their nicks, so that connection churn
    /// cannot fill the memory. Above it, the address that has the most gives up its oldest one.
    pub const GHOSTS: usize = 10_000;
    /// The maximum number of rooms of one person at a time, each on its own connection. It is more
    /// tabs than a person watches. It is small enough that a change to all of them, such as a new
    /// nick, costs no more than a handful of joins.
    pub const SEATS: usize = 32;
    /// The time for which joins and leaves are coalesced into one event. People do not notice it,
    /// and a storm of joins and leaves then costs O(N).
    pub const PRESENCE: Duration = Duration::from_millis(100);

    /// The maximum number of names in one presence event. Further names are only counted.
    pub const PRESENCE_NAMES: usize = 20;
    /// The maximum number of names in an answer to `names` and in a `welcome`.
    pub const NAMES: usize = 200;
    /// The maximum number of rooms in an answer to `rooms`.
    pub const ROOMS: usize = 100;
    /// The default number of messages that a text client receives when it joins: one screen.
    pub const TEXT_HISTORY: u32 = 20;
    /// The default number of messages that a JSON client receives when it joins.
    pub const JSON_HISTORY: u32 = 50;
    /// The maximum number of messages of one history request.
    pub const HISTORY: u32 = 1000;
    /// The default number of results of a search: one screen.
    pub const FOUND: u32 = 20;
    /// The maximum number of results that one search may ask for.
    pub const FOUND_MOST: u32 = 100;
    /// The number of matches at which a search stops counting. Nobody reads that many.
    pub const FOUND_COUNTED: u64 = 10_000;
    /// The maximum time that a search may go on counting after it has found all requested results.
    /// Searches of several addresses share this time.
    pub const COUNT: Duration = Duration::from_millis(50);
    /// The maximum time of a search. The results found by then are the answer. Searches of several
    /// addresses share this time.
    pub const SEARCH: Duration = Duration::from_millis(250);
    /// The minimum time of a search, even if many searches wait. Most words of a large history are
    /// found in a tenth of it.
    pub const SEARCH_LEAST: Duration = Duration::from_millis(25);
    /// The maximum rate of frames that cost work but carry no message, per second: pings, pongs and
    /// empty frames. Frames that arrive faster are read later.
    pub const CONTROL_RATE: u32 = 20;

    /// The number of batches in a long broadcast channel of a room. A slow reader that is further
    /// behind is refilled from the store.
    pub const RING: usize = 256;
    /// The maximum text in one batch. With [`Self::RING`], it bounds the memory that a stalled
    /// reader can keep in use.
    pub const BATCH: usize = 128 * 1024;
    /// The number of requests that may wait for the hub. Above it, sessions wait and do not read
    /// their sockets.
    pub const HUB_QUEUE: usize = 1024;
    /// The number of events for one session alone (private messages, failures) that may wait for
    /// it.
    pub const MAILBOX: usize = 32;
    /// The maximum number of unconfirmed private messages to one person, and also from one person.
    /// It is enough for the messages that many people send to one person, or one person to many,
    /// within a round trip.
    pub const UNCONFIRMED: usize = 128;
    /// The maximum text of those unconfirmed messages: eight of the longest.
    pub const UNCONFIRMED_TEXT: usize = 128 * 1024;
    /// The number of private messages for which the key is remembered. A message that is sent again
    /// after a reconnect is then not delivered twice. It is more than [`Self::UNCONFIRMED`].
    pub const PRIVATE_KEYS: usize = 256;
    /// The maximum number of messages in the in-memory store. Above it, or above
    /// [`Self::MEMORY_TEXT`], the store forgets the oldest messages.
    pub const MEMORY_MESSAGES: usize = 100_000;
    /// The maximum text of all messages in the in-memory store. See [`Self::MEMORY_MESSAGES`].
    pub const MEMORY_TEXT: usize = 64 * 1024 * 1024;
    /// The number of messages that are read from the store at once to refill a session.
    pub const PAGE: u32 = 256;

    /// The default of `--max-connections`. It is below the 20,000 files that a process may commonly
    /// open.
    pub const CONNECTIONS: u32 = 10_000;
    /// The default of `--max-per-address`: open connections, and as many lost ones. It is enough
    /// for a household or an office behind one address.
    pub const PER_ADDRESS: u32 = 64;
    /// The default of `--connect-rate`, in connections per second from one address. It costs half a
    /// percent of a core. If a whole hall of people reconnects, nobody waits long.
    pub const CONNECT_RATE: u32 = 50;
    /// The burst of connections from one address, in seconds of the connect rate. With the default
    /// rate it is 1,000 connections: a hall of people behind one address, each in several rooms.
    pub const CONNECT_BURST: u32 = 20;
    /// The maximum number of connections above the caps that are refused with an answer at the same
    /// time. Further ones are only closed.
    pub const REFUSALS: usize = 256;
    /// The default of `--rate`, in messages per second and connection. Nobody types faster, and a
    /// program that sends a log file can wait.
    pub const RATE: u32 = 10;
    /// The cost of a search, in messages of the rate. A search can cost the server a thousand times
    /// as much as a line.
    pub const SEARCH_COST: u32 = 5;
    /// The default of `--burst`, in messages: a pasted paragraph.
    pub const BURST: u32 = 20;
}
