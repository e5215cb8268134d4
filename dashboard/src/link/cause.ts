/** Why a link failed, as data. It is made from the error that was thrown, and the view turns it into words. Pure. */

/**
 * The step that failed. The API is asked where the SignalR service is (`negotiate`), to send a group's messages to the
 * connection (`subscribe`), and for device states (`snapshot`). The SignalR service is asked for the connection (`push`).
 */
export type Step = "negotiate" | "push" | "subscribe" | "snapshot";

export type Cause =
  /** No HTTP answer at all: not running, no network, or blocked by the browser because CORS headers are missing. */
  | { readonly kind: "unreachable"; readonly step: Step }
  /** `retryAfter`: for how many milliseconds the service wants to be left alone. */
  | { readonly kind: "status"; readonly step: Step; readonly status: number; readonly retryAfter?: number }
  | { readonly kind: "overdue"; readonly step: Step }
  /** An answer that this page does not understand. */
  | { readonly kind: "unreadable"; readonly step: Step }
  /** The address of the API is not http or https. */
  | { readonly kind: "address" }
  /** The connection had been up and ended. */
  | { readonly kind: "closed" }
  /** The connection is up, but changes in the store do not arrive through it. */
  | { readonly kind: "deaf" };

/** An error with its cause as data. */
export class LinkError extends Error {
  constructor(readonly reason: Cause) {
    super(`${reason.kind} at ${"step" in reason ? reason.step : "push"}`);
  }
}

/** The service does not take the names of these groups. */
export class RefusedGroups extends Error {
  constructor(readonly groups: readonly string[]) {
    super(`refused: ${groups.join(", ")}`);
  }
}

/**
 * Finds the cause in an error of the SignalR client. When its negotiation fails, the HTTP status is only in the text of the
 * error (`Status code '503'`), and what it asked for (`retryAfter`, milliseconds) is not in it at all.
 */
export function causeOfConnectError(error: unknown, step: Step, retryAfter = 0): Cause {
  const message = error instanceof Error ? error.message : String(error);
  const status = /Status code '(\d{3})'/.exec(message)?.[1];
  if (status !== undefined) return { kind: "status", step, status: Number(status), ...(retryAfter > 0 ? { retryAfter } : {}) };
  if (/timeout|timed out/i.test(message)) return { kind: "overdue", step };
  if (/JSON|Unexpected token|Invalid negotiat/i.test(message)) return { kind: "unreadable", step };
  return { kind: "unreachable", step };
}
