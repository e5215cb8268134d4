/** The devices in the chart. Each has a place, which decides its colour. Pure. */

/** The most lines that can be told apart. */
export const PLACES = 6;
/** How many devices are in the chart until somebody chooses. */
const AT_FIRST = 4;

/** Device ids by place; `null` is a free place. */
export type Selection = readonly (string | null)[];

export const NOTHING_SELECTED: Selection = Array.from({ length: PLACES }, () => null);

export function placeOf(selection: Selection, id: string): number {
  return selection.indexOf(id);
}

/** Removes the device, or puts it into the first free place. When there is none, it replaces the last one. */
export function toggle(selection: Selection, id: string): Selection {
  const place = placeOf(selection, id);
  if (place >= 0) return selection.with(place, null);
  const free = selection.indexOf(null);
  return selection.with(free >= 0 ? free : PLACES - 1, id);
}

/** The first devices of a list that can be drawn. */
export function firstOf(ids: readonly string[], canBeDrawn: (id: string) => boolean = () => true): Selection {
  const first: string[] = [];
  for (const id of ids) {
    if (first.length === AT_FIRST) break;
    if (canBeDrawn(id)) first.push(id);
  }
  return selectionOf(first);
}

/** These devices, as listed in the page's address. */
export function selectionOf(ids: readonly string[]): Selection {
  return NOTHING_SELECTED.map((_, place) => ids[place] ?? null);
}
