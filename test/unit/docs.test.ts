/** The documentation as a whole: no link leads nowhere, and each name in it is one that the program or marathon-lb knows. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALERT_KINDS } from '../../src/alerts/sentences.ts';
import { main } from '../../src/cli.ts';
import { familiesOf } from '../../src/metrics/families.ts';
import { ALARMING } from '../../src/plan/verdict.ts';
import { TABLE } from '../../src/settings/table.ts';
import { STATES } from '../../src/words.ts';
import { anchorsOf, linksOf, PAGES, type Page, PROJECT } from '../docs/pages.ts';
import { metricFacts } from '../support/metric-facts.ts';

const page = (path: string): Page => {
  const found = PAGES.find((one) => one.path === path);
  assert.ok(found, path);
  return found;
};

test('every link leads to a file that is there, and to a heading that is in it', () => {
  const links = PAGES.flatMap(linksOf).filter(({ path }) => path !== undefined);
  assert.ok(links.length > 60);
  const dead = links.filter(({ path = '', anchor }) => {
    if (!existsSync(join(PROJECT, path))) return true;
    const target = PAGES.find((one) => one.path === path);
    return anchor !== undefined && !(target !== undefined && anchorsOf(target).has(anchor));
  });
  assert.deepEqual(
    dead.map(({ from, to }) => `${from}: ${to}`),
    [],
  );
});

test('the README leads to every page', () => {
  const linked = new Set(linksOf(page('README.md')).map(({ path }) => path));
  assert.deepEqual(
    PAGES.map(({ path }) => path).filter((path) => path !== 'README.md' && !linked.has(path)),
    [],
  );
});

/** marathon-lb's own (its Longhelp.md): labels with a number, and variables of its app. */
const LABELS =
  /^HAPROXY_(\{n\}|n|\d+)_(VHOST|GROUP|PATH|ENABLED|AUTH|REDIRECT_TO_HTTPS|USE_HSTS|BACKEND_(WEIGHT|HSTS_OPTIONS|HTTP_OPTIONS|SERVER_OPTIONS)|HTTPS?_FRONTEND_(ACL|ROUTING_ONLY)(_WITH_PATH)?)$/;
const VARIABLES =
  /^HAPROXY_(GROUP|SSL_CERT(\d+|\{n\})?|HTTPS?_FRONTEND_(HEAD|ACL)|HTTP_BACKEND_[A-Z_]+|BACKEND_HEAD|HEAD|GLOBAL_DEFAULT_OPTIONS)$/;
/** Other people's, each with whose it is. */
const STRANGERS: Readonly<Record<string, string>> = {
  MESOS_HTTP: 'a protocol of its health checks',
  MESOS_HTTPS: 'a protocol of its health checks',
  TASK_FAILED: 'a state of Mesos',
  NODE_EXTRA_CA_CERTS: "Node's",
  NET_BIND_SERVICE: 'a capability of Linux',
  DAC_OVERRIDE: 'another one',
  DAC_READ_SEARCH: 'another one',
  TASK_HOST: 'to be filled in by the reader',
  TASK_PORT: 'to be filled in by the reader',
  SSL_DOMAINS: "v1's, told as not read",
  SSL_EMAIL: "v1's, told as not read",
  LETSENCRYPT_VERIFICATION_METHOD: "MaibornWolff's, told as not read",
  'MARATHON_ACME_{n}_DOMAIN': "marathon-acme's label",
  CERT_HAS_EXPIRED: "Node's code",
  ERR_TLS_CERT_ALTNAME_INVALID: "Node's code",
  SELF_SIGNED_CERT_IN_CHAIN: "Node's code",
};
const NAME = /(?<![\w$%{/.-])[A-Z][A-Z0-9]*(?:_(?:\{n\}|n|[A-Z0-9]+))+(?![\w-])/g;

function isKnown(name: string): boolean {
  const settings = Object.values(TABLE).flatMap((setting) => [
    setting.name,
    ...('aliases' in setting ? setting.aliases : []),
  ]);
  const isLabel = LABELS.test(name) || LABELS.test(`HAPROXY_0_${name}`);
  return settings.includes(name) || isLabel || VARIABLES.test(name) || name in STRANGERS;
}

test('every setting, label and variable that is named is one', () => {
  const unknown = PAGES.flatMap(({ path, text }) =>
    [...text.matchAll(NAME)].flatMap(([name]) => (isKnown(name) ? [] : `${path}: ${name}`)),
  );
  assert.deepEqual([...new Set(unknown)], []);
  const text = PAGES.map((one) => one.text).join('\n');
  assert.deepEqual(
    Object.keys(STRANGERS).filter((name) => !text.includes(name)),
    [],
  );
});

test('the ports are those that the program and marathon-lb have', () => {
  const { text } = page('docs/security.md');
  for (const { name, default: port } of [TABLE.httpPort, TABLE.adminPort])
    assert.ok(text.includes(`| \`${name}\`, ${port} |`), name);
  const definition = readFileSync(join(PROJECT, 'marathon', 'marathon-lb.json'), 'utf8');
  const { portDefinitions } = JSON.parse(definition) as { portDefinitions: readonly { port: number }[] };
  for (const { port } of portDefinitions) assert.match(text, new RegExp(`\\b${port}\\b`));
});

test('every metric that is named is one', () => {
  const metrics = familiesOf(metricFacts()).map(({ name }) => name);
  const named = PAGES.flatMap(({ text }) => text.match(/\bletsencrypt_dcos_[a-z_]*[a-z]\b/g) ?? []);
  assert.deepEqual(
    named.filter((name) => !metrics.some((metric) => metric.startsWith(name))),
    [],
  );
});

test('the architecture names every folder of the source', () => {
  const { text } = page('docs/architecture.md');
  const folders = readdirSync(join(PROJECT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(
    folders.map(({ name }) => `\`${name}/\``).filter((name) => !text.includes(name)),
    [],
  );
});

test('every file of the project that is named in code is there', () => {
  const named = PAGES.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:src|test|marathon|docs|package|bench)\/[\w./-]*[\w/])`/g)].map(([, file = '']) => ({
      path,
      file,
    })),
  );
  assert.deepEqual(
    named.filter(({ file }) => ![file, join('src', file)].some((path) => existsSync(join(PROJECT, path)))),
    [],
  );
});

test('operations has a section for every alert, in both its names, and a row for every state', () => {
  const operations = page('docs/operations.md');
  const rules = readFileSync(join(PROJECT, 'docs', 'alert-rules.yaml'), 'utf8');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, alert = '']) => alert);
  const sections = operations.text.split(/^### /m);
  assert.deepEqual(
    alerts.filter((alert) => !sections.some((section) => section.startsWith(`${alert}\n`))),
    [],
  );
  assert.deepEqual(
    [...ALERT_KINDS, ...ALARMING, ...Object.keys(STATES)].filter((word) => !operations.text.includes(`\`${word}\``)),
    [],
  );
});

test('an alert that is not there any more is noticed', () => {
  const rules = readFileSync(join(PROJECT, 'docs', 'alert-rules.yaml'), 'utf8');
  const told = PAGES.flatMap(({ text }) => text.match(/\bLetsencryptDcos\w+/g) ?? []);
  assert.ok(told.length > 10);
  assert.deepEqual(
    told.filter((alert) => !rules.includes(`- alert: ${alert}\n`)),
    [],
  );
});

test('the README has every command of --help, and no other', async () => {
  let help = '';
  const out = (text: string): void => {
    help += text;
  };
  const terminal = { out: false, err: false, columns: 80 };
  await main(['--help'], { env: {}, signal: new AbortController().signal, out, err: out, terminal });
  const [, list = ''] = /^Usage:.*\n\n((?: {2}\S.*\n)+)/m.exec(help) ?? [];
  const commands = [...list.matchAll(/^ {2}(\S+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  assert.ok(commands.length > 5, help);
  const told = [...page('README.md').text.matchAll(/^letsencrypt-dcos (\S+) +\S/gm)].map(([, name = '']) => name);
  assert.deepEqual(told.sort(), commands.sort());
});
