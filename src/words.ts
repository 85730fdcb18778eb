/**
 * Words that the status page and the command line share: what each state means at a glance, and times both as they are
 * and as "in 3 days".
 */
import type { State } from './plan/verdict.ts';

/** How a thing is marked, by colour, shape and word together. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'plain';

export interface Meaning {
  readonly tone: Tone;
  readonly title: string;
}

export const STATES: Readonly<Record<State, Meaning>> = {
  'no-names': { tone: 'warn', title: 'There is no name to have a certificate for' },
  blind: { tone: 'bad', title: 'Marathon does not tell what must be known' },
  following: { tone: 'plain', title: 'Another task leads; this one watches' },
  'waiting-for-route': { tone: 'warn', title: 'Waiting until the challenges lead here' },
  'not-writable': { tone: 'bad', title: 'The state folder cannot be written' },
  ordering: { tone: 'busy', title: 'A certificate is being ordered' },
  'backing-off': { tone: 'bad', title: 'It did not work; the next try has its time' },
  'not-installable': { tone: 'bad', title: 'The certificate cannot be put into the load balancer' },
  contested: { tone: 'bad', title: 'Somebody else keeps replacing our certificate' },
  installing: { tone: 'busy', title: 'The certificate is being put into the load balancer' },
  'waiting-for-window': { tone: 'good', title: 'Live; the new certificate waits for the install window' },
  deploying: { tone: 'busy', title: 'Marathon is redeploying the load balancer' },
  stuck: { tone: 'bad', title: 'The deployment of the load balancer does not end' },
  'not-served': { tone: 'bad', title: 'A load balancer serves another certificate' },
  unproven: { tone: 'warn', title: 'Not proven yet: what every load balancer serves' },
  degraded: { tone: 'warn', title: 'Live, but without some of the names' },
  live: { tone: 'good', title: 'Live: every load balancer serves the certificate' },
};

const UNITS: readonly (readonly [string, number])[] = [
  ['year', 365 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
];

/** "3 days", in the largest unit of which there are two at least. */
export function span(ms: number): string {
  const whole = Math.abs(ms);
  const [unit, size] = UNITS.find(([, length]) => whole >= 2 * length) ?? ['second', 1_000];
  const count = Math.round(whole / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** "in 3 days", "2 hours ago", "now". */
export function relative(at: Date, now: Date): string {
  const ms = at.getTime() - now.getTime();
  if (Number.isNaN(ms)) return 'at an unknown time';
  if (Math.abs(ms) < 1_500) return 'now';
  return ms > 0 ? `in ${span(ms)}` : `${span(ms)} ago`;
}

/** "2026-11-22 18:26 UTC", to the second for what is near: that is when seconds count. */
export function absolute(at: Date, now: Date): string {
  const isNear = Math.abs(at.getTime() - now.getTime()) < 3_600_000;
  return `${at
    .toISOString()
    .replace('T', ' ')
    .slice(0, isNear ? 19 : 16)} UTC`;
}

/** Instants as our sentences write them. */
export const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/;
