/** Which devices are in the chart, each in a place that gives it its colour. Pure. */

/** More lines than this cannot be told apart. */
export const PLACES = 6;
/** How many devices are in the chart before somebody chooses. */
const AT_FIRST = 4;

/** Device ids by place; `null` is a free place. */
export type Selection = readonly (string | null)[];

export const NOTHING_SELECTED: Selection = Array.from({ length: PLACES }, () => null);

export function placeOf(selection: Selection, id: string): number {
  return selection.indexOf(id);
}

/** Takes the device out, or puts it into the first free place; when all are taken, the last one gives way. */
export function toggle(selection: Selection, id: string): Selection {
  const place = placeOf(selection, id);
  if (place >= 0) return selection.with(place, null);
  const free = selection.indexOf(null);
  return selection.with(free >= 0 ? free : PLACES - 1, id);
}

/** The first devices of a list. */
export function firstOf(ids: readonly string[]): Selection {
  return NOTHING_SELECTED.map((_, place) => (place < AT_FIRST ? (ids[place] ?? null) : null));
}

/** A wanted list of devices, as it came with the page's address. */
export function selectionOf(ids: readonly string[]): Selection {
  return NOTHING_SELECTED.map((_, place) => ids[place] ?? null);
}
