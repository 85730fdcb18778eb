/**
 * The image, as far as it can be had without a container engine: the Dockerfile's steps done as they stand, and its entry
 * point started in a root of its own, where there is no shell. That root is read-only but for the state folder, and the rights
 * are those that marathon/letsencrypt-dcos.json leaves, and no others. (That each is needed: test/conformance/capabilities.test.ts.)
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import {
  ADDRESS,
  answersPing,
  exitCode,
  four,
  limitedTo,
  newFolder,
  type Ready,
  readyImage,
  rightsIn,
  standing,
  startContainer,
} from '../support/container.ts';
import { until } from '../support/until.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const NO_CAPABILITY = '0'.repeat(16);

let image: Ready;
before(() => {
  image = readyImage();
});
after(() => rmSync(image.folder, { recursive: true, force: true }));

test('it starts as root with five capabilities, binds port 80, takes over an old folder and goes on as its own user with none', async (t) => {
  const state = newFolder(t);
  const account = join(state, 'accounts', 'private_key.json');
  mkdirSync(join(state, 'accounts'), { mode: 0o700 });
  writeFileSync(account, '{}', { mode: 0o600 });
  chownSync(join(state, 'accounts'), 4321, 4321); // somebody else's, and closed to others
  const container = startContainer(t, image, { state });
  await answersPing(container, 80);
  const { pid } = container.process;
  await until(() => standing(pid, 'Uid')[0] === four(image.uid), 'it is its own user');
  assert.deepEqual(standing(pid, 'Gid', 'Groups', 'NoNewPrivs'), [four(image.gid), '', '1']);
  const [inheritable, permitted, effective, bounding, ambient] = standing(
    pid,
    ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'],
  );
  assert.deepEqual(new Set([inheritable, permitted, effective, ambient]), new Set([NO_CAPABILITY]));
  // Bits 0, 1, 6, 7 and 10 of linux/capability.h: chown, dac_override, setgid, setuid, net_bind_service.
  assert.equal(BigInt(`0x${bounding}`), 0b100_1100_0011n);
  assert.deepEqual(
    [state, join(state, 'accounts'), account].map((path) => statSync(path).uid),
    [image.uid, image.uid, image.uid],
  );
  assert.equal(await exitCode(container), 0, container.output());
});

test('there is no shell, no package manager and nothing of npm in what it runs from', () => {
  const files = readdirSync(image.root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const programs = files.map(({ name }) => name).filter((name) => !/\.so\b|\.mjs$/.test(name));
  assert.deepEqual(programs.toSorted(), ['node', 'setpriv']);
  assert.equal(image.entrypoint[0], 'node', 'exec form: nothing stands between the signals and the program');
  assert.match(image.base, /^node:24\.\d+\.\d+-slim$/);
});

test('started as an ordinary user it works with what it owns', async (t) => {
  const state = newFolder(t);
  chownSync(state, 4321, 4321);
  const as = ['--reuid=4321', '--regid=4321', '--clear-groups', '--bounding-set=-all', '--no-new-privs'];
  // Temporary folders are their maker's own; a container's root is everybody's.
  spawnSync('chmod', ['-R', 'a+rX', image.folder]);
  const container = startContainer(t, image, { state, as, env: { HTTP_PORT: '8080' } });
  await answersPing(container, 8080);
  assert.deepEqual(standing(container.process.pid, 'Uid', 'CapBnd'), [four(4321), NO_CAPABILITY]);
  await until(() => (statSync(state).mode & 0o777) === 0o700, 'the folder is its own alone');
  assert.equal(await exitCode(container), 0, container.output());
});

test('a wrong setting ends it with code 2 and a line for each mistake', async (t) => {
  const container = startContainer(t, image, { state: newFolder(t), env: { HTTP_PORT: '80a', KEY_TYPE: 'dsa' } });
  const [code] = await once(container.process, 'exit');
  assert.equal(code, 2);
  for (const name of ['HTTP_PORT', 'KEY_TYPE']) assert.ok(container.output().includes(name), container.output());
});

test("compose.yaml's health check runs in the image, without a shell: 0 while it answers, 1 when it does not", async (t) => {
  const { services } = parse(readFileSync(join(PROJECT, 'compose.yaml'), 'utf8'));
  const [, ...check] = services['letsencrypt-dcos'].healthcheck.test as readonly string[];
  const argv = check.map((word) => word.replace('http://127.0.0.1/', `http://${ADDRESS}/`));
  const asked = async () => {
    const child = spawn('chroot', [image.root, ...argv], {
      stdio: 'ignore',
      env: { PATH: `${process.env.PATH}:/usr/local/bin` },
    });
    const [code] = await once(child, 'exit');
    return code;
  };
  const container = startContainer(t, image, { state: newFolder(t) });
  await answersPing(container, 80);
  assert.equal(await asked(), 0);
  assert.equal(await exitCode(container), 0);
  assert.equal(await asked(), 1);
});

test('the test app with HTTPS starts in the same image with three capabilities, for it takes nothing over', async (t) => {
  const rights = rightsIn('letsencrypt-dcos-test-3');
  assert.deepEqual(rights.capabilities.toSorted(), ['net_bind_service', 'setgid', 'setuid']);
  const args = ['test-app', '--tls', 'snakeoil'];
  const container = startContainer(t, image, {
    state: newFolder(t),
    as: limitedTo(rights.capabilities),
    args,
    env: { HTTP_PORT: '443' },
  });
  const health = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = { host: ADDRESS, path: '/health', rejectUnauthorized: false, agent: false as const };
      request(options, (answer) => resolve(answer.resume().statusCode))
        .once('error', reject)
        .end();
    });
  await until(async () => (await health()) === 200, 'the test app is healthy');
  assert.deepEqual(standing(container.process.pid, 'Uid', 'CapEff'), [four(image.uid), NO_CAPABILITY]);
  assert.equal(await exitCode(container), 0, container.output());
});

test('every definition of ours asks Docker for a read-only root, and for no rights but these', () => {
  const ours = readdirSync(join(PROJECT, 'marathon')).filter((name) => name.startsWith('letsencrypt-dcos'));
  assert.ok(ours.length >= 6);
  for (const name of ours.map((file) => file.replace(/\.json$/, ''))) {
    const { capabilities, readOnly, noNewPrivileges } = rightsIn(name);
    assert.ok(readOnly, name);
    // Docker before 1.11, which is as old as Marathon 0.15, does not know the last.
    assert.equal(noNewPrivileges, name !== 'letsencrypt-dcos-marathon-1.4', name);
    assert.equal(capabilities.length, name.includes('test-') ? 3 : 5, name);
  }
});

test('docs/security.md shows the parameters that the shipped definition has', () => {
  const page = readFileSync(join(PROJECT, 'docs', 'security.md'), 'utf8');
  const [, shown] = /^## The container$[\s\S]*?```json\n([\s\S]*?)```/m.exec(page) ?? [];
  const { container } = JSON.parse(readFileSync(join(PROJECT, 'marathon', 'letsencrypt-dcos.json'), 'utf8'));
  assert.deepEqual(JSON.parse(`{${shown}}`).parameters, container.docker.parameters);
});
