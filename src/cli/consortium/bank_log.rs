//! Passes on a bank's lines with its number in front.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::outlet;
use crate::ids::BankId;

/// How much is read at once, in bytes: as much as a pipe holds, so that a busy bank costs few
/// calls.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest line that is kept together, in bytes; a longer one is broken there.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// The terminal colours of the banks, in turn: cyan, yellow, green, magenta, blue, red.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// What is printed before every line of the bank.
pub(super) fn label(bank: BankId, coloured: bool) -> String {
    if coloured {
        let colour = COLOURS[bank.index() % COLOURS.len()];
        format!("\x1b[{colour}m[bank {bank}]\x1b[0m ")
    } else {
        format!("[bank {bank}] ")
    }
}

/// Copies the lines of a pipe to standard error until the pipe ends. The pipe is read even while
/// nobody reads standard error: a bank must never wait for whoever reads the supervisor's output.
pub(super) async fn forward<R: AsyncRead + Unpin>(pipe: Option<R>, prefix: &str) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut lines = PrefixedLines::new(prefix);
    loop {
        let mut out = Vec::new();
        // A pipe that cannot be read has come to its end.
        let bytes = pipe.read(&mut chunk).await.unwrap_or(0);
        if bytes == 0 {
            lines.finish(&mut out);
        } else {
            lines.take(&chunk[..bytes], &mut out);
        }
        if !out.is_empty() {
            outlet::stderr().put(out);
        }
        if bytes == 0 {
            return;
        }
    }
}

/// Puts the prefix before every line of a stream that arrives in pieces; emits only whole lines, so
/// that those of several banks do not mix.
struct PrefixedLines<'a> {
    prefix: &'a [u8],
    /// The beginning of a line whose end has not come yet; shorter than [`LINE_BYTES_MAX`].
    begun: Vec<u8>,
}

impl<'a> PrefixedLines<'a> {
    fn new(prefix: &'a str) -> Self {
        PrefixedLines { prefix: prefix.as_bytes(), begun: Vec::new() }
    }

    fn take(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
            if piece.ends_with(b"\n") || self.begun.len() >= LINE_BYTES_MAX {
                self.give(out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.begun.is_empty() {
            self.give(out);
        }
    }

    fn give(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix);
        out.append(&mut self.begun);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(chunks: &[&str]) -> String {
        let mut lines = PrefixedLines::new("> ");
        let mut out = Vec::new();
        chunks.iter().for_each(|chunk| lines.take(chunk.as_bytes(), &mut out));
        lines.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_gets_the_prefix_however_it_arrives() {
        let expected = "> one\n> \n> três\n> end\n";
        let text = "one\n\ntrês\nend";
        assert_eq!(prefixed(&[text]), expected);
        let letters: Vec<_> = text.split_inclusive(|_| true).collect();
        assert_eq!(prefixed(&letters), expected);
        assert_eq!(prefixed(&[]), "");
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let chunk = "x".repeat(LINE_BYTES_MAX);
        let mut lines = PrefixedLines::new("> ");
        let mut out = Vec::new();
        for _ in 0..3 {
            lines.take(chunk.as_bytes(), &mut out);
            assert!(lines.begun.len() < LINE_BYTES_MAX);
        }
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
    }

    #[test]
    fn neighbouring_banks_have_different_colours_and_a_file_has_none() {
        assert_eq!(label(BankId(7), false), "[bank 7] ");
        assert_ne!(
            label(BankId(0), true).replace('0', "1"),
            label(BankId(1), true).replace('0', "1")
        );
        assert!(label(BankId(63), true).ends_with("[bank 63]\x1b[0m "));
    }
}
