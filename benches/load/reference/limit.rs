//! The practical limit: one thread with bare epoll. Each loop iteration sends everything that
//! arrived for a room as one buffer of finished frames, with one `send` for each socket. It stores
//! nothing and checks nothing; no chat server can do less.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mio::{Events, Interest, Poll, Token, event::Source as _, net::TcpListener, net::TcpStream};

use crate::{Outcome, frames};

const LISTENER: Token = Token(usize::MAX);

struct Peer {
    stream: TcpStream,
    /// Bytes that are no complete request or frame yet.
    partial: Vec<u8>,
    /// Bytes that the socket did not take.
    backlog: Vec<u8>,
    /// Its room, after the opening handshake.
    room: Option<usize>,
    name: String,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    /// The frames of this iteration.
    turn: Vec<u8>,
}

/// All rooms, by the path of a request.
#[derive(Default)]
struct Rooms {
    numbers: HashMap<String, usize>,
    all: Vec<Room>,
    /// The rooms with frames of this iteration.
    told: Vec<usize>,
}

/// Serves for ever; prints its address on stdout.
pub(crate) fn serve(address: SocketAddr) -> Outcome<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address)?;
    listener.register(poll.registry(), LISTENER, Interest::READABLE)?;
    super::say_where(listener.local_addr()?)?;
    let mut events = Events::with_capacity(4096);
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut rooms = Rooms::default();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut peers, &mut free)?;
                continue;
            }
            let slot = event.token().0;
            let Some(peer) = peers.get_mut(slot).and_then(Option::as_mut) else { continue };
            let alive = (!event.is_writable() || flush(peer))
                && (!event.is_readable() || read(peer, slot, &mut buffer, &mut rooms));
            if !alive {
                rooms.leave(peer.room, slot);
                peers[slot] = None;
                free.push(slot);
            }
        }
        for number in std::mem::take(&mut rooms.told) {
            let Room { members, turn } = &mut rooms.all[number];
            members.retain(|slot| {
                let stays = peers[*slot].as_mut().is_some_and(|peer| send(peer, turn));
                if !stays {
                    peers[*slot] = None;
                    free.push(*slot);
                }
                stays
            });
            turn.clear();
        }
    }
}

impl Rooms {
    fn enter(&mut self, path: &str, slot: usize) -> usize {
        let Self { numbers, all, .. } = self;
        let number = *numbers.entry(path.to_owned()).or_insert_with(|| {
            all.push(Room::default());
            all.len() - 1
        });
        all[number].members.push(slot);
        number
    }

    fn leave(&mut self, room: Option<usize>, slot: usize) {
        if let Some(room) = room {
            self.all[room].members.retain(|member| *member != slot);
        }
    }

    /// Returns the room's buffer of this iteration, to append to.
    fn turn(&mut self, room: usize) -> &mut Vec<u8> {
        let turn = &mut self.all[room].turn;
        if turn.is_empty() {
            self.told.push(room);
        }
        turn
    }
}

fn accept(listener: &TcpListener, poll: &Poll, peers: &mut Vec<Option<Peer>>, free: &mut Vec<usize>) -> io::Result<()> {
    loop {
        let (mut stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let slot = free.pop().unwrap_or_else(|| {
            peers.push(None);
            peers.len() - 1
        });
        stream.register(poll.registry(), Token(slot), Interest::READABLE | Interest::WRITABLE)?;
        let name = format!("guest-{}: ", slot + 1);
        peers[slot] = Some(Peer { stream, partial: Vec::new(), backlog: Vec::new(), room: None, name });
    }
}

/// Reads available data and appends the peer's messages to its room's buffer. Returns whether the
/// peer is still connected.
fn read(peer: &mut Peer, slot: usize, buffer: &mut [u8], rooms: &mut Rooms) -> bool {
    loop {
        let length = match peer.stream.read(buffer) {
            Ok(0) => return false,
            Ok(length) => length,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        // The usual case: complete frames, and nothing buffered before them.
        let mut joined = std::mem::take(&mut peer.partial);
        let mut bytes: &mut [u8] = if joined.is_empty() {
            &mut buffer[..length]
        } else {
            joined.extend_from_slice(&buffer[..length]);
            &mut joined
        };
        if peer.room.is_none() {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                peer.partial = bytes.to_vec();
                continue;
            };
            let (head, rest) = bytes.split_at_mut(end + 4);
            peer.room = Some(rooms.enter(path(head), slot));
            let mut answer = granted(head);
            frames::push(frames::TEXT, b"welcome", &mut answer);
            if !send(peer, &answer) {
                return false;
            }
            bytes = rest;
        }
        while let Some(frame) = frames::parse(bytes) {
            let (this, rest) = bytes.split_at_mut(frame.end);
            let payload = &mut this[frame.start..];
            if let Some(mask) = frame.mask {
                payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            }
            match (frame.opcode, peer.room) {
                (frames::TEXT, Some(room)) => {
                    let turn = rooms.turn(room);
                    frames::push_head(frames::TEXT, peer.name.len() + payload.len(), 0, turn);
                    turn.extend_from_slice(peer.name.as_bytes());
                    turn.extend_from_slice(payload);
                }
                (frames::CLOSE, _) => return false,
                _ => {}
            }
            bytes = rest;
        }
        peer.partial = bytes.to_vec();
        if length < buffer.len() {
            return true;
        }
    }
}

/// Sends `bytes`, or keeps what the socket does not take. Returns whether the peer is still
/// connected.
fn send(peer: &mut Peer, mut bytes: &[u8]) -> bool {
    if peer.backlog.is_empty() {
        match peer.stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    peer.backlog.extend_from_slice(bytes);
    true
}

fn flush(peer: &mut Peer) -> bool {
    let backlog = std::mem::take(&mut peer.backlog);
    backlog.is_empty() || send(peer, &backlog)
}

/// Returns the path of a request, without its query.
fn path(head: &[u8]) -> &str {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    std::str::from_utf8(target.split(|byte| *byte == b'?').next().unwrap_or_default()).unwrap_or_default()
}

fn granted(head: &[u8]) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.unwrap_or_default().as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(hash.digest().bytes());
    format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
        .into_bytes()
}
