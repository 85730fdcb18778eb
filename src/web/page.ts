/**
 * The status page: one document, made on the server from the status, that works without a script and loads nothing.
 *
 * With its few lines of script (page-script.ts) it keeps itself fresh. The Content-Security-Policy lets in this very style
 * and this very script, by their hashes, and nothing else.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Status } from '../status.ts';
import { STATES, type Tone } from '../words.ts';
import { type Html, html, type Part } from './html.ts';
import { actionForms } from './page-actions.ts';
import { SCRIPT } from './page-script.ts';
import * as sections from './page-sections.ts';
import { STYLE } from './page-style.ts';
import { time } from './page-words.ts';

export interface PageOptions {
  readonly now: Date;
  /** Whether ADMIN_TOKEN is set: without it there is nothing to press. */
  readonly mayAct: boolean;
}

export function pageOf(status: Status, { now, mayAct }: PageOptions): string {
  const { plan } = status;
  const main = html`${sections.standing(status, now)}
${sections.notes(status, now)}
${plan && [sections.certificate(plan, now), sections.nextSteps(plan, now), sections.names(plan, now)]}
${plan && [sections.loadBalancers(plan, now), sections.budgets(plan, now)]}
${sections.deployments(status, now)}
${sections.timeline(status, now)}
${mayAct && actionForms(status)}`;
  return documentOf({
    title: titleOf(status),
    tone: toneOf(status),
    header: headerOf(status),
    main,
    footer: footerOf(status, now),
  });
}

/** At `/`. All links are relative: the page may be reached under a longer path, as through DC/OS' Admin Router. */
export function addPageRoute(server: FastifyInstance, status: () => Status, mayAct: boolean): void {
  server.get('/', (_request, reply) => reply.headers(PAGE_HEADERS).send(pageOf(status(), { now: new Date(), mayAct })));
}

/** An answer to somebody who pressed a button: one sentence, and the way back. */
export function answerPage(tone: Tone, title: string, text: string): string {
  const main = html`<section class="card hero ${tone}" aria-label="Answer"><p class="title">${title}</p>
<p>${text}</p>
<p><a href="../">Back to the status</a></p></section>`;
  return documentOf({ title, tone, header: html`letsencrypt-dcos`, main, footer: undefined });
}

function titleOf({ plan, appId }: Status): string {
  return `${plan === null ? 'starting' : plan.certificate.state} · ${appId}`;
}

function toneOf({ alive, plan }: Status): Tone {
  if (!alive) return 'bad';
  return plan === null ? 'busy' : STATES[plan.certificate.state].tone;
}

function headerOf({ appId, taskId, plan, directoryUrl }: Status): Html {
  const role = plan?.leader.isUs === false ? `watches; ${plan.leader.taskId ?? 'nobody yet'} leads` : undefined;
  const facts = [taskId, role, directoryUrl].filter((fact) => fact !== undefined);
  return html`letsencrypt-dcos <span class="app">${appId}</span><span class="sub">${facts.join(' · ')}</span>`;
}

function footerOf({ version, startedAt }: Status, now: Date): Html {
  return html`<p id="made" data-live>As of ${time(now, now)}. letsencrypt-dcos ${version}, started ${time(startedAt, now)}.</p>
<p><a href="api/status">Status as JSON</a> · <a href="metrics">Metrics</a> <span id="stale" hidden>· not up to date: the program does not answer</span></p>`;
}

interface Document {
  readonly title: string;
  readonly tone: Tone;
  readonly header: Html;
  readonly main: Html;
  readonly footer: Part;
}

function documentOf({ title, tone, header, main, footer }: Document): string {
  const head = html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="${iconOf(tone)}">`;
  const body = html`<a class="skip" href="#main">Skip to the status</a>
<header><h1>${header}</h1></header>
<main id="main">
${main}
</main>
<footer>${footer}</footer>`;
  // Style and script are constants of ours; whatever comes from outside went through the template.
  return `<!doctype html>\n<html lang="en">\n<head>\n${head}\n<style>${STYLE}</style>\n</head>\n<body>\n${body}\n<script>${SCRIPT}</script>\n</body>\n</html>\n`;
}

const COLOURS: Readonly<Record<Tone, string>> = {
  good: '#1a7f4b',
  busy: '#2563c9',
  warn: '#b26a00',
  bad: '#c62f2f',
  plain: '#667085',
};

/** A padlock in the colour of the state, so that it can be told among many tabs. */
function iconOf(tone: Tone): string {
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='${COLOURS[tone]}'><path d='M3 7h10v8H3z'/><path d='M5 7V5a3 3 0 0 1 6 0v2' fill='none' stroke='${COLOURS[tone]}' stroke-width='2'/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Of every page: nothing from elsewhere, no frame around it, and it is not kept. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': [
    "default-src 'none'",
    `style-src ${hashOf(STYLE)}`,
    `script-src ${hashOf(SCRIPT)}`,
    "connect-src 'self'",
    'img-src data:',
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
