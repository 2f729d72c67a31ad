/** The list of messages: filters, one page of rows, and the way to older ones. */

import {
  element,
  icon,
  isBusy,
  live,
  setAttribute,
  setBusy,
  setText,
  showChildren,
} from "./dom.js";

const LOOKS = {
  queued: ["mdi:message-text-clock-outline", "info"],
  sent: ["mdi:message-arrow-right-outline", "info"],
  delivered: ["mdi:message-check-outline", "success"],
  failed: ["mdi:message-alert-outline", "error"],
  expired: ["mdi:message-off-outline", "error"],
  uncertain: ["mdi:message-question-outline", "warning"],
  cancelled: ["mdi:message-minus-outline", "muted"],
};

const VIEW_NAMES = {
  "": (text) => text("all"),
  waiting: (text) => text("waiting"),
  undelivered: (text) => text("undelivered"),
  delivered: (text) => text("delivered"),
};

const ACTION_NAMES = {
  cancel: (text) => text("cancel"),
  resend: (text) => text("resend"),
};

export class List {
  constructor(card, feed, view) {
    this._card = card;
    this._feed = feed;
    this._view = view;
    this._rows = new Map();
    this._filters = Object.keys(VIEW_NAMES).map((one) =>
      element("button", { type: "button", onclick: () => this._look(one) }),
    );
    this._group = element(
      "div",
      { class: "filters", role: "group" },
      ...this._filters,
    );
    this.place = element("ul", { class: "messages", tabindex: "-1" });
    this._status = element("p", { class: "secondary" });
    this._newer = element("button", {
      type: "button",
      onclick: () => feed.goBack(),
    });
    this._older = element("button", {
      type: "button",
      onclick: () => feed.older(),
    });
    this.nodes = [
      this._group,
      live("status", this._status),
      this.place,
      element("div", { class: "pages" }, this._newer, this._older),
    ];
  }

  _look(view) {
    this._view = view;
    this._feed.look(view);
    this.update();
  }

  update() {
    const { text } = this._card.locale;
    const views = Object.entries(VIEW_NAMES);
    setAttribute(this._group, "aria-label", text("show"));
    setAttribute(this.place, "aria-label", text("messages"));
    this._filters.forEach((button, index) => {
      const [view, name] = views[index];
      setText(button, name(text));
      setAttribute(button, "aria-pressed", String(view === this._view));
    });
    setText(this._newer, text("newer"));
    setText(this._older, text("older"));
    this._newer.hidden = !this._feed.hasNewer;
    this._older.hidden = !this._feed.hasOlder;
    this._showRows(this._feed.rows ?? []);
    this._showStatus();
  }

  async _showStatus() {
    const { locale } = this._card;
    const { rows, error } = this._feed;
    if (error) {
      // Before its start is over, Home Assistant does not know our commands.
      const sentence = error.translation_key
        ? await locale.error(error)
        : locale.text("waitingForServer");
      if (error === this._feed.error) {
        setText(this._status, sentence);
      }
    } else if (!rows) {
      setText(this._status, locale.text("loading"));
    } else {
      setText(this._status, rows.length ? "" : locale.text("none"));
    }
  }

  /** Show rows; one that is the same keeps its element, and so the focus. */
  _showRows(messages) {
    const rows = new Map();
    const { locale } = this._card;
    for (const message of messages) {
      const row = this._rows.get(message.id) ?? new Row(this._card);
      row.update(message, locale);
      rows.set(message.id, row);
    }
    this._rows = rows;
    showChildren(this.place, [...rows.values()].map(({ node }) => node));
  }
}

/** One message. */
class Row {
  constructor(card) {
    this._card = card;
    this._icon = icon("mdi:message-outline");
    this._name = element("strong");
    this._number = element("span", { class: "secondary" });
    this._whom = element("span", {}, this._name, " ", this._number);
    this._time = element("time");
    this._text = element("p", { class: "text" });
    this._facts = element("p", { class: "secondary" });
    this._again = element("p", { class: "info" });
    this._error = element("p", { class: "error" });
    this._question = new Question((isSure) => this._answer(isSure));
    this._actions = element("div", { class: "actions" });
    this._buttons = new Map();
    this._isSendingAgain = false;
    this._isSentAgain = false;
    this.node = element(
      "li",
      { tabindex: "-1" },
      this._icon,
      element(
        "div",
        { class: "body" },
        element("div", { class: "line" }, this._whom, this._time),
        this._text,
        this._facts,
        live("status", this._again),
        live("alert", this._error),
        this._question.node,
      ),
      this._actions,
    );
  }

  update(message, locale) {
    if (message === this._message && locale === this._locale) {
      return;
    }
    this._message = message;
    this._locale = locale;
    const [look, colour] = LOOKS[message.status];
    setAttribute(this._icon, "icon", look);
    setAttribute(this._icon, "class", colour);
    setText(this._name, message.recipient ?? message.to);
    // A recipient may have several numbers.
    setText(this._number, message.recipient ? message.to : "");
    setText(this._time, locale.time(message.created));
    setAttribute(this._time, "datetime", message.created);
    setText(this._text, message.message ?? "");
    setText(this._facts, facts(message, locale));
    this._question.update(locale);
    this._offer(message.actions);
    this._showAgain();
  }

  /** Say whether the message is being sent again, or was. */
  _showAgain() {
    const { text } = this._locale;
    const isSent = this._isSentAgain || this._message.resent;
    const sent = isSent ? text("sentAgain") : "";
    setText(this._again, this._isSendingAgain ? text("sendingAgain") : sent);
  }

  /** Offer actions; one that was offered before keeps its button. */
  _offer(actions) {
    const { text } = this._locale;
    const buttons = new Map();
    for (const action of actions) {
      const button = this._buttons.get(action) ?? this._button(action);
      const name = ACTION_NAMES[action](text);
      const label = text("actionOn", {
        action: name,
        name: this._whom.textContent.trim(),
        time: this._time.textContent,
      });
      setAttribute(button, "aria-label", label);
      setText(button, name);
      buttons.set(action, button);
    }
    this._buttons = buttons;
    showChildren(this._actions, [...buttons.values()]);
    this._ask(this._question.isOpen && buttons.has("resend"));
  }

  _button(action) {
    const press = () => this._press(action);
    return element("button", { type: "button", onclick: press });
  }

  /** Do an action; ask first where it may send a text that has arrived already. */
  _press(action) {
    if (isBusy(this._buttons.get(action))) {
      return;
    }
    setText(this._error, "");
    if (action === "resend" && this._message.status === "uncertain") {
      this._ask(true);
      this._question.focus();
    } else {
      this._act(action);
    }
  }

  /** Ask in the place of the actions, or no longer. */
  _ask(isAsked) {
    this._question.isOpen = isAsked;
    this._actions.hidden = isAsked || !this._buttons.size;
  }

  _answer(isSure) {
    this._ask(false);
    this._buttons.get("resend").focus();
    if (isSure) {
      this._act("resend");
    }
  }

  async _act(action) {
    const button = this._buttons.get(action);
    setBusy(button, true);
    this._isSendingAgain = action === "resend";
    this._showAgain();
    try {
      await this._card.call("sms_italia", action, {
        message_id: this._message.id,
      });
      this._isSentAgain = action === "resend";
    } catch (err) {
      setText(this._error, await this._locale.error(err));
    } finally {
      // The button goes with the next state of the message: no press until then.
      setBusy(button, this._isSentAgain);
      this._isSendingAgain = false;
      this._showAgain();
    }
  }
}

/** The question whether to send again what may have arrived. */
class Question {
  /** `answer` is called with whether to send it. */
  constructor(answer) {
    this._text = element("p", { class: "warning" });
    this._yes = element("button", { type: "button", onclick: () => answer(true) });
    this._no = element("button", { type: "button", onclick: () => answer(false) });
    const leave = (event) => event.key === "Escape" && answer(false);
    this.node = element(
      "div",
      { role: "group", hidden: true, onkeydown: leave },
      this._text,
      element("div", { class: "choice" }, this._no, this._yes),
    );
  }

  get isOpen() {
    return !this.node.hidden;
  }

  set isOpen(isOpen) {
    this.node.hidden = !isOpen;
  }

  update({ text }) {
    setText(this._text, text("mayHaveArrived"));
    setText(this._yes, text("sendAllTheSame"));
    setText(this._no, text("doNotSend"));
    setAttribute(this.node, "aria-label", text("mayHaveArrived"));
  }

  /** Give the focus to the answer that sends nothing. */
  focus() {
    this._no.focus();
  }
}

/** Return status, reason, moment, parts and cost of a message, as far as known. */
const facts = (message, locale) => {
  const { text } = locale;
  const isScheduled = message.status === "queued" && message.send_at;
  return [
    locale.status(message.status),
    isScheduled && text("scheduledFor", { time: locale.time(message.send_at) }),
    isScheduled && !message.can_cancel && text("cannotCancel"),
    locale.reason(message.error),
    message.parts ? locale.parts(message.parts) : "",
    typeof message.cost === "number" && locale.money(message.cost),
  ]
    .filter(Boolean)
    .join(" · ");
};
