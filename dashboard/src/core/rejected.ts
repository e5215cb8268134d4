/** What was rejected of one device, as the service lists it page by page, newest first. Pure. */

/** A body of which readings were not counted, with the reason. From an older service, a single reading. */
export interface RejectedReading {
  /** The service's stable code, e.g. `out_of_range`. */
  readonly reason: string;
  /** The service's sentence. */
  readonly detail: string;
  /** What the device sent, unchanged. */
  readonly body: Body;
  /** How many readings of the body were rejected; `null` when that is not told. */
  readonly count: number | null;
  /** Which ones, in the service's words: `0-3,7`. Empty when it does not say. */
  readonly elements: string;
  /** The first of them. */
  readonly samples: readonly Sample[];
  /** Where it is in the hub: partition, sequence number, and which reading of the message. Unique. */
  readonly position: string;
  /** When it reached the hub; `null` when that is not known. By the service's clock. */
  readonly enqueuedAt: number | null;
  /** Likewise. */
  readonly rejectedAt: number | null;
}

/** One rejected reading of a body. */
export interface Sample {
  /** Its place in the body, from 0. */
  readonly index: number;
  readonly reason: string;
  readonly detail: string;
  /** Empty where it is that of the body. */
  readonly deviceId: string;
  /** As it was sent; empty when that is not told. */
  readonly text: string;
}

/** The service keeps a few; more than these are not shown. */
const MOST_SAMPLES = 20;

export type Body =
  | { readonly kind: "text"; readonly text: string }
  /** Not UTF-8. */
  | { readonly kind: "bytes"; readonly base64: string }
  | { readonly kind: "unknown" };

export interface RejectedPage {
  readonly readings: readonly RejectedReading[];
  /** Where the next page starts; `null` on the last one. */
  readonly continuation: string | null;
}

/** Reads a reply of `rejectedtelemetry`; `null` for anything else. */
export function readRejectedPage(reply: unknown): RejectedPage | null {
  if (!isRecord(reply) || !Array.isArray(reply["rejected"])) return null;
  const readings = reply["rejected"].filter(isRecord).map(readReading);
  return { readings, continuation: text(reply["continuation"]) || null };
}

/** Adds the next page. It may repeat entries when newer ones have come in meanwhile; those are listed once. */
export function joinPages(first: RejectedPage, next: RejectedPage): RejectedPage {
  const listed = new Set(first.readings.map(({ position }) => position));
  const added = next.readings.filter(({ position }) => position === "" || !listed.has(position));
  return { readings: [...first.readings, ...added], continuation: next.continuation };
}

function readReading(entry: Record<string, unknown>): RejectedReading {
  return {
    reason: text(entry["reason"]) || "unknown",
    detail: text(entry["detail"]),
    body: readBody(entry),
    count: whole(entry["count"]),
    elements: text(entry["elements"]),
    samples: readSamples(entry["samples"]),
    position: readPosition(entry),
    enqueuedAt: instant(entry["enqueuedAt"]),
    rejectedAt: instant(entry["rejectedAt"]),
  };
}

function readSamples(samples: unknown): readonly Sample[] {
  if (!Array.isArray(samples)) return [];
  return samples.slice(0, MOST_SAMPLES).filter(isRecord).map((sample) => ({
    index: whole(sample["index"]) ?? 0,
    reason: text(sample["reason"]) || "unknown",
    detail: text(sample["detail"]),
    deviceId: text(sample["deviceId"]),
    text: typeof sample["text"] === "string" ? sample["text"] : "",
  }));
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

function whole(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function instant(value: unknown): number | null {
  const time = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isFinite(time) ? time : null;
}
