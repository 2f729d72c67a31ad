/** One page of messages, kept current by a subscription, across lost connections. */

const VIEWS = {
  waiting: ["queued"],
  undelivered: ["failed", "expired", "uncertain"],
  delivered: ["delivered"],
};

const FIRST_RETRY = 1000;
const LONGEST_RETRY = 30000;
const RELOAD_DELAY = 500;

const isIn = (view, row) => !view || VIEWS[view].includes(row.status);

/** Return the later of two states of a message. */
const newer = (one, other) =>
  other && Date.parse(other.updated) > Date.parse(one.updated) ? other : one;

export class Feed {
  /** `changed` is called whenever `rows`, `error` or the pages are others. */
  constructor(changed) {
    this._changed = changed;
    this._start = 0;
    this._cursors = [undefined];
    this._early = null;
    this._isTurning = false;
    this._ready = () => this._open(FIRST_RETRY);
    this.rows = null;
    this.hasOlder = false;
    this.error = null;
    this.cannotCancel = [];
  }

  get hasNewer() {
    return this._cursors.length > 1;
  }

  /** Show the messages of an account, or of all, by a connection of the frontend. */
  start(connection, { account, view, limit }) {
    this.stop();
    this._connection = connection;
    this._account = account;
    this._view = view;
    this._limit = limit;
    // After a restart of Home Assistant too: the connection is the same object.
    connection.addEventListener("ready", this._ready);
    this._open(FIRST_RETRY);
  }

  stop() {
    this._start += 1;
    clearTimeout(this._timer);
    this._connection?.removeEventListener("ready", this._ready);
    this._unsubscribe?.().catch(() => undefined);
    this._unsubscribe = undefined;
  }

  /** Show others of the messages, from the newest on. */
  look(view) {
    this._view = view;
    this._turn([undefined]);
  }

  /** Turn to older messages; not before the page is there whose last one they follow. */
  older() {
    const last = this.rows?.at(-1);
    if (last && !this._isTurning) {
      this._turn([...this._cursors, last.id]);
    }
  }

  goBack() {
    if (this.hasNewer) {
      this._turn(this._cursors.slice(0, -1));
    }
  }

  _turn(cursors) {
    this._cursors = cursors;
    this._isTurning = true;
    this._load();
  }

  /** Subscribe and load; try again until it works, in ever longer pauses. */
  async _open(pause) {
    this._start += 1;
    const start = this._start;
    clearTimeout(this._timer);
    try {
      const unsubscribe = await this._connection.subscribeMessage(
        (event) => start === this._start && this._apply(event.messages),
        this._command("subscribe"),
        { resubscribe: false },
      );
      if (start !== this._start) {
        unsubscribe().catch(() => undefined);
        return;
      }
      this._unsubscribe = unsubscribe;
      await this._fetch(start);
    } catch (err) {
      if (start === this._start) {
        this._retry(err, pause);
      }
    }
  }

  _retry(err, pause) {
    this._unsubscribe?.().catch(() => undefined);
    this._unsubscribe = undefined;
    this.error = err;
    this._changed();
    this._timer = setTimeout(
      () => this._open(Math.min(2 * pause, LONGEST_RETRY)),
      pause,
    );
  }

  async _load() {
    const start = this._start;
    try {
      await this._fetch(start);
    } catch (err) {
      if (start === this._start) {
        this._retry(err, FIRST_RETRY);
      }
    }
  }

  /** Load the page; what changes meanwhile may be newer than the answer. */
  async _fetch(start) {
    const early = new Map();
    this._early = early;
    const page = await this._connection.sendMessagePromise({
      ...this._command("list"),
      view: this._view || undefined,
      before: this._cursors.at(-1),
      limit: this._limit,
    });
    if (start !== this._start || early !== this._early) {
      return;
    }
    this._early = null;
    this._isTurning = false;
    this.error = null;
    this.hasOlder = page.more;
    this.cannotCancel = page.cannot_cancel;
    this.rows = page.messages;
    this._merge([...early.values()]);
  }

  _command(name) {
    return {
      type: `sms_italia/messages/${name}`,
      config_entry_id: this._account || undefined,
    };
  }

  /** Take up messages that changed; without them, they are too many to be sent. */
  _apply(messages) {
    if (!messages) {
      this._reload();
    } else if (this._early) {
      messages.forEach((row) => this._early.set(row.id, row));
    } else if (this.rows) {
      this._merge(messages);
    }
  }

  _reload() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._load(), RELOAD_DELAY);
  }

  /** Put changed messages into the page; new ones only into the first. */
  _merge(messages) {
    const known = new Map(this.rows.map((row) => [row.id, row]));
    const last = this.rows.at(-1)?.id ?? "";
    for (const row of messages) {
      if (known.has(row.id)) {
        known.set(row.id, newer(row, known.get(row.id)));
      } else if (!this.hasNewer && (!this.hasOlder || row.id > last)) {
        known.set(row.id, row);
      }
    }
    // An ID has a fixed length, and grows.
    const rows = [...known.values()]
      .filter((row) => isIn(this._view, row))
      .sort((one, other) => (one.id < other.id ? 1 : -1));
    const isShort = rows.length < this.rows.length;
    this.hasOlder ||= rows.length > this._limit;
    this.rows = rows.slice(0, this._limit);
    this._changed();
    if (isShort && this.hasOlder) {
      this._reload();
    }
  }
}
