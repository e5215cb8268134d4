/** The areas that can be chosen to be followed: those that a device was seen in lately, and those that are followed. */
import type { Fleet } from "./fleet";
import { canBeFollowed } from "./following";
import { compareNaturally } from "./order";

/** More boxes than this nobody looks through. */
export const MOST_AREAS = 200;

/**
 * Remembers areas, because the page no longer hears of those that it does not follow. Of more than `MOST_AREAS`, those
 * that were seen last.
 */
export class Areas {
  /** Those that were seen least recently come first. */
  private readonly seen = new Set<string>();
  private readonly refused = new Set<string>();
  private sorted: { readonly followed: readonly string[]; readonly areas: readonly string[] } | null = null;
  private forgotten = false;

  /** Adds the areas of the rows that changed last. */
  note({ rows, touched }: Fleet): void {
    for (const slot of touched) this.add(rows[slot]?.device.area ?? "");
  }

  /** Whether areas were seen that are not offered any more. */
  get areMore(): boolean {
    return this.forgotten;
  }

  /** Those that were seen and those that are followed, sorted as people sort names. */
  offered(followed: readonly string[]): readonly string[] {
    if (this.sorted?.followed !== followed) {
      this.sorted = { followed, areas: [...new Set([...this.seen, ...followed])].sort(compareNaturally) };
    }
    return this.sorted.areas;
  }

  /** The service does not take the names of these groups, so that their areas are not offered again. */
  refuse(groups: readonly string[]): void {
    for (const group of groups.filter((one) => one.startsWith("geo:")).slice(0, MOST_AREAS)) {
      const area = group.slice("geo:".length);
      if (this.refused.size < MOST_AREAS) this.refused.add(area);
      this.seen.delete(area);
    }
    this.sorted = null;
  }

  add(area: string): void {
    if (this.seen.delete(area)) {
      this.seen.add(area);
      return;
    }
    if (!canBeFollowed(area) || this.refused.has(area)) return;
    this.seen.add(area);
    this.sorted = null;
    if (this.seen.size <= MOST_AREAS) return;
    this.forgotten = true;
    const [first] = this.seen;
    if (first !== undefined) this.seen.delete(first);
  }
}
