/**
 * The words of a decision: states, actions, and the pace of looking again.
 *
 * Pure. The rules in ordering.ts, installing.ts and watching.ts each return a Verdict or nothing; plan.ts puts them in order.
 */
import type { CertificateBundle } from '../certificates/bundle.ts';
import type { Replacement } from '../certificates/ledger.ts';
import type { CertificateSpec } from '../certificates/spec.ts';
import type { OrderInFlight } from '../store.ts';
import type { Finding } from './sentences.ts';

/** Where the certificate stands. */
export type State =
  /** No name is left that a certificate may be ordered for. */
  | 'no-names'
  /** Marathon does not tell what we must know. */
  | 'blind'
  /** Another task of our app leads; this one watches and answers challenges. */
  | 'following'
  /** Some name's challenge path does not lead to us yet: the CA is not asked. */
  | 'waiting-for-route'
  /** The state folder cannot be written, so nothing is ordered. */
  | 'not-writable'
  | 'ordering'
  /** The last order failed, or Marathon refused the last PUT; the next try has its time. */
  | 'backing-off'
  /** The certificate must not, or cannot, be put into marathon-lb. */
  | 'not-installable'
  /** Somebody else replaced ours twice within a day; it is not posted again that day. */
  | 'contested'
  | 'installing'
  /** Issued, and outside INSTALL_WINDOW: what was there before is served well, and stays until the window opens. */
  | 'waiting-for-window'
  /** Marathon is redeploying marathon-lb. */
  | 'deploying'
  /** …for longer than DEPLOYMENT_TIMEOUT. */
  | 'stuck'
  /** A load balancer serves another certificate although Marathon has finished. */
  | 'not-served'
  /** A load balancer cannot be asked what it serves. */
  | 'unproven'
  /** Live, but some wanted names are not on the certificate, and have to wait. */
  | 'degraded'
  /** Seen on the wire at every load balancer. */
  | 'live';

/** States that somebody should look into. */
export const ALARMING: ReadonlySet<State> = new Set([
  'blind',
  'not-writable',
  'backing-off',
  'not-installable',
  'contested',
  'stuck',
  'not-served',
  'unproven',
  'degraded',
]);

export type Action =
  /** Keep a certificate found in marathon-lb's environment, or left by certbot, in the state folder as ours. */
  | { readonly kind: 'adopt'; readonly bundle: CertificateBundle }
  /** Order one, or go on with the order that an earlier process left at the CA. */
  | { readonly kind: 'issue'; readonly spec: CertificateSpec; readonly resume: OrderInFlight | undefined }
  /** One PUT for all slots that changed. */
  | {
      readonly kind: 'install';
      readonly bundle: CertificateBundle;
      readonly slots: readonly string[];
      /** A value of ours that somebody else had replaced, to be remembered. */
      readonly replacement: Replacement | undefined;
      /** Whether what is there now is served well, and is kept to be put back. */
      readonly keep: boolean;
    }
  /** The load balancers do not start with the certificate of that fingerprint: what was there before, by force, once. */
  | { readonly kind: 'restore'; readonly fingerprint: string; readonly slots: readonly string[] }
  /** The load balancers are up: what was there before is not needed any more. */
  | { readonly kind: 'forget' };

/** What must be looked at before more can be said. These looks cost time, so they are asked for. */
export type Look = 'routes' | 'preflight' | 'wire' | 'queue' | 'past' | 'neighbours';

/** One rule's answer. */
export interface Verdict extends Finding {
  readonly state: State;
  readonly actions?: readonly Action[];
  readonly looks?: readonly Look[];
  /** What marathon-lb serves until the install window opens, where ours waits for that. */
  readonly toBeServed?: CertificateBundle;
  /** When this answer may be another one, even if nobody wakes us. */
  readonly againAt: Date;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export function later(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}

export function earlier(one: Date, other: Date): Date {
  return one < other ? one : other;
}

/**
 * When to look again at something awaited since then: often at first, once a minute in the end. Then may be by Marathon's
 * clock, and ahead of ours: what is far from now, in either direction, has not just begun.
 */
export function pace(since: Date | undefined, at: Date): Date {
  const waited = since === undefined ? 0 : Math.abs(at.getTime() - since.getTime());
  return later(at, Math.min(Math.max(waited / 4, SECOND / 10), MINUTE));
}

/** Names for a sentence: three of them, and how many more. */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
