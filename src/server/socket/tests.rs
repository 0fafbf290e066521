//! A socket over a pipe, or over the kernel's.

use tokio::{
    io::{DuplexStream, duplex},
    net::{TcpListener, TcpStream},
};

use super::*;

fn pair() -> (Socket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(4096);
    (Socket::new(Replay::new(&[], ours), Vec::new()), theirs)
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
        let mut socket = Socket::new(Replay::new(&[], ours), b"granted ".to_vec());
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
    let mut socket = Socket::new(Replay::new(&[], ours), Vec::new());
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_kernel_keeps_is_sent_unless_another_thing_must_precede() {
    let (ours, mut peer) = tcp_pair().await;
    let mut socket = Socket::new(Replay::new(&[], ours), b"granted ".to_vec());
    let pages = Pages::of(b"one two").unwrap();
    assert_eq!(socket.send_now(7, &pages), 0, "the answer goes first");
    socket.write(Frames::from(b"welcome ".to_vec())).await.unwrap();
    assert_eq!(socket.send_now(3, &pages), 3);
    let mut heard = [0; 19];
    peer.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"granted welcome two");
    let (mut socket, _peer) = pair();
    assert_eq!(socket.send_now(3, &pages), 0, "it is no socket of the kernel's");
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
        let mut socket = Socket::new(Replay::new(&[], ours), b"granted ".to_vec());
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
