/** The choice of the exchange, of whom to give to and which chunk to ask for: a pure function of what is seen. */
export function least<T>(all: readonly T[], rank: (one: T) => number): T | undefined {
  let lowest = Infinity;
  let found: T | undefined;
  for (const one of all) {
    const its = rank(one);
    if (its < lowest) [lowest, found] = [its, one];
  }
  return found;
}
