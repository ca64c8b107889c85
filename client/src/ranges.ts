/**
 * Which chunks somebody holds: a set in memory, and disjoint, sorted, non-touching spans where it is told. Pure, and knows
 * nothing of wire or objects.
 */

/** Spans, `to` not included, each beyond the end of the one before. */
export type Ranges = [from: number, to: number][];

/** The spans of a set: fewer than the 4,096 of one message, for no memory of ours holds as many pieces. */
export function spansOf(chunks: Iterable<number>): Ranges {
  const found: Ranges = [];
  for (const chunk of [...chunks].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last?.[1] === chunk) last[1]++;
    else found.push([chunk, chunk + 1]);
  }
  return found;
}
