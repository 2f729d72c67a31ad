/** What the frontend knows of our entities: credit, recipients, running escalations. */

const PLATFORM = "sms_italia";

/** Return the registered entities of an account, or of all accounts. */
export const findEntities = (hass, account) =>
  Object.values(hass.entities).filter(
    (entity) =>
      entity.platform === PLATFORM &&
      (!account || configEntries(hass, entity).includes(account)),
  );

/** Return what is shown of entities; a user gets only the states that they may read. */
export const readEntities = (hass, entities) => {
  const ours = entities.filter(({ entity_id: id }) => hass.states[id]);
  return {
    credits: credits(hass, ours),
    recipients: recipients(hass, ours),
    escalations: escalations(hass, ours),
  };
};

const configEntries = (hass, entity) =>
  hass.devices[entity.device_id]?.config_entries ?? [];

const domainOf = (entity) => entity.entity_id.split(".", 1)[0];

const nameOf = (hass, entity) => {
  const device = hass.devices[entity.device_id];
  return (
    device?.name_by_user ??
    device?.name ??
    hass.states[entity.entity_id].attributes.friendly_name ??
    entity.entity_id
  );
};

/** Return the known credit of each account, in words. */
const credits = (hass, ours) => {
  const read = (device, key) => {
    const found = ours.find(
      (entity) => entity.device_id === device && entity.translation_key === key,
    );
    const state = found && hass.states[found.entity_id];
    const isKnown = state && !["unknown", "unavailable"].includes(state.state);
    return isKnown ? state : undefined;
  };
  return ours
    .filter((entity) => entity.translation_key === "credit")
    .map((entity) => {
      const [credit, days] = ["credit", "credit_days_left"].map((key) =>
        read(entity.device_id, key),
      );
      return {
        name: nameOf(hass, entity),
        credit: credit ? hass.formatEntityState(credit) : "",
        days: days ? hass.formatEntityState(days) : "",
        daysName: days ? days.attributes.friendly_name : "",
        isLow: read(entity.device_id, "credit_low")?.state === "on",
      };
    })
    .filter((account) => account.credit);
};

/** Return whom a message can be sent to: recipients, and escalations. */
const recipients = (hass, ours) =>
  ours
    .filter((entity) => domainOf(entity) === "notify")
    .map((entity) => ({
      id: entity.entity_id,
      name: nameOf(hass, entity),
      account: configEntries(hass, entity)[0],
      isEscalation: entity.translation_key === "call",
    }))
    .sort((one, other) => one.name.localeCompare(other.name));

/** Return the escalations that are calling, with the button that acknowledges. */
const escalations = (hass, ours) =>
  ours
    .filter(
      (entity) =>
        entity.translation_key === "escalation" &&
        hass.states[entity.entity_id].state === "calling",
    )
    .map((entity) => {
      const state = hass.states[entity.entity_id];
      return {
        id: entity.entity_id,
        name: nameOf(hass, entity),
        state: hass.formatEntityState(state),
        step: state.attributes.step,
        member: state.attributes.member,
        button: ours.find(
          (other) =>
            other.device_id === entity.device_id &&
            other.translation_key === "acknowledge",
        )?.entity_id,
      };
    });
