/**
 * One alert to WEBHOOK_URL, as JSON of ours or as Slack reads it. The URL is a secret: whoever has it may post.
 *
 * One POST, no retry, no redirect, a time-out, and no interest in the answer but its status. A failure is a sentence that
 * names the host at most.
 */
import http from 'node:http';
import https from 'node:https';
import { mask } from '../mask.ts';
import { responseTo } from '../response.ts';
import type { Alert } from './sentences.ts';

export type WebhookFormat = 'json' | 'slack';

export interface WebhookOptions {
  readonly url: string;
  readonly format: WebhookFormat;
  readonly timeoutMs: number;
  readonly proxyEnv: Readonly<Record<string, string>>;
  /** Who says so. */
  readonly app: string;
  readonly task: string | undefined;
}

export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  /** How long it asks us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Resolves when it was taken (2xx); else throws a WebhookError. */
export async function post(alert: Alert, options: WebhookOptions, signal: AbortSignal): Promise<void> {
  const { url, timeoutMs } = options;
  const who = `WEBHOOK_URL at ${new URL(url).host}`;
  const response = await answer(JSON.stringify(bodyOf(alert, options)), options, signal).catch((error: Error) => {
    signal.throwIfAborted();
    throw new WebhookError(`${who}: ${reasonOf(error, timeoutMs)}`);
  });
  const { statusCode: status = 0, headers } = response;
  response.destroy();
  if (status < 200 || status >= 300) throw new WebhookError(`${who}: ${refusalOf(status)}`, waitIn(headers));
}

async function answer(body: string, options: WebhookOptions, signal: AbortSignal): Promise<http.IncomingMessage> {
  const { url, timeoutMs, proxyEnv } = options;
  const client = url.startsWith('https:') ? https : http;
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const request = client.request(url, {
    method: 'POST',
    agent: new client.Agent({ proxyEnv, timeout: timeoutMs }), // of the way through a proxy, which no signal ends
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'letsencrypt-dcos',
    },
    signal: inTime,
  });
  return responseTo(request.end(body), inTime);
}

function reasonOf({ name, code, message }: NodeJS.ErrnoException, timeoutMs: number): string {
  if (name === 'AbortError') return `no answer within ${timeoutMs / 1000} s${AGAIN}`;
  // Node's own advice stands behind a semicolon.
  const told = message.split(/[\n;]/, 1)[0] || 'no connection';
  const reason = code === undefined || told.includes(code) ? told : `${code}: ${told}`;
  return UNTRUSTED.test(code ?? '')
    ? `${reason}; a private root has to stand in a PEM file that NODE_EXTRA_CA_CERTS names`
    : reason + AGAIN;
}

const AGAIN =
  '; it is tried again by itself: if that lasts, check the address, and HTTPS_PROXY if the way out leads through a proxy';

/** OpenSSL's words for a chain that ends nowhere (its manual of `openssl verify`). */
const UNTRUSTED = /SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)/;

function refusalOf(status: number): string {
  if (status >= 300 && status < 400)
    return `HTTP ${status}, a redirect, which is not followed: set the address that it leads to`;
  if ([401, 403, 404, 410].includes(status))
    return `HTTP ${status}: the webhook is gone, or its URL is mistaken; set a new one`;
  return `HTTP ${status}: it is tried again by itself; if that lasts, see what the receiver has against it`;
}

/** In seconds or as a date (RFC 9110 §10.2.3). */
function waitIn(headers: http.IncomingHttpHeaders): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : ms;
}

export function bodyOf(alert: Alert, { format, app, task }: Pick<WebhookOptions, 'format' | 'app' | 'task'>): object {
  const text = mask(alert.text);
  const cure = alert.cure === undefined ? undefined : mask(alert.cure);
  if (format === 'slack') return { text: slackText({ ...alert, text, cure }, app) };
  const { kind, status, severity, names, since, at } = alert;
  return { version: 1, app, task, alert: kind, status, severity, names, text, cure, since, at };
}

const MARK = { critical: ':rotating_light:', warning: ':warning:', info: ':white_check_mark:' } as const;

function slackText({ status, severity, kind, text, cure }: Alert, app: string): string {
  const todo = cure === undefined ? [] : [`*What to do:* ${escaped(cure)}`];
  return [`${MARK[severity]} *letsencrypt-dcos ${escaped(app)}: ${kind}, ${status}*`, escaped(text), ...todo].join(
    '\n',
  );
}

/** Slack's three; without them a CA's words could call a whole channel. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
