/**
 * Who we are to Marathon: nobody, a user, a static token, or a DC/OS service account that logs in.
 *
 * Keys and tokens are in #private fields and in headers only; no sentence in here ever holds one.
 */
import { createPrivateKey, sign } from 'node:crypto';
import { type Json, number, record, text } from './json.ts';

export type MarathonAuth =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'service-account'; readonly credential: ServiceAccount };

/** A DC/OS service account as `DCOS_SERVICE_ACCOUNT_CREDENTIAL` holds it. */
export interface ServiceAccount {
  readonly uid: string;
  readonly loginEndpoint: string;
  readonly privateKey: string;
  readonly scheme: string;
}

const AS_MADE = 'hand over the whole secret, as `dcos security secrets create-sa-secret` makes it';

/** DC/OS hands the credential over as JSON, now and then wrapped in one more JSON string. */
export function parseServiceAccount(credential: string): ServiceAccount {
  const fields = credentialFields(credential);
  const uid = text(fields.uid);
  const loginEndpoint = text(fields.login_endpoint);
  const privateKey = text(fields.private_key)?.replaceAll('\\n', '\n');
  const scheme = text(fields.scheme) ?? 'RS256';
  if (!uid) throw new Error(`has no uid; ${AS_MADE}`);
  if (!loginEndpoint || !/^https?:$/.test(URL.parse(loginEndpoint)?.protocol ?? '')) {
    throw new Error(`has no login_endpoint that is an http(s) URL; ${AS_MADE}`);
  }
  if (scheme !== 'RS256')
    throw new Error(`has the scheme '${scheme.slice(0, 20)}'; only RS256 is known; make the service account anew`);
  if (!privateKey || !isRsaKey(privateKey))
    throw new Error(`has no private_key that is an RSA key in PEM form; ${AS_MADE}`);
  return { uid, loginEndpoint, privateKey, scheme };
}

function credentialFields(credential: string): Json {
  let value: unknown = credential;
  try {
    for (let layer = 0; layer < 2 && typeof value === 'string'; layer++) value = JSON.parse(value) as unknown;
  } catch {
    // The parser's own message quotes the text, and so the key.
  }
  const fields = record(value);
  if (!fields) throw new Error(`is not a JSON object with uid, login_endpoint, private_key and scheme; ${AS_MADE}`);
  return fields;
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

const LOGIN_TOKEN_SECONDS = 60;

/** What the login wants instead of a password: a token of our own, valid for a minute, signed with the account's key. */
export function loginToken(account: ServiceAccount, now: Date): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { uid: account.uid, exp: Math.floor(now.getTime() / 1000) + LOGIN_TOKEN_SECONDS };
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), account.privateKey).toString('base64url')}`;
}

/** When a token ends by its own claim, if it is a JWT and has one. */
export function expiryOf(token: string): Date | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as unknown;
    const seconds = number(record(claims)?.exp);
    return seconds === undefined ? undefined : new Date(seconds * 1000);
  } catch {
    return undefined;
  }
}

export function basicHeader(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** DC/OS's own spelling; Admin Router and Marathon's plugin both take it. */
export function tokenHeader(token: string): string {
  return `token=${token.trim()}`;
}

/** Asked for in each login, as marathon-lb does; the cluster's default would be days. */
const SESSION_SECONDS = 3600;
const REFRESH_BEFORE_MS = 60_000;

/** The login itself, over the same TLS settings and time-outs as all else. Gives the token. */
export type LogIn = (endpoint: string, body: string) => Promise<string>;

/** A service account's session: logs in when first asked, again a minute before its token ends, and after a 401. */
export class Session {
  readonly #account: ServiceAccount;
  readonly #logIn: LogIn;
  #current: { readonly header: string; readonly endsAt: number } | undefined;
  #pending: Promise<string> | undefined;

  constructor(account: ServiceAccount, logIn: LogIn) {
    this.#account = account;
    this.#logIn = logIn;
  }

  /** Requests that come together share one login. */
  async header(): Promise<string> {
    if (this.#current && Date.now() < this.#current.endsAt - REFRESH_BEFORE_MS) return this.#current.header;
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** Marathon refused this header; a newer one, which another request has fetched by now, stays. */
  forget(header: string): void {
    if (this.#current?.header === header) this.#current = undefined;
  }

  async #renew(): Promise<string> {
    const now = new Date();
    const asked = Math.floor(now.getTime() / 1000) + SESSION_SECONDS;
    const { uid, loginEndpoint } = this.#account;
    const body = JSON.stringify({ uid, token: loginToken(this.#account, now), exp: asked });
    const token = await this.#logIn(loginEndpoint, body);
    const endsAt = expiryOf(token)?.getTime() ?? asked * 1000;
    this.#current = { header: tokenHeader(token), endsAt };
    return this.#current.header;
  }
}
