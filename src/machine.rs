//! What the machine lends this process: file descriptors, cores, memory and disk, and names for its
//! threads.

use std::io;
use std::path::Path;
use std::thread::available_parallelism;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// How many callers the system lets wait until they are let in. Beyond that it does not answer, and
/// whoever calls tries again after a second, or three: a crowd that calls again and again must not
/// come so far. The system's own bound is as much (`net.core.somaxconn`).
const CALLERS_MAX: u32 = 4_096;

/// File descriptors for a system that names no limit.
const DESCRIPTORS_UNLIMITED: u64 = 1_048_576;

/// Raises the number of file descriptors that this process may have to the most that the system
/// grants it, and returns that number. Shells start programs with 1,024 for the sake of old ones
/// that cannot handle more.
pub fn raise_descriptors() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where this fails, the limit stays as it was, and is what counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    descriptors_max()
}

/// How many file descriptors this process may have.
pub(crate) fn descriptors_max() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS_UNLIMITED)
}

/// How many threads can run at once.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The memory of this process, in bytes, where the system says.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

/// What the files in a folder take, in bytes.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .filter(|file| file.is_file())
        .map(|file| file.len())
        .sum()
}

/// Names the calling thread as the system lists it (`ps -L`, `top -H`, `strace`): by default the
/// threads of a kind are all named alike. On a system without such a list it has only a number.
pub(crate) fn name_thread(name: &str) {
    // A name is a help to people; without it everything works all the same.
    let _ = std::fs::write("/proc/thread-self/comm", name);
}

/// Lets the calling thread run only where others leave it time: the niceness of work that nobody's
/// money waits for.
pub(crate) fn yield_to_others() {
    // To Linux, the process with the number 0 is the calling thread. Without it all works as well,
    // and readers slow down writers.
    let _ = rustix::process::setpriority_process(None, 10);
}

/// Listens at a host and port.
///
/// # Errors
/// When none of the host's addresses can be listened at.
pub(crate) async fn listen_at(address: &str) -> io::Result<TcpListener> {
    let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A bank that starts again does not wait for what is left of its earlier connections.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(CALLERS_MAX)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_disk_are_counted_in_bytes() {
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1_000_000));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), [0; 300]).unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        assert_eq!(folder_bytes(folder.path()), 300);
        assert_eq!(folder_bytes(&folder.path().join("none")), 0);
    }

    #[test]
    fn the_limit_of_descriptors_is_raised_as_far_as_the_system_allows() {
        let granted = getrlimit(Resource::Nofile).maximum.unwrap_or(DESCRIPTORS_UNLIMITED);
        assert_eq!(raise_descriptors(), granted);
        assert_eq!(descriptors_max(), granted);
    }
}
