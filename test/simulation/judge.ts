/**
 * The invariants: what must hold at every step of every run, whatever breaks. README.md has them in words.
 *
 * The judge looks at the world itself (what HAProxy serves, what Marathon holds, what the CA has booked) and never at
 * what the program believes, except for the sentences that it owes its operator.
 */
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { Issued } from './certificate-authority.ts';
import type { Clock } from './clock.ts';
import { Expiry } from './expiry.ts';
import { type Condition, GENERAL, type Health } from './health.ts';
import { isWithin, type Window } from './install-windows.ts';
import { type Env, type LoadBalancer, read, SLOTS, servedBy } from './load-balancer.ts';
import type { Put } from './marathon.ts';
import type { Names } from './names.ts';
import type { Program } from './program.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The slowest pace of the program is a week; a day more to get there. */
const GRACE = 8 * DAY;
/** A label edit travels: what was wanted until just now may still be ordered, and what is new may not be known. */
const EDIT_SETTLES = HOUR;
/** States that ask for a person, so that there has to be something to do, or somebody to wait for. */
const ALARMING = new Set([
  'blind',
  'not-writable',
  'backing-off',
  'not-installable',
  'contested',
  'stuck',
  'not-served',
  'unproven',
  'degraded',
  'waiting-for-route',
]);
/** A loop that turns more often in a minute does nothing else, at 0.05 CPU. */
const PASSES_A_MINUTE = 200;
/**
 * Of the same state with another reason: more in an hour is a log that nobody reads. An order that fails each minute, another way each
 * time, and then a PUT that fails each time make some 45 (two for each try), all of them news; what flaps makes hundreds.
 */
const CHANGES_AN_HOUR = 60;

export interface World {
  readonly clock: Clock;
  readonly health: Health;
  readonly names: Names;
  readonly balancer: LoadBalancer;
  /** Name → since when the labels have had it. */
  readonly wantedSince: ReadonlyMap<string, number>;
  /** All that our labels have ever had: a certificate of these alone counts as ours. */
  readonly everWanted: ReadonlySet<string>;
  /** Whether the state folder of a running task has it. */
  readonly isRemembered: (fingerprint: string) => boolean;
  /** Whether it is the certificate in the state folder of a running task. */
  readonly isHeld: (bundle: CertificateBundle) => boolean;
  /** When a task was started, labels were edited, or a slot touched by others, last. */
  readonly excusedAt: () => number;
  /** When an operator last asked for a renewal that is not due. */
  readonly renewalAskedAt: () => number;
  readonly installWindow: Window;
  readonly violate: (what: string) => void;
  /** Whether somebody other than us has touched the slot since we last wrote it. */
  readonly isDisturbed: (slot: string) => boolean;
}

export class Judge {
  checks = 0;
  readonly expiry: Expiry;
  readonly #world: World;
  readonly #posted = new Map<string, string>();
  readonly #servedAt = new Map<string, number>();
  readonly #unservedSince = new Map<string, number>();
  readonly #reported = new Set<string>();
  readonly #minutes = new Map<Program, { minute: number; passes: number }>();
  readonly #changes = new Map<Program, { gist: string; times: number[] }>();

  constructor(world: World) {
    this.#world = world;
    this.expiry = new Expiry({ ...world, violate: (what, key) => this.#once(what, key) });
  }

  /** What HAProxy serves now. */
  served(): void {
    const { balancer, wantedSince, clock } = this.#world;
    for (const [name, since] of wantedSince) {
      this.checks += 1;
      const all = balancer.tasks.filter(({ alive }) => alive === true).map(({ env }) => servedBy(env, name));
      for (const bundle of all) {
        if (bundle !== undefined && isOurs(bundle) && bundle.domains.includes(name)) this.expiry.served(name, bundle);
      }
      const isWell = all.length > 0 && all.every((bundle) => isGood(bundle, name, clock.now));
      if (isWell) this.#servedAt.set(name, clock.now);
      this.#reached(name, isWell, since);
    }
  }

  /** A name that is well, with all else well, has a valid certificate on every load balancer within the grace. */
  #reached(name: string, isWell: boolean, wantedSince: number): void {
    const { clock } = this.#world;
    if (isWell) return void this.#unservedSince.delete(name);
    const since = this.#unservedSince.get(name) ?? clock.now;
    this.#unservedSince.set(name, since);
    const goodSince = this.#goodSince(name);
    const freeSince = this.#freeSince(name);
    if (goodSince === undefined || freeSince === undefined) return;
    const from = Math.max(since, goodSince, freeSince, wantedSince);
    if (clock.now - from > GRACE)
      this.#once(
        `${name} has had no valid certificate since ${new Date(from).toISOString()}, although all was well`,
        `unserved ${name} ${since}`,
      );
  }

  /** There is one certificate: a name on it that fails holds up new ones, for it must not be lost for their sake. */
  #freeSince(name: string): number | undefined {
    const { wantedSince, clock } = this.#world;
    let since = clock.startedAt;
    for (const other of wantedSince.keys()) {
      // Also when somebody has emptied the slot since: it is still on the certificate that is put back.
      const isServed = (this.#servedAt.get(other) ?? Number.NEGATIVE_INFINITY) > clock.now - GRACE;
      if (other === name || !isServed) continue;
      const goodSince = this.#goodSince(other);
      if (goodSince === undefined) return undefined;
      since = Math.max(since, goodSince);
    }
    return since;
  }

  #goodSince(name: string): number | undefined {
    const { health, names } = this.#world;
    if (!names.isWell(name) || names.isRefused(name)) return undefined;
    const conditions: readonly Condition[] = [...GENERAL, `name ${name}`];
    return health.goodSince(conditions);
  }

  /** The one change that the program makes. */
  put({ by, before, after, slots }: Put): void {
    this.checks += 1;
    this.#othersUntouched(before, after, slots);
    const changed = slots.filter((slot) => before[slot] !== after[slot]);
    if (changed.length === 0) this.#say(`${by.id} posts what is there already`);
    for (const slot of changed) this.#slotChanged(by, slot, before, after);
    this.#inTime(by, slots[0] ?? '', before, after);
  }

  /** Outside the window only where that cannot wait: the value before is no valid one of ours with all names, or ends soon. */
  #inTime(by: Program, slot: string, before: Env, after: Env): void {
    const { clock, health, installWindow, wantedSince } = this.#world;
    const wellSince = health.goodSince(['clock', 'balancer']);
    if (wellSince === undefined || wellSince > clock.now - DAY || isWithin(installWindow, clock.now, 5 * MINUTE))
      return;
    const [old, next] = [before[slot], after[slot]].map((value) =>
      typeof value === 'string' ? read(value) : undefined,
    );
    if (old === undefined || next === undefined || !isOurs(old)) return;
    const lifeMs = old.notAfter.getTime() - old.notBefore.getTime();
    const isLate = clock.now + installWindow.everyMs > old.notAfter.getTime() - Math.max(lifeMs / 4, 2 * DAY);
    const isBare = next.domains.some((name) => wantedSince.has(name) && !isGood(old, name, clock.now));
    // Something stands before it: another redeploy may not help, but what is there is of no use either.
    const isShadowed = old.domains.some((name) => wantedSince.has(name) && servedBy(before, name) !== old);
    if (!isLate && !isBare && !isShadowed)
      this.#say(`${by.id} posts to ${slot} outside ${installWindow.text}, although that could wait`);
  }

  #othersUntouched(before: Env, after: Env, slots: readonly string[]): void {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (slots.includes(key) && SLOTS.includes(key)) continue;
      if (JSON.stringify(before[key]) !== JSON.stringify(after[key])) this.#say(`${key} of marathon-lb was changed`);
    }
  }

  #slotChanged(by: Program, slot: string, before: Env, after: Env): void {
    const { clock, isDisturbed } = this.#world;
    const value = after[slot];
    const next = typeof value === 'string' ? read(value) : undefined;
    const found = before[slot];
    const old = typeof found === 'string' ? read(found) : undefined;
    if (next === undefined) return void this.#say(`${by.id} posts to ${slot} what HAProxy would refuse`);
    if (next.notAfter.getTime() <= clock.now) this.#say(`${by.id} posts an expired certificate to ${slot}`);
    if (!isOurs(next) && !next.domains.every((name) => this.#world.everWanted.has(name)))
      this.#say(`${by.id} posts to ${slot} what is somebody else's: ${next.issuer}`);
    this.#chain(by, slot, next);
    if (typeof found === 'object') this.#say(`${by.id} overwrites the secret in ${slot}`);
    if (typeof found === 'string' && found.trim() !== '') this.#mayGo(by, slot, found, old);
    const last = this.#posted.get(slot);
    if (last === next.fingerprint && !isDisturbed(slot))
      this.#say(`${by.id} posts ${next.fingerprint.slice(0, 11)} to ${slot} once more`);
    this.#posted.set(slot, next.fingerprint);
    if (old !== undefined && isOurs(old)) this.#namesKept(by, slot, old, next, after);
  }

  #chain(by: Program, slot: string, { certificates }: CertificateBundle): void {
    const isWhole = certificates.every((one, index) => index === 0 || certificates[index - 1]?.checkIssued(one));
    if (!isWhole) this.#say(`${by.id} posts a broken chain to ${slot}`);
  }

  /** What was put there by somebody who wants it. */
  #mayGo(by: Program, slot: string, text: string, old: CertificateBundle | undefined): void {
    if (old === undefined)
      return void this.#say(`${by.id} overwrites what it cannot read in ${slot} (${text.length} characters)`);
    const { clock, everWanted } = this.#world;
    const isAmongOurs = old.domains.every((name) => everWanted.has(name));
    const isFree = old.selfSigned || isOurs(old) || isAmongOurs || old.notAfter.getTime() <= clock.now + clock.offset;
    if (!isFree) this.#say(`${by.id} overwrites somebody else's valid certificate in ${slot}`);
  }

  /** No name lost early: not while the old certificate has more to live than an order of all names may need. */
  #namesKept(by: Program, slot: string, old: CertificateBundle, next: CertificateBundle, after: Env): void {
    const { clock, wantedSince } = this.#world;
    const now = clock.now + clock.offset;
    const lifeMs = old.notAfter.getTime() - old.notBefore.getTime();
    const shrinkAt = old.notAfter.getTime() - Math.max(lifeMs / 6, Math.min(3 * DAY, lifeMs / 4));
    if (now >= shrinkAt - 10 * MINUTE) return;
    for (const name of old.domains) {
      const since = wantedSince.get(name);
      if (next.domains.includes(name) || since === undefined || since > clock.now - EDIT_SETTLES) continue;
      const elsewhere = servedBy(after, name);
      if (elsewhere !== undefined && isGood(elsewhere, name, clock.now)) continue;
      this.#say(`${by.id} takes ${name} from ${slot}, whose certificate lives until ${old.notAfter.toISOString()}`);
    }
  }

  /** What the operator is told. */
  plan(by: Program, planned: Plan): void {
    this.checks += 1;
    const { state, why, cure } = planned.certificate;
    this.#notBusy(
      by,
      `${state}: ${why}; looks ${planned.looks.join(', ')}; again ${planned.checkAgainAt.toISOString()}`,
    );
    this.#honest(by, planned);
    if (why.trim() === '') this.#say(`${by.id}: ${state} without a reason`);
    if (/undefined|\[object|NaN|Invalid Date/.test(`${why} ${cure ?? ''} ${planned.notes.join(' ')}`))
      this.#say(`${by.id}: ${state}: ${why}; ${cure}`);
    if (ALARMING.has(state) && why.length < 10) this.#say(`${by.id}: ${state} with a reason of no use: ${why}`);
    if (Number.isNaN(planned.checkAgainAt.getTime()) || planned.checkAgainAt.getTime() > planned.at.getTime() + HOUR)
      this.#say(`${by.id}: ${state}: looks again only ${planned.checkAgainAt}`);
  }

  #notBusy(by: Program, what: string): void {
    const minute = Math.floor(this.#world.clock.now / MINUTE);
    const known = this.#minutes.get(by);
    const passes = known?.minute === minute ? known.passes + 1 : 1;
    this.#minutes.set(by, { minute, passes });
    if (passes > PASSES_A_MINUTE) this.#once(`${by.id}: ${passes} passes in a minute: ${what}`, `busy ${minute}`);
  }

  /** What is told is so: a wire that was not looked at for a day proves nothing, and what hangs for hours is stuck. */
  #honest(by: Program, { certificate: { state, bundle } }: Plan): void {
    const { balancer, wantedSince, clock } = this.#world;
    const isWrong =
      state === 'live' &&
      balancer.tasks.some(({ env, alive }) =>
        [...wantedSince.keys()].some(
          (name) =>
            alive === true && bundle?.domains.includes(name) && servedBy(env, name)?.fingerprint !== bundle.fingerprint,
        ),
      );
    this.#notFor(DAY + 6 * HOUR, isWrong, `${by.id}: says live, and HAProxy serves something else`);
    this.#notFor(6 * HOUR, state === 'deploying' && clock.offset === 0, `${by.id}: says that a deployment runs`);
    this.#notFor(12 * HOUR, state === 'ordering', `${by.id}: says that it is ordering`);
  }

  readonly #since = new Map<string, number>();

  #notFor(longestMs: number, is: boolean, what: string): void {
    const { clock } = this.#world;
    if (!is) return void this.#since.delete(what);
    const since = this.#since.get(what) ?? clock.now;
    this.#since.set(what, since);
    if (clock.now - since > longestMs) this.#once(`${what}, for ${Math.round((clock.now - since) / HOUR)} hours`, what);
  }

  readonly #issued = new Map<string, { at: number; lifeMs: number }>();

  /** No certificate is had twice for nothing: not before half of its life, with nothing lost and nobody started since. */
  issued(issued: Issued): void {
    const { names, at, lifeMs } = issued;
    this.checks += 1;
    this.expiry.issued(issued);
    const set = [...names].sort().join(' ');
    const before = this.#issued.get(set);
    this.#issued.set(set, { at, lifeMs });
    if (before === undefined || at - before.at > before.lifeMs * 0.45) return;
    const { health, excusedAt, renewalAskedAt } = this.#world;
    const goodSince = health.goodSince(['ca', 'disk', 'clock']);
    if (goodSince === undefined || goodSince > before.at || excusedAt() > before.at) return;
    if (renewalAskedAt() > before.at) return;
    this.#say(
      `a certificate for ${set} is had again after ${Math.round((at - before.at) / HOUR)} hours, for no reason`,
    );
  }

  /** A state that comes and goes fills the log. */
  changed(by: Program, gist: string): void {
    const known = this.#changes.get(by) ?? { gist: '', times: [] };
    const { clock } = this.#world;
    known.times = [...known.times.filter((at) => at > clock.now - HOUR), clock.now];
    known.gist = gist;
    this.#changes.set(by, known);
    if (known.times.length > CHANGES_AN_HOUR) {
      this.#once(
        `${by.id}: ${known.times.length} changes of state in an hour, the last to ${gist}`,
        `flaps ${by.id} ${Math.floor(clock.now / DAY)}`,
      );
    }
  }

  log(by: Program, line: string): void {
    this.checks += 1;
    if (/PRIVATE KEY|BEGIN CERT/.test(line)) this.#say(`${by.id}: a secret in the log: ${line.slice(0, 200)}`);
    if (/"msg":"pass failed"/.test(line)) this.#say(`${by.id}: ${line}`);
  }

  /** When all has been healed for long enough. */
  atTheEnd(tasks: readonly Program[]): void {
    const { balancer, wantedSince, clock, names } = this.#world;
    for (const name of wantedSince.keys()) {
      if (names.isRefused(name)) continue;
      const all = balancer.tasks.map(({ env }) => servedBy(env, name));
      if (!all.every((bundle) => isGood(bundle, name, clock.now)))
        this.#say(`at the end ${name} has no valid certificate`);
    }
    const states = tasks.map(({ planned }) => planned?.certificate.state);
    if (
      !states.some(
        (state) => state === 'live' || state === 'ordering' || state === 'deploying' || state === 'waiting-for-window',
      )
    )
      this.#say(
        `at the end no task says that it is live: ${states.join(', ')}: ${tasks.map(({ planned }) => planned?.certificate.why).join('; ')}`,
      );
  }

  #once(what: string, key: string): void {
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#say(what);
  }

  #say(what: string): void {
    this.#world.violate(what);
  }
}

function isOurs({ issuer }: CertificateBundle): boolean {
  return issuer === 'CN=Model Y1';
}

function isGood(bundle: CertificateBundle | undefined, name: string, now: number): boolean {
  if (bundle === undefined) return false;
  return (
    bundle.domains.includes(name) &&
    bundle.notAfter.getTime() > now &&
    bundle.notBefore.getTime() <= now &&
    !bundle.selfSigned
  );
}
