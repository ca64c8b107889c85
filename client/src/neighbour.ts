/** What is known of one neighbour, and of one chunk that is wanted. Pure records; `asking.ts` and `giving.ts` use them. */
import type { Partial } from "./chunk";
import type { Ranges } from "./ranges";

export interface Neighbour {
  readonly link: number;
  /** What it says it holds. */
  readonly held: Ranges;
  /** What it last said it may give, in units of 2 KiB. */
  credit: number;
  greeted: boolean;
  /** More is queued towards it than is good. */
  full: boolean;
  /** Payload bytes given to it, and got from it. */
  given: number;
  got: number;
  /** The credit that it was last told. */
  told: number;
  /** What it was asked for last and still owes; `heard` is when the asking or the last useful block was. */
  ask?: { chunk: number; since: number; heard: number } | undefined;
  /** What it was asked for and has not begun to send, oldest first: it may still answer what was cancelled. */
  expected: number[];
  /** The chunk whose proof it sent last: its blocks are of that one. */
  sending?: number;
  /** It stalled: not to be asked before. */
  rests: number;
  /** What it asked of us. */
  asks?: { chunk: number; block: number; proven: boolean } | undefined;
}

export function neighbour(link: number): Neighbour {
  return {
    link,
    held: [],
    credit: 0,
    greeted: false,
    full: false,
    given: 0,
    got: 0,
    told: 0,
    expected: [],
    rests: 0,
  };
}

export interface Wanted {
  /** Who is to bring it. */
  from: "nobody" | "peer" | "origin";
  /** When a neighbour that could give it was last seen, or when the wanting began. */
  covered: number;
  /** How often a neighbour failed to bring it, and how often the origin. */
  failures: number;
  refusals: number;
  /** The origin is not to be asked before. */
  later: number;
  partial?: Partial | undefined;
}

export function wanted(now: number): Wanted {
  return { from: "nobody", covered: now, failures: 0, refusals: 0, later: 0 };
}
