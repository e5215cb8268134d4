/** Numbers and times as people read them. Pure. Always English, so that every screen says the same. */

/** Shown where there is no value. */
export const MISSING = "–";

/** A measured value, with a true minus sign and never as `−0.0`; `–` when there is none. */
export function formatValue(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  const digits = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(digits) !== 0 ? `−${digits}` : digits;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** An age in the largest unit that fits: `0 s`, `59 s`, `4 min`, `3 h`, `2 d`. A negative age (clocks differ) counts as 0. */
export function formatAge(milliseconds: number | null): string {
  if (milliseconds === null) return MISSING;
  const age = Math.max(0, milliseconds);
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min`;
  if (age < 2 * DAY) return `${Math.floor(age / HOUR)} h`;
  return `${Math.floor(age / DAY)} d`;
}

/** The usual time between two reports: `0.4 s`, `2.5 s`, `12 s`, `5 min`. */
export function formatInterval(milliseconds: number): string {
  if (milliseconds < 9_950) return `${(milliseconds / SECOND).toFixed(1).replace(/\.0$/, "")} s`;
  return formatAge(Math.round(milliseconds / SECOND) * SECOND);
}

/** Updates per second, with one decimal below 100. */
export function formatRate(perSecond: number): string {
  return perSecond >= 100 || perSecond === 0 ? Math.round(perSecond).toString() : perSecond.toFixed(1);
}

/** The local time of day, `14:03:07`. */
export function formatClock(milliseconds: number): string {
  const time = new Date(milliseconds);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
}

/** Local date and time, `2026-11-26 14:03:07`. */
export function formatMoment(milliseconds: number): string {
  const time = new Date(milliseconds);
  return `${time.getFullYear()}-${twoDigits(time.getMonth() + 1)}-${twoDigits(time.getDate())} ${formatClock(milliseconds)}`;
}

/** A whole number with thin spaces between thousands. */
export function formatWhole(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** `1 device`, `2 devices`. */
export function plural(count: number, noun: string): string {
  return `${formatWhole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function twoDigits(part: number): string {
  return part.toString().padStart(2, "0");
}
