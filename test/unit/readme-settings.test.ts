/** The README's table of settings is the program's own: neither may know a setting that the other does not. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { SETTINGS } from '../../src/config.ts';

function settingsTable(): string {
  const rows = SETTINGS.map(({ name, default: fallback, meaning, secret }) => {
    const shown = fallback === '' ? '' : `\`${fallback}\``;
    return `| \`${name}\` | ${shown} | ${meaning.replaceAll('|', '\\|')}${secret ? ' Secret.' : ''} |`;
  });
  return ['| Variable | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
}

test("the README's settings are the program's settings", async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const table = /<!-- settings -->\n(?<table>[\s\S]*?)\n<!-- \/settings -->/.exec(readme)?.groups?.table;
  assert.equal(
    table?.trim(),
    settingsTable(),
    `README.md should have this between its settings marks:\n\n${settingsTable()}\n`,
  );
});
