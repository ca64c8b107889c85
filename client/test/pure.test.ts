import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { addressOf, candidateOf, candidateText, identityOf, answer, type Candidate } from "../src/identity.ts";
import { balance, credit, give, ledger } from "../src/ledger.ts";
import { readPage } from "../src/page.ts";
import { spansOf } from "../src/ranges.ts";
import { reachable } from "../src/reach.ts";
import * as rules from "../src/rules.ts";
import { memory } from "../src/store.ts";
import { rangeApplies, spanOf } from "../src/worker/range.ts";
import { mulberry } from "./world.ts";

test("law 3: the ledger books what there is credit for, and nothing else", () => {
  const of = ledger();
  const them = { given: 0, got: 0 };
  assert(!give(of, them, 1), "the first visitor can give nothing before it has something");
  of.origin = 3000;
  of.peer = 1000;
  assert(give(of, them, 1024) && give(of, them, 2976));
  assert.equal(credit(of), 0);
  assert(!give(of, them, 1));
  assert.equal(balance(them), 4000);
  assert.deepEqual(of, { origin: 3000, peer: 1000, given: 4000 });
});

test("the spans of a set are disjoint, sorted, do not touch, and name its members", () => {
  const random = mulberry(7);
  const set = new Set<number>();
  for (let step = 0; step < 2000; step++) {
    set[random() < 0.5 ? "add" : "delete"](Math.floor(random() * 90));
    const found: number[] = [];
    let end = -1;
    for (const [start, stop] of spansOf(set)) {
      assert(start > end && stop > start);
      end = stop;
      for (let chunk = start; chunk < stop; chunk++) found.push(chunk);
    }
    assert.deepEqual(found, [...set].sort((a, b) => a - b));
  }
});

test("the rules are those of Rust", () => {
  const rust = readFileSync(new URL("../../src/swarm/rules.rs", import.meta.url), "utf8");
  const defaults = /fn default\(\) -> Self \{\s*Self \{(.*?)\}/s.exec(rust)?.[1] ?? "";
  const value = (text: string): number => {
    const [, seconds] = /from_secs\((\d+)\)/.exec(text) ?? [];
    const [, milliseconds] = /from_millis\((\d+)\)/.exec(text) ?? [];
    if (seconds !== undefined) return Number(seconds) * 1000;
    return Number(milliseconds ?? text.split("*").reduce((product, factor) => product * Number(factor), 1));
  };
  const theirs = Object.fromEntries([...defaults.matchAll(/(\w+): (.+),/g)].map(([, name = "", text = ""]) => [name.toUpperCase(), value(text)]));
  assert(rules.LOOK <= theirs["ANNOUNCE"]!, "told when looked, at the latest");
  for (const [name, ours] of Object.entries(rules)) assert.equal(ours, theirs[name], name);
});

test("candidates are handed on by the broker's rules", () => {
  const at = (host: string): Candidate => {
    const [family, bytes] = addressOf(host);
    return { place: family, priority: 1, host: bytes, port: 9 };
  };
  const inside =
    "10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 127.0.0.1 169.254.1.1 100.64.0.1 100.127.0.1 198.18.0.1 198.19.1.1 192.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 240.0.0.1 0.1.2.3 fc00::1 fe80::1 ::1 2001:db8::1 2001::1 2002::1 ::ffff:7f00:1 ::ffff:a00:1 64:ff9b::1";
  for (const host of inside.split(" ")) assert.deepEqual([reachable(at(host), false), reachable(at(host), true)], [false, true], host);
  for (const host of "0.0.0.0 255.255.255.255 224.0.0.1 239.1.1.1 :: ff02::1 ::ffff:e000:1".split(" ")) assert(!reachable(at(host), true), host);
  for (const host of "8.8.8.8 172.32.0.1 100.128.0.1 100.63.0.1 192.0.1.1 198.20.0.1 203.0.114.1 223.255.0.1 2600::1 2a00:1450::1 ::ffff:808:808 3fff::1".split(" ")) {
    assert(reachable(at(host), false) && reachable(at(host), true), host);
  }
  const hidden = at("00112233-4455-6677-8899-aabbccddeeff.local");
  assert(!reachable(hidden, false) && reachable(hidden, true));
});

test("a Range header is read as RFC 9110 says", () => {
  const part = (from: number, to: number): object => ({ kind: "part", from, to });
  const whole = { kind: "whole" };
  const cases: [string | null, object][] = [
    [null, whole],
    ["bytes=0-", part(0, 100)],
    ["bytes=0-0", part(0, 1)],
    ["bytes=99-", part(99, 100)],
    ["bytes=10-19", part(10, 20)],
    ["bytes=10-1000", part(10, 100)],
    ["BYTES=10-19", part(10, 20)],
    ["bytes=-1", part(99, 100)],
    ["bytes=-1000", part(0, 100)],
    ["bytes=-0", { kind: "unsatisfiable" }],
    ["bytes=100-", { kind: "unsatisfiable" }],
    ["bytes=100-200", { kind: "unsatisfiable" }],
    ["bytes=0-1,5-6", { kind: "several" }],
    ["bytes=20-10", whole],
    ["bytes=-", whole],
    ["bytes=a-b", whole],
    ["chunks=0-1", whole],
  ];
  for (const [range, expected] of cases) assert.deepEqual(spanOf(range, 100), expected, `${range}`);
  assert(rangeApplies(null, '"a"') && rangeApplies('"a"', '"a"'));
  assert(!rangeApplies('"b"', '"a"') && !rangeApplies('W/"a"', 'W/"a"') && !rangeApplies("Sun, 22 Nov 2026 00:00:00 GMT", '"a"'));
});

test("an identity is what a browser's description says, and nothing that it does not", () => {
  const fingerprint = Uint8Array.from({ length: 32 }, (_, at) => 255 - at);
  const sdp = answer({ ufrag: "aZ0+", pwd: "a".repeat(24), fingerprint }, true);
  assert.deepEqual(identityOf(sdp), { ufrag: "aZ0+", pwd: "a".repeat(24), fingerprint });
  assert.match(sdp, /^a=setup:passive\r$/m);
  assert.equal(identityOf(sdp.replace("a=ice-pwd", "a=x")), undefined);
  assert.equal(identityOf(sdp.replace(":FE", "")), undefined);
});

test("candidates that never travel are left out, the others come back as they were", () => {
  const line = (address: string, rest = "typ host"): string => `candidate:1 1 udp 2122260223 ${address} 50000 ${rest}`;
  for (const address of ["192.0.2.7", "2001:0db8:0000:0000:0000:0000:0000:0007", "00112233-4455-6677-8899-aabbccddeeff.local"]) {
    const found = candidateOf(`${line(address)} generation 0`);
    assert(found, address);
    assert.equal(candidateText(found), line(address));
  }
  assert.deepEqual(candidateOf(line("::1"))?.host, Uint8Array.of(...Array<number>(15).fill(0), 1));
  const reflexive = candidateOf(line("198.51.100.9", "typ srflx raddr 10.0.0.1 rport 9"));
  assert.equal(reflexive && candidateText(reflexive), line("198.51.100.9", "typ srflx raddr 0.0.0.0 rport 0"));
  for (const text of [
    "",
    line("192.0.2.7", "typ relay"),
    line("192.0.2.7").replace("udp", "tcp"),
    line("192.0.2.7").replace(" 1 udp", " 2 udp"),
    line("192.0.2"),
    line("host.example"),
  ]) {
    assert.equal(candidateOf(text), undefined, text);
  }
});

test("the page's JSON is read, or nothing is", () => {
  const object = { url: "/b.jpg?x=1", type: "image/jpeg", length: 20_000, etag: '"e"', first: 4, digest: "00".repeat(16) };
  const json = {
    v: 1,
    room: "0123456789abcdef",
    token: Buffer.alloc(29, 0xfb).toString("base64"),
    depth: "media",
    hold_ms: 300,
    lan: false,
    stun: 3478,
    objects: [object, { ...object, url: "/a.jpg", first: 0, chunks: Buffer.alloc(32).toString("base64") }],
  };
  const read = (changes: object): ReturnType<typeof readPage> =>
    readPage(JSON.stringify({ ...json, ...changes }), "https://site.example:8443/page");
  const page = read({});
  assert(page);
  assert.deepEqual([page.token, page.stun, page.hold], [new Uint8Array(29).fill(0xfb), "stun:site.example:3478", 300]);
  assert.deepEqual(
    page.manifest.map(({ url, first, chunks }) => [url, first, chunks?.length]),
    [["https://site.example:8443/a.jpg", 0, 32], ["https://site.example:8443/b.jpg?x=1", 4, undefined]],
  );
  assert.equal(read({ stun: "stun:other.example:3478" })?.stun, "stun:other.example:3478");
  for (const changes of [{ v: 2 }, { objects: null }, { token: "*" }, { objects: [{ ...object, url: "http://[" }] }]) {
    assert.equal(read(changes), undefined, JSON.stringify(changes));
  }
  assert.equal(readPage("<!doctype html>", "https://site.example/"), undefined);
  assert.equal(readPage(undefined, "https://site.example/"), undefined);
});

test("the store keeps to its budget, and forgets what was used longest ago", () => {
  const store = memory(100);
  const held = { bytes: new Uint8Array(40), digests: new Uint8Array(16) };
  assert.deepEqual([store.put(1, held), store.put(2, held)], [[], []]);
  assert.equal(store.get(1), held);
  assert.deepEqual(store.put(3, held), [2]);
  assert.equal(store.get(2), undefined);
  assert.deepEqual(store.put(3, held), [], "put twice, counted once");
});
