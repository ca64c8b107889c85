/**
 * The origin's share: what it sends over the broker's socket when it has time, and, where neighbours do not or cannot
 * bring a chunk, what is fetched from it. Pure part of `exchange.ts`; `origin.ts` does the fetching.
 */
import { described, objectOf } from "./manifest";
import { Bringer, trustsUs, type Wanted } from "./neighbour";
import { In, Out, type Input } from "./step";
import { Talk } from "./signal";
import { SPARE } from "./rules";
import { verify } from "./chunk";
import { able, unassigned } from "./asking";
import { keep, linked, tell, type Swarm } from "./state";

/** Requests to the origin at a time of a visitor for whom there is nobody else. */
const FETCHES = 4;
/** Chunks of a request for what the swarm failed: with one of them a look, 128 KB a second. */
const SEED = 2;
/**
 * And where nobody links with us: with one a look 1 MB a second, as an ordinary link would bring. Longer ones leave a thin uplink
 * nothing for the seeds of those who come next.
 */
const RUN = 16;
/**
 * Milliseconds for which no neighbour may be expected to give a chunk: four chances to ask elsewhere. Origins melt under
 * visitors who are impatient.
 */
const PATIENCE = 2000;
/** Neighbours in turn that may fail a chunk, and requests to the origin that may break, before the next way is taken. */
const FAILURES = 4;
const BREAKS = 3;
/** Milliseconds before another request where one broke. */
const RETRY = 250;

/** Leaves some chunks to the origin, should it have time. Those that are read late, for nobody knows whether it has. */
export function reserve(of: Swarm): void {
  const open = of.joined && !of.plain ? unassigned(of) : [];
  const kept = of.spare.filter((chunk) => open.includes(chunk));
  const rest = open.filter((chunk) => !kept.includes(chunk));
  kept.push(
    ...rest
      .slice(rest.length / 2)
      .sort(() => of.chance() - 0.5)
      .slice(0, SPARE - kept.length),
  );
  // What it was told before is void: only what differs is worth a message.
  if (kept.join() !== of.spare.join()) tell(of, { kind: Talk.Spare, chunks: kept });
  of.spare = kept;
}

/** Takes a chunk from the origin, asked or not, if it is the origin's. */
export function take(of: Swarm, chunk: number, bytes: Uint8Array<ArrayBuffer>): boolean {
  const [, expected] = described(of.manifest, chunk);
  const held = expected && verify(bytes, expected);
  if (held && !of.held.has(chunk)) {
    of.ledger.origin += bytes.length;
    keep(of, chunk, held);
  }
  return Boolean(held);
}

/**
 * Gives abandoned chunks to the origin, neighbouring ones in one request: the most urgent, or, where there are
 * neighbours, a few from anywhere. In order, two newcomers would fetch the same and have nothing for each other. Where there
 * is still hope, one request with every look.
 */
export function fetchAll(of: Swarm, now: number, look: boolean): void {
  const alone = of.plain || (!linked(of)[0] && now > of.hope);
  const chunks = alone ? RUN : SEED;
  const wanted = [...of.wanted.keys()];
  if (!alone) wanted.sort(() => of.chance() - 0.5);
  const most = of.plain || (alone && of.joined === false) ? FETCHES : +look;
  for (const chunk of wanted) {
    if (of.fetches >= most || now < of.later) return;
    const count = run(of, alone, chunk, chunks, now);
    if (!count) continue;
    of.fetches++;
    of.outputs.push({ kind: Out.Fetch, chunk, count });
  }
}

/**
 * A fetch has ended: what it did not bring is tried again, elsewhere or later, and given up where that is in vain. An origin that wants to
 * be left alone is, however often it says so: the network would ask it for the whole object, and when it is busy everybody would at
 * once. Whoever gets nothing at all for too long does (`engine.ts`).
 */
export function ended(of: Swarm, { chunk, count, again }: Input & { kind: In.Ended }, now: number): void {
  of.fetches--;
  for (let one = chunk; one < chunk + count; one++) {
    const entry = of.wanted.get(one);
    if (entry?.from !== Bringer.Origin) continue;
    entry.from = Bringer.Nobody;
    if (again === undefined || (!again && ++entry.breaks >= BREAKS)) giveUp(of, one);
    else of.later = now + (again || RETRY);
  }
}

/** Lets the network have a chunk. */
export function giveUp(of: Swarm, chunk: number): void {
  of.wanted.delete(chunk);
  of.outputs.push({ kind: Out.Failed, chunk });
}

/** Marks `chunk` and what follows it in the same object, `most` in all, as far as they are abandoned; gives their number. */
function run(of: Swarm, plain: boolean, chunk: number, most: number, now: number): number {
  const object = objectOf(of.manifest, chunk);
  let count = 0;
  for (; count < most && objectOf(of.manifest, chunk + count) === object; count++) {
    const entry = of.wanted.get(chunk + count);
    if (!entry || !abandoned(of, entry, plain, chunk + count, now)) break;
    entry.from = Bringer.Origin;
  }
  return count;
}

/** Whether the neighbours had their chance. */
function abandoned(of: Swarm, entry: Wanted, plain: boolean, chunk: number, now: number): boolean {
  if (entry.from !== Bringer.Nobody) return false;
  // One who holds the chunk has given lately, or has credit and no reason to keep it.
  const covered = linked(of).some(
    (them) => able(them) && them.held.has(chunk) && (now - them.gave < PATIENCE || (them.credit > 0 && trustsUs(them))),
  );
  if (covered) entry.covered = now;
  else if (plain) return true;
  return entry.failures >= FAILURES || now - entry.covered >= PATIENCE;
}
