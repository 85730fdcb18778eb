/**
 * The keeper's scenarios from the command line: `node bench/keeper/main.ts [scenario…] [--quick] [--json]`.
 */
import { parseArgs } from 'node:util';
import { edit } from './edit.ts';
import { idle } from './idle.ts';
import { listener } from './listener.ts';
import { memory } from './memory.ts';
import type { Row, Scenario } from './row.ts';
import { throttled } from './throttled.ts';

export const SCENARIOS = { memory, throttled, idle, listener, edit } satisfies Record<string, Scenario>;

async function main(): Promise<void> {
  const options = { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const wanted = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
  const rows: Row[] = [];
  for (const name of wanted) {
    const scenario = (SCENARIOS as Readonly<Record<string, Scenario | undefined>>)[name];
    if (scenario === undefined)
      throw new Error(`no scenario '${name}': there are ${Object.keys(SCENARIOS).join(', ')}`);
    for (const row of await scenario({ quick: values.quick })) {
      rows.push(row);
      if (!values.json) console.log(line(row));
    }
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2));
}

function line({ target, measured, ratio, met }: Row): string {
  return `${met ? 'met   ' : 'missed'} ${target}: ${measured}${ratio === undefined ? '' : ` (${ratio})`}`;
}

if (import.meta.main) await main();
