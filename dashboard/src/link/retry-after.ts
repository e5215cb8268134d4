/** The answer of a service that asks to be left alone for a while (`Retry-After`). Pure. */
import type { Cause, Step } from "./cause";

/** A longer wait is not believed: the page would look dead. */
const LONGEST = 600_000;

/** The milliseconds that a `Retry-After` header asks for, in either of its forms; 0 when it asks for nothing. */
export function readRetryAfter(header: string | null, now: number): number {
  const text = header?.trim() ?? "";
  const wanted = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(wanted) ? Math.min(Math.max(0, wanted), LONGEST) : 0;
}

/** The cause of an answer with this status. */
export function statusCause(step: Step, { status, headers }: Pick<Response, "status" | "headers">, now: number): Cause {
  const retryAfter = readRetryAfter(headers.get("retry-after"), now);
  return { kind: "status", step, status, ...(retryAfter > 0 ? { retryAfter } : {}) };
}

/** How long to wait, so that not all pages come back at once. `chance` (0..1) adds up to half. */
export function spread(retryAfter: number, chance: number): number {
  return Math.round(retryAfter * (1 + chance / 2));
}
