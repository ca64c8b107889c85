import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Fault } from "../src/fault.ts";
import { Part, type Body } from "../src/body.ts";
import { fromHex, toHex } from "../src/hex.ts";
import { candidateOf, candidateText, REFLEXIVE, type Candidate, type Identity } from "../src/identity.ts";
import { chunkCount, CHUNK, learn, type PageObject } from "../src/manifest.ts";
import { decode, encode, Kind, VERSION, type Message } from "../src/message.ts";
import { verify } from "../src/chunk.ts";
import { spansOf } from "../src/ranges.ts";
import { digest } from "../src/sha256.ts";
import { decodeSignal, encodeSignal, Talk, type FromVisitor } from "../src/signal.ts";

type Written = Record<string, unknown> & { type: string };

interface Vector {
  name: string;
  hex: string;
  repeat?: [string, number];
  fault?: string;
  from?: "visitor" | "broker";
  /** One, or those of one packet. */
  message?: Written | Written[];
}

/** The contract with the Rust side: never edited here. */
function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), "utf8"));
}

const messages = vectors("messages") as Vector[];
const signals = vectors("signal") as (Vector & { message?: Written })[];

function bytesOf({ hex, repeat }: Vector): Uint8Array {
  return Buffer.from(hex + (repeat ? repeat[0].repeat(repeat[1]) : ""), "hex");
}

function name(fault: Fault): string {
  return Fault[fault].toLowerCase();
}

/** A message as the vectors write it: bytes in hexadecimal, digests in a list. */
function written(message: object, kinds: Record<number, string>): unknown {
  const { kind, ...fields } = message as { kind: number } & Record<string, unknown>;
  // Which the vectors leave out: there is one.
  if (fields["wireVersion"] === VERSION) delete fields["wireVersion"];
  const entries = Object.entries(fields).map(([field, value]): [string, unknown] => {
    if (field === "digests") return [field, toHex(value as Uint8Array).match(/.{32}/g)];
    if (field === "fault") return [field, name(value as Fault)];
    if (field === "outcome") return [field, value === 0 ? "open" : "failed"];
    if (field === "gives") return [field, value === 1];
    if (field === "body") return [field, writtenBody(value as Body)];
    return [field, value instanceof Uint8Array ? toHex(value) : value];
  });
  return { type: kinds[kind]?.toLowerCase().replace("signalled", "signal"), ...Object.fromEntries(entries) };
}

function writtenBody(body: Body): unknown {
  if (body.kind === Part.Identity) {
    return { identity: { ...body.identity, fingerprint: toHex(body.identity.fingerprint) } };
  }
  const { place, priority, port } = body.candidate;
  const kind = place < REFLEXIVE ? "host" : "reflexive";
  return { candidate: { kind, priority, address: address(body.candidate), port } };
}

function address(candidate: Candidate): unknown {
  const text = candidateText(candidate).split(" ")[4] ?? "";
  if (candidate.place % REFLEXIVE === 0) return { mdns: text.replace(".local", "").replaceAll("-", "") };
  return candidate.place % REFLEXIVE === 4 ? text : shortest(text);
}

/** An IPv6 address as Rust prints it. */
function shortest(text: string): string {
  const mapped = /^0000:0000:0000:0000:0000:ffff:(..)(..):(..)(..)$/.exec(text);
  if (mapped) return `::ffff:${mapped.slice(1).map((pair) => parseInt(pair, 16)).join(".")}`;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** The other way: the vectors' form of a message that a visitor sends. */
function read(message: Record<string, unknown> & { type: string }, kinds: object): unknown {
  const { type, ...fields } = message;
  const entries = Object.entries(fields).map(([field, value]): [string, unknown] => {
    if (field === "digests") return [field, fromHex((value as string[]).join(""))];
    if (field === "fault") return [field, Object.entries(Fault).find(([word]) => word.toLowerCase() === value)?.[1]];
    if (field === "outcome") return [field, value === "open" ? 0 : 1];
    if (field === "gives") return [field, Number(value)];
    if (field === "body") return [field, readBody(value as { identity?: object; candidate?: object })];
    return [field, typeof value === "string" ? fromHex(value) : value];
  });
  // Those that have no version ignore it.
  return { kind: Object.entries(kinds).find(([word]) => word.toLowerCase() === type)?.[1] as unknown, wireVersion: VERSION, ...Object.fromEntries(entries) };
}

function readBody({ identity, candidate }: { identity?: object; candidate?: object }): Body {
  if (identity) {
    const fields = identity as { ufrag: string; pwd: string; fingerprint: string };
    const read: Identity = { ...fields, fingerprint: fromHex(fields.fingerprint) };
    return { kind: Part.Identity, identity: read };
  }
  const fields = candidate as { kind: string; priority: number; address: string | { mdns: string }; port: number };
  const dashed = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const text = typeof fields.address === "string" ? fields.address : `${dashed(fields.address.mdns)}.local`;
  // The vectors write a mapped address with a dotted tail, which browsers never do.
  const plain = text.replace(/^::ffff:(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) =>
    `::ffff:${toHex(Uint8Array.from(parts.slice(0, 4), Number)).replace(/^(.{4})/, "$1:")}`,
  );
  const line = `candidate:1 1 udp ${fields.priority} ${plain} ${fields.port} typ ${fields.kind === "host" ? "host" : "srflx"}`;
  const found = candidateOf(line);
  assert(found, line);
  return { kind: Part.Candidate, candidate: found };
}

test("ranges are those of the vectors", () => {
  interface Steps {
    name: string;
    steps?: ["insert" | "remove", number, number][];
    runs: number[][];
    count: number;
    hex: string;
  }
  for (const { name, steps, runs, count: sum, hex } of vectors("ranges") as Steps[]) {
    if (!steps) continue;
    const set = new Set<number>();
    for (const [what, from, to] of steps) {
      for (let chunk = from; chunk < to; chunk++) set[what === "insert" ? "add" : "delete"](chunk);
    }
    const ranges = spansOf(set);
    assert.deepEqual(ranges, runs, name);
    assert.equal(set.size, sum, name);
    // A Have is its type, its credit and the ranges.
    assert.equal(toHex(encode({ kind: Kind.Have, credit: 0, ranges })).slice(4), hex, name);
  }
});

test("messages between visitors are those of the vectors", () => {
  for (const vector of messages) {
    const bytes = bytesOf(vector);
    const decoded = decode(bytes);
    if ("fault" in decoded) {
      assert.equal(name(decoded.fault), vector.fault, vector.name);
    } else {
      const said = [vector.message ?? { type: "" }].flat();
      assert.deepEqual(decoded.map((one) => written(one, Kind)), said, vector.name);
      assert.equal(decoded.map((one) => toHex(encode(one))).join(""), vector.hex, vector.name);
      assert.equal(said.map((one) => toHex(encode(read(one, Kind) as Message))).join(""), vector.hex, vector.name);
    }
  }
});

test("messages from the broker are those of the vectors", () => {
  for (const vector of signals.filter(({ from }) => from === "broker")) {
    const decoded = decodeSignal(bytesOf(vector));
    if (decoded.kind === 0) assert.equal(name(decoded.fault), vector.fault, vector.name);
    else assert.deepEqual(written(decoded, Talk), vector.message, vector.name);
  }
});

test("signals of a visitor are read by the broker's rules too", () => {
  const handed = signals.filter(({ from, hex }) => from === "visitor" && hex.startsWith("41"));
  for (const vector of handed) {
    const bytes = bytesOf(vector);
    bytes[0] = 0x62;
    const decoded = decodeSignal(bytes);
    if (decoded.kind === 0) assert.equal(name(decoded.fault), vector.fault, vector.name);
    else assert(decoded.kind === Talk.Signalled && vector.message, vector.name);
  }
});

test("messages to the broker are those of the vectors", () => {
  for (const vector of signals) {
    if (vector.from !== "visitor" || !vector.message) continue;
    assert.equal(toHex(encodeSignal(read(vector.message, Talk) as FromVisitor)), vector.hex, vector.name);
  }
});

test("digests are those of the vectors", () => {
  interface Digests {
    vectors: { length: number; object: string; chunks: string[]; blocks: string[] }[];
  }
  for (const { length, object, chunks, blocks } of (vectors("digests") as Digests).vectors) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + 3) % 251);
    const list = fromHex(chunks.join(""));
    assert.equal(toHex(digest(list)), object, `object of ${length}`);
    assert.equal(chunks.length, chunkCount(length));
    const last = Math.max(chunks.length - 1, 0) * CHUNK;
    chunks.forEach((expected, at) => {
      const held = verify(bytes.slice(at * CHUNK, (at + 1) * CHUNK), fromHex(expected));
      assert(held, `chunk ${at} of ${length}`);
      if (at * CHUNK === last) assert.equal(toHex(held.digests), blocks.join(""), `blocks of ${length}`);
      const wrong = bytes.slice(at * CHUNK, (at + 1) * CHUNK);
      wrong.set([(wrong[0] ?? 0) ^ 1]);
      assert.equal(verify(wrong, fromHex(expected)), undefined);
    });
    const named = { length, digest: object } as PageObject;
    assert(learn(named, list));
    if (length > 0) assert(!learn(named, list.map((byte) => byte ^ 1)));
  }
});
