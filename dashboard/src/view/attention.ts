/** Whether somebody reads the table now: the pointer or the keyboard is in it, or it was scrolled a moment ago. */
import { byId } from "./dom";

/** For how long a touch or a scroll counts. */
const LINGER = 3_000;

export class Attention {
  private readonly body = byId("rows", HTMLTableSectionElement);
  private pointed = false;
  private touchedAt = -Infinity;

  constructor() {
    this.body.addEventListener("pointerenter", (event) => (this.pointed = event.pointerType === "mouse"));
    this.body.addEventListener("pointerleave", () => (this.pointed = false));
    const scroller = byId("scroller", HTMLDivElement);
    for (const kind of ["scroll", "touchstart"]) {
      scroller.addEventListener(kind, () => (this.touchedAt = performance.now()), { passive: true });
    }
  }

  get isOnTable(): boolean {
    // A checkbox that was clicked with the mouse keeps the focus, but not `:focus-visible`.
    const keyboard = this.body.querySelector(":focus-visible") !== null;
    return this.pointed || keyboard || performance.now() - this.touchedAt < LINGER;
  }
}
