/** Words, numbers and times in the language and the time zone of the user. */

import { TEXTS } from "./texts.js";

const DOMAIN = "sms_italia";

/** Return what fills the texts of a language: `text("sent", {name, status})`. */
export const textsIn = (language) => {
  const texts = TEXTS[String(language).slice(0, 2)] ?? TEXTS.en;
  return (key, values = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
};

/** Says everything that the card shows, for one state of the frontend (`hass`). */
export class Locale {
  constructor(hass) {
    this._hass = hass;
    this.language = hass.locale?.language ?? hass.language;
    this.text = textsIn(this.language);
    this._zone = isServerZone(hass) ? hass.config.time_zone : undefined;
    this._money = new Intl.NumberFormat(this.language, {
      style: "currency",
      currency: "EUR",
      maximumFractionDigits: 4,
    });
    this._time = new Intl.DateTimeFormat(this.language, {
      dateStyle: "short",
      timeStyle: "short",
      timeZone: this._zone,
      ...clock(hass.locale?.time_format),
    });
  }

  /** Return an amount in euro. */
  money(euro) {
    return this._money.format(euro);
  }

  /** Return a moment, given in ISO 8601. */
  time(moment) {
    return this._time.format(new Date(moment));
  }

  /** Return the number of parts of a message. */
  parts(count) {
    return count === 1 ? this.text("onePart") : this.text("parts", { count });
  }

  /** Return how many characters fit into the last part of a message. */
  left(count) {
    return count === 1 ? this.text("oneLeft") : this.text("left", { count });
  }

  /** Return the moment that a field of local time means, in ISO 8601. */
  moment(value) {
    // Without a zone it is a time of the server's.
    return this._zone ? value : new Date(value).toISOString();
  }

  /** Return the word of a status. */
  status(status) {
    const sensor = `component.${DOMAIN}.entity.sensor.last_delivery_status`;
    const key =
      status === "cancelled" ? "state_attributes.error.state" : "state";
    return this._hass.localize(`${sensor}.${key}.${status}`) || status;
  }

  /** Return why a message is where it is; "" where there is no reason. */
  reason(error) {
    if (!error || error === "cancelled") {
      return "";
    }
    if (error === "unrecorded") {
      return this.text("unrecorded");
    }
    const sensor = `component.${DOMAIN}.entity.sensor.last_delivery_status`;
    const key = `${sensor}.state_attributes.error.state.${error}`;
    return this._hass.localize(key) || error;
  }

  /** Return the sentence of an error that Home Assistant answered with. */
  async error(err) {
    if (err?.code === "unauthorized") {
      return this.text("notAllowed");
    }
    const { translation_domain: domain, translation_key: key } = err ?? {};
    let sentence = "";
    if (domain && key) {
      const localize = await this._hass.loadBackendTranslation(
        "exceptions",
        domain,
      );
      sentence = localize(
        `component.${domain}.exceptions.${key}.message`,
        err.translation_placeholders ?? {},
      );
    }
    return sentence || this.text("failed", { reason: err?.message ?? err });
  }
}

const isServerZone = (hass) => hass.locale?.time_zone === "server";

/** Return the options of a clock with 12 or 24 hours; none for that of the language. */
const clock = (format) => {
  switch (format) {
    case "12":
      return { hour12: true };
    case "24":
      return { hour12: false };
    default:
      return {};
  }
};
