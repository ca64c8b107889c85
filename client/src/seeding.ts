/**
 * The origin's share: which chunks are fetched from it, when neighbours do not or cannot bring them. Pure part of
 * `swarm.ts`; `origin.ts` does the fetching.
 */
import { holders } from "./asking";
import { objectOf } from "./manifest";
import type { Wanted } from "./neighbour";
import type { Swarm } from "./state";
import type { Input } from "./swarm";

/** Requests to the origin at a time, and chunks of each (256 KiB), for a visitor without neighbours. */
const FETCHES = 4;
const RUN = 16;
/** Chunks of the one request of a visitor with neighbours: a seed, which makes the credit that the rest travels on. */
const SEED = 2;
/** Abandoned chunks looked at in one go: all that the requests above can carry. */
const LOOK = FETCHES * RUN;
/**
 * Milliseconds for which a chunk may be with no neighbour that can give it. A neighbour without credit gets some with its own
 * next blocks, so this is longer than a stall: origins melt under visitors who are impatient.
 */
const PATIENCE = 1500;
/** Neighbours that may fail a chunk, and refusals of the origin, before the next way is taken. */
const FAILURES = 4;
const REFUSALS = 3;

/**
 * Gives abandoned chunks to the origin, neighbouring ones in one request: the most urgent, or, where there are
 * neighbours, a few from anywhere. In order, two newcomers would fetch the same and have nothing for each other.
 */
export function fetchAll(of: Swarm, now: number): void {
  let looked = 0;
  const alone = !of.neighbours.size;
  const wanted = [...of.wanted];
  if (!alone) wanted.sort(() => of.random() - 0.5);
  for (const [chunk, entry] of wanted) {
    if (of.fetches >= (alone ? FETCHES : 1) || looked++ >= LOOK) return;
    if (!abandoned(of, chunk, entry, now)) continue;
    of.fetches++;
    of.outputs.push({ kind: "fetch", chunk, count: run(of, chunk, alone ? RUN : SEED, now) });
  }
}

/** A fetch has ended: what it did not bring is tried again, elsewhere or later, and given up after that. */
export function ended(of: Swarm, { chunk, count, again }: Input & { kind: "ended" }, now: number): void {
  of.fetches--;
  for (let one = chunk; one < chunk + count; one++) {
    const entry = of.wanted.get(one);
    if (entry?.from !== "origin") continue;
    entry.from = "nobody";
    entry.later = now + (again ?? 0);
    if (again !== undefined && ++entry.refusals < REFUSALS) continue;
    of.wanted.delete(one);
    of.outputs.push({ kind: "failed", chunk: one });
  }
}

/** Marks `chunk` and at most `most` in all that follow it in the same object and state; gives their number. */
function run(of: Swarm, chunk: number, most: number, now: number): number {
  const object = objectOf(of.manifest, chunk);
  let next = chunk;
  for (; next < chunk + most && objectOf(of.manifest, next) === object; next++) {
    const entry = of.wanted.get(next);
    if (!entry || !abandoned(of, next, entry, now)) break;
    entry.from = "origin";
  }
  return next - chunk;
}

/** Whether the neighbours had their chance. */
function abandoned(of: Swarm, chunk: number, entry: Wanted, now: number): boolean {
  if (entry.from !== "nobody" || now < entry.later) return false;
  if (!of.neighbours.size) return now >= of.hope;
  if (holders(of, chunk) > 0) entry.covered = now;
  return entry.failures >= FAILURES || now - entry.covered >= PATIENCE;
}
