//! How many files, sockets among them, the program may have open.

/// Raises the limit on open files as far as the system lets a program do that by itself, and
/// returns what it is now; none where there is no such limit.
#[must_use]
pub fn raise_descriptors() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Where it is not to be had, as some systems have a lower one besides, it stays what it
        // was.
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
        getrlimit(Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}

/// Returns how many files are open now.
#[must_use]
pub fn open_descriptors() -> u64 {
    /// What the server has open without connections is less.
    const USUAL: usize = 64;
    // The folder itself is one of them, and is closed again.
    std::fs::read_dir("/dev/fd").map_or(USUAL, Iterator::count) as u64
}
