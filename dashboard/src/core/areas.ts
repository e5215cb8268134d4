/** The areas that can be followed: those that a device was seen in, and those that are followed. */
import type { Fleet } from "./fleet";
import { compareNaturally } from "./order";

/** Remembers areas for as long as the page is open, because the page no longer hears of those that it does not follow. */
export class Areas {
  private readonly seen = new Set<string>();
  private sorted: readonly string[] | null = [];

  /** Adds the areas of the rows that changed last. */
  note({ rows, touched }: Fleet): void {
    for (const slot of touched) this.add(rows[slot]?.device.area ?? "");
  }

  add(area: string): void {
    if (area === "" || this.seen.has(area)) return;
    this.seen.add(area);
    this.sorted = null;
  }

  /** Sorted as people sort names. */
  get known(): readonly string[] {
    this.sorted ??= [...this.seen].sort(compareNaturally);
    return this.sorted;
  }
}
