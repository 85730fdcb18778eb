/**
 * docs/troubleshooting.md, made from the program itself: each sentence below is what the program says in that case.
 *
 * Times and fingerprints differ from run to run and are left out. `npm run docs` writes the page; a test holds it to this.
 */
import { CURES as SEEN_FROM_HERE } from '../../src/acme/preflight.ts';
import { CURES as ANSWERED } from '../../src/acme/preflight-probe.ts';
import { AcmeError } from '../../src/acme/problem.ts';
import { cureFor, ruling, type Trouble } from '../../src/acme/troubles.ts';
import type { Pace, Scope } from '../../src/certificates/ledger.ts';
import { plan } from '../../src/plan/plan.ts';
import { ALARMING, type State } from '../../src/plan/verdict.ts';
import { STATES } from '../../src/words.ts';
import { CHAPTERS, NAME } from './ca-examples.ts';
import { marathonSays } from './marathon-examples.ts';
import { EXAMPLES, worldOf } from './plan-examples.ts';
import { mistakes } from './setting-examples.ts';

export function troubleshooting(): string {
  return [head(), ...states(), ...ca(), ...fromHere(), ...marathon(), ...settings()].join('\n\n').concat('\n');
}

function head(): string {
  return `# Troubleshooting

<!-- Written by \`npm run docs\` from the catalogues in src/; change those, not this. -->

The status page, \`/api/status\`, the log and the alerts use the same sentences. Search this page for a few words of yours.
What to do when an alert has rung is in [operations](operations.md).

- [The states](#the-states): where it stands, and why
- [What the CA says](#what-the-ca-says): a name, a limit, the account, the way to the CA
- [What is seen before the CA is asked](#what-is-seen-before-the-ca-is-asked): DNS, ports, redirects, CAA
- [What Marathon says](#what-marathon-says): rights, addresses, locks
- [Mistakes in the settings](#mistakes-in-the-settings)`;
}

// States

function states(): readonly string[] {
  const all = Object.keys(STATES) as State[];
  return ['## The states', ...all.map(state)];
}

function state(name: State): string {
  const alarming = ALARMING.has(name) ? ' Somebody should look into it.' : '';
  const entries = EXAMPLES.filter((example) => example.state === name).map((example) => {
    const { seen, policy } = worldOf(example);
    const { why, cure } = plan(seen, policy).certificate;
    return entry(why, cure ?? example.otherwise);
  });
  return [`### ${name}`, `${STATES[name].title}.${alarming}`, entries.join('\n')].join('\n\n');
}

function entry(why: string, cure: string | undefined): string {
  const shown = timeless(why).replaceAll('<', '&lt;');
  return `- ${shown}${cure === undefined ? '' : `\\\n  **Do:** ${timeless(cure).replaceAll('<', '&lt;')}`}`;
}

// The CA

const PACES: Readonly<Record<Pace, string>> = {
  name: '10 minutes, 100 minutes, then daily',
  dns: '10 minutes, then daily',
  day: 'daily',
  week: 'weekly',
  order: '1, 10, 100 minutes, then daily',
  settings: 'daily',
  outage: 'a minute four times, then 5 minutes, doubled up to 6 hours',
};
const WAITING: Readonly<Record<Scope, string>> = {
  name: 'that name waits, the others go on',
  certificate: 'this set of names waits',
  account: 'every order waits',
  directory: 'every order waits',
};

function ca(): readonly string[] {
  const chapters = CHAPTERS.map(({ title, troubles }) =>
    [`### ${title}`, troubles.map(trouble).join('\n')].join('\n\n'),
  );
  const intro = `The CA's words are quoted as they came, so a web search finds them. Who waits, and when the same is tried again, stands in brackets.
It is tried sooner when a setting changes, when a name is seen to be mended (looked for every five minutes), or with *Retry now* on the
status page (\`ADMIN_TOKEN\`); never before a \`Retry-After\` of the CA is over, and never beyond our share of its limits.`;
  return ['## What the CA says', intro, ...chapters];
}

function trouble(told: Trouble): string {
  const { type, detail, code, domain } = told;
  const { scope, pace } = ruling(told) ?? { scope: 'certificate', pace: 'order' };
  const subproblems = scope === 'name' ? [{ type, detail, domain }] : [];
  const said = new AcmeError({ type, detail, code, subproblems }).message;
  const words = said.slice(0, said.indexOf(detail) + detail.length);
  const shown = code === undefined || words.includes(code) ? words : `${words} (${code})`;
  return entry(`\`${shown}\``, `${cureOf(told)} (${WAITING[scope]}: ${PACES[pace]})`);
}

/** Without the full stop that joins it to the CA's words. */
function cureOf(told: Trouble): string {
  return cureFor(told).replace(/^\.? /, '');
}

// From here

function fromHere(): readonly string[] {
  const intro = `With \`PREFLIGHT=auto\` each name is asked for from here as the CA would ask. A wrong answer delays the order; what cannot
be told from here (no connection, no DNS) delays nothing unless \`PREFLIGHT=strict\`. After a day, or half an hour when a third of
the life is left, the CA is asked all the same.`;
  return ['## What is seen before the CA is asked', intro, SIGHTS.map(([why, cure]) => entry(why, cure)).join('\n')];
}

const AT = `http://${NAME}/.well-known/acme-challenge/… at 192.0.2.1`;
const SIGHTS: readonly (readonly [string, string])[] = [
  [`${NAME}: does not exist in DNS (NXDOMAIN)`, SEEN_FROM_HERE.noName],
  [`${NAME}: its address cannot be looked up: DNS answers SERVFAIL`, SEEN_FROM_HERE.dns],
  [`${NAME}: leads to 10.0.0.7, which no CA can reach from outside`, SEEN_FROM_HERE.inside],
  [`${NAME}: the right answer comes over IPv4, but not over IPv6`, SEEN_FROM_HERE.v6],
  [`${NAME}: the right answer comes over IPv6, but not over IPv4`, SEEN_FROM_HERE.v4],
  [`${AT}: HTTP 200 with a page, not our answer`, ANSWERED.route],
  [`${AT} redirects to port 8443`, ANSWERED.redirect],
  [`${AT}: connection refused, or no connection in time`, ANSWERED.reach],
  [`${AT}: no whole answer within 20 s`, ANSWERED.slow],
  [`${AT}: the connection was closed`, ANSWERED.broken],
  [`${AT} redirects to a name whose address cannot be told`, ANSWERED.hop],
  [
    `${NAME}: CAA of example.com: issue "other-ca.example" does not name letsencrypt.org`,
    'Add the CAA record 0 issue "letsencrypt.org" at example.com, or correct the ones that are there.',
  ],
  [
    `${NAME}: CAA of example.com: issue "letsencrypt.org; accounturi=…" names another account than ours`,
    'Put accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/1 into the CAA record at example.com, or take accounturi out of it.',
  ],
  [`${NAME}: example.com has CAA records, and which name the CA has there cannot be read`, SEEN_FROM_HERE.directory],
];

// Marathon and settings

function marathon(): readonly string[] {
  const intro = 'Also when something else answers in its place: a proxy, Admin Router, the leader of another cluster.';
  const all = marathonSays.map(({ said, cure }) => entry(`Marathon: ${said}`, cure));
  return ['## What Marathon says', intro, all.join('\n')];
}

function settings(): readonly string[] {
  const intro = 'All mistakes are told at once, on standard error, and the process ends with exit code 2.';
  const rows = mistakes.map(({ set, said }) => `| \`${set}\` | ${said.map(cell).join('<br>')} |`);
  return ['## Mistakes in the settings', intro, ['| set | said |', '|---|---|', ...rows].join('\n')];
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*');

// Words

/** What differs from run to run is left out; short names become ones that look like names. */
function timeless(text: string): string {
  return text
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '(time)')
    .replace(/\b([0-9A-F]{2}:){3,}[0-9A-F]{2}\b…?/g, '(fingerprint)')
    .replace(/\ba\.net\b/g, NAME)
    .replace(/\bb\.net\b/g, 'shop.example.com')
    .replace(/\bc\.net\b/g, 'new.example.com');
}
