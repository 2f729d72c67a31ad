/** The head of the card: the credit of each account, and escalations that call. */

import { element, icon, live, setText } from "./dom.js";

export class Head {
  constructor(card) {
    this._card = card;
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
    this._escalations.replaceChildren(
      ...escalations.map((one) => this._escalation(one, text)),
    );
    this._credits.hidden = !credits.length;
    this._escalations.hidden = !escalations.length;
  }

  _escalation(one, text) {
    const sentence = one.member
      ? text("callingMember", one)
      : text("calling", one);
    const line = element("li", {}, icon("mdi:bell-ring"), sentence);
    if (one.button) {
      const press = () => this._acknowledge(one.button);
      line.append(
        element(
          "button",
          { type: "button", class: "primary", onclick: press },
          text("acknowledge"),
        ),
      );
    }
    return line;
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
