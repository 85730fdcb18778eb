/**
 * A model of Let's Encrypt, at the level of its answers: accounts, orders, authorizations, certificates, and its limits.
 *
 * It stands where the production order code expects a session, so that everything above the wire is the real thing.
 * Refusals are problem documents that the production reader turns into errors. It keeps the limits itself, in true time;
 * an order that one of them refuses, and that is not refused on purpose, fails the run.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { AcmeError, refusal } from '../../src/acme/problem.ts';
import type { AcmeAuthorization, AcmeOrder, Session } from '../../src/acme/session.ts';
import type { Authority } from '../../src/acme/transport.ts';
import type { Account } from '../../src/store.ts';
import { chain } from './certificates.ts';
import type { Clock } from './clock.ts';
import { Buckets, type Limit, registeredDomain } from './limits.ts';
import type { Names } from './names.ts';
import type { Random } from './random.ts';
import type { Lifeline } from './task.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';
const HOST = 'acme-v02.api.letsencrypt.org';
const ORDER_LIVES = 7 * DAY;
/** An order of a set that was issued within this time is a renewal. */
const RENEWAL_WITHIN = 120 * DAY;

export type Outage = 'refused' | 'server-error' | 'html' | 'slow';
export type Blunder = 'wrong-names' | 'expired' | 'wrong-order' | 'broken-chain';

interface Authz {
  readonly url: string;
  readonly name: string;
  readonly account: string;
  readonly token: string;
  status: 'pending' | 'valid' | 'invalid';
  challenge: 'pending' | 'processing' | 'valid' | 'invalid';
  expires: number;
  problem: { type: string; detail: string } | undefined;
}

interface Order {
  readonly url: string;
  readonly account: string;
  readonly names: readonly string[];
  readonly authzs: readonly Authz[];
  readonly expires: number;
  state: 'open' | 'processing' | 'valid' | 'invalid';
  problem: { type: string; detail: string } | undefined;
  chainPem: string | undefined;
}

export interface Issued {
  readonly names: readonly string[];
  readonly at: number;
  readonly notAfter: number;
  readonly lifeMs: number;
}

export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly names: Names;
  /** What the challenge path answers to the CA for this name, by whatever way leads there now. */
  readonly answerAt: (name: string, token: string) => string | undefined;
  /** Nobody was started since, nothing lost, and the clock is right: what was said then is known. */
  readonly isUndisturbedSince: (time: number) => boolean;
  readonly onIssued: (issued: Issued) => void;
  readonly onViolation: (what: string) => void;
  readonly trace: (what: string) => void;
}

interface Asker {
  readonly signal: AbortSignal;
  readonly task: Lifeline;
  /** Its key, which stays the same when it has to be registered anew. */
  readonly account: string;
}

export class CertificateAuthority {
  readonly buckets = new Buckets();
  outage: Outage | undefined;
  /** A 429 of nobody's doing, until then. */
  limited: { readonly until: number; readonly by: 'header' | 'text' } | undefined;
  /** The share of replies that are lost on the way. */
  lossy = 0;
  /** What goes wrong with the next certificates. */
  blunders: Blunder[] = [];
  lifeMs = 90 * DAY;
  reuseMs = 30 * DAY;
  ordersMade = 0;
  issued: Issued[] = [];
  readonly #around: Surroundings;
  readonly #accounts = new Map<string, string>();
  #orders = new Map<string, Order>();
  #authzs = new Map<string, Authz>();
  readonly #lastIssue = new Map<string, number>();
  /** Registered domain → until when others have used its limit up. */
  readonly #others = new Map<string, number>();
  /** Account → what it was told last: since when, and until when to wait. */
  readonly #told = new Map<string, { since: number; until: number }>();
  #serial = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get accounts(): number {
    return this.#accounts.size;
  }

  /** Other accounts order for the same domain. */
  crowd(domain: string): void {
    const { clock } = this.#around;
    for (let spent = 0; spent < 60 && this.buckets.freeAt('domain', domain, clock.now) <= clock.now; spent += 1) {
      this.buckets.spend('domain', domain, clock.now);
    }
    this.#others.set(domain, clock.now + 8 * DAY);
  }

  forgetOrders(): void {
    this.#orders = new Map();
    this.#authzs = new Map();
  }

  forgetAccounts(): void {
    this.#accounts.clear();
    this.forgetOrders();
  }

  /** The CA as one task speaks to it. */
  authority(task: Lifeline): Authority {
    return {
      directoryUrl: DIRECTORY,
      email: undefined,
      connect: async (account, signal) => this.#session(account, signal, task),
    };
  }

  #session(account: Account, signal: AbortSignal, task: Lifeline): Session {
    let url = account.url;
    const ask = <T>(what: string, effect: () => T): Promise<T> =>
      this.#exchange(what, effect, { signal, task, account: account.keyPem });
    const mine = <T>(what: string, effect: (account: string) => T): Promise<T> =>
      ask(what, () => {
        if (url === undefined || this.#accounts.get(account.keyPem) !== url)
          throw refused(400, 'accountDoesNotExist', `Unable to validate JWS :: Account "${url}" not found`, what);
        return effect(url);
      });
    const session: Omit<Session, never> = {
      register: (_email: string | undefined) =>
        ask('newAccount', () => {
          url = this.#register(account.keyPem);
          return url;
        }),
      newOrder: (names: readonly string[]) => mine('newOrder', (by) => this.#newOrder(by, names)),
      order: (at: string) => mine('order', (by) => this.#show(this.#ownOrder(by, at))),
      authorization: (at: string) => mine('authorization', () => this.#authorization(at)),
      trigger: ({ url: at }: { url: string }) => mine('challenge', () => this.#trigger(at)),
      csr: async ({ domains }: { domains: readonly string[] }, keyPem: string) =>
        Buffer.from(JSON.stringify({ domains, keyPem })),
      finalize: (order: AcmeOrder, csr: Buffer) => mine('finalize', (by) => this.#finalize(by, order.url, csr)),
      certificate: (order: AcmeOrder) => mine('certificate', (by) => this.#certificate(by, order.url)),
      close: () => undefined,
    } as unknown as Session;
    return session as Session;
  }

  async #exchange<T>(what: string, effect: () => T, { signal, task, account }: Asker): Promise<T> {
    const { clock, random } = this.#around;
    const request = `${what} at ${HOST}`;
    await task.gate(`the CA's ${what}`);
    await clock.sleep(this.outage === 'slow' ? 30_000 : random.between(30, 300));
    signal.throwIfAborted();
    await task.gate(`the CA's ${what}, sent`);
    // The production transport asks once more where that can do no harm.
    const isRead = ['order', 'authorization', 'certificate'].includes(what);
    const lost = random.chance(this.lossy) && (!isRead || random.chance(this.lossy));
    if (this.outage !== undefined) throw outageError(this.outage, request);
    if (lost && random.chance(0.5)) throw transport('ECONNRESET', 'socket hang up', request);
    this.#limitedOnPurpose(request, account);
    const result = effect();
    if (lost) throw transport('ECONNRESET', 'socket hang up', request);
    await task.after(`the CA's ${what}`);
    return result;
  }

  /** Its word is data: whoever was told to wait, waits. */
  #limitedOnPurpose(request: string, account: string): void {
    const { limited } = this;
    const { clock, isUndisturbedSince, onViolation } = this.#around;
    if (!request.startsWith('newOrder')) return;
    const told = this.#told.get(account);
    if (told !== undefined && told.until > clock.now + SECOND && isUndisturbedSince(told.since))
      onViolation(`an order is asked for before the Retry-After of ${new Date(told.until).toISOString()}`);
    if (limited === undefined || limited.until <= clock.now) return;
    this.#told.set(account, { since: clock.now, until: limited.until });
    const at = `${new Date(limited.until).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    const detail = 'too many new orders (300) from this account in the last 3h0m0s';
    throw refused(429, 'rateLimited', limited.by === 'text' ? `${detail}, retry after ${at}` : detail, request, {
      // A delay in seconds is added to the clock that reads it.
      ...(limited.by === 'header' && { retryAfterMs: limited.until - clock.now }),
    });
  }

  #register(keyPem: string): string {
    const known = this.#accounts.get(keyPem);
    if (known !== undefined) return known;
    const { clock } = this.#around;
    this.#check('accounts', 'our address', 'too many new registrations (10) from this IP address', 'newAccount');
    this.buckets.spend('accounts', 'our address', clock.now);
    this.#serial += 1;
    const url = `https://${HOST}/acme/acct/${this.#serial}`;
    this.#accounts.set(keyPem, url);
    this.#around.trace(`CA: new account ${this.#serial}`);
    return url;
  }

  /** A limit that others have not used up, and that refuses us, is one that we have exceeded. */
  #check(limit: Limit, key: string, detail: string, request: string): void {
    const { clock, onViolation } = this.#around;
    const freeAt = this.buckets.freeAt(limit, key, clock.now);
    if (freeAt <= clock.now) return;
    const byOthers = limit === 'domain' && (this.#others.get(key) ?? 0) > clock.now;
    if (!byOthers) onViolation(`Let's Encrypt's limit "${limit}" exceeded for ${key}`);
    const at = `${new Date(freeAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    throw refused(
      429,
      'rateLimited',
      `${detail}, retry after ${at}: see https://letsencrypt.org/docs/rate-limits/`,
      request,
      {
        retryAfterMs: freeAt - clock.now,
      },
    );
  }

  #newOrder(account: string, names: readonly string[]): AcmeOrder {
    const { clock } = this.#around;
    const request = `newOrder at ${HOST}`;
    const set = setKey(names);
    this.#policy(names, request);
    const open = [...this.#orders.values()].find(
      (one) =>
        one.account === account &&
        setKey(one.names) === set &&
        this.#statusOf(one) !== 'invalid' &&
        one.state === 'open' &&
        one.expires > clock.now,
    );
    if (open !== undefined) return this.#show(open);
    const isRenewal = (this.#lastIssue.get(set) ?? Number.NEGATIVE_INFINITY) > clock.now - RENEWAL_WITHIN;
    if (!isRenewal) {
      this.#check('orders', account, 'too many new orders (300) from this account in the last 3h0m0s', request);
      this.buckets.spend('orders', account, clock.now);
      for (const domain of new Set(names.map(registeredDomain))) {
        this.#check(
          'domain',
          domain,
          `too many certificates (50) already issued for "${domain}" in the last 168h0m0s`,
          request,
        );
      }
    }
    for (const name of names) {
      const key = `${account} ${name}`;
      this.#check('failures', key, `too many failed authorizations (5) for "${name}" in the last 1h0m0s`, request);
      this.#check(
        'inARow',
        key,
        `Your account is temporarily prevented from requesting certificates for ${name}`,
        request,
      );
    }
    this.#check(
      'set',
      set,
      'too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s',
      request,
    );
    return this.#show(this.#makeOrder(account, names));
  }

  #makeOrder(account: string, names: readonly string[]): Order {
    const { clock, trace } = this.#around;
    this.#serial += 1;
    const url = `https://${HOST}/acme/order/${this.#serial}`;
    const authzs = names.map((name) => this.#authzFor(account, name));
    const expires = clock.now + ORDER_LIVES;
    const order: Order = {
      url,
      account,
      names,
      authzs,
      expires,
      state: 'open',
      problem: undefined,
      chainPem: undefined,
    };
    this.#orders.set(url, order);
    this.ordersMade += 1;
    trace(`CA: order ${this.#serial} for ${names.join(', ')}`);
    return order;
  }

  #authzFor(account: string, name: string): Authz {
    const { clock, random } = this.#around;
    const known = [...this.#authzs.values()].find(
      (one) =>
        one.account === account && one.name === name && one.status !== 'invalid' && one.expires > clock.now + HOUR,
    );
    if (known !== undefined) return known;
    this.#serial += 1;
    const made: Authz = {
      url: `https://${HOST}/acme/authz/${this.#serial}`,
      name,
      account,
      token: random.bytes(24).toString('base64url'),
      status: 'pending',
      challenge: 'pending',
      expires: clock.now + 7 * DAY,
      problem: undefined,
    };
    this.#authzs.set(made.url, made);
    return made;
  }

  /** With exactly one bad name Boulder sends no subproblem (policy/pa.go). */
  #policy(names: readonly string[], request: string): void {
    const bad = names.filter((name) => this.#around.names.isRefused(name));
    const [only, ...more] = bad;
    if (only === undefined) return;
    const told = (name: string): string =>
      `Cannot issue for "${name}": The ACME server refuses to issue a certificate for this domain name, because it is forbidden by policy`;
    if (more.length === 0)
      throw refused(400, 'rejectedIdentifier', `Error creating new order :: ${told(only)}`, request);
    const subproblems = bad.map((value) => ({
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: told(value),
      identifier: { type: 'dns', value },
    }));
    throw refused(
      400,
      'rejectedIdentifier',
      `Error creating new order :: ${told(only)} (and ${more.length} more problems)`,
      request,
      {
        subproblems,
      },
    );
  }

  #ownOrder(account: string, url: string): Order {
    const order = this.#orders.get(url);
    if (order === undefined || order.account !== account) throw refused(404, 'malformed', 'No order for ID', 'order');
    return order;
  }

  #statusOf(order: Order): AcmeOrder['status'] {
    if (order.state !== 'open') return order.state;
    if (order.authzs.some(({ status }) => status === 'invalid') || order.expires <= this.#around.clock.now)
      return 'invalid';
    return order.authzs.every(({ status }) => status === 'valid') ? 'ready' : 'pending';
  }

  #show(order: Order): AcmeOrder {
    const { url, names, authzs, problem, chainPem } = order;
    return {
      url,
      status: this.#statusOf(order),
      names,
      authorizations: authzs.map((one) => one.url),
      finalize: `${url}/finalize`,
      certificate: chainPem === undefined ? undefined : `${url}/certificate`,
      problems: problem === undefined ? [] : [{ ...problem, domain: undefined }],
      retryAfter: undefined,
    };
  }

  #authorization(url: string): AcmeAuthorization {
    const one = this.#authzs.get(url);
    if (one === undefined) throw refused(404, 'malformed', 'No such authorization', 'authorization');
    const { name: domain, status, token, challenge, problem } = one;
    return {
      url,
      domain,
      status,
      challenge: { url: `${url}/challenge`, status: challenge, token, keyAuthorization: `${token}.of-${one.account}` },
      problem: problem && { ...problem, domain },
    };
  }

  #trigger(url: string): void {
    const one = this.#authzs.get(url.replace(/\/challenge$/, ''));
    if (one === undefined) throw refused(404, 'malformed', 'No such challenge', 'challenge');
    if (one.challenge !== 'pending') return;
    one.challenge = 'processing';
    const { clock, random } = this.#around;
    clock.after(random.between(500, 6_000), () => this.#validated(one));
  }

  #validated(one: Authz): void {
    const { clock, names, answerAt, trace } = this.#around;
    const key = `${one.account} ${one.name}`;
    const answer = answerAt(one.name, one.token);
    const found =
      names.validation(one.name) ?? (answer === `${one.token}.of-${one.account}` ? undefined : unanswered(one.name));
    one.status = found === undefined ? 'valid' : 'invalid';
    one.challenge = one.status;
    one.problem = found;
    if (found === undefined) {
      one.expires = clock.now + this.reuseMs;
      this.buckets.reset('inARow', key);
      return;
    }
    trace(`CA: validation of ${one.name} failed: ${found.type}`);
    this.buckets.spend('failures', key, clock.now);
    this.buckets.spend('inARow', key, clock.now);
  }

  #finalize(account: string, url: string, csr: Buffer): AcmeOrder {
    const { clock, names, random } = this.#around;
    const order = this.#ownOrder(account, url);
    const request = `finalize at ${HOST}`;
    if (this.#statusOf(order) !== 'ready')
      throw refused(
        403,
        'orderNotReady',
        `Order's status ("${this.#statusOf(order)}") is not acceptable for finalization`,
        request,
      );
    const asked = JSON.parse(csr.toString()) as { domains: string[]; keyPem: string };
    const forbidden = order.names.filter((name) => names.has(name, 'caa') || names.has(name, 'caa-late'));
    if (forbidden.length > 0) {
      order.state = 'invalid';
      order.problem = { type: 'caa', detail: `CAA record for ${forbidden[0]} prevents issuance` };
      throw refused(
        403,
        'caa',
        `Error finalizing order :: Rechecking CAA for "${forbidden[0]}": CAA record for ${forbidden[0]} prevents issuance`,
        request,
      );
    }
    order.state = 'processing';
    const key = createPublicKey(asked.keyPem);
    clock.after(random.between(200, 4_000), () => this.#issue(order, key));
    return this.#show(order);
  }

  #issue(order: Order, key: KeyObject): void {
    const { clock, onIssued, trace } = this.#around;
    const set = setKey(order.names);
    this.buckets.spend('set', set, clock.now);
    if ((this.#lastIssue.get(set) ?? Number.NEGATIVE_INFINITY) <= clock.now - RENEWAL_WITHIN) {
      for (const domain of new Set(order.names.map(registeredDomain))) this.buckets.spend('domain', domain, clock.now);
    }
    this.#lastIssue.set(set, clock.now);
    this.#serial += 1;
    const notBefore = Math.floor((clock.now - HOUR) / 1000) * 1000; // LE dates back by an hour
    const facts = { domains: order.names, key, notBefore, notAfter: notBefore + this.lifeMs, serial: this.#serial };
    const blunder = this.blunders.shift();
    order.chainPem = blunder === undefined ? chain(facts, 'model') : blundered(blunder, facts);
    order.state = 'valid';
    trace(
      `CA: certificate ${this.#serial} for ${order.names.join(', ')}${blunder === undefined ? '' : ` (${blunder})`}`,
    );
    const issued = { names: order.names, at: clock.now, notAfter: facts.notAfter, lifeMs: this.lifeMs };
    this.issued.push(issued);
    onIssued(issued);
  }

  #certificate(account: string, url: string): string {
    const { chainPem } = this.#ownOrder(account, url);
    if (chainPem === undefined) throw refused(404, 'malformed', 'Certificate not found', 'certificate');
    return chainPem;
  }
}

function blundered(how: Blunder, facts: Parameters<typeof chain>[0]): string {
  if (how === 'wrong-names') return chain({ ...facts, domains: facts.domains.slice(1).concat('other.net') }, 'model');
  if (how === 'expired')
    return chain({ ...facts, notBefore: facts.notBefore - 99 * DAY, notAfter: facts.notBefore - DAY }, 'model');
  const [leaf = '', intermediate = ''] = chain(facts, 'model').split(/(?<=END CERTIFICATE-----\n)/);
  const [, other = ''] = chain(facts, 'bought').split(/(?<=END CERTIFICATE-----\n)/);
  if (how === 'broken-chain') return leaf + other;
  return intermediate + leaf; // the key is not the first one's
}

function unanswered(name: string) {
  return {
    type: 'unauthorized',
    detail: `198.51.100.7: Invalid response from http://${name}/.well-known/acme-challenge/x: 503`,
  };
}

export function setKey(names: readonly string[]): string {
  return [...names].sort().join(' ');
}

function outageError(outage: Outage, request: string): AcmeError {
  if (outage === 'refused') return transport('ECONNREFUSED', 'connect ECONNREFUSED 172.65.32.248:443', request);
  if (outage === 'slow') return transport('ETIMEDOUT', 'ETIMEDOUT: no answer within 30 s', request);
  if (outage === 'html') {
    const data = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>';
    return refusal({ status: 502, data, retryAfter: undefined }, request);
  }
  return refused(500, 'serverInternal', 'Error creating new order', request);
}

function transport(code: string, detail: string, request: string): AcmeError {
  return new AcmeError({ type: 'transport', detail, request, code });
}

interface More {
  readonly retryAfterMs?: number;
  readonly subproblems?: readonly object[];
}

/** By the production reader, from what a CA sends. */
function refused(status: number, type: string, detail: string, request: string, more: More = {}): AcmeError {
  const { retryAfterMs, subproblems } = more;
  const data = { type: `urn:ietf:params:acme:error:${type}`, detail, status, ...(subproblems && { subproblems }) };
  const retryAfter = retryAfterMs === undefined ? undefined : new Date(Date.now() + retryAfterMs);
  return refusal({ status, data, retryAfter }, request);
}
