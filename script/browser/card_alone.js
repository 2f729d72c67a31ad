/* A card with a frontend and a connection of its own, at `window.alone`. */
() => {
  const row = (number) => ({
    id: String(number).padStart(4, "0"),
    recipient: `Anna ${number}`,
    to: "***567",
    status: "queued",
    created: "2026-11-01T10:00:00Z",
    updated: `2026-11-01T10:00:${String(number).padStart(2, "0")}Z`,
    message: "Ciao",
    parts: 1,
    cost: null,
    error: null,
    send_at: null,
    resent: false,
    can_cancel: true,
    actions: ["cancel"],
  });
  const entity = (entity_id, device_id, translation_key) => ({
    entity_id,
    device_id,
    translation_key,
    platform: "sms_italia",
  });
  const entities = {
    credit: entity("sensor.credit", "account", "credit"),
    anna: entity("notify.anna", "anna", "sms"),
    bruno: entity("notify.bruno", "bruno", "sms"),
    running: entity("sensor.notte", "notte", "escalation"),
    button: entity("button.notte", "notte", "acknowledge"),
  };
  const device = (name) => ({ name, config_entries: ["account"] });
  const state = (entity_id, value, attributes = {}) => ({
    entity_id,
    state: value,
    attributes,
  });

  const alone = {
    messages: [9, 8, 7, 6, 5, 4, 3, 2, 1].map(row),
    asked: [],
    calls: [],
    answer: undefined,
    states: {
      "sensor.credit": state("sensor.credit", "10"),
      "notify.anna": state("notify.anna", "unknown"),
      "notify.bruno": state("notify.bruno", "unknown"),
      "sensor.notte": state("sensor.notte", "calling", { member: "Anna" }),
      "button.notte": state("button.notte", "unknown"),
    },
    themes: {},
    /** Show states as they are now. */
    show() {
      this.card.hass = {
        language: "en",
        locale,
        localize,
        themes: this.themes,
        entities,
        devices,
        states: { ...this.states },
        connection,
        formatEntityState: (one) => one.state,
        callService: (...call) => {
          this.calls.push(call.slice(0, 3));
          return this.answer;
        },
      };
    },
    set(entity_id, value, attributes) {
      this.states[entity_id] = state(entity_id, value, attributes);
      this.show();
    },
    /** Let a message change, or a new one come. */
    change(number, changes) {
      const now = { ...row(number), updated: "2026-12-01T10:00:00Z", ...changes };
      this.push({ messages: [now] });
    },
    /** Hold what is asked for from now on, until `release` is called. */
    hold() {
      this.answer = new Promise((resolve) => {
        this.release = resolve;
      });
    },
    button(text) {
      const all = [...this.card.shadowRoot.querySelectorAll("button")];
      return all.find((one) => one.textContent === text && !one.closest("[hidden]"));
    },
    row(number) {
      const all = [...this.card.shadowRoot.querySelectorAll(".messages li")];
      return all.find((one) => one.textContent.startsWith(`Anna ${number}`));
    },
    rows() {
      const names = this.card.shadowRoot.querySelectorAll(".messages strong");
      return [...names].map((one) => Number(one.textContent.slice(5)));
    },
    /** Note who has the focus, to ask later whether it is the same. */
    note() {
      this.noted = this.card.shadowRoot.activeElement;
    },
    get kept() {
      return this.noted !== null && this.card.shadowRoot.activeElement === this.noted;
    },
  };

  const locale = { language: "en" };
  const localize = () => "";
  const devices = {
    account: device("Conto"),
    anna: device("Anna"),
    bruno: device("Bruno"),
    notte: device("Notte"),
  };
  const connection = {
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    subscribeMessage: async (callback) => {
      alone.push = callback;
      return async () => undefined;
    },
    sendMessagePromise: async ({ before, limit, view }) => {
      alone.asked.push(before ?? null);
      await alone.answer;
      const found = alone.messages.filter(
        (one) =>
          (!before || one.id < before) && (!view || one.status === "queued"),
      );
      return {
        messages: found.slice(0, limit),
        more: found.length > limit,
        cannot_cancel: ["account"],
      };
    },
  };

  window.alone?.card.remove();
  alone.card = document.createElement("sms-italia-messages");
  alone.card.setConfig({ rows: 4 });
  alone.show();
  document.body.prepend(alone.card);
  window.alone = alone;
}
