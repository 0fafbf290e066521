//! Every limit of the protocol in one place, each with its reason. What an operator may change is a
//! flag of the server and has its default here.

use std::time::Duration;

/// The limits both ends live by. Sizes are in bytes unless the name says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Limits;

impl Limits {
    /// A nick, in characters: wide enough for a full name, narrow enough that a line keeps room for
    /// what is said.
    pub const NICK_CHARS: usize = 32;
    /// A room name, in characters: `[a-z0-9][a-z0-9_-]{0,31}`, so that it is a URL path and a file
    /// name as it stands.
    pub const ROOM_CHARS: usize = 32;
    /// The text of one message, after cleaning: some 250 full lines, more than anybody reads at one
    /// sitting.
    pub const MESSAGE: usize = 16 * 1024;
    /// The topic of a room: it is one line, and every newcomer gets it.
    pub const TOPIC: usize = 4096;
    /// What somebody who is away says of it: a sentence, which everybody may be told who asks.
    pub const AWAY: usize = 256;
    /// The words of a search: a sentence.
    pub const QUERY: usize = 256;
    /// An idempotency key: a UUID and a counter fit, and the log keeps one a message.
    pub const KEY: usize = 64;
    /// The payload of a WebSocket message, both ways: four times [`Self::MESSAGE`]. JSON at worst
    /// doubles what is left of a text once it is clean, and the text dialect makes three times as
    /// much of one that is all short lines.
    pub const PAYLOAD: usize = 64 * 1024;
    /// The frames of a WebSocket message from a client: each costs work, also an empty one.
    /// Browsers and libraries send a message in one; a proxy that passes on 1 KiB at a time needs
    /// as many for the longest.
    pub const FRAMES: u8 = 64;
    /// The payload of an event that lists messages or rooms is kept below this, unless it has only
    /// one: with that, and whatever else is in it, it is below [`Self::PAYLOAD`].
    pub const LIST_PAYLOAD: usize = 48 * 1024;
    /// The largest message that our client takes from a server, whose limits may be others.
    pub const INBOUND: usize = 1024 * 1024;
    /// Combining marks one after the other in a text: scripts need fewer than five (UTS 39 section
    /// 5.4), stacked "Zalgo" more.
    pub const COMBINING_MARKS: usize = 8;

    /// The head of an HTTP request or of its answer; browsers send some 600, and a proxy may add as
    /// much.
    pub const HEAD: usize = 8 * 1024;
    /// Headers in that head; browsers send some 20.
    pub const HEADERS: usize = 64;
    /// From the accepted connection to the end of the opening handshake; a phone on a bad network
    /// needs 3 s.
    pub const HANDSHAKE: Duration = Duration::from_secs(10);
    /// From the server's `hello` to the client's.
    pub const HELLO: Duration = Duration::from_secs(10);
    /// Frames that may be refused before one of them is a `hello` that is granted: more names than
    /// a person tries.
    pub const HELLOS: u32 = 20;
    /// From one step of a write to the next; a reader that takes nothing for so long is stalled.
    /// How much one step is, the kernel decides: on Linux up to a third of its buffer, more than a
    /// megabyte.
    pub const WRITE: Duration = Duration::from_secs(10);
    /// Between two pings: below the 30 s after which many middle boxes forget an idle connection.
    pub const PING_EVERY: Duration = Duration::from_secs(25);
    /// Without a sign of life for so long, a peer is dead: two pings went unanswered.
    pub const DEAD_AFTER: Duration = Duration::from_mins(1);
    /// For a peer to answer our close frame, and for what it still sends to be read away.
    pub const CLOSE: Duration = Duration::from_secs(2);
    /// What is read of a peer after our close frame, while its own is waited for: four of the
    /// longest messages. An honest peer has less under way, because the window of TCP does not grow
    /// while we read slowly. Another is cut off.
    pub const LAST_READ: usize = 4 * Self::PAYLOAD;
    /// For every session to end once the server is told to stop.
    pub const DRAIN: Duration = Duration::from_secs(5);
    /// A dropped connection keeps its nick for so long, unseen by others: most networks are back
    /// within a minute.
    pub const GRACE: Duration = Duration::from_mins(1);
    /// Lost connections in their grace at one time, so that churn cannot fill the memory; one more,
    /// and the address that has most gives up its oldest.
    pub const GHOSTS: usize = 10_000;
    /// Rooms that one person is in at a time, each on a connection of its own: more tabs than
    /// anybody looks at, few enough that whatever concerns all of them, such as another nick, costs
    /// no more than a handful of joins.
    pub const SEATS: usize = 32;
    /// Joins and leaves are gathered for so long into one event: not felt by people, and a storm of
    /// them costs O(N).
    pub const PRESENCE: Duration = Duration::from_millis(100);

    /// Names that one presence event spells out; past it they are counted.
    pub const PRESENCE_NAMES: usize = 20;
    /// Names in one answer to `names`, and in a `welcome`.
    pub const NAMES: usize = 200;
    /// Rooms in one answer to `rooms`.
    pub const ROOMS: usize = 100;
    /// The history a text client gets when it joins: a screenful.
    pub const TEXT_HISTORY: u32 = 20;
    /// The history a JSON client gets when it joins.
    pub const JSON_HISTORY: u32 = 50;
    /// The most history that one request may ask for.
    pub const HISTORY: u32 = 1000;
    /// What a search finds when it does not say how much it wants: a screenful.
    pub const FOUND: u32 = 20;
    /// The most that one search may ask for.
    pub const FOUND_MOST: u32 = 100;
    /// What a search counts of all that there is to find; past it, nobody reads on.
    pub const FOUND_COUNTED: u64 = 10_000;
    /// How long it may count once it has found what is wanted. Searches of several addresses share
    /// it.
    pub const COUNT: Duration = Duration::from_millis(50);
    /// How long a search may take; what was found by then is the answer. Searches of several
    /// addresses share it.
    pub const SEARCH: Duration = Duration::from_millis(250);
    /// What it has at the least, however many wait: most words of a large history are found in a
    /// tenth of it.
    pub const SEARCH_LEAST: Duration = Duration::from_millis(25);
    /// Ping, pong and empty frames a second that cost us work but carry nothing; what comes faster
    /// is read later.
    pub const CONTROL_RATE: u32 = 20;

    /// Batches in a long ring of a room: how far a slow reader may be behind before it is refilled
    /// from the log.
    pub const RING: usize = 256;
    /// The text in one batch; with [`Self::RING`] it bounds the memory a stalled reader can pin.
    pub const BATCH: usize = 128 * 1024;
    /// Requests that wait for the hub; past it, sessions wait with their sockets unread.
    pub const HUB_QUEUE: usize = 1024;
    /// Events for one session alone (private messages, failures) that wait for it.
    pub const MAILBOX: usize = 32;
    /// Private messages that wait for one person to confirm them, and those of one person that wait
    /// for others to: what many people write to one, or one to many, within a round trip.
    pub const UNCONFIRMED: usize = 128;
    /// And bytes of text in them: some of the longest.
    pub const UNCONFIRMED_TEXT: usize = 128 * 1024;
    /// Private messages whose keys are remembered, so that one sent again after a reconnect is not
    /// delivered twice: more than
    /// [`Self::UNCONFIRMED`].
    pub const PRIVATE_KEYS: usize = 256;
    /// Messages, and bytes of text, that the in-memory log keeps before it forgets the oldest.
    pub const MEMORY_MESSAGES: usize = 100_000;
    /// See [`Self::MEMORY_MESSAGES`].
    pub const MEMORY_TEXT: usize = 64 * 1024 * 1024;
    /// Messages read from the log at once while a session is refilled.
    pub const PAGE: u32 = 256;

    /// `--max-connections`: below the 20,000 files a process may commonly open.
    pub const CONNECTIONS: u32 = 10_000;
    /// `--max-per-address`, connections and as many lost ones: a household or an office behind one
    /// address.
    pub const PER_ADDRESS: u32 = 64;
    /// `--connect-rate`, connections a second from one address: half a percent of a core, and a
    /// hall that reconnects is through with it before anybody has waited long.
    pub const CONNECT_RATE: u32 = 50;
    /// So many seconds' worth of them may come at once: with the default 1,000, a hall of people
    /// behind one address with some rooms each.
    pub const CONNECT_BURST: u32 = 20;
    /// Connections past the caps that may at one time be told so with an answer; further ones are
    /// only closed.
    pub const REFUSALS: usize = 256;
    /// `--rate`, messages a second a connection: nobody types faster, and a log that does can wait.
    pub const RATE: u32 = 10;
    /// What a search takes of the rate, in messages: it may cost the server a thousand times what a
    /// line does.
    pub const SEARCH_COST: u32 = 5;
    /// `--burst`, messages at once: a pasted paragraph.
    pub const BURST: u32 = 20;
}
