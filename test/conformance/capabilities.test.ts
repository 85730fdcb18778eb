/**
 * That the container starts with no capability too many: without any one of them the port, the folder or the own user is missing.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import {
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

let image: Ready;
before(() => {
  image = readyImage();
});
after(() => rmSync(image.folder, { recursive: true, force: true }));

const NEEDED = ['chown', 'dac_override', 'net_bind_service', 'setgid', 'setuid'];

/** An old folder in which something is somebody else's, and closed. */
function oldFolder(t: TestContext): { state: string; file: string } {
  const state = newFolder(t);
  const file = join(state, 'accounts', 'file');
  mkdirSync(join(state, 'accounts'), { mode: 0o700 });
  writeFileSync(file, '');
  chownSync(join(state, 'accounts'), 4321, 4321);
  return { state, file };
}

/** Whether it came to be its own user, with the folder its own. */
async function isWell(t: TestContext, capabilities: readonly string[]): Promise<boolean> {
  const { state, file } = oldFolder(t);
  const { process, output } = startContainer(t, image, { state, as: limitedTo(capabilities) });
  let ended = false;
  void once(process, 'exit').then(() => {
    ended = true;
  });
  await until(() => ended || standing(process.pid, 'Uid')[0] === four(image.uid), `an end or a change: ${output()}`);
  return !ended && statSync(file).uid === image.uid;
}

test('with the capabilities of the shipped definition it starts', async (t) => {
  const { capabilities } = rightsIn('letsencrypt-dcos');
  assert.deepEqual(capabilities.toSorted(), NEEDED);
  assert.equal(await isWell(t, capabilities), true);
});

for (const name of NEEDED) {
  test(`without ${name} it does not`, async (t) => {
    assert.equal(
      await isWell(
        t,
        NEEDED.filter((other) => other !== name),
      ),
      false,
    );
  });
}
