/** Decides when the table's order may change: never under the eyes of somebody who reads it. */
import type { Fleet } from "../core/fleet";
import { arrange, hold, isMoving, rank, type Query, type Ranks } from "../core/order";

/** An order that follows moving values is looked at again this often: faster than this, nobody can read it. */
const REARRANGE_EVERY = 2_000;

export class Arrangement {
  private order: readonly string[] = [];
  private ranks: Ranks = { device: new Map(), area: new Map() };
  private slots: Fleet["slots"] | null = null;
  private query: Query | null = null;
  private arrangedAt = -Infinity;

  /** The listed devices; `reading` keeps those that are listed where they are. */
  listed(fleet: Fleet, query: Query, now: number, reading: boolean): readonly string[] {
    const others = fleet.slots !== this.slots;
    if (others) this.ranks = rank(fleet.rows);
    this.slots = fleet.slots;
    if (query !== this.query) return this.rearrange(fleet, query, now);
    if (reading) return others ? (this.order = hold(this.order, fleet, query, now)) : this.order;
    const due = isMoving(query) && Math.abs(now - this.arrangedAt) >= REARRANGE_EVERY;
    return others || due ? this.rearrange(fleet, query, now) : this.order;
  }

  private rearrange(fleet: Fleet, query: Query, now: number): readonly string[] {
    this.query = query;
    this.arrangedAt = now;
    return (this.order = arrange(fleet, query, this.ranks, now));
  }
}
