/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Grafana's browser side does with a panel's frames: transformations, field settings and the
 * values it then shows; all of it by Grafana's own library @grafana/data.
 *
 * One JSON object comes in on stdin, {"units": [id], "panels": [{"frames", "transformations",
 * "fieldConfig", "reduceOptions"}]}, and one goes out: {"units": {id: known}, "panels":
 * [{"frames", "shown"} or {"error"}]}, in the same order.
 */
'use strict';
const grafana = require('@grafana/data'); // before there is a window: its CSS part then wants no document
const { lastValueFrom } = require('rxjs');

globalThis.window = globalThis; // transformDataFrame asks it whether it is in a scene
const theme = grafana.createTheme();
const OPTIONS = ['unit', 'decimals', 'displayName', 'min', 'max', 'mappings', 'thresholds', 'color', 'noValue'];

/* The library has the transformers, but leaves it to the application to register them. */
function registerTransformers() {
  const byId = new Map(Object.values(grafana.standardTransformers).map((each) => [each.id, each]));
  grafana.standardTransformersRegistry.setInit(() =>
    [...byId.values()].map((each) => ({ id: each.id, name: each.name, transformation: async () => each }))
  );
  return byId;
}

/* What may be overridden; options of a panel's own ("custom.…") change only how it is drawn. */
function fieldOptions() {
  const items = OPTIONS.map((id) => ({
    id, path: id, name: id, isCustom: false, shouldApply: () => true, process: (value) => value,
  }));
  return new grafana.Registry(() => items);
}

const transformers = registerTransformers();
const fieldConfigRegistry = fieldOptions();

function fieldOf(field, frame, frames) {
  const text = (value) =>
    value === null || value === undefined ? '' : grafana.formattedValueToString(field.display(value));
  return {
    name: grafana.getFieldDisplayName(field, frame, frames),
    raw: field.name,
    type: field.type,
    unit: field.config.unit ?? '',
    labels: field.labels ?? {},
    values: [...field.values],
    texts: field.type === 'time' ? [] : [...field.values].map(text),
    colors: field.type === 'time' ? [] : [...field.values].map((value) => field.display(value).color ?? ''),
  };
}

function shown(panel, frames) {
  const values = grafana.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
  });
  return values.map(({ display }) => ({
    title: display.title ?? '',
    text: grafana.formattedValueToString(display),
    numeric: display.numeric,
    color: display.color ?? '',
  }));
}

async function run(panel) {
  for (const each of panel.transformations) {
    if (!transformers.has(each.id)) {
      // Grafana would pass the frames on as they are; so would the library, without a word.
      throw new Error(`no transformation ${each.id} in @grafana/data`);
    }
  }
  const input = panel.frames.map((frame) => grafana.dataFrameFromJSON(frame));
  const context = { interpolate: (text) => text };
  const transformed = await lastValueFrom(grafana.transformDataFrame(panel.transformations, input, context));
  const frames = grafana.applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  return {
    frames: frames.map((frame) => ({
      name: frame.name ?? '',
      refId: frame.refId ?? '',
      fields: frame.fields.map((field) => fieldOf(field, frame, frames)),
    })),
    shown: panel.reduceOptions ? shown(panel, frames) : [],
  };
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
  }
  const request = JSON.parse(Buffer.concat(chunks).toString());
  const known = new Set(grafana.getValueFormats().flatMap((group) => group.submenu.map((unit) => unit.value)));
  const panels = [];
  for (const panel of request.panels ?? []) {
    try {
      panels.push(await run(panel));
    } catch (error) {
      panels.push({ error: String(error.message ?? error) });
    }
  }
  const units = Object.fromEntries((request.units ?? []).map((unit) => [unit, known.has(unit)]));
  process.stdout.write(JSON.stringify({ units, panels, transformations: [...transformers.keys()] }));
}

main();
