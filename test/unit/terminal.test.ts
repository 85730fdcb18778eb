/** How things are laid out: for windows of any width, with colours or without, and in a pipe. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { harmless } from '../../src/printable.ts';
import { hanging, padded, widthOf, wrapped } from '../../src/terminal/layout.ts';
import { lifetime } from '../../src/terminal/lifetime.ts';
import { showingProgress } from '../../src/terminal/progress.ts';
import { type Surroundings, sentence, styleOf } from '../../src/terminal/style.ts';
import { ago, ahead, DAY, NOW } from '../support/observation.ts';
import { until } from '../support/until.ts';

const WINDOW = { out: true, columns: 80 };
const PIPE = { out: false, columns: 80 };

const surroundings: readonly (Surroundings & { name: string; isColoured: boolean; mark: string; columns: number })[] = [
  { name: 'a terminal', env: { LANG: 'en_US.UTF-8' }, terminal: WINDOW, isColoured: true, mark: '✓', columns: 80 },
  {
    name: 'a pipe',
    env: { LANG: 'en_US.UTF-8' },
    terminal: PIPE,
    isColoured: false,
    mark: '✓',
    columns: Number.POSITIVE_INFINITY,
  },
  {
    name: 'NO_COLOR',
    env: { LANG: 'C.utf8', NO_COLOR: '1' },
    terminal: WINDOW,
    isColoured: false,
    mark: '✓',
    columns: 80,
  },
  { name: 'an empty NO_COLOR', env: { NO_COLOR: '' }, terminal: WINDOW, isColoured: true, mark: '+', columns: 80 },
  { name: 'TERM=dumb', env: { TERM: 'dumb' }, terminal: WINDOW, isColoured: false, mark: '+', columns: 80 },
  {
    name: 'LC_ALL before LANG',
    env: { LC_ALL: 'C', LANG: 'en_US.UTF-8' },
    terminal: WINDOW,
    isColoured: true,
    mark: '+',
    columns: 80,
  },
  {
    name: 'a window of no width',
    env: {},
    terminal: { out: true, columns: 0 },
    isColoured: true,
    mark: '+',
    columns: 20,
  },
];
for (const { name, isColoured, mark, columns, ...where } of surroundings) {
  test(`${name}: ${isColoured ? 'colours' : 'no colours'}, ${mark}, ${columns} columns`, () => {
    const style = styleOf(where);
    assert.deepEqual([style.paint('x', 'bad') !== 'x', style.mark('good'), style.columns], [isColoured, mark, columns]);
  });
}

const texts: readonly { text: string; width: number; lines: readonly string[] }[] = [
  { text: 'one two three', width: 7, lines: ['one two', 'three'] },
  { text: 'one two three', width: Number.POSITIVE_INFINITY, lines: ['one two three'] },
  { text: 'a 9C:02:77:18:AB:3F b', width: 6, lines: ['a', '9C:02:77:18:AB:3F', 'b'] },
  { text: '\x1b[31mone\x1b[0m two', width: 7, lines: ['\x1b[31mone\x1b[0m two'] },
  { text: '', width: 7, lines: [''] },
];
for (const { text, width, lines } of texts) {
  test(`'${text.replaceAll('\x1b', 'ESC')}' in ${width} columns is ${lines.length} line(s)`, () => {
    assert.deepEqual(wrapped(text, width), lines);
  });
}

test('further lines begin where the first one does; where that leaves no room, all of it stands below', () => {
  const text = 'some words that go on and on';
  assert.equal(hanging('why  ', text, { columns: 30 }), 'why  some words that go on and\n     on\n');
  assert.equal(
    hanging('a-very-long-name  ', text, { columns: 30 }),
    'a-very-long-name\n    some words that go on and\n    on\n',
  );
  assert.equal(hanging('a-very-long-name  ', 'short', { columns: 30 }), 'a-very-long-name  short\n');
});

test('a colour has no width', () => {
  assert.deepEqual([widthOf('\x1b[31mab\x1b[0m'), padded('\x1b[31mab\x1b[0m', 3)], [2, '\x1b[31mab\x1b[0m ']);
});

test('instants in a sentence are told as people write them', () => {
  assert.equal(
    sentence(`until ${ahead(3 * DAY).toISOString()}, then`, NOW),
    'until 2026-11-25 12:00 UTC (in 3 days), then',
  );
});

const ascii = styleOf({ env: {}, terminal: { out: true, columns: 34 } });
const plain = { ...ascii, paint: (text: string) => text };
const lives: readonly { name: string; life: Parameters<typeof lifetime>[0]; bar: string }[] = [
  {
    name: 'a third of it is over',
    life: { notBefore: ago(30 * DAY), notAfter: ahead(60 * DAY), renewAt: ahead(30 * DAY) },
    bar: `${'#'.repeat(10)}${'-'.repeat(10)}${'='.repeat(10)}`,
  },
  {
    name: 'it has ended',
    life: { notBefore: ago(90 * DAY), notAfter: ago(DAY), renewAt: ago(30 * DAY) },
    bar: '#'.repeat(30),
  },
  {
    name: 'it is not valid yet, by our clock',
    life: { notBefore: ahead(DAY), notAfter: ahead(90 * DAY), renewAt: undefined },
    bar: '-'.repeat(30),
  },
  { name: 'it has no length', life: { notBefore: NOW, notAfter: NOW, renewAt: NOW }, bar: '='.repeat(30) },
];
for (const { name, life, bar } of lives) {
  test(`the bar of a certificate: ${name}`, () => {
    assert.equal(lifetime(life, NOW, plain).split('\n')[0], `  ${bar}`);
  });
}

test('progress: on a terminal after a second, on one line, and erased; elsewhere never', async (t) => {
  for (const isTerminal of [true, false]) {
    t.mock.timers.enable({ apis: ['setInterval'] });
    let clock = 0;
    t.mock.method(performance, 'now', () => clock);
    const written: string[] = [];
    const { promise, resolve } = Promise.withResolvers<number>();
    const window = { err: (text: string) => void written.push(text), terminal: { err: isTerminal, columns: 20 } };
    const shown = showingProgress(
      window,
      () => 'looking at a long list of things',
      () => promise,
    );
    clock = 900;
    t.mock.timers.tick(900);
    assert.deepEqual(written, []);
    clock = 1_250;
    t.mock.timers.tick(250);
    resolve(7);
    assert.equal(await shown, 7);
    assert.deepEqual(written, isTerminal ? ['\r\x1b[2K1 s: looking at a l', '\r\x1b[2K'] : []);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
});

test('progress ends, and is erased, also when the work fails', async () => {
  const written: string[] = [];
  const window = { err: (text: string) => void written.push(text), terminal: { err: true, columns: 80 } };
  const work = async (): Promise<void> => {
    await until(() => written.length > 0, 'progress to be shown');
    throw new Error('it fell over');
  };
  await assert.rejects(
    showingProgress(window, () => 'waiting', work),
    /it fell over/,
  );
  assert.equal(written.at(-1), '\r\x1b[2K');
});

const outputs: readonly { written: string; shown: string }[] = [
  { written: '\x1b[31m✗ stuck\x1b[0m  why\tyes\n', shown: '\x1b[31m✗ stuck\x1b[0m  why\tyes\n' },
  { written: '\r\x1b[2K1 s: waiting', shown: '\r\x1b[2K1 s: waiting' },
  { written: '\rvalidating 2 of 3', shown: '\rvalidating 2 of 3' },
  { written: 'a host\r\x1b[2Kall is well', shown: 'a host??[2Kall is well' },
  { written: '\x1b[8mhidden \x1b[2J \x1b]52;c;x\x07 \x9b2J', shown: '?[8mhidden ?[2J ?]52;c;x? ?2J' },
  { written: 'nodnol\u202e.example', shown: 'nodnol?.example' },
];
for (const { written, shown } of outputs) {
  test(`what commands write steers the terminal as far as we want it to: ${JSON.stringify(written)}`, () => {
    assert.equal(harmless(written), shown);
  });
}
