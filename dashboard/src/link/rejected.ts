/** Loads what was rejected of a device from the service, one page at a time. */
import { readRejectedPage, type RejectedPage } from "../core/rejected";

/** Why a page could not be loaded. */
export type Failure =
  | { readonly kind: "unreachable" }
  | { readonly kind: "status"; readonly status: number }
  /** An answer that this page does not understand. */
  | { readonly kind: "unreadable" };

export interface RejectedSource {
  readonly fetch: typeof fetch;
  /** Address under which `rejectedtelemetry` is, without a slash at the end. */
  readonly base: string;
}

export interface Wanted {
  readonly deviceId: string;
  /** Of the page before; `null` for the newest readings. */
  readonly continuation: string | null;
}

/** About as many as fit on a screen. */
const PAGE = 20;

/** How long the service may take to answer. */
const PATIENCE = 20_000;
/** Pages may be empty, because the service has searched a part of the store. So many are followed before somebody is asked. */
export const MOST_EMPTY = 10;

/**
 * Gives the next page with something in it, or after many empty ones, the last of them. Never throws. After an abort the
 * answer means nothing.
 */
export async function loadRejected(source: RejectedSource, wanted: Wanted, signal: AbortSignal): Promise<RejectedPage | Failure> {
  let { continuation } = wanted;
  for (let pages = 1; ; pages += 1) {
    const answer = await loadPage(source, { ...wanted, continuation }, signal);
    if ("kind" in answer || answer.readings.length > 0 || answer.continuation === null || pages === MOST_EMPTY) return answer;
    if (answer.continuation === continuation) return { kind: "unreadable" };
    continuation = answer.continuation;
  }
}

async function loadPage({ fetch, base }: RejectedSource, wanted: Wanted, aborted: AbortSignal): Promise<RejectedPage | Failure> {
  const url = `${base}/rejectedtelemetry?${queryOf(wanted)}`;
  const signal = AbortSignal.any([aborted, AbortSignal.timeout(PATIENCE)]);
  const response = await fetch(url, { signal, cache: "no-store", headers: { accept: "application/json" } }).catch(() => null);
  if (response === null) return { kind: "unreachable" };
  if (!response.ok) return { kind: "status", status: response.status };
  const reply: unknown = await response.json().catch(() => undefined);
  return readRejectedPage(reply) ?? { kind: "unreadable" };
}

function queryOf({ deviceId, continuation }: Wanted): string {
  const query = `deviceId=${encodeURIComponent(deviceId)}&limit=${PAGE}`;
  return continuation === null ? query : `${query}&continuation=${encodeURIComponent(continuation)}`;
}
