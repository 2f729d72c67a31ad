/** How the card looks: by the variables of the theme alone. */
export const STYLE = `
:host { display: block; color-scheme: light; }
:host([dark]) { color-scheme: dark; }
ha-card { display: flex; flex-direction: column; gap: 12px; padding: 16px; }
[hidden] { display: none !important; }
h2 { margin: 0; font-size: var(--ha-card-header-font-size, 1.5em); font-weight: normal; }
p { margin: 0; overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; }
button, input, select, textarea { font: inherit; color: var(--primary-text-color); }
button {
  min-height: 36px; padding: 4px 12px; cursor: pointer;
  border: 1px solid var(--divider-color); border-radius: 18px;
  background: none; color: var(--primary-color);
}
button.primary, button[aria-pressed="true"] {
  border-color: var(--primary-color);
  background: var(--primary-color); color: var(--text-primary-color);
}
button[aria-disabled] { cursor: default; opacity: 0.5; }
:is(button, input, select, textarea, li, ul):focus-visible {
  outline: 2px solid var(--primary-color); outline-offset: -1px;
}
input, select, textarea {
  box-sizing: border-box; width: 100%; min-height: 40px; padding: 8px;
  border: 1px solid var(--divider-color); border-radius: 8px;
  background: var(--card-background-color);
}
textarea { resize: vertical; }
label { font-size: 0.85em; color: var(--secondary-text-color); }
.live { margin-top: -8px; }
.live p { margin-top: 8px; }
.body .live { margin-top: 0; }
.field { flex: 1; min-width: 0; }
.compose { display: flex; flex-direction: column; gap: 8px; }
.send { display: flex; align-items: end; gap: 12px; }
.send button { min-height: 40px; margin-inline-start: auto; }
.credits li, .escalations li { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; }
.escalations li { color: var(--error-color); }
.escalations button { margin-inline-start: auto; }
.choice { margin-top: 6px; }
.choice, .filters, .pages { display: flex; flex-wrap: wrap; gap: 8px; }
.messages li {
  display: flex; gap: 12px; padding: 10px 0;
  border-top: 1px solid var(--divider-color);
}
.body { flex: 1; min-width: 0; }
.line { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; }
.line span { overflow-wrap: anywhere; }
.text { white-space: pre-wrap; }
.actions { display: flex; flex-direction: column; justify-content: center; gap: 6px; }
time, .secondary, #estimate { color: var(--secondary-text-color); font-size: 0.9em; }
.info { color: var(--info-color); }
.success { color: var(--success-color); }
.warning { color: var(--warning-color); }
.error, .low { color: var(--error-color); }
.muted { color: var(--disabled-text-color); }
`;
