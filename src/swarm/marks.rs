//! A mark for each chunk of one page, as bits: what a neighbour holds, what is under way. A page of 128 chunks (2 MiB)
//! needs no allocation, and a choice among its chunks touches two words. What travels is [`Ranges`].

use smallvec::SmallVec;

use crate::swarm::Ranges;

/// A set of chunks of a page whose number of chunks is known: nothing beyond it can be marked, whatever is said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    words: SmallVec<[u64; 2]>,
    chunks: u32,
}

impl Marks {
    pub(crate) fn new(chunks: u32) -> Self {
        let words = chunks.div_ceil(u64::BITS) as usize;
        Self {
            words: SmallVec::from_elem(0, words),
            chunks,
        }
    }

    pub(crate) fn has(&self, chunk: u32) -> bool {
        self.words
            .get(word(chunk))
            .is_some_and(|word| word & bit(chunk) != 0)
    }

    pub(crate) fn set(&mut self, chunk: u32) {
        if chunk < self.chunks {
            self.words[word(chunk)] |= bit(chunk);
        }
    }

    pub(crate) fn clear(&mut self, chunk: u32) {
        if chunk < self.chunks {
            self.words[word(chunk)] &= !bit(chunk);
        }
    }

    /// Whether it was marked; it is not any more.
    pub(crate) fn take(&mut self, chunk: u32) -> bool {
        let had = self.has(chunk);
        self.clear(chunk);
        had
    }

    /// Marks what a stranger named; chunks beyond the page are none of our business.
    pub(crate) fn learn(&mut self, ranges: &Ranges) {
        for run in ranges.runs() {
            (run.start..run.end.min(self.chunks)).for_each(|chunk| self.set(chunk));
        }
    }

    /// The marks of the first chunks.
    #[cfg(feature = "sim")]
    pub(crate) fn first(&self) -> u64 {
        self.words.first().copied().unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count() == self.chunks
    }

    pub(crate) fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn reset(&mut self) {
        self.words.fill(0);
    }

    /// Chunks of this set that are in none of the `others`.
    pub(crate) fn without(&self, others: [&Self; 2]) -> Self {
        let mut rest = self.clone();
        for (index, word) in rest.words.iter_mut().enumerate() {
            *word &= !(others[0].words[index] | others[1].words[index]);
        }
        rest
    }

    /// All chunks of the page that are not marked.
    pub(crate) fn rest(&self) -> Self {
        let mut rest = self.clone();
        rest.words.iter_mut().for_each(|word| *word = !*word);
        // The last word has bits for chunks that the page does not have.
        let over = self.chunks % u64::BITS;
        if let Some(last) = rest.words.last_mut().filter(|_| over > 0) {
            *last &= (1 << over) - 1;
        }
        rest
    }

    /// The `index`-th chunk that is marked: a fair choice needs only a number below [`count`](Self::count).
    pub(crate) fn nth(&self, mut index: u32) -> Option<u32> {
        for (place, word) in self.words.iter().enumerate() {
            let here = word.count_ones();
            if index < here {
                return Some(place as u32 * u64::BITS + nth_bit(*word, index));
            }
            index -= here;
        }
        None
    }

    /// The chunks, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(place, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(place as u32 * u64::BITS + bit)
            })
        })
    }

    /// The set as it travels.
    pub(crate) fn ranges(&self) -> Ranges {
        Ranges::of_ascending(self.iter())
    }
}

impl Clone for Marks {
    /// Copied in one piece: the derived one goes word by word, and choices clone often.
    fn clone(&self) -> Self {
        Self {
            words: SmallVec::from_slice(&self.words),
            chunks: self.chunks,
        }
    }
}

/// Where the `index`-th bit of a word is that has more than so many: the byte by its sums, then bit by bit.
const fn nth_bit(word: u64, index: u32) -> u32 {
    let pairs = word - ((word >> 1) & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    let bytes = (fours + (fours >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    // Each byte becomes the number of bits in it and in those below it.
    let mut sums = bytes.wrapping_mul(0x0101_0101_0101_0101);
    let (mut place, mut below) = (0, 0);
    while sums as u8 as u32 <= index && place < u64::BITS - 8 {
        below = sums as u8 as u32;
        sums >>= 8;
        place += 8;
    }
    let (mut byte, mut left) = (word >> place, index - below);
    while left > 0 {
        byte &= byte - 1;
        left -= 1;
    }
    place + byte.trailing_zeros()
}

const fn word(chunk: u32) -> usize {
    (chunk / u64::BITS) as usize
}

const fn bit(chunk: u32) -> u64 {
    1 << (chunk % u64::BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_agree_with_a_set(chunks in 1..300_u32, steps in prop::collection::vec((any::<bool>(), 0..310_u32), 0..200)) {
            let (mut marks, mut twin) = (Marks::new(chunks), BTreeSet::new());
            for (set, chunk) in steps {
                if set {
                    marks.set(chunk);
                    twin.extend((chunk < chunks).then_some(chunk));
                } else {
                    marks.clear(chunk);
                    twin.remove(&chunk);
                }
            }
            prop_assert_eq!(marks.iter().collect::<Vec<_>>(), twin.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(marks.count() as usize, twin.len());
            prop_assert_eq!(marks.is_full(), twin.len() == chunks as usize);
            for (index, chunk) in twin.iter().enumerate() {
                prop_assert!(marks.has(*chunk));
                prop_assert_eq!(marks.nth(index as u32), Some(*chunk));
            }
            prop_assert_eq!(marks.nth(marks.count()), None);
            let rest: BTreeSet<_> = (0..chunks).filter(|chunk| !twin.contains(chunk)).collect();
            prop_assert_eq!(marks.rest().iter().collect::<BTreeSet<_>>(), rest);
            let mut learnt = Marks::new(chunks);
            learnt.learn(&marks.ranges());
            prop_assert_eq!(learnt, marks);
        }
    }
}
