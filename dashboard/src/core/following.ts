/** Which devices a page follows: areas and single devices, or everything. Pure. */
import type { Device } from "./wire";

/** When both are empty, everything is followed. */
export interface Following {
  readonly areas: readonly string[];
  readonly devices: readonly string[];
}

export const EVERYTHING: Following = { areas: [], devices: [] };

export function followsEverything({ areas, devices }: Following): boolean {
  return areas.length === 0 && devices.length === 0;
}

export function isFollowed(following: Following, { id, area }: Pick<Device, "id" | "area">): boolean {
  return followsEverything(following) || following.areas.includes(area) || following.devices.includes(id);
}

/** The groups to which the service sends changes of these devices, each once. */
export function groupsOf(following: Following): readonly string[] {
  if (followsEverything(following)) return ["all"];
  const { areas, devices } = following;
  return [...new Set([...areas.map((area) => `geo:${area}`), ...devices.map((id) => `device:${id}`)])];
}

export function isSameFollowing(one: Following, other: Following): boolean {
  const wanted = new Set(groupsOf(one));
  return wanted.size === groupsOf(other).length && groupsOf(other).every((group) => wanted.has(group));
}
