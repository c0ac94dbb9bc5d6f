// SPDX-License-Identifier: Apache-2.0
// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const tenths = new Intl.NumberFormat("en", {maximumFractionDigits: 1});
const percent = new Intl.NumberFormat("en", {style: "percent", maximumFractionDigits: 1});
const clock = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});

export const count = (value) => whole.format(value);
export const rate = (value) => (value < 10 ? tenths : whole).format(value);
export const share = (value, of) => percent.format(of > 0 ? value / of : 0);
export const time = (moment) => clock.format(moment);

// Changes the page only where something is different, so that nothing is drawn or read out twice.
export function put(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}
