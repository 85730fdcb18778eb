/** What the status page says of each world, and that nobody's words become markup. No browser: that is another test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../src/status.ts';
import { html } from '../../src/web/html.ts';
import { answerPage, PAGE_HEADERS, pageOf } from '../../src/web/page.ts';
import { lifetime } from '../../src/web/page-lifetime.ts';
import { sentence } from '../../src/web/page-words.ts';
import { relative, span } from '../../src/words.ts';
import { issue, newKey } from '../support/certificates.ts';
import { ago, ahead, DAY, HOUR, MINUTE, NOW, SECOND } from '../support/observation.ts';
import { statusIn, WORLD_NAMES, type WorldName } from '../support/page-worlds.ts';
import { keysIn, leaksIn } from '../support/sweep.ts';

const page = (status: Status, mayAct = false): string => pageOf(status, { now: NOW, mayAct });

/** What a reader sees of it: words, a space apart. */
const textOf = (markup: string): string =>
  (/<body>([\s\S]*?)<script>/.exec(markup)?.[1] ?? markup)
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replace(/\s+/g, ' ');

const told: Readonly<Record<WorldName, readonly RegExp[]>> = {
  live: [
    /live Live: every load balancer serves the certificate/,
    /41 % of its life is over/,
    /Issued 2026-10-16 12:00 UTC \(37 days ago\) Renewal from 2026-12-\d\d \d\d:\d\d UTC \(in \d\d days\)/,
    /Ends 2027-01-14 12:00 UTC \(in 53 days\)/,
    /Names \(4\).*www\.shop\.example\.com State ✓ on the certificate/,
    /10\.0\.0\.2:443 lb\.2 Serves ✓ ours, for 4 names/,
    /certificates in 7 days Used of what we allow ourselves 1 of 40 The CA allows 50/,
    /What comes next .*renew the certificate 2026-12/,
    /5ed4c0c5 State – ended/,
    /Timeline .*live .*start letsencrypt-dcos 2\.0\.0 started/,
  ],
  degraded: [
    /degraded Live, but without some of the names/,
    /blog\.example\.com State ✕ the CA refuses it .*correct the A record of blog\.example\.com/,
    /Next try 2026-11-22 12:0\d:\d\d UTC \(in \d minutes\)/,
    /4 of 5 that are wanted/,
  ],
  'not-served': [
    /not-served A load balancer serves another/,
    /www\.shop\.example\.com and 3 names more: 3F:A1:55:00:9C:02:77:18… for \*\.example\.com, until 2026-11-25/,
  ],
  unproven: [/cannot be asked, for 4 of 4 names/, /cannot connect to 10\.0\.0\.1:443: ECONNREFUSED/],
  blind: [/blind Marathon does not tell/, /503 no leader elected/],
  'not-writable': [/The state folder cannot be written/, /There is none yet/, /has not been looked at/],
  ordering: [/ordering A certificate is being ordered/, /Order: validating, 2 of 4 names validated/],
  deploying: [/deploying Marathon is redeploying/, /5ed4c0c5 State … running/],
  'waiting-for-window': [
    /waiting-for-window Live; the new certificate waits for the install window/,
    /waits for the install window, Mon 23 Nov 02:00–04:00 Europe\/Berlin; until then the one before it is served/,
    /Variable of marathon-lb HAPROXY_SSL_CERT/, // it is not in there yet
    /install the certificate, in the install window 2026-11-23 01:00 UTC \(in 13 hours\)/,
    /Europe\/Berlin\): closed, opens Mon 23 Nov 02:00–04:00 Europe\/Berlin\. A new certificate waits for it; what is/,
    /✓ ours, for 4 names/,
  ],
  following: [/following Another task leads/, /watches; letsencrypt-dcos\.instance-5f1d\.1 leads/],
  'no-names': [/no-names There is no name/, /HAPROXY_0_VHOST/],
  paused: [/Paused: PAUSE=true/],
};

for (const name of WORLD_NAMES) {
  test(`${name}: the page says what is so, why and what to do`, () => {
    const text = textOf(page(statusIn(name)));
    for (const pattern of told[name]) assert.match(text, pattern);
  });
}

test('before the first look the page says so, and a loop that has stopped is the first thing it says', () => {
  assert.match(textOf(page(statusIn('live', { plan: null }))), /starting Looking at everything for the first time/);
  assert.match(textOf(page(statusIn('live', { alive: false }))), /not alive The program is stuck/);
});

test('odd settings stand on the page', () => {
  assert.match(
    textOf(page(statusIn('live', { warnings: ['LETSENCRYPT_EMAIL is odd'] }))),
    /Take note LETSENCRYPT_EMAIL is odd/,
  );
});

test('without ADMIN_TOKEN there is nothing to press, and a task that watches says whom to ask', () => {
  assert.doesNotMatch(page(statusIn('live')), /<form|<button|<input/);
  assert.match(
    page(statusIn('live'), true),
    /<form method="post" action="actions\/retry">[\s\S]*formaction="actions\/renew"/,
  );
  const following = page(statusIn('following'), true);
  assert.doesNotMatch(following, /<form/);
  assert.match(textOf(following), /Ask the one that leads: letsencrypt-dcos\.instance-5f1d\.1/);
});

test('the button says when what it orders is installed', () => {
  assert.match(textOf(page(statusIn('live'), true)), /within the limits\. It redeploys the load balancer\./);
  assert.match(
    textOf(page(statusIn('waiting-for-window'), true)),
    /in the install window, which is closed, opens Mon 23 Nov 02:00–04:00 Europe\/Berlin; to have it at once, empty INSTALL/,
  );
});

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</section></main><h1>all is well</h1>',
  '&lt;b&gt;',
  'javascript:alert(1)',
  'http://x/"onclick="alert(1)',
  'https://x/<svg/onload=alert(1)>',
  '<!-- \u202e \u0000 \u001b[31m',
  '</style><style>*{display:none}',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: that is what is hostile about it
  '${1+1}',
];

/** Every text of a status, by another's: whatever comes from Marathon, the CA, a load balancer or the settings. */
function withTexts<T>(value: T, text: string): T {
  if (typeof value === 'string') return text as T;
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map((one) => withTexts(one, text)) as T;
  const known = ['state', 'from', 'kind', 'by', 'step'];
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, known.includes(key) ? one : withTexts(one, text)]),
  ) as T;
}

const tagsOf = (markup: string): readonly string[] => markup.match(/<[a-z!/][^\s>]*/gi) ?? [];
const attributesOf = (markup: string): readonly string[] =>
  [...new Set([...markup.matchAll(/\s([a-z-]+)="/g)].map(([, name = '']) => name))].sort();

for (const text of HOSTILE) {
  test(`as anybody's word, ${JSON.stringify(text)} stays a word`, () => {
    for (const name of WORLD_NAMES) {
      const [calm, hostile] = ['calm', text].map((word) => page(withTexts(statusIn(name), word), true));
      const isLink = (tag: string): boolean => /^<\/?a$/.test(tag); // an address becomes a link, and nothing else does
      assert.deepEqual(
        tagsOf(hostile ?? '').filter((tag) => !isLink(tag)),
        tagsOf(calm ?? '').filter((tag) => !isLink(tag)),
      );
      const added = attributesOf(hostile ?? '').filter((one) => !attributesOf(calm ?? '').includes(one));
      assert.deepEqual(
        added.filter((one) => one !== 'rel'),
        [],
      );
      assert.doesNotMatch(hostile ?? '', /href="(?!https?:\/\/|#|\.\.\/|api\/|metrics|data:image\/svg)/);
      assert.doesNotMatch((hostile ?? '').replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
    }
  });
}

test('only the template makes markup: texts, numbers and lists of them are escaped, and what is not there is not written', () => {
  assert.equal(
    `${html`<p class="${'a"b'}">${['<', 1, undefined, null, false, html`<b>`]}</p>`}`,
    '<p class="a&quot;b">&lt;1<b></p>',
  );
});

test('no key, password or token comes onto the page, whatever sentence carries it', () => {
  const keyPem = newKey('ec256').export({ type: 'pkcs8', format: 'pem' }).toString();
  const pem = issue({ domains: ['a.net'] }).pem;
  const secrets = new Map([...keysIn(keyPem), ...keysIn(pem), ['open-sesame-open', 'a password']]);
  for (const text of [
    keyPem,
    pem,
    'http://me:open-sesame-open@marathon:8080/v2',
    'authorization: token=open-sesame-open',
  ]) {
    const out = WORLD_NAMES.map((name) => ({ from: name, text: page(withTexts(statusIn(name), text), true) }));
    assert.deepEqual(leaksIn(out, secrets), []);
  }
});

test('the page lets in its own style and script and nothing else, and works under any path', () => {
  const markup = page(statusIn('degraded'), true);
  const policy = PAGE_HEADERS['content-security-policy'] ?? '';
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; /);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.doesNotMatch(markup, / style="| on[a-z]+="|(?:src|href|action)="\//);
  assert.doesNotMatch(answerPage('bad', 'No', 'text'), / style="| on[a-z]+="|(?:src|href|action)="\//);
});

test('a hundred names make a page of some hundred kilobytes at the most', () => {
  const status = statusIn('degraded');
  const one = status.plan?.certificate.names.at(-1);
  if (status.plan === null || one === undefined) throw new Error('there is a name');
  const names = Array.from({ length: 100 }, (_, index) => ({ ...one, name: `${index}.example.com` }));
  const certificate = { ...status.plan.certificate, names };
  const markup = page({ ...status, plan: { ...status.plan, certificate } });
  assert.ok(markup.length < 200_000, `${markup.length} characters`);
});

const spans: readonly (readonly [number, string])[] = [
  [0, '0 seconds'],
  [1_499, '1 second'],
  [119 * SECOND, '119 seconds'],
  [2 * MINUTE, '2 minutes'],
  [36 * HOUR, '36 hours'],
  [53 * DAY, '53 days'],
  [800 * DAY, '2 years'],
];
for (const [ms, expected] of spans) {
  test(`${ms} ms are ${expected}, before and after`, () => {
    assert.equal(span(ms), expected);
    if (ms < 1_500) return assert.equal(relative(ahead(ms), NOW), 'now');
    return assert.deepEqual([relative(ahead(ms), NOW), relative(ago(ms), NOW)], [`in ${expected}`, `${expected} ago`]);
  });
}

test('times and links in a sentence are for people', () => {
  const text = 'next try 2026-11-22T14:00:00.000Z; open https://ca.example/unpause?jwt=x, then wait';
  assert.equal(
    `${sentence(text, NOW)}`,
    'next try <time datetime="2026-11-22T14:00:00.000Z">2026-11-22 14:00 UTC</time> <span class="ago">(in 2 hours)</span>; ' +
      'open <a href="https://ca.example/unpause?jwt=x" rel="noreferrer noopener">https://ca.example/unpause?jwt=x</a>, then wait',
  );
  assert.match(`${sentence('at 2026-99-99T99:99:99Z', NOW)}`, /an unknown time/);
});

const bars: readonly { what: string; life: Parameters<typeof lifetime>[0]; says: RegExp }[] = [
  {
    what: 'half over',
    life: { notBefore: ago(DAY), notAfter: ahead(DAY), renewAt: ahead(HOUR) },
    says: /width="50%".*50 % of its life/s,
  },
  {
    what: 'ended',
    life: { notBefore: ago(DAY), notAfter: ago(HOUR), renewAt: ago(2 * HOUR) },
    says: /now late.*ended 60 minutes ago/s,
  },
  {
    what: 'not begun',
    life: { notBefore: ahead(DAY), notAfter: ahead(2 * DAY), renewAt: undefined },
    says: /class="over" y="16" width="0%"/,
  },
  { what: 'of no length', life: { notBefore: NOW, notAfter: NOW, renewAt: NOW }, says: /width="100%"/ },
];
for (const { what, life, says } of bars) {
  test(`the bar of a life that is ${what} stays within its width`, () => {
    const bar = `${lifetime(life, NOW)}`;
    assert.match(bar, says);
    for (const [, share] of bar.matchAll(/"(-?[\d.]+|NaN)%"/g))
      assert.ok(Number(share) >= 0 && Number(share) <= 100, bar);
  });
}
