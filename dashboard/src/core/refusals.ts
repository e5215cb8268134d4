/** The refused readings of one device, as the service tells them page by page, newest first. Pure. */

/** One reading that was not counted, and why. */
export interface Refusal {
  /** The service's stable code, e.g. `out_of_range`. */
  readonly reason: string;
  /** The service's sentence. */
  readonly detail: string;
  /** What the device sent, as it came. */
  readonly body: Body;
  /** Where it is in the hub: partition, sequence number, and which reading of a message; names it for ever. */
  readonly position: string;
  /** When the hub took it; `null` when it did not say. By the service's clock, as `refusedAt`. */
  readonly enqueuedAt: number | null;
  readonly refusedAt: number | null;
}

export type Body =
  | { readonly kind: "text"; readonly text: string }
  /** Not UTF-8. */
  | { readonly kind: "bytes"; readonly base64: string }
  | { readonly kind: "unknown" };

export interface RefusalPage {
  readonly refusals: readonly Refusal[];
  /** Where the next page starts; `null` on the last one. */
  readonly continuation: string | null;
}

/** Reads one reply of `rejectedtelemetry`; `null` when it is none. */
export function readRefusalPage(reply: unknown): RefusalPage | null {
  if (!isRecord(reply) || !Array.isArray(reply["rejected"])) return null;
  const refusals = reply["rejected"].filter(isRecord).map(readRefusal);
  return { refusals, continuation: text(reply["continuation"]) || null };
}

/** Adds a further page. A reading that was listed already, because newer ones have come meanwhile, is not listed twice. */
export function joinPages(first: RefusalPage, next: RefusalPage): RefusalPage {
  const listed = new Set(first.refusals.map(({ position }) => position));
  const added = next.refusals.filter(({ position }) => !listed.has(position));
  return { refusals: [...first.refusals, ...added], continuation: next.continuation };
}

function readRefusal(entry: Record<string, unknown>): Refusal {
  return {
    reason: text(entry["reason"]) || "unknown",
    detail: text(entry["detail"]),
    body: readBody(entry),
    position: readPosition(entry),
    enqueuedAt: instant(entry["enqueuedAt"]),
    refusedAt: instant(entry["refusedAt"]),
  };
}

function readBody({ body, bodyBase64 }: Record<string, unknown>): Body {
  if (typeof body === "string") return { kind: "text", text: body };
  return typeof bodyBase64 === "string" ? { kind: "bytes", base64: bodyBase64 } : { kind: "unknown" };
}

/** `hub-3 #12`, and `hub-3 #12, reading 2` for the second of an array. */
function readPosition({ partition, sequenceNumber, reading }: Record<string, unknown>): string {
  const place = [text(partition), typeof sequenceNumber === "number" ? `#${sequenceNumber}` : ""].filter(Boolean).join(" ");
  return typeof reading === "number" && reading > 0 ? `${place}, reading ${reading + 1}` : place;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}

function instant(value: unknown): number | null {
  const time = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isFinite(time) ? time : null;
}
