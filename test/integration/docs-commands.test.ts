/**
 * Every command of the README and of docs/ is carried out here, as it stands there, or has its reason why not.
 *
 * The program runs in this process against the simulator, in front of a small HTTPS server as the load balancer; `dcos` is a
 * shim that does by the API what the CLI does. The commands run in the order of the pages, in a folder of their own.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Store } from '../../src/store.ts';
import { type Command, commandsOf, PAGES, PROJECT } from '../docs/pages.ts';
import { processExecutor } from '../marathon-simulator/executor.ts';
import { issue } from '../support/certificates.ts';
import { OUR_PROGRAM } from '../support/images.ts';
import { DIRECTORY, startProgram, withCertificate } from '../support/in-process.ts';
import { simulated, WEB } from '../support/simulated.ts';
import { until } from '../support/until.ts';

const NAME = 'www.example.com';
const NET = 94;
const HOST = `127.41.${NET}.200`;
const HTTPS_PORT = 31_443;
const ADMIN_TOKEN = 'for-the-documentation';
const run = promisify(execFile);

interface Rule {
  readonly of: RegExp;
  /** Where something is to be seen. */
  readonly shows?: RegExp;
  /** Here instead of in the reader's cluster. */
  readonly here?: readonly (readonly [string, string])[];
  /** It reads what the program writes at that moment, and may have to be done once more. */
  readonly again?: true;
  /** Why it is not carried out. */
  readonly not?: string;
}

const RULES: readonly Rule[] = [
  { of: /^npm run demo$/, not: 'test/e2e/demo.test.ts' },
  { of: /^npm test$/, not: 'this is it' },
  { of: /^dcos package install /, not: 'a catalogue of packages is not here' },
  { of: /^dcos task (log|exec) /, not: 'Mesos is not here' },
  {
    of: /^curl (-\S+ )?https:\/\/ssl-test-\d\.example\.com\/$/,
    not: 'test/e2e/first-certificate.test.ts asks the test apps',
  },
  { of: /^certbot revoke /, not: 'test/conformance/revocation.test.ts, by the real certbot' },
  { of: /^ufw /, not: 'it would change the firewall of this machine' },
  { of: /^export \w+=/, not: 'the stage has set it' },

  { of: /^dcos marathon app (add|remove) /, shows: /./ },
  {
    of: /\/v2\/apps\/letsencrypt-dcos \| jq -r '\.app\.tasks/,
    here: [['http://MARATHON:8080', '$MARATHON']],
  },
  { of: /\/v2\/apps \| jq .*MARATHON_ACME/, shows: /^a\.example\.com,b\.example\.com$/m },
  { of: /\/v2\/apps\/letsencrypt-dcos \| jq '\.app \|/, shows: /"tasksHealthy": 0/ },
  { of: /\/v2\/apps\/letsencrypt-dcos\/restart$/, shows: /deploymentId/ },
  { of: /upgradeStrategy.*apps\/marathon-lb\?force=true"$/, shows: /deploymentId/ },
  { of: /HAPROXY_SSL_CERT'? > (bundle|leaked)\.pem$/ },
  { of: /HAPROXY_SSL_CERT' \| grep -c/, shows: /^1$/m },
  { of: /\/v2\/(queue|deployments) \| jq/ },
  { of: /\/api\/status \| jq '\.plan\.certificate \|/, shows: /"state": "live"/ },
  { of: /\/api\/status \| jq '\.plan\.certificate\.held/, shows: /^"20\d\d-/m },
  { of: /\/api\/status \| jq '\.plan\.(next|served\.instances|budgets)'/, shows: /^\[/ },
  { of: /\/api\/status \| jq -r '\.plan\.certificate\.names/ },
  { of: /^letsencrypt-dcos (status|plan)\b/, shows: /live/ },
  {
    of: /^letsencrypt-dcos audit /,
    here: [['audit', `audit --at 127.41.${NET}.2:${HTTPS_PORT}`]],
    shows: /ssl-test-1\.example\.com/,
  },
  { of: /\/actions\/(retry|renew)$/, shows: /^303$/m },
  { of: /acme-challenge\/ping$/, here: [[`http://${NAME}`, `http://${HOST}:31080`]], shows: /pong/ },
  {
    of: /^openssl s_client /,
    here: [['10.0.0.2:443', `127.41.${NET}.2:${HTTPS_PORT}`]],
    shows: /sha256 Fingerprint=/i,
  },
  { of: /^openssl (req|x509|pkey) / },
  { of: /^printf .* > backend\.ext$/ },
  { of: /^cat \w+\.(pem|crt) \w+\.(pem|key) > \w+\.pem$/ },
  { of: /^curl .*\/v2\/apps\/marathon-lb \| jq --rawfile .* > change\.json$/ },
  { of: /^curl -s -X PUT .* -d @change\.json /, shows: /deploymentId/ },
  { of: /^shred -u / },
  { of: /^tar -C \$STATE_DIR /, again: true },
  { of: /^chown -R 1000:1000 \$STATE_DIR/, again: true },
  { of: /^ss -ltn$/, shows: /LISTEN/ },
  {
    of: /^jq -r .* \$STATE_DIR\/account-\*\.json$/,
    shows: /^https:\/\/ca\.internal\/directory https:\/\/ca\.internal\/acct\/7$/m,
  },
];

const COMMANDS = PAGES.flatMap(commandsOf);
const rulesOf = ({ line }: Command): readonly Rule[] => RULES.filter(({ of }) => of.test(line));

test('each command has one rule, and each rule a command: a new one has to be thought about', () => {
  assert.ok(COMMANDS.length > 40);
  const odd = COMMANDS.filter((command) => rulesOf(command).length !== 1);
  assert.deepEqual(
    odd.map((command) => `${command.page}: ${command.line}: ${rulesOf(command).length} rules`),
    [],
  );
  const idle = RULES.filter(({ of }) => !COMMANDS.some(({ line }) => of.test(line)));
  assert.deepEqual(idle, []);
});

test('a file that is named not to be carried out here is there', () => {
  const files = RULES.flatMap(({ not = '' }) => /test\/\S+\.ts/.exec(not)?.[0] ?? []);
  assert.deepEqual(
    files.filter((file) => !existsSync(join(PROJECT, file))),
    [],
  );
});

test('every other command does what the page says', async (t) => {
  const stage = await startStage(t);
  const once = COMMANDS.filter(({ line }, index) => COMMANDS.findIndex((other) => other.line === line) === index);
  for (const command of once) {
    const [rule] = rulesOf(command);
    if (rule === undefined || rule.not !== undefined) continue;
    const line = (rule.here ?? []).reduce((text, [there, here]) => text.replace(there, here), command.line);
    const carryOut = async () => ({ said: await stage.carryOut(line) });
    const { said } = await (rule.again ? until(carryOut, line) : carryOut()).catch((error: Error) => {
      throw new Error(`${command.page}: ${line}\n${error.message}`);
    });
    if (rule.shows !== undefined) assert.match(said, rule.shows, `${command.page}: ${line}`);
  }
  await t.test('and what marathon-lb had besides is there after all of that', async () => {
    assert.equal(await stage.carryOut('curl -s $MARATHON/v2/apps/marathon-lb | jq -r .app.env.THEIRS'), 'kept\n');
  });
  await t.test('and every path of the admin port that a page names answers', async () => {
    const paths = new Set(PAGES.flatMap(({ text }) => text.match(/(?<=`)\/(?:api\/\w+|metrics|ready)(?=`)/g) ?? []));
    assert.ok(paths.size >= 3);
    for (const path of paths) assert.equal((await fetch(`${stage.admin}${path}`)).status, 200, path);
  });
});

// The stage

const LOAD_BALANCER = processExecutor({
  argv: [
    process.execPath,
    '-e',
    `const { HOST: host, HAPROXY_SSL_CERT: pem } = process.env;
     require('node:https').createServer({ cert: pem, key: pem }, (_, answer) => answer.end()).listen(${HTTPS_PORT}, host);`,
  ],
});

/** What the CLI does, by the API. */
const DCOS = `#!/bin/sh -e
case "$3" in
  add) exec curl -sS --fail-with-body -X POST -H 'Content-Type: application/json' -d @"$4" "$DCOS_MARATHON/v2/apps" ;;
  remove) exec curl -sS --fail-with-body -X DELETE "$DCOS_MARATHON/v2/apps/$4" ;;
esac
exit 64
`;

interface Stage {
  /** Its standard output; throws where it fails, in the middle of a pipe too. */
  carryOut(line: string): Promise<string>;
  readonly admin: string;
}

async function startStage(t: TestContext): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'docs-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [stateDir, bin] = [join(folder, 'state'), join(folder, 'bin')];
  const certificate = issue({ domains: [NAME] });
  const url = await startCluster(t, certificate.pem);
  await withCertificate(stateDir, certificate.pem);
  await withAccount(stateDir);
  const env = { MARATHON_URL: url, STATE_DIR: stateDir, ADMIN_TOKEN, DOMAINS: NAME };
  const keeper = await startProgram(t, HOST, { ...env, MARATHON_LB_HTTPS_PORT: `${HTTPS_PORT}`, KEY_TYPE: 'ec256' });
  await keeper.saysNow({ state: 'live' });
  await mkdir(bin);
  await writeFile(join(bin, 'dcos'), DCOS, { mode: 0o755 });
  const ours = `#!/bin/sh\nexec ${OUR_PROGRAM.map((part) => `'${part}'`).join(' ')} "$@"\n`;
  await writeFile(join(bin, 'letsencrypt-dcos'), ours, { mode: 0o755 });
  await symlink(join(PROJECT, 'marathon'), join(folder, 'marathon'));
  const other = issue({ domains: [NAME] });
  await writeFile(join(folder, 'fullchain.pem'), other.chainPem);
  await writeFile(join(folder, 'privkey.pem'), other.keyPem);
  const bare = await simulated(t, NET + 1);
  const admin = `http://${HOST}:31900`;
  const shown = {
    ...{ PATH: `${bin}:${process.env.PATH}:/usr/sbin:/sbin`, HOME: folder },
    ...{ MARATHON: url, ADMIN: admin, ADMIN_TOKEN, STATE_DIR: stateDir, DCOS_MARATHON: bare.url },
  };
  return {
    admin,
    carryOut: async (line) => {
      const options = { cwd: folder, env: shown, timeout: 60_000 };
      const { stdout } = await run('bash', ['-o', 'pipefail', '-ec', line], options);
      return stdout;
    },
  };
}

/** A load balancer with that certificate, our app without a task, and an app as marathon-acme would serve it. */
async function startCluster(t: TestContext, pem: string): Promise<string> {
  const marathon = await simulated(t, NET, { images: { lb: LOAD_BALANCER, web: WEB } });
  const docker = (image: string) => ({ type: 'DOCKER', docker: { image } });
  const apps = [
    { id: '/letsencrypt-dcos', instances: 0, container: docker('web') },
    {
      ...{ id: '/shop', instances: 0, container: docker('web') },
      labels: { MARATHON_ACME_0_DOMAIN: 'b.example.com, a.example.com', MARATHON_ACME_1_DOMAIN: 'a.example.com' },
    },
    {
      ...{ id: '/marathon-lb', instances: 1, container: docker('lb') },
      ...{ networks: [{ mode: 'host' }], portDefinitions: [{ port: HTTPS_PORT }], requirePorts: true },
      env: { HAPROXY_SSL_CERT: pem, THEIRS: 'kept' },
      upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 0 },
    },
  ];
  for (const app of apps) await marathon.api('POST', '/v2/apps', app);
  return marathon.url;
}

async function withAccount(stateDir: string): Promise<void> {
  const store = new Store(stateDir);
  await store.open();
  const keyPem = issue({ domains: [NAME] }).keyPem;
  await store.saveAccount({ directory: DIRECTORY, url: 'https://ca.internal/acct/7', keyPem });
}
