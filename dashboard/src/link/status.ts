/** How far the page can be trusted, in one word. Pure. */
import type { LinkState } from "./machine";

/**
 * - `live`: the page has what the store has, and hears of changes.
 * - `catching up`: connected, or about to be for the first time; the store's answer is awaited.
 * - `stale`: what is shown may have been overtaken; the page is at work on it.
 * - `offline`: not connected for a while. It is still tried, for ever.
 */
export type Status = "live" | "catching up" | "stale" | "offline";

/** By then a lost connection is no hiccup any more: several tries have failed, or one hangs. */
export const OFFLINE_AFTER = 15_000;
/** When nothing was heard for the quiet time, the store may take this long to answer before the page is called stale. */
export const ANSWER_TIME = 5_000;

/** Also right after the machine has slept, before anything else has noticed. */
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
