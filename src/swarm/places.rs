//! How many links a visitor has room for, and when it leaves: one that has the page keeps nobody out of its place, and one that
//! has nothing left to give is of no use to anybody.

use crate::{
    content::BLOCK,
    swarm::{Moment, Output, Payload, Swarm, neighbour::Neighbour},
};

impl<P: Payload> Swarm<P> {
    /// Whether the page is here and what it brought is given: nothing will come to be given any more.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.is_complete() && self.ledger.credit() < BLOCK as u64
    }

    /// Whether one more link may be made, by whomever.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// Links that may be added, meetings counted as links.
    pub(super) fn room(&self) -> usize {
        self.most(false).saturating_sub(self.taken() + self.meetings())
    }

    /// Links at most. Somewhat more if the broker makes one more: whom it introduces is most often a newcomer, who knows nobody
    /// else, and it hears of links that neighbours made seconds later. None for one that has left.
    pub(super) fn most(&self, by_broker: bool) -> usize {
        if self.spent >= LOOKS {
            return 0;
        }
        let beyond = if by_broker { self.rules.introductions } else { 0 };
        usize::from(self.rules.links_max) + usize::from(beyond)
    }

    /// Links that keep others out. Where both have the page nothing will be exchanged any more: such a link is good for
    /// introductions alone, and ends when somebody else comes.
    pub(super) fn taken(&self) -> usize {
        self.neighbours.len() - self.idle().count()
    }

    /// Makes room for one more, if it takes that.
    pub(super) fn make_room(&mut self, most: usize) {
        let idle = self.idle().next();
        if self.neighbours.len() >= most
            && let Some(place) = idle
        {
            self.part(place);
        }
    }

    /// Neighbours that help, or may yet. One that has the page takes nothing of us, and its uplink is all that it brings: two of
    /// them count as one.
    pub(super) fn helpers(&self, now: Moment) -> usize {
        let useful = |them: &&Neighbour| them.is_useful(&self.rules, now);
        let useful = self.neighbours.iter().filter(useful);
        // In halves.
        useful
            .map(|them| if them.complete { 1 } else { 2 })
            .sum::<usize>()
            / 2
    }

    /// Leaves for good if it was spent at the last look as well, so that its last block is out.
    pub(super) fn retire(&mut self) {
        if !self.is_spent() || self.spent >= LOOKS {
            return;
        }
        self.spent += 1;
        if self.spent < LOOKS {
            return;
        }
        while !self.neighbours.is_empty() {
            self.part(0);
        }
        self.outputs.push_back(Output::Leave);
    }

    fn idle(&self) -> impl Iterator<Item = usize> + '_ {
        let complete = self.is_complete();
        let both = move |them: &Neighbour| complete && them.complete;
        (0..self.neighbours.len()).filter(move |place| both(&self.neighbours[*place]))
    }

    fn part(&mut self, place: usize) {
        let link = self.neighbours[place].link;
        self.leave(place);
        self.outputs.push_back(Output::Close(link));
    }
}

/// Looks at which one is spent until it leaves.
const LOOKS: u8 = 2;
