import assert from "node:assert/strict";
import { test } from "node:test";
import { run, type Setting, type World } from "./world.ts";

const PAGE = [300_000, 16_384, 8_192, 70_001, 1_000_000];

/** Runs a world from a seed that failures show; everybody must end with the whole page. */
function complete(setting: Omit<Setting, "seed">, seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000)): World {
  console.log(`seed ${seed}`);
  const before = new Map<number, number>();
  const world = run({ seed, ...setting }, ({ id, swarm: { ledger, neighbours, wanted } }) => {
    assert(ledger.given <= ledger.origin + ledger.peer, `law 3: visitor ${id}`);
    assert(ledger.given >= (before.get(id) ?? 0), "what was given stays given");
    before.set(id, ledger.given);
    for (const them of neighbours.values()) {
      assert(!them.ask || wanted.get(them.ask.chunk)?.from === "peer", "who is asked is known to be asked");
    }
  });
  for (const visitor of world.visitors) {
    assert(visitor.done !== undefined, `visitor ${visitor.id} lacks ${visitor.swarm.wanted.size} chunks`);
    assert.deepEqual(visitor.failed, []);
    assert.equal(visitor.got.origin, visitor.swarm.ledger.origin);
  }
  return world;
}

const LENGTH = PAGE.reduce((sum, length) => sum + length, 0);

function peerShare(world: World, from: number): number {
  const late = world.visitors.slice(from);
  return late.reduce((sum, { got }) => sum + got.peer, 0) / (late.length * LENGTH);
}

test("the first visitor has everything from the origin, once", () => {
  const world = complete({ visitors: 1, every: 0, lengths: PAGE });
  assert.equal(world.fetched, LENGTH);
  assert((world.visitors[0]?.done ?? Infinity) < 1500, "an empty room is not waited for");
});

test("who comes later has it from the others", () => {
  const world = complete({ visitors: 8, every: 1000, lengths: PAGE });
  assert(peerShare(world, 2) > 0.7, `${peerShare(world, 2)} from peers`);
});

test("law 3 and the page survive links that break", () => {
  complete({ visitors: 16, every: 150, lengths: PAGE, breaks: 0.5 });
});

test("law 2: liars are dropped, and their bytes go nowhere", () => {
  const world = complete({ visitors: 10, every: 400, lengths: PAGE, liars: 2 });
  for (const { dropped, liar } of world.visitors) {
    for (const link of dropped.keys()) assert(world.visitors[link]?.liar, `${link} is honest`);
    if (!liar) assert.equal([...dropped.values()].every((fault) => fault === 35), true);
  }
  assert(world.visitors.some(({ dropped }) => dropped.size > 0), "somebody met a liar");
});

test("all at once, with nobody who holds anything", () => {
  complete({ visitors: 12, every: 1, lengths: PAGE });
});

test("an origin that is busy is asked again later", () => {
  const world = complete({ visitors: 2, every: 3000, lengths: PAGE, busy: 2 });
  assert((world.visitors[0]?.done ?? 0) >= 1000, "Retry-After is honoured");
});

test("a visitor with little memory gives what it still has, and lacks the rest", () => {
  complete({ visitors: 5, every: 1500, lengths: PAGE, budget: 200_000 });
});
