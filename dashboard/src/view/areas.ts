/** The control that chooses which areas are followed. */
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
  private readonly boxes = new Map<string, HTMLInputElement>();
  private areas: readonly string[] | null = null;
  private followed: readonly string[] = [];

  /** `follow` is called with the chosen areas; an empty list means all. */
  constructor(private readonly follow: (areas: readonly string[]) => void) {
    this.all.addEventListener("change", () => this.chooseAll());
    this.list.addEventListener("change", () => this.choose());
    this.menu.addEventListener("beforetoggle", () => this.place());
    this.menu.addEventListener("keydown", (event) => this.onKey(event));
  }

  paint({ areas, following }: Frame): void {
    setText(this.button, label(following.areas));
    if (areas !== this.areas) this.paintList(areas);
    if (following.areas === this.followed && areas === this.areas) return;
    this.areas = areas;
    this.followed = following.areas;
    this.all.checked = following.areas.length === 0;
    for (const [area, box] of this.boxes) box.checked = following.areas.includes(area);
  }

  /** Only adds areas, as they are never removed. The boxes that are there keep the focus. */
  private paintList(areas: readonly string[]): void {
    areas.forEach((area, index) => {
      if (this.boxes.has(area)) return;
      const box = make("input", { type: "checkbox", value: area });
      this.boxes.set(area, box);
      this.list.insertBefore(make("label", { class: "option" }, box, make("span", {}, area)), this.list.children[index] ?? null);
    });
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
