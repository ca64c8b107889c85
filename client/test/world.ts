/**
 * A network of visitors around the real state machine: a queue of events in simulated time, links with latency that can
 * break, liars, takers, and an origin with its broker. All chance comes from one seed.
 */
import { SPARE } from "../src/rules.ts";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Part, type Body } from "../src/body.ts";
import { handle, poll } from "../src/exchange.ts";
import { BROKER } from "../src/introducing.ts";
import { balance, credit } from "../src/ledger.ts";
import { BLOCK, CHUNK, chunkCount, chunkLength, lacks, objectOf, type PageObject } from "../src/manifest.ts";
import { encode, Kind } from "../src/message.ts";
import { trust } from "../src/neighbour.ts";
import { LINKS_MAX, LOOK } from "../src/rules.ts";
import { Talk, type FromVisitor } from "../src/signal.ts";
import { swarm, type Swarm } from "../src/state.ts";
import { In, Out, type Input, type Output, type Told } from "../src/step.ts";
import { memory } from "../src/store.ts";

export interface Setting {
  seed: number;
  visitors: number;
  /** Milliseconds between two arrivals. */
  every: number;
  /** Bytes of each object. */
  lengths: number[];
  /** How many of the first visitors but one send wrong bytes, or wrong lists; how many after them take and never give. */
  liars?: number;
  takers?: number;
  /** The chance that a link breaks within two seconds. */
  breaks?: number;
  /** The first answers of the origin that are 503. */
  busy?: number;
  /** Requests for this chunk break, and bring nothing. */
  broken?: number;
  /** Bytes of memory of each visitor. */
  budget?: number;
  /** When the broker dies, and all sockets with it. */
  brokerless?: number;
  /** Milliseconds after which a page wants anything: its worker has to start. Its seed comes before. */
  late?: number;
  /** Milliseconds between two chunks that the origin has to spare; for ever if absent. */
  spare?: number;
  /** Visitors, the first, whose page has the digests; that of all others leaves them out. All, if absent. */
  lists?: number;
}

export interface Visitor {
  id: number;
  swarm: Swarm;
  liar: boolean;
  taker: boolean;
  /** Whether its page wants anything yet. */
  begun: boolean;
  done: number | undefined;
  failed: number[];
  accused: Map<number, number>;
  /** What it leaves to the origin, and what it said of that last. */
  spare: number[];
  said: number[];
  /** The chunks that the origin sent, over the socket and over HTTP. */
  seeds: number[];
  fetched: number[];
  /** Lists of digests that it fetched, because nobody told them in time. */
  lists: number;
  /** Chunks that came ahead of their digests, and wait for them. */
  early: (Told & { kind: Talk.Chunk })[];
  got: { origin: number; peer: number };
}

export interface World {
  now: number;
  visitors: Visitor[];
  /** Bytes that the origin sent over HTTP, and over the sockets. */
  fetched: number;
  seeded: number;
  /** Links that opened, by who introduced them: when, and by whom. */
  met: { at: number; by: number }[];
  objects: PageObject[];
  bytes: Map<PageObject, Uint8Array<ArrayBuffer>>;
}

const WORD: Body = {
  kind: Part.Identity,
  identity: { ufrag: "aZ0+", pwd: "a".repeat(24), fingerprint: new Uint8Array(32) },
};
/** Milliseconds for a link to open, in `link.ts`, and for a neighbour to tell a list of digests, in `engine.ts`. */
const OPENING = 10_000;
const TELLING = 1000;

/** Runs until all who are honest are done, or for two simulated minutes; `each` looks at every visitor after every event. */
export function run(setting: Setting, each: (visitor: Visitor, world: World) => void): World {
  const random = mulberry(setting.seed);
  const { objects, bytes } = page(setting.lengths, random);
  const world: World = { now: 0, visitors: [], fetched: 0, seeded: 0, met: [], objects, bytes };
  const chunksOf = (some: readonly PageObject[]): number[] =>
    some.flatMap(({ first, length }) => Array.from({ length: chunkCount(length) }, (_, at) => first + at));
  const all = chunksOf(objects);
  const queue: { at: number; order: number; what: () => void }[] = [];
  const links = new Map<string, { latency: number; open: boolean; last: number }>();
  /** What each side of a link that is beginning knows: who introduced it, and whether it has heard the other. */
  const sides = new Map<string, { by: number; heard: boolean }>();
  const introduced = new Set<string>();
  const last = new Map<number, number>();
  let order = 0;
  let busy = setting.busy ?? 0;
  const brokerless = (): boolean => world.now >= (setting.brokerless ?? Infinity);

  const later = (delay: number, what: () => void): void => {
    queue.push({ at: world.now + delay, order: order++, what });
  };
  const between = (a: number, b: number): string => `${Math.min(a, b)}-${Math.max(a, b)}`;
  const tell = (visitor: Visitor, input: Input): void => {
    const lacked = visitor.swarm.manifest.filter(lacks);
    handle(visitor.swarm, input, world.now);
    for (let output = poll(visitor.swarm, world.now); output; output = poll(visitor.swarm, world.now)) obey(visitor, output);
    each(visitor, world);
    if (lacked.some(({ chunks }) => chunks)) learned(visitor);
  };
  /** What waited for a list of digests goes on, as in `engine.ts`. */
  const learned = (visitor: Visitor): void => {
    const early = visitor.early.splice(0);
    for (const message of early) heard(visitor, message);
    want(visitor);
  };
  const heard = (visitor: Visitor, message: Told): void => {
    const object = message.kind === Talk.Chunk && objectOf(visitor.swarm.manifest, message.chunk);
    if (object && !object.chunks) visitor.early.push(message);
    else tell(visitor, { kind: In.Told, message });
  };
  const want = (visitor: Visitor): void => {
    const known = chunksOf(visitor.swarm.manifest.filter(({ chunks }) => chunks));
    if (visitor.begun) tell(visitor, { kind: In.Want, chunks: known });
  };
  const closed = (one: number, link: number): void => {
    const visitor = world.visitors[one];
    if (visitor) tell(visitor, { kind: In.Closed, link });
  };
  const sever = (a: number, b: number): void => {
    const link = links.get(between(a, b));
    sides.delete(`${a}>${b}`);
    if (!link?.open) return;
    link.open = false;
    later(link.latency, () => { closed(a, b); });
    later(link.latency, () => { closed(b, a); });
  };
  const check = (visitor: Visitor): void => {
    // Law 3, at every instant: also between two outputs of one step.
    const { ledger, neighbours, introductions, wanted, spare } = visitor.swarm;
    assert(ledger.given <= ledger.origin + ledger.peer, `visitor ${visitor.id} gave ${ledger.given}`);
    assert(credit(ledger) >= 0);
    assert(neighbours.size <= LINKS_MAX && introductions.length <= 9 * 64 && spare.length <= SPARE);
    for (const them of neighbours.values()) assert(wanted.size === 0 || balance(them) <= Math.max(trust(them), 0) || them.given > 0);
  };
  const obey = (visitor: Visitor, output: Output): void => {
    check(visitor);
    switch (output.kind) {
      case Out.Send:
        send(visitor, output);
        break;
      case Out.Tell:
        later(10, () => { if (!brokerless()) broker(visitor, output.message); });
        break;
      case Out.Meet:
        begin(visitor, output.link, output.by);
        break;
      case Out.Signal:
        hear(visitor.id, output.link);
        break;
      case Out.Close:
        sever(visitor.id, output.link);
        break;
      case Out.Fetch:
        fetch(visitor, output.chunk, output.count);
        break;
      case Out.Got: {
        const object = objectOf(objects, output.chunk);
        assert(object);
        visitor.got[output.from] += chunkLength(object, output.chunk);
        // Law 2: what is held is what the origin has.
        assert.deepEqual(visitor.swarm.store.get(output.chunk)?.bytes, chunkOf(bytes, object, output.chunk));
        break;
      }
      case Out.Failed:
        visitor.failed.push(output.chunk);
    }
  };
  const send = (visitor: Visitor, { link: to, messages }: Output & { kind: Out.Send }): void => {
    // A block and a proof go to the end of their packet.
    const last = messages.at(-1)!;
    const link = links.get(between(visitor.id, to));
    if (!link?.open || (visitor.taker && (last.kind === Kind.Block || last.kind === Kind.Proof))) return;
    let coded = encode(...messages);
    if (visitor.liar && last.kind === (setting.lists === undefined ? Kind.Block : Kind.Digests)) {
      coded = coded.slice();
      coded[coded.length - 1]! ^= 1;
    }
    // The channel is ordered; a block takes a millisecond of the link.
    link.last = Math.max(link.last + (coded.length > 512 ? 1 : 0), world.now + link.latency);
    later(link.last - world.now, () => {
      const other = world.visitors[to];
      if (other && link.open) tell(other, { kind: In.Heard, link: visitor.id, bytes: coded });
    });
  };

  /** What the visitor's socket brings, in order. */
  const told = (visitor: Visitor, message: Told): void => {
    const at = Math.max(world.now + 10 + random() * 20, last.get(visitor.id) ?? 0);
    last.set(visitor.id, at);
    later(at - world.now, () => { if (!brokerless()) heard(visitor, message); });
  };
  const pair = (a: Visitor, b: Visitor): void => {
    introduced.add(between(a.id, b.id));
    told(a, { kind: Talk.Meet, visitor: b.id });
    told(b, { kind: Talk.Meet, visitor: a.id });
  };
  const introduce = (visitor: Visitor, count: number): void => {
    const strangers = world.visitors.filter(({ id }) => id !== visitor.id && !introduced.has(between(id, visitor.id)));
    for (const other of strangers.sort(() => random() - 0.5).slice(0, count)) pair(visitor, other);
  };
  const broker = (visitor: Visitor, message: FromVisitor): void => {
    if (message.kind === Talk.Need) introduce(visitor, message.count);
    else if (message.kind === Talk.Spare) {
      assert.notDeepEqual(message.chunks, visitor.said, "only what differs is told");
      visitor.said = message.chunks;
      // As the broker does: what is on its way already crosses with the wish for it.
      visitor.spare = message.chunks.filter((chunk) => !visitor.seeds.includes(chunk));
    } else if (message.kind === Talk.Accuse) {
      assert(introduced.has(between(visitor.id, message.visitor)), "accused is only whom the broker introduced");
      visitor.accused.set(message.visitor, message.fault);
    }
  };
  const seed = (visitor: Visitor, chunk: number): void => {
    const object = objectOf(objects, chunk);
    assert(object);
    const part = chunkOf(bytes, object, chunk);
    world.seeded += part.length;
    visitor.seeds.push(chunk);
    visitor.spare = visitor.spare.filter((one) => one !== chunk);
    told(visitor, { kind: Talk.Chunk, chunk, bytes: part });
  };
  const idle = (): void => {
    const wishing = world.visitors.filter(({ spare }) => spare.length > 0).sort((a, b) => a.seeds.length - b.seeds.length)[0];
    if (wishing && !brokerless()) seed(wishing, wishing.spare[0]!);
    if (world.now < 120_000) later(setting.spare ?? Infinity, idle);
  };

  const begin = (visitor: Visitor, other: number, by: number): void => {
    sides.set(`${visitor.id}>${other}`, { by, heard: false });
    const give = (): void => {
      if (by !== BROKER) send(visitor, { kind: Out.Send, link: by, messages: [{ kind: Kind.Signal, to: other, body: WORD }] });
      else if (!brokerless()) later(20, () => { hear(other, visitor.id); });
    };
    // The other one's Meet is on its way, too.
    later(by === BROKER ? 40 : 2, give);
    later(OPENING, () => {
      if (sides.delete(`${visitor.id}>${other}`)) closed(visitor.id, other);
    });
  };
  const hear = (one: number, other: number): void => {
    const side = sides.get(`${one}>${other}`);
    const back = sides.get(`${other}>${one}`);
    if (!side) return;
    side.heard = true;
    if (!back?.heard) return;
    sides.delete(`${one}>${other}`);
    sides.delete(`${other}>${one}`);
    const latency = 5 + random() * 40;
    later(4 * latency, () => {
      world.met.push({ at: world.now, by: side.by });
      links.set(between(one, other), { latency, open: true, last: world.now });
      for (const [visitor, link] of [[one, other], [other, one]] as const) tell(world.visitors[visitor]!, { kind: In.Opened, link });
      if (random() < (setting.breaks ?? 0)) later(random() * 2000, () => { sever(one, other); });
    });
  };

  const fetch = (visitor: Visitor, chunk: number, count: number): void => {
    const refused = busy-- > 0;
    const breaks = setting.broken !== undefined && chunk <= setting.broken && setting.broken < chunk + count;
    later(60, () => {
      const object = objectOf(objects, chunk);
      assert(object && objectOf(objects, chunk + count - 1) === object, "one fetch, one object");
      for (let one = chunk; !refused && !breaks && one < chunk + count; one++) {
        const part = chunkOf(bytes, object, one);
        world.fetched += part.length;
        visitor.fetched.push(one);
        tell(visitor, { kind: In.Fetched, chunk: one, bytes: part });
      }
      tell(visitor, { kind: In.Ended, chunk, count, again: refused ? 1000 : 0 });
    });
  };
  const fetchLists = (visitor: Visitor): void => {
    visitor.swarm.manifest.forEach((object, at) => {
      if (object.chunks) return;
      visitor.lists++;
      later(60, () => {
        object.chunks ??= objects[at]!.chunks;
        learned(visitor);
      });
    });
  };
  const arrive = (id: number): void => {
    const liars = setting.liars ?? 0;
    const manifest = objects.map((object) => ({ ...object, chunks: id < (setting.lists ?? Infinity) ? object.chunks : undefined }));
    const visitor: Visitor = {
      id,
      swarm: swarm({ manifest, room: new Uint8Array(8), lan: true, store: memory(setting.budget ?? 1e9), quiet: () => false, chance: random }, world.now),
      liar: id > 0 && id <= liars,
      taker: id > liars && id <= liars + (setting.takers ?? 0),
      begun: false,
      done: undefined,
      failed: [],
      accused: new Map(),
      spare: [],
      said: [],
      seeds: [],
      fetched: [],
      lists: 0,
      early: [],
      got: { origin: 0, peer: 0 },
    };
    world.visitors[id] = visitor;
    later(setting.late ?? 0, () => {
      visitor.begun = true;
      want(visitor);
      tick(visitor);
      later(TELLING, () => { fetchLists(visitor); });
    });
    if (brokerless()) tell(visitor, { kind: In.Lost });
    else {
      told(visitor, { kind: Talk.Welcome, id, others: id });
      introduce(visitor, 2);
      if (id > 0 || setting.late) seed(visitor, all[Math.floor(random() * all.length)]!);
    }
  };
  const tick = (visitor: Visitor): void => {
    tell(visitor, { kind: In.Tick });
    const { wanted, manifest } = visitor.swarm;
    visitor.done ??= wanted.size === 0 && manifest.every(({ chunks }) => chunks) ? world.now : undefined;
    const waits = world.visitors.length < setting.visitors || world.visitors.some(({ done, taker }) => done === undefined && !taker);
    if (world.now < 120_000 && waits) later(LOOK, () => { tick(visitor); });
  };

  for (let id = 0; id < setting.visitors; id++) later(id * setting.every, () => { arrive(id); });
  if (setting.spare !== undefined) later(0, idle);
  if (setting.brokerless !== undefined) {
    later(setting.brokerless, () => { for (const visitor of world.visitors) tell(visitor, { kind: In.Lost }); });
  }
  while (queue.length > 0) {
    const next = queue.reduce((first, one) => (one.at < first.at || (one.at === first.at && one.order < first.order) ? one : first));
    if (next.at === Infinity || next.at > 125_000) break;
    queue.splice(queue.indexOf(next), 1);
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
