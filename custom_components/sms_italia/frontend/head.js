/** The head of the card: the credit of each account, and escalations that call. */

import { element, icon, live, setText, showChildren } from "./dom.js";

export class Head {
  constructor(card) {
    this._card = card;
    this._lines = new Map();
    this._credits = element("ul", { class: "credits" });
    this._escalations = element("ul", { class: "escalations" });
    this._error = element("p", { class: "error" });
    this.nodes = [
      this._credits,
      this._escalations,
      live("alert", this._error),
    ];
  }

  update({ credits, escalations }) {
    const { text } = this._card.locale;
    this._credits.replaceChildren(
      ...credits.map((account) => credit(account, text)),
    );
    this._showEscalations(escalations, text);
    this._credits.hidden = !credits.length;
    this._escalations.hidden = !escalations.length;
  }

  /** Show those that call; one that goes on keeps its elements, and so the focus. */
  _showEscalations(escalations, text) {
    const lines = new Map();
    for (const one of escalations) {
      const press = (button) => this._acknowledge(button);
      const line = this._lines.get(one.id) ?? new EscalationLine(press);
      line.update(one, text);
      lines.set(one.id, line);
    }
    this._lines = lines;
    showChildren(this._escalations, [...lines.values()].map(({ node }) => node));
  }

  async _acknowledge(button) {
    setText(this._error, "");
    try {
      await this._card.call("button", "press", {}, { entity_id: button });
    } catch (err) {
      setText(this._error, await this._card.locale.error(err));
    }
  }
}

/** One escalation that calls, and the button that acknowledges. */
class EscalationLine {
  constructor(press) {
    this._sentence = element("span");
    this._button = element("button", {
      type: "button",
      class: "primary",
      onclick: () => press(this._id),
    });
    this.node = element("li", {}, icon("mdi:bell-ring"), this._sentence, this._button);
  }

  update(one, text) {
    this._id = one.button;
    const sentence = one.member
      ? text("callingMember", one)
      : text("calling", one);
    setText(this._sentence, sentence);
    setText(this._button, one.button ? text("acknowledge") : "");
  }
}

const credit = ({ name, credit: amount, days, daysName, isLow }, text) => {
  const line = element(
    "li",
    { class: isLow && "low" },
    icon(isLow ? "mdi:cash-remove" : "mdi:wallet-outline"),
    element("span", {}, name),
    element("strong", {}, amount),
  );
  if (days) {
    line.append(element("span", { title: daysName }, `· ${days}`));
  }
  if (isLow) {
    line.append(element("span", {}, `· ${text("lowCredit")}`));
  }
  return line;
};
