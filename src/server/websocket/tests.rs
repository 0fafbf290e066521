//! A socket over a pipe, or over the kernel's.

use tokio::{
    io::{DuplexStream, duplex},
    net::{TcpListener, TcpStream},
};

use super::*;

fn pair() -> (Socket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(4096);
    (Socket::new(PrefixedStream::new(&[], ours), Vec::new()), theirs)
}

/// Returns a connection through the kernel, as the server has it and as the peer does.
pub(in crate::server) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    ours.writable().await.unwrap();
    (ours, peer)
}

/// Polls once, and returns whether the library is there although nothing was to be had.
async fn is_awake(socket: &mut Socket<DuplexStream>) -> bool {
    let polled = poll_fn(|cx| Poll::Ready(socket.poll_next(cx))).await;
    assert_eq!(polled, Poll::Pending);
    matches!(socket.stream, Some(Stream::Awake(_)))
}

#[tokio::test]
async fn the_library_is_there_only_while_a_message_is_read() {
    let (mut socket, mut peer) = pair();
    assert!(!is_awake(&mut socket).await, "nothing was said");
    // "hi" under a mask of zero, cut in its head.
    peer.write_all(&[0x81, 0x82, 0]).await.unwrap();
    assert!(is_awake(&mut socket).await, "half a frame must be kept");
    peer.write_all(&[0, 0, 0, b'h', b'i']).await.unwrap();
    assert_eq!(socket.next().await, Incoming::Text(Text(Message::text("hi"))));
    assert!(!is_awake(&mut socket).await, "all of it was taken");
}

#[tokio::test]
async fn what_was_queued_goes_before_the_next_write_and_before_a_goodbye() {
    for closes in [false, true] {
        let (ours, mut peer) = duplex(4096);
        let mut socket = Socket::new(PrefixedStream::new(&[], ours), b"granted ".to_vec());
        socket.queue(b"one ");
        if closes {
            // The peer says goodbye, too, and is gone.
            peer.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
            let goodbye = async { socket.close(CloseCode::NORMAL_CLOSURE, "").await };
            let mut heard = vec![0; 16];
            tokio::join!(goodbye, async {
                peer.read_exact(&mut heard).await.unwrap();
                drop(peer);
            });
            assert_eq!(heard, b"granted one \x88\x02\x03\xe8");
        } else {
            socket.write(b"two".to_vec().into()).await.unwrap();
            drop(socket);
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"granted one two");
        }
    }
}

#[tokio::test]
async fn nothing_is_written_at_once_that_another_thing_must_precede() {
    let (ours, mut peer) = duplex(4);
    let mut socket = Socket::new(PrefixedStream::new(&[], ours), Vec::new());
    assert_eq!(socket.write_now(b"frames").await, 4, "the pipe holds no more");
    assert_eq!(socket.write_now(b"es").await, 0);
    peer.read_exact(&mut [0; 4]).await.unwrap();
    // Half a ping: the library is there, and will have to answer it.
    peer.write_all(&[0x89, 0x81]).await.unwrap();
    assert!(is_awake(&mut socket).await);
    assert_eq!(socket.write_now(b"es").await, 0);
    let (mut socket, _peer) = pair();
    socket.queue(b"one");
    assert_eq!(socket.write_now(b"two").await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_has_said_goodbye_is_not_waited_for() {
    let (mut socket, mut peer) = pair();
    let begin = tokio::time::Instant::now();
    peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]).await.unwrap();
    assert_eq!(socket.next().await, Incoming::Closed(1000));
    socket.close(CloseCode::NORMAL_CLOSURE, "").await;
    assert!(begin.elapsed().is_zero());
    drop(socket);
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, [0x88, 2, 3, 0xe8]);
}

#[tokio::test]
async fn a_goodbye_is_answered_with_its_own_code_behind_whatever_goes_first() {
    for (goodbye, answer) in [
        (&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe9][..], &b"granted one \x88\x02\x03\xe9"[..]),
        (&[0x88, 0x80, 0, 0, 0, 0], b"granted one \x88\x00"),
        // A ping that nobody has answered yet.
        (&[0x89, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0, 0, 0], b"granted one \x8a\x00\x88\x00"),
    ] {
        let (ours, mut peer) = tcp_pair().await;
        let mut socket = Socket::new(PrefixedStream::new(&[], ours), b"granted ".to_vec());
        socket.write(b"one ".to_vec().into()).await.unwrap();
        peer.write_all(goodbye).await.unwrap();
        while !matches!(socket.next().await, Incoming::Closed(_)) {}
        socket.close(CloseCode::NORMAL_CLOSURE, "bye").await;
        drop(socket);
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, answer);
    }
}

#[tokio::test]
async fn it_stays_until_a_ping_is_answered() {
    let (mut socket, mut peer) = pair();
    peer.write_all(&[0x89, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    assert_eq!(socket.next().await, Incoming::Alive);
    socket.flush().await.unwrap();
    let mut pong = [0; 3];
    peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\x8a\x01x");
    assert!(!is_awake(&mut socket).await);
}

/// Returns frames under a mask of zero of a text that is not complete.
fn unfinished(count: u8) -> Vec<u8> {
    (0..count).flat_map(|number| [u8::from(number == 0), 0x80, 0, 0, 0, 0]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_in_too_many_frames_is_noticed_though_it_has_no_end() {
    let (mut socket, mut peer) = pair();
    peer.write_all(&unfinished(Limits::FRAMES - 1)).await.unwrap();
    peer.write_all(&[0x80, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    assert_eq!(socket.next().await, Incoming::Text(Text(Message::text("x"))));
    // A ping that is not answered yet, before all else.
    peer.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(socket.next().await, Incoming::Alive);
    peer.write_all(&unfinished(Limits::FRAMES)).await.unwrap();
    for _ in 0..2 {
        let heard = timeout(Limits::DEAD_AFTER, socket.next()).await;
        assert_eq!(heard, Ok(Incoming::Failed(Failed::TooManyFrames)));
    }
    let said = async {
        let mut heard = [0; 6];
        peer.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"\x8a\0\x88\x02\x03\xf1", "the pong is not torn");
        peer.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
        drop(peer);
    };
    let begin = Instant::now();
    tokio::join!(socket.close(CloseCode::MESSAGE_TOO_BIG, ""), said);
    assert!(begin.elapsed().is_zero(), "its goodbye is heard all the same");
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_after_our_goodbye_is_read_up_to_a_bound() {
    let ping = [0x89, 0x80, 0, 0, 0, 0].repeat(500);
    let text = [&[0x81, 0xfe, 0x0f, 0xf0, 0, 0, 0, 0][..], &[b'x'; 0x0ff0]].concat();
    let more = [0x00, 0x80, 0, 0, 0, 0].repeat(500);
    for (name, first, said) in [
        ("pings", 0, ping),
        ("texts", 0, text),
        ("a text without an end", 1, more.clone()),
        ("one that has had too many frames", Limits::FRAMES, more),
        ("no frames", 0, vec![0xff; 5000]),
    ] {
        let (mut socket, mut peer) = pair();
        peer.write_all(&unfinished(first)).await.unwrap();
        let (mut read, mut write) = tokio::io::split(peer);
        let floods = tokio::spawn(async move {
            let mut written = 0;
            while written < 8 * Limits::LAST_READ && write.write_all(&said).await.is_ok() {
                written += said.len();
            }
            written
        });
        let begin = Instant::now();
        socket.close(CloseCode::POLICY_VIOLATION, "").await;
        assert!(begin.elapsed() < Limits::CLOSE, "{name}");
        drop(socket);
        let written = floods.await.unwrap();
        assert!((Limits::LAST_READ / 2..2 * Limits::LAST_READ).contains(&written), "{name}: {written}");
        let mut heard = [0; 4];
        read.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"\x88\x02\x03\xf0");
    }
}
