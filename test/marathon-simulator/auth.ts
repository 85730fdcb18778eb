/**
 * Who may talk to this Marathon: anybody, basic auth, a fixed token, or DC/OS service accounts.
 *
 * The login endpoint verifies the RS256 JWT against the account's public key, as the DC/OS IAM does, and gives out
 * tokens that expire. Basic auth answers in Jetty's HTML, the others in Admin Router's.
 */
import { createPublicKey, randomUUID, timingSafeEqual, verify } from 'node:crypto';
import { ApiError, jetty } from './api-error.ts';
import type { Clock } from './clock.ts';
import { isObject, type Json } from './json.ts';

export type SimulatorAuth =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  | {
      readonly kind: 'dcos';
      readonly uid: string;
      readonly publicKeyPem: string;
      /** Life of a token when the login asks for no `exp`; default a day. */
      readonly lifetimeSeconds?: number;
    };

export const LOGIN_PATH = '/acs/api/v1/auth/login';

export class Gate {
  readonly #auth: SimulatorAuth;
  readonly #clock: Clock;
  /** Token → when it stops working, by Marathon's clock. */
  readonly #tokens = new Map<string, number>();
  /** How many logins succeeded. */
  logins = 0;

  constructor(auth: SimulatorAuth, clock: Clock) {
    this.#auth = auth;
    this.#clock = clock;
    if (auth.kind === 'token') this.#tokens.set(auth.token, Number.POSITIVE_INFINITY);
  }

  expireTokens(): void {
    this.#tokens.clear();
  }

  /** Throws 401 for a request that may not pass. */
  check(authorization: string | undefined, path: string): void {
    const auth = this.#auth;
    if (auth.kind === 'none') return;
    if (auth.kind === 'basic') {
      const wanted = `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}`;
      if (same(authorization ?? '', wanted)) return;
      throw jetty(401, 'Unauthorized', path, { 'WWW-Authenticate': 'basic realm="Mesosphere"' });
    }
    const token = /^(?:token=|Bearer )(.+)$/.exec(authorization ?? '')?.[1] ?? '';
    if ((this.#tokens.get(token) ?? 0) <= this.#clock.now()) throw unauthorized();
  }

  login(body: unknown): { token: string } {
    if (this.#auth.kind !== 'dcos') throw new ApiError(404, { message: 'URI not found' });
    const { uid, token, exp } = isObject(body) ? body : {};
    if (uid !== this.#auth.uid || !this.#isGenuine(token)) throw invalidCredentials();
    const lifetimeMs = (this.#auth.lifetimeSeconds ?? 86_400) * 1000;
    const expires = typeof exp === 'number' ? exp * 1000 : this.#clock.now() + lifetimeMs;
    const given = randomUUID();
    this.#tokens.set(given, expires);
    this.logins += 1;
    return { token: given };
  }

  #isGenuine(jwt: unknown): boolean {
    if (this.#auth.kind !== 'dcos' || typeof jwt !== 'string') return false;
    const [head = '', payload = '', signature = ''] = jwt.split('.');
    const key = createPublicKey(this.#auth.publicKeyPem);
    const signed = verify('RSA-SHA256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'));
    const { alg } = decoded(head);
    const { uid, exp } = decoded(payload);
    return signed && alg === 'RS256' && uid === this.#auth.uid && Number(exp) * 1000 > this.#clock.now();
  }
}

function decoded(part: string): Json {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function unauthorized(): ApiError {
  const html =
    '<!DOCTYPE html>\n<html><head><title>Unauthorized</title></head><body><h1>Unauthorized</h1></body></html>\n';
  return new ApiError(401, html, { 'content-type': 'text/html; charset=UTF-8', 'WWW-Authenticate': 'oauthjwt' });
}

function invalidCredentials(): ApiError {
  return new ApiError(401, {
    title: 'Unauthorized',
    description: 'Invalid credentials',
    code: 'ERR_INVALID_CREDENTIALS',
  });
}
