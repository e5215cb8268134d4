/** Which areas there are to follow: those that a device was seen in, and those that are followed. */
import type { Fleet } from "./fleet";
import { compareNaturally } from "./order";

/** Remembers areas for as long as the page is open: what is not followed is not heard of any more. */
export class Areas {
  private readonly seen = new Set<string>();
  private sorted: readonly string[] | null = [];

  /** Takes note of the rows that changed last. A device without an area is followed with all areas only. */
  note({ rows, touched }: Fleet): void {
    for (const slot of touched) this.add(rows[slot]?.device.area ?? "");
  }

  add(area: string): void {
    if (area === "" || this.seen.has(area)) return;
    this.seen.add(area);
    this.sorted = null;
  }

  /** In people's order. */
  get known(): readonly string[] {
    this.sorted ??= [...this.seen].sort(compareNaturally);
    return this.sorted;
  }
}
