/**
 * One account at one CA, for the time of one order: each step of RFC 8555 as one call that either gives what we know
 * how to read, or throws an AcmeError that says which step it was.
 *
 * The CA's answers are `unknown` until a small function here has read them.
 */

import type { Client, Authorization as ClientAuthorization, Order as ClientOrder } from 'acme-client';
import type { CertificateSpec } from '../certificates/spec.ts';
import { certificateRequest } from './csr.ts';
import { blamed, readProblem, type Subproblem } from './problem.ts';
import type { Wire } from './transport.ts';

export interface AcmeOrder {
  readonly url: string;
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  readonly names: readonly string[];
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate: string | undefined;
  /** Why it is invalid, where the CA tells it here. */
  readonly problems: readonly Subproblem[];
  /** When the CA wants to be asked again. */
  readonly retryAfter: Date | undefined;
}

export interface AcmeAuthorization {
  readonly url: string;
  readonly domain: string;
  readonly status: string;
  /** Its http-01 challenge; other types, known or not, are none of our business. */
  readonly challenge: Challenge | undefined;
  readonly problem: Subproblem | undefined;
}

export interface Challenge {
  readonly url: string;
  readonly status: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

export class Session {
  readonly #client: Client;
  readonly #wire: Wire;

  constructor(client: Client, wire: Wire) {
    this.#client = client;
    this.#wire = wire;
  }

  /** The account's URL. A key that the CA knows already gives the account it knows (RFC 8555 §7.3.1). */
  register(email: string | undefined): Promise<string> {
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    return this.#call('newAccount', async () => {
      // With a known key the library goes on to an update nobody asked for; Pebble refuses an empty one.
      await this.#client.createAccount({ termsOfServiceAgreed: true, ...contact }).catch((error: unknown) => {
        if (!this.#isRegistered()) throw error;
      });
      return this.#client.getAccountUrl();
    });
  }

  newOrder(names: readonly string[]): Promise<AcmeOrder> {
    const identifiers = names.map((value) => ({ type: 'dns', value }));
    return this.#call('newOrder', async () => this.#readOrder(await this.#client.createOrder({ identifiers })));
  }

  order(url: string): Promise<AcmeOrder> {
    return this.#call('order', async () => this.#readOrder(await this.#client.getOrder({ url } as ClientOrder)));
  }

  authorization(url: string): Promise<AcmeAuthorization> {
    return this.#call('authorization', async () => {
      // The library's way to read one: an order with only that one.
      const [read] = await this.#client.getAuthorizations({ authorizations: [url] } as ClientOrder);
      return this.#readAuthorization(read);
    });
  }

  trigger({ url }: Challenge): Promise<unknown> {
    return this.#call('challenge', () => this.#client.completeChallenge({ url, type: 'http-01' } as never));
  }

  csr(spec: CertificateSpec, keyPem: string): Promise<Buffer> {
    return this.#call('certificate request', async () => certificateRequest(spec, keyPem));
  }

  finalize({ url, finalize }: AcmeOrder, csr: Buffer): Promise<AcmeOrder> {
    // Past the library's own way, which wants PEM and reads it with half a megabyte of ASN.1.
    const payload = { csr: csr.toString('base64url') };
    return this.#call('finalize', async () => {
      const order = (await this.#wire.post(finalize, payload, this.#client.getAccountUrl())) as ClientOrder;
      order.url = url; // into the object that came, for its Retry-After is known by that
      return this.#readOrder(order);
    });
  }

  /** The CA's default chain, whole: what may be left out of it is not ours to know. */
  certificate({ status, certificate }: AcmeOrder): Promise<string> {
    return this.#call('certificate', async () => {
      const chain: unknown = await this.#client.getCertificate({ status, certificate } as ClientOrder);
      if (typeof chain !== 'string' || !chain.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it is no PEM');
      return chain;
    });
  }

  close(): void {
    this.#wire.close();
  }

  #isRegistered(): boolean {
    try {
      return this.#client.getAccountUrl() !== '';
    } catch {
      return false;
    }
  }

  async #call<T>(what: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw this.#wire.explain(error, what);
    }
  }

  #readOrder(order: ClientOrder): AcmeOrder {
    const { url, status, identifiers, authorizations, finalize, certificate, error } = order;
    if (![url, status, finalize].every((field) => typeof field === 'string')) throw new Error('it is no ACME order');
    return {
      ...{ url, status, finalize, authorizations: [...authorizations], certificate },
      names: identifiers.map(({ value }) => value.toLowerCase()),
      problems: problemsOf(error),
      retryAfter: this.#wire.retryAfter(order),
    };
  }

  async #readAuthorization(read: ClientAuthorization | undefined): Promise<AcmeAuthorization> {
    if (typeof read?.status !== 'string' || !Array.isArray(read.challenges)) {
      throw new Error('it is no ACME authorization');
    }
    const { url, status, identifier, challenges } = read;
    const domain = identifier.value.toLowerCase();
    const http = challenges.find(({ type }) => type === 'http-01');
    const told = readProblem(http?.error) ?? challenges.map(({ error }) => readProblem(error)).find(Boolean);
    return {
      ...{ url, status, domain },
      challenge: http && {
        ...{ url: http.url, status: http.status, token: http.token },
        keyAuthorization: await this.#client.getChallengeKeyAuthorization(http),
      },
      problem: told && { type: told.type, detail: told.detail, domain },
    };
  }
}

function problemsOf(error: unknown): readonly Subproblem[] {
  const told = readProblem(error);
  if (told === undefined) return [];
  const names = blamed(told);
  return names.length > 0 ? names : [{ type: told.type, detail: told.detail, domain: undefined }];
}
