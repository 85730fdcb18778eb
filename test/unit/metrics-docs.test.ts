/** What is documented, alerted on and drawn are the metrics that exist: nothing more in the rules and the dashboard, nothing less in the table. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Family, familiesOf } from '../../src/metrics/families.ts';
import { metricFacts } from '../support/metric-facts.ts';

const DOCS = join(import.meta.dirname, '..', '..', 'docs');
const textOf = (name: string): string => readFileSync(join(DOCS, name), 'utf8');
const FAMILIES = familiesOf(metricFacts());
/** Prometheus itself makes this one. */
const MADE_BY_PROMETHEUS = new Set(['up']);

const labelsOf = ({ samples }: Family): readonly string[] => Object.keys(samples[0]?.labels ?? {});

function table(): string {
  const rows = FAMILIES.map((family) => {
    const labels = labelsOf(family).map((label) => `\`${label}\``);
    return `| \`${family.name}\` | ${family.type} | ${labels.join(', ')} | ${family.help} |`;
  });
  return ['| Metric | Type | Labels | Meaning |', '|---|---|---|---|', ...rows].join('\n');
}

/** Every metric of an expression with the labels that it selects by; functions, modifiers and strings are no metrics. */
function usedIn(expression: string): readonly { readonly name: string; readonly labels: readonly string[] }[] {
  const plain = expression.replace(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, '');
  return [...plain.matchAll(/\b(?<name>[a-z_:][a-z0-9_:]*)\b(?!\s*\()(?:\{(?<selectors>[^}]*)\})?/gi)]
    .map(({ index, groups }) => ({ index, name: groups?.name ?? '', selectors: groups?.selectors ?? '' }))
    .filter(({ index }) => !isQuotedOrInside(plain, index))
    .filter(({ name }) => !/^(and|or|unless|bool|offset)$/.test(name))
    .map(({ name, selectors }) => ({
      name,
      labels: [...selectors.matchAll(/(\w+)\s*[=!]/g)].map(([, label = '']) => label),
    }));
}

function isQuotedOrInside(text: string, index: number): boolean {
  const before = text.slice(0, index);
  const isIn = (open: string, close: string): boolean => before.lastIndexOf(open) > before.lastIndexOf(close);
  return isIn('{', '}') || isIn('[', ']') || before.split('"').length % 2 === 0;
}

function assertExists(expression: string): void {
  const used = usedIn(expression);
  assert.ok(used.length > 0, `no metric in: ${expression}`);
  for (const { name, labels } of used) {
    if (MADE_BY_PROMETHEUS.has(name)) continue;
    const family = FAMILIES.find((one) => one.name === name);
    assert.ok(family, `there is no metric ${name}: ${expression}`);
    const known = ['job', 'instance', ...labelsOf(family)];
    assert.deepEqual(
      labels.filter((label) => !known.includes(label)),
      [],
      expression,
    );
  }
  for (const [, name = '', words = ''] of expression.matchAll(/(\w+)\{[^}]*?(?:state|verdict)=~?"([^"]*)"/g)) {
    const samples = FAMILIES.find((one) => one.name === name)?.samples ?? [];
    const values = samples.flatMap(({ labels = {} }) => Object.values(labels));
    assert.deepEqual(
      words.split('|').filter((word) => !values.includes(word)),
      [],
      expression,
    );
  }
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly fields: ReadonlySet<string>;
}

/** As much YAML as the rules have: keys in lines of their own, and one expression that goes over several. */
function rules(): readonly Rule[] {
  const [, ...blocks] = textOf('alert-rules.yaml').split(/^ {6}- alert: /m);
  return blocks.map((block) => {
    const expr = /^ {8}expr: (?:\|\n(?<lines>(?: {10}.*\n)+)|(?<line>.*)\n)/m.exec(block)?.groups;
    const fields = [...block.matchAll(/^ +(\w+):/gm)].map(([, field = '']) => field);
    return { alert: block.split('\n', 1)[0] ?? '', expr: expr?.lines ?? expr?.line ?? '', fields: new Set(fields) };
  });
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const panels = (JSON.parse(textOf('grafana-dashboard.json')) as { panels: readonly Panel[] }).panels;

test('every metric is documented, with its labels, and none that is not there', () => {
  const found = /<!-- metrics -->\n(?<table>[\s\S]*?)\n?<!-- \/metrics -->/.exec(textOf('metrics.md'))?.groups?.table;
  assert.equal(found, table(), `docs/metrics.md should have this between its marks:\n\n${table()}\n`);
});

test('every metric has a sample in the full picture, a name of the ecosystem, and a counter ends in _total', () => {
  for (const { name, type, samples } of FAMILIES) {
    assert.ok(samples.length > 0, name);
    assert.match(name, /^(letsencrypt_dcos|process)_[a-z]+(_[a-z]+)*$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
});

test('the alert rules use metrics, labels and states that exist, and say what to do', () => {
  const all = rules();
  assert.equal(all.length, 13);
  for (const { alert, expr, fields } of all) {
    assertExists(expr);
    for (const field of ['for', 'labels', 'summary', 'description']) assert.ok(fields.has(field), `${alert}: ${field}`);
  }
});

test('the dashboard uses metrics, labels and states that exist, and no panel stands beside the grid', () => {
  assert.ok(panels.length > 10);
  for (const { title, gridPos, targets } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24 && targets.length > 0, title);
    for (const { expr } of targets) assertExists(expr);
  }
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
});

test('a metric, a label or a state that does not exist is noticed', () => {
  for (const wrong of [
    'max(letsencrypt_dcos_nothing)',
    'letsencrypt_dcos_leader{name="a"} == 1',
    'letsencrypt_dcos_certificate_state{state="alive"} == 1',
    'letsencrypt_dcos_loop_alive and on (job) letsencrypt_dcos_loop_alife == 1',
  ])
    assert.throws(() => assertExists(wrong), wrong);
});
