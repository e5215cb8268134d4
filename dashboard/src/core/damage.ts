/** States that the service cannot read: of the stored one it tells only the problem. Pure. */
import { isFollowed, type Following } from "./following";
import { isUnreadable, type Device } from "./wire";

/** What is left of a known state once the stored one cannot be read: no values, but its place in the order of states. */
export function damaged(told: Device, known: Device | undefined): Device {
  if (known === undefined) return told;
  if (known.problem === told.problem && isUnreadable(known)) return known;
  return {
    ...told,
    area: told.area || known.area,
    version: Math.max(told.version, known.version),
    reportedAt: told.reportedAt ?? known.reportedAt,
    measuredAt: told.measuredAt ?? known.measuredAt,
    changedAt: told.changedAt ?? known.changedAt,
  };
}

/** A device whose area cannot be read may be in any area that is followed. */
export function mayBeFollowed(following: Following, device: Device): boolean {
  const isAnywhere = isUnreadable(device) && device.area === "" && following.areas.length > 0;
  return isAnywhere || isFollowed(following, device);
}
