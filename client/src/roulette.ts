/**
 * Whom, and which chunk: the two choices of the exchange, each a pure function of what is seen and a random number.
 */

/** The rarest of three taken at random: spreads what is rare without everybody running for the same chunk. */
export function whichChunk<T>(candidates: readonly T[], holders: (chunk: T) => number, random: () => number): T | undefined {
  const drawn = [0, 0, 0].map(() => candidates[Math.floor(random() * candidates.length)]!);
  return candidates.length > 0 ? drawn.reduce((best, one) => (holders(one) < holders(best) ? one : best)) : undefined;
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
