/** What is known of one neighbour, and of one chunk that is wanted. Pure records; `asking.ts` and `giving.ts` use them. */
import { BLOCK } from "./manifest";
import { SPONSOR, TRUST, TRUST_MAX } from "./rules";
import { balance, type Pair } from "./ledger";

export interface Neighbour extends Pair {
  readonly link: number;
  /** Who introduced it: what it tells of itself before there is a link comes that way. */
  readonly by: number;
  /** What it may owe before it has given any. */
  readonly first: number;
  /** Since when there is a link. */
  opened?: number;
  /** What it says it holds. */
  readonly held: Set<number>;
  /** What came since it was told what we hold, and it does not. */
  readonly fresh: Set<number>;
  /** When it last gave anything. */
  gave: number;
  /** What it last said it may give, in units of 2 KiB. */
  credit: number;
  greeted: boolean;
  /** More is queued towards it than is good. */
  full?: boolean;
  /** The broker named us its sponsor. */
  sponsored?: boolean;
  /** Messages since the last look, blocks not counted: those are bounded by what was asked. */
  words: number;
  /** What it was asked for last and still owes; `heard` is when the asking or the last useful block was. */
  ask?: { chunk: number; heard: number } | undefined;
  /** What it was asked for and need not send any more, which it does not know yet. */
  stale?: number | undefined;
  /** What it was asked for and has not begun to send, oldest first: it may still answer what was cancelled. */
  expected: number[];
  /** The chunk whose proof it sent last: its blocks are of that one. */
  sending?: number;
  /** What it asked of us and what it is to be given then, and since when. */
  wishes: { chunk: number; block: number; proven?: boolean; since: number }[];
  /** Since when it owes as much as it may, and gives nothing. */
  limit?: number | undefined;
  /** When it may ask again to be introduced, and whether it was asked to introduce. */
  seeks: number;
  sought?: boolean;
  /** Whether it was told the lists of digests: once is enough. */
  taught?: boolean;
}

export function neighbour(link: number, by: number, first: number): Neighbour {
  return {
    link,
    by,
    first,
    held: new Set(),
    fresh: new Set(),
    given: 0,
    got: 0,
    gave: -Infinity,
    credit: 0,
    greeted: false,
    words: 0,
    wishes: [],
    expected: [],
    seeks: 0,
  };
}

/** Bytes that it may owe: little at first, more as it gives. */
export function trust({ first, got, sponsored }: Neighbour): number {
  return Math.min(first + got, TRUST_MAX) + (sponsored ? SPONSOR : 0);
}

/** Whether it gives, if it goes by our rules and takes us for a stranger: we do not owe it as much as we may. */
export function trustsUs(them: Neighbour): boolean {
  return BLOCK - balance(them) <= Math.min(TRUST + them.given, TRUST_MAX);
}

export enum Bringer {
  Nobody,
  Peer,
  Origin,
}

export interface Wanted {
  /** Who is to bring it. */
  from: Bringer;
  /** When a neighbour was last seen that holds it and can be expected to give it, or when the wanting began. */
  covered: number;
  /** How often in turn neighbours brought nothing of it, and how often a request to the origin broke. */
  failures: number;
  breaks: number;
}

export function wanted(now: number): Wanted {
  return { from: Bringer.Nobody, covered: now, failures: 0, breaks: 0 };
}
