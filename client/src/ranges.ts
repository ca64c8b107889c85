/**
 * What a visitor holds of a page: disjoint, sorted, non-touching spans of chunk numbers. Pure, and knows nothing of
 * wire or objects.
 */

/** The edges of the spans in turn: `[from, to, from, to, …]`, `to` not included, strictly rising. */
export type Ranges = number[];

/** Whether `chunk` is in `ranges`. */
export function has(ranges: Ranges, chunk: number): boolean {
  return edgesBelow(ranges, chunk + 1) % 2 === 1;
}

/** Adds the chunks `from..to`, joining what touches. */
export function insert(ranges: Ranges, from: number, to: number): void {
  cut(ranges, from, to, 0);
}

/** Takes the chunks `from..to` out. */
export function remove(ranges: Ranges, from: number, to: number): void {
  cut(ranges, from, to, 1);
}

/** Calls `visit` with each span. */
export function spans(ranges: Ranges, visit: (from: number, to: number) => void): void {
  for (let at = 0; at < ranges.length; at += 2) visit(ranges[at]!, ranges[at + 1]!);
}

/** How many chunks there are in all. */
export function count(ranges: Ranges): number {
  let sum = 0;
  spans(ranges, (from, to) => {
    sum += to - from;
  });
  return sum;
}

/** Replaces the edges in `from..=to`; an edge of the cut stays where it falls outside (`0`) or inside (`1`) a span. */
function cut(ranges: Ranges, from: number, to: number, parity: 0 | 1): void {
  if (from >= to) return;
  const first = edgesBelow(ranges, from);
  const last = edgesBelow(ranges, to + 1);
  const edges: number[] = [];
  if (first % 2 === parity) edges.push(from);
  if (last % 2 === parity) edges.push(to);
  ranges.splice(first, last - first, ...edges);
}

/** How many edges are less than `value`. */
function edgesBelow(ranges: Ranges, value: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
