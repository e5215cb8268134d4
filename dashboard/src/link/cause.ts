/** Why a link failed, as data: made from whatever was thrown, turned into words by the view. Pure. */

/**
 * What was being asked for: `negotiate` of the API where the SignalR service is, `push` of that service the connection,
 * `subscribe` of the API the messages of a group, `snapshot` of the API the device states.
 */
export type Step = "negotiate" | "push" | "subscribe" | "snapshot";

export type Cause =
  /** No HTTP answer at all: not running, no network, or refused by the browser for want of CORS headers. */
  | { readonly kind: "unreachable"; readonly step: Step }
  | { readonly kind: "status"; readonly step: Step; readonly status: number }
  | { readonly kind: "overdue"; readonly step: Step }
  /** An answer that is not what this page expects. */
  | { readonly kind: "unreadable"; readonly step: Step }
  /** There is no address to ask. */
  | { readonly kind: "address" }
  /** The connection had been up and ended. */
  | { readonly kind: "closed" }
  /** The connection was up, but what changed in the store did not come through it. */
  | { readonly kind: "deaf" };

/** A failure that already knows its cause. */
export class LinkError extends Error {
  constructor(readonly reason: Cause) {
    super(`${reason.kind} at ${"step" in reason ? reason.step : "push"}`);
  }
}

/**
 * Finds the cause in an error of the SignalR client. Its negotiation failures wrap the HTTP error into text, from which
 * the status has to be read back (`Status code '503'`).
 */
export function causeOfConnectError(error: unknown, step: Step): Cause {
  const message = error instanceof Error ? error.message : String(error);
  const status = /Status code '(\d{3})'/.exec(message)?.[1];
  if (status !== undefined) return { kind: "status", step, status: Number(status) };
  if (/timeout|timed out/i.test(message)) return { kind: "overdue", step };
  if (/JSON|Unexpected token|Invalid negotiat/i.test(message)) return { kind: "unreadable", step };
  return { kind: "unreachable", step };
}
