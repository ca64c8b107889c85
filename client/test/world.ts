/**
 * A network of visitors around the real state machine: a queue of events in simulated time, links with latency that can
 * break, liars, and an origin. All chance comes from one seed.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { credit } from "../src/ledger.ts";
import { BLOCK, CHUNK, chunkCount, chunkLength, objectOf, type PageObject } from "../src/manifest.ts";
import { encode } from "../src/message.ts";
import { swarm, type Swarm } from "../src/state.ts";
import { memory } from "../src/store.ts";
import { handle, poll, type Input, type Output } from "../src/swarm.ts";

export interface Setting {
  seed: number;
  visitors: number;
  /** Milliseconds between two arrivals. */
  every: number;
  /** Bytes of each object. */
  lengths: number[];
  /** How many of the first visitors send wrong bytes, and the chance that a link breaks in a second. */
  liars?: number;
  breaks?: number;
  /** The first answers of the origin that are 503. */
  busy?: number;
  /** Bytes of memory of each visitor. */
  budget?: number;
}

export interface Visitor {
  id: number;
  swarm: Swarm;
  liar: boolean;
  done: number | undefined;
  failed: number[];
  dropped: Map<number, number>;
  got: { origin: number; peer: number };
}

export interface World {
  now: number;
  visitors: Visitor[];
  fetched: number;
  objects: PageObject[];
  bytes: Map<PageObject, Uint8Array<ArrayBuffer>>;
}

/** Runs until nothing happens any more, or for two simulated minutes; `each` looks at every visitor after every event. */
export function run(setting: Setting, each: (visitor: Visitor, world: World) => void): World {
  const random = mulberry(setting.seed);
  const { objects, bytes } = page(setting.lengths, random);
  const world: World = { now: 0, visitors: [], fetched: 0, objects, bytes };
  const queue: { at: number; order: number; what: () => void }[] = [];
  const links = new Map<string, { latency: number; open: boolean; last: number }>();
  let order = 0;
  let busy = setting.busy ?? 0;

  const later = (delay: number, what: () => void): void => {
    queue.push({ at: world.now + delay, order: order++, what });
  };
  const between = (a: number, b: number): string => `${Math.min(a, b)}-${Math.max(a, b)}`;
  const tell = (visitor: Visitor, input: Input): void => {
    handle(visitor.swarm, input, world.now);
    for (let output = poll(visitor.swarm); output; output = poll(visitor.swarm)) obey(visitor, output);
    each(visitor, world);
  };
  const sever = (a: number, b: number): void => {
    const link = links.get(between(a, b));
    if (!link?.open) return;
    link.open = false;
    for (const [one, other] of [[a, b], [b, a]] as const) {
      later(link.latency, () => {
        const visitor = world.visitors[one];
        if (visitor) tell(visitor, { kind: "closed", link: other });
      });
    }
  };
  const obey = (visitor: Visitor, output: Output): void => {
    // Law 3, at every instant: also between two outputs of one step.
    const { ledger } = visitor.swarm;
    assert(ledger.given <= ledger.origin + ledger.peer, `visitor ${visitor.id} gave ${ledger.given}`);
    assert(credit(ledger) >= 0);
    if (output.kind === "send") {
      const link = links.get(between(visitor.id, output.link));
      if (!link?.open) return;
      let message = encode(output.message);
      if (visitor.liar && output.message.kind === "block") {
        message = message.slice();
        message[message.length - 1]! ^= 1;
      }
      // The channel is ordered; a block takes a millisecond of the link.
      link.last = Math.max(link.last + (message.length > 512 ? 1 : 0), world.now + link.latency);
      later(link.last - world.now, () => {
        const other = world.visitors[output.link];
        if (other && link.open) tell(other, { kind: "heard", link: visitor.id, bytes: message });
      });
    } else if (output.kind === "drop") {
      visitor.dropped.set(output.link, output.fault);
      sever(visitor.id, output.link);
    } else if (output.kind === "fetch") {
      fetch(visitor, output.chunk, output.count);
    } else if (output.kind === "got") {
      const object = objectOf(objects, output.chunk);
      assert(object);
      visitor.got[output.from] += chunkLength(object, output.chunk);
      // Law 2: what is held is what the origin has.
      assert.deepEqual(visitor.swarm.store.get(output.chunk)?.bytes, chunkOf(bytes, object, output.chunk));
    } else {
      visitor.failed.push(output.chunk);
    }
  };
  const fetch = (visitor: Visitor, chunk: number, count: number): void => {
    const refused = busy-- > 0;
    later(60, () => {
      const object = objectOf(objects, chunk);
      assert(object && objectOf(objects, chunk + count - 1) === object, "one fetch, one object");
      for (let one = chunk; !refused && one < chunk + count; one++) {
        const part = chunkOf(bytes, object, one);
        world.fetched += part.length;
        tell(visitor, { kind: "fetched", chunk: one, bytes: part });
      }
      tell(visitor, { kind: "ended", chunk, count, again: refused ? 1000 : 0 });
    });
  };
  const arrive = (id: number): void => {
    const visitor: Visitor = {
      id,
      swarm: swarm({ manifest: objects, room: new Uint8Array(8), store: memory(setting.budget ?? 1e9), quiet: () => false, random }, world.now),
      liar: id < (setting.liars ?? 0),
      done: undefined,
      failed: [],
      dropped: new Map(),
      got: { origin: 0, peer: 0 },
    };
    world.visitors[id] = visitor;
    tell(visitor, { kind: "want", chunks: objects.flatMap(({ first, length }) => Array.from({ length: chunkCount(length) }, (_, at) => first + at)) });
    later(30, () => {
      tell(visitor, { kind: "welcome", id, others: id });
      const strangers = Array.from({ length: id }, (_, other) => other).sort(() => random() - 0.5).slice(0, 8);
      for (const other of strangers) meet(visitor, other);
    });
    tick(visitor);
  };
  const meet = (visitor: Visitor, other: number): void => {
    tell(visitor, { kind: "meeting" });
    const latency = 5 + random() * 40;
    later(4 * latency, () => {
      links.set(between(visitor.id, other), { latency, open: true, last: world.now });
      for (const [one, link] of [[visitor.id, other], [other, visitor.id]] as const) {
        const them = world.visitors[one];
        if (them) tell(them, { kind: "opened", link });
      }
      if (random() < (setting.breaks ?? 0)) later(random() * 2000, () => { sever(visitor.id, other); });
    });
  };
  const tick = (visitor: Visitor): void => {
    tell(visitor, { kind: "tick" });
    visitor.done ??= visitor.swarm.wanted.size === 0 ? world.now : undefined;
    if (world.now < 120_000 && world.visitors.some(({ done }) => done === undefined)) later(100, () => { tick(visitor); });
  };

  for (let id = 0; id < setting.visitors; id++) later(id * setting.every, () => { arrive(id); });
  while (queue.length > 0) {
    queue.sort((a, b) => b.at - a.at || b.order - a.order);
    const next = queue.pop();
    if (!next) break;
    world.now = next.at;
    next.what();
  }
  return world;
}


function page(lengths: number[], random: () => number): Pick<World, "objects" | "bytes"> {
  const objects: PageObject[] = [];
  const all = new Map<PageObject, Uint8Array<ArrayBuffer>>();
  let first = 0;
  for (const length of lengths) {
    const bytes = Uint8Array.from({ length }, () => Math.floor(random() * 256));
    const object = describe(`/${objects.length}`, bytes, first);
    objects.push(object);
    all.set(object, bytes);
    first += chunkCount(length);
  }
  return { objects, bytes: all };
}

function chunkOf(bytes: World["bytes"], object: PageObject, chunk: number): Uint8Array<ArrayBuffer> {
  const at = (chunk - object.first) * CHUNK;
  const all = bytes.get(object);
  assert(all);
  return all.slice(at, at + CHUNK);
}

/** The manifest's entry for `bytes`, with the digests made by node's own SHA-256. */
export function describe(url: string, bytes: Uint8Array, first: number): PageObject {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const blocks: Uint8Array[] = [];
    for (let from = at; from < Math.min(at + CHUNK, bytes.length); from += BLOCK) {
      blocks.push(sha(bytes.subarray(from, Math.min(from + BLOCK, at + CHUNK))));
    }
    chunks.push(sha(Buffer.concat(blocks)));
  }
  const list = new Uint8Array(Buffer.concat(chunks));
  const digest = Buffer.from(sha(list)).toString("hex");
  return { url, type: "image/png", length: bytes.length, etag: '"x"', first, digest, headers: {}, chunks: list, origin: 0, peer: 0, failed: false };
}

function sha(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest().subarray(0, 16);
}

/** A small generator of random numbers in `0..1`. */
export function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
