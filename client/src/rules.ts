/**
 * The constants of the exchange: those of `src/swarm/rules.rs`, which says why, each with the simulation that decided it
 * (`docs/swarm.md`). A test compares the two. Milliseconds and bytes.
 */

/** Neighbours that are sought, and at most: those beyond came unsought. */
export const LINKS = 6;
export const LINKS_MAX = 12;
/**
 * What a neighbour may owe before it has given any; if a neighbour that got something of it introduced it; at most; and beyond
 * that if the broker named us its sponsor.
 */
export const TRUST = 1024;
export const TRUST_GIVER = 16 * 1024;
export const TRUST_MAX = 32 * 1024;
export const SPONSOR = 16 * 1024;
/** Chunks below which we say that we have no credit. */
export const POOR = 6;
/** How long without a useful byte until a chunk is asked of another neighbour. */
export const RETRY = 750;
/** How long a neighbour may be at its limit, and owe an answer, until it is let go. */
export const EVICT = 1000;
/** How often neighbours are looked over, and told what is new. */
export const LOOK = 250;
/** How long a link may be silent before its Hello. */
export const GREETING = 5000;
/** Chunks that the origin may send out of turn at any time. */
export const SPARE = 6;
/** How long one who was asked for neighbours may say nothing until the next is asked. */
export const SEEK = 2000;
/** How long an introduction by a neighbour is good. */
export const MEET = 15_000;
/** How long one who is to be met may say nothing. */
export const SILENCE = 4000;
/** Introductions that are taken unsought while one is good. */
export const UNSOUGHT = 12;
