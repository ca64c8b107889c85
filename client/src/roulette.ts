/**
 * Whom, and which chunk: the two choices of the exchange, each a pure function of what is seen and a random number.
 */
import { balance } from "./ledger";
import type { Neighbour } from "./neighbour";

/** The rarest, of equals any: what is spread thin is spread first, while somebody has the credit to give it. */
export function whichChunk(candidates: readonly number[], holders: (chunk: number) => number, random: () => number): number | undefined {
  return least(candidates, (chunk) => holders(chunk) + random());
}

/** Milliseconds of waiting that weigh as much as one unit of credit. */
const WAIT = 300;
/** More than any credit and waiting weigh. */
const OWED = 1e12;

/**
 * The one to whom more is owed than it owes; of equals the poorest, for its uplink is idle and a block wakes it; waiting
 * makes up for riches, so that nobody starves; then chance.
 */
export function whom(takers: readonly Neighbour[], now: number, random: () => number): Neighbour | undefined {
  return least(takers, (them) => them.credit * WAIT - (now - them.wish!.since) - (balance(them) < 0 ? OWED : 0) + random());
}

function least<T>(all: readonly T[], rank: (one: T) => number): T | undefined {
  let lowest = Infinity;
  let found: T | undefined;
  for (const one of all) {
    const its = rank(one);
    if (its < lowest) [lowest, found] = [its, one];
  }
  return found;
}
