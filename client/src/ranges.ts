/**
 * Which chunks somebody holds: a set in memory, and disjoint, sorted, non-touching spans where it is told. Pure, and knows
 * nothing of wire or objects.
 */

/** The edges of the spans in turn: `[from, to, from, to, …]`, `to` not included, strictly rising. */
export type Ranges = number[];

/** The spans of a set: fewer than the 4,096 of one message, for no memory of ours holds as many pieces. */
export function spansOf(chunks: Iterable<number>): Ranges {
  const edges: Ranges = [];
  for (const chunk of [...chunks].sort((a, b) => a - b)) {
    if (edges.at(-1) === chunk) edges.pop();
    else edges.push(chunk);
    edges.push(chunk + 1);
  }
  return edges;
}

/** Calls `visit` with each span. */
export function spans(ranges: Ranges, visit: (from: number, to: number) => void): void {
  for (let at = 0; at < ranges.length; at += 2) visit(ranges[at]!, ranges[at + 1]!);
}
