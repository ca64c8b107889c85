/** The debug panel of a page opened with `?flashback=debug`. */
import type { Control } from "./api";

export function show(flashback: Control): void {
  void flashback;
}
