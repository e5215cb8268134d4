/** Decides when the table's order may change: never under the eyes of somebody who reads it. */
import type { Fleet } from "../core/fleet";
import { arrange, hold, isMoving, NO_RANKS, rank, type Query, type Ranks } from "../core/order";

/** An order that follows moving values is looked at again this often: faster than this, nobody can read it. */
const REARRANGE_EVERY = 2_000;
/** New devices are taken in this often: while a fleet of thousands comes up, some come with every frame. */
const WELCOME_EVERY = 250;

export class Arrangement {
  private order: readonly string[] = [];
  private ranks: Ranks = NO_RANKS;
  /** The devices that are listed, and those that are ranked. */
  private slots: Fleet["slots"] | null = null;
  private ranked: Fleet["slots"] | null = null;
  private query: Query | null = null;
  private arrangedAt = -Infinity;

  /** The listed devices; `reading` keeps those that are listed where they are. */
  listed(fleet: Fleet, query: Query, now: number, reading: boolean): readonly string[] {
    if (query !== this.query) return this.rearrange(fleet, query, now);
    const since = Math.abs(now - this.arrangedAt);
    const others = fleet.slots !== this.slots && (since >= WELCOME_EVERY || this.order.length === 0);
    if (reading) return others ? this.welcome(fleet, query, now) : this.order;
    const due = isMoving(query) && since >= REARRANGE_EVERY;
    return others || due ? this.rearrange(fleet, query, now) : this.order;
  }

  private welcome(fleet: Fleet, query: Query, now: number): readonly string[] {
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
