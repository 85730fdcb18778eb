/** What was measured, for people: a table for each cell, and a row for each target. */

import type { Result } from './issuing.ts';
import { median, type Row } from './keeper/row.ts';
import type { Run } from './measure.ts';

export const OURS = 'letsencrypt-dcos';
const CERTBOT = 'certbot';
const FLOOR = 'floor';

type Figure = 'wallSeconds' | 'cpuSeconds' | 'requests';

/** Paired: of each round its own, then the median. NaN where one of the two did not take part, or failed. */
export function ratio({ runs }: Result, of: string, to: string, figure: Figure): number {
  const pairs = (runs[of] ?? []).map((run, round) => [run, runs[to]?.[round]] as const);
  const sound = pairs.filter(([mine, theirs]) => mine.ok && theirs?.ok);
  return median(sound.map(([mine, theirs]) => mine[figure] / (theirs?.[figure] ?? Number.NaN)));
}

export function markdown({ cell, runs }: Result): string {
  const rows = Object.entries(runs).map(([name, all]) => row(name, all, { cell, runs }));
  return [
    `**${cell.title}**, ${cell.runs} runs`,
    '',
    '| client | succeeded | wall s (least to most) | CPU s | requests | our wall by its | our CPU by its |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function row(name: string, all: readonly Run[], result: Result): string {
  const sound = all.filter(({ ok }) => ok);
  const of = (figure: Figure): readonly number[] => sound.map((run) => run[figure]);
  const walls = of('wallSeconds');
  const range = walls.length > 1 ? ` (${fixed(Math.min(...walls))} to ${fixed(Math.max(...walls))})` : '';
  const others = name === OURS ? ['', ''] : [times(result, name, 'wallSeconds'), times(result, name, 'cpuSeconds')];
  const cells = [fixed(median(walls)) + range, fixed(median(of('cpuSeconds'))), `${median(of('requests'))}`, ...others];
  return `| ${[name, `${sound.length} of ${all.length}`, ...cells].join(' | ').replaceAll('NaN', '–')} |`;
}

const times = (result: Result, other: string, figure: Figure): string =>
  `${fixed(ratio(result, OURS, other, figure))} ×`;

/** Two digits that mean something. */
function fixed(value: number): string {
  return value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

// Targets

export function targets(results: readonly Result[]): readonly Row[] {
  return results.flatMap((result) => {
    const { cell } = result;
    if (cell.ca.strictness === 'defaults') return cell.names === 100 ? patient(result) : [];
    return cell.keyType === 'ec256' ? quick(result) : [];
  });
}

const WALL: Readonly<Record<number, number>> = { 1: 0.1, 10: 0.1, 100: 0.27 };
const CPU: Readonly<Record<number, number>> = { 1: 0.45, 10: 0.5, 100: 0.7 };

function quick(result: Result): readonly Row[] {
  const { names } = result.cell;
  const stretch = names === 100 ? [bound(result, 'wallSeconds', FLOOR, 2.2, 'stretch: ')] : [];
  return [
    bound(result, 'wallSeconds', CERTBOT, WALL[names] ?? 0),
    bound(result, 'cpuSeconds', CERTBOT, CPU[names] ?? 0),
    fastest(result),
    ...counted(result),
    ...stretch,
  ];
}

function bound(result: Result, figure: 'wallSeconds' | 'cpuSeconds', other: string, most: number, note = ''): Row {
  const found = ratio(result, OURS, other, figure);
  const what = figure === 'wallSeconds' ? 'wall' : 'CPU';
  return {
    target: `${note}${result.cell.title}: ${what} ≤ ${most} × ${other}`,
    measured: `${fixed(medianOf(result, OURS, figure))} s to ${fixed(medianOf(result, other, figure))} s`,
    ratio: `${fixed(found)} ×`,
    met: found <= most,
    figures: { ratio: found },
  };
}

const medianOf = ({ runs }: Result, name: string, figure: Figure): number =>
  median((runs[name] ?? []).filter(({ ok }) => ok).map((run) => run[figure]));

function fastest(result: Result): Row {
  const others = Object.keys(result.runs).filter((name) => name !== OURS && name !== FLOOR);
  const walls = others.map((name) => [name, ratio(result, OURS, name, 'wallSeconds')] as const);
  const [name, found] = walls.filter(([, value]) => !Number.isNaN(value)).sort((a, b) => b[1] - a[1])[0] ?? [
    '',
    Number.NaN,
  ];
  return {
    target: `${result.cell.title}: less wall than every peer`,
    measured: `the next is ${name}, ${fixed(medianOf(result, name, 'wallSeconds'))} s`,
    ratio: `${fixed(found)} ×`,
    met: found < 1,
    figures: { ratio: found },
  };
}

function counted(result: Result): readonly Row[] {
  const { names, title } = result.cell;
  const ours = result.runs[OURS] ?? [];
  const most = Math.round(2.4 * names + 12);
  const requests = Math.max(...ours.map((run) => run.requests));
  const nonces = Math.max(...ours.map((run) => run.newNonces));
  return [
    count(`${title}: requests to the CA ≤ 2.4 a name + 12 = ${most}`, requests, most),
    count(`${title}: newNonce ≤ 5`, nonces, 5),
  ];
}

function count(target: string, found: number, most: number): Row {
  return { target, measured: `${found} at most`, met: found <= most, figures: { found } };
}

function patient(result: Result): readonly Row[] {
  const ours = result.runs[OURS] ?? [];
  const sound = ours.filter(({ ok }) => ok).length;
  const all = `${sound} of ${ours.length}`;
  const { title } = result.cell;
  return [
    bound(result, 'wallSeconds', FLOOR, 1.15),
    { target: `${title}: every run succeeds`, measured: all, met: sound === ours.length, figures: { sound } },
  ];
}

export function targetTable(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ target, measured, ratio: by = '', met }) =>
      `| ${target} | ${measured} | ${by} | ${met ? 'met' : '**missed**'} |`,
  );
  return ['| target | measured | ratio | |', '|---|---|---|---|', ...lines, ''].join('\n').replaceAll('NaN', '–');
}
