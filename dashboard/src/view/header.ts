/** The top of the page (state of the link, figures, the notice when something is wrong, and remarks), and the foot. */
import { formatClock, formatRate, formatWhole, MISSING } from "../core/format";
import { byId, setAttribute, setText } from "./dom";
import type { Frame } from "./frame";

export class Header {
  private readonly link = byId("link", HTMLParagraphElement);
  private readonly label = byId("link-label", HTMLSpanElement);
  private readonly detail = byId("link-detail", HTMLSpanElement);
  private readonly devices = byId("figure-devices", HTMLElement);
  private readonly rate = byId("figure-rate", HTMLElement);
  private readonly last = byId("figure-last", HTMLElement);
  private readonly notice = byId("notice", HTMLElement);
  private readonly what = byId("notice-what", HTMLElement);
  private readonly advice = byId("notice-advice", HTMLElement);
  private readonly remark = byId("remark", HTMLParagraphElement);
  private readonly pause = byId("pause", HTMLButtonElement);
  private readonly tally = byId("tally", HTMLSpanElement);

  paint(frame: Frame): void {
    this.paintLink(frame);
    this.paintFigures(frame);
    this.paintNotice(frame);
    this.paintRemarks(frame);
    this.paintPause(frame);
    this.paintTally(frame);
  }

  private paintLink({ link }: Frame): void {
    setAttribute(this.link, "data-state", link.name);
    setText(this.label, link.name);
    setText(this.detail, link.detail);
    setAttribute(document.documentElement, "data-link", link.name);
    const title = link.name === "live" ? "fieldcast" : `fieldcast (${link.name})`;
    if (document.title !== title) document.title = title;
  }

  private paintFigures({ fleet, link, perSecond, lastMessage }: Frame): void {
    const known = fleet.measurements !== null || fleet.rows.length > 0;
    setText(this.devices, known ? formatWhole(fleet.rows.length) : MISSING);
    setText(this.rate, link.name === "live" ? formatRate(perSecond) : MISSING);
    setText(this.last, lastMessage === null ? MISSING : formatClock(lastMessage));
  }

  private paintNotice({ link, fleet, heardAt }: Frame): void {
    const { problem } = link;
    if (this.notice.hidden !== (problem === null)) this.notice.hidden = problem === null;
    if (problem === null) return;
    const asOf = link.name !== "live" && fleet.rows.length > 0 && heardAt !== null ? ` The values below are as of ${formatClock(heardAt)}.` : "";
    setText(this.what, problem.what);
    setText(this.advice, problem.advice + asOf);
  }

  private paintRemarks({ remarks }: Frame): void {
    if (this.remark.hidden !== (remarks.length === 0)) this.remark.hidden = remarks.length === 0;
    setText(this.remark, remarks.join(" "));
  }

  private paintPause({ waiting }: Frame): void {
    setAttribute(this.pause, "data-paused", `${waiting !== null}`);
    setText(this.pause, waiting === null ? "Pause" : `Resume · ${formatWhole(waiting)} new`);
  }

  private paintTally({ fleet: { tally } }: Frame): void {
    const parts = [`${formatWhole(tally.applied)} updates applied`, `${formatWhole(tally.dropped)} older or repeated dropped`];
    if (tally.malformed > 0) parts.push(`${formatWhole(tally.malformed)} unreadable messages ignored`);
    setText(this.tally, parts.join(" · "));
    setAttribute(this.tally, "data-malformed", `${tally.malformed}`);
  }
}
