/**
 * The sections of the status page, each a function of the status: what it shows stands in the plan, nothing is decided here.
 */
import type { InstanceServes, PlanFacts, Status } from '../status.ts';
import type { DeploymentSeen, TimelineEvent } from '../timeline.ts';
import { STATES, span, type Tone } from '../words.ts';
import { type Html, html, type Part } from './html.ts';
import { length, lifetime } from './page-lifetime.ts';
import { table } from './page-table.ts';
import { badge, sentence, time } from './page-words.ts';

const MOST_SHOWN = 10;

/** A part of the page with a heading, which the script may replace by a newer one. */
function section(id: string, title: string, content: Part): Html {
  return html`<section id="${id}" class="card" aria-labelledby="${id}-title" data-live>
<h2 id="${id}-title">${title}</h2>
${content}
</section>
`;
}

/** Where it stands, why, and what would help. */
export function standing({ alive, plan, startedAt }: Status, now: Date): Html {
  if (!alive) {
    const why =
      'It has looked at nothing for more than 15 minutes. Marathon restarts this task by its health check; without one, restart it by hand.';
    return hero('bad', { word: 'not alive', title: 'The program is stuck' }, html`<p>${why}</p>`);
  }
  if (plan === null) {
    const why = html`<p>Started ${time(startedAt, now)}. The first look at Marathon has not ended yet.</p>`;
    return hero('busy', { word: 'starting', title: 'Looking at everything for the first time' }, why);
  }
  const { state, why, cure } = plan.certificate;
  const { tone, title } = STATES[state];
  const more = html`<p>${sentence(why, now)}</p>
${cure && html`<p class="cure"><strong>What to do:</strong> ${sentence(cure, now)}</p>`}
${plan.paused && html`<p class="cure"><strong>Paused:</strong> PAUSE=true, so nothing is changed.</p>`}`;
  return hero(tone, { word: state, title }, more);
}

function hero(tone: Tone, { word, title }: { readonly word: string; readonly title: string }, more: Html): Html {
  return html`<section id="standing" class="card hero ${tone}" aria-label="Where it stands" data-live>
<div role="status">${badge(tone, word)}
<p class="title">${title}</p></div>
${more}
</section>
`;
}

export function nextSteps({ next, installWindow }: PlanFacts, now: Date): Html {
  const shown = next.slice(0, MOST_SHOWN);
  return section(
    'next',
    'What comes next',
    html`<ul class="steps">${shown.map(({ what, at }) => html`<li><span class="what">${what}</span> <span class="when">${at === undefined ? 'now' : time(at, now)}</span></li>`)}</ul>
${moreOf(next.length - shown.length)}
${installWindow && html`<p class="more">${windowAsText(installWindow)}</p>`}`,
  );
}

function windowAsText({ text, says, awaited }: NonNullable<PlanFacts['installWindow']>): string {
  const waits = awaited ? ' A new certificate waits for it; what is urgent does not wait.' : '';
  return `Install window (INSTALL_WINDOW=${text}): ${says}.${waits}`;
}

function moreOf(count: number): Part {
  return count > 0 && html`<p class="more">and ${count} more, in <a href="api/status">the JSON</a></p>`;
}

export function certificate({ certificate: { held, renewAt, slot, progress, domains } }: PlanFacts, now: Date): Html {
  const order =
    progress && html`<p>Order: ${progress.step}, ${progress.validated} of ${progress.total} names validated.</p>`;
  if (held === undefined) {
    return section('certificate', 'Certificate', html`<p>There is none yet.</p>${order}`);
  }
  const { issuer, fingerprint, domains: issued } = held;
  const wanted = domains.filter((name) => issued.includes(name)).length;
  return section(
    'certificate',
    'Certificate',
    html`${lifetime({ ...held, renewAt }, now)}
${order}
<dl class="facts">
<div><dt>Names</dt><dd>${wanted} of ${domains.length} that are wanted</dd></div>
<div><dt>Issued by</dt><dd>${issuer}</dd></div>
<div><dt>Lives</dt><dd>${length({ ...held, renewAt })}</dd></div>
<div><dt>Variable of marathon-lb</dt><dd>${slot ?? 'none yet'}</dd></div>
<div class="wide"><dt>SHA-256</dt><dd><code>${fingerprint}</code></dd></div>
</dl>`,
  );
}

type Standing = PlanFacts['certificate']['names'][number];

const OBSTACLES = { ca: 'the CA refuses it', preflight: 'fails its preflight', route: 'does not lead here' } as const;

export function names({ certificate: { names: all, refused } }: PlanFacts, now: Date): Html {
  const rows = all.map((one) => nameRow(one, now));
  const left = refused.map(({ name, reason }): readonly Part[] => [
    html`<span class="name">${name}</span>`,
    badge('plain', 'left out'),
    sentence(reason, now),
    '',
  ]);
  const columns = ['Name', 'State', 'Why, and what to do', 'Next try'];
  const content =
    rows.length + left.length === 0
      ? html`<p>No name is wanted. The names come from our app's <code>HAPROXY_0_VHOST</code> label, or from <code>DOMAINS</code>.</p>`
      : table('Each wanted name, and what keeps it from a certificate', columns, [...rows, ...left]);
  return section('names', `Names (${all.length})`, content);
}

function nameRow({ name, issued, obstacle, overruled }: Standing, now: Date): readonly Part[] {
  const heading = html`<span class="name">${name}</span>`;
  if (obstacle === undefined && overruled !== undefined) {
    return [heading, badge('warn', 'tried all the same'), reason(overruled, now), ''];
  }
  if (obstacle === undefined) {
    return [heading, issued ? badge('good', 'on the certificate') : badge('busy', 'to be ordered'), '', ''];
  }
  const { from, until } = obstacle;
  const word = OBSTACLES[from];
  const state = issued ? html`${badge('warn', 'on the certificate')} but ${word}` : badge('bad', word);
  return [heading, state, reason(obstacle, now), time(until, now)];
}

function reason({ why, cure }: { readonly why: string; readonly cure?: string | undefined }, now: Date): Html {
  const help = cure && html`<p class="cure"><strong>What to do:</strong> ${sentence(cure, now)}</p>`;
  return html`<p>${sentence(why, now)}</p>${help}`;
}

/** What was seen on the wire, instance by instance. */
export function loadBalancers({ served }: PlanFacts, now: Date): Html {
  const title = 'Load balancers';
  if (served === null) {
    return section('served', title, html`<p>What they serve has not been looked at since this task started.</p>`);
  }
  const columns = ['Instance', 'Serves', 'In detail'];
  const rows = served.instances.map((one) => [instanceName(one), serves(one), details(one, now)]);
  const content =
    rows.length === 0
      ? html`<p>No instance was running, at ${time(served.at, now)}.</p>`
      : html`${table('What each instance of the load balancer serves', columns, rows)}
<p class="more">Looked at ${time(served.at, now)}, by a TLS handshake for each name; expected <code>${short(served.expected)}</code>.</p>`;
  return section('served', title, content);
}

function instanceName({ endpoint, taskId }: InstanceServes): Html {
  return html`<span class="name">${endpoint}</span> <span class="task">${taskId ?? 'public address (SERVED_CHECK)'}</span>`;
}

function serves({ asked, right, wrong }: InstanceServes): Html {
  if (wrong.length === 0) return badge('good', `ours, for ${names_(asked)}`);
  const isAway = wrong.every(({ verdict }) => verdict.kind === 'unreachable');
  const word = isAway ? 'cannot be asked' : 'another certificate';
  return badge(isAway ? 'warn' : 'bad', `${word}, for ${wrong.length} of ${names_(right + wrong.length)}`);
}

function names_(count: number): string {
  return `${count} name${count === 1 ? '' : 's'}`;
}

/** What else is served, or why nobody can tell: once, with the names that it is so for. */
function details({ wrong }: InstanceServes, now: Date): Part {
  const alike = Map.groupBy(wrong, ({ verdict }) => (verdict.kind === 'other' ? verdict.fingerprint : verdict.kind));
  const items = [...alike.values()].slice(0, MOST_SHOWN).flatMap(([first, ...rest]) => {
    if (first === undefined) return [];
    const more = rest.length > 0 ? ` and ${names_(rest.length)} more` : '';
    return [html`<li>${first.domain}${more}: ${verdictOf(first, now)}</li>`];
  });
  return items.length > 0 && html`<ul>${items}</ul>${moreOf(alike.size - items.length)}`;
}

function verdictOf({ verdict }: InstanceServes['wrong'][number], now: Date): Part {
  if (verdict.kind === 'unreachable') return sentence(verdict.note, now);
  if (verdict.kind === 'served') return 'ours';
  const { fingerprint, domains, notAfter } = verdict;
  const of = domains.slice(0, 3).join(', ') || 'no name';
  return html`<code>${short(fingerprint)}</code> for ${of}, until ${time(notAfter, now)}`;
}

/** As much of a fingerprint as tells two apart. */
function short(fingerprint: string): string {
  return /^[0-9A-F:]{24,}$/.test(fingerprint) ? `${fingerprint.slice(0, 23)}…` : fingerprint;
}

/** Nothing for a private CA, which has no limits that we know. */
export function budgets({ budgets: all }: PlanFacts, now: Date): Part {
  if (all.length === 0) return undefined;
  const rows = all.map(({ what, used, allowed, limit, nextFreeAt }) => [
    html`<span class="name">${what}</span>`,
    html`<span class="meter">${meter(used, allowed, limit)} ${used} of ${allowed}</span>`,
    limit,
    nextFreeAt === undefined ? 'now' : time(nextFreeAt, now),
  ]);
  const columns = ['What is counted', 'Used of what we allow ourselves', 'The CA allows', 'Next one free'];
  return section('budgets', "The CA's limits", table("How much of the CA's limits is used up", columns, rows));
}

/** The whole width is what the CA allows, the mark what we allow ourselves. */
function meter(used: number, allowed: number, limit: number): Html {
  const share = (count: number): string => `${Math.min(100, Math.round((count / limit) * 1_000) / 10)}%`;
  const isFull = used >= allowed;
  return html`<svg class="gauge" height="10" aria-hidden="true"><rect class="rest" width="100%" height="10"/><rect class="${isFull ? 'used full' : 'used'}" width="${share(used)}" height="10"/><rect class="edge" x="${share(allowed)}" width="2" height="10"/></svg>`;
}

const WHOSE: Readonly<Record<DeploymentSeen['by'], string>> = {
  us: 'by us: a new certificate',
  others: 'by somebody else',
  unknown: 'from before this task started',
};

export function deployments({ deployments: all, loadBalancerId }: Status, now: Date): Html {
  const rows = [...all]
    .reverse()
    .map(({ id, by, seenAt, endedAt }) => [
      html`<code>${id}</code>`,
      endedAt === undefined ? badge('busy', 'running') : badge('plain', 'ended'),
      WHOSE[by],
      time(seenAt, now),
      endedAt === undefined ? '' : html`${time(endedAt, now)} after ${span(endedAt.getTime() - seenAt.getTime())}`,
    ]);
  const content =
    rows.length === 0
      ? html`<p>None of ${loadBalancerId} has been seen since this task started.</p>`
      : table(`The last deployments of ${loadBalancerId}`, ['Deployment', 'State', 'Begun', 'Seen', 'Ended'], rows);
  return section('deployments', 'Deployments', content);
}

export function notes({ warnings, plan }: Status, now: Date): Part {
  const all = [...warnings, ...(plan?.notes ?? [])];
  if (all.length === 0) return undefined;
  const items = all.map((note) => html`<li>${sentence(note, now)}</li>`);
  return section('notes', 'Take note', html`<ul class="notes">${items}</ul>`);
}

/** Newest first. */
export function timeline({ events }: Status, now: Date): Html {
  const items = [...events].reverse().map((event) => eventItem(event, now));
  return section('timeline', 'Timeline', html`<ol class="timeline" reversed>${items}</ol>`);
}

function eventItem({ at, kind, state, text, cure }: TimelineEvent, now: Date): Html {
  const tone: Tone = state !== undefined ? STATES[state].tone : kind === 'note' ? 'warn' : 'plain';
  return html`<li class="${tone}"><p class="when">${time(at, now)}</p>
<p>${badge(tone, state ?? kind)} ${sentence(text, now)}</p>
${cure && html`<p class="cure">${sentence(cure, now)}</p>`}</li>`;
}
