/** What the drawer says about a device and its rejected readings, in sentences. Pure. */
import type { Row } from "../core/fleet";
import { formatAge, formatInterval } from "../core/format";
import { ASSUMED_INTERVAL, conditionOf } from "../core/freshness";
import type { Failure } from "../link/rejected";

/** How the device reports. Says clearly whether it is silent or only its values stay the same. */
export function describeReports(row: Row, now: number, judgedAt: number): string {
  const { reportedAt, changedAt } = row.device;
  const silence = formatAge(reportedAt === null ? null : now - reportedAt);
  switch (conditionOf(row, judgedAt)) {
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
  out_of_range: "Out of range",
  calibration: "Calibration cannot be read",
  damaged_state: "Stored state is damaged",
  not_stored: "Not stored",
};

/** A newer service may have reasons that this page does not know. */
export function describeReason(reason: string): string {
  return REASONS[reason] ?? reason.replace(/_/g, " ").replace(/^./, (letter) => letter.toUpperCase());
}

export function describeFailure(failure: Failure, base: string): string {
  switch (failure.kind) {
    case "unreachable":
      return `No answer from ${base}/rejectedtelemetry. Check that the service runs, and try again.`;
    case "unreadable":
      return `The answer of ${base}/rejectedtelemetry is not fieldcast's. Check the address of the API: ?api=… in this page's address.`;
    case "status":
      return describeStatus(failure.status);
  }
}

function describeStatus(status: number): string {
  if (status === 404) return "This service does not list rejected readings: it is older than this page.";
  if (status === 401 || status === 403) return `The service wants a sign-in or a key that this page does not have (status ${status}).`;
  if (status === 503) return "The service's store is not available at the moment (status 503). Try again.";
  return `The service could not tell (status ${status}); its log says more.`;
}
