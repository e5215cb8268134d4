/** Which rows of a long list are in the document. Pure. */

export interface Slice {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

export interface Viewport {
  readonly scrollTop: number;
  readonly height: number;
  readonly rowHeight: number;
}

/** Rows that are kept above and below the visible part, so that small scrolls show no gap. */
const SPARE = 6;

export function visibleSlice(length: number, { scrollTop, height, rowHeight }: Viewport): Slice {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight);
  const count = Math.ceil(Math.max(0, height) / rowHeight);
  const to = Math.min(length, first + count + SPARE);
  return { from: Math.max(0, Math.min(first - SPARE, to - count - SPARE)), to };
}
