/**
 * Whom, and which chunk: the two choices of the exchange, each a pure function of what is seen and a random number.
 */

const DRAWS = 3;

/** The rarest of three taken at random: spreads what is rare without everybody running for the same chunk. */
export function whichChunk(
  candidates: readonly number[],
  holders: (chunk: number) => number,
  random: () => number,
): number | undefined {
  let best: number | undefined;
  for (let draw = 0; draw < DRAWS; draw++) {
    const drawn = candidates[Math.floor(random() * candidates.length)];
    if (drawn !== undefined && (best === undefined || holders(drawn) < holders(best))) best = drawn;
  }
  return best;
}

/** One who may be given to: `owed` is what it gave less what it got, `credit` what it says it has. */
export interface Taker {
  link: number;
  owed: number;
  credit: number;
}

/** Who gave most in excess; of equals the poorest; of those, chance. */
export function whom(takers: readonly Taker[], random: () => number): number | undefined {
  const start = Math.floor(random() * takers.length);
  const turned = [...takers.slice(start), ...takers.slice(0, start)];
  return turned.sort((a, b) => b.owed - a.owed || a.credit - b.credit)[0]?.link;
}
