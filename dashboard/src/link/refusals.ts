/** Asks the service for the refused readings of a device, one page at a time. */
import { readRefusalPage, type RefusalPage } from "../core/refusals";

/** Why there is no page. */
export type Failure =
  | { readonly kind: "unreachable" }
  | { readonly kind: "status"; readonly status: number }
  /** An answer that is not what this page expects. */
  | { readonly kind: "unreadable" };

export interface RefusalSource {
  readonly fetch: typeof fetch;
  /** Address under which `rejectedtelemetry` is, without a slash at the end. */
  readonly base: string;
}

export interface Wanted {
  readonly deviceId: string;
  /** From the page before; `null` for the newest. */
  readonly continuation: string | null;
}

/** As many as are read at a glance. */
const PAGE = 20;

/** Never rejects; whoever aborts must not look at the answer. */
export async function loadRefusals(source: RefusalSource, wanted: Wanted, signal: AbortSignal): Promise<RefusalPage | Failure> {
  const { fetch, base } = source;
  const url = `${base}/rejectedtelemetry?${queryOf(wanted)}`;
  const response = await fetch(url, { signal, cache: "no-store", headers: { accept: "application/json" } }).catch(() => null);
  if (response === null) return { kind: "unreachable" };
  if (!response.ok) return { kind: "status", status: response.status };
  const reply: unknown = await response.json().catch(() => undefined);
  return readRefusalPage(reply) ?? { kind: "unreadable" };
}

function queryOf({ deviceId, continuation }: Wanted): string {
  const query = `deviceId=${encodeURIComponent(deviceId)}&limit=${PAGE}`;
  return continuation === null ? query : `${query}&continuation=${encodeURIComponent(continuation)}`;
}
