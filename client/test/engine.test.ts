/** The engine with a socket, a connection and an origin that are none: who waits for a list of digests, and for how long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { engine, type Engine } from "../src/engine.ts";
import type { Page, PageObject } from "../src/manifest.ts";
import { decode, encode, Kind, VERSION, type Message } from "../src/message.ts";
import { Talk } from "../src/signal.ts";
import { describe } from "./world.ts";

const ROOM = new Uint8Array(8);
const LENGTH = 40_000;
const BYTES = Uint8Array.from({ length: LENGTH }, (_, at) => at % 251);

class Socket {
  static readonly OPEN = 1;
  static last: Socket;
  readonly readyState = 0;
  onmessage?: (event: { data: ArrayBuffer }) => void;
  onclose?: ((event: { code: number }) => void) | null;
  constructor() {
    Socket.last = this;
  }
  close(): void {
    this.onclose?.({ code: 1005 });
  }
  /** What the broker says: type and fields, as bytes. */
  hear(...bytes: number[]): void {
    this.onmessage?.({ data: Uint8Array.from(bytes).buffer });
  }
}

/** A connection whose channel opens when the test says so. */
class Connection {
  static last: Connection;
  readonly localDescription = { sdp: `a=ice-ufrag:abcd\r\na=ice-pwd:${"a".repeat(24)}\r\na=fingerprint:sha-256 ${Array(32).fill("AA").join(":")}\r\n` };
  readonly said: Message[] = [];
  readonly channel: { readyState: string; bufferedAmount: number; send(bytes: Uint8Array): void; onopen?(): void; onmessage?(event: { data: ArrayBuffer }): void } = {
    readyState: "open",
    bufferedAmount: 0,
    send: (bytes) => this.said.push(...(decode(bytes) as Message[])),
  };
  constructor() {
    Connection.last = this;
  }
  createDataChannel(): object {
    return this.channel;
  }
  setLocalDescription(): Promise<void> {
    return Promise.resolve();
  }
  close(): void {
    this.channel.readyState = "closed";
  }
  hear(...messages: Message[]): void {
    this.channel.onmessage?.({ data: encode(...messages).buffer });
  }
}

interface Scene {
  engine: Engine;
  object: PageObject;
  list: Uint8Array;
  /** Paths that the origin was asked for, and when after the start. */
  asked: { path: string; at: number }[];
  /** What the worker's port was told; and asks there for more. */
  told: { what: string }[];
  more: () => void;
  /** Lets so many milliseconds pass at once. */
  pass: (milliseconds: number) => void;
}

/** A page of one object whose list it leaves out, with one request for it under way; runs `play`, and closes. */
async function scene(play: (scene: Scene) => Promise<void>, length = LENGTH): Promise<void> {
  const start = performance.now();
  const clock = performance.now.bind(performance);
  let skew = 0;
  performance.now = () => clock() + skew;
  const object = describe("https://site.example/a", BYTES, 0);
  const list = object.chunks!;
  object.chunks = undefined;
  const asked: Scene["asked"] = [];
  const told: Scene["told"] = [];
  Object.assign(globalThis, {
    WebSocket: Socket,
    RTCPeerConnection: Connection,
    location: { origin: "https://site.example" },
    document: { hidden: false },
    fetch: (path: string, { signal }: { signal: AbortSignal }) => {
      asked.push({ path, at: performance.now() - start });
      if (signal.aborted) return Promise.reject(new Error("aborted"));
      const body = path.includes("digests") ? list : new Uint8Array(0);
      return Promise.resolve(new Response(body as Uint8Array<ArrayBuffer>, { status: path.includes("digests") ? 200 : 503 }));
    },
  });
  const manifest = [{ ...object, length }];
  const page: Page = { room: ROOM, token: new Uint8Array(29), hold: 0, lan: true, stun: undefined, manifest };
  const visitor = engine(page, false, { changed: () => undefined, calm: () => undefined });
  visitor.join();
  const port = { postMessage: (message: { what: string }) => told.push(message) } as unknown as MessagePort;
  visitor.carry(object.url, 0, LENGTH, port);
  const more = (): void => {
    port.onmessage?.({ data: { what: "more" } } as MessageEvent);
  };
  const pass = (milliseconds: number): void => {
    skew += milliseconds;
  };
  try {
    await play({ engine: visitor, object: manifest[0]!, list, asked, told, more, pass });
  } finally {
    visitor.close();
    performance.now = clock;
  }
}

const turn = (milliseconds = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const WELCOME = [Talk.Welcome, 0, 0, 0, 9, 0, 5];

/** Meets visitor 7, whose link opens; gives what is said to it. */
async function meet(): Promise<Connection> {
  Socket.last.hear(...WELCOME);
  Socket.last.hear(Talk.Meet, 0, 0, 0, 7);
  const link = Connection.last;
  link.channel.onopen?.();
  await turn();
  return link;
}

test("a list that a neighbour tells is asked of nobody else, and the asking begins at once", () =>
  scene(async ({ object, list, asked }) => {
    const link = await meet();
    assert.deepEqual(link.said.map(({ kind }) => kind), [Kind.Hello, Kind.Learn]);
    // The seed waits for the list as well.
    Socket.last.hear(Talk.Chunk, 0, 0, 0, 1, ...BYTES.slice(16_384, 32_768));
    link.hear({ kind: Kind.Hello, wireVersion: VERSION, room: ROOM, id: 7 }, { kind: Kind.Have, credit: 16, ranges: [[0, 3]] });
    await turn();
    assert(!link.said.some(({ kind }) => kind === Kind.Ask));
    link.hear({ kind: Kind.Digests, chunk: 0, digests: list });
    await turn();
    assert(link.said.some(({ kind }) => kind === Kind.Ask));
    assert.equal(object.origin, 16_384, "the seed");
    await turn(1300);
    assert(!asked.some(({ path }) => path.includes("digests")));
  }));

test("a list that nobody tells in time is fetched, and once", () =>
  scene(async ({ object, asked, told }) => {
    await meet();
    Socket.last.hear(Talk.Chunk, 0, 0, 0, 1, ...BYTES.slice(16_384, 32_768));
    await turn(900);
    assert.equal(asked.length, 0);
    await turn(500);
    assert.equal(asked.filter(({ path }) => path.includes("digests")).length, 1);
    assert.equal(object.origin, 16_384, "the seed");
    assert(!told.some(({ what }) => what === "pass"));
  }));

test("where nobody is there to tell a list, or can be met, it is fetched at once", async () => {
  await scene(async ({ asked }) => {
    await turn(50);
    assert.equal(asked.length, 0);
    Socket.last.hear(Talk.Welcome, 0, 0, 0, 9, 0, 0);
    await turn();
    assert.equal(asked[0]?.path, `/.flashback/digests/${describe("", BYTES, 0).digest}`);
  });
  await scene(async ({ asked }) => {
    Socket.last.onclose?.({ code: 4002 });
    await turn();
    assert.equal(asked[0]?.path, `/.flashback/digests/${describe("", BYTES, 0).digest}`);
  });
});

test("the list of a long object is the origin's to tell, at once", () =>
  scene(async ({ asked }) => {
    await turn();
    assert.equal(asked.length, 1);
  }, 129 * 16_384));

test("a request is left to the network when nothing of anything has come for ten seconds", () =>
  scene(async ({ object, told, more, pass }) => {
    const passed = (): boolean => told.some(({ what }) => what === "pass");
    Socket.last.hear(Talk.Welcome, 0, 0, 0, 9, 0, 0);
    await turn();
    more();
    pass(9_000);
    // Not what is waited for, but a sign that the rest may come.
    Socket.last.hear(Talk.Chunk, 0, 0, 0, 1, ...BYTES.slice(16_384, 32_768));
    await turn(300);
    assert.equal(object.origin, 16_384);
    pass(9_000);
    await turn(300);
    assert(!passed());
    pass(1_000);
    await turn(300);
    assert(passed());
  }));

test("who leaves waits for nothing", () =>
  scene(async ({ engine, told }) => {
    await meet();
    engine.close();
    await turn();
    assert(told.some(({ what }) => what === "pass"));
  }));
