//! A vector that is copied in no time: copies share what neither of them has changed since.
//!
//! It is cut into chunks behind reference counts. A copy counts references, one per chunk; whoever
//! changes an element of a shared chunk copies that chunk first. So the ledger hands out a copy of
//! itself for a snapshot without stopping for it, and pays a few microseconds for each chunk that
//! it changes while the snapshot is being written. A chunk knows when it was changed last, so that
//! the next snapshot can take over what was written of those that were not.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::ids::Position;

/// The most bytes of a chunk: a size that the allocator (mimalloc) gives without rounding it up.
const CHUNK_BYTES: usize = 28 << 10;

/// A vector whose elements are added at its end, and, where it serves as a queue, taken from its
/// beginning. An element keeps its place, counted from the first one that ever was.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T> {
    chunks: VecDeque<Arc<Chunk<T>>>,
    /// The position of what is being executed.
    now: Position,
    /// The place of the first element of the first chunk.
    base: usize,
    /// The place of the first element.
    start: usize,
    /// One more than the last place.
    end: usize,
}

#[derive(Clone, Debug)]
struct Chunk<T> {
    elements: Vec<T>,
    /// The position at which it was changed last.
    changed: Position,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        let now = Position::default();
        Chunks { chunks: VecDeque::new(), now, base: 0, start: 0, end: 0 }
    }
}

impl<T> Chunks<T> {
    /// Elements of a chunk.
    pub(super) const CHUNK: usize = CHUNK_BYTES / size_of::<T>();

    /// What changes from now on is changed by the request of this position.
    pub(super) fn change_at(&mut self, position: Position) {
        self.now = position;
    }

    /// Whether nothing of the chunks that have the elements of these places has changed since a
    /// position. Chunks that are not there have not.
    pub(super) fn are_unchanged(&self, places: Range<usize>, since: Position) -> bool {
        let last = places.end.min(self.end).max(places.start);
        let first = places.start.saturating_sub(self.base) / Self::CHUNK;
        let end = last.saturating_sub(self.base).div_ceil(Self::CHUNK);
        self.chunks.iter().take(end).skip(first).all(|chunk| chunk.changed <= since)
    }

    /// How many elements there are.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// The place of the first element, if there is one, and otherwise of the next.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The place that the next element gets.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The element at a place.
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        let place = place.checked_sub(self.base).filter(|_| place >= self.start)?;
        self.chunks.get(place / Self::CHUNK)?.elements.get(place % Self::CHUNK)
    }

    /// All elements in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        let skipped = self.start - self.base;
        self.chunks.iter().enumerate().flat_map(move |(index, chunk)| {
            &chunk.elements[if index == 0 { skipped.min(chunk.elements.len()) } else { 0 }..]
        })
    }
}

impl<T: Clone> Chunks<T> {
    /// The element at a place, to be changed.
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let place = place.checked_sub(self.base).filter(|_| place >= self.start)?;
        let chunk = Arc::make_mut(self.chunks.get_mut(place / Self::CHUNK)?);
        chunk.changed = self.now;
        chunk.elements.get_mut(place % Self::CHUNK)
    }

    /// Adds an element; returns its place.
    pub(super) fn push(&mut self, element: T) -> usize {
        if (self.end - self.base).is_multiple_of(Self::CHUNK) {
            let elements = Vec::with_capacity(Self::CHUNK);
            self.chunks.push_back(Arc::new(Chunk { elements, changed: self.now }));
        }
        let last = self.chunks.back_mut().expect("there is room for it");
        let chunk = Arc::make_mut(last);
        chunk.changed = self.now;
        // A copy has no room beyond its elements.
        chunk.elements.reserve_exact(Self::CHUNK - chunk.elements.len());
        chunk.elements.push(element);
        self.end += 1;
        self.end - 1
    }

    /// Takes the first element away.
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.get(self.start)?.clone();
        self.start += 1;
        if self.start - self.base == Self::CHUNK {
            self.chunks.pop_front();
            self.base = self.start;
        }
        Some(first)
    }
}

impl<T> std::ops::Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        self.get(place).expect("the place is taken")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As large as an account, so that there are as many in a chunk.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Large(usize, [u64; 15]);

    fn large(number: usize) -> Large {
        Large(number, [7; 15])
    }

    #[test]
    fn a_copy_shares_what_nobody_has_changed() {
        let mut chunks = Chunks::default();
        let of_chunks = |count: usize| count * Chunks::<Large>::CHUNK;
        (0..of_chunks(4)).for_each(|number| assert_eq!(chunks.push(large(number)), number));
        _ = chunks.push(large(0));
        let copy = chunks.clone();
        let place = of_chunks(1) + 7;
        *chunks.get_mut(place).unwrap() = large(0);
        chunks.push(large(1));
        assert_eq!((&copy[place], &chunks[place]), (&large(place), &large(0)));
        assert_eq!((copy.len(), chunks.len()), (of_chunks(4) + 1, of_chunks(4) + 2));
        let shared = |index: usize| Arc::ptr_eq(&copy.chunks[index], &chunks.chunks[index]);
        assert_eq!([0, 1, 2, 3, 4].map(shared), [true, false, true, true, false]);
    }

    #[test]
    fn what_was_changed_since_a_position_is_known_by_the_chunk() {
        let mut chunks = Chunks::default();
        let of_chunks = |count: usize| count * Chunks::<Large>::CHUNK;
        chunks.change_at(Position(1));
        (0..of_chunks(3) + 1).for_each(|number| _ = chunks.push(large(number)));
        let all = 0..of_chunks(9);
        let at = |chunks: &Chunks<Large>, since: u64| {
            let is = |chunk: usize| {
                chunks.are_unchanged(of_chunks(chunk)..of_chunks(chunk + 1), Position(since))
            };
            [0, 1, 2, 3].map(is)
        };
        assert!(chunks.are_unchanged(all.clone(), Position(1)));
        assert!(!chunks.are_unchanged(all.clone(), Position(0)));
        let copy = chunks.clone();
        chunks.change_at(Position(5));
        assert!(chunks.are_unchanged(all.clone(), Position(1)), "nothing was changed yet");
        *chunks.get_mut(of_chunks(1)).unwrap() = large(0);
        _ = chunks.push(large(0));
        assert_eq!(at(&chunks, 4), [true, false, true, false]);
        assert_eq!(at(&chunks, 5), [true; 4]);
        assert!(copy.are_unchanged(all, Position(1)), "a copy stays what it was");
    }

    proptest! {
        #[test]
        fn it_does_what_a_queue_does(steps in prop::collection::vec(0..4_u8, 0..3_000)) {
            let (mut chunks, mut queue) = (Chunks::default(), VecDeque::new());
            let mut copies = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    0 => prop_assert_eq!(chunks.pop_front(), queue.pop_front()),
                    1 if number % 100 == 0 => copies.push((chunks.clone(), queue.clone())),
                    _ => {
                        chunks.push(large(number));
                        queue.push_back(large(number));
                    }
                }
                prop_assert_eq!(chunks.len(), queue.len());
                prop_assert_eq!(chunks.get(chunks.start()), queue.front());
                prop_assert_eq!(chunks.get(chunks.end().wrapping_sub(1)), queue.back());
            }
            copies.push((chunks, queue));
            for (chunks, queue) in copies {
                prop_assert!(chunks.iter().eq(queue.iter()));
                prop_assert!(chunks.iter().rev().eq(queue.iter().rev()));
            }
        }
    }
}
