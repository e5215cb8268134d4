/** Decides when the order of the table may change: not while somebody reads it. */
import type { Fleet } from "../core/fleet";
import { arrange, hold, isMoving, NO_RANKS, rank, type Query, type Ranks } from "../core/order";

/** How often an order by changing values is renewed. Nobody can read a table that changes faster. */
const REARRANGE_EVERY = 2_000;
/** How often new devices are added to the list. While a large fleet starts, some come with every frame. */
const APPEND_EVERY = 250;

export class Arrangement {
  private order: readonly string[] = [];
  private ranks: Ranks = NO_RANKS;
  /** The sets of devices that were listed and ranked last. */
  private slots: Fleet["slots"] | null = null;
  private ranked: Fleet["slots"] | null = null;
  private query: Query | null = null;
  private arrangedAt = -Infinity;

  /** Ids of the devices to list. While `held`, those that are listed already keep their order. */
  listed(fleet: Fleet, query: Query, now: number, held: boolean): readonly string[] {
    if (query !== this.query) return this.rearrange(fleet, query, now);
    const since = Math.abs(now - this.arrangedAt);
    const others = fleet.slots !== this.slots && (since >= APPEND_EVERY || this.order.length === 0);
    if (held) return others ? this.append(fleet, query, now) : this.order;
    const due = isMoving(query) && since >= REARRANGE_EVERY;
    return others || due ? this.rearrange(fleet, query, now) : this.order;
  }

  private append(fleet: Fleet, query: Query, now: number): readonly string[] {
    this.slots = fleet.slots;
    this.arrangedAt = now;
    return (this.order = hold(this.order, fleet, query, now));
  }

  private rearrange(fleet: Fleet, query: Query, now: number): readonly string[] {
    if (fleet.slots !== this.ranked) this.ranks = rank(fleet.rows, this.ranks);
    this.ranked = this.slots = fleet.slots;
    this.query = query;
    this.arrangedAt = now;
    return (this.order = arrange(fleet, query, this.ranks, now));
  }
}
