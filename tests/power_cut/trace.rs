//! A program's file and socket calls, as `strace -f -y -xx` prints them.

use std::collections::HashMap;

/// A system call that succeeded.
#[derive(Debug)]
pub(crate) struct Call {
    /// When it began: before every call with a greater number, and after every call that ended with
    /// a smaller one.
    pub(crate) begun: usize,
    /// When it ended.
    pub(crate) ended: usize,
    /// Its name.
    pub(crate) name: String,
    /// The file or socket in its first argument.
    pub(crate) file: String,
    /// The strings among its arguments: file names, or written data.
    pub(crate) bytes: Vec<Vec<u8>>,
    /// Its numbers, in order, without the first argument.
    pub(crate) numbers: Vec<u64>,
    /// Its return value.
    pub(crate) returned: u64,
}

impl Call {
    /// Returns the data that a writing call has written.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut bytes = self.bytes.concat();
        bytes.truncate(usize::try_from(self.returned).unwrap_or(usize::MAX));
        bytes
    }

    fn parse(begun: usize, ended: usize, text: &str) -> Option<Self> {
        let (call, returned) = text.rsplit_once(" = ")?;
        let digits = returned.split(|c: char| !c.is_ascii_digit()).next()?;
        let returned = digits.parse().ok()?;
        let (name, arguments) = call.split_once('(')?;
        let (first, rest) = if arguments.starts_with(|c: char| c.is_ascii_digit() || c == 'A') {
            arguments.split_at(arguments.find('>').map_or(0, |at| at + 1))
        } else {
            ("", arguments)
        };
        let file = first.split_once('<').map_or("", |(_, file)| file).trim_end_matches('>');
        let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
        for (index, part) in rest.split('"').enumerate() {
            if index % 2 == 1 {
                bytes.push(unescape(part));
            } else {
                numbers.extend(part.split([',', ' ', ')']).filter_map(|word| word.parse::<u64>().ok()));
            }
        }
        let file = String::from_utf8_lossy(&unescape(file)).into_owned();
        Some(Self { begun, ended, name: name.to_owned(), file, bytes, numbers, returned })
    }
}

/// Returns the successful calls of a trace, in the order in which they ended.
pub(crate) fn parse(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, event)) = line.split_once(' ') else { continue };
        let event = event.trim_start();
        if let Some(begin) = event.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (number, begin));
        } else if let Some(resumed) = event.strip_prefix("<... ") {
            let begin = unfinished.remove(thread);
            let end = resumed.split_once(" resumed>");
            if let (Some((begun, begin)), Some((_, end))) = (begin, end) {
                calls.extend(Call::parse(begun, number, &format!("{begin}{end}")));
            }
        } else {
            calls.extend(Call::parse(number, number, event));
        }
    }
    calls
}

/// Returns the bytes of a string in which some or all are written as `\xNN`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if let [b'\\', b'x', high, low, tail @ ..] = rest {
            let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            bytes.extend(value(*high).zip(value(*low)).map(|(high, low)| high << 4 | low));
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let trace = "\
7 pwrite64(5</tmp/chat.db-wal>, \"\\x61\\x62\", 2, 4120) = 2
7 fdatasync(5</tmp/chat.db-wal> <unfinished ...>
8 sendto(9<socket:[77]>, \"\\x68\\x69\", 2, MSG_NOSIGNAL, NULL, 0) = 2
7 <... fdatasync resumed>)            = 0
8 pwrite64(5</tmp/chat.db>, \"x\", 1, 0) = -1 EIO (Input/output error)
8 writev(9<socket:[77]>, [{iov_base=\"\\x31\", iov_len=1}, {iov_base=\"\\x32\\x33\", iov_len=2}], 2) = 2
8 unlink(\"\\x2f\\x61\")                 = 0
8 +++ exited with 0 +++
";
    let calls = parse(trace);
    let names: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.begun, call.ended)).collect();
    assert_eq!(names, [("pwrite64", 0, 0), ("sendto", 2, 2), ("fdatasync", 1, 3), ("writev", 5, 5), ("unlink", 6, 6)]);
    assert_eq!(
        (calls[0].file.as_str(), calls[0].written(), &calls[0].numbers[..]),
        ("/tmp/chat.db-wal", b"ab".to_vec(), &[2, 4120][..])
    );
    assert_eq!((calls[2].file.as_str(), calls[3].written()), ("/tmp/chat.db-wal", b"12".to_vec()));
    assert_eq!(calls[4].bytes, [b"/a"]);
}
