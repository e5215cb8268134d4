/** Loads the rejected readings of a device from the service, one page at a time. */
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

/** Never throws. After an abort the answer means nothing. */
export async function loadRejected(source: RejectedSource, wanted: Wanted, signal: AbortSignal): Promise<RejectedPage | Failure> {
  const { fetch, base } = source;
  const url = `${base}/rejectedtelemetry?${queryOf(wanted)}`;
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
