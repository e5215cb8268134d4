/** A device's condition as a shape and a word, so that it can be recognised without colours. */
import type { Condition } from "../core/freshness";
import { make, setAttribute, setText } from "./dom";

const SVG = "http://www.w3.org/2000/svg";

export class Shape {
  readonly element = make("span", { class: "state" });
  private readonly use = document.createElementNS(SVG, "use");
  private readonly word = make("span");

  constructor() {
    const svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of [["viewBox", "0 0 12 12"], ["width", "12"], ["height", "12"], ["aria-hidden", "true"]] as const) svg.setAttribute(name, value);
    svg.append(this.use);
    this.element.append(svg, this.word);
  }

  /** The shapes are defined in the first element of `index.html`. */
  paint(condition: Condition): void {
    setAttribute(this.element, "data-condition", condition);
    setAttribute(this.use, "href", `#shape-${condition}`);
    setText(this.word, condition);
  }
}
