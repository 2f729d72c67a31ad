/** The card `custom:sms-italia-messages`: the last messages, and a line to write one. */

import { Compose } from "./compose.js";
import { element, keepFocus, setAttribute, setText, showChildren } from "./dom.js";
import { findEntities, readEntities } from "./entities.js";
import { Feed } from "./feed.js";
import { Head } from "./head.js";
import { List } from "./list.js";
import { Locale, textsIn } from "./locale.js";
import { STYLE } from "./style.js";

const TYPE = "sms-italia-messages";
const MOST_ROWS = 50;
const DEFAULTS = { config_entry_id: "", view: "", rows: 10, compose: true };

class MessagesCard extends HTMLElement {
  /** Take over the configuration of the dashboard; an Error is shown in its place. */
  setConfig(config) {
    const known = { ...DEFAULTS, ...config };
    if (!(known.rows >= 1 && known.rows <= MOST_ROWS)) {
      throw new Error(`rows: 1-${MOST_ROWS}`);
    }
    if (!["", "waiting", "undelivered", "delivered"].includes(known.view)) {
      throw new Error("view: waiting, undelivered, delivered");
    }
    if (JSON.stringify(known) === JSON.stringify(this._config)) {
      return;
    }
    this._config = known;
    this._build();
    this._restart();
  }

  /** Take over the state of the frontend; called whenever any entity changes. */
  set hass(hass) {
    const before = this._hass;
    this._hass = hass;
    if (!before || isOther(before, hass)) {
      this.locale = new Locale(hass);
      setAttribute(this, "dark", hass.themes?.darkMode === true);
      this._forgetShown();
      this._showList();
    }
    this._showEntities();
    if (!before) {
      this._restart();
    }
  }

  connectedCallback() {
    this._restart();
  }

  disconnectedCallback() {
    this._feed?.stop();
    this._isRunning = false;
  }

  getCardSize() {
    return 4 + this._config.rows;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto" };
  }

  /** Return the configuration of a new card, so that the editor shows it. */
  static getStubConfig() {
    return { rows: DEFAULTS.rows, compose: DEFAULTS.compose };
  }

  static getConfigForm() {
    return {
      schema: FORM.map(({ name, selector }) => ({ name, selector })),
      computeLabel: ({ name }) =>
        FORM.find((field) => field.name === name).label(pageText()),
    };
  }

  /** Return whether a scheduled message of an account can be cancelled. */
  canCancel(account) {
    return !this._feed.cannotCancel.includes(account);
  }

  /** Call an action; raises what Home Assistant answers. */
  call(domain, action, data, target) {
    return this._hass.callService(domain, action, data, target, false);
  }

  /** Call an action of ours, and return its response. */
  async ask(action, data, target) {
    const answer = await this._hass.callService(
      "sms_italia",
      action,
      data,
      target,
      false,
      true,
    );
    return answer.response;
  }

  _build() {
    const { compose, view } = this._config;
    this._feed?.stop();
    this._feed = new Feed(() => this._showList());
    this._title = element("h2");
    this._head = new Head(this);
    this._compose = compose ? (this._compose ?? new Compose(this)) : undefined;
    this._list = new List(this, this._feed, view);
    this._registry = undefined;
    this._forgetShown();
    this._isRunning = false;
    this._frame ??= this._createFrame();
    this._keepFocus(() =>
      showChildren(this._frame, [
        this._title,
        ...this._head.nodes,
        ...(this._compose?.nodes ?? []),
        ...this._list.nodes,
      ]),
    );
  }

  /** Return the frame of the card; it stays, since a new one is not drawn at once. */
  _createFrame() {
    const style = element("style");
    style.textContent = STYLE;
    const frame = element("ha-card");
    this.attachShadow({ mode: "open" }).append(style, frame);
    return frame;
  }

  /** Make changes, without losing the place of who uses the keyboard. */
  _keepFocus(changes) {
    keepFocus(this.shadowRoot, changes, () => this._list.place);
  }

  _showList() {
    if (this._list) {
      this._keepFocus(() => this._list.update());
    }
  }

  /** Let everything be shown again: the words or the parts of the card are others. */
  _forgetShown() {
    this._shown = undefined;
    this._states = undefined;
  }

  /** Begin to follow the messages, once there are a configuration and a connection. */
  _restart() {
    if (this._isRunning || !this._config || !this._hass || !this.isConnected) {
      return;
    }
    this._isRunning = true;
    const { config_entry_id: account, view, rows: limit } = this._config;
    this._showEntities();
    this._showList();
    this._feed.start(this._hass.connection, { account, view, limit });
  }

  /** Show what entities say, if anything of it is new. */
  _showEntities() {
    if (!this._config || !this._hasNewStates()) {
      return;
    }
    const found = readEntities(this._hass, this._entities);
    const key = JSON.stringify(found);
    // Whatever is built anew loses the focus.
    if (key === this._shown) {
      return;
    }
    this._shown = key;
    setText(this._title, this._config.title ?? this.locale.text("title"));
    this._keepFocus(() => {
      this._head.update(found);
      this._compose?.update(found);
    });
  }

  /** Return whether our entities are others, or have other states, than before. */
  _hasNewStates() {
    const { entities, devices, states } = this._hass;
    if (this._registry?.entities !== entities || this._registry.devices !== devices) {
      this._registry = { entities, devices };
      this._entities = findEntities(this._hass, this._config.config_entry_id);
    }
    const before = this._states;
    this._states = this._entities.map(({ entity_id: id }) => states[id]);
    return !(
      before?.length === this._states.length &&
      before.every((state, index) => state === this._states[index])
    );
  }
}

/** Return whether words or colours are others. */
const isOther = (before, hass) =>
  before.locale !== hass.locale ||
  before.localize !== hass.localize ||
  before.language !== hass.language ||
  before.themes !== hass.themes;

/** Return the texts in the language of the page, where there is no `hass`. */
const pageText = () => textsIn(document.documentElement.lang);

const FORM = [
  {
    name: "title",
    label: (text) => text("formTitle"),
    selector: { text: {} },
  },
  {
    name: "config_entry_id",
    label: (text) => text("formAccount"),
    selector: { config_entry: { integration: "sms_italia" } },
  },
  {
    name: "rows",
    label: (text) => text("formRows"),
    selector: { number: { min: 1, max: MOST_ROWS, mode: "box" } },
  },
  {
    name: "view",
    label: (text) => text("formView"),
    get selector() {
      const text = pageText();
      const options = [
        { value: "", label: text("all") },
        { value: "waiting", label: text("waiting") },
        { value: "undelivered", label: text("undelivered") },
        { value: "delivered", label: text("delivered") },
      ];
      return { select: { options, mode: "dropdown" } };
    },
  },
  {
    name: "compose",
    label: (text) => text("formCompose"),
    selector: { boolean: {} },
  },
];

// After an update, a page that is still open has the class of the version before.
if (!customElements.get(TYPE)) {
  customElements.define(TYPE, MessagesCard);
  window.customCards = window.customCards ?? [];
  window.customCards.push({
    type: TYPE,
    get name() {
      const text = pageText();
      return text("cardName");
    },
    get description() {
      const text = pageText();
      return text("cardDescription");
    },
    preview: true,
    get documentationURL() {
      const text = pageText();
      return text("cardHelp");
    },
  });
}
