/**
 * The facts that the rules share: which names are wanted, who leads, what we hold and where it belongs.
 *
 * Pure: derived from one Observation, once, so that no two rules can disagree about them.
 */
import { isPublicCa, isStagingDirectory, isStagingIssuer } from '../certificates/authority.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import type { Attempt } from '../certificates/holds.ts';
import { lifeLeft, mayShrinkAt } from '../certificates/renewal.ts';
import { type WantedNames, wantedNames } from '../certificates/spec.ts';
import type { Task } from '../marathon/app.ts';
import { leaderOf } from '../marathon/leader.ts';
import type { StoredState } from '../store.ts';
import { imported } from './imported.ts';
import { type Facts, type NameStanding, standings } from './names.ts';
import type { Observation, Policy } from './observation.ts';
import { isBlocked, isPassedOver } from './restoring.ts';
import { type Placement, placeIn, readSlots, type Slot, type SlotContext } from './slots.ts';
import { HOUR } from './verdict.ts';

export interface Leader {
  /** The task that leads by Marathon's list; undefined when none is running and healthy. */
  readonly taskId: string | undefined;
  readonly isUs: boolean;
}

export interface Situation {
  readonly seen: Observation;
  readonly policy: Policy;
  readonly names: WantedNames;
  readonly leader: Leader;
  /** Our own task, if Marathon shows it. */
  readonly ownTask: Task | undefined;
  readonly slots: readonly Slot[];
  readonly placement: Placement | undefined;
  /** The best certificate with a key, stored or found in marathon-lb: it may lack names, but is not without any. */
  readonly bundle: CertificateBundle | undefined;
  /**
   * The certificate whose names must not be lost before its end: the bundle; but where there is none of the present CA,
   * or HAProxy refused it, the one of ours that marathon-lb has meanwhile.
   */
  readonly serving: CertificateBundle | undefined;
  /** The bundle, when only marathon-lb has it, or certbot. */
  readonly adoptable: CertificateBundle | undefined;
  /** Whether the limits of the public CAs bind us. */
  readonly publicCa: boolean;
  readonly attempt: Attempt;
  /** Each wanted name: on the bundle or not, and what keeps it from being ordered. */
  readonly standings: readonly NameStanding[];
}

/** What is so, before anything is decided. */
export function situation(seen: Observation, policy: Policy): Situation {
  const labels = seen.self.ok ? seen.self.value.labels : {};
  const publicCa = isPublicCa(policy.directoryUrl);
  const names = wantedNames({ labels, override: policy.domains, publicCa });
  const context = slotContext(seen, policy, names.domains);
  const slots = context === undefined ? [] : readSlots(context);
  const placement = context === undefined ? undefined : placeIn(slots, context);
  const { bundle, adoptable } = held(seen, policy, names.domains, slots);
  const attempt = attemptNow(seen, policy, bundle);
  const facts = { seen, policy, names, bundle, attempt, publicCa };
  return {
    ...facts,
    leader: leaderIn(seen, policy),
    ownTask: seen.self.ok ? seen.self.value.tasks.find(({ id }) => id === policy.taskId) : undefined,
    slots,
    placement,
    serving: servingNow(facts, placement),
    adoptable,
    standings: standings(facts),
  };
}

/** Whether it is in that variable of marathon-lb already. */
export function holds(slot: Slot, bundle: CertificateBundle, { seen }: Situation): boolean {
  const value = seen.loadBalancer.ok ? seen.loadBalancer.value.env[slot.name] : undefined;
  return typeof value === 'string' && bundle.matches(value);
}

/** When the certificate is near its end, nothing is left alone for longer than this. */
const LONGEST_WAIT_LATE = { left: 1 / 6, ms: 6 * HOUR };

function attemptNow(
  { at: now }: Observation,
  { directoryUrl: directory, settingsMark: settings }: Policy,
  bundle: CertificateBundle | undefined,
): Attempt {
  const isLate = bundle !== undefined && lifeLeft(bundle, now) < LONGEST_WAIT_LATE.left;
  return { directory, settings, now, longestMs: isLate ? LONGEST_WAIT_LATE.ms : undefined };
}

/** Without a task id we were started by hand, and whoever did that wants us to act. */
function leaderIn(seen: Observation, { taskId }: Policy): Leader {
  if (taskId === undefined) return { taskId, isUs: true };
  const leader = seen.self.ok ? leaderOf(seen.self.value)?.id : undefined;
  return { taskId: leader, isUs: leader === taskId };
}

function slotContext(seen: Observation, policy: Policy, domains: readonly string[]): SlotContext | undefined {
  if (!seen.loadBalancer.ok) return undefined;
  const { certEnv, takeOver } = policy;
  const ours = knownAsOurs(seen.stored);
  const pastDomains = seen.pastNames ?? [];
  return { certEnv, env: seen.loadBalancer.value.env, domains, pastDomains, ours, takeOver, now: seen.at };
}

/** Fingerprints of all that the state folder remembers. */
function knownAsOurs({ bundle, previous, ledger, certbots }: StoredState): ReadonlySet<string> {
  const held = [bundle, previous, ...certbots.map((lineage) => lineage.bundle)];
  return new Set([...ledger.installed, ...held.flatMap((known) => known?.fingerprint ?? [])]);
}

function held(seen: Observation, policy: Policy, domains: readonly string[], slots: readonly Slot[]) {
  const stored = storedHere(seen, policy);
  const deployed = slots.flatMap(({ content }) =>
    content.kind === 'ours' && mayAdopt(content.bundle, seen, policy, domains) ? content.bundle : [],
  );
  const { bundles } = imported(seen, policy, domains);
  const alive = [...stored, ...deployed, ...bundles].filter(
    (one) => one.notAfter > seen.at && !isPassedOver(one, seen, policy),
  );
  const bundle = best(alive, domains, seen.at);
  const isStored = seen.stored.bundle?.fingerprint === bundle?.fingerprint;
  return { bundle, adoptable: isStored ? undefined : bundle };
}

/** The one with the most of the names, then the one that lives longest; but one near its end gives way to one that is not. */
function best(alive: readonly CertificateBundle[], domains: readonly string[], now: Date) {
  const covered = (bundle: CertificateBundle): number => coverage(bundle, domains);
  const useful = alive.filter((bundle) => covered(bundle) > 0);
  const lasting = useful.filter((bundle) => now < mayShrinkAt(bundle));
  return [...(lasting.length > 0 ? lasting : useful)].sort(
    (a, b) => covered(b) - covered(a) || b.notAfter.getTime() - a.notAfter.getTime(),
  )[0];
}

/** One of a CA for tests is nothing to save for a real one's sake. */
function servingNow({ seen, policy, bundle }: Facts, placement: Placement | undefined): CertificateBundle | undefined {
  const content = placement?.ok ? placement.slot.content : undefined;
  if (bundle !== undefined && !isBlocked(bundle, seen)) return bundle;
  if (content?.kind !== 'ours' || content.bundle.notAfter <= seen.at) return bundle;
  const { directoryUrl } = policy;
  const isOfTests =
    isStagingIssuer(content.bundle.issuer) || isStagingDirectory(seen.stored.bundleDirectory ?? directoryUrl);
  return isOfTests && !isStagingDirectory(directoryUrl) ? bundle : content.bundle;
}

/** A certificate of another directory is not what the operator asked for: it is ordered anew. */
function storedHere({ stored }: Observation, { directoryUrl }: Policy): readonly CertificateBundle[] {
  return stored.bundle !== undefined && stored.bundleDirectory === directoryUrl ? [stored.bundle] : [];
}

/**
 * What marathon-lb holds belongs to the configured directory, unless we know better; and one that we know and have
 * replaced is not taken back, even if it would live longer, but for wanted names that only it has: a label that went to
 * and fro must not take a name from a certificate that serves.
 */
function mayAdopt(
  bundle: CertificateBundle,
  { stored }: Observation,
  { directoryUrl }: Policy,
  domains: readonly string[],
): boolean {
  const isOfDirectory = stored.bundleDirectory === directoryUrl;
  if (stored.bundle?.fingerprint === bundle.fingerprint) return isOfDirectory;
  if (isOfDirectory && stored.bundle !== undefined && knownAsOurs(stored).has(bundle.fingerprint))
    return coverage(bundle, domains) > coverage(stored.bundle, domains);
  return isStagingDirectory(directoryUrl) || !isStagingIssuer(bundle.issuer);
}

/** How many of the names are on it. */
function coverage({ domains: issued }: CertificateBundle, domains: readonly string[]): number {
  return domains.filter((name) => issued.includes(name)).length;
}
