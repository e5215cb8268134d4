/** Whether somebody is reading the table right now: the pointer or the keyboard is in it, or it was just scrolled. */
import { byId } from "./dom";

/** After a touch or a scroll, the order stays for this long. */
const LINGER = 3_000;

export class Reading {
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

  now(): boolean {
    // A checkbox clicked with the mouse keeps the focus, but not `:focus-visible`: that person has moved on.
    const keyboard = this.body.querySelector(":focus-visible") !== null;
    return this.pointed || keyboard || performance.now() - this.touchedAt < LINGER;
  }
}
