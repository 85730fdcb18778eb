/**
 * What ADMIN_TOKEN opens on the admin listener: who may ask, and what is refused. What comes of asking is in
 * test/unit/asking.test.ts (the plan) and test/browser (the whole program).
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createLog } from '../../src/log.ts';
import type { Ask } from '../../src/plan/asking.ts';
import { listenAdmin } from '../../src/web/admin.ts';
import { statusIn } from '../support/page-worlds.ts';

const TOKEN = 'correct-horse-battery-staple';

interface Stage {
  readonly url: string;
  readonly asked: Ask[];
  readonly log: string[];
  post(path: string, body: string, headers?: Record<string, string>): Promise<Response>;
}

async function start(t: TestContext, obstacle?: string): Promise<Stage> {
  const asked: Ask[] = [];
  const log: string[] = [];
  const ask = async (what: Ask): Promise<string | undefined> => {
    if (obstacle === undefined) asked.push(what);
    return obstacle;
  };
  const listener = await listenAdmin({
    ...{ host: '127.0.0.1', port: 0, status: () => statusIn('live'), isReady: () => true, metrics: () => [] },
    log: createLog({ level: 'silent' }),
    asks: { token: TOKEN, log: createLog({ level: 'info', write: (line) => void log.push(line) }), ask },
  });
  t.after(() => listener.close());
  const url = `http://127.0.0.1:${listener.port}`;
  const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}${path}`, {
      ...{ method: 'POST', body, redirect: 'manual' },
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
  return { url, asked, log, post };
}

const right = `token=${TOKEN}`;

for (const what of ['retry', 'renew'] as const) {
  test(`with the token ${what} is done, and leads back to the page, under whatever path it is`, async (t) => {
    const { post, asked, log } = await start(t);
    const reply = await post(`/actions/${what}`, right);
    assert.deepEqual([reply.status, reply.headers.get('location'), asked], [303, '../#timeline', [what]]);
    assert.match(log.join(), new RegExp(`"action":"${what}","from":"127.0.0.1","msg":"action asked for"`));
  });
}

const refused: readonly {
  what: string;
  body?: string;
  headers?: Record<string, string>;
  path?: string;
  status: number;
  says?: RegExp;
}[] = [
  { what: 'no token', body: '', status: 403, says: /The token is not right/ },
  { what: 'an empty token', body: 'token=', status: 403, says: /The token is not right/ },
  { what: 'a wrong token', body: 'token=wrong-wrong-wrong-wrong', status: 403, says: /Nothing was done/ },
  { what: 'a token that is nearly right', body: `${right}r`, status: 403 },
  { what: 'the beginning of the token', body: right.slice(0, -1), status: 403 },
  { what: 'the token in the address', body: '', path: `/actions/retry?${right}`, status: 403 },
  { what: 'the token in a header', body: '', headers: { authorization: `token=${TOKEN}` }, status: 403 },
  { what: 'the token in a cookie', body: '', headers: { cookie: right }, status: 403 },
  {
    what: 'a form of another site',
    body: right,
    headers: { 'sec-fetch-site': 'cross-site' },
    status: 403,
    says: /another site/,
  },
  { what: 'a form of a neighbour', body: right, headers: { 'sec-fetch-site': 'same-site' }, status: 403 },
  {
    what: 'JSON, as a script of another site cannot send it unasked',
    body: '{}',
    headers: { 'content-type': 'application/json' },
    status: 400,
  },
  { what: 'plain text, as any site may send it', body: right, headers: { 'content-type': 'text/plain' }, status: 400 },
  { what: 'a body without end', body: `${right}&x=${'x'.repeat(3_000)}`, status: 400 },
  { what: 'an action that there is not', body: right, path: '/actions/restart', status: 404 },
];
for (const { what, body = right, headers = {}, path = '/actions/retry', status, says = /./ } of refused) {
  test(`${what} is refused, and nothing of it is repeated`, async (t) => {
    const { post, asked, log } = await start(t);
    const reply = await post(path, body, headers);
    const text = await reply.text();
    assert.deepEqual([reply.status, asked], [status, []]);
    assert.match(text, says);
    for (const word of [TOKEN, 'wrong-wrong']) assert.doesNotMatch(text + log.join(), new RegExp(word.slice(0, -2)));
  });
}

test('what cannot be done now is told with its reason', async (t) => {
  const { post, log } = await start(t, 'PAUSE=true: nothing is changed.');
  const reply = await post('/actions/renew', right);
  assert.equal(reply.status, 409);
  assert.match(await reply.text(), /Renew: not now[\s\S]*PAUSE=true: nothing is changed\./);
  assert.match(log.join(), /PAUSE=true/);
});

test('more than ten tries a minute are turned away, the right token too', async (t) => {
  const { post, asked } = await start(t);
  for (let tries = 0; tries < 10; tries += 1) assert.equal((await post('/actions/retry', 'token=x')).status, 403);
  const reply = await post('/actions/retry', right);
  assert.deepEqual([reply.status, reply.headers.get('retry-after'), asked], [429, '60', []]);
});

test('the page has the form only where there is a token to type', async (t) => {
  const { url } = await start(t);
  const page = await fetch(`${url}/`);
  assert.match(
    page.headers.get('content-security-policy') ?? '',
    /form-action 'self'; base-uri 'none'; frame-ancestors 'none'/,
  );
  assert.match(await page.text(), /name="token"/);
});
