/**
 * The completion scripts in the shells that they are for: what zsh and fish make of a line when somebody presses Tab.
 * (bash stands in test/integration/cli-status.test.ts: every machine has it.)
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { main } from '../../src/cli.ts';

const PATIENCE_MS = 30_000;

async function scriptFor(shell: 'zsh' | 'fish'): Promise<string> {
  let script = '';
  const code = await main(['completion', shell], {
    env: {},
    signal: new AbortController().signal,
    out: (text) => (script += text),
    err: () => undefined,
    terminal: { out: false, err: false, columns: 80 },
  });
  assert.equal(code, 0);
  return script;
}

/** With a folder and a file in it that can be completed. */
async function home(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'shells-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await mkdir(join(dir, 'functions'));
  await mkdir(join(dir, 'state-folder'));
  await writeFile(join(dir, 'root.pem'), '');
  return dir;
}

function answer(shell: string, args: readonly string[], dir: string): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: dir, TERM: 'dumb', LC_ALL: 'C.UTF-8' };
  return new Promise((resolve, reject) => {
    execFile(shell, args, { cwd: dir, env, timeout: PATIENCE_MS }, (error, out, err) => {
      if (error !== null) reject(new Error(`${error.message} ${out} ${err}`));
      else resolve(out);
    });
  });
}

/** On a terminal of zsh's own; our program is a function there that tells what it was called with. */
const PRESS_TAB = `
zmodload zsh/zpty && zpty shell zsh -f -i || exit 3
zpty -w shell 'letsencrypt-dcos() { print -r -- "called""<$*>" }; fpath=($HOME/functions $fpath); autoload -Uz compinit; compinit -u -D; print "rea""dy"'
zpty -r shell heard '*ready*' || exit 4
zpty -w -n shell "letsencrypt-dcos $1"$'\\t\\n'
zpty -r shell heard '*called<*>*' || exit 5
print -r -- "\${\${heard##*called<}%%>*}"
`;

const TABS: readonly (readonly [typed: string, becomes: string])[] = [
  ['sta', 'status'],
  ['completion f', 'completion fish'],
  ['help pl', 'help plan'],
  ['status --u', 'status --url'],
  ['audit --at-l', 'audit --at-least'],
  ['plan --js', 'plan --json'],
  ['status --state sta', 'status --state state-folder'], // the slash goes with the Enter, or stands there
  ['audit --ca roo', 'audit --ca root.pem'],
  ['plan --st', 'plan --st'],
];

test('zsh, with the file in $fpath: the first Tab completes commands, words, options, folders and files', async (t) => {
  const dir = await home(t);
  await writeFile(join(dir, 'functions', '_letsencrypt-dcos'), await scriptFor('zsh'));
  for (const [typed, becomes] of TABS) {
    const called = await answer('zsh', ['-f', '-c', PRESS_TAB, 'zsh', typed], dir);
    assert.equal(called.trim(), becomes, typed);
  }
});

test('fish: the same', async (t) => {
  const dir = await home(t);
  await writeFile(join(dir, 'letsencrypt-dcos.fish'), await scriptFor('fish'));
  for (const [typed, becomes] of TABS) {
    const line = `letsencrypt-dcos ${typed}`;
    const offered = await answer(
      'fish',
      ['--no-config', '-c', 'source $HOME/letsencrypt-dcos.fish; complete -C $argv', line],
      dir,
    );
    const words = offered.split('\n').flatMap((row) => row.split('\t')[0]?.replace(/\/$/, '') || []);
    const last = becomes.split(' ').at(-1) ?? '';
    assert.deepEqual(
      words.filter((word) => word.startsWith(last)),
      becomes === typed ? [] : [last],
      `${typed}: ${words.join(' ')}`,
    );
  }
});
