/**
 * The facts that the rules share: which names are wanted, who leads, what we hold and where it belongs.
 *
 * Pure: derived from one Observation, once, so that no two rules can disagree about them.
 */
import { isPublicCa, isStagingDirectory, isStagingIssuer } from '../certificates/authority.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { type WantedNames, wantedNames } from '../certificates/spec.ts';
import { leaderOf } from '../marathon/leader.ts';
import type { StoredState } from '../store.ts';
import type { Observation, Policy } from './observation.ts';
import { type Placement, placeIn, readSlots, type Slot, type SlotContext } from './slots.ts';

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
  readonly slots: readonly Slot[];
  readonly placement: Placement | undefined;
  /** The longest-lived certificate with a key that covers all names, stored or found in marathon-lb. */
  readonly bundle: CertificateBundle | undefined;
  /** What we have for some of the names, when nothing covers all of them: the one that is still being served. */
  readonly partial: CertificateBundle | undefined;
  /** The bundle, when only marathon-lb has it. */
  readonly adoptable: CertificateBundle | undefined;
}

/** What is so, before anything is decided. */
export function situation(seen: Observation, policy: Policy): Situation {
  const labels = seen.self.ok ? seen.self.value.labels : {};
  const names = wantedNames({ labels, override: policy.domains, publicCa: isPublicCa(policy.directoryUrl) });
  const context = slotContext(seen, policy, names.domains);
  const slots = context === undefined ? [] : readSlots(context);
  const placement = context === undefined ? undefined : placeIn(slots, context);
  return {
    seen,
    policy,
    names,
    leader: leaderIn(seen, policy),
    slots,
    placement,
    ...held(seen, policy, names.domains, slots),
  };
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
function knownAsOurs({ bundle, previous, ledger }: StoredState): ReadonlySet<string> {
  return new Set([...ledger.installed, ...[bundle, previous].flatMap((known) => known?.fingerprint ?? [])]);
}

function held(seen: Observation, policy: Policy, domains: readonly string[], slots: readonly Slot[]) {
  const stored = storedHere(seen, policy);
  const deployed = slots.flatMap(({ content }) =>
    content.kind === 'ours' && mayAdopt(content.bundle, seen, policy) ? content.bundle : [],
  );
  const alive = [...stored, ...deployed]
    .filter(({ notAfter }) => notAfter > seen.at)
    .sort((a, b) => b.notAfter.getTime() - a.notAfter.getTime());
  const bundle = alive.find((candidate) => covers(candidate, domains));
  const isStored = seen.stored.bundle?.fingerprint === bundle?.fingerprint;
  return { bundle, partial: bundle ?? alive[0], adoptable: isStored ? undefined : bundle };
}

/** A certificate of another directory is not what the operator asked for: it is ordered anew. */
function storedHere({ stored }: Observation, { directoryUrl }: Policy): readonly CertificateBundle[] {
  return stored.bundle !== undefined && stored.bundleDirectory === directoryUrl ? [stored.bundle] : [];
}

/**
 * What marathon-lb holds belongs to the configured directory, unless we know better; and one that we know and have
 * replaced is not taken back, even if it would live longer.
 */
function mayAdopt(bundle: CertificateBundle, { stored }: Observation, { directoryUrl }: Policy): boolean {
  const isOfDirectory = stored.bundleDirectory === directoryUrl;
  if (stored.bundle?.fingerprint === bundle.fingerprint) return isOfDirectory;
  if (isOfDirectory && knownAsOurs(stored).has(bundle.fingerprint)) return false;
  return isStagingDirectory(directoryUrl) || !isStagingIssuer(bundle.issuer);
}

function covers(bundle: CertificateBundle, domains: readonly string[]): boolean {
  return domains.length > 0 && domains.every((name) => bundle.domains.includes(name));
}
