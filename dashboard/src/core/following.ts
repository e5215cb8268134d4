/** Which devices a page follows: areas and single devices, or everything. Pure. */
import type { Device } from "./wire";

/** When both are empty, everything is followed. A device is followed with all its modules and components. */
export interface Following {
  readonly areas: readonly string[];
  readonly devices: readonly string[];
}

export const EVERYTHING: Following = { areas: [], devices: [] };

/** The most bytes of an area as it stands in an address, percent-encoded. The service refuses longer ones. */
const LONGEST_AREA = 2_000;

/** Whether the service takes this for the name of an area that can be followed. */
export function canBeFollowed(area: string): boolean {
  return area.trim() !== "" && area.length <= LONGEST_AREA && !/[\p{Cc}\p{Cs}]/u.test(area) && encodedLength(area) <= LONGEST_AREA;
}

function encodedLength(text: string): number {
  const kept = text.match(/[A-Za-z0-9._~-]/g)?.length ?? 0;
  return kept + 3 * (new TextEncoder().encode(text).length - kept);
}

export function followsEverything({ areas, devices }: Following): boolean {
  return areas.length === 0 && devices.length === 0;
}

export function isFollowed(following: Following, { deviceId, area }: Pick<Device, "deviceId" | "area">): boolean {
  return followsEverything(following) || following.areas.includes(area) || following.devices.includes(deviceId);
}

/** The groups to which the service sends changes of these devices, each once. */
export function groupsOf(following: Following): readonly string[] {
  if (followsEverything(following)) return ["all"];
  const { areas, devices } = following;
  return [...new Set([...areas.map((area) => `geo:${area}`), ...devices.map((id) => `device:${id}`)])];
}

/** What is left to follow without these groups; everything when that is nothing. */
export function withoutGroups({ areas, devices }: Following, groups: readonly string[]): Following {
  return {
    areas: areas.filter((area) => !groups.includes(`geo:${area}`)),
    devices: devices.filter((id) => !groups.includes(`device:${id}`)),
  };
}

export function isSameFollowing(one: Following, other: Following): boolean {
  const wanted = new Set(groupsOf(one));
  return wanted.size === groupsOf(other).length && groupsOf(other).every((group) => wanted.has(group));
}
