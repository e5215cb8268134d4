/** The control that chooses which areas are followed. */
import { MOST_AREAS } from "../core/areas";
import { formatWhole } from "../core/format";
import { byId, make, setText } from "./dom";
import type { Frame } from "./frame";

/** When more areas than this are followed, the button shows their number instead of their names. */
const NAMED = 2;

export class AreaControl {
  private readonly button = byId("areas", HTMLButtonElement);
  private readonly menu = byId("areas-menu", HTMLFieldSetElement);
  private readonly all = byId("areas-all", HTMLInputElement);
  private readonly list = byId("areas-list", HTMLDivElement);
  private readonly more = byId("areas-more", HTMLParagraphElement);
  private readonly boxes = new Map<string, HTMLInputElement>();
  private last: Pick<Frame, "areas" | "following"> | null = null;
  private painted: readonly string[] | null = null;
  private followed: readonly string[] | null = null;

  /** `follow` is called with the chosen areas; an empty list means all. */
  constructor(private readonly follow: (areas: readonly string[]) => void) {
    this.all.addEventListener("change", () => this.chooseAll());
    this.list.addEventListener("change", () => this.choose());
    this.menu.addEventListener("beforetoggle", () => this.onToggle());
    this.menu.addEventListener("keydown", (event) => this.onKey(event));
    setText(this.more, `There are more areas than these ${MOST_AREAS}, in which devices were seen last.`);
  }

  /** With more areas than are offered, the list changes all the time: it is painted when the menu opens, and then kept. */
  paint({ areas, following }: Frame): void {
    this.last = { areas, following };
    setText(this.button, label(following.areas));
    if (!areas.areMore) this.paintList();
    if (following.areas !== this.followed) this.paintChoice();
  }

  private paintList(): void {
    if (this.last === null) return;
    const { areas, following } = this.last;
    const offered = areas.offered(following.areas);
    if (this.more.hidden === areas.areMore) this.more.hidden = !areas.areMore;
    if (offered === this.painted) return;
    this.painted = offered;
    this.removeAllBut(new Set(offered));
    offered.forEach((area, index) => this.put(area, index));
    this.paintChoice();
  }

  private paintChoice(): void {
    const followed = this.last?.following.areas ?? [];
    this.followed = followed;
    this.all.checked = followed.length === 0;
    for (const [area, box] of this.boxes) box.checked = followed.includes(area);
  }

  /** The boxes that are there already keep the focus. */
  private put(area: string, index: number): void {
    if (this.boxes.has(area)) return;
    const box = make("input", { type: "checkbox", value: area });
    this.boxes.set(area, box);
    this.list.insertBefore(make("label", { class: "option" }, box, make("span", {}, area)), this.list.children[index] ?? null);
  }

  private removeAllBut(offered: ReadonlySet<string>): void {
    for (const [area, box] of this.boxes) {
      if (offered.has(area)) continue;
      box.closest("label")?.remove();
      this.boxes.delete(area);
    }
  }

  private choose(): void {
    this.follow([...this.boxes].flatMap(([area, box]) => (box.checked ? [area] : [])));
  }

  /** The box cannot be unchecked, because something has to be followed. */
  private chooseAll(): void {
    this.all.checked = true;
    this.follow([]);
  }

  private onKey(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const boxes = [...this.menu.querySelectorAll("input")];
    const at = boxes.findIndex((box) => box === document.activeElement);
    boxes[Math.min(Math.max(at + step, 0), boxes.length - 1)]?.focus();
  }

  private onToggle(): void {
    this.paintList();
    this.place();
  }

  /** Places the menu below its button: a popover does not do that by itself. */
  private place(): void {
    const { left, bottom } = this.button.getBoundingClientRect();
    this.menu.style.left = `${Math.max(8, Math.min(left, window.innerWidth - 248))}px`;
    this.menu.style.top = `${bottom + 4}px`;
  }
}

function label(areas: readonly string[]): string {
  if (areas.length === 0) return "All areas";
  return areas.length <= NAMED ? areas.join(", ") : `${formatWhole(areas.length)} areas`;
}
