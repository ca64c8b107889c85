/**
 * The lists of digests that the page leaves out where many can tell them: they are told to whoever lacks some, and taken if
 * they are the origin's (law 2). Pure part of `exchange.ts`.
 */
import { accuse, say, type Swarm } from "./state";
import { Fault } from "./fault";
import { DIGEST } from "./sha256";
import { learn, objectOf, TOLD_MOST } from "./manifest";
import { Kind, type Message } from "./message";
import type { Neighbour } from "./neighbour";

/** Lists of one packet: those of some megabytes make one datagram, and the longest half of what a packet may hold. */
const PACKET = 8;
/** Lists that a neighbour is told: with all else that it hears meanwhile it is not flooded. */
const LISTS_MOST = 256;

/** Learn: tells the lists that are known, once on a link: who wants them again is not heard. */
export function teach(of: Swarm, them: Neighbour): false {
  const lists = of.manifest.flatMap(({ first: chunk, chunks: digests }): Message[] =>
    digests?.length && digests.length <= TOLD_MOST * DIGEST ? [{ kind: Kind.Digests, chunk, digests }] : [],
  );
  for (let at = 0; at < LISTS_MOST && !them.taught; at += PACKET) say(of, them, ...lists.slice(at, at + PACKET));
  them.taught = true;
  return false;
}

/** Takes a list that was lacking. What this page has no object for may be one of a neighbour's that knows more. */
export function taught(of: Swarm, them: Neighbour, { chunk, digests }: Message & { kind: Kind.Digests }): boolean {
  const object = objectOf(of.manifest, chunk);
  if (object?.first !== chunk || object.chunks) return false;
  // A view of the message: what is kept is a copy.
  return !learn(object, digests.slice()) && accuse(of, them, Fault.Digest);
}
