/**
 * When a key leaks: the commands of docs/security.md revoke a certificate of ours, by the real certbot at the real Pebble.
 *
 * They need neither our account nor our folder: all that is given to them is what stands in marathon-lb's variable.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { commandsOf, PAGES } from '../docs/pages.ts';
import { freePort } from '../support/free-port.ts';
import { OUR_PROGRAM } from '../support/images.ts';
import { type Pebble, startPebble } from '../support/pebble.ts';

const HOST = '127.0.0.1';
const run = promisify(execFile);

test('the key that leaked revokes its certificate, and a second time the CA says that it is', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'revocation-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const pebble = await obtained(t, folder);
  const [parts = '', revoke = ''] = commands();
  const env = { PATH: process.env.PATH, HOME: folder, REQUESTS_CA_BUNDLE: pebble.caFile };
  const carryOut = (line: string) => run('sh', ['-ec', line], { cwd: folder, env, timeout: 60_000 });

  await cp(join(folder, 'obtained', 'bundle.pem'), join(folder, 'leaked.pem'));
  await carryOut(parts);
  const { stdout, stderr } = await carryOut(revoke);
  assert.match(stdout + stderr, /successfully revoked the certificate/);
  // certbot 2.1 stumbles over the answer, and has it in its log.
  await assert.rejects(carryOut(revoke));
  assert.match(await readFile(join(folder, 'logs', 'letsencrypt.log'), 'utf8'), /acme:error:alreadyRevoked/);
});

function commands(): readonly string[] {
  const lines = PAGES.filter(({ path }) => path === 'docs/security.md').flatMap((page) => commandsOf(page));
  return [/^openssl x509 -in leaked/, /^certbot revoke/].flatMap(
    (wanted) => lines.find(({ line }) => wanted.test(line))?.line ?? [],
  );
}

/** A certificate of ours; and certbot is told of this CA, and to keep to that folder. */
async function obtained(t: TestContext, folder: string): Promise<Pebble> {
  const httpPort = await freePort(HOST);
  const pebble = await startPebble(t, { httpPort });
  const [program = '', ...args] = OUR_PROGRAM;
  const env = {
    ...{
      PATH: process.env.PATH,
      DOMAINS: 'a.example',
      KEY_TYPE: 'rsa2048',
      LISTEN_ADDRESS: HOST,
      HTTP_PORT: `${httpPort}`,
    },
    ...{ LETSENCRYPT_SERVER_URL: pebble.directoryUrl, ACME_CA_FILE: pebble.caFile },
  };
  await run(program, [...args, 'obtain', '--out', join(folder, 'obtained')], { env, timeout: 60_000 });
  const settings = join(folder, '.config', 'letsencrypt');
  await mkdir(settings, { recursive: true });
  const places = ['config', 'work', 'logs'].map((place) => `${place}-dir = ${join(folder, place)}`);
  await writeFile(join(settings, 'cli.ini'), [`server = ${pebble.directoryUrl}`, ...places, ''].join('\n'));
  return pebble;
}
