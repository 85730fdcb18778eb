/**
 * `npm run bench`: what an order costs, by the side of other clients, and what the keeper costs beside it.
 *
 * `-- --quick` is for a look, not for publication; `--json FILE` writes every run; `--write FILE` puts the tables between
 * the marks of a page (docs/performance.md); `--only issuing` or `--only keeper` is one half.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Stack } from '../test/demo/disposer.ts';
import { issuing, present, type Result } from './issuing.ts';
import { SCENARIOS } from './keeper/main.ts';
import { median, type Row } from './keeper/row.ts';
import { program } from './keeper/stage.ts';
import { measured } from './measure.ts';
import { floor, ours, PEERS } from './peers.ts';
import { type Cell, FULL, QUICK } from './scenario.ts';
import { markdown, targets, targetTable } from './table.ts';
import { bundledFloor } from './yardstick.ts';

const say = (text: string): void => void process.stderr.write(text);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const began = performance.now();
  const emptyMs = (await emptyNode()).toFixed(0);
  const results = values.only === 'keeper' ? [] : await orders(values.quick ? QUICK : FULL);
  const keeper = values.only === 'issuing' ? [] : await keepers(values.quick);
  const rows = [...targets(results), ...keeper];
  const took = `${((performance.now() - began) / 60_000).toFixed(1)} minutes`;
  const about = `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${cpus()[0]?.model.trim()}, Node ${process.version}, ${took}; an empty Node takes ${emptyMs} ms of CPU here to start and end`;
  const tables = results.map(markdown).join('\n');
  process.stdout.write(`\n${about}\n\n${tables}\n${targetTable(rows)}`);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ about, results, rows }, undefined, 2));
  if (values.write !== undefined) write(values.write, { about, targets: targetTable(rows), orders: tables });
  return 0;
}

async function orders(cells: readonly Cell[]): Promise<readonly Result[]> {
  const t = new Stack();
  try {
    const [node = '', ...rest] = await program();
    const yardstick = floor([node, await bundledFloor(t)]);
    const peers = await present(PEERS, ({ name, commands }) => say(`${name} is not there (${commands.join(', ')})\n`));
    const results: Result[] = [];
    for (const cell of cells) {
      say(`${cell.title} `);
      const others = peers.filter(
        ({ name, most }) => cell.names <= most && (cell.peers === 'all' || cell.peers.includes(name)),
      );
      results.push(await issuing(t, cell, [ours([node, ...rest]), yardstick, ...others], say));
    }
    return results;
  } finally {
    await t.dispose();
  }
}

/** What lives on a twentieth of a core leaves room beside it for what counts bytes, or the CPU of a process that sleeps. */
async function keepers(quick: boolean): Promise<readonly Row[]> {
  await program();
  const beside = await Promise.all([inTurn(['throttled'], quick), inTurn(['memory', 'idle'], quick)]);
  return [...beside.flat(), ...(await inTurn(['listener', 'edit'], quick))];
}

async function inTurn(names: readonly (keyof typeof SCENARIOS)[], quick: boolean): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const name of names) {
    say(`${name} …\n`);
    const found = await SCENARIOS[name]({ quick }).catch((error: Error) => {
      return [{ target: name, measured: `not measured: ${error.message}`, met: false, figures: {} }];
    });
    rows.push(...found);
  }
  return rows;
}

/** What the machine is worth just then: CPU of a Node that does nothing, in milliseconds. */
async function emptyNode(): Promise<number> {
  const runs: number[] = [];
  for (let nth = 0; nth < 9; nth += 1) {
    const { cpuSeconds } = await measured({ argv: [process.execPath, '-e', '0'], env: {}, timeoutMs: 60_000 });
    runs.push(cpuSeconds * 1000);
  }
  return median(runs);
}

/** What stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` is replaced. */
function write(file: string, parts: Readonly<Record<string, string>>): void {
  let text = readFileSync(file, 'utf8');
  for (const [name, part] of Object.entries(parts)) {
    const marks = new RegExp(`(<!-- bench:${name} -->\\n)[\\s\\S]*?(<!-- /bench:${name} -->)`);
    if (!marks.test(text)) throw new Error(`${file} has no marks for ${name}`);
    text = text.replace(marks, (_, begin: string, end: string) => `${begin}${part.trimEnd()}\n${end}`);
  }
  writeFileSync(file, text);
}

process.exitCode = await main();
