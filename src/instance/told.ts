/**
 * What a running instance told of itself, read from the JSON of its admin port: by another release, perhaps, or not by one
 * of ours at all. What is missing is left out, and what was sent is made fit for a terminal.
 */
import { instant, type Json, list, number, record, records, text } from '../marathon/json.ts';
import { printable } from '../printable.ts';

export interface Told {
  readonly version: string;
  readonly appId: string;
  readonly taskId: string | undefined;
  readonly directoryUrl: string;
  readonly startedAt: Date;
  readonly alive: boolean;
  readonly warnings: readonly string[];
  readonly events: readonly ToldEvent[];
  /** Null: it has not looked yet. */
  readonly plan: ToldPlan | null;
}

export interface ToldEvent {
  readonly at: Date;
  readonly kind: string;
  readonly state?: string | undefined;
  readonly text: string;
}

export interface ToldPlan {
  readonly at: Date;
  readonly paused: boolean;
  readonly installWindow?: { readonly text: string; readonly says: string } | null | undefined;
  readonly certificate: ToldCertificate;
  readonly notes: readonly string[];
  readonly budgets: readonly ToldBudget[];
  readonly next: readonly { readonly what: string; readonly at: Date | undefined }[];
  readonly served: ToldServed | null;
}

export interface ToldCertificate {
  readonly state: string;
  readonly why: string;
  readonly cure: string | undefined;
  readonly names: readonly ToldName[];
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  readonly slot: string | undefined;
  readonly renewAt: Date | undefined;
  readonly progress: { readonly step: string; readonly validated: number; readonly total: number } | undefined;
  readonly held?: ToldBundle | undefined;
}

export interface ToldBundle {
  readonly fingerprint: string;
  readonly issuer: string;
  readonly domains: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface ToldName {
  readonly name: string;
  readonly issued: boolean;
  readonly obstacle: ToldObstacle | undefined;
  readonly overruled: ToldObstacle | undefined;
}

export interface ToldObstacle {
  readonly why: string;
  readonly cure?: string | undefined;
  readonly until: Date;
}

export interface ToldBudget {
  readonly what: string;
  readonly used: number;
  readonly allowed: number;
  readonly limit: number;
  readonly nextFreeAt: Date | undefined;
}

export interface ToldServed {
  readonly at: Date;
  readonly instances: readonly { readonly endpoint: string; readonly asked: number; readonly right: number }[];
}

/** Undefined: whoever sent it is none of ours. */
export function readTold(body: unknown): Told | undefined {
  const all = record(body);
  const [version, appId] = [line(all?.version), line(all?.appId)];
  if (all === undefined || version === '' || appId === '' || !('plan' in all)) return undefined;
  return {
    version,
    appId,
    taskId: optional(all.taskId),
    directoryUrl: line(all.directoryUrl),
    startedAt: time(all.startedAt),
    alive: all.alive === true,
    warnings: list(all.warnings).map(line),
    events: records(all.events).map(readEvent),
    plan: readPlan(record(all.plan)),
  };
}

const LONGEST_LINE = 2_000;

function line(value: unknown): string {
  return printable(text(value) ?? '', LONGEST_LINE);
}

function optional(value: unknown): string | undefined {
  return line(value) || undefined;
}

/** An invalid Date where there is none: it is told as an unknown time. */
function time(value: unknown): Date {
  return instant(value) ?? new Date(Number.NaN);
}

function readEvent(event: Json): ToldEvent {
  return { at: time(event.at), kind: line(event.kind), state: optional(event.state), text: line(event.text) };
}

function readPlan(plan: Json | undefined): ToldPlan | null {
  const certificate = record(plan?.certificate);
  if (plan === undefined || certificate === undefined) return null;
  return {
    at: time(plan.at),
    paused: plan.paused === true,
    installWindow: readWindow(record(plan.installWindow)),
    certificate: readCertificate(certificate),
    notes: list(plan.notes).map(line),
    budgets: records(plan.budgets).map(readBudget),
    next: records(plan.next).map(({ what, at }) => ({ what: line(what), at: instant(at) })),
    served: readServed(record(plan.served)),
  };
}

function readWindow(window: Json | undefined): ToldPlan['installWindow'] {
  return window && { text: line(window.text), says: line(window.says) };
}

function readCertificate(certificate: Json): ToldCertificate {
  const progress = record(certificate.progress);
  const count = (value: unknown): number => number(value) ?? 0;
  return {
    state: line(certificate.state),
    why: line(certificate.why),
    cure: optional(certificate.cure),
    names: records(certificate.names).map(readName),
    refused: records(certificate.refused).map(({ name, reason }) => ({ name: line(name), reason: line(reason) })),
    slot: optional(certificate.slot),
    renewAt: instant(certificate.renewAt),
    progress: progress && {
      step: line(progress.step),
      validated: count(progress.validated),
      total: count(progress.total),
    },
    held: readBundle(record(certificate.held)),
  };
}

function readBundle(held: Json | undefined): ToldBundle | undefined {
  const [notBefore, notAfter] = [instant(held?.notBefore), instant(held?.notAfter)];
  if (held === undefined || notBefore === undefined || notAfter === undefined) return undefined;
  const { fingerprint, issuer, domains } = held;
  return {
    fingerprint: line(fingerprint),
    issuer: line(issuer),
    domains: list(domains).map(line),
    notBefore,
    notAfter,
  };
}

function readName({ name, issued, obstacle, overruled }: Json): ToldName {
  const read = (found: unknown): ToldObstacle | undefined => {
    const held = record(found);
    return held && { why: line(held.why), cure: optional(held.cure), until: time(held.until) };
  };
  return { name: line(name), issued: issued === true, obstacle: read(obstacle), overruled: read(overruled) };
}

function readBudget({ what, used, allowed, limit, nextFreeAt }: Json): ToldBudget {
  const [spent = 0, ours = 0, theirs = 0] = [used, allowed, limit].map(number);
  return { what: line(what), used: spent, allowed: ours, limit: theirs, nextFreeAt: instant(nextFreeAt) };
}

function readServed(served: Json | undefined): ToldServed | null {
  if (served === undefined) return null;
  const instances = records(served.instances).map(({ endpoint, asked, right }) => ({
    endpoint: line(endpoint),
    asked: number(asked) ?? 0,
    right: number(right) ?? 0,
  }));
  return { at: time(served.at), instances };
}
