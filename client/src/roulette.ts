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

/** One who may be given to: `credit` is what it says it has. */
export interface Taker {
  got: number;
  given: number;
  credit: number;
}

/** Whom to give to: who gave most in excess of what it got; of equals the poorest; of those, chance. */
export function whom<T extends Taker>(takers: readonly T[], random: () => number): T | undefined {
  const order = (a: Taker, b: Taker): number => b.got - b.given - a.got + a.given || a.credit - b.credit || random() - 0.5;
  return takers.reduce<T | undefined>((best, them) => (best && order(best, them) <= 0 ? best : them), undefined);
}
