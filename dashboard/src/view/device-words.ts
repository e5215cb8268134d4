/** What the drawer says about a device and its rejected readings, in sentences. Pure. */
import type { Row } from "../core/fleet";
import { formatAge, formatInterval, plural } from "../core/format";
import { ASSUMED_INTERVAL, conditionOf } from "../core/freshness";
import type { RejectedReading } from "../core/rejected";
import { isUnreadable, type Device } from "../core/wire";
import type { Failure } from "../link/rejected";

/**
 * How the device reports. Says clearly whether it is silent or only its values stay the same, whether its values are older
 * than its reports, and what is wrong with its stored state.
 */
export function describeReports(row: Row, now: number, judgedAt: number): string {
  const { problem } = row.device;
  if (isUnreadable(row.device)) return `The service cannot read its stored state: ${problem ?? ""}`;
  return [describeRhythm(row, now, judgedAt), describeBacklog(row.device, now), problem ?? ""].filter(Boolean).join(" ");
}

/** A report that is older than this came late: the device had stored it. Clocks in the field are often some seconds off. */
const BACKLOG = 60_000;

/** Says that values were measured long before they were reported; empty when they were not. */
export function describeBacklog({ measuredAt, reportedAt }: Pick<Device, "measuredAt" | "reportedAt">, now: number): string {
  if (measuredAt === null || reportedAt === null || reportedAt - measuredAt < BACKLOG) return "";
  const silence = formatAge(now - reportedAt);
  return `Measured ${formatAge(now - measuredAt)} ago, reported ${silence === "0 s" ? "now" : `${silence} ago`}.`;
}

function describeRhythm(row: Row, now: number, judgedAt: number): string {
  const { reportedAt, changedAt } = row.device;
  const silence = formatAge(reportedAt === null ? null : now - reportedAt);
  switch (conditionOf(row, judgedAt)) {
    case "damaged":
    case "unknown":
      return "Its reports have no time.";
    case "live":
      return `${rhythm(row, "It reports")} The last report is ${silence} old.`;
    case "steady":
      return `${rhythm(row, "It reports")} Its values have not changed for ${formatAge(changedAt === null ? null : now - changedAt)}.`;
    case "late":
    case "stale":
      return `No report for ${silence}. ${rhythm(row, "It usually reports")}`;
    case "lost":
      return `No report for ${silence}, thirty times its usual pause or more. ${rhythm(row, "It used to report")}`;
  }
}

function rhythm({ interval }: Row, verb: string): string {
  if (interval !== null) return `${verb} every ${formatInterval(interval)}.`;
  return `How often it reports is not known yet; one report every ${formatInterval(ASSUMED_INTERVAL)} is assumed.`;
}

const REASONS: Readonly<Record<string, string>> = {
  unreadable: "Not readable",
  wrong_type: "Wrong type",
  duplicate_field: "Field given twice",
  bad_text: "Text that is not allowed",
  too_many: "Too many readings",
  device_id: "Device id that is not allowed",
  nothing_known: "Nothing known in it",
  out_of_range: "Out of range",
  calibration: "Calibration cannot be read",
  damaged_state: "Stored state is damaged",
  not_stored: "Not stored",
};

/** A newer service may have reasons that this page does not know; they are shown as they are. */
export function describeReason(reason: string): string {
  return Object.hasOwn(REASONS, reason) ? (REASONS[reason] ?? reason) : reason;
}

/** Which readings of a body were rejected; empty when it holds a single one. */
export function describeElements({ count, elements, samples }: Pick<RejectedReading, "count" | "elements" | "samples">): string {
  if (count === null || (count <= 1 && elements === "" && samples.length <= 1)) return "";
  const which = elements === "" ? "" : `, counted from 0: ${elements}`;
  return `${plural(count, "reading")} of this body${which}`;
}

export function describeFailure(failure: Failure, base: string): string {
  switch (failure.kind) {
    case "unreachable":
      return `No answer from ${base}/rejectedtelemetry. Check that the service runs, and try again.`;
    case "unreadable":
      return `The answer of ${base}/rejectedtelemetry is not fieldcast's. Check the address of the API, which the publisher of the page has set.`;
    case "status":
      return describeStatus(failure.status);
  }
}

function describeStatus(status: number): string {
  if (status === 404) return "This service does not list rejected readings: it is older than this page.";
  if (status === 401 || status === 403) return `The service wants a sign-in or a key that this page does not have (status ${status}).`;
  if (status === 429) return "The service is busy (status 429). Try again in a moment.";
  if (status === 503) return "The service's store is not available at the moment (status 503). Try again.";
  return `The service could not tell (status ${status}); its log says more.`;
}
