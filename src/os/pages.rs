//! Bytes that the kernel keeps once and sends to any number of sockets, instead of a copy for each.

use std::{
    fs::File,
    io::{self, Write as _},
};

use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use tokio::{io::Interest, net::TcpStream};

/// Bytes in memory of the kernel's: a file without a name, never changed, and so safe to be sent as it is. It takes a descriptor.
#[derive(Debug)]
pub struct Pages {
    file: File,
    length: usize,
}

impl Pages {
    /// Copies `bytes`; none where the system does not give any, for want of memory or descriptors, or because it does not know or
    /// allow such files.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let create = |flags| memfd_create("pages", MemfdFlags::CLOEXEC | flags);
        // Kernels before 6.3 do not know that flag, and later ones want to be told.
        let file = create(MemfdFlags::NOEXEC_SEAL).or_else(|_| create(MemfdFlags::empty())).ok()?;
        let mut file = File::from(file);
        file.write_all(bytes).ok()?;
        Some(Self { file, length: bytes.len() })
    }

    /// Sends as much of the last `count` bytes as the socket takes at once, and returns how many bytes that was.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket takes nothing now, and whatever else sendfile(2) has.
    pub fn send_last(&self, count: usize, stream: &TcpStream) -> io::Result<usize> {
        let mut start = self.length.saturating_sub(count) as u64;
        stream.try_io(Interest::WRITABLE, || Ok(sendfile(stream, &self.file, Some(&mut start), count)?))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn every_socket_gets_what_it_asks_for_however_much_it_takes_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // More than a socket takes.
        let bytes: Vec<u8> = (0..8_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let pages = Pages::of(&bytes).unwrap();
        for start in [0, 4097, bytes.len() - 1] {
            let mut reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let send = async {
                let mut left = bytes.len() - start;
                while left > 0 {
                    match pages.send_last(left, &stream) {
                        Ok(sent) => left -= sent,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await.unwrap(),
                        Err(error) => panic!("{error}"),
                    }
                }
                drop(stream);
            };
            let mut heard = Vec::new();
            let ((), read) = tokio::join!(send, reader.read_to_end(&mut heard));
            read.unwrap();
            assert!(heard == bytes[start..], "{} of {} bytes", heard.len(), bytes.len() - start);
        }
    }

    #[tokio::test]
    async fn what_is_under_way_outlives_the_pages() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        let pages = Pages::of(b"hello").unwrap();
        assert_eq!(pages.send_last(4, &stream).unwrap(), 4);
        drop((pages, stream));
        let mut heard = String::new();
        reader.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "ello");
    }
}
