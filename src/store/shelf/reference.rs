//! What stood on disk, in earlier releases, in the place of a piece of a snapshot that was a part
//! of a run.

use serde::{Deserialize, Serialize};

use crate::ids::Sha256Digest;

/// More than any reference is long. No piece that begins like one is shorter.
const BYTES_MAX: usize = 200;

/// Names a part of a run. No line of a snapshot reads like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Reference {
    /// The run's number.
    pub(in crate::store) run: u64,
    /// Which of its pieces, from 0.
    pub(in crate::store) part: usize,
    /// What the run's bytes hash to.
    pub(in crate::store) digest: Sha256Digest,
}

impl Reference {
    /// The reference, if a text is one.
    pub(in crate::store) fn read(text: &str) -> Option<Reference> {
        if text.len() > BYTES_MAX { None } else { serde_json::from_str(text).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_back_and_a_line_of_a_snapshot_is_none() {
        let digest = Sha256Digest([0xab; 32]);
        let reference = Reference { run: u64::MAX, part: usize::MAX, digest };
        let text = serde_json::to_string(&reference).unwrap();
        assert_eq!(Reference::read(&text), Some(reference));
        let line = r#"{"Keys":"AAAA"}"#;
        assert_eq!([Reference::read(line), Reference::read("")], [None, None]);
    }
}
