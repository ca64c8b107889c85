/**
 * What this visitor got and gave, in payload bytes. Decides whether a block may go, not to whom. Pure.
 *
 * > **Law 3.** At every instant a visitor has sent at most as many payload bytes as it has received of this site's
 * > swarm content, origin bytes counted.
 */

/** Bytes of payload in this visit, verified only. */
export interface Ledger {
  origin: number;
  peer: number;
  given: number;
}

/** What was exchanged with one neighbour, who takes it along when it leaves: the sums stay. */
export interface Pair {
  given: number;
  got: number;
}

/** One unit of the credit that visitors tell each other: 2 KiB. */
export const CREDIT_UNIT = 2048;
/** No more units than this are told: a neighbour needs "enough", not the sum. */
export const CREDIT_MOST = 16;

export function ledger(): Ledger {
  return { origin: 0, peer: 0, given: 0 };
}

/** What was received less what was sent: never below zero. */
export function credit(of: Ledger): number {
  return of.origin + of.peer - of.given;
}

/** Books `bytes` as given, before they go; false, and nothing booked, where law 3 forbids it. */
export function give(of: Ledger, to: Pair, bytes: number): boolean {
  if (bytes > credit(of)) return false;
  of.given += bytes;
  to.given += bytes;
  return true;
}

/** What a neighbour owes: positive if it took more than it gave. */
export function balance(of: Pair): number {
  return of.given - of.got;
}
