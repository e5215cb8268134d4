/** How up to date the page is, in one word. Pure. */
import type { LinkState } from "./machine";

/**
 * - `live`: the page has what the store has, and hears of changes.
 * - `catching up`: connected or connecting for the first time, and waiting for the store's answer.
 * - `stale`: what is shown may be out of date, and the page is working on it.
 * - `offline`: not connected for a while. The page keeps trying.
 */
export type Status = "live" | "catching up" | "stale" | "offline";

/** After this time several tries have failed, or one hangs. */
export const OFFLINE_AFTER = 15_000;
/** After the quiet time, the store may take this long to answer before the page is called stale. */
export const ANSWER_TIME = 5_000;

/** Computed from the time, so that it is right as soon as a machine wakes from sleep. */
export function statusOf({ phase, downSince, everLive }: LinkState, now: number): Status {
  switch (phase.kind) {
    case "idle":
      return "offline";
    case "opening":
    case "waiting":
      if (now - downSince >= OFFLINE_AFTER) return "offline";
      return everLive ? "stale" : "catching up";
    case "joining":
    case "loading":
      return "catching up";
    case "live":
      return now - phase.knownAt > phase.quiet + ANSWER_TIME ? "stale" : "live";
  }
}
