/** The line to write a message: what it takes while typing, then send or schedule. */

import { element, isBusy, live, setAttribute, setBusy, setText } from "./dom.js";

const TYPING_PAUSE = 400;

export class Compose {
  constructor(card) {
    this._card = card;
    this._recipients = [];
    this._estimates = 0;
    const typed = () => this._typed();
    this._recipient = element("select", {
      id: "recipient",
      onchange: () => {
        this._wanted = this._recipient.value;
        typed();
      },
    });
    this._message = element("textarea", {
      id: "message",
      rows: "2",
      "aria-describedby": "estimate",
      oninput: typed,
    });
    this._sendAt = element("input", {
      id: "send-at",
      type: "datetime-local",
      oninput: () => this._label(),
    });
    this._button = element("button", { type: "submit", class: "primary" });
    this._labels = ["recipient", "message", "send-at"].map((id) =>
      element("label", { for: id }),
    );
    this._estimate = element("p", { id: "estimate" });
    this._costly = element("p", { class: "warning" });
    this._final = element("p", { class: "warning" });
    this._result = element("p");
    this._error = element("p", { class: "error" });
    this._empty = element("p", { class: "secondary" });
    this._form = this._build();
    this.nodes = [this._form, this._empty];
  }

  _build() {
    const [recipient, message, sendAt] = this._labels;
    this._scheduled = element("div", { class: "field" }, sendAt, this._sendAt);
    const submit = (event) => {
      event.preventDefault();
      this._send();
    };
    return element(
      "form",
      { class: "compose", onsubmit: submit },
      element("div", { class: "field" }, recipient, this._recipient),
      element("div", { class: "field" }, message, this._message),
      live("status", this._estimate, this._costly),
      element("div", { class: "send" }, this._scheduled, this._button),
      live("status", this._final),
      live("status", this._result),
      live("alert", this._error),
    );
  }

  update({ recipients }) {
    const { text } = this._card.locale;
    const [recipient, message, sendAt] = this._labels;
    setText(recipient, text("recipient"));
    setText(message, text("message"));
    setText(sendAt, text("sendAt"));
    setText(this._empty, recipients.length ? "" : text("noRecipients"));
    // During a restart there are none: what somebody is writing stays.
    this._form.hidden = !recipients.length && !this._message.value;
    this._offer(recipients);
    this._label();
  }

  /** Offer recipients; one that was away during a restart is chosen again. */
  _offer(recipients) {
    const key = JSON.stringify(recipients);
    if (key === this._offered) {
      return;
    }
    this._offered = key;
    this._recipients = recipients;
    this._recipient.replaceChildren(
      ...recipients.map(({ id, name }) => element("option", { value: id }, name)),
    );
    if (this._wanted) {
      // Nobody, rather than somebody else, while that one is away.
      this._recipient.value = this._wanted;
    }
  }

  get _chosen() {
    return this._recipients.find(({ id }) => id === this._recipient.value);
  }

  _label() {
    const { text } = this._card.locale;
    const isScheduled = this._sendAt.value && !this._chosen?.isEscalation;
    setText(this._button, isScheduled ? text("schedule") : text("send"));
    const isFinal = isScheduled && !this._card.canCancel(this._chosen?.account);
    setText(this._final, isFinal ? text("willNotCancel") : "");
    // Nobody schedules an alarm.
    this._scheduled.hidden = Boolean(this._chosen?.isEscalation);
  }

  _typed() {
    this._label();
    // The first one of the list, which may be another list later.
    this._wanted ||= this._recipient.value;
    setText(this._result, "");
    setText(this._error, "");
    clearTimeout(this._timer);
    this._estimates += 1;
    this._timer = setTimeout(() => this._ask(this._estimates), TYPING_PAUSE);
  }

  /** Ask what the text takes, unless more was typed meanwhile. */
  async _ask(estimate) {
    const message = this._message.value;
    const chosen = this._chosen;
    if (!message.trim() || !chosen) {
      this._show(null);
      return;
    }
    const [data, target] = chosen.isEscalation
      ? [{ message, config_entry_id: chosen.account }, undefined]
      : [{ message }, { entity_id: chosen.id }];
    try {
      const answer = await this._card.ask("estimate", data, target);
      if (estimate === this._estimates) {
        this._show(answer);
      }
    } catch (err) {
      if (estimate === this._estimates) {
        this._show(null);
        setText(this._error, await this._card.locale.error(err));
      }
    }
  }

  _show(answer) {
    const { locale } = this._card;
    const { text } = locale;
    const words = answer
      ? [
          locale.parts(answer.parts),
          locale.left(answer.characters_left),
          answer.cost === null ? "" : locale.money(answer.cost),
        ]
      : [];
    setText(this._estimate, words.filter(Boolean).join(" · "));
    const characters = answer?.costly_characters.join(" ") ?? "";
    setText(this._costly, characters && text("costly", { characters }));
  }

  async _send() {
    const chosen = this._chosen;
    const message = this._message.value;
    const { text } = this._card.locale;
    if (isBusy(this._button)) {
      return;
    }
    if (!chosen) {
      this._recipient.focus();
      return;
    }
    if (!message.trim()) {
      setText(this._result, "");
      setText(this._error, text("noText"));
      this._message.focus();
      return;
    }
    this._busy(true);
    setText(this._error, "");
    setText(this._result, text("sending"));
    try {
      setText(this._result, await this._deliver(chosen, message));
      // What was typed meanwhile is the next message.
      if (this._message.value === message) {
        this._message.value = "";
        this._sendAt.value = "";
        clearTimeout(this._timer);
        this._estimates += 1;
        this._show(null);
      }
    } catch (err) {
      setText(this._result, "");
      setText(this._error, await this._card.locale.error(err));
    } finally {
      this._busy(false);
      this._label();
    }
  }

  /** Send, and return the sentence of the result. */
  async _deliver({ id, name, isEscalation }, message) {
    const { locale } = this._card;
    const target = { entity_id: id };
    if (isEscalation) {
      await this._card.call("notify", "send_message", { message }, target);
      return locale.text("called", { name });
    }
    const data = this._sendAt.value
      ? { message, send_at: locale.moment(this._sendAt.value) }
      : { message };
    const { messages } = await this._card.ask("send_sms", data, target);
    const words = new Set(messages.map((one) => locale.status(one.status)));
    return locale.text("sent", { name, status: [...words].join(", ") });
  }

  _busy(busy) {
    setBusy(this._button, busy);
    setAttribute(this._form, "aria-busy", busy && "true");
  }
}
