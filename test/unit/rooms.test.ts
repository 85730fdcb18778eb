/**
 * Who may import whom: the architecture as a table.
 *
 * A room is a folder of src/, or a file beside them. The rows stand in order: code comes only from rooms further down,
 * and only from those named. Types may come from elsewhere, but that is named too. Each outside package has its rooms.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, normalize } from 'node:path';
import { test } from 'node:test';

interface Room {
  /** Rooms whose code it may use. */
  readonly code?: readonly string[];
  /** Rooms of which it may know the types, besides. */
  readonly types?: readonly string[];
  readonly packages?: readonly string[];
}

const ROOMS: Readonly<Record<string, Room>> = {
  main: { code: ['cli', 'mask'] },
  cli: { code: ['commands', 'config', 'mask', 'printable', 'version'] },
  commands: {
    code: [
      ...['service', 'door', 'status', 'web', 'config', 'log', 'mask', 'privileges'],
      ...['issue', 'parts', 'store', 'atomic-file', 'acme', 'certificates'], // obtain
      ...['doctor', 'route', 'served', 'instance', 'audit', 'terminal', 'words', 'marathon', 'printable', 'version'],
      'plan',
    ],
  },
  doctor: {
    code: ['observe', 'instance', 'plan', 'marathon', 'certificates', 'words'],
    types: ['acme', 'config', 'route', 'served', 'store'],
  },
  service: {
    code: [
      'reconciler',
      'observe',
      'route',
      'served',
      'act',
      'status',
      'timeline',
      'metrics',
      'plan',
      'store',
      'web',
      'parts',
      'config',
      'acme',
      'marathon',
      'privileges',
      'door',
      'wakers',
      'version',
    ],
    types: ['log', 'alerts'],
  },
  wakers: { code: ['pause'], types: ['marathon', 'log'], packages: ['node-cron'] },
  door: { code: ['acme', 'peers', 'web'], types: ['config'] },
  parts: { code: ['alerts', 'acme', 'config', 'version'], types: ['plan', 'marathon', 'log'] },
  alerts: { code: ['plan', 'atomic-file', 'certificates', 'printable', 'mask', 'pause', 'response'], types: ['log'] },
  reconciler: { code: ['pause'], types: ['plan', 'log'] },
  observe: {
    code: ['launches', 'marathon', 'certificates'],
    types: ['act', 'plan', 'route', 'served', 'store', 'acme', 'config'],
  },
  act: { code: ['restore', 'issue', 'marathon', 'certificates'], types: ['plan', 'log'] },
  issue: { code: ['acme', 'certificates'], types: ['store'] },
  restore: { code: ['certificates'], types: ['plan', 'store', 'marathon', 'log'] },
  launches: { code: ['marathon'] },
  status: { types: ['plan', 'certificates', 'served', 'timeline'] },
  instance: { code: ['marathon', 'printable', 'response'] },
  audit: { code: ['terminal', 'printable', 'bounded'], types: ['words'] },
  terminal: { code: ['words'] },
  timeline: { types: ['plan'] },
  metrics: { types: ['certificates', 'plan', 'served'] },
  plan: { code: ['install-window', 'marathon', 'certificates'], types: ['acme', 'route', 'served', 'store'] },
  route: { code: ['asking', 'bounded', 'response'], types: ['acme'] },
  served: { code: ['bounded'] },
  store: { code: ['state-folder', 'state-files', 'certbot', 'certificates'] },
  'state-folder': { code: ['state-files', 'folder-modes', 'atomic-file'] },
  'folder-modes': {},
  certbot: { code: ['atomic-file', 'certificates'] },
  'state-files': { code: ['certificates'] },
  'atomic-file': {},
  web: {
    code: ['mask', 'pause', 'peers', 'response', 'words'],
    types: ['log', 'acme', 'metrics', 'plan', 'status', 'timeline'],
    packages: ['fastify', 'node-forge'],
  },
  config: { code: ['settings'], types: ['certificates', 'install-window', 'marathon'] },
  settings: { code: ['install-window', 'marathon', 'certificates', 'printable'] },
  acme: {
    code: ['asking', 'certificates', 'bounded', 'pause', 'printable', 'response'],
    types: ['store'],
    packages: ['acme-client'],
  },
  peers: { code: ['marathon', 'pause', 'response'] },
  marathon: { code: ['bounded', 'pause', 'printable'], packages: ['axios'] },
  certificates: { code: ['printable'], packages: ['node-forge'] },
  'install-window': { code: ['printable'] },
  asking: { code: ['printable'] },
  words: { types: ['plan'] },
  printable: {},
  log: { code: ['mask'], packages: ['pino'] },
  mask: {},
  privileges: {},
  bounded: {},
  response: {},
  pause: {},
  version: {},
};

interface Import {
  readonly file: string;
  readonly room: string;
  readonly of: string;
  readonly typeOnly: boolean;
}

const SRC = join(import.meta.dirname, '..', '..', 'src');
const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const IMPORTS = FILES.flatMap(importsOf);

function roomOf(file: string): string {
  return file.split('/')[0]?.replace(/\.ts$/, '') ?? '';
}

function textOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8');
}

/** Static and dynamic ones, and re-exports; Biome writes them all alike. */
function importsOf(file: string): readonly Import[] {
  const text = textOf(file);
  const room = roomOf(file);
  const named = text.matchAll(/^(?:import|export) (type )?([^;'"]*) from '([^']+)'(?: with .*)?;/gm);
  const bare = text.matchAll(/^import '([^']+)';/gm);
  const dynamic = text.matchAll(/\bimport\(([^)]*)\)/g);
  return [
    ...[...named].map(([, type, names = '', of = '']) => ({ file, room, of, typeOnly: !!type || onlyTypes(names) })),
    ...[...bare].map(([, of = '']) => ({ file, room, of, typeOnly: false })),
    ...[...dynamic].map(([, of = '']) => ({ file, room, of: of.replaceAll("'", ''), typeOnly: false })),
  ];
}

/** `import { type A, type B }` brings types only. */
function onlyTypes(names: string): boolean {
  const inside = /^{(.*)}\s*$/s.exec(names.trim())?.[1]?.split(',') ?? [];
  const given = inside.map((name) => name.trim()).filter((name) => name !== '');
  return given.length > 0 && given.every((name) => name.startsWith('type '));
}

function roomImported({ file, of }: Import): string {
  return roomOf(normalize(join(file, '..', of)));
}

function packageImported({ of }: Import): string {
  return of.split('/', of.startsWith('@') ? 2 : 1).join('/');
}

const between = IMPORTS.filter(({ of }) => of.startsWith('.') && !of.endsWith('.json')).filter(
  (one) => roomImported(one) !== one.room,
);
const outside = IMPORTS.filter(({ of }) => !of.startsWith('.') && !isBuiltin(of));

test('every file of src/ is in a room of the table', () => {
  assert.deepEqual(
    FILES.filter((file) => !(roomOf(file) in ROOMS)),
    [],
  );
});

test('imports name a file: nothing is made up at run time', () => {
  assert.deepEqual(
    IMPORTS.filter(({ of }) => !/^[@\w./:-]+$/.test(of)),
    [],
  );
});

test('a room uses the code of the rooms its row names, and the types of a few more', () => {
  const wrong = between.filter((one) => {
    const { code = [], types = [] } = ROOMS[one.room] ?? {};
    return ![...code, ...(one.typeOnly ? types : [])].includes(roomImported(one));
  });
  assert.deepEqual(wrong, []);
});

test('code comes from further down the table only', () => {
  const order = Object.keys(ROOMS);
  const upwards = Object.entries(ROOMS).flatMap(([room, { code = [] }]) =>
    code.filter((other) => order.indexOf(other) <= order.indexOf(room)).map((other) => `${room} → ${other}`),
  );
  assert.deepEqual(upwards, []);
});

test('each outside package stays in its rooms', () => {
  const wrong = outside.filter((one) => !ROOMS[one.room]?.packages?.includes(packageImported(one)));
  assert.deepEqual(wrong, []);
});

test('the nouns and the planner are pure: no clock, no I/O, no environment', () => {
  const pure = FILES.filter((file) => ['plan', 'certificates'].includes(roomOf(file)));
  const allowed = ['node:crypto', 'node:url', 'node:net', 'node:util']; // of node:net only isIP, see below
  const builtins = IMPORTS.filter(({ file, of }) => pure.includes(file) && isBuiltin(of) && !allowed.includes(of));
  const impure =
    /\bDate\.now\(|\bnew Date\(\)|\bprocess\.|\bconsole\.|\bsetTimeout\(|\bfetch\(|\bconnect\(|\bMath\.random\(/;
  assert.deepEqual([builtins, pure.filter((file) => impure.test(textOf(file)))], [[], []]);
});

test('the environment is read in one place, and handed in', () => {
  assert.deepEqual(
    FILES.filter((file) => file !== 'main.ts' && /\bprocess\.env\b/.test(textOf(file))),
    [],
  );
});

test('no default export, no enum, no parameter property, no namespace: Node runs the source as it is', () => {
  const banned =
    /^\s*(export default|(export )?(const )?enum |namespace )|\bconstructor\([^)]*\b(private|public|protected) /m;
  assert.deepEqual(
    FILES.filter((file) => !file.endsWith('.d.ts') && banned.test(textOf(file))),
    [],
  );
});
