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

/** Bytes of a packet of lists: with the rest of what travels around it, one datagram. */
const PACKET = 1107;
/** Lists that a neighbour is told: with all else that it hears meanwhile it is not flooded. */
const LISTS_MOST = 256;

/** Learn: tells the lists that are known, in few packets, and once on a link: who wants them again is not heard. */
export function teach(of: Swarm, them: Neighbour): false {
  let lists: Message[] = [];
  let bytes = 0;
  const known = them.taught ? [] : of.manifest.filter(({ chunks }) => chunks?.length && chunks.length <= TOLD_MOST * DIGEST);
  for (const { first: chunk, chunks } of known.slice(0, LISTS_MOST)) {
    const message = { kind: Kind.Digests, chunk, digests: chunks! } as const;
    // Type, chunk and count.
    const length = 6 + message.digests.length;
    bytes += length;
    if (bytes > PACKET) {
      say(of, them, ...lists);
      lists = [];
      bytes = length;
    }
    lists.push(message);
  }
  say(of, them, ...lists);
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
